/* hook.c: virt-hostdev-hook, called by libvirt's QEMU driver at each step of a domain's life: is there anything to do?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   virt-hostdev-hook DOMAIN OPERATION SUB-OPERATION EXTRA < domain XML
 *
 * libvirt runs a hook five times for each life of each domain, and most domains have nothing that concerns it. What
 * takes the time then is to load libraries. So this program needs none but libc: it looks at the bytes, and at the
 * names of the records, and loads VIRT_HOOK_MODULE (hook_domain.c), which does the work, when there is some.
 *
 * It may load it for nothing, but never leave it out: what is not understood here is left to the module.
 */
#include "hook/hook.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/domain_conf.h"
#include "util/virstatefile.h"

#define READ_FIRST 65536 /* bytes: what a pipe holds, and more than most domains have */

#ifndef VIRT_HOOK_STATE_DIR
#define VIRT_HOOK_STATE_DIR "/" VIRT_STATE_DIR
#endif

typedef enum {
    ASK_DOCUMENT, /* the domain's XML says whether there is something to do */
    ASK_RECORDS,  /* any record does */
} Ask;

static const struct Step {
    const char *operation;
    const char *sub; /* NULL: any */
    Ask ask;
    bool withHostdevs; /* each <hostdev> and <interface type='hostdev'> is its concern */
    bool withChoice; /* a domain is where libvirt has chosen: the VF of a network, or the driver that can migrate one */
} steps[] = {
    {"prepare", "begin", ASK_DOCUMENT, true, false}, /* the PF of VFs that are in use is not given away */
    {"start", "begin", ASK_DOCUMENT, false, true},    {"stopped", "end", ASK_RECORDS, false, false},
    {"release", "end", ASK_RECORDS, false, false},    {"reconnect", NULL, ASK_DOCUMENT, false, false},
    {"migrate", "begin", ASK_DOCUMENT, false, false}, {"restore", "begin", ASK_DOCUMENT, false, false},
};

static const struct Step *
findStep(const char *operation, const char *sub)
{
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        const struct Step *step = &steps[i];

        if (strcmp(step->operation, operation) == 0 && (!step->sub || strcmp(step->sub, sub) == 0))
            return step;
    }
    return NULL;
}

static bool
isRecord(const char *name)
{
    size_t len = strlen(name), suffix = strlen(VIRT_STATE_LOCK_SUFFIX);

    return name[0] != '.' && (len < suffix || strcmp(name + len - suffix, VIRT_STATE_LOCK_SUFFIX) != 0);
}

/* Is any VF recorded? A directory that is there and cannot be read, or is not as it has to be, counts as one. */
static bool
hasRecords(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = NULL;
    const struct dirent *entry;
    struct stat st;
    bool found;

    if (fd >= 0)
        dir = fdopendir(fd);

    if (!dir)
        return errno != ENOENT;
    found = fstat(fd, &st) < 0 || st.st_uid != geteuid() || (st.st_mode & 077) != 0;
    errno = 0;
    while (!found && (entry = readdir(dir)))
        found = isRecord(entry->d_name);
    found = found || errno != 0;
    closedir(dir);
    return found;
}

/* @text with twice the @room, and a byte for the NUL; NULL, with errno set and @text freed, where memory is out. */
static char *
grow(char *text, size_t *room)
{
    char *more = realloc(text, 2 * *room + 1);

    if (!more) {
        free(text);
        errno = ENOMEM;
        return NULL;
    }
    *room *= 2;
    return more;
}

/* Read standard input whole, or up to one byte more than libvirt may write. */
static virtHookInput
readInput(void)
{
    size_t room = READ_FIRST, len = 0;
    char *text = malloc(room + 1);
    ssize_t got = 1;

    while (text && got != 0 && len <= VIRT_XML_WRITTEN_MAX) {
        got = read(STDIN_FILENO, text + len, room - len);
        if (got < 0 && errno != EINTR) {
            virtHookInput failed = {.problem = errno};

            free(text);
            return failed;
        }
        if (got > 0)
            len += (size_t)got;
        if (len == room)
            text = grow(text, &room);
    }
    if (!text)
        return (virtHookInput){.problem = ENOMEM};
    if (len > VIRT_XML_WRITTEN_MAX)
        len = VIRT_XML_WRITTEN_MAX + 1;
    text[len] = '\0';
    return (virtHookInput){text, len, 0};
}

/* May any interface be one that libvirt has taken from a network? It then shows another type, but never that of a vDPA
 * device. */
static bool
mayBeOfNetwork(const char *xml, size_t len)
{
    static const char tag[] = "<interface", vdpa[] = " type='vdpa'";
    const char *end = xml + len;

    while ((xml = virtDomainFindWord(xml, (size_t)(end - xml), tag, strlen("<inter")))) {
        xml += strlen(tag);
        if (strncmp(xml, vdpa, strlen(vdpa)) != 0)
            return true;
    }
    return false;
}

/* A look at the bytes; what could not be read, or is too long to be judged, is the module's to complain about. */
static bool
isConcerned(const struct Step *step, const virtHookInput *input)
{
    if (step->ask == ASK_RECORDS || !input->xml || input->len > VIRT_XML_WRITTEN_MAX)
        return true;
    if (step->withChoice && !mayBeOfNetwork(input->xml, input->len) &&
        !virtDomainFindWord(input->xml, input->len, "migratable", strlen("migrata")))
        return false;
    return virtDomainMentionsUs(input->xml, input->len) ||
           (step->withHostdevs && virtDomainFindWord(input->xml, input->len, "hostdev", strlen("hostde")) != NULL);
}

/* The module is next to the other libraries, in a directory of its own: the program's RUNPATH says where. It is itself
 * linked so that all it lacks is found out here; what its libraries lack of each other, they look for when they need
 * it, as at the start of any program, for to look for all of it takes half as long again. */
static int
runModule(int argc, char **argv, const virtHookInput *input)
{
    void *module = dlopen(VIRT_HOOK_MODULE, RTLD_LAZY | RTLD_LOCAL);
    void *function = NULL;
    int (*runHook)(int, char **, const virtHookInput *);

    if (module)
        function = dlsym(module, VIRT_HOOK_RUN);

    if (function) {
        memcpy(&runHook, &function, sizeof(runHook)); /* as POSIX has it: C knows no other way */
        return runHook(argc, argv, input);
    }
    fprintf(stderr, "virt-hostdev: error: Cannot load a part of virt-hostdev-hook: %s. Install libvirt-hostdev again\n",
            dlerror());
    if (argc > 2 && strcmp(argv[2], "reconnect") == 0)
        return 0; /* libvirt ends a guest whose reconnect fails */
    return 1;
}

int
main(int argc, char **argv)
{
    const struct Step *step;
    virtHookInput input;
    int code = 0;

    if (argc < 4) /* it prints its usage; and host-validate runs it so, to see whether everything is there */
        return runModule(argc, argv, NULL);
    step = findStep(argv[2], argv[3]);
    if (!step || (step->ask == ASK_RECORDS && !hasRecords(VIRT_HOOK_STATE_DIR)))
        return 0;
    input = readInput();
    if (isConcerned(step, &input))
        code = runModule(argc, argv, &input);
    free(input.xml);
    return code;
}
