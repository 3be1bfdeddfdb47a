/* cmd_status_metrics.c: virt-hostdev status --openmetrics: what Prometheus is to know of this host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The format is that of node_exporter's textfile collector, Prometheus' own. OpenMetrics came from it, and differs
 * where this file cannot please both: HELP, TYPE and UNIT of a counter name it with its _total here, and without it
 * there. Each reader of the one takes the other for an untyped metric, or for an error. UNIT and EOF, which Prometheus'
 * format does not have, are comments in it.
 *
 * What cannot be told is left out: no sample says 0 that does not mean it.
 */
#include "tools/cmd_status.h"

#include "config.h"
#include "tools/guest_port.h"
#include "tools/hook_check.h"
#include "util/virerror.h"
#include "util/virstatefile.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PREFIX "libvirt_hostdev_"
#define FILE_MODE 0644 /* node_exporter is somebody else */

typedef struct {
    virtTool *tool;
    const virtGuestPorts *guests;
    guint64 counts[VIRT_COUNT_LAST];
} Subject;

typedef struct Metric Metric;
struct Metric {
    const char *name; /* behind PREFIX */
    const char *type;
    const char *unit; /* the end of its name, before _total; NULL: it counts what its name says */
    const char *help;
    /* Append its samples; none where there is nothing to say. */
    void (*add)(const Metric *metric, const Subject *subject, GString *samples);
    guint which; /* for those that share a function: its row there */
};

/* ---- samples ---- */

static void
addLabel(GString *labels, const char *name, const char *value)
{
    if (labels->len > 0)
        g_string_append_c(labels, ',');
    g_string_append_printf(labels, "%s=\"", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\' || *p == '"')
            g_string_append_printf(labels, "\\%c", *p);
        else if (*p == '\n')
            g_string_append(labels, "\\n");
        else
            g_string_append_c(labels, *p);
    }
    g_string_append_c(labels, '"');
}

/* @labels: NULL for none */
static void
addSample(GString *samples, const Metric *metric, const GString *labels, guint64 value)
{
    g_string_append_printf(samples, PREFIX "%s", metric->name);
    if (labels)
        g_string_append_printf(samples, "{%s}", labels->str);
    g_string_append_printf(samples, " %" G_GUINT64_FORMAT "\n", value);
}

/* ---- ports of guests ---- */

static GString *
portLabels(const virtGuestPort *port)
{
    GString *labels = g_string_new(NULL);
    g_autofree char *vf = g_strdup_printf("%d", port->vf);
    g_autofree char *number = g_strdup_printf("%u", port->port);

    addLabel(labels, "domain", port->owner);
    addLabel(labels, "pf", port->pf);
    addLabel(labels, "vf", vf);
    addLabel(labels, "port", number);
    addLabel(labels, "address", port->device);
    return labels;
}

/* "" for a label that does not apply: Prometheus has the two be the same. */
static const char *
textOf(const char *text)
{
    if (text)
        return text;
    return "";
}

static void
addInfo(const Metric *metric, const Subject *subject, GString *samples)
{
    for (guint i = 0; i < subject->guests->ports->len; i++) {
        const virtGuestPort *port = subject->guests->ports->pdata[i];
        g_autoptr(GString) labels = portLabels(port);

        addLabel(labels, "uuid", textOf(port->uuid));
        addLabel(labels, "device", textOf(port->ifname));
        addSample(samples, metric, labels, 1);
    }
}

static void
addDrifted(const Metric *metric, const Subject *subject, GString *samples)
{
    for (guint i = 0; i < subject->guests->ports->len; i++) {
        const virtGuestPort *port = subject->guests->ports->pdata[i];
        g_autoptr(GString) labels = portLabels(port);

        if (port->compared)
            addSample(samples, metric, labels, port->drifted);
    }
}

/* metric->which: a virtNetdevCounter */
static void
addCounter(const Metric *metric, const Subject *subject, GString *samples)
{
    for (guint i = 0; i < subject->guests->ports->len; i++) {
        const virtGuestPort *port = subject->guests->ports->pdata[i];
        g_autoptr(GString) labels = portLabels(port);

        if (port->known & (1u << metric->which))
            addSample(samples, metric, labels, port->stats.of[metric->which]);
    }
}

/* ---- the host ---- */

static void
addBuild(const Metric *metric, const Subject *subject, GString *samples)
{
    g_autoptr(GString) labels = g_string_new(NULL);

    addLabel(labels, "version", PACKAGE_VERSION);
    addSample(samples, metric, labels, 1);
}

static void
addPF(const Metric *metric, const char *pf, const virtOverviewVFs *vfs, GString *samples)
{
    const struct {
        const char *state;
        guint vfs;
    } rows[] = {{"free", vfs->free}, {"provisioned", vfs->provisioned}, {"vfio", vfs->vfio}};

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GString) labels = g_string_new(NULL);

        addLabel(labels, "pf", pf);
        addLabel(labels, "state", rows[i].state);
        addSample(samples, metric, labels, rows[i].vfs);
    }
}

/* Of a PF with a VF whose record cannot be read, no number is right. */
static void
addPFs(const Metric *metric, const Subject *subject, GString *samples)
{
    virtHost *host = subject->tool->host;
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);

    for (guint i = 0; pfs && i < pfs->len; i++) {
        virtOverviewVFs vfs = {0};
        char pf[VIRT_PCI_ADDRESS_LEN];

        virtOverviewCountVFs(host, pfs->pdata[i], &vfs);
        virtPCIAddressFormat(pfs->pdata[i], pf);
        if (vfs.unknown == 0)
            addPF(metric, pf, &vfs, samples);
    }
}

static void
addWaiting(const Metric *metric, const Subject *subject, GString *samples)
{
    if (subject->guests->unreadable == 0)
        addSample(samples, metric, NULL, subject->guests->waiting);
}

static void
addUnreadable(const Metric *metric, const Subject *subject, GString *samples)
{
    addSample(samples, metric, NULL, subject->guests->unreadable);
}

/* metric->which: its row */
static void
addHook(const Metric *metric, const Subject *subject, GString *samples)
{
    static void (*const checks[])(virtTool * tool, virtFinding * ret) = {virtHookCheckFile, virtHookCheckNoticed};
    g_auto(virtFinding) finding = {0};

    checks[metric->which](subject->tool, &finding);
    if (!finding.unsure)
        addSample(samples, metric, NULL, finding.wrong == NULL);
}

static void
addInFront(const Metric *metric, const Subject *subject, GString *samples)
{
    addSample(samples, metric, NULL, virtToolIsInFront(subject->tool));
}

/* metric->which: a virtCount */
static void
addCount(const Metric *metric, const Subject *subject, GString *samples)
{
    addSample(samples, metric, NULL, subject->counts[metric->which]);
}

/* ---- all ---- */

static const Metric metrics[] = {
    {"build_info", "gauge", NULL, "Always 1: the version of virt-hostdev is a label", addBuild, 0},
    {"vf_info", "gauge", NULL, "Always 1 for each port of a VF that a guest has; UUID and the PF's netdev are labels",
     addInfo, 0},
    {"vf_drifted", "gauge", NULL, "Whether somebody else has changed a setting of the VF at this port", addDrifted, 0},
    {"vf_receive_bytes_total", "counter", "bytes", "Bytes that the VF has received at this port", addCounter,
     VIRT_NETDEV_RX_BYTES},
    {"vf_receive_packets_total", "counter", "packets", "Packets that the VF has received at this port", addCounter,
     VIRT_NETDEV_RX_PACKETS},
    {"vf_receive_broadcast_packets_total", "counter", "packets", "Broadcast packets that the VF has received",
     addCounter, VIRT_NETDEV_RX_BROADCAST},
    {"vf_receive_multicast_packets_total", "counter", "packets", "Multicast packets that the VF has received",
     addCounter, VIRT_NETDEV_RX_MULTICAST},
    {"vf_receive_dropped_packets_total", "counter", "packets", "Packets to the VF that were dropped", addCounter,
     VIRT_NETDEV_RX_DROPPED},
    {"vf_transmit_bytes_total", "counter", "bytes", "Bytes that the VF has sent at this port", addCounter,
     VIRT_NETDEV_TX_BYTES},
    {"vf_transmit_packets_total", "counter", "packets", "Packets that the VF has sent at this port", addCounter,
     VIRT_NETDEV_TX_PACKETS},
    {"vf_transmit_dropped_packets_total", "counter", "packets", "Packets from the VF that were dropped", addCounter,
     VIRT_NETDEV_TX_DROPPED},
    {"pf_vfs", "gauge", NULL,
     "VFs of the PF: free, provisioned by libvirt-hostdev, or bound to vfio-pci without it (vfio)", addPFs, 0},
    {"records_waiting", "gauge", NULL, "VFs whose owner is gone and whose earlier settings are still to be restored",
     addWaiting, 0},
    {"records_unreadable", "gauge", NULL, "Records of VFs that are damaged, or of a newer version", addUnreadable, 0},
    {"hook_linked", "gauge", NULL, "Whether the hook is where libvirt looks for it, and executable", addHook, 0},
    {"hook_noticed", "gauge", NULL, "Whether libvirt's daemon has noticed that there are hooks", addHook, 1},
    {"daemon_in_front", "gauge", NULL, "Whether virthostdevd is set up in front of libvirt's sockets", addInFront, 0},
    {"changes_total", "counter", NULL, "devices set for a guest, or given new settings", addCount, VIRT_COUNT_CHANGES},
    {"retries_total", "counter", NULL, "Requests sent again because the device was busy", addCount, VIRT_COUNT_RETRIES},
    {"refusals_total", "counter", NULL, "What failed because a driver refused or ignored a setting", addCount,
     VIRT_COUNT_REFUSALS},
    {"rollbacks_total", "counter", NULL, "Starts, attaches and updates undone", addCount, VIRT_COUNT_ROLLBACKS},
    {"restored_total", "counter", NULL, "devices restored to what they were before", addCount, VIRT_COUNT_RESTORED},
    {"drifts_total", "counter", NULL, "Settings that virthostdevd found changed by somebody else", addCount,
     VIRT_COUNT_DRIFTS},
    {"enforced_total", "counter", NULL, "How often virthostdevd has restored a VF that somebody else had changed",
     addCount, VIRT_COUNT_ENFORCED},
    {"unprovisioned_total", "counter", NULL, "Guests that virthostdevd saw start with a VF that nobody had set",
     addCount, VIRT_COUNT_UNPROVISIONED},
};

static void
addMetric(GString *text, const Metric *metric, const Subject *subject)
{
    g_autoptr(GString) samples = g_string_new(NULL);

    metric->add(metric, subject, samples);
    if (samples->len == 0)
        return;
    g_string_append_printf(text, "# HELP " PREFIX "%s %s\n", metric->name, metric->help);
    g_string_append_printf(text, "# TYPE " PREFIX "%s %s\n", metric->name, metric->type);
    if (metric->unit)
        g_string_append_printf(text, "# UNIT " PREFIX "%s %s\n", metric->name, metric->unit);
    g_string_append_len(text, samples->str, (gssize)samples->len);
}

/* Whoever reads @file while it is written reads the old one. */
static bool
replaceFile(const char *file, const GString *text, GError **error)
{
    mode_t before = umask(0777 & ~FILE_MODE);
    bool ok =
        g_file_set_contents_full(file, text->str, (gssize)text->len, G_FILE_SET_CONTENTS_CONSISTENT, FILE_MODE, error);

    umask(before);
    return ok;
}

bool
virtStatusWriteMetrics(virtTool *tool, const char *file, GError **error)
{
    g_autoptr(virtGuestPorts) guests = virtGuestPortsRead(tool->host, error);
    g_autoptr(GString) text = NULL;
    Subject subject = {.tool = tool, .guests = guests};

    if (!guests)
        return false;
    virtStateCountTotal(tool->host, subject.counts);
    text = g_string_new(NULL);
    for (guint i = 0; i < G_N_ELEMENTS(metrics); i++)
        addMetric(text, &metrics[i], &subject);
    g_string_append(text, "# EOF\n");
    if (file)
        return replaceFile(file, text, error);
    fputs(text->str, stdout);
    return true;
}
