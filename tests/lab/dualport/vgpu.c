// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: files of a vGPU driver at each VF, as NVIDIA's has them since
 * Linux 6.8: nvidia/creatable_vgpu_types and nvidia/current_vgpu_type. There
 * is no GPU behind them. Types take a number of the PF's slots, so that one
 * VF's vGPU leaves fewer for the others.
 *
 * Errors other than EPERM while a guest has the VF are made up.
 */
#include <linux/errno.h>
#include <linux/module.h>

#include "dualport.h"

static bool vgpu;
module_param(vgpu, bool, 0644);
MODULE_PARM_DESC(vgpu, "VFs have the files of a vGPU driver; read when VFs are made");

static const struct dp_vgpu_type {
	unsigned int id;
	const char *name;
	int slots;
} dp_vgpu_types[] = {
	{ 63, "DUALPORT A1-1Q", 1 },
	{ 64, "DUALPORT A1-2Q", 2 },
	{ 65, "DUALPORT A1-4Q", 4 },
};

static const struct dp_vgpu_type *dp_vgpu_type_of(unsigned int id)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(dp_vgpu_types); i++)
		if (dp_vgpu_types[i].id == id)
			return &dp_vgpu_types[i];
	return NULL;
}

/* Slots that no VF takes; with the lock held. */
static int dp_vgpu_free(const struct dp_pf *pf)
{
	int slots = READ_ONCE(pf->knob[KNOB_VGPU_SLOTS].value), i;

	for (i = 0; i < pf->num_vfs; i++)
		if (pf->vf[i].vgpu)
			slots -= dp_vgpu_type_of(pf->vf[i].vgpu)->slots;
	return slots;
}

static ssize_t current_vgpu_type_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct dp_pf *pf = dp_pf_of(pdev);

	if (!pf)
		return -ENODEV;
	return sysfs_emit(buf, "%u\n", READ_ONCE(pf->vf[pci_iov_vf_id(pdev)].vgpu));
}

static ssize_t creatable_vgpu_types_show(struct device *dev, struct device_attribute *attr, char *buf)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct dp_pf *pf = dp_pf_of(pdev);
	int i, n;

	if (!pf)
		return -ENODEV;
	n = sysfs_emit(buf, "ID    : vGPU Name\n");
	mutex_lock(&pf->lock);
	for (i = 0; i < ARRAY_SIZE(dp_vgpu_types); i++)
		if (!pf->vf[pci_iov_vf_id(pdev)].vgpu && dp_vgpu_types[i].slots <= dp_vgpu_free(pf))
			n += sysfs_emit_at(buf, n, "%-5u : %s\n", dp_vgpu_types[i].id,
					   dp_vgpu_types[i].name);
	mutex_unlock(&pf->lock);
	return n;
}

/* With the lock held. VFIO enables a device when it is opened, and not before. */
static int dp_vgpu_set(struct dp_pf *pf, struct pci_dev *pdev, unsigned int id)
{
	struct dp_vf *vf = &pf->vf[pci_iov_vf_id(pdev)];
	const struct dp_vgpu_type *type = dp_vgpu_type_of(id);

	if (!strcmp(vf->drv, "vfio-pci") && pci_is_enabled(pdev))
		return -EPERM;
	if (id && (!type || vf->vgpu))
		return -EINVAL;
	if (id && type->slots > dp_vgpu_free(pf))
		return -ENOSPC;
	WRITE_ONCE(vf->vgpu, id);
	return 0;
}

static ssize_t current_vgpu_type_store(struct device *dev, struct device_attribute *attr,
				       const char *buf, size_t count)
{
	struct pci_dev *pdev = to_pci_dev(dev);
	struct dp_pf *pf = dp_pf_of(pdev);
	struct dp_target at = { .pf = pf, .vf = pci_iov_vf_id(pdev) };
	unsigned int id;
	int err;

	if (!pf)
		return -ENODEV;
	err = kstrtouint(buf, 10, &id);
	if (!err)
		err = -dp_knob(&at, KNOB_VGPU_ERRNO);
	if (!err) {
		mutex_lock(&pf->lock);
		err = dp_vgpu_set(pf, pdev, id);
		mutex_unlock(&pf->lock);
	}
	return err ? err : count;
}

static DEVICE_ATTR_RW(current_vgpu_type);
static DEVICE_ATTR_RO(creatable_vgpu_types);

static struct attribute *dp_vgpu_attrs[] = {
	&dev_attr_current_vgpu_type.attr,
	&dev_attr_creatable_vgpu_types.attr,
	NULL
};

static const struct attribute_group dp_vgpu_group = { .name = "nvidia", .attrs = dp_vgpu_attrs };

/* dp_vgpu_add: a VF has come. */
void dp_vgpu_add(struct dp_vf *vf, struct pci_dev *pdev)
{
	vf->has_vgpu = vgpu && !sysfs_create_group(&pdev->dev.kobj, &dp_vgpu_group);
}

/* dp_vgpu_remove: it goes. */
void dp_vgpu_remove(struct dp_vf *vf, struct pci_dev *pdev)
{
	if (vf->has_vgpu)
		sysfs_remove_group(&pdev->dev.kobj, &dp_vgpu_group);
	vf->has_vgpu = false;
}
