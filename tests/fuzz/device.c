/* device.c: fuzz target: the document of one device, as for attaching
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "oracle.h"

#include <string.h>

/* What metadata says of it is read back as it was. */
static void
checkMetadata(virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = g_ptr_array_new(), read = NULL;
    g_autofree char *text = NULL, *again = NULL;

    g_ptr_array_add(list, hostdev);
    text = virtMetadataFormat(list);
    if (!(read = virtMetadataParse(text, strlen(text), &error)))
        fuzzFail("metadata that we write, we do not read: %s\n%s", error->message, text);
    again = virtMetadataFormat(read);
    fuzzSame(again, text, "metadata read and written again");
}

/* A domain with the device has it, as we write it and as it is; but of two children of one name only the first is
 * compared. */
static void
checkIsIn(const char *device, const char *stored, const virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *domain = g_strconcat("<domain><devices>", stored, "</devices></domain>", NULL);
    g_autofree char *lone = virtHostdevFormatStock(hostdev);

    if (!fuzzXmlIsGood(lone, strlen(lone)))
        fuzzFail("libxml2 does not take: %s", lone);
    if (!fuzzXmlIsGood(domain, strlen(domain)))
        return; /* a declaration or a DOCTYPE came before it */
    if (!virtHostdevIsIn(lone, strlen(lone), domain, strlen(domain), &error))
        fuzzFail("a domain lacks its device: %s\n%s", error->message, domain);
    virtHostdevIsIn(device, strlen(device), domain, strlen(domain), NULL);
}

static void
checkDevice(const char *input, const guint8 *data, size_t size, guint flags)
{
    virtHostdev *hostdev = NULL, *found;
    g_autofree char *stored = virtHostdevToStock((const char *)data, size, flags, &hostdev, NULL);
    g_autoptr(GPtrArray) list = NULL;
    g_autofree char *metadata = NULL, *domain = NULL;

    if (!stored)
        return;
    fuzzXmlKept(input, stored, hostdev->interface ? FUZZ_DEVICES : FUZZ_NETDEVS, "the device's stock form");
    virtHostdevGenerateMacs(hostdev);
    checkMetadata(hostdev);
    checkIsIn(input, stored, hostdev);
    list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_ptr_array_add(list, hostdev);
    metadata = virtMetadataFormat(list);
    domain = g_strconcat("<domain><metadata>", metadata, "</metadata><devices>", stored, "</devices></domain>", NULL);
    found = virtInterfaceFind(input, size, domain, strlen(domain), NULL);
    g_clear_pointer(&found, virtHostdevFree);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autofree char *input = g_strndup((const char *)data, size);

    if (memchr(data, 0, size))
        return 0;
    fuzzXmlParsersAgree((const char *)data, size);
    checkDevice(input, data, size, 0);
    checkDevice(input, data, size, VIRT_DOMAIN_INTERFACES);
    return 0;
}
