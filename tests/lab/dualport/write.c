// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the PF netdevs' VF operations.
 *
 * Each ndo_set_vf_* only says what is asked for; dp_write() takes it through
 * the habits that are switched on, the attribute's own checks, the table and
 * the log. RTNL is held throughout.
 */
#include <linux/delay.h>
#include <linux/module.h>
#include <net/netlink.h>

#include "dualport.h"

static bool report_vf_mac;
module_param(report_vf_mac, bool, 0644);
MODULE_PARM_DESC(report_vf_mac, "the PF shows the VF driver's own MAC while none is set, as igb does (default: zeros)");

void dp_setting_init(struct dp_setting *set)
{
	set->proto = htons(ETH_P_8021Q);
	set->link = IFLA_VF_LINK_STATE_AUTO;
	set->cap[0] = true;		/* RoCE, as everywhere */
	set->max_io_eqs = 8;
}

static struct dp_target dp_target(struct net_device *dev, int vf)
{
	struct dp_netdev *nd = netdev_priv(dev);

	return (struct dp_target){ .pf = nd->pf, .port = nd->port, .vf = vf };
}

/* The table entry of a VF on a port, NULL for a VF that is not there. */
static struct dp_vfport *dp_vfport(const struct dp_target *at, int port)
{
	if (at->vf < 0 || at->vf >= at->pf->num_vfs)
		return NULL;
	return &at->pf->vf[at->vf].port[port];
}

/* As mlx4: what is written through a port the VF lacks goes to the one it has. */
static int dp_write_port(const struct dp_target *at)
{
	int port = at->port;

	if (dp_vf_has_port(at->pf, at->vf, port))
		return port;
	for (port = 0; !dp_vf_has_port(at->pf, at->vf, port); port++)
		;
	return port;
}

static bool dp_knob_names(const struct dp_target *at, enum dp_knob_id id, enum dp_attr attr)
{
	int value = dp_knob(at, id);

	return value == attr || value == DP_ATTR_ALL;
}

/* dp_habit: failures that come whatever is written; every write counts for each. */
int dp_habit(const struct dp_target *at, const struct dp_request *req)
{
	bool nth = dp_knob_countdown(at, KNOB_FAIL_NTH) == 1;
	bool busy = dp_knob_countdown(at, KNOB_BUSY) > 0;

	if (busy)
		return -dp_knob(at, KNOB_BUSY_ERRNO);
	if (nth || dp_knob_names(at, KNOB_FAIL_ATTR, req->attr))
		return -dp_knob(at, KNOB_FAIL_ERRNO);
	return 0;
}

static void dp_stored(struct dp_vfport *vfport, enum dp_attr attr)
{
	switch (attr) {
	case DP_MAC:
		eth_zero_addr(vfport->own_mac);	/* hardware has one MAC a VF */
		break;
	case DP_LINK:
		dp_vf_link(vfport);
		break;
	case DP_VPORT:
		vfport->vport_since = ktime_get();
		break;
	default:
		break;
	}
}

static bool dp_resetting(const struct dp_target *at)
{
	return dp_knob(at, KNOB_RESET_MS) && ktime_before(ktime_get(), at->pf->vf[at->vf].ready);
}

/* As ice: a VF resets for these, and takes no change of anything meanwhile. */
static void dp_reset(const struct dp_target *at, enum dp_attr attr)
{
	if (attr == DP_MAC || attr == DP_VLAN || attr == DP_TRUST)
		at->pf->vf[at->vf].ready = ktime_add_ms(ktime_get(), dp_knob(at, KNOB_RESET_MS));
}

static int dp_store(const struct dp_target *at, const struct dp_request *req, const char **note)
{
	struct dp_vfport *vfport;
	struct dp_setting next;
	int port, err;
	bool changes;

	if (!dp_vfport(at, 0))
		return -EINVAL;
	port = dp_write_port(at);
	vfport = dp_vfport(at, port);
	memcpy(&next, &vfport->set, sizeof(next));
	err = dp_attr_apply(at, &next, req);
	if (err)
		return err;
	changes = memcmp(&next, &vfport->set, sizeof(next));
	if (!changes && dp_knob(at, KNOB_NOOP_EPERM))
		return -EPERM;
	if (changes && dp_resetting(at))
		return -EBUSY;
	if (dp_knob_names(at, KNOB_IGNORE, req->attr)) {
		*note = " ignored";
		return 0;
	}
	if (port != at->port)
		*note = " redirected";
	memcpy(&vfport->set, &next, sizeof(next));
	dp_stored(vfport, req->attr);
	if (changes)
		dp_reset(at, req->attr);
	return 0;
}

/* dp_write: all of the way, and the log. With RTNL held. */
int dp_write(const struct dp_target *at, struct dp_request *req)
{
	int delay = dp_knob(at, KNOB_DELAY_MS);
	const char *note = "";
	int err;

	if (delay)
		msleep(delay);
	err = dp_habit(at, req);
	if (!err)
		err = dp_store(at, req, &note);
	dp_log_add(at, req, err, note);
	return err;
}

static int dp_write_of(struct net_device *dev, int vf, struct dp_request *req)
{
	struct dp_target at = dp_target(dev, vf);

	return dp_write(&at, req);
}

static int dp_set_vf_mac(struct net_device *dev, int vf, u8 *mac)
{
	struct dp_request req = { .attr = DP_MAC, .mac = mac };

	snprintf(req.text, sizeof(req.text), "addr=%pM", mac);
	return dp_write_of(dev, vf, &req);
}

static int dp_set_vf_vlan(struct net_device *dev, int vf, u16 vlan, u8 qos, __be16 proto)
{
	struct dp_request req = { .attr = DP_VLAN, .vlan = vlan, .qos = qos, .proto = proto };

	snprintf(req.text, sizeof(req.text), "id=%u qos=%u proto=%04x", vlan, qos, ntohs(proto));
	return dp_write_of(dev, vf, &req);
}

static int dp_set_vf_rate(struct net_device *dev, int vf, int min_rate, int max_rate)
{
	struct dp_request req = { .attr = DP_RATE, .min_rate = min_rate, .max_rate = max_rate };

	snprintf(req.text, sizeof(req.text), "min=%u max=%u", req.min_rate, req.max_rate);
	return dp_write_of(dev, vf, &req);
}

static int dp_set_vf_bool(struct net_device *dev, int vf, enum dp_attr attr, bool on)
{
	struct dp_request req = { .attr = attr, .on = on };

	snprintf(req.text, sizeof(req.text), "on=%d", on);
	return dp_write_of(dev, vf, &req);
}

static int dp_set_vf_spoofchk(struct net_device *dev, int vf, bool on)
{
	return dp_set_vf_bool(dev, vf, DP_SPOOFCHK, on);
}

static int dp_set_vf_trust(struct net_device *dev, int vf, bool on)
{
	return dp_set_vf_bool(dev, vf, DP_TRUST, on);
}

static int dp_set_vf_link_state(struct net_device *dev, int vf, int state)
{
	struct dp_request req = { .attr = DP_LINK, .link = state };

	snprintf(req.text, sizeof(req.text), "state=%d", state);
	return dp_write_of(dev, vf, &req);
}

int dp_set_vf_guid(struct net_device *dev, int vf, u64 guid, int type)
{
	struct dp_request req = { .attr = DP_GUID, .guid_type = type, .guid = guid };

	snprintf(req.text, sizeof(req.text), "%s=%016llx",
		 type == IFLA_VF_IB_NODE_GUID ? "node" : "port", guid);
	return dp_write_of(dev, vf, &req);
}

static int dp_set_vf_port(struct net_device *dev, int vf, struct nlattr *tb[])
{
	struct dp_vport vport = { };
	struct dp_request req = { .attr = DP_VPORT, .vport = &vport };

	if (tb[IFLA_PORT_REQUEST]) {
		vport.requested = true;
		vport.request = nla_get_u8(tb[IFLA_PORT_REQUEST]);
	}
	if (tb[IFLA_PORT_PROFILE])
		nla_strscpy(vport.profile, tb[IFLA_PORT_PROFILE], sizeof(vport.profile));
	if (tb[IFLA_PORT_INSTANCE_UUID]) {
		vport.has_instance = true;
		nla_memcpy(vport.instance, tb[IFLA_PORT_INSTANCE_UUID], PORT_UUID_MAX);
	}
	if (tb[IFLA_PORT_HOST_UUID]) {
		vport.has_host = true;
		nla_memcpy(vport.host, tb[IFLA_PORT_HOST_UUID], PORT_UUID_MAX);
	}
	snprintf(req.text, sizeof(req.text), "request=%u profile=%s instance=%pUb host=%pUb",
		 vport.request, vport.profile, vport.instance, vport.host);
	return dp_write_of(dev, vf, &req);
}

static int dp_parent_id(struct net_device *dev, struct netdev_phys_item_id *id)
{
	struct dp_netdev *nd = netdev_priv(dev);

	if (!dp_is_switchdev(nd->pf))
		return -EOPNOTSUPP;
	id->id_len = sizeof(DP_SWITCH_ID) - 1;
	memcpy(id->id, DP_SWITCH_ID, id->id_len);
	return 0;
}

static int dp_phys_port_name(struct net_device *dev, char *name, size_t len)
{
	struct dp_netdev *nd = netdev_priv(dev);

	if (!nd->pf->devlink)
		return -EOPNOTSUPP;
	return snprintf(name, len, "p%d", nd->port) < len ? 0 : -EINVAL;
}

static int dp_get_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *ivi)
{
	struct dp_target at = dp_target(dev, vf);
	const struct dp_vfport *vfport = dp_vfport(&at, at.port);
	const struct dp_setting *set;
	bool untagged;

	if (!vfport || dp_knob(&at, KNOB_HIDE_VF) == vf)
		return -EINVAL;
	set = &vfport->set;
	untagged = !set->vlan && !set->qos;
	ivi->vf = vf;
	ether_addr_copy(ivi->mac, set->mac);
	if (is_zero_ether_addr(set->mac) && READ_ONCE(report_vf_mac))
		ether_addr_copy(ivi->mac, vfport->own_mac);
	ivi->vlan = set->vlan;
	if (untagged && dp_knob(&at, KNOB_VLAN_NONE_4095))
		ivi->vlan = VLAN_VID_MASK;
	ivi->qos = set->qos;
	ivi->vlan_proto = set->proto;
	if (!untagged || !dp_knob(&at, KNOB_RATE_NEEDS_VLAN)) {
		ivi->min_tx_rate = set->min_rate;
		ivi->max_tx_rate = set->max_rate;
	}
	ivi->spoofchk = set->spoofchk;
	ivi->linkstate = set->link;
	if (!dp_knob(&at, KNOB_NO_TRUST))	/* rtnetlink preset it to -1 */
		ivi->trusted = set->trust;
	return 0;
}

/* IPoIB drivers know link state and GUIDs; the address shown is the PF's own. */
static int dp_get_ib_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *ivi)
{
	struct dp_target at = dp_target(dev, vf);
	const struct dp_vfport *vfport = dp_vfport(&at, at.port);

	if (!vfport || dp_knob(&at, KNOB_HIDE_VF) == vf)
		return -EINVAL;
	ivi->vf = vf;
	memcpy(ivi->mac, dev->dev_addr, dev->addr_len);
	ivi->linkstate = vfport->set.link;
	return 0;
}

/* mlx4 has no ib_device_ops.get_vf_config, so ipoib has none to hand out. */
static int dp_get_no_vf_config(struct net_device *dev, int vf, struct ifla_vf_info *ivi)
{
	return -EOPNOTSUPP;
}

static int dp_get_vf_guid(struct net_device *dev, int vf,
			  struct ifla_vf_guid *node, struct ifla_vf_guid *port)
{
	struct dp_target at = dp_target(dev, vf);
	const struct dp_vfport *vfport = dp_vfport(&at, at.port);

	if (!vfport)
		return -EINVAL;
	node->vf = vf;
	node->guid = vfport->set.node_guid;
	port->vf = vf;
	port->guid = vfport->set.port_guid;
	return 0;
}

static u16 dp_vport_response(const struct dp_target *at, const struct dp_vfport *vfport)
{
	if (ktime_ms_delta(ktime_get(), vfport->vport_since) < dp_knob(at, KNOB_VPORT_MS))
		return PORT_PROFILE_RESPONSE_INPROGRESS;
	return dp_knob(at, KNOB_VPORT_RESPONSE);
}

/* The request goes out as u16 although it comes in as u8: so does enic's. */
static int dp_get_vf_port(struct net_device *dev, int vf, struct sk_buff *skb)
{
	struct dp_target at = dp_target(dev, vf);
	const struct dp_vfport *vfport = dp_vfport(&at, at.port);
	const struct dp_vport *vport;

	if (!vfport || !vfport->set.vport.requested)
		return -ENODATA;
	vport = &vfport->set.vport;
	if (nla_put_u16(skb, IFLA_PORT_REQUEST, vport->request) ||
	    nla_put_u16(skb, IFLA_PORT_RESPONSE, dp_vport_response(&at, vfport)) ||
	    (vport->profile[0] &&
	     nla_put_string(skb, IFLA_PORT_PROFILE, vport->profile)) ||
	    (vport->has_instance &&
	     nla_put(skb, IFLA_PORT_INSTANCE_UUID, PORT_UUID_MAX, vport->instance)) ||
	    (vport->has_host &&
	     nla_put(skb, IFLA_PORT_HOST_UUID, PORT_UUID_MAX, vport->host)))
		return -EMSGSIZE;
	return 0;
}

const struct net_device_ops dp_pf_ops = {
	.ndo_open = dp_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_phys_port_id = dp_phys_port_id,
	.ndo_get_phys_port_name = dp_phys_port_name,
	.ndo_get_port_parent_id = dp_parent_id,
	.ndo_set_vf_mac = dp_set_vf_mac,
	.ndo_set_vf_vlan = dp_set_vf_vlan,
	.ndo_set_vf_rate = dp_set_vf_rate,
	.ndo_set_vf_spoofchk = dp_set_vf_spoofchk,
	.ndo_set_vf_trust = dp_set_vf_trust,
	.ndo_set_vf_link_state = dp_set_vf_link_state,
	.ndo_set_vf_port = dp_set_vf_port,
	.ndo_get_vf_port = dp_get_vf_port,
	.ndo_get_vf_config = dp_get_vf_config,
};

/* As enic: written, and never read. */
struct net_device_ops dp_pf_silent_ops;

void dp_ops_init(void)
{
	dp_pf_silent_ops = dp_pf_ops;
	dp_pf_silent_ops.ndo_get_vf_config = NULL;
}

const struct net_device_ops dp_pf_ib_ops = {
	.ndo_open = dp_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
	.ndo_get_phys_port_id = dp_phys_port_id,
	.ndo_set_vf_link_state = dp_set_vf_link_state,
	.ndo_set_vf_guid = dp_set_vf_guid,
	.ndo_get_vf_guid = dp_get_vf_guid,
	.ndo_get_vf_config = dp_get_ib_vf_config,
};

const struct net_device_ops dp_pf_mlx4_ib_ops = {
	.ndo_open = dp_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
	.ndo_get_phys_port_id = dp_phys_port_id,
	.ndo_get_vf_config = dp_get_no_vf_config,
};
