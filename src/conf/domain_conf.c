/* domain_conf.c: read a domain's hostdevs and their netdevs, in either form
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"

#include <string.h>

#include "conf/domain_locate.h"
#include "util/virerror.h"

void
virtDomainConfFree(virtDomainConf *domain)
{
    if (!domain)
        return;
    g_free(domain->name);
    g_free(domain->uuid);
    g_clear_pointer(&domain->hostdevs, g_ptr_array_unref);
    g_clear_pointer(&domain->devices, g_array_unref);
    g_clear_pointer(&domain->interfaces, g_array_unref);
    g_free(domain);
}

/* The interface of @domain with the key @handle, or NULL. */
static const virtInterfaceVF *
findInterface(const virtDomainConf *domain, const virtHandle *handle)
{
    for (guint i = 0; i < domain->interfaces->len; i++) {
        const virtInterfaceVF *interface = &g_array_index(domain->interfaces, virtInterfaceVF, i);

        if (virtHandleEqual(&interface->key, handle))
            return interface;
    }
    return NULL;
}

/* Which device of the host @handle means for @domain: itself, or the VF of an interface, as libvirt has chosen it.
 * False: the domain has it not, or, before it runs, not yet. */
bool
virtDomainConfFindVF(const virtDomainConf *domain, const virtHandle *handle, virtHandle *ret)
{
    const virtInterfaceVF *interface;

    *ret = *handle;
    if (!virtHandleIsNetwork(handle))
        return virtHandleIsIn(domain->devices, handle);
    if ((interface = findInterface(domain, handle)))
        *ret = interface->vf;
    return interface && !virtHandleIsNone(ret);
}

/* Has @domain the device @handle, or the interface that it means, with a VF or without? */
bool
virtDomainConfHas(const virtDomainConf *domain, const virtHandle *handle)
{
    if (!virtHandleIsNetwork(handle))
        return virtHandleIsIn(domain->devices, handle);
    return findInterface(domain, handle) != NULL;
}

/* Add to @hostdev what libvirt sets of the VF of @interface itself, its MAC address and VLAN: with several ports, not
 * always at the port that is meant. A port profile is libvirt's alone, and InfiniBand has neither. */
static void
addOwn(virtHostdev *hostdev, const virtInterfaceVF *interface)
{
    static const guint guids = VIRT_NETDEV_BIT(VIRT_NETDEV_NODE_GUID) | VIRT_NETDEV_BIT(VIRT_NETDEV_PORT_GUID);
    GPtrArray *netdevs = VIRT_NETDEVS(hostdev);
    virtNetdev *own = NULL;

    if (netdevs->len > 0 && virtInterfaceOwnsNetdev(netdevs->pdata[0]))
        own = netdevs->pdata[0];
    if (interface->hasProfile || (own && (own->present & guids)))
        return;
    if (!own) {
        own = virtNetdevNew(1);
        g_ptr_array_insert(netdevs, 0, own);
    }
    if (virtMacParse(interface->key.name, own->mac))
        own->present |= VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    virtInterfaceSetUntagged(own);
    own->vlan.id = interface->vlan;
}

/* Copies of @hostdevs (virtHostdev) with the VFs that the interfaces among them have, and all that they have; one that
 * has no VF stays as it is.
 *
 * Returns virtHostdev in the same order, for g_ptr_array_unref().
 */
GPtrArray *
virtDomainConfLocate(const virtDomainConf *domain, const GPtrArray *hostdevs)
{
    GPtrArray *located = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);

    for (guint i = 0; i < hostdevs->len; i++) {
        virtHostdev *hostdev = virtHostdevCopy(hostdevs->pdata[i]);
        const virtInterfaceVF *interface = NULL;

        g_ptr_array_add(located, hostdev);
        if (virtHandleIsNetwork(&hostdev->handle))
            interface = findInterface(domain, &hostdev->handle);
        if (!interface || virtHandleIsNone(&interface->vf))
            continue;
        addOwn(hostdev, interface);
        hostdev->handle = interface->vf;
        hostdev->fromNetwork = true;
    }
    return located;
}

static char *
childText(const virtXmlNode *node, const char *name)
{
    const virtXmlNode *child = virtXmlChild(node, name);

    if (!child || !child->text)
        return NULL;
    return g_strdup(child->text->str);
}

static bool
readUuid(const virtXmlDoc *doc, const virtXmlNode *node, char **ret, GError **error)
{
    const virtXmlNode *uuid = virtXmlChild(node, "uuid");
    g_autofree char *quoted = NULL;

    if (!uuid)
        return true;
    *ret = virtUuidNormalize(virtXmlText(uuid));
    if (*ret)
        return true;
    quoted = virtXmlQuote(virtXmlText(uuid));
    virtXmlError(doc, uuid, error, "'%s' in <uuid> is not a UUID: 32 hexadecimal digits, dashes between them", quoted);
    return false;
}

static virtDomainConf *
domainFromSite(const virtXmlDoc *doc, const virtDomainRef *ref, GError **error)
{
    g_autoptr(virtDomainConf) domain = g_new0(virtDomainConf, 1);

    domain->hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    domain->devices = virtDomainRefListDevices(doc, ref);
    domain->interfaces = virtDomainRefListInterfaces(doc, ref);
    if (!virtDomainRefIsLone(ref)) {
        domain->active = virtXmlGet(ref->node, "id") != NULL;
        domain->name = childText(ref->node, "name");
        if (!readUuid(doc, ref->node, &domain->uuid, error))
            return NULL;
    }
    for (guint i = 0; i < ref->hostdevs->len; i++)
        g_ptr_array_add(domain->hostdevs, virtHostdevFromRef(ref->hostdevs->pdata[i]));
    return g_steal_pointer(&domain);
}

/* Read the first domain of a document (a domain, its snapshot, checkpoint or status), in netdev form, stock form
 * or a mixture; or a lone <hostdev>, as a domain without name and with that device.
 *
 * @file: for messages, may be NULL
 * @flags: VIRT_DOMAIN_…; MAC addresses are not generated
 *
 * Returns the domain, whose list of hostdevs is empty where none has netdevs; or NULL with VIRT_ERROR_INVALID. A
 * device without netdevs is never the reason for that: an address that is none just is not among `devices`.
 */
virtDomainConf *
virtDomainConfParse(const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;

    if (flags & VIRT_DOMAIN_WRITTEN)
        doc = virtXmlParseWritten(xml, len, file, error);
    else
        doc = virtXmlParse(xml, len, file, error);
    if (!doc || !(refs = virtDomainRefsFind(doc, flags, error)))
        return NULL;
    if (refs->len == 0) {
        g_autofree char *name = virtXmlQuote(doc->root->name);

        virtXmlError(doc, doc->root, error, "<%s> holds neither a <domain> nor a <hostdev>", name);
        return NULL;
    }
    return domainFromSite(doc, refs->pdata[0], error);
}
