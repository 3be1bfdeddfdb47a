/* world.c: a made-up host for targets that run a whole program
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "world.h"
#include "fakekernel.h"
#include "hypervisor/provision.h"

#include <stdlib.h>
#include <string.h>

#define SEPARATOR "=====\n"

static fakeHost *fake;
static char *untouched; /* every VF's settings */

static void
removeWorld(void)
{
    fakeHostFree(fake);
    g_free(untouched);
}

fakeHost *
fuzzWorld(void)
{
    if (fake)
        return fake;
    fake = fakeHostNew();
    fakeHostAddPF(fake, "0000:01:00.0", 2, 4, "mlx4_core");
    fakeHostAddPF(fake, "0000:41:00.0", 1, 2, "igb");
    fake->guids = fake->profiles = true;
    fakeHostVF(fake, "0000:01:00.0", 2, 1)->vlan = 77;
    untouched = fakeHostDump(fake);
    atexit(removeWorld);
    return fake;
}

static void
drop(virtHost *host, const char *message)
{
    (void)host;
    (void)message;
}

virtHost *
fuzzWorldHost(void)
{
    virtHost *host = virtHostNew(fuzzWorld()->host->root);

    host->request = fake->host->request;
    host->sleep = fake->host->sleep;
    host->warn = drop;
    host->opaque = fake;
    return host;
}

void
fuzzWorldRestore(void)
{
    g_autoptr(virtHost) host = fuzzWorldHost();
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, NULL);
    g_autofree char *now = NULL;

    fake->failAttr = 0;
    fake->failedPort = 0;
    for (guint i = 0; i < records->len; i++) {
        g_autoptr(GError) error = NULL;

        if (!virtProvisionReleaseOne(host, records->pdata[i], &error))
            fuzzFail("not put back: %s", error->message);
    }
    now = fakeHostDump(fake);
    fuzzSame(untouched, now, "all is put back, and not as it was");
    g_string_truncate(fake->log, 0);
    g_ptr_array_set_size(fake->warnings, 0);
}

bool
fuzzTakePart(const guint8 **data, size_t *size, const guint8 **ret_part, size_t *ret_len)
{
    const guint8 *end = *size ? memmem(*data, *size, SEPARATOR, strlen(SEPARATOR)) : NULL;
    size_t len = end ? (size_t)(end - *data) : *size, skip = end ? len + strlen(SEPARATOR) : len;

    if (*size == 0)
        return false;
    *ret_part = *data;
    *ret_len = len;
    *data += skip;
    *size -= skip;
    return true;
}
