/* mdevctl.c: fuzz target: a mediated device's definition, as mdevctl keeps it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "fuzz.h"
#include "util/virerror.h"
#include "util/virmdevdefined.h"

#include <string.h>

#define UUID "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"

static fakeHost *fake;

static void
checkText(const char *text, gsize longest)
{
    gsize len = strlen(text);

    if (len == 0 || len > longest)
        fuzzFail("a name or a value of %zu characters was taken", len);
    for (const char *p = text; *p; p++) {
        if (!g_ascii_isprint(*p))
            fuzzFail("character %u was taken", (guchar)*p);
    }
}

/* What is taken could have been written as <mdev>. */
static void
check(const virtMdev *mdev)
{
    checkText(mdev->made.type, VIRT_MDEV_NAME_MAX);
    if (!g_str_equal(mdev->made.parent, "mtty"))
        fuzzFail("the parent is '%s'", mdev->made.parent);
    if (virtSettingHas(mdev, VIRT_MDEV_ATTRS) != (mdev->attrs.count > 0) || mdev->attrs.count > VIRT_MDEV_ATTRS_MAX)
        fuzzFail("it has %u attributes", mdev->attrs.count);
    for (guint i = 0; i < mdev->attrs.count; i++) {
        if (!virtMdevIsAttribute(mdev->attrs.of[i].name))
            fuzzFail("attribute '%s' was taken", mdev->attrs.of[i].name);
        checkText(mdev->attrs.of[i].value, VIRT_MDEV_VALUE_MAX);
    }
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path = NULL;
    virtMdev mdev;

    if (!fake) {
        fake = fakeHostNew();
        fakeHostFile(fake, "", "etc/mdevctl.d/mtty/" UUID);
    }
    path = virtHostPath(fake->host, "etc/mdevctl.d/mtty/" UUID);
    g_assert_true(
        g_file_set_contents_full(path, (const char *)data, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
    if (virtMdevDefinedRead(fake->host, UUID, &mdev, &error))
        check(&mdev);
    else if (!g_error_matches(error, VIRT_ERROR, VIRT_ERROR_INVALID) || !strstr(error->message, UUID))
        fuzzFail("no file in: %s", error->message);
    return 0;
}
