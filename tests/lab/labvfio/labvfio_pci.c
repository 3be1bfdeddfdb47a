// SPDX-License-Identifier: GPL-2.0-only
/*
 * labvfio_pci: a VFIO variant driver for the VFs of dualport, that says it can
 * migrate those whose port functions are migratable when it probes.
 *
 * The states are kept and nothing is ever transferred: this is for choosing a
 * driver, and for what QEMU says of it, not for a migration. A VF of dualport
 * writes to no memory, so none is ever dirty.
 *
 * The module has no alias, for else libvirt would choose it everywhere. A test
 * that wants it chosen adds to modules.alias:
 *     alias vfio_pci:v00008086d000010CAsv*sd*bc*sc*i* labvfio_pci
 */
#include <linux/module.h>
#include <linux/vfio_pci_core.h>

/* dualport's; not there when that is not loaded */
bool dualport_is_migratable(struct pci_dev *vf);

struct lab_device {
	struct vfio_pci_core_device core;
	enum vfio_device_mig_state state;
};

static struct lab_device *lab_device_of(struct vfio_device *vdev)
{
	return container_of(vdev, struct lab_device, core.vdev);
}

static struct file *lab_set_state(struct vfio_device *vdev, enum vfio_device_mig_state state)
{
	lab_device_of(vdev)->state = state;
	return NULL;
}

static int lab_get_state(struct vfio_device *vdev, enum vfio_device_mig_state *state)
{
	*state = lab_device_of(vdev)->state;
	return 0;
}

static int lab_get_data_size(struct vfio_device *vdev, unsigned long *length)
{
	*length = 0;
	return 0;
}

static const struct vfio_migration_ops lab_migration_ops = {
	.migration_set_state = lab_set_state,
	.migration_get_state = lab_get_state,
	.migration_get_data_size = lab_get_data_size,
};

static int lab_log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 nodes, u64 *page_size)
{
	return 0;
}

static int lab_log_stop(struct vfio_device *vdev)
{
	return 0;
}

static int lab_log_read(struct vfio_device *vdev, unsigned long iova, unsigned long length, struct iova_bitmap *dirty)
{
	return 0;
}

static const struct vfio_log_ops lab_log_ops = {
	.log_start = lab_log_start,
	.log_stop = lab_log_stop,
	.log_read_and_clear = lab_log_read,
};

static bool lab_is_migratable(struct pci_dev *pdev)
{
	bool (*ask)(struct pci_dev *vf) = symbol_get(dualport_is_migratable);
	bool is = ask && ask(pdev);

	if (ask)
		symbol_put(dualport_is_migratable);
	return is;
}

static int lab_init(struct vfio_device *vdev)
{
	struct lab_device *lab = lab_device_of(vdev);

	lab->state = VFIO_DEVICE_STATE_RUNNING;
	if (lab_is_migratable(to_pci_dev(vdev->dev))) {
		vdev->migration_flags = VFIO_MIGRATION_STOP_COPY;
		vdev->mig_ops = &lab_migration_ops;
		vdev->log_ops = &lab_log_ops;
	}
	return vfio_pci_core_init_dev(vdev);
}

static int lab_open(struct vfio_device *vdev)
{
	struct lab_device *lab = lab_device_of(vdev);
	int err = vfio_pci_core_enable(&lab->core);

	if (err)
		return err;
	lab->state = VFIO_DEVICE_STATE_RUNNING;
	vfio_pci_core_finish_enable(&lab->core);
	return 0;
}

static const struct vfio_device_ops lab_ops = {
	.name = "labvfio-pci",
	.init = lab_init,
	.release = vfio_pci_core_release_dev,
	.open_device = lab_open,
	.close_device = vfio_pci_core_close_device,
	.ioctl = vfio_pci_core_ioctl,
	.device_feature = vfio_pci_core_ioctl_feature,
	.read = vfio_pci_core_read,
	.write = vfio_pci_core_write,
	.mmap = vfio_pci_core_mmap,
	.request = vfio_pci_core_request,
	.match = vfio_pci_core_match,
	.bind_iommufd = vfio_iommufd_physical_bind,
	.unbind_iommufd = vfio_iommufd_physical_unbind,
	.attach_ioas = vfio_iommufd_physical_attach_ioas,
	.detach_ioas = vfio_iommufd_physical_detach_ioas,
};

static int lab_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	struct lab_device *lab = vfio_alloc_device(lab_device, core.vdev, &pdev->dev, &lab_ops);
	int err;

	if (IS_ERR(lab))
		return PTR_ERR(lab);
	dev_set_drvdata(&pdev->dev, &lab->core);
	err = vfio_pci_core_register_device(&lab->core);
	if (err)
		vfio_put_device(&lab->core.vdev);
	return err;
}

static void lab_remove(struct pci_dev *pdev)
{
	struct vfio_pci_core_device *core = dev_get_drvdata(&pdev->dev);

	vfio_pci_core_unregister_device(core);
	vfio_put_device(&core->vdev);
}

static const struct pci_device_id lab_ids[] = {
	{ PCI_DRIVER_OVERRIDE_DEVICE_VFIO(0x8086, 0x10ca) },
	{ }
};

static struct pci_driver lab_driver = {
	.name = KBUILD_MODNAME,
	.id_table = lab_ids,
	.probe = lab_probe,
	.remove = lab_remove,
	.err_handler = &vfio_pci_core_err_handlers,
	.driver_managed_dma = true,
};
module_pci_driver(lab_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A VFIO variant driver for tests, that can migrate nothing but says so");
