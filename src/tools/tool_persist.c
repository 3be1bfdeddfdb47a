/* tool_persist.c: mediated devices of a domain, defined as node devices, so that others see them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <string.h>

#include "conf/mdev_conf.h"
#include "util/virerror.h"
#include "util/virmdevparent.h"

/* As virsh nodedev-define takes it (docs/formatnode.rst in libvirt). */
static char *
makeXml(const char *uuid, const char *parent, const virtMdev *mdev)
{
    g_autofree char *head =
        g_markup_printf_escaped("<device><parent>%s</parent><capability type='mdev'><type id='%s'/><uuid>%s</uuid>",
                                parent, mdev->made.type, uuid);
    GString *text = g_string_new(head);

    for (guint i = 0; i < mdev->attrs.count; i++) {
        const virtMdevValue *value = &mdev->attrs.of[i];
        g_autofree char *attr = g_markup_printf_escaped("<attr name='%s' value='%s'/>", value->name, value->value);

        g_string_append(text, attr);
    }
    g_string_append(text, "</capability></device>");
    return g_string_free(text, FALSE);
}

static bool
persistOne(virtTool *tool, virConnectPtr conn, const char *uuid, const virtMdev *mdev, GError **error)
{
    g_autoptr(virtMdevParent) parent = virtMdevParentFind(tool->host, mdev->made.parent, error);
    g_autofree char *what = g_strdup_printf("mediated device %s could not be defined", uuid);
    g_autofree char *xml = NULL;
    virNodeDevicePtr device;

    if (parent && !parent->nodedev)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "libvirt has no name for its parent %s", parent->name);
    if (!parent || !parent->nodedev) {
        g_prefix_error(error, "%s: ", what);
        return false;
    }
    xml = makeXml(uuid, parent->nodedev, mdev);
    if (!(device = virNodeDeviceDefineXML(conn, xml, 0))) {
        virtToolLibvirtError(error, what);
        return false;
    }
    virNodeDeviceFree(device);
    printf("Mediated device %s defined\n", uuid);
    return true;
}

/* Define the mediated devices that are made for the domain of @stock, in stock form, as libvirt has node devices
 * defined: mdevctl lists them then, and can start them too. What is defined already stays as it is, where <mdev> leaves
 * it to that. */
bool
virtToolPersist(virtTool *tool, virConnectPtr conn, const char *stock, GError **error)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(stock, strlen(stock), tool->file, 0, error);

    for (guint i = 0; domain && i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];

        for (guint k = 0; virtSettingKinds[k]; k++) {
            const virtMdev *mdev = virtSettingListFind(hostdev->settings.of[k], 0);

            if (virtSettingKinds[k] == &virtMdevKind && mdev && virtMdevExists(mdev) &&
                !persistOne(tool, conn, hostdev->handle.name, mdev, error))
                return false;
        }
    }
    return domain != NULL;
}
