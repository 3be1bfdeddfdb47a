/* virhandle.c: which device of the host, of whatever kind, in devlink's notation: BUS/NAME
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A handle is what identifies a device in records, in what the filter asks of the daemon, and in lists. It says nothing
 * about what the device is: that is for whoever opens it.
 */
#include "util/virhandle.h"
#include "util/virerror.h"
#include "util/virnetdev.h"

#include <string.h>

#define BUS_PCI "pci"
#define BUS_NETWORK "network"

/* How a device is called in sentences. */
static const struct {
    const char *bus;
    const char *noun;
} nouns[] = {
    {BUS_PCI, "VF"},
    {"mdev", "mediated device"},
    {"vdpa", "vDPA device"},
    {BUS_NETWORK, "interface"},
};

static bool
isName(const char *name)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ:._-";
    gsize len = strlen(name);

    /* It becomes part of a file's name, where a dot at the beginning, or two, mean something else. */
    return len > 0 && len <= VIRT_HANDLE_NAME_MAX && strspn(name, allowed) == len && name[0] != '.' &&
           !strstr(name, "..");
}

static bool
isBus(const char *bus)
{
    gsize len = strlen(bus);

    return len > 0 && len <= VIRT_HANDLE_BUS_MAX && strspn(bus, "abcdefghijklmnopqrstuvwxyz") == len;
}

/* The device @name of @bus; a PCI address as the kernel writes it, with its domain.
 *
 * Errors: VIRT_ERROR_INVALID; @handle is then untouched.
 */
bool
virtHandleSet(virtHandle *handle, const char *bus, const char *name, GError **error)
{
    virtPCIAddress address;
    virtHandle made = {0};

    if (!isBus(bus) || !isName(name)) {
        g_autofree char *quotedBus = g_strescape(bus, NULL);
        g_autofree char *quotedName = g_strescape(name, NULL);

        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "\"%.40s/%.80s\" names no device: expected pci/0000:06:02.0 or mdev/UUID", quotedBus, quotedName);
        return false;
    }
    if (g_str_equal(bus, BUS_PCI)) {
        if (!virtPCIAddressParse(name, &address, error))
            return false;
        virtHandleSetPCI(handle, &address);
        return true;
    }
    g_strlcpy(made.bus, bus, sizeof(made.bus));
    g_strlcpy(made.name, name, sizeof(made.name));
    *handle = made;
    return true;
}

/* The PCI device at @address. */
void
virtHandleSetPCI(virtHandle *handle, const virtPCIAddress *address)
{
    *handle = (virtHandle){BUS_PCI, ""};
    virtPCIAddressFormat(address, handle->name);
}

/* The address of a PCI device; false where @handle is none. */
bool
virtHandleGetPCI(const virtHandle *handle, virtPCIAddress *ret)
{
    return g_str_equal(handle->bus, BUS_PCI) && virtPCIAddressParse(handle->name, ret, NULL);
}

/* The interface with the address @mac, whatever VF it is given; NULL: one that has none yet, and so no name. */
void
virtHandleSetNetwork(virtHandle *handle, const guint8 *mac)
{
    *handle = (virtHandle){BUS_NETWORK, ""};
    if (mac)
        virtMacFormat(mac, handle->name);
}

/* Does only libvirt know which device @handle is, and only while its domain runs? */
bool
virtHandleIsNetwork(const virtHandle *handle)
{
    return g_str_equal(handle->bus, BUS_NETWORK);
}

/* Reads BUS/NAME, or a PCI address alone, which is what people write.
 *
 * Errors: VIRT_ERROR_INVALID; @ret is then untouched.
 */
bool
virtHandleParse(const char *text, virtHandle *ret, GError **error)
{
    const char *slash = strchr(text, '/');
    g_autofree char *bus = NULL;

    if (!slash)
        return virtHandleSet(ret, BUS_PCI, text, error);
    bus = g_strndup(text, (gsize)(slash - text));
    return virtHandleSet(ret, bus, slash + 1, error);
}

/* "pci/0000:06:02.0" */
void
virtHandleFormat(const virtHandle *handle, char ret[VIRT_HANDLE_LEN])
{
    g_snprintf(ret, VIRT_HANDLE_LEN, "%s/%s", handle->bus, handle->name);
}

/* Is it no device at all? */
bool
virtHandleIsNone(const virtHandle *handle)
{
    return handle->bus[0] == '\0';
}

/* Like strcmp(): by bus, then by name; PCI devices in the order of their addresses. */
int
virtHandleCompare(const virtHandle *a, const virtHandle *b)
{
    virtPCIAddress one, other;
    int buses = strcmp(a->bus, b->bus);

    if (buses != 0)
        return buses;
    if (virtHandleGetPCI(a, &one) && virtHandleGetPCI(b, &other))
        return virtPCIAddressCompare(&one, &other);
    return strcmp(a->name, b->name);
}

/* Is @handle one of @list (virtHandle)? */
bool
virtHandleIsIn(const GArray *list, const virtHandle *handle)
{
    for (guint i = 0; i < list->len; i++) {
        if (virtHandleEqual(&g_array_index(list, virtHandle, i), handle))
            return true;
    }
    return false;
}

/* What @handle is, in a sentence: "VF". */
const char *
virtHandleGetNoun(const virtHandle *handle)
{
    for (guint i = 0; i < G_N_ELEMENTS(nouns); i++) {
        if (g_str_equal(handle->bus, nouns[i].bus))
            return nouns[i].noun;
    }
    return "device";
}

guint
virtHandleHash(gconstpointer handle)
{
    return g_str_hash(((const virtHandle *)handle)->name);
}

gboolean
virtHandleEqual(gconstpointer a, gconstpointer b)
{
    const virtHandle *one = a, *other = b;

    return g_str_equal(one->name, other->name) && g_str_equal(one->bus, other->bus);
}
