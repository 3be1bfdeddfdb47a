/* faultfile.c: the fault machine with a second kind of settings: domain a's VF 0 has a <mark> besides (filekind.h)
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "faulttest.h"
#include "filekind.h"
#include "testrecord.h"

#include <string.h>
#include <unistd.h>

#define ROW 1 /* of virtSettingKinds: <mark> */

static const char *
textOf(faultLook look)
{
    static const char *const texts[] = {[AS_BEFORE] = NULL, [ATTACHED] = "attached", [UPDATED] = "updated"};

    return texts[look];
}

static char *
pathOf(fakeHost *fake)
{
    return virtHostPath(fake->host, "run/test-provider/mark-%s", fakeHostVFAddress(fake, FAULT_PF, 0));
}

void
faultFileWant(virtHostdev *hostdev, bool updated)
{
    fileSetting *mark = virtSettingNew(virtSettingKinds[ROW]->info, 0);

    mark->exists = 1;
    g_strlcpy(mark->text, textOf(updated ? UPDATED : ATTACHED), sizeof(mark->text));
    mark->setting.present = VIRT_SETTING_BIT(FILE_EXISTS) | VIRT_SETTING_BIT(FILE_TEXT);
    g_ptr_array_add(hostdev->settings.of[ROW], mark);
}

void
faultFileReset(fakeHost *fake)
{
    g_autofree char *path = pathOf(fake);

    fakeHostFile(fake, "", "run/test-provider/there");
    unlink(path);
}

bool
faultFileLooks(fakeHost *fake, faultLook look)
{
    g_autofree char *path = pathOf(fake);
    g_autofree char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return g_strcmp0(text, textOf(look)) == 0;
}
