/* virnetdevhostdev.c: read, set and put back the netdevs of one VF
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation
 *
 * A VF has one netdev a port, and each is set through the netdev of the PF with the same port number. All three
 * functions speak one vocabulary, lists of virtNetdev: Read returns what the kernel has, Set makes it what is
 * wanted, Restore makes it what Read once returned.
 *
 * Set writes only what differs, a port in one request, since a request costs the host a turn under RTNL. The
 * kernel does not say which attribute it refused, and keeps those before it; so after a refusal the port is read
 * again and what is still missing goes attribute by attribute, until the refused one has a name. Then every port
 * is read back once: drivers acknowledge what they ignore, and some write one port through the other. Set stops
 * at the first failure and leaves what is set; its caller holds what Read returned and restores that.
 *
 * Restore must get as far as it can, for what stays behind is one guest's MAC and VLAN on the next guest's VF.
 * It works in passes: read all ports, write what differs, read again. A pass that leaves less than the one before
 * is followed by another, because one attribute can stand in the way of another (mlx4 changes no VLAN while a
 * rate is set). What is left when a pass gains nothing is reported, all of it.
 *
 * Some drivers cannot be given back what they had: zero is not taken as a MAC address (then the placeholder
 * 02:00:00:00:00:00 is written, and said so), "no VLAN" is 4095 instead of 0.
 *
 * A MAC address that is read has two meanings: igb reports, where no admin MAC is set, the address its VF driver
 * made up. Written back, that would become an admin MAC. So a MAC that equals the VF's own netdev's, and that
 * netdev says its address is random, is read as none. It can also be the very address a user wants, so when a
 * written MAC is checked, either reading will do.
 *
 * Whether the VF's index still leads to the same PCI address is the caller's to see to: it looks the VF up just
 * before, under the PF's lock.
 */
#include "util/virnetdevhostdev.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <string.h>

#define ADDR_RANDOM 1 /* NET_ADDR_RANDOM of linux/netdevice.h */

/* What libvirt falls back to as well where a driver refuses zero (virnetdev.c, 9.0): locally administered, unicast. */
static const guint8 placeholderMac[6] = {0x02};

/* One port's settings as the kernel has them. */
typedef struct {
    virtNetdev netdev;
    guint8 shownMac[6]; /* as IFLA_VF_MAC says; where that is only the VF driver's own, netdev.mac is zero */
} Reading;

static bool
readPort(virtHost *host, const virtVF *vf, const virtPort *port, Reading *ret, GError **error)
{
    Reading reading;
    if (!virtNetlinkGetVF(host, port, vf->index, &reading.netdev, error))
        return false;
    memcpy(reading.shownMac, reading.netdev.mac, sizeof(reading.shownMac));
    g_autoptr(GPtrArray) own = virtPCIGetPorts(host, &vf->address, NULL);
    for (guint i = 0; own && i < own->len; i++) {
        const virtPort *netdev = own->pdata[i];
        if (netdev->port == port->port && netdev->addrAssignType == ADDR_RANDOM &&
            memcmp(netdev->mac, reading.shownMac, sizeof(netdev->mac)) == 0)
            memset(reading.netdev.mac, 0, sizeof(reading.netdev.mac));
    }
    *ret = reading;
    return true;
}

/* Of the attributes both know, those that are not as wanted. */
static guint
findIgnored(const virtNetdev *wanted, const Reading *reading)
{
    guint bits = virtNetdevDiff(wanted, &reading->netdev) & reading->netdev.present;
    if (memcmp(wanted->mac, reading->shownMac, sizeof(wanted->mac)) == 0)
        bits &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    return bits;
}

/* Read what the kernel has for the netdevs of a VF: everything it reports, whether anybody asked for it or not.
 *
 * @ports: a list of virtNetdev whose port numbers are wanted, or NULL for all ports of the PF
 *
 * Returns a list of virtNetdev sorted by port, for g_ptr_array_unref(). What the driver does not report (a GUID, a
 * port profile, on some drivers trust) has no bit in `present`. Errors: VIRT_ERROR_HOST when there is no such port
 * or the kernel does not answer; VIRT_ERROR_REFUSED when the VF is not in its list.
 */
GPtrArray *
virtNetDevHostdevRead(virtHost *host, const virtVF *vf, const GPtrArray *ports, GError **error)
{
    g_autoptr(GPtrArray) list = virtNetdevListNew();
    guint n = ports ? ports->len : vf->ports->len;
    for (guint i = 0; i < n; i++) {
        const virtPort *port =
            ports ? virtVFGetPort(vf, ((const virtNetdev *)ports->pdata[i])->port, error) : vf->ports->pdata[i];
        Reading reading;
        if (!port || !readPort(host, vf, port, &reading, error))
            return NULL;
        g_ptr_array_add(list, virtNetdevCopy(&reading.netdev));
    }
    virtNetdevListSort(list);
    return g_steal_pointer(&list);
}

/* "VLAN 42 on port 1 (VF 3 of enp65s0f0, 0000:41:00.2)" */
static char *
describe(const virtVF *vf, const virtPort *port, const virtNetdev *netdev, virtNetdevAttr attr)
{
    g_autofree char *value = virtNetdevAttrs[attr].format(netdev);
    return g_strdup_printf("%s %s on port %u (VF %u of %s, %s)", virtNetdevAttrs[attr].title, value, port->port,
                           vf->index, port->ifname, vf->name);
}

/* " Do this.", or "" where nothing better is known than the @usual. */
static char *
advise(const virtPort *port, int rc, const char *usual)
{
    if (rc == -EAGAIN || rc == -EBUSY)
        return g_strdup(" The device is busy, perhaps being reset: try again.");
    if (!port->up)
        return g_strdup_printf(" PF netdev %s is down: bring it up with 'ip link set dev %s up'.", port->ifname,
                               port->ifname);
    return *usual ? g_strdup_printf(" %s", usual) : g_strdup("");
}

/* A refusal in a sentence: what, where, why, what to do. */
static char *
formatRefusal(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev, virtNetdevAttr attr,
              int rc, const char *reason, const char *usual)
{
    g_autofree char *what = describe(vf, port, netdev, attr);
    g_autofree char *advice = advise(port, rc, usual);
    if (reason)
        return g_strdup_printf("Cannot %s %s: %s (%s).%s", verb, what, g_strerror(-rc), reason, advice);
    return g_strdup_printf("Cannot %s %s: %s.%s", verb, what, g_strerror(-rc), advice);
}

/* An acknowledged write that is not there. */
static char *
formatIgnored(const char *verb, const virtVF *vf, const virtPort *port, const virtNetdev *netdev, virtNetdevAttr attr,
              const Reading *reading, const char *usual)
{
    virtNetdev shown = reading->netdev;
    memcpy(shown.mac, reading->shownMac, sizeof(shown.mac));
    g_autofree char *what = describe(vf, port, netdev, attr);
    g_autofree char *value = virtNetdevAttrs[attr].format(&shown);
    g_autofree char *advice = advise(port, 0, usual);
    return g_strdup_printf("Cannot %s %s: the driver acknowledged it, but %s is what it has now.%s", verb, what, value,
                           advice);
}

/* Set attributes one by one, those that are still missing, and name the first that is refused. */
static bool
setOneByOne(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, guint todo,
            GError **error)
{
    Reading reading;
    if (readPort(host, vf, port, &reading, NULL))
        todo &= virtNetdevDiff(wanted, &reading.netdev);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *reason = NULL;
        int rc =
            todo & VIRT_NETDEV_BIT(attr) ? virtNetlinkSetVF(host, port, vf, wanted, VIRT_NETDEV_BIT(attr), &reason) : 0;
        if (rc == 0)
            continue;
        g_autofree char *sentence =
            formatRefusal("set", vf, port, wanted, attr, rc, reason, virtNetdevAttrs[attr].remedy);
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, sentence);
        return false;
    }
    return true;
}

/* Are all ports as wanted, as far as the driver tells? */
static bool
verify(virtHost *host, const virtVF *vf, const GPtrArray *wanted, GError **error)
{
    for (guint i = 0; i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        const virtPort *port = virtVFGetPort(vf, netdev->port, error);
        Reading reading;
        if (!port || !readPort(host, vf, port, &reading, error))
            return false;
        guint ignored = findIgnored(netdev, &reading);
        if (!ignored)
            continue;
        virtNetdevAttr attr = (virtNetdevAttr)g_bit_nth_lsf(ignored, -1);
        g_autofree char *sentence =
            formatIgnored("set", vf, port, netdev, attr, &reading, virtNetdevAttrs[attr].remedy);
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, sentence);
        return false;
    }
    return true;
}

/* Make the netdevs of a VF what @wanted says, and read back that they are.
 *
 * @wanted: what each gives is set, nothing else is touched
 * @present: what virtNetDevHostdevRead() returned for these ports; what agrees with it is not written
 *
 * Stops at the first failure. What was set until then stays: the caller restores what it read.
 * Errors: VIRT_ERROR_HOST when there is no such port (then nothing was written) or nothing can be read back;
 * VIRT_ERROR_REFUSED when an attribute was refused, or acknowledged and ignored.
 */
bool
virtNetDevHostdevSet(virtHost *host, const virtVF *vf, const GPtrArray *wanted, const GPtrArray *present,
                     GError **error)
{
    bool written = false;
    for (guint i = 0; i < wanted->len; i++)
        if (!virtVFGetPort(vf, ((const virtNetdev *)wanted->pdata[i])->port, error))
            return false;
    for (guint i = 0; i < wanted->len; i++) {
        const virtNetdev *netdev = wanted->pdata[i];
        const virtNetdev *known = virtNetdevListFind(present, netdev->port);
        const virtPort *port = virtVFGetPort(vf, netdev->port, NULL);
        guint todo = known ? virtNetdevDiff(netdev, known) : netdev->present;
        if (!todo)
            continue;
        written = true;
        /* A single attribute needs no second try to be named. */
        bool together = (todo & (todo - 1)) && virtNetlinkSetVF(host, port, vf, netdev, todo, NULL) == 0;
        if (!together && !setOneByOne(host, vf, port, netdev, todo, error))
            return false;
    }
    return !written || verify(host, vf, wanted, error);
}

/* --- Restore --- */

/* One netdev to put back. */
typedef struct {
    const virtNetdev *before;
    const virtPort *port; /* NULL: the PF has no such port any more */
    bool readable;
    Reading now;
    guint todo;         /* what is not yet as before */
    guint acknowledged; /* what the kernel took in this restore: all we know of what is not reported */
    bool placeholder;   /* placeholderMac stands for "no MAC address" here */
    GError *problem;    /* why it cannot be read, or has no port */
    char *refusals[VIRT_NETDEV_ATTR_LAST]; /* the last sentence about each */
} Job;

static void
jobFree(gpointer data)
{
    Job *job = data;
    g_clear_error(&job->problem);
    for (guint i = 0; i < VIRT_NETDEV_ATTR_LAST; i++)
        g_free(job->refusals[i]);
    g_free(job);
}

static GPtrArray *
newJobs(const virtVF *vf, const GPtrArray *before)
{
    GPtrArray *jobs = g_ptr_array_new_with_free_func(jobFree);
    for (guint i = 0; i < before->len; i++) {
        Job *job = g_new0(Job, 1);
        job->before = before->pdata[i];
        job->port = virtVFGetPort(vf, job->before->port, &job->problem);
        g_ptr_array_add(jobs, job);
    }
    return jobs;
}

/* Read the port and find what is left to do. A port that cannot be read may still be written: everything then. */
static void
checkJob(virtHost *host, const virtVF *vf, Job *job)
{
    if (!job->port)
        return;
    g_clear_error(&job->problem);
    job->readable = readPort(host, vf, job->port, &job->now, &job->problem);
    job->todo = job->before->present;
    if (!job->readable)
        return;
    /* A port that was shown to have an attribute shows it again; one that is not shown is believed when written. */
    job->todo = virtNetdevDiff(job->before, &job->now.netdev) & ~(job->acknowledged & ~job->now.netdev.present);
    bool none = virtMacIsZero(job->before->mac);
    bool stands = job->placeholder && memcmp(job->now.shownMac, placeholderMac, sizeof(placeholderMac)) == 0;
    bool written = job->acknowledged & VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) &&
                   memcmp(job->now.shownMac, job->before->mac, sizeof(job->before->mac)) == 0;
    if ((none && stands) || written)
        job->todo &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
}

/* The driver refused zero as a MAC address. */
static int
restorePlaceholder(virtHost *host, const virtVF *vf, Job *job)
{
    virtNetdev netdev = *job->before;
    memcpy(netdev.mac, placeholderMac, sizeof(placeholderMac));
    bool there = job->readable && memcmp(job->now.shownMac, placeholderMac, sizeof(placeholderMac)) == 0;
    int rc = there ? 0 : virtNetlinkSetVF(host, job->port, vf, &netdev, VIRT_NETDEV_BIT(VIRT_NETDEV_MAC), NULL);
    job->placeholder = rc == 0;
    if (rc == 0 && !there)
        virtHostWarn(
            host,
            "Port %u (VF %u of %s, %s) had no MAC address set and its driver refuses to take one away: it now has 02:00:00:00:00:00.",
            job->port->port, vf->index, job->port->ifname, vf->name);
    return rc;
}

/* The driver refused "no VLAN" as 0, or changes no VLAN while a rate is set: lift that for the moment. */
static int
restoreVlan(virtHost *host, const virtVF *vf, Job *job)
{
    const guint vlan = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN), bandwidth = VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    virtNetdev other = *job->before;
    other.vlan.id = 4095;
    int rc = job->before->vlan.id == 0 ? virtNetlinkSetVF(host, job->port, vf, &other, vlan, NULL) : -EINVAL;
    if (rc == 0 || !job->readable || !(job->now.netdev.present & bandwidth) || job->now.netdev.bandwidth.average == 0)
        return rc;
    memset(&other.bandwidth, 0, sizeof(other.bandwidth));
    rc = virtNetlinkSetVF(host, job->port, vf, &other, bandwidth, NULL);
    if (rc < 0)
        return rc;
    rc = virtNetlinkSetVF(host, job->port, vf, job->before, vlan, NULL);
    int back = virtNetlinkSetVF(host, job->port, vf, &job->now.netdev, bandwidth, NULL);
    return rc < 0 ? rc : back;
}

/* Is there another way to what was refused, and did it work? */
static bool
restoreOtherwise(virtHost *host, const virtVF *vf, Job *job, virtNetdevAttr attr)
{
    if (attr == VIRT_NETDEV_MAC && virtMacIsZero(job->before->mac))
        return restorePlaceholder(host, vf, job) == 0;
    return attr == VIRT_NETDEV_VLAN && restoreVlan(host, vf, job) == 0;
}

static void
restoreAttr(virtHost *host, const virtVF *vf, Job *job, virtNetdevAttr attr)
{
    g_autofree char *reason = NULL;
    int rc = virtNetlinkSetVF(host, job->port, vf, job->before, VIRT_NETDEV_BIT(attr), &reason);
    /* What a driver neither reports nor supports was not set by anybody. */
    bool never = rc == -EOPNOTSUPP && job->readable && !virtNetdevHas(&job->now.netdev, attr);
    g_clear_pointer(&job->refusals[attr], g_free);
    if (rc == 0 || never || restoreOtherwise(host, vf, job, attr))
        job->acknowledged |= VIRT_NETDEV_BIT(attr);
    else
        job->refusals[attr] = formatRefusal("restore", vf, job->port, job->before, attr, rc, reason, "");
}

/* Write what is left to do: together, and what that leaves, one by one. */
static void
restoreJob(virtHost *host, const virtVF *vf, Job *job)
{
    if (!job->port)
        return;
    if (job->todo & (job->todo - 1)) {
        if (virtNetlinkSetVF(host, job->port, vf, job->before, job->todo, NULL) == 0) {
            job->acknowledged |= job->todo;
            return;
        }
        checkJob(host, vf, job);
    }
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++)
        if (job->todo & VIRT_NETDEV_BIT(attr))
            restoreAttr(host, vf, job, attr);
}

/* How much is not yet as before, all ports together; 0 is done. */
static guint
checkJobs(virtHost *host, const virtVF *vf, const GPtrArray *jobs)
{
    guint left = 0;
    for (guint i = 0; i < jobs->len; i++) {
        Job *job = jobs->pdata[i];
        checkJob(host, vf, job);
        left += (job->problem ? 1 : 0) + (guint)__builtin_popcount(job->todo);
    }
    return left;
}

static void
appendSentence(GString *text, const char *sentence)
{
    g_string_append_printf(text, "%s%s", text->len ? " " : "", sentence);
}

/* Everything about one netdev that is not as before. */
static void
appendFailures(GString *text, const virtVF *vf, const Job *job)
{
    if (job->problem)
        appendSentence(text, job->problem->message);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (!(job->todo & VIRT_NETDEV_BIT(attr)))
            continue;
        g_autofree char *ignored = NULL;
        if (!job->refusals[attr] && job->readable)
            ignored = formatIgnored("restore", vf, job->port, job->before, attr, &job->now, "");
        if (job->refusals[attr] || ignored)
            appendSentence(text, job->refusals[attr] ? job->refusals[attr] : ignored);
    }
}

/* Make the netdevs of a VF what @before says, and read back that they are. Nothing is written where all agrees.
 *
 * @before: what virtNetDevHostdevRead() returned, or a part of it. What the driver does not report is written
 *          once and believed
 *
 * Goes on past every failure. A driver that takes no MAC address away is given 02:00:00:00:00:00, which
 * virtHostWarn() tells; that is success. Errors: VIRT_ERROR_REFUSED, one message with a sentence for each setting
 * that is not as before.
 */
bool
virtNetDevHostdevRestore(virtHost *host, const virtVF *vf, const GPtrArray *before, GError **error)
{
    g_autoptr(GPtrArray) jobs = newJobs(vf, before);
    guint left = checkJobs(host, vf, jobs);
    for (guint earlier = G_MAXUINT; left > 0 && left < earlier;) {
        earlier = left;
        for (guint i = 0; i < jobs->len; i++)
            restoreJob(host, vf, jobs->pdata[i]);
        left = checkJobs(host, vf, jobs);
    }
    if (left == 0)
        return true;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < jobs->len; i++)
        appendFailures(text, vf, jobs->pdata[i]);
    g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, text->str);
    return false;
}
