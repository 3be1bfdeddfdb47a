/* record.c: fuzz target: a VF's record, as the file of that name may come to be
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "fuzz.h"
#include "hypervisor/provision_record.h"
#include "util/virstatefile.h"
#include "tests/testrecord.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME "0000:06:02.0"

static void
writeState(virtHost *host, const guint8 *data, size_t size)
{
    g_autofree char *path = virtHostPath(host, VIRT_STATE_DIR "/" NAME);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        fuzzFail("cannot write %s: %m", path);
    close(fd);
}

/* With a mark of @phase behind it, and with a part of another, as a crash may leave it. */
static void
checkMark(const char *text, virtPhase phase)
{
    g_autofree char *marked = g_strdup_printf("%s%s<!-- phase: acti", text, virtRecordPhaseMark(phase));
    g_autoptr(virtRecord) record = virtRecordParse(marked, NULL, NULL);

    if (!record || record->phase != phase)
        fuzzFail("phase %s is not read from:\n%s", virtPhaseName(phase), marked);
}

static void
checkRecord(const virtRecord *record)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = virtRecordFormat(record), *again = NULL;
    g_autoptr(virtRecord) read = virtRecordParse(text, NULL, &error);

    if (!read)
        fuzzFail("a record that we write, we do not read: %s\n%s", error->message, text);
    again = virtRecordFormat(read);
    fuzzSame(again, text, "a record read and written again");
    for (virtPhase phase = 0; phase <= VIRT_PHASE_RESTORING; phase++)
        checkMark(text, phase);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    static fakeHost *fake;
    g_autofree char *text = g_strndup((const char *)data, size);
    g_autoptr(virtRecord) record = virtRecordParse(text, NULL, NULL), loaded = NULL;
    g_autoptr(GPtrArray) all = NULL;

    if (!fake) {
        fake = fakeHostNew();
        g_assert_true(virtStateFileWrite(fake->host, NAME, "", NULL));
    }
    writeState(fake->host, data, size);
    loaded = testRecordLoad(fake->host, NAME, NULL);
    if (loaded && !record && !strstr(text, VIRT_STATE_SECTION)) /* sections are put together */
        fuzzFail("read from a file, it is a record, and else it is not");
    all = virtProvisionRecordList(fake->host, NULL);
    g_ptr_array_set_size(fake->warnings, 0);
    if (record)
        checkRecord(record);
    return 0;
}
