/* virnetdevwrite.c: write the settings of a VF one by one, another way where a driver needs one
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virerror.h"
#include "util/virnetdevhostdevpriv.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <string.h>

/* Write one attribute over rtnetlink; a port GUID that is refused there, through sysfs. */
static int
writeAsIs(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, virtNetdevAttr attr,
          char **ret_reason)
{
    int rc = virtNetlinkSetVF(host, port, vf, wanted, VIRT_NETDEV_BIT(attr), ret_reason);
    int other = rc < 0 && attr == VIRT_NETDEV_PORT_GUID ? virtNetDevGuidWrite(host, vf, port, wanted) : -ENOENT;
    if (other == -ENOENT)
        return rc;
    if (ret_reason)
        g_clear_pointer(ret_reason, g_free);
    return other;
}

/* Write what stands for @wanted, unless the port shows it already. */
static int
writeInstead(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, virtNetdevAttr attr,
             const virtNetDevReading *now, const virtNetDevQuirk *quirk)
{
    virtNetdev other = *wanted;
    virtNetdevCopyAttr(&other, &quirk->instead, attr);
    if (now) {
        virtNetdev shown = now->netdev;
        memcpy(shown.mac, now->shownMac, sizeof(shown.mac));
        if (virtNetdevEqualAttr(&other, &shown, attr))
            return 0;
    }
    return virtNetDevWriteAttr(host, vf, port, &other, attr, now, NULL, NULL);
}

/* Write @wanted while what is in its way is lifted. */
static int
writeLifted(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, virtNetdevAttr attr,
            const virtNetDevReading *now, const virtNetDevQuirk *quirk)
{
    static const virtNetdev none;
    const guint behind = VIRT_NETDEV_BIT(quirk->behind);
    virtNetdev lifted = now->netdev;
    virtNetdevCopyAttr(&lifted, &none, quirk->behind);
    int rc = virtNetlinkSetVF(host, port, vf, &lifted, behind, NULL);
    if (rc < 0)
        return rc;
    rc = virtNetlinkSetVF(host, port, vf, wanted, VIRT_NETDEV_BIT(attr), NULL);
    int back = virtNetlinkSetVF(host, port, vf, &now->netdev, behind, NULL);
    return rc < 0 ? rc : back;
}

/* Write one attribute; where it is refused and virtNetDevQuirks knows another way, that way.
 *
 * @now: what the port says before, or NULL where it cannot be read
 * @ret_quirk: the row that made it possible, or NULL where none was needed; set on success only. May be NULL
 * @ret_reason: see virtNetlinkSetVF()
 *
 * Returns 0, or -errno of the first, plain try.
 */
int
virtNetDevWriteAttr(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted,
                    virtNetdevAttr attr, const virtNetDevReading *now, const virtNetDevQuirk **ret_quirk,
                    char **ret_reason)
{
    const virtNetDevQuirk *quirk = NULL;
    int rc = writeAsIs(host, vf, port, wanted, attr, ret_reason);
    if (rc < 0) {
        quirk = virtNetDevQuirkFind(attr, rc, wanted, now ? &now->netdev : NULL);
        if (!quirk)
            return rc;
        if (quirk->action != VIRT_QUIRK_INSTEAD && !now)
            return rc; /* what would be in its way is not known */
        int other = quirk->action == VIRT_QUIRK_INSTEAD ? writeInstead(host, vf, port, wanted, attr, now, quirk)
                                                        : writeLifted(host, vf, port, wanted, attr, now, quirk);
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
virtNetDevMayStay(const virtNetdev *wanted, virtNetdevAttr attr, int rc)
{
    return attr == VIRT_NETDEV_VLAN && virtNetdevIsUntagged(wanted) && (rc == -EPERM || rc == -EOPNOTSUPP);
}

/* Set attributes one by one, those of @todo (VIRT_NETDEV_BITs) that are still missing, and name the first that is
 * refused.
 *
 * Errors: VIRT_ERROR_REFUSED.
 */
bool
virtNetDevSetOneByOne(virtHost *host, const virtVF *vf, const virtPort *port, const virtNetdev *wanted, guint todo,
                      GError **error)
{
    virtNetDevReading reading;
    bool readable = virtNetDevReadPort(host, vf, port, &reading, NULL);
    if (readable)
        todo &= virtNetdevDiff(wanted, &reading.netdev);
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        g_autofree char *reason = NULL;
        if (!(todo & VIRT_NETDEV_BIT(attr)))
            continue;
        int rc = virtNetDevWriteAttr(host, vf, port, wanted, attr, readable ? &reading : NULL, NULL, &reason);
        if (rc == 0 || virtNetDevMayStay(wanted, attr, rc))
            continue;
        g_autofree char *sentence =
            virtNetDevFormatRefusal("set", vf, port, wanted, attr, rc, reason, virtNetdevGetRemedy(wanted, attr));
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_REFUSED, sentence);
        return false;
    }
    return true;
}
