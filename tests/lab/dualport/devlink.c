// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the PF's devlink instance, eswitch mode and port functions.
 *
 * In switchdev mode each port of each VF has a devlink port, with a function
 * that has an address, capabilities and a rate, and a representor: a netdev
 * without traffic. Port N of a VF is the one of PF number N - 1. What is set
 * goes the way of every other write (write.c), into the same table: an address
 * set here is the one that "ip link set vf mac" sets.
 *
 * Locking: the instance's lock is taken outside RTNL, as the kernel does when
 * it calls back. Ports belong to the instance's lock.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <net/devlink.h>

#include "dualport.h"

#define DP_RATE_UNIT	125000		/* bytes a second in a Mb/s */

static bool with_devlink;
module_param_named(devlink, with_devlink, bool, 0644);
MODULE_PARM_DESC(devlink, "PFs have a devlink instance, and an eswitch; read when a PF is bound");

static unsigned int external;
module_param(external, uint, 0644);
MODULE_PARM_DESC(external, "ports of another host's functions that there are in switchdev mode, as a DPU has; read when the mode is set");

struct dp_port {
	struct devlink_port port;
	struct net_device *rep;
	struct dp_target at;
};

struct dp_devlink {
	struct dp_pf *pf;
	u16 mode;
	int n;				/* VFs and others that have ports */
	struct dp_port *port;		/* pf->ports of each */
};

static struct dp_port *dp_port_of(struct devlink_port *port)
{
	return container_of(port, struct dp_port, port);
}

static struct dp_setting *dp_setting_of(const struct dp_target *at)
{
	return &at->pf->vf[at->vf].port[at->port].set;
}

static int dp_write_port_fn(struct devlink_port *port, struct dp_request *req, struct netlink_ext_ack *extack)
{
	const struct dp_target *at = &dp_port_of(port)->at;
	int err;

	rtnl_lock();
	err = dp_write(at, req);
	rtnl_unlock();
	if (err == -EBUSY && req->attr >= DP_ROCE)
		NL_SET_ERR_MSG_MOD(extack, "the function has a driver");
	else if (err)
		NL_SET_ERR_MSG_MOD(extack, "refused by a knob");
	return err;
}

/*
 * devlink also asks when it tells others of a port, and that may be under RTNL:
 * a representor is being registered. So what is read may be just changing.
 */
static int dp_hw_addr_get(struct devlink_port *port, u8 *addr, int *len, struct netlink_ext_ack *extack)
{
	ether_addr_copy(addr, dp_setting_of(&dp_port_of(port)->at)->mac);
	*len = ETH_ALEN;
	return 0;
}

static int dp_hw_addr_set(struct devlink_port *port, const u8 *addr, int len, struct netlink_ext_ack *extack)
{
	struct dp_request req = { .attr = DP_MAC, .mac = addr };

	snprintf(req.text, sizeof(req.text), "addr=%pM", addr);
	return dp_write_port_fn(port, &req, extack);
}

static bool dp_cap_get(struct devlink_port *port, enum dp_attr attr)
{
	return dp_setting_of(&dp_port_of(port)->at)->cap[attr - DP_ROCE];
}

static int dp_cap_set(struct devlink_port *port, enum dp_attr attr, bool on, struct netlink_ext_ack *extack)
{
	struct dp_request req = { .attr = attr, .on = on };

	snprintf(req.text, sizeof(req.text), "on=%d", on);
	return dp_write_port_fn(port, &req, extack);
}

#define DP_CAP(name, attr)									\
static int name##_get(struct devlink_port *port, bool *on, struct netlink_ext_ack *extack)	\
{												\
	*on = dp_cap_get(port, attr);								\
	return 0;										\
}												\
static int name##_set(struct devlink_port *port, bool on, struct netlink_ext_ack *extack)	\
{												\
	return dp_cap_set(port, attr, on, extack);						\
}
DP_CAP(dp_roce, DP_ROCE)
DP_CAP(dp_migratable, DP_MIGRATABLE)
DP_CAP(dp_ipsec_crypto, DP_IPSEC_CRYPTO)
DP_CAP(dp_ipsec_packet, DP_IPSEC_PACKET)

static int dp_max_io_eqs_get(struct devlink_port *port, u32 *max, struct netlink_ext_ack *extack)
{
	*max = dp_setting_of(&dp_port_of(port)->at)->max_io_eqs;
	return 0;
}

static int dp_max_io_eqs_set(struct devlink_port *port, u32 max, struct netlink_ext_ack *extack)
{
	struct dp_request req = { .attr = DP_MAX_IO_EQS, .number = max };

	snprintf(req.text, sizeof(req.text), "max=%u", max);
	return dp_write_port_fn(port, &req, extack);
}

static const struct devlink_port_ops dp_port_ops = {
	.port_fn_hw_addr_get = dp_hw_addr_get,
	.port_fn_hw_addr_set = dp_hw_addr_set,
	.port_fn_roce_get = dp_roce_get,
	.port_fn_roce_set = dp_roce_set,
	.port_fn_migratable_get = dp_migratable_get,
	.port_fn_migratable_set = dp_migratable_set,
	.port_fn_ipsec_crypto_get = dp_ipsec_crypto_get,
	.port_fn_ipsec_crypto_set = dp_ipsec_crypto_set,
	.port_fn_ipsec_packet_get = dp_ipsec_packet_get,
	.port_fn_ipsec_packet_set = dp_ipsec_packet_set,
	.port_fn_max_io_eqs_get = dp_max_io_eqs_get,
	.port_fn_max_io_eqs_set = dp_max_io_eqs_set,
};

/* Of another host's functions nothing can be set, or seen but that they are there. */
static const struct devlink_port_ops dp_external_ops = { };

static int dp_rate_set(struct dp_port *port, u64 bytes, bool share, struct netlink_ext_ack *extack)
{
	const struct dp_setting *set = dp_setting_of(&port->at);
	struct dp_request req = { .attr = DP_RATE, .min_rate = set->min_rate, .max_rate = set->max_rate };
	u64 rest = do_div(bytes, DP_RATE_UNIT);
	int err;

	if (rest) {
		NL_SET_ERR_MSG_MOD(extack, "the rate must be a multiple of 1 Mb/s");
		return -EINVAL;
	}
	if (share)
		req.min_rate = bytes;
	else
		req.max_rate = bytes;
	snprintf(req.text, sizeof(req.text), "min=%u max=%u", req.min_rate, req.max_rate);
	rtnl_lock();
	err = dp_write(&port->at, &req);
	rtnl_unlock();
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "refused by a knob");
	return err;
}

static int dp_tx_share_set(struct devlink_rate *rate, void *priv, u64 bytes, struct netlink_ext_ack *extack)
{
	return dp_rate_set(priv, bytes, true, extack);
}

static int dp_tx_max_set(struct devlink_rate *rate, void *priv, u64 bytes, struct netlink_ext_ack *extack)
{
	return dp_rate_set(priv, bytes, false, extack);
}

static const struct net_device_ops dp_rep_ops = {
	.ndo_open = dp_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
};

/* dp_rep_add: the representor of @port */
int dp_rep_add(struct dp_pf *pf, struct devlink_port *port, struct net_device **rep)
{
	struct net_device *dev = alloc_etherdev(0);
	int err;

	if (!dev)
		return -ENOMEM;
	dev->netdev_ops = &dp_rep_ops;
	eth_hw_addr_random(dev);
	SET_NETDEV_DEV(dev, &pf->pdev->dev);
	SET_NETDEV_DEVLINK_PORT(dev, port);
	err = register_netdev(dev);
	if (err) {
		free_netdev(dev);
		return err;
	}
	*rep = dev;
	return 0;
}

/* dp_rep_del: one that there is, or NULL */
void dp_rep_del(struct net_device *rep)
{
	if (!rep)
		return;
	unregister_netdev(rep);
	free_netdev(rep);
}

static void dp_port_del(struct dp_devlink *d, struct dp_port *port)
{
	dp_rep_del(port->rep);
	if (port->port.devlink_rate)
		devl_rate_leaf_destroy(&port->port);
	if (port->port.registered)
		devl_port_unregister(&port->port);
	memset(port, 0, sizeof(*port));
}

/* Number @i of all VFs and, behind them, the functions of another host. */
static int dp_port_add(struct dp_devlink *d, struct dp_port *port, int i, int pfnum)
{
	struct devlink *dl = priv_to_devlink(d);
	struct dp_pf *pf = d->pf;
	bool others = i >= pf->num_vfs;
	unsigned int index = 1 + i * DP_MAX_PORTS + pfnum;
	int err;

	port->at = (struct dp_target){ .pf = pf, .vf = i, .port = pfnum };
	port->port.attrs.switch_id.id_len = sizeof(DP_SWITCH_ID) - 1;
	memcpy(port->port.attrs.switch_id.id, DP_SWITCH_ID, sizeof(DP_SWITCH_ID) - 1);
	devlink_port_attrs_pci_vf_set(&port->port, others, pfnum, others ? i - pf->num_vfs : i, others);
	err = devl_port_register_with_ops(dl, &port->port, index, others ? &dp_external_ops : &dp_port_ops);
	if (!err && !others)
		err = devl_rate_leaf_create(&port->port, port, NULL);
	if (!err)
		err = dp_rep_add(pf, &port->port, &port->rep);
	return err;
}

static void dp_ports_del(struct dp_devlink *d)
{
	int i;

	for (i = 0; i < d->n * d->pf->ports; i++)
		dp_port_del(d, &d->port[i]);
	kvfree(d->port);
	d->port = NULL;
	d->n = 0;
}

static int dp_ports_add(struct dp_devlink *d)
{
	struct dp_pf *pf = d->pf;
	int i, pfnum, err = 0;

	d->n = pf->num_vfs + external;
	d->port = kvcalloc(d->n * pf->ports, sizeof(*d->port), GFP_KERNEL);
	if (!d->port)
		err = -ENOMEM;
	for (i = 0; i < d->n && !err; i++)
		for (pfnum = 0; pfnum < pf->ports && !err; pfnum++)
			if (i >= pf->num_vfs || dp_vf_has_port(pf, i, pfnum))
				err = dp_port_add(d, &d->port[i * pf->ports + pfnum], i, pfnum);
	if (err)
		dp_ports_del(d);
	return err;
}

static int dp_eswitch_mode_get(struct devlink *dl, u16 *mode)
{
	*mode = ((struct dp_devlink *)devlink_priv(dl))->mode;
	return 0;
}

static int dp_eswitch_mode_set(struct devlink *dl, u16 mode, struct netlink_ext_ack *extack)
{
	struct dp_devlink *d = devlink_priv(dl);
	int err = 0;

	if (mode == d->mode)
		return 0;
	if (mode == DEVLINK_ESWITCH_MODE_SWITCHDEV) {
		err = dp_ports_add(d);
	} else {
		dp_sfs_del(d->pf, dl);
		dp_ports_del(d);
	}
	if (!err)
		WRITE_ONCE(d->mode, mode);
	return err;
}

static int dp_info_get(struct devlink *dl, struct devlink_info_req *req, struct netlink_ext_ack *extack)
{
	struct dp_devlink *d = devlink_priv(dl);
	char serial[24];

	snprintf(serial, sizeof(serial), "DP%s", pci_name(d->pf->pdev));
	return devlink_info_board_serial_number_put(req, serial);
}

static const struct devlink_ops dp_devlink_ops = {
	.eswitch_mode_get = dp_eswitch_mode_get,
	.eswitch_mode_set = dp_eswitch_mode_set,
	.rate_leaf_tx_share_set = dp_tx_share_set,
	.rate_leaf_tx_max_set = dp_tx_max_set,
	.info_get = dp_info_get,
	.port_new = dp_sf_new,
};

/* dualport_is_migratable: whether all functions of a VF are; for labvfio_pci */
bool dualport_is_migratable(struct pci_dev *vf)
{
	struct dp_pf *pf = pci_iov_get_pf_drvdata(vf, &dp_pf_driver);
	bool is = true;
	int n, port;

	if (IS_ERR(pf))
		return false;
	n = pci_iov_vf_id(vf);
	for (port = 0; port < pf->ports; port++)
		is &= pf->vf[n].port[port].set.cap[DP_MIGRATABLE - DP_ROCE];
	return is;
}
EXPORT_SYMBOL_GPL(dualport_is_migratable);

/* dp_is_switchdev: whether the PF's eswitch is in that mode. */
bool dp_is_switchdev(const struct dp_pf *pf)
{
	return pf->devlink && READ_ONCE(pf->devlink->mode) == DEVLINK_ESWITCH_MODE_SWITCHDEV;
}

/* dp_devlink_pf: the PF whose instance it is */
struct dp_pf *dp_devlink_pf(struct devlink *dl)
{
	return ((struct dp_devlink *)devlink_priv(dl))->pf;
}

/* dp_devlink_vfs: VFs have come, or are about to go. */
int dp_devlink_vfs(struct dp_pf *pf, bool come)
{
	struct devlink *dl;
	int err = 0;

	if (!pf->devlink)
		return 0;
	dl = priv_to_devlink(pf->devlink);
	devl_lock(dl);
	if (dp_is_switchdev(pf)) {
		dp_ports_del(pf->devlink);
		if (come)
			err = dp_ports_add(pf->devlink);
	}
	devl_unlock(dl);
	return err;
}

int dp_devlink_add(struct dp_pf *pf)
{
	struct devlink *dl;

	if (!READ_ONCE(with_devlink))
		return 0;
	dl = devlink_alloc(&dp_devlink_ops, sizeof(struct dp_devlink), &pf->pdev->dev);
	if (!dl)
		return -ENOMEM;
	pf->devlink = devlink_priv(dl);
	pf->devlink->pf = pf;
	INIT_LIST_HEAD(&pf->sfs);
	devlink_register(dl);
	return 0;
}

/* After the VFs. */
void dp_devlink_remove(struct dp_pf *pf)
{
	struct devlink *dl;

	if (!pf->devlink)
		return;
	dl = priv_to_devlink(pf->devlink);
	devlink_unregister(dl);
	devl_lock(dl);
	dp_sfs_del(pf, dl);
	dp_ports_del(pf->devlink);
	devl_unlock(dl);
	devlink_free(dl);
	pf->devlink = NULL;
}
