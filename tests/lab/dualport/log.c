// SPDX-License-Identifier: GPL-2.0-only
/*
 * dualport: the log of write attempts, a ring of the last DP_LOG_SIZE.
 *
 *   12 t=81.250113 pid=812 comm=ip drv=none port=1 vf=3 vlan id=42 qos=0 proto=8100 -> 0
 *
 * The number counts from 1 since the log was last cleared; port is dev_port + 1. Time, process and
 * the VF's driver are those of the end of the write, so that a log line with
 * drv=none means that nobody had the VF before the write was through.
 */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "dualport.h"

#define DP_LOG_SIZE	4096

struct dp_log_entry {
	ktime_t time;
	pid_t pid;
	int port, vf, err;
	enum dp_attr attr;
	const char *note;		/* a string constant */
	char comm[TASK_COMM_LEN];
	char drv[DP_NAME_LEN];
	char text[sizeof_field(struct dp_request, text)];
};

struct dp_log {
	u64 count;			/* since the log was last cleared */
	struct dp_log_entry entry[DP_LOG_SIZE];
};

int dp_log_init(struct dp_pf *pf)
{
	pf->log = kvzalloc(sizeof(*pf->log), GFP_KERNEL);
	return pf->log ? 0 : -ENOMEM;
}

void dp_log_exit(struct dp_pf *pf)
{
	kvfree(pf->log);
}

static const char *dp_driver_name(const struct dp_target *at)
{
	const char *drv = "";

	if (at->vf >= 0 && at->vf < at->pf->num_vfs)
		drv = at->pf->vf[at->vf].drv;
	return *drv ? drv : "none";
}

/* dp_log_add: one line; @note is kept, not copied. With RTNL held. */
void dp_log_add(const struct dp_target *at, const struct dp_request *req,
		int err, const char *note)
{
	struct dp_log *log = at->pf->log;
	struct dp_log_entry *e;

	mutex_lock(&at->pf->lock);
	e = &log->entry[log->count++ % DP_LOG_SIZE];
	e->time = ktime_get();
	e->pid = task_tgid_nr(current);
	e->port = at->port + 1;
	e->vf = at->vf;
	e->err = err;
	e->attr = req->attr;
	e->note = note;
	get_task_comm(e->comm, current);
	strreplace(e->comm, ' ', '_');
	strscpy(e->drv, dp_driver_name(at), sizeof(e->drv));
	strscpy(e->text, req->text, sizeof(e->text));
	mutex_unlock(&at->pf->lock);
}

static int dp_log_show(struct seq_file *m, void *v)
{
	struct dp_pf *pf = m->private;
	struct dp_log *log = pf->log;
	u64 i;

	mutex_lock(&pf->lock);
	i = log->count > DP_LOG_SIZE ? log->count - DP_LOG_SIZE : 0;
	for (; i < log->count; i++) {
		const struct dp_log_entry *e = &log->entry[i % DP_LOG_SIZE];
		u64 us = ktime_to_us(e->time);

		seq_printf(m, "%llu t=%llu.%06llu pid=%d comm=%s drv=%s port=%d vf=%d %s %s -> %d%s\n",
			   i + 1, us / USEC_PER_SEC, us % USEC_PER_SEC, e->pid, e->comm,
			   e->drv, e->port, e->vf, dp_attr_name(e->attr), e->text, e->err, e->note);
	}
	mutex_unlock(&pf->lock);
	return 0;
}

static int dp_log_open(struct inode *inode, struct file *file)
{
	return single_open(file, dp_log_show, inode->i_private);
}

/* Whatever is written clears the log and starts its numbers anew. */
static ssize_t dp_log_write(struct file *file, const char __user *from, size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	struct dp_pf *pf = m->private;

	mutex_lock(&pf->lock);
	pf->log->count = 0;
	mutex_unlock(&pf->lock);
	return count;
}

const struct file_operations dp_log_fops = {
	.owner = THIS_MODULE,
	.open = dp_log_open,
	.read = seq_read,
	.write = dp_log_write,
	.llseek = seq_lseek,
	.release = single_release,
};
