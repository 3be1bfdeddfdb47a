/* cmd_apply.c: virt-hostdev apply and release: the same provisioning for a QEMU or DPDK started by hand
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

#include "util/virerror.h"

/* A name is typed again to release by, and printed in messages and tables. */
static bool
checkName(const char *name, GError **error)
{
    bool ok = *name && strlen(name) <= 255 && g_utf8_validate(name, -1, NULL);

    for (const char *p = name; ok && *p; p = g_utf8_next_char(p))
        ok = g_unichar_isprint(g_utf8_get_char(p));
    if (!ok)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "The owner's name must be 1 to 255 bytes of printable text. Choose another with --owner=NAME");
    return ok;
}

/* "2 devices set for 'dpdk'" */
static void
printCount(guint n, const char *done, const char *owner)
{
    if (n == 1)
        printf("1 device %s for '%s'\n", done, owner);
    else
        printf("%u devices %s for '%s'\n", n, done, owner);
}

static guint
countSettable(const virtDomainConf *domain)
{
    guint n = 0;

    for (guint i = 0; i < domain->hostdevs->len; i++)
        n += !virtSettingsAreEmpty(&((const virtHostdev *)domain->hostdevs->pdata[i])->settings);
    return n;
}

/* libvirt chooses the VF of an interface from a network, and libvirt is not asked here. */
static bool
checkNoNetwork(const virtDomainConf *domain, const char *file, GError **error)
{
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];

        if (!virtHandleIsNetwork(&hostdev->handle))
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "%s has an <interface type='network'> with netdevs in line %u, whose VF libvirt chooses when the domain starts: define and start the domain, or drop it",
            file, hostdev->line);
        return false;
    }
    return true;
}

bool
virtCmdApply(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autofree char *name = NULL;
    const GOptionEntry entries[] = {
        {"owner", 0, 0, G_OPTION_ARG_STRING, &name, "the name to release the VFs by (default: the domain's name)",
         "NAME"},
        {NULL},
    };
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(virtOwner) owner = NULL;
    guint n;

    if (!virtToolOptions(tool, entries, &argc, &argv, 1, 1, error) ||
        /* What an interface says is set or refused: there is no libvirt to leave it to. */
        !(domain = virtToolReadDomain(tool, argv[1], VIRT_DOMAIN_ALL_INTERFACES, error)))
        return false;
    if (!name)
        name = g_strdup(domain->name);
    if (!name) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%s has no domain name: give the VFs an owner with --owner=NAME, to release them by", argv[1]);
        return false;
    }
    if (!checkName(name, error) || !checkNoNetwork(domain, argv[1], error))
        return false;
    n = countSettable(domain);
    if (n == 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%s has neither a <hostdev> with a <netdev> nor an <interface type='hostdev'>: nothing to set",
                    argv[1]);
        return false;
    }
    owner = virtOwnerNew(name, NULL);
    if (!virtProvisionPrepare(tool->host, owner, domain->hostdevs, error))
        return false;
    printCount(n, "set", owner->name);
    return true;
}

bool
virtCmdRelease(virtTool *tool, int argc, char **argv, GError **error)
{
    g_autoptr(GPtrArray) records = NULL;
    g_autoptr(virtOwner) owner = NULL;
    guint n = 0;

    if (!virtToolOptions(tool, NULL, &argc, &argv, 1, 1, error))
        return false;
    owner = virtOwnerNew(argv[1], NULL);
    if (!(records = virtProvisionRecordList(tool->host, error)))
        return false;
    for (guint i = 0; i < records->len; i++)
        n += virtOwnerEqual(owner, &((virtRecord *)records->pdata[i])->owner);
    if (n == 0) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "'%s' has no VFs. virt-hostdev status shows who does; those of a domain are restored when it stops",
                    argv[1]);
        return false;
    }
    if (!virtProvisionRelease(tool->host, owner, NULL, VIRT_RESTORE_RELEASED, error))
        return false;
    printCount(n, "restored", argv[1]);
    return true;
}
