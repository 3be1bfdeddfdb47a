/* config.c: fuzz target: virthostdevd.conf
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"
#include "daemon/daemon_config.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    const char *file = fuzzFile(data, size);
    g_autoptr(virtDaemonConfig) config = virtDaemonConfigLoad(file, false, &error);

    if (!config && !g_str_has_prefix(error->message, file))
        fuzzFail("no file and line in: %s", error->message);
    if (!config)
        return 0;
    if (config->maxClients < 1 || config->maxClients > 100000 || config->lease < 1 || config->lease > 100000 ||
        config->logLevel < 1 || config->logLevel > 4 || config->rwPerms > 0777 || config->roPerms > 0777 ||
        *config->listen != '/' || strlen(config->listen) > 107 || *config->filter != '/')
        fuzzFail("a value out of its range was taken");
    g_free(virtDaemonConfigUpstream(config, true, NULL));
    return 0;
}
