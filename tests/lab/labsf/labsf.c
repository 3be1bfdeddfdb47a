// SPDX-License-Identifier: GPL-2.0-only
/*
 * labsf: a driver for dualport's sub-functions that makes each of them a vDPA
 * management device, as mlx5 does: once the devlink parameter enable_vnet of
 * the sub-function's own instance is on, and the instance was reloaded. Their
 * devices are those of the kernel's simulator, of which labsf_sim.h is made.
 */
#include <linux/auxiliary_bus.h>
#include <net/devlink.h>

#include "labsf_sim.h"

static bool enable_vnet;
module_param(enable_vnet, bool, 0644);
MODULE_PARM_DESC(enable_vnet, "the parameter of that name is on from the start, as with mlx5 before Linux 6.5");

static bool no_vnet;
module_param(no_vnet, bool, 0644);
MODULE_PARM_DESC(no_vnet, "there is no such parameter, and no management device: the driver cannot do vDPA");

struct labsf {
	struct vdpa_mgmt_dev mgmt;
	bool registered;
	bool has_params;
};

static const struct devlink_param labsf_params[] = {
	DEVLINK_PARAM_GENERIC(ENABLE_VNET, BIT(DEVLINK_PARAM_CMODE_DRIVERINIT), NULL, NULL, NULL),
};

static void labsf_down(struct labsf *sf)
{
	if (sf->registered)
		vdpa_mgmtdev_unregister(&sf->mgmt);
	sf->registered = false;
}

static int labsf_up(struct devlink *dl)
{
	struct labsf *sf = devlink_priv(dl);
	union devlink_param_value value;
	int err = devl_param_driverinit_value_get(dl, DEVLINK_PARAM_GENERIC_ID_ENABLE_VNET, &value);

	if (err || !value.vbool)
		return err;
	err = vdpa_mgmtdev_register(&sf->mgmt);
	sf->registered = !err;
	return err;
}

static int labsf_reload_down(struct devlink *dl, bool netns_change, enum devlink_reload_action action,
			     enum devlink_reload_limit limit, struct netlink_ext_ack *extack)
{
	labsf_down(devlink_priv(dl));
	return 0;
}

static int labsf_reload_up(struct devlink *dl, enum devlink_reload_action action, enum devlink_reload_limit limit,
			   u32 *performed, struct netlink_ext_ack *extack)
{
	*performed = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT);
	return labsf_up(dl);
}

static const struct devlink_ops labsf_ops = {
	.reload_actions = BIT(DEVLINK_RELOAD_ACTION_DRIVER_REINIT),
	.reload_down = labsf_reload_down,
	.reload_up = labsf_reload_up,
};

static int labsf_probe(struct auxiliary_device *adev, const struct auxiliary_device_id *id)
{
	struct devlink *dl = devlink_alloc(&labsf_ops, sizeof(struct labsf), &adev->dev);
	union devlink_param_value value = { .vbool = READ_ONCE(enable_vnet) };
	struct labsf *sf;
	int err = 0;

	if (!dl)
		return -ENOMEM;
	sf = devlink_priv(dl);
	sf->mgmt = mgmt_dev;
	sf->mgmt.device = &adev->dev;
	auxiliary_set_drvdata(adev, dl);
	devl_lock(dl);
	if (!READ_ONCE(no_vnet)) {
		err = devl_params_register(dl, labsf_params, ARRAY_SIZE(labsf_params));
		sf->has_params = !err;
		if (!err) {
			devl_param_driverinit_value_set(dl, DEVLINK_PARAM_GENERIC_ID_ENABLE_VNET, value);
			err = labsf_up(dl);
		}
	}
	if (!err)
		devl_register(dl);
	devl_unlock(dl);
	if (err)
		devlink_free(dl);
	return err;
}

static void labsf_remove(struct auxiliary_device *adev)
{
	struct devlink *dl = auxiliary_get_drvdata(adev);
	struct labsf *sf = devlink_priv(dl);

	devl_lock(dl);
	devl_unregister(dl);
	labsf_down(sf);
	if (sf->has_params)
		devl_params_unregister(dl, labsf_params, ARRAY_SIZE(labsf_params));
	devl_unlock(dl);
	devlink_free(dl);
}

static const struct auxiliary_device_id labsf_ids[] = {
	{ .name = "dualport.sf" },
	{ }
};
MODULE_DEVICE_TABLE(auxiliary, labsf_ids);

static struct auxiliary_driver labsf_driver = {
	.name = "labsf",
	.probe = labsf_probe,
	.remove = labsf_remove,
	.id_table = labsf_ids,
};
module_auxiliary_driver(labsf_driver);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("make-believe vDPA over dualport's sub-functions");
