// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the files through which mlx4 takes the GUIDs of InfiniBand VFs,
 * and nothing of InfiniBand beyond them:
 *
 *   /sys/class/infiniband/dualport_BUS/iov/ports/PORT/admin_guids/ENTRY
 *
 * ENTRY 0 is the PF, whose GUID cannot be set; what is written there is
 * dropped without a word, as mlx4 does. VF n is ENTRY n + 1. The class is the
 * real one's name, so ib_core must not be loaded.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "dualport.h"

#define DP_IB_VFS	8	/* as many as an 82576 has */

struct dp_guid_file {
	struct kobj_attribute attr;
	struct dp_pf *pf;
	int port, entry;
	char name[8];
};

struct dp_ib {
	struct device *dev;
	struct kobject *dir[2 + 2 * DP_MAX_PORTS];
	int dirs;
	struct dp_guid_file file[DP_MAX_PORTS][1 + DP_IB_VFS];
};

bool admin_guids;
module_param(admin_guids, bool, 0444);
MODULE_PARM_DESC(admin_guids, "InfiniBand ports take GUIDs as mlx4's do: through sysfs, and rtnetlink lists no VFs (default: no)");

static struct class *dp_ib_class;

static ssize_t dp_guid_show(struct kobject *kobj, struct kobj_attribute *attr, char *buf)
{
	struct dp_guid_file *file = container_of(attr, struct dp_guid_file, attr);
	u64 guid = 0;

	rtnl_lock();
	if (file->entry && file->entry <= file->pf->num_vfs)
		guid = file->pf->vf[file->entry - 1].port[file->port].set.port_guid;
	rtnl_unlock();
	return sysfs_emit(buf, "%llx\n", guid);
}

static ssize_t dp_guid_store(struct kobject *kobj, struct kobj_attribute *attr,
			     const char *buf, size_t count)
{
	struct dp_guid_file *file = container_of(attr, struct dp_guid_file, attr);
	u64 guid = 0;
	int err = 0;

	sscanf(buf, "%llx", &guid);
	rtnl_lock();
	if (file->entry)
		err = dp_set_vf_guid(file->pf->netdev[file->port], file->entry - 1, guid,
				     IFLA_VF_IB_PORT_GUID);
	rtnl_unlock();
	return err ?: count;
}

static struct kobject *dp_ib_dir(struct dp_ib *ib, const char *name, struct kobject *parent)
{
	struct kobject *dir = parent ? kobject_create_and_add(name, parent) : NULL;

	if (dir)
		ib->dir[ib->dirs++] = dir;
	return dir;
}

static int dp_ib_add_port(struct dp_pf *pf, struct kobject *ports, int port)
{
	struct dp_guid_file *file = pf->ib->file[port];
	struct kobject *guids;
	char name[8];
	int i, err;

	snprintf(name, sizeof(name), "%d", port + 1);
	guids = dp_ib_dir(pf->ib, "admin_guids", dp_ib_dir(pf->ib, name, ports));
	if (!guids)
		return -ENOMEM;
	for (i = 0, err = 0; i <= DP_IB_VFS && !err; i++, file++) {
		*file = (struct dp_guid_file){ .pf = pf, .port = port, .entry = i };
		snprintf(file->name, sizeof(file->name), "%d", i);
		sysfs_attr_init(&file->attr.attr);
		file->attr.attr.name = file->name;
		file->attr.attr.mode = 0644;
		file->attr.show = dp_guid_show;
		file->attr.store = dp_guid_store;
		err = sysfs_create_file(guids, &file->attr.attr);
	}
	return err;
}

/* dp_ib_add: the files of a PF that has InfiniBand ports and admin_guids. */
int dp_ib_add(struct dp_pf *pf)
{
	struct kobject *ports;
	int port, err = 0;

	if (!admin_guids)
		return 0;
	pf->ib = kzalloc(sizeof(*pf->ib), GFP_KERNEL);
	if (!pf->ib)
		return -ENOMEM;
	pf->ib->dev = device_create(dp_ib_class, &pf->pdev->dev, 0, NULL, "dualport_%02x", pf->pdev->bus->number);
	if (IS_ERR(pf->ib->dev))
		return PTR_ERR(pf->ib->dev);
	ports = dp_ib_dir(pf->ib, "ports", dp_ib_dir(pf->ib, "iov", &pf->ib->dev->kobj));
	for (port = 0; port < pf->ports && !err; port++)
		if (dp_port_is_ib(pf, port))
			err = dp_ib_add_port(pf, ports, port);
	return err;
}

/* dp_ib_remove: takes a half-built one, and none. Not under RTNL: it waits for those who read. */
void dp_ib_remove(struct dp_pf *pf)
{
	if (!pf->ib)
		return;
	while (pf->ib->dirs)
		kobject_put(pf->ib->dir[--pf->ib->dirs]);
	if (!IS_ERR_OR_NULL(pf->ib->dev))
		device_unregister(pf->ib->dev);
	kfree(pf->ib);
	pf->ib = NULL;
}

int __init dp_ib_init(void)
{
	dp_ib_class = admin_guids ? class_create("infiniband") : NULL;
	return PTR_ERR_OR_ZERO(dp_ib_class);
}

void dp_ib_exit(void)
{
	class_destroy(dp_ib_class);
}
