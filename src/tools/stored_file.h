/* stored_file.h: libvirt's own files of the domains that it has stored, for while its daemon does not run
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"

/* One domain, as /etc/libvirt/qemu/NAME.xml has it. */
typedef struct {
    char *path;
    char *text; /* all of the file; libvirt begins it with a comment */
    virtDomainConf *domain;
    bool runs; /* its guest outlives the daemon */
} virtStoredFile;

bool virtStoredFileCheckStopped(virtHost *host, GError **error);
GPtrArray *virtStoredFileList(virtHost *host, GError **error);
GArray *virtStoredFileListNamed(const GPtrArray *files, const virtStoredFile *except);
bool virtStoredFileReplace(virtStoredFile *file, const char *text, GError **error);
