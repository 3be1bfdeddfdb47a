/* virnetdevrestore.c: put the netdevs of one VF back
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation
 *
 * Restore must get as far as it can, for what stays behind is one guest's MAC and VLAN on the next guest's VF.
 * It works in passes: read all ports, write what differs, read again. A pass that leaves less than the one before
 * is followed by another, because one attribute can stand in the way of another (quirk "mac-behind-spoofcheck").
 * What is left when a pass gains nothing is reported, all of it.
 *
 * Of a MAC address that was `unknown` it could not be told whether an administrator had set it. As long as it is shown,
 * nobody has written another, and it is left alone. Else it is taken away: written back, one that the VF's driver had
 * made up would stay for ever, as the admin MAC of a VF whose netdev can never change it. Only where the driver takes
 * none away it is written back, for another would be there in its place.
 *
 * Some drivers cannot be given back what they had: zero is not taken as a MAC address. What is written instead
 * (quirk "zero-mac") counts as restored, and is told.
 */
#include "util/virerror.h"
#include "util/virnetdevhostdev.h"
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <string.h>

/* One netdev to put back. */
typedef struct {
    const virtNetdev *was; /* what was read */
    virtNetdev before;     /* what is to be made of that: the same, with nothing unknown */
    const virtPort *port;  /* NULL: the PF has no such port any more, or its netdev is out of reach */
    bool readable;
    virtNetdevReading now;
    guint todo;                     /* what is not yet as before */
    guint acknowledged;             /* what the kernel took in this restore: all we know of what is not reported */
    const virtNetdevQuirk *standIn; /* its MAC address stands for none here */
    guint64 foundGuid;              /* the port GUID before this restore wrote one */
    GError *problem;                /* why it cannot be read, or has no port */
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
        job->was = before->pdata[i];
        job->before = *job->was;
        job->before.unknown = 0;
        if (virtNetdevIsUnknown(job->was, VIRT_NETDEV_MAC))
            memset(job->before.mac, 0, sizeof(job->before.mac));
        job->port = virtVFGetPort(vf, job->was->port, &job->problem);
        g_ptr_array_add(jobs, job);
    }
    return jobs;
}

/* Where zero was written as the port GUID, has the subnet manager answered with one of its choice? */
static bool
isGuidChosen(Job *job)
{
    if (!(job->acknowledged & VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID)))
        job->foundGuid = job->now.netdev.portGuid;
    return job->before.portGuid == 0 && job->now.netdev.portGuid != job->foundGuid;
}

/* Is the MAC address that is shown as good as what was there before? */
static bool
isMacDone(const Job *job)
{
    const guint8 *shown = job->now.shownMac;
    bool unknown = virtNetdevIsUnknown(job->was, VIRT_NETDEV_MAC);
    if (job->standIn && memcmp(shown, job->standIn->instead.mac, sizeof(job->now.shownMac)) == 0)
        return true;
    if (unknown && memcmp(shown, job->was->mac, sizeof(job->was->mac)) == 0)
        return true; /* it was not changed */
    if (!(job->acknowledged & VIRT_NETDEV_BIT(VIRT_NETDEV_MAC)))
        return false;
    /* One that is taken away: what a VF's driver out of sight has chosen since then is its own affair. */
    if (virtMacIsZero(job->before.mac) && virtNetdevIsUnknown(&job->now.netdev, VIRT_NETDEV_MAC))
        return true;
    return memcmp(shown, job->before.mac, sizeof(job->before.mac)) == 0;
}

/* Read the port and find what is left to do. A port that cannot be read may still be written: everything then. */
static void
checkJob(virtHost *host, const virtVF *vf, Job *job)
{
    if (!job->port)
        return;
    g_clear_error(&job->problem);
    job->readable = virtNetdevReadPort(host, vf, job->port, &job->now, &job->problem);
    job->todo = job->before.present;
    if (g_error_matches(job->problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        job->port = NULL; /* the ifindex is another netdev's */
        job->todo = 0;
    }
    if (!job->readable)
        return;
    /* A port that was shown to have an attribute shows it again; one that is not shown is believed when written. */
    job->todo = virtNetdevDiff(&job->before, &job->now.netdev) & ~(job->acknowledged & ~job->now.netdev.present);
    if (isMacDone(job))
        job->todo &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    if (isGuidChosen(job))
        job->todo &= ~VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
}

/* The driver takes no MAC address away: it has another now. */
static void
standIn(virtHost *host, const virtVF *vf, Job *job, const virtNetdevQuirk *quirk)
{
    char mac[18];
    bool there = job->readable && memcmp(job->now.shownMac, quirk->instead.mac, sizeof(job->now.shownMac)) == 0;
    job->standIn = quirk;
    virtMacFormat(quirk->instead.mac, mac);
    if (!there)
        virtHostWarn(
            host,
            "Port %u (VF %u of %s, %s) had no MAC address set and its driver refuses to take one away: it now has %s.",
            job->port->port, vf->index, job->port->ifname, vf->name, mac);
}

/* Take a MAC address away of which it is not known whether it was set; or write the one that was shown then. */
static int
clearUnknown(virtHost *host, const virtVF *vf, Job *job, char **ret_reason)
{
    const guint mac = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    int rc = virtNetlinkSetVF(host, job->port, vf, &job->before, mac, ret_reason);
    if (rc == 0 || !virtNetdevQuirkFind(VIRT_NETDEV_MAC, rc, &job->before, NULL))
        return rc;
    g_clear_pointer(ret_reason, g_free);
    memcpy(job->before.mac, job->was->mac, sizeof(job->before.mac));
    return virtNetlinkSetVF(host, job->port, vf, &job->before, mac, ret_reason);
}

static void
restoreAttr(virtHost *host, const virtVF *vf, Job *job, virtNetdevAttr attr)
{
    g_autofree char *reason = NULL;
    const virtNetdevQuirk *quirk = NULL;
    bool unknown = attr == VIRT_NETDEV_MAC && virtNetdevIsUnknown(job->was, attr) && !virtMacIsZero(job->was->mac);
    int rc;
    if (unknown)
        rc = clearUnknown(host, vf, job, &reason);
    else
        rc = virtNetdevWriteAttr(host, vf, job->port, &job->before, attr, job->readable ? &job->now : NULL, &quirk,
                                 &reason);
    /* What a driver neither reports nor supports was not set by anybody. */
    bool never = rc == -EOPNOTSUPP && job->readable && !virtNetdevHas(&job->now.netdev, attr);
    g_clear_pointer(&job->refusals[attr], g_free);
    if (quirk && attr == VIRT_NETDEV_MAC)
        standIn(host, vf, job, quirk);
    if (rc == 0 || never)
        job->acknowledged |= VIRT_NETDEV_BIT(attr);
    else
        job->refusals[attr] =
            virtNetdevWriteDescribeRefusal("restore", vf, job->port, &job->before, attr, rc, reason, "");
}

/* Write what is left to do: together, and what that leaves, one by one. */
static void
restoreJob(virtHost *host, const virtVF *vf, Job *job)
{
    if (!job->port)
        return;
    if (job->todo & (job->todo - 1)) {
        if (virtNetlinkSetVF(host, job->port, vf, &job->before, job->todo, NULL) == 0) {
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
            ignored = virtNetdevWriteDescribeIgnored("restore", vf, job->port, &job->before, attr, &job->now, "");
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
