// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the virtual functions' PCI driver.
 *
 * One netdev for each port the VF has, numbered from 0 on. As with real NICs
 * the VF learns its administratively set address when its driver probes, and
 * only then; it may not change an address that was set for it.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "dualport.h"

#define DP_VF_DEVICE	0x10ca	/* Intel 82576 virtual function */

static bool random_mac;
module_param(random_mac, bool, 0644);
MODULE_PARM_DESC(random_mac, "a VF without an admin MAC takes a random one at each probe (default: a fixed one)");

/* With RTNL held: the table is its. */
static struct dp_vfport *dp_vfport_of(struct net_device *dev)
{
	struct dp_netdev *nd = netdev_priv(dev);

	return &nd->pf->vf[nd->vf].port[nd->port];
}

/* dp_vf_link: the carrier of a VF's netdev that is up follows the link state. */
void dp_vf_link(struct dp_vfport *vfport)
{
	if (!vfport->netdev || !netif_running(vfport->netdev))
		return;
	if (vfport->set.link == IFLA_VF_LINK_STATE_DISABLE)
		netif_carrier_off(vfport->netdev);
	else
		netif_carrier_on(vfport->netdev);
}

static int dp_vf_open(struct net_device *dev)
{
	netif_start_queue(dev);
	dp_vf_link(dp_vfport_of(dev));
	return 0;
}

static int dp_vf_set_mac(struct net_device *dev, void *p)
{
	struct dp_vfport *vfport = dp_vfport_of(dev);
	int err;

	if (!is_zero_ether_addr(vfport->set.mac))
		return -EPERM;
	err = eth_mac_addr(dev, p);
	if (!err)
		ether_addr_copy(vfport->own_mac, dev->dev_addr);
	return err;
}

static const struct net_device_ops dp_vf_ops = {
	.ndo_open = dp_vf_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
	.ndo_set_mac_address = dp_vf_set_mac,
	.ndo_validate_addr = eth_validate_addr,
	.ndo_get_phys_port_id = dp_phys_port_id,
};

static const struct net_device_ops dp_vf_ib_ops = {
	.ndo_open = dp_vf_open,
	.ndo_stop = dp_stop,
	.ndo_start_xmit = dp_xmit,
	.ndo_get_phys_port_id = dp_phys_port_id,
};

static void dp_vf_address(struct net_device *dev, struct dp_vfport *vfport)
{
	if (dev->type == ARPHRD_INFINIBAND) {
		dp_netdev_address(dev, vfport->set.port_guid);
		return;
	}
	if (!is_zero_ether_addr(vfport->set.mac))
		eth_hw_addr_set(dev, vfport->set.mac);
	else if (READ_ONCE(random_mac))
		eth_hw_addr_random(dev);
	else
		dp_netdev_address(dev, 0);
	ether_addr_copy(vfport->own_mac, dev->dev_addr);
}

static int dp_vf_add_port(struct pci_dev *pdev, struct dp_pf *pf, int vf, int port, int number)
{
	struct dp_vfport *vfport = &pf->vf[vf].port[port];
	bool ib = dp_port_is_ib(pf, port);
	struct net_device *dev;
	int err;

	dev = dp_netdev_alloc(pdev, pf, vf, port, number, ib ? &dp_vf_ib_ops : &dp_vf_ops);
	if (!dev)
		return -ENOMEM;
	if (!ib)
		dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;

	rtnl_lock();
	dp_vf_address(dev, vfport);
	err = register_netdevice(dev);
	if (!err)
		vfport->netdev = dev;
	rtnl_unlock();
	if (err)
		free_netdev(dev);
	return err;
}

static void dp_vf_remove_ports(struct dp_pf *pf, struct dp_vf *vf)
{
	struct net_device *dev;
	int port;

	for (port = 0; port < pf->ports; port++) {
		rtnl_lock();
		dev = vf->port[port].netdev;
		vf->port[port].netdev = NULL;
		eth_zero_addr(vf->port[port].own_mac);
		if (dev)
			unregister_netdevice(dev);
		rtnl_unlock();
		if (dev)
			free_netdev(dev);
	}
}

static int dp_vf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct dp_pf *pf = dp_pf_of(pdev);
	int vf, port, number = 0, err;

	if (!pf)
		return -ENODEV;		/* igb's: left to igbvf */
	err = pci_enable_device(pdev);
	if (err)
		return err;
	vf = pci_iov_vf_id(pdev);
	for (port = 0; port < pf->ports; port++) {
		if (!dp_vf_has_port(pf, vf, port))
			continue;
		err = dp_vf_add_port(pdev, pf, vf, port, number++);
		if (err)
			goto undo;
	}
	return 0;

undo:
	dp_vf_remove_ports(pf, &pf->vf[vf]);
	pci_disable_device(pdev);
	return err;
}

static void dp_vf_remove(struct pci_dev *pdev)
{
	struct dp_pf *pf = dp_pf_of(pdev);

	dp_vf_remove_ports(pf, &pf->vf[pci_iov_vf_id(pdev)]);
	pci_disable_device(pdev);
}

/*
 * No MODULE_DEVICE_TABLE: without a PF bound by hand there is nothing here for
 * udev to load the module for.
 */
static const struct pci_device_id dp_vf_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, DP_VF_DEVICE) },
	{ }
};

struct pci_driver dp_vf_driver = {
	.name = "dualport_vf",
	.id_table = dp_vf_ids,
	.probe = dp_vf_probe,
	.remove = dp_vf_remove,
};
