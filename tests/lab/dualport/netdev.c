// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: what the netdevs of PF and VFs have in common.
 *
 * They carry no traffic. Their addresses follow from the PCI address, so that
 * a test finds the same ones after every rebind.
 */
#include <linux/ethtool.h>
#include <linux/if_infiniband.h>
#include <linux/module.h>

#include "dualport.h"

static bool phys_port_id;
module_param(phys_port_id, bool, 0644);
MODULE_PARM_DESC(phys_port_id, "netdevs have a phys_port_id (default: no)");

static bool dev_id;
module_param(dev_id, bool, 0644);
MODULE_PARM_DESC(dev_id, "ports are numbered in dev_id, dev_port stays 0, as older drivers do; read when a netdev is made");

bool dp_port_is_ib(const struct dp_pf *pf, int port)
{
	return pf->ib_ports & BIT(port);
}

/* 02:<0xd0 ^ domain>:<bus>:<devfn>:<dev_port + 1>:<VF, 0xff for the PF itself> */
static void dp_mac(const struct dp_netdev *nd, u8 *mac)
{
	struct pci_dev *pdev = nd->pf->pdev;

	mac[0] = 0x02;
	mac[1] = 0xd0 ^ (pci_domain_nr(pdev->bus) & 0xff);
	mac[2] = pdev->bus->number;
	mac[3] = pdev->devfn;
	mac[4] = nd->port + 1;
	mac[5] = nd->vf & 0xff;
}

/* IPoIB's: flags and queue pair, then the port's GID, fe80::<port GUID>. */
static void dp_ib_address(struct net_device *dev, const u8 *mac, u64 port_guid)
{
	u8 addr[INFINIBAND_ALEN] = { 0x00, 0x00, 0x00, 0x48, 0xfe, 0x80 };
	__be64 guid = cpu_to_be64(port_guid);

	if (port_guid) {
		memcpy(addr + 12, &guid, sizeof(guid));
	} else {	/* EUI-64 of a MAC */
		memcpy(addr + 12, mac, 3);
		addr[15] = 0xff;
		addr[16] = 0xfe;
		memcpy(addr + 17, mac + 3, 3);
	}
	__dev_addr_set(dev, addr, sizeof(addr));
}

/* dp_netdev_address: the address a netdev has when nobody set one. */
void dp_netdev_address(struct net_device *dev, u64 port_guid)
{
	u8 mac[ETH_ALEN];

	dp_mac(netdev_priv(dev), mac);
	if (dev->type == ARPHRD_INFINIBAND)
		dp_ib_address(dev, mac, port_guid);
	else
		eth_hw_addr_set(dev, mac);
	dev->addr_assign_type = NET_ADDR_PERM;
}

/* The port of the PF, whichever function's netdev is asked. */
int dp_phys_port_id(struct net_device *dev, struct netdev_phys_item_id *id)
{
	struct dp_netdev nd = *(struct dp_netdev *)netdev_priv(dev);

	if (!READ_ONCE(phys_port_id))
		return -EOPNOTSUPP;
	nd.vf = -1;
	id->id_len = 8;
	memset(id->id, 0, id->id_len);
	dp_mac(&nd, id->id + 2);
	return 0;
}

int dp_open(struct net_device *dev)
{
	netif_carrier_on(dev);
	netif_start_queue(dev);
	return 0;
}

int dp_stop(struct net_device *dev)
{
	netif_carrier_off(dev);
	netif_stop_queue(dev);
	return 0;
}

netdev_tx_t dp_xmit(struct sk_buff *skb, struct net_device *dev)
{
	dev_kfree_skb(skb);
	dev_core_stats_tx_dropped_inc(dev);
	return NETDEV_TX_OK;
}

static int dp_link_ksettings(struct net_device *dev, struct ethtool_link_ksettings *cmd)
{
	cmd->base.speed = SPEED_10000;
	cmd->base.duplex = DUPLEX_FULL;
	cmd->base.port = PORT_FIBRE;
	cmd->base.autoneg = AUTONEG_DISABLE;
	return 0;
}

static const struct ethtool_ops dp_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_link_ksettings = dp_link_ksettings,
};

/* What ipoib sets up, as far as anyone looks. */
static void dp_ib_setup(struct net_device *dev)
{
	dev->type = ARPHRD_INFINIBAND;
	dev->addr_len = INFINIBAND_ALEN;
	dev->mtu = 2044;
	dev->min_mtu = 68;
	dev->max_mtu = 4092;
	dev->flags = IFF_BROADCAST | IFF_MULTICAST;
	memset(dev->broadcast, 0xff, INFINIBAND_ALEN);
}

/*
 * dp_netdev_alloc: a netdev of function @pdev (VF @vf of @pf, or -1 for the PF
 * itself) on the PF's port @port, which it calls @number. Not registered.
 */
struct net_device *dp_netdev_alloc(struct pci_dev *pdev, struct dp_pf *pf,
				   int vf, int port, int number,
				   const struct net_device_ops *ops)
{
	bool ib = dp_port_is_ib(pf, port);
	struct net_device *dev;
	struct dp_netdev *nd;

	dev = alloc_netdev(sizeof(*nd), ib ? "ib%d" : "eth%d", NET_NAME_ENUM,
			   ib ? dp_ib_setup : ether_setup);
	if (!dev)
		return NULL;
	nd = netdev_priv(dev);
	nd->pf = pf;
	nd->port = port;
	nd->vf = vf;
	SET_NETDEV_DEV(dev, &pdev->dev);
	if (READ_ONCE(dev_id))
		dev->dev_id = number;
	else
		dev->dev_port = number;
	netif_carrier_off(dev);		/* going on later makes operstate "up" */
	dev->netdev_ops = ops;
	dev->ethtool_ops = &dp_ethtool_ops;
	return dev;
}
