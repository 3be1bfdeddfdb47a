// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the bad habits, one debugfs file each, in
 * /sys/kernel/debug/dualport/<PF's PCI address>/.
 *
 * A knob is an int with a default and a range, or the name of an attribute.
 * The knobs "vf" and "port" (dev_port + 1) narrow all others down: outside
 * them the driver behaves.
 */
#include <linux/debugfs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>
#include <linux/errno.h>
#include <linux/module.h>

#include "dualport.h"

static const struct dp_knob_row {
	const char *name;
	int preset, min, max;
	bool attr;		/* the value is an enum dp_attr, shown by name */
} dp_knob_rows[DP_KNOBS] = {
	[KNOB_VF]		= { "vf", -1, -1, INT_MAX },
	[KNOB_PORT]		= { "port", -1, -1, DP_MAX_PORTS },
	[KNOB_REFUSE_ZERO_MAC]	= { "refuse_zero_mac", 0, 0, 1 },
	[KNOB_BUSY]		= { "busy", 0, 0, INT_MAX },
	[KNOB_BUSY_ERRNO]	= { "busy_errno", EBUSY, 1, MAX_ERRNO },
	[KNOB_FAIL_NTH]		= { "fail_nth", 0, 0, INT_MAX },
	[KNOB_FAIL_ERRNO]	= { "fail_errno", EPERM, 1, MAX_ERRNO },
	[KNOB_FAIL_ATTR]	= { "fail_attr", DP_ATTR_NONE, .attr = true },
	[KNOB_IGNORE]		= { "ignore", DP_ATTR_NONE, .attr = true },
	[KNOB_HIDE_VF]		= { "hide_vf", -1, -1, INT_MAX },
	[KNOB_VLAN_NONE_4095]	= { "vlan_none_4095", 0, 0, 1 },
	[KNOB_VLAN_NEEDS_NO_RATE] = { "vlan_needs_no_rate", 0, 0, 1 },
	[KNOB_8021AD_NEEDS_VLAN] = { "8021ad_needs_vlan", 0, 0, 1 },
	[KNOB_NO_MIN_RATE]	= { "no_min_rate", 0, 0, 1 },
	[KNOB_RATE_NEEDS_VLAN]	= { "rate_needs_vlan", 0, 0, 1 },
	[KNOB_SPOOFCHK_NEEDS_MAC] = { "spoofchk_needs_mac", 0, 0, 1 },
	[KNOB_NO_TRUST]		= { "no_trust", 0, 0, 1 },
	[KNOB_NO_8021AD]	= { "no_8021ad", 0, 0, 1 },
	[KNOB_DELAY_MS]		= { "delay_ms", 0, 0, 60000 },
	[KNOB_RESET_MS]		= { "reset_ms", 0, 0, 60000 },
	[KNOB_NOOP_EPERM]	= { "noop_eperm", 0, 0, 1 },
	[KNOB_VPORT_MS]		= { "vport_ms", 300, 0, INT_MAX },
	[KNOB_VPORT_RESPONSE]	= { "vport_response", PORT_PROFILE_RESPONSE_SUCCESS, 0, U16_MAX },
	[KNOB_VGPU_SLOTS]	= { "vgpu_slots", 4, 0, INT_MAX },
	[KNOB_VGPU_ERRNO]	= { "vgpu_errno", 0, 0, MAX_ERRNO },
};

static bool dp_knob_in_scope(const struct dp_target *at)
{
	int vf = READ_ONCE(at->pf->knob[KNOB_VF].value);
	int port = READ_ONCE(at->pf->knob[KNOB_PORT].value);

	return (vf < 0 || vf == at->vf) && (port < 1 || port == at->port + 1);
}

/* dp_knob: a knob's value for this VF and port, the default out of its scope. */
int dp_knob(const struct dp_target *at, enum dp_knob_id id)
{
	if (!dp_knob_in_scope(at))
		return dp_knob_rows[id].preset;
	return READ_ONCE(at->pf->knob[id].value);
}

/* dp_knob_countdown: a counter's value before it is taken one down, to 0. */
int dp_knob_countdown(const struct dp_target *at, enum dp_knob_id id)
{
	struct dp_pf *pf = at->pf;
	int value = 0;

	if (!dp_knob_in_scope(at))
		return 0;
	mutex_lock(&pf->lock);
	if (pf->knob[id].value > 0)
		value = pf->knob[id].value--;
	mutex_unlock(&pf->lock);
	return value;
}

static const struct dp_knob_row *dp_knob_row(const struct dp_knob *knob)
{
	return &dp_knob_rows[knob - knob->pf->knob];
}

static ssize_t dp_knob_read(struct file *file, char __user *to, size_t count, loff_t *ppos)
{
	struct dp_knob *knob = file->private_data;
	int value = READ_ONCE(knob->value);
	char text[16];
	int len;

	if (dp_knob_row(knob)->attr)
		len = scnprintf(text, sizeof(text), "%s\n", dp_attr_name(value));
	else
		len = scnprintf(text, sizeof(text), "%d\n", value);
	return simple_read_from_buffer(to, count, ppos, text, len);
}

static int dp_knob_parse(const struct dp_knob_row *row, const char *text, int *value)
{
	int err;

	if (row->attr) {
		*value = dp_attr_by_name(text);
		return *value < 0 ? *value : 0;
	}
	err = kstrtoint(text, 0, value);
	if (err)
		return err;
	return *value < row->min || *value > row->max ? -ERANGE : 0;
}

static ssize_t dp_knob_write(struct file *file, const char __user *from, size_t count, loff_t *ppos)
{
	struct dp_knob *knob = file->private_data;
	char text[16] = "";
	int value, err;

	if (count >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, count))
		return -EFAULT;
	err = dp_knob_parse(dp_knob_row(knob), strim(text), &value);
	if (err)
		return err;
	mutex_lock(&knob->pf->lock);
	WRITE_ONCE(knob->value, value);
	mutex_unlock(&knob->pf->lock);
	return count;
}

static const struct file_operations dp_knob_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = dp_knob_read,
	.write = dp_knob_write,
	.llseek = default_llseek,
};

static void dp_knobs_preset(struct dp_pf *pf)
{
	int i;

	mutex_lock(&pf->lock);
	for (i = 0; i < DP_KNOBS; i++)
		WRITE_ONCE(pf->knob[i].value, dp_knob_rows[i].preset);
	mutex_unlock(&pf->lock);
}

static ssize_t dp_reset_write(struct file *file, const char __user *from,
			      size_t count, loff_t *ppos)
{
	dp_knobs_preset(file->private_data);
	return count;
}

static const struct file_operations dp_reset_fops = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.write = dp_reset_write,
};

/* The capabilities of port functions, which older devlink programs do not show. */
static int dp_functions_show(struct seq_file *file, void *data)
{
	struct dp_pf *pf = file->private;
	int vf, port;

	rtnl_lock();
	for (vf = 0; vf < pf->num_vfs; vf++) {
		for (port = 0; port < pf->ports; port++) {
			const struct dp_setting *set = &pf->vf[vf].port[port].set;

			seq_printf(file, "vf %d port %d roce %d migratable %d ipsec_crypto %d ipsec_packet %d max_io_eqs %u\n",
				   vf, port + 1, set->cap[0], set->cap[DP_MIGRATABLE - DP_ROCE],
				   set->cap[DP_IPSEC_CRYPTO - DP_ROCE], set->cap[DP_IPSEC_PACKET - DP_ROCE],
				   set->max_io_eqs);
		}
	}
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(dp_functions);

void dp_knobs_init(struct dp_pf *pf, struct dentry *root)
{
	int i;

	dp_knobs_preset(pf);
	pf->dir = debugfs_create_dir(pci_name(pf->pdev), root);
	for (i = 0; i < DP_KNOBS; i++) {
		pf->knob[i].pf = pf;
		debugfs_create_file(dp_knob_rows[i].name, 0600, pf->dir,
				    &pf->knob[i], &dp_knob_fops);
	}
	debugfs_create_file("reset", 0200, pf->dir, pf, &dp_reset_fops);
	debugfs_create_file("log", 0600, pf->dir, pf, &dp_log_fops);
	debugfs_create_file("functions", 0400, pf->dir, pf, &dp_functions_fops);
}

void dp_knobs_exit(struct dp_pf *pf)
{
	debugfs_remove(pf->dir);
}
