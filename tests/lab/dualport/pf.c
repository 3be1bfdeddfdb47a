// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the physical function's PCI driver, SR-IOV, and the module.
 *
 * The PF driver takes an 82576 only where driver_override names it, so that
 * igb keeps the others. It never touches the hardware beyond SR-IOV itself.
 */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dualport.h"

#define DP_PF_DEVICE	0x10c9	/* Intel 82576 */

static unsigned int ports = 2;
module_param(ports, uint, 0644);
MODULE_PARM_DESC(ports, "netdevs a function, 1..4 (default 2); read when a PF is bound");

static unsigned int ib_ports;
module_param(ib_ports, uint, 0644);
MODULE_PARM_DESC(ib_ports, "bit mask of the ports that look like IP over InfiniBand, bit 0 being port 1; read when a PF is bound");

static unsigned int single_port[DP_MAX_PORTS];
module_param_array(single_port, uint, NULL, 0644);
module_param_array_named(num_vfs, single_port, uint, NULL, 0444);
MODULE_PARM_DESC(num_vfs, "single_port, by the name that mlx4 has for it");
MODULE_PARM_DESC(single_port, "a,b,..: the first a VFs have port 1 only, the next b port 2 only, ..; read when a PF is bound");

static bool silent;
module_param(silent, bool, 0644);
MODULE_PARM_DESC(silent, "VF settings can be written and not read; read when a PF is bound");

static char *pf_driver = "dualport_pf";
module_param(pf_driver, charp, 0444);
MODULE_PARM_DESC(pf_driver, "name of the PF's driver, for programs that go by it (default dualport_pf)");

static struct dentry *dp_debugfs;

/*
 * dp_pf_of: the dualport PF that a PCI device is a VF of, NULL for any other.
 * Good for as long as the VF exists: our PF creates its VFs after its own
 * structure, and destroys them before it.
 */
struct dp_pf *dp_pf_of(struct pci_dev *vf)
{
	struct dp_pf *pf = pci_iov_get_pf_drvdata(vf, &dp_pf_driver);

	return IS_ERR(pf) ? NULL : pf;
}

/* dp_vf_has_port: false for VFs that single_port ties to another port. */
bool dp_vf_has_port(const struct dp_pf *pf, int vf, int port)
{
	int only;

	for (only = 0; only < pf->ports; only++) {
		if (vf < pf->single[only])
			return port == only;
		vf -= pf->single[only];
	}
	return true;
}

static int dp_enable_vfs(struct dp_pf *pf, int n)
{
	struct dp_vf *vf = kvcalloc(n, sizeof(*vf), GFP_KERNEL);
	int i, port, err;

	if (!vf)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		for (port = 0; port < pf->ports; port++)
			dp_setting_init(&vf[i].port[port].set);

	/* The VFs' probes run inside pci_enable_sriov() and want the table. */
	rtnl_lock();
	pf->vf = vf;
	pf->num_vfs = n;
	rtnl_unlock();

	err = pci_enable_sriov(pf->pdev, n);
	if (!err)
		err = dp_devlink_vfs(pf, true);
	if (!err)
		return n;
	pci_disable_sriov(pf->pdev);

	rtnl_lock();
	pf->num_vfs = 0;
	pf->vf = NULL;
	rtnl_unlock();
	kvfree(vf);
	return err;
}

/* Blocks while a guest holds a VF, as with any driver. */
static void dp_disable_vfs(struct dp_pf *pf)
{
	struct dp_vf *vf = pf->vf;

	if (!vf)
		return;
	dp_devlink_vfs(pf, false);
	pci_disable_sriov(pf->pdev);
	rtnl_lock();
	pf->num_vfs = 0;
	pf->vf = NULL;
	rtnl_unlock();
	kvfree(vf);
}

static int dp_sriov_configure(struct pci_dev *pdev, int n)
{
	struct dp_pf *pf = pci_get_drvdata(pdev);

	if (pci_vfs_assigned(pdev))
		return -EPERM;
	if (n)
		return pf->vf ? -EBUSY : dp_enable_vfs(pf, n);
	dp_disable_vfs(pf);
	return 0;
}

static void dp_unregister_ports(struct dp_pf *pf)
{
	int i;

	for (i = 0; i < pf->ports; i++) {
		if (!pf->netdev[i])
			continue;
		unregister_netdev(pf->netdev[i]);
		free_netdev(pf->netdev[i]);
		pf->netdev[i] = NULL;
	}
}

static int dp_register_port(struct dp_pf *pf, int port)
{
	const struct net_device_ops *ib_ops = admin_guids ? &dp_pf_mlx4_ib_ops : &dp_pf_ib_ops;
	struct net_device *dev;
	int err;

	dev = dp_netdev_alloc(pf->pdev, pf, -1, port, port,
			      dp_port_is_ib(pf, port) ? ib_ops : silent ? &dp_pf_silent_ops : &dp_pf_ops);
	if (!dev)
		return -ENOMEM;
	dp_netdev_address(dev, 0);
	err = register_netdev(dev);
	if (err) {
		free_netdev(dev);
		return err;
	}
	pf->netdev[port] = dev;
	return 0;
}

static int dp_pf_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct dp_pf *pf;
	int i, err;

	/* VFs that another driver left behind would have no table. */
	if (!pdev->is_physfn || pci_num_vf(pdev))
		return -ENODEV;

	pf = kzalloc(sizeof(*pf), GFP_KERNEL);
	if (!pf)
		return -ENOMEM;
	pf->pdev = pdev;
	mutex_init(&pf->lock);
	kernel_param_lock(THIS_MODULE);
	pf->ports = clamp(ports, 1, DP_MAX_PORTS);
	pf->ib_ports = ib_ports;
	memcpy(pf->single, single_port, sizeof(pf->single));
	kernel_param_unlock(THIS_MODULE);

	err = dp_log_init(pf);
	if (err)
		goto free;
	err = pci_enable_device(pdev);
	if (err)
		goto log;
	pci_set_drvdata(pdev, pf);
	dp_knobs_init(pf, dp_debugfs);
	for (i = 0; i < pf->ports; i++) {
		err = dp_register_port(pf, i);
		if (err)
			goto ports;
	}
	err = dp_ib_add(pf);
	if (err)
		goto ports;
	err = dp_devlink_add(pf);
	if (!err)
		return 0;

ports:
	dp_ib_remove(pf);
	dp_unregister_ports(pf);
	dp_knobs_exit(pf);
	pci_disable_device(pdev);
log:
	dp_log_exit(pf);
free:
	kfree(pf);
	return err;
}

static void dp_pf_remove(struct pci_dev *pdev)
{
	struct dp_pf *pf = pci_get_drvdata(pdev);

	dp_disable_vfs(pf);
	dp_devlink_remove(pf);
	dp_ib_remove(pf);
	dp_unregister_ports(pf);
	dp_knobs_exit(pf);
	pci_disable_device(pdev);
	dp_log_exit(pf);
	mutex_destroy(&pf->lock);
	kfree(pf);
}

static const struct pci_device_id dp_pf_ids[] = {
	{ PCI_DEVICE(PCI_VENDOR_ID_INTEL, DP_PF_DEVICE), .override_only = 1 },
	{ }
};

struct pci_driver dp_pf_driver = {
	/* .name is pf_driver */
	.id_table = dp_pf_ids,
	.probe = dp_pf_probe,
	.remove = dp_pf_remove,
	.sriov_configure = dp_sriov_configure,
};

/*
 * igbvf matches the same VF ID and its probe succeeds on our VFs, so whichever
 * module came first would get them. While igbvf tries one of ours, its memory
 * regions are held here: igbvf then fails with EBUSY, and the driver core goes
 * on to the next driver that matches. No other driver sees anything of this.
 */
static void dp_keep_igbvf_out(struct dp_vf *vf, struct pci_dev *pdev, bool trying)
{
	if (trying && !strcmp(pdev->dev.driver->name, "igbvf")) {
		vf->claimed = !pci_request_regions(pdev, "dualport_pf");
	} else if (!trying && vf->claimed) {
		pci_release_regions(pdev);
		vf->claimed = false;
	}
}

/* Runs under the VF's device lock; keeps vf[].drv as sysfs shows it. */
static int dp_pci_notify(struct notifier_block *nb, unsigned long event, void *data)
{
	struct pci_dev *pdev = to_pci_dev(data);
	struct dp_pf *pf = dp_pf_of(pdev);
	bool trying = event == BUS_NOTIFY_BIND_DRIVER;
	struct dp_vf *vf;

	if (pf && event == BUS_NOTIFY_ADD_DEVICE)
		dp_vgpu_add(&pf->vf[pci_iov_vf_id(pdev)], pdev);
	if (pf && event == BUS_NOTIFY_DEL_DEVICE)
		dp_vgpu_remove(&pf->vf[pci_iov_vf_id(pdev)], pdev);
	if (!pf || (!trying && event != BUS_NOTIFY_DRIVER_NOT_BOUND &&
		    event != BUS_NOTIFY_UNBOUND_DRIVER))
		return NOTIFY_DONE;
	vf = &pf->vf[pci_iov_vf_id(pdev)];
	dp_keep_igbvf_out(vf, pdev, trying);
	mutex_lock(&pf->lock);
	strscpy(vf->drv, trying ? pdev->dev.driver->name : "", sizeof(vf->drv));
	mutex_unlock(&pf->lock);
	return NOTIFY_OK;
}

static struct notifier_block dp_pci_nb = { .notifier_call = dp_pci_notify };

static int __init dp_init(void)
{
	int err;

	dp_ops_init();
	dp_pf_driver.name = pf_driver;
	dp_debugfs = debugfs_create_dir("dualport", NULL);
	err = dp_ib_init();
	if (err)
		goto debugfs;
	err = bus_register_notifier(&pci_bus_type, &dp_pci_nb);
	if (err)
		goto ib;
	err = pci_register_driver(&dp_vf_driver);
	if (err)
		goto notifier;
	err = pci_register_driver(&dp_pf_driver);
	if (!err)
		return 0;

	pci_unregister_driver(&dp_vf_driver);
notifier:
	bus_unregister_notifier(&pci_bus_type, &dp_pci_nb);
ib:
	dp_ib_exit();
debugfs:
	debugfs_remove(dp_debugfs);
	return err;
}

static void __exit dp_exit(void)
{
	/* The PFs go first: their VFs go with them. */
	pci_unregister_driver(&dp_pf_driver);
	pci_unregister_driver(&dp_vf_driver);
	bus_unregister_notifier(&pci_bus_type, &dp_pci_nb);
	dp_ib_exit();
	debugfs_remove(dp_debugfs);
}

module_init(dp_init);
module_exit(dp_exit);
MODULE_DESCRIPTION("Make-believe multi-port SR-IOV NIC over Intel 82576 functions, for tests");
MODULE_LICENSE("GPL");
