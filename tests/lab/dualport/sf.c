// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: sub-functions, which there are in switchdev mode.
 *
 * A sub-function begins as a devlink port whose function has an address and is
 * not active. Made active, it gets a device on the auxiliary bus a while later
 * (knob delay_ms), as with mlx5, where firmware tells the driver; its function
 * is then attached. Made inactive, it loses that device the same way, and can
 * be deleted once it is detached. What drives such a device is another module.
 *
 * Locking: all of it belongs to the instance's lock.
 */
#include <linux/auxiliary_bus.h>
#include <linux/idr.h>
#include <linux/slab.h>
#include <linux/workqueue.h>
#include <net/devlink.h>

#include "dualport.h"

struct dp_sf_device {
	struct auxiliary_device adev;
	u32 sfnum;
};

struct dp_sf {
	struct list_head node;
	struct dp_pf *pf;
	struct devlink_port port;
	struct net_device *rep;
	struct delayed_work work;
	struct dp_sf_device *dev;	/* while it is attached */
	u32 sfnum;
	u8 mac[ETH_ALEN];
	bool active;
};

static DEFINE_IDA(dp_sf_ids);

static struct dp_sf *dp_sf_of(struct devlink_port *port)
{
	return container_of(port, struct dp_sf, port);
}

static struct dp_target dp_sf_target(const struct dp_sf *sf)
{
	return (struct dp_target){ .pf = sf->pf, .port = sf->port.attrs.pci_sf.pf, .vf = -1 };
}

/* A write attempt: through the habits, and into the log. */
static int dp_sf_write(const struct dp_target *at, u32 sfnum, enum dp_attr attr, const char *what,
		       struct netlink_ext_ack *extack)
{
	struct dp_request req = { .attr = attr };
	int err;

	snprintf(req.text, sizeof(req.text), "sf=%u%s", sfnum, what);
	err = dp_habit(at, &req);
	dp_log_add(at, &req, err, "");
	if (err)
		NL_SET_ERR_MSG_MOD(extack, "refused by a knob");
	return err;
}

/* ---- its device ---- */

static ssize_t sfnum_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", container_of(dev, struct dp_sf_device, adev.dev)->sfnum);
}
static DEVICE_ATTR_RO(sfnum);

static struct attribute *dp_sf_attrs[] = {
	&dev_attr_sfnum.attr,
	NULL,
};
ATTRIBUTE_GROUPS(dp_sf);

static void dp_sf_device_release(struct device *dev)
{
	struct dp_sf_device *device = container_of(dev, struct dp_sf_device, adev.dev);

	ida_free(&dp_sf_ids, device->adev.id);
	kfree(device);
}

static struct dp_sf_device *dp_sf_device_add(struct dp_sf *sf)
{
	struct dp_sf_device *device = kzalloc(sizeof(*device), GFP_KERNEL);
	int id;

	if (!device)
		return NULL;
	id = ida_alloc(&dp_sf_ids, GFP_KERNEL);
	if (id < 0) {
		kfree(device);
		return NULL;
	}
	device->sfnum = sf->sfnum;
	device->adev.id = id;
	device->adev.name = "sf";
	device->adev.dev.parent = &sf->pf->pdev->dev;
	device->adev.dev.groups = dp_sf_groups;
	device->adev.dev.release = dp_sf_device_release;
	if (auxiliary_device_init(&device->adev)) {
		ida_free(&dp_sf_ids, id);
		kfree(device);
		return NULL;
	}
	if (auxiliary_device_add(&device->adev)) {
		auxiliary_device_uninit(&device->adev);
		return NULL;
	}
	return device;
}

static void dp_sf_device_del(struct dp_sf_device *device)
{
	auxiliary_device_delete(&device->adev);
	auxiliary_device_uninit(&device->adev);
}

/*
 * The device comes or goes as the state has it. Whoever drives it has an
 * instance of its own, so its lock is taken inside of ours here.
 */
static void dp_sf_follow(struct work_struct *work)
{
	struct dp_sf *sf = container_of(to_delayed_work(work), struct dp_sf, work);
	struct devlink *dl = sf->port.devlink;

	devl_lock(dl);
	if (sf->active && !sf->dev) {
		sf->dev = dp_sf_device_add(sf);
	} else if (!sf->active && sf->dev) {
		dp_sf_device_del(sf->dev);
		sf->dev = NULL;
	}
	devl_unlock(dl);
}

/* ---- its port ---- */

static int dp_sf_hw_addr_get(struct devlink_port *port, u8 *addr, int *len, struct netlink_ext_ack *extack)
{
	ether_addr_copy(addr, dp_sf_of(port)->mac);
	*len = ETH_ALEN;
	return 0;
}

static int dp_sf_hw_addr_set(struct devlink_port *port, const u8 *addr, int len, struct netlink_ext_ack *extack)
{
	struct dp_sf *sf = dp_sf_of(port);
	struct dp_target at = dp_sf_target(sf);
	char what[40];
	int err;

	snprintf(what, sizeof(what), " addr=%pM", addr);
	err = dp_sf_write(&at, sf->sfnum, DP_MAC, what, extack);
	if (!err)
		ether_addr_copy(sf->mac, addr);
	return err;
}

static int dp_sf_state_get(struct devlink_port *port, enum devlink_port_fn_state *state,
			   enum devlink_port_fn_opstate *opstate, struct netlink_ext_ack *extack)
{
	struct dp_sf *sf = dp_sf_of(port);

	*state = sf->active ? DEVLINK_PORT_FN_STATE_ACTIVE : DEVLINK_PORT_FN_STATE_INACTIVE;
	*opstate = sf->dev ? DEVLINK_PORT_FN_OPSTATE_ATTACHED : DEVLINK_PORT_FN_OPSTATE_DETACHED;
	return 0;
}

static int dp_sf_state_set(struct devlink_port *port, enum devlink_port_fn_state state,
			   struct netlink_ext_ack *extack)
{
	struct dp_sf *sf = dp_sf_of(port);
	struct dp_target at = dp_sf_target(sf);
	bool active = state == DEVLINK_PORT_FN_STATE_ACTIVE;
	int err = dp_sf_write(&at, sf->sfnum, DP_SF_STATE, active ? " active=1" : " active=0", extack);

	if (err)
		return err;
	if (active && !sf->active && sf->dev) {
		NL_SET_ERR_MSG_MOD(extack, "the sub-function is not detached yet");
		return -EBUSY;
	}
	sf->active = active;
	if (dp_knob(&at, KNOB_IGNORE) != DP_SF_STATE)
		schedule_delayed_work(&sf->work, msecs_to_jiffies(dp_knob(&at, KNOB_DELAY_MS)));
	return 0;
}

static void dp_sf_free(struct dp_sf *sf)
{
	if (sf->dev)
		dp_sf_device_del(sf->dev);
	dp_rep_del(sf->rep);
	if (sf->port.registered)
		devl_port_unregister(&sf->port);
	list_del(&sf->node);
	kfree(sf);
}

static int dp_sf_del(struct devlink *dl, struct devlink_port *port, struct netlink_ext_ack *extack)
{
	struct dp_sf *sf = dp_sf_of(port);
	struct dp_target at = dp_sf_target(sf);
	int err = dp_sf_write(&at, sf->sfnum, DP_SF_DEL, "", extack);

	if (err)
		return err;
	if (sf->active || sf->dev || delayed_work_pending(&sf->work)) {
		NL_SET_ERR_MSG_MOD(extack, "the sub-function is not detached yet");
		return -EBUSY;
	}
	dp_sf_free(sf);
	return 0;
}

static const struct devlink_port_ops dp_sf_port_ops = {
	.port_del = dp_sf_del,
	.port_fn_hw_addr_get = dp_sf_hw_addr_get,
	.port_fn_hw_addr_set = dp_sf_hw_addr_set,
	.port_fn_state_get = dp_sf_state_get,
	.port_fn_state_set = dp_sf_state_set,
};

/* Ports of VFs have lower numbers. */
#define DP_SF_INDEX	0x10000

static int dp_sf_register(struct dp_sf *sf, struct devlink *dl, u16 pfnum, unsigned int index)
{
	int err;

	sf->port.attrs.switch_id.id_len = sizeof(DP_SWITCH_ID) - 1;
	memcpy(sf->port.attrs.switch_id.id, DP_SWITCH_ID, sizeof(DP_SWITCH_ID) - 1);
	devlink_port_attrs_pci_sf_set(&sf->port, 0, pfnum, sf->sfnum, false);
	err = devl_port_register_with_ops(dl, &sf->port, index, &dp_sf_port_ops);
	if (!err)
		err = dp_rep_add(sf->pf, &sf->port, &sf->rep);
	return err;
}

/* dp_sf_new: devlink_ops.port_new */
int dp_sf_new(struct devlink *dl, const struct devlink_port_new_attrs *attrs, struct netlink_ext_ack *extack,
	      struct devlink_port **port)
{
	struct dp_pf *pf = dp_devlink_pf(dl);
	struct dp_target at = { .pf = pf, .port = attrs->pfnum, .vf = -1 };
	unsigned int index = DP_SF_INDEX;
	struct dp_sf *sf;
	int err;

	if (attrs->flavour != DEVLINK_PORT_FLAVOUR_PCI_SF || !attrs->sfnum_valid || attrs->pfnum >= pf->ports) {
		NL_SET_ERR_MSG_MOD(extack, "only sub-functions with a number, of a port that there is");
		return -EOPNOTSUPP;
	}
	if (!dp_is_switchdev(pf)) {
		NL_SET_ERR_MSG_MOD(extack, "sub-functions need switchdev mode");
		return -EOPNOTSUPP;
	}
	err = dp_sf_write(&at, attrs->sfnum, DP_SF_NEW, "", extack);
	if (err)
		return err;
	list_for_each_entry(sf, &pf->sfs, node) {
		if (sf->sfnum == attrs->sfnum && sf->port.attrs.pci_sf.pf == attrs->pfnum) {
			NL_SET_ERR_MSG_MOD(extack, "there is a sub-function of that number");
			return -EEXIST;
		}
		index = max(index, sf->port.index + 1);
	}
	sf = kzalloc(sizeof(*sf), GFP_KERNEL);
	if (!sf)
		return -ENOMEM;
	sf->pf = pf;
	sf->sfnum = attrs->sfnum;
	INIT_DELAYED_WORK(&sf->work, dp_sf_follow);
	list_add(&sf->node, &pf->sfs);
	err = dp_sf_register(sf, dl, attrs->pfnum, index);
	if (err)
		dp_sf_free(sf);
	else
		*port = &sf->port;
	return err;
}

/* dp_sfs_del: all sub-functions; the instance's lock, which is held, is let go of where one is just changing. */
void dp_sfs_del(struct dp_pf *pf, struct devlink *dl)
{
	struct dp_sf *sf;

	while ((sf = list_first_entry_or_null(&pf->sfs, struct dp_sf, node))) {
		if (delayed_work_pending(&sf->work) || work_busy(&sf->work.work)) {
			devl_unlock(dl);
			cancel_delayed_work_sync(&sf->work);
			devl_lock(dl);
		} else {
			dp_sf_free(sf);
		}
	}
}
