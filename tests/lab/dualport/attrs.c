// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the attributes of a VF, a row and a small function each.
 *
 * Every function takes the present setting, changes it to what was asked, or
 * refuses. It touches nothing else: storing, and what follows from it, is
 * write.c's business.
 */
#include "dualport.h"

typedef int (*dp_apply_fn)(const struct dp_target *at, struct dp_setting *set,
			   const struct dp_request *req);

static int dp_apply_mac(const struct dp_target *at, struct dp_setting *set,
			const struct dp_request *req)
{
	if (is_multicast_ether_addr(req->mac))
		return -EINVAL;
	if (is_zero_ether_addr(req->mac) && dp_knob(at, KNOB_REFUSE_ZERO_MAC))
		return -EINVAL;
	if (is_zero_ether_addr(req->mac) && set->spoofchk && dp_knob(at, KNOB_SPOOFCHK_NEEDS_MAC))
		return -EPERM;
	ether_addr_copy(set->mac, req->mac);
	return 0;
}

static int dp_apply_vlan(const struct dp_target *at, struct dp_setting *set,
			 const struct dp_request *req)
{
	bool mlx4 = dp_knob(at, KNOB_VLAN_NONE_4095);
	bool none = (!req->vlan && !req->qos) || (mlx4 && req->vlan == VLAN_VID_MASK);
	u16 vlan = none ? 0 : req->vlan;
	u8 qos = none ? 0 : req->qos;
	__be16 proto = none ? htons(ETH_P_8021Q) : req->proto;

	if (req->proto == htons(ETH_P_8021AD) && (!req->vlan || req->vlan == VLAN_VID_MASK) &&
	    dp_knob(at, KNOB_8021AD_NEEDS_VLAN))
		return -EINVAL;
	if (proto != htons(ETH_P_8021Q) && proto != htons(ETH_P_8021AD))
		return -EPROTONOSUPPORT;
	if (proto == htons(ETH_P_8021AD) && dp_knob(at, KNOB_NO_8021AD))
		return -EPROTONOSUPPORT;
	if (vlan >= VLAN_VID_MASK || qos > 7)
		return -EINVAL;
	if (!none && dp_is_switchdev(at->pf))
		return -EOPNOTSUPP;
	if ((vlan != set->vlan || qos != set->qos || proto != set->proto) &&
	    (set->min_rate || set->max_rate) && dp_knob(at, KNOB_VLAN_NEEDS_NO_RATE))
		return -EPERM;
	set->vlan = vlan;
	set->qos = qos;
	set->proto = proto;
	return 0;
}

static int dp_apply_rate(const struct dp_target *at, struct dp_setting *set,
			 const struct dp_request *req)
{
	if (req->min_rate && dp_knob(at, KNOB_NO_MIN_RATE))
		return -EPROTONOSUPPORT;
	if (req->max_rate && req->min_rate > req->max_rate)
		return -EINVAL;
	set->min_rate = req->min_rate;
	set->max_rate = req->max_rate;
	return 0;
}

static int dp_apply_spoofchk(const struct dp_target *at, struct dp_setting *set,
			     const struct dp_request *req)
{
	if (dp_is_switchdev(at->pf))
		return -EOPNOTSUPP;
	if (req->on && is_zero_ether_addr(set->mac) && dp_knob(at, KNOB_SPOOFCHK_NEEDS_MAC))
		return -EPERM;
	set->spoofchk = req->on;
	return 0;
}

static int dp_apply_trust(const struct dp_target *at, struct dp_setting *set,
			  const struct dp_request *req)
{
	if (dp_knob(at, KNOB_NO_TRUST) || dp_is_switchdev(at->pf))
		return -EOPNOTSUPP;
	set->trust = req->on;
	return 0;
}

static int dp_apply_link(const struct dp_target *at, struct dp_setting *set,
			 const struct dp_request *req)
{
	if (req->link < IFLA_VF_LINK_STATE_AUTO || req->link > IFLA_VF_LINK_STATE_DISABLE)
		return -EINVAL;
	set->link = req->link;
	return 0;
}

/* Only InfiniBand ports get here: rtnetlink refuses GUIDs on any other. */
static int dp_apply_guid(const struct dp_target *at, struct dp_setting *set,
			 const struct dp_request *req)
{
	if (req->guid_type == IFLA_VF_IB_NODE_GUID)
		set->node_guid = req->guid;
	else
		set->port_guid = req->guid;
	return 0;
}

static int dp_apply_vport(const struct dp_target *at, struct dp_setting *set,
			  const struct dp_request *req)
{
	const struct dp_vport *vport = req->vport;

	if (!vport->requested)
		return -EOPNOTSUPP;
	if (vport->request != PORT_REQUEST_ASSOCIATE &&
	    vport->request != PORT_REQUEST_DISASSOCIATE)
		return -EOPNOTSUPP;
	if (vport->request == PORT_REQUEST_ASSOCIATE && !vport->profile[0])
		return -EINVAL;
	memcpy(&set->vport, vport, sizeof(set->vport));
	return 0;
}

/* Firmware takes these of a function that nobody drives. */
static int dp_apply_cap(const struct dp_target *at, struct dp_setting *set,
			const struct dp_request *req)
{
	if (at->pf->vf[at->vf].drv[0])
		return -EBUSY;
	if (req->attr == DP_MAX_IO_EQS)
		set->max_io_eqs = req->number;
	else
		set->cap[req->attr - DP_ROCE] = req->on;
	return 0;
}

static const struct dp_attr_row {
	const char *name;
	dp_apply_fn apply;
} dp_attrs[] = {
	[DP_ATTR_NONE]	= { "none" },
	[DP_MAC]	= { "mac",	dp_apply_mac },
	[DP_VLAN]	= { "vlan",	dp_apply_vlan },
	[DP_RATE]	= { "rate",	dp_apply_rate },
	[DP_SPOOFCHK]	= { "spoofchk",	dp_apply_spoofchk },
	[DP_TRUST]	= { "trust",	dp_apply_trust },
	[DP_LINK]	= { "link",	dp_apply_link },
	[DP_GUID]	= { "guid",	dp_apply_guid },
	[DP_VPORT]	= { "vport",	dp_apply_vport },
	[DP_ROCE]	= { "roce",	dp_apply_cap },
	[DP_MIGRATABLE]	= { "migratable", dp_apply_cap },
	[DP_IPSEC_CRYPTO] = { "ipsec_crypto", dp_apply_cap },
	[DP_IPSEC_PACKET] = { "ipsec_packet", dp_apply_cap },
	[DP_MAX_IO_EQS]	= { "max_io_eqs", dp_apply_cap },
	[DP_SF_NEW]	= { "sf_new" },
	[DP_SF_STATE]	= { "sf_state" },
	[DP_SF_DEL]	= { "sf_del" },
	[DP_ATTR_ALL]	= { "all" },
};

const char *dp_attr_name(enum dp_attr attr)
{
	return dp_attrs[attr].name;
}

/* dp_attr_by_name: an enum dp_attr, "" being none, or -EINVAL. */
int dp_attr_by_name(const char *name)
{
	int i;

	if (!*name)
		return DP_ATTR_NONE;
	for (i = 0; i < ARRAY_SIZE(dp_attrs); i++)
		if (!strcmp(dp_attrs[i].name, name))
			return i;
	return -EINVAL;
}

/* dp_attr_apply: @req checked and put into @set; a negative errno if refused. */
int dp_attr_apply(const struct dp_target *at, struct dp_setting *set,
		  const struct dp_request *req)
{
	return dp_attrs[req->attr].apply(at, set, req);
}
