/* virnetdevwrite.c: write the settings of a VF one by one, another way where a driver needs one, and name a refused one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virerror.h"
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetdevpath.h"

#include <errno.h>
#include <string.h>

/* Write one attribute over rtnetlink; a port GUID that is refused there, through sysfs. */
static int
writeAsIs(const virtNetdevTarget *at, const virtNetdev *wanted, virtNetdevAttr attr, char **ret_reason)
{
    int rc = virtNetdevPathSet(at->host, at->port, at->vf, wanted, VIRT_NETDEV_BIT(attr), ret_reason);
    int other;

    if (rc == 0 || attr != VIRT_NETDEV_PORT_GUID)
        return rc;
    other = virtNetdevGuidWrite(at, wanted);
    if (other == -ENOENT)
        return rc;
    if (ret_reason)
        g_clear_pointer(ret_reason, g_free);
    return other;
}

/* Write what stands for @wanted, unless the port shows it already. */
static int
writeInstead(const virtNetdevTarget *at, const virtNetdev *wanted, virtNetdevAttr attr, const virtNetdevReading *now,
             const virtNetdevQuirk *quirk)
{
    virtNetdev other = *wanted;

    virtNetdevCopyAttr(&other, &quirk->instead, attr);
    if (now) {
        virtNetdev shown = now->netdev;

        memcpy(shown.mac, now->shownMac, sizeof(shown.mac));
        if (virtNetdevEqualAttr(&other, &shown, attr))
            return 0;
    }
    return virtNetdevWriteAttr(at, &other, attr, now, NULL, NULL);
}

/* Write @wanted while what is in its way is lifted. */
static int
writeLifted(const virtNetdevTarget *at, const virtNetdev *wanted, virtNetdevAttr attr, const virtNetdevReading *now,
            const virtNetdevQuirk *quirk)
{
    static const virtNetdev none;
    const guint behind = VIRT_NETDEV_BIT(quirk->behind);
    virtNetdev lifted = now->netdev;
    int rc, back;

    virtNetdevCopyAttr(&lifted, &none, quirk->behind);
    rc = virtNetdevPathSet(at->host, at->port, at->vf, &lifted, behind, NULL);
    if (rc < 0)
        return rc;
    rc = virtNetdevPathSet(at->host, at->port, at->vf, wanted, VIRT_NETDEV_BIT(attr), NULL);
    back = virtNetdevPathSet(at->host, at->port, at->vf, &now->netdev, behind, NULL);
    if (rc < 0)
        return rc;
    return back;
}

/* Write one attribute; where it is refused and virtNetdevQuirks knows another way, that way.
 *
 * @now: what the port says before, or NULL where it cannot be read
 * @ret_quirk: the row that made it possible, or NULL where none was needed; set on success only. May be NULL
 * @ret_reason: see virtNetdevPathSet()
 *
 * Returns 0, or -errno of the first, plain try.
 */
int
virtNetdevWriteAttr(const virtNetdevTarget *at, const virtNetdev *wanted, virtNetdevAttr attr,
                    const virtNetdevReading *now, const virtNetdevQuirk **ret_quirk, char **ret_reason)
{
    const virtNetdevQuirk *quirk = NULL;
    int rc = writeAsIs(at, wanted, attr, ret_reason);

    if (rc < 0) {
        const virtNetdev *present = NULL;
        int other = rc;

        if (now)
            present = &now->netdev;
        quirk = virtNetdevQuirkFind(attr, rc, wanted, present);
        if (!quirk)
            return rc;
        if (quirk->action == VIRT_QUIRK_INSTEAD)
            other = writeInstead(at, wanted, attr, now, quirk);
        else if (now) /* else what is in its way is not known */
            other = writeLifted(at, wanted, attr, now, quirk);
        if (other < 0)
            return rc;
        if (ret_reason)
            g_clear_pointer(ret_reason, g_free);
    }
    if (ret_quirk)
        *ret_quirk = quirk;
    return 0;
}

/* Is it no failure that @attr was refused? An <interface> without a VLAN means an untagged guest, as libvirt has always
 * made it; where a card does not let its VLAN be written (EPERM, EOPNOTSUPP), libvirt leaves it alone
 * (src/util/virnetdev.c, 9.0), and so is it here.
 */
bool
virtNetdevWriteMayFail(const virtNetdev *wanted, virtNetdevAttr attr, int rc)
{
    return attr == VIRT_NETDEV_VLAN && virtNetdevIsUntagged(wanted) && (rc == -EPERM || rc == -EOPNOTSUPP);
}

/* --- a refusal in a sentence --- */

/* "VLAN 42 on port 1 (VF 3 of enp65s0f0, 0000:41:00.2)" */
static char *
describe(const virtNetdevTarget *at, const virtNetdev *netdev, virtNetdevAttr attr)
{
    g_autofree char *value = virtNetdevAttrs[attr].format(netdev);

    return g_strdup_printf("%s %s on port %u (VF %u of %s, %s)", virtNetdevAttrs[attr].title, value, at->port->port,
                           at->vf->index, at->port->ifname, at->vf->name);
}

/* " Do this.", or "" where nothing better is known than the @usual. */
static char *
advise(const virtNetdevTarget *at, virtNetdevAttr attr, int rc, const char *usual)
{
    if (virtNetdevQuirkPatience(rc, VIRT_NETDEV_BIT(attr)) > 0)
        return g_strdup(". The device is busy, perhaps being reset: try again");
    if (!at->port->up) {
        return g_strdup_printf(". PF netdev %s is down: bring it up with 'ip link set dev %s up'", at->port->ifname,
                               at->port->ifname);
    }
    if (*usual)
        return g_strdup_printf(". %s", usual);
    return g_strdup("");
}

/* A refusal in a sentence: what, where, why, what to do.
 *
 * @verb: "set", "restore"
 * @rc: -errno as the kernel gave it
 * @reason: the kernel's own words, or NULL
 * @usual: what to do where nothing better is known, or ""
 */
char *
virtNetdevWriteDescribeRefusal(const char *verb, const virtNetdevTarget *at, const virtNetdev *netdev,
                               virtNetdevAttr attr, int rc, const char *reason, const char *usual)
{
    g_autofree char *what = describe(at, netdev, attr);
    g_autofree char *advice = advise(at, attr, rc, usual);

    if (reason)
        return g_strdup_printf("Cannot %s %s: %s (%s)%s", verb, what, g_strerror(-rc), reason, advice);
    return g_strdup_printf("Cannot %s %s: %s%s", verb, what, g_strerror(-rc), advice);
}

/* An acknowledged write that is not there, in a sentence.
 *
 * @verb, @usual: as above
 * @reading: what the port shows instead
 */
char *
virtNetdevWriteDescribeIgnored(const char *verb, const virtNetdevTarget *at, const virtNetdev *netdev,
                               virtNetdevAttr attr, const virtNetdevReading *reading, const char *usual)
{
    virtNetdev shown = reading->netdev;
    g_autofree char *what = NULL;
    g_autofree char *value = NULL;
    g_autofree char *advice = NULL;

    memcpy(shown.mac, reading->shownMac, sizeof(shown.mac));
    what = describe(at, netdev, attr);
    value = virtNetdevAttrs[attr].format(&shown);
    advice = advise(at, attr, 0, usual);
    return g_strdup_printf("Cannot %s %s: the driver acknowledged it, but the value is now %s%s", verb, what, value,
                           advice);
}

/* --- all settings of a port --- */

/* Set attributes one by one, those of @todo (VIRT_NETDEV_BITs) that are still missing, and name the first that is
 * refused.
 *
 * Errors: VIRT_ERROR_REFUSED.
 */
bool
virtNetdevWriteOneByOne(const virtNetdevTarget *at, const virtNetdev *wanted, guint todo, GError **error)
{
    virtNetdevReading reading;
    const virtNetdevReading *now = NULL;

    if (virtNetdevReadPort(at, &reading, NULL)) {
        now = &reading;
        todo &= virtNetdevDiff(wanted, &reading.netdev);
    }
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *reason = NULL;
        int rc;
        g_autofree char *sentence = NULL;

        if (!(todo & VIRT_NETDEV_BIT(attr)))
            continue;
        rc = virtNetdevWriteAttr(at, wanted, attr, now, NULL, &reason);
        if (rc == 0 || virtNetdevWriteMayFail(wanted, attr, rc))
            continue;
        sentence =
            virtNetdevWriteDescribeRefusal("set", at, wanted, attr, rc, reason, virtNetdevGetRemedy(wanted, attr));
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, sentence);
        return false;
    }
    return true;
}
