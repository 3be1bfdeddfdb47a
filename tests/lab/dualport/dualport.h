/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dualport: a make-believe SR-IOV NIC with several ports behind each PCI
 * function, over the real PCI functions of an Intel 82576.
 *
 *   pf.c      PCI driver of the physical function, SR-IOV, module entry
 *   vf.c      PCI driver of the virtual functions
 *   netdev.c  what PF and VF netdevs share, and their addresses
 *   write.c   the way every VF setting takes: habits, store, log; reading
 *   ib.c      sysfs: GUIDs of InfiniBand VFs, the way mlx4 has them
 *   vgpu.c    sysfs: files of a vGPU driver at VFs
 *   devlink.c devlink: eswitch mode, ports, representors
 *   sf.c      devlink: sub-functions
 *   attrs.c   one row an attribute: what a valid value is
 *   knobs.c   debugfs: the bad habits a test can switch on
 *   log.c     debugfs: every write attempt, in order
 *
 * Users count ports from 1 (dev_port + 1, as <netdev port=> does): in knobs,
 * log and module parameters. The code counts from 0.
 *
 * Locking: the settings tables (dp_pf.vf and all below it) belong to RTNL,
 * under which the kernel calls every ndo_*. devlink's lock is taken outside it. dp_pf.lock is taken inside it and
 * covers knobs, log, vGPUs and the names of the VFs' drivers; nothing sleeps for
 * long under dp_pf.lock, so debugfs never waits for a slow write.
 */
#ifndef DUALPORT_H
#define DUALPORT_H

#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/if_vlan.h>
#include <linux/ktime.h>
#include <linux/mutex.h>
#include <linux/netdevice.h>
#include <linux/pci.h>

#define DP_MAX_PORTS	4
#define DP_NAME_LEN	24	/* longer driver names are cut */

/* Attributes, in the order of the table in attrs.c. */
enum dp_attr {
	DP_ATTR_NONE,		/* as a knob's value: no attribute */
	DP_MAC,
	DP_VLAN,
	DP_RATE,
	DP_SPOOFCHK,
	DP_TRUST,
	DP_LINK,
	DP_GUID,
	DP_VPORT,
	DP_ROCE,		/* from here on, of port functions only */
	DP_MIGRATABLE,
	DP_IPSEC_CRYPTO,
	DP_IPSEC_PACKET,
	DP_MAX_IO_EQS,
	DP_SF_NEW,		/* from here on, no attributes but what is done with a sub-function */
	DP_SF_STATE,
	DP_SF_DEL,
	DP_ATTR_ALL,		/* as a knob's value: every attribute */
};

enum dp_knob_id {
	KNOB_VF,
	KNOB_PORT,
	KNOB_REFUSE_ZERO_MAC,
	KNOB_BUSY,
	KNOB_BUSY_ERRNO,
	KNOB_FAIL_NTH,
	KNOB_FAIL_ERRNO,
	KNOB_FAIL_ATTR,
	KNOB_IGNORE,
	KNOB_HIDE_VF,
	KNOB_VLAN_NONE_4095,
	KNOB_VLAN_NEEDS_NO_RATE,
	KNOB_8021AD_NEEDS_VLAN,
	KNOB_NO_MIN_RATE,
	KNOB_RATE_NEEDS_VLAN,
	KNOB_SPOOFCHK_NEEDS_MAC,
	KNOB_NO_TRUST,
	KNOB_NO_8021AD,
	KNOB_DELAY_MS,
	KNOB_RESET_MS,
	KNOB_NOOP_EPERM,
	KNOB_VPORT_MS,
	KNOB_VPORT_RESPONSE,
	KNOB_VGPU_SLOTS,
	KNOB_VGPU_ERRNO,
	DP_KNOBS,
};

/* An 802.1Qbh port profile, as IFLA_VF_PORTS carries it. */
struct dp_vport {
	bool requested;
	u8 request;
	u8 has_instance, has_host;
	char profile[PORT_PROFILE_MAX];
	u8 instance[PORT_UUID_MAX];
	u8 host[PORT_UUID_MAX];
};

/* What an administrator sets for one port of one VF. Compared bytewise. */
struct dp_setting {
	u8 mac[ETH_ALEN];	/* zero: none */
	u16 vlan;		/* 0 with qos 0: none */
	u8 qos;
	__be16 proto;
	u32 min_rate, max_rate;	/* Mb/s, 0: no limit */
	bool spoofchk;
	bool trust;
	u8 link;		/* IFLA_VF_LINK_STATE_* */
	u64 node_guid, port_guid;
	struct dp_vport vport;
	bool cap[DP_MAX_IO_EQS - DP_ROCE];
	u32 max_io_eqs;
};

struct dp_vfport {
	struct dp_setting set;
	ktime_t vport_since;	/* when the last profile request came */
	u8 own_mac[ETH_ALEN];	/* the VF driver's own, for report_vf_mac */
	struct net_device *netdev;	/* while dualport_vf drives the VF */
};

struct dp_vf {
	struct dp_vfport port[DP_MAX_PORTS];
	char drv[DP_NAME_LEN];	/* present driver's name, "" when none */
	bool claimed;		/* see dp_pci_notify() */
	bool has_vgpu;		/* it has the files of vgpu.c */
	unsigned int vgpu;	/* its type; 0: none */
	ktime_t ready;		/* when it is through with its reset, see dp_reset() */
};

struct devlink;
struct devlink_port;
struct devlink_port_new_attrs;
struct dp_log;
struct dp_ib;
struct dp_devlink;
struct dp_pf;

struct dp_knob {
	struct dp_pf *pf;
	int value;
};

struct dp_pf {
	struct pci_dev *pdev;
	unsigned int ports, ib_ports;
	unsigned int single[DP_MAX_PORTS];	/* see dp_vf_has_port() */
	struct net_device *netdev[DP_MAX_PORTS];
	int num_vfs;
	struct dp_vf *vf;

	struct mutex lock;	/* knob, log, vf[].drv, vf[].vgpu */
	struct dp_knob knob[DP_KNOBS];
	struct dp_log *log;
	struct dp_ib *ib;	/* with admin_guids */
	struct dp_devlink *devlink;	/* with the parameter of that name */
	struct list_head sfs;
	struct dentry *dir;
};

/* Where a write or read goes. */
struct dp_target {
	struct dp_pf *pf;
	int port;		/* the one addressed, a dev_port */
	int vf;
};

/* One write attempt: what is asked for, and how the log tells it. */
struct dp_request {
	enum dp_attr attr;
	union {
		const u8 *mac;
		struct { u16 vlan; u8 qos; __be16 proto; };
		struct { u32 min_rate, max_rate; };
		bool on;
		int link;
		struct { int guid_type; u64 guid; };
		const struct dp_vport *vport;
		u32 number;
	};
	char text[160];
};

/* pf.c */
extern struct pci_driver dp_pf_driver;
struct dp_pf *dp_pf_of(struct pci_dev *vf);
bool dp_vf_has_port(const struct dp_pf *pf, int vf, int port);

/* vf.c */
extern struct pci_driver dp_vf_driver;
void dp_vf_link(struct dp_vfport *vfport);

/* netdev.c */
struct dp_netdev {
	struct dp_pf *pf;
	int port;		/* of the PF, which a VF with one port may call 0 */
	int vf;			/* -1: the PF's own netdev */
};

struct net_device *dp_netdev_alloc(struct pci_dev *pdev, struct dp_pf *pf,
				   int vf, int port, int number,
				   const struct net_device_ops *ops);
void dp_netdev_address(struct net_device *dev, u64 port_guid);
bool dp_port_is_ib(const struct dp_pf *pf, int port);
int dp_open(struct net_device *dev);
int dp_stop(struct net_device *dev);
netdev_tx_t dp_xmit(struct sk_buff *skb, struct net_device *dev);
int dp_phys_port_id(struct net_device *dev, struct netdev_phys_item_id *id);

/* write.c */
extern const struct net_device_ops dp_pf_ops, dp_pf_ib_ops, dp_pf_mlx4_ib_ops;
int dp_set_vf_guid(struct net_device *dev, int vf, u64 guid, int type);
extern struct net_device_ops dp_pf_silent_ops;
void dp_ops_init(void);
void dp_setting_init(struct dp_setting *set);
int dp_habit(const struct dp_target *at, const struct dp_request *req);
int dp_write(const struct dp_target *at, struct dp_request *req);

/* ib.c */
extern bool admin_guids;
int dp_ib_init(void);
void dp_ib_exit(void);
int dp_ib_add(struct dp_pf *pf);
void dp_ib_remove(struct dp_pf *pf);

/* vgpu.c */
void dp_vgpu_add(struct dp_vf *vf, struct pci_dev *pdev);
void dp_vgpu_remove(struct dp_vf *vf, struct pci_dev *pdev);

/* devlink.c */
#define DP_SWITCH_ID	"dualport"
bool dp_is_switchdev(const struct dp_pf *pf);
int dp_devlink_vfs(struct dp_pf *pf, bool come);
bool dualport_is_migratable(struct pci_dev *vf);
int dp_devlink_add(struct dp_pf *pf);
void dp_devlink_remove(struct dp_pf *pf);
struct dp_pf *dp_devlink_pf(struct devlink *dl);
int dp_rep_add(struct dp_pf *pf, struct devlink_port *port, struct net_device **rep);
void dp_rep_del(struct net_device *rep);

/* sf.c */
int dp_sf_new(struct devlink *dl, const struct devlink_port_new_attrs *attrs, struct netlink_ext_ack *extack,
	      struct devlink_port **port);
void dp_sfs_del(struct dp_pf *pf, struct devlink *dl);

/* attrs.c */
const char *dp_attr_name(enum dp_attr attr);
int dp_attr_by_name(const char *name);
int dp_attr_apply(const struct dp_target *at, struct dp_setting *set,
		  const struct dp_request *req);

/* knobs.c */
int dp_knob(const struct dp_target *at, enum dp_knob_id id);
int dp_knob_countdown(const struct dp_target *at, enum dp_knob_id id);
void dp_knobs_init(struct dp_pf *pf, struct dentry *root);
void dp_knobs_exit(struct dp_pf *pf);

/* log.c */
int dp_log_init(struct dp_pf *pf);
void dp_log_exit(struct dp_pf *pf);
void dp_log_add(const struct dp_target *at, const struct dp_request *req,
		int err, const char *note);
extern const struct file_operations dp_log_fops;

#endif
