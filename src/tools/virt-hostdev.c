/* virt-hostdev.c: the tool's entrance: its own options, the table of commands, and where errors end
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <libvirt/virterror.h>
#include <locale.h>

#include "config.h"

const virtCommand virtCommands[] = {
    {"overview", "", "show how this host stands, and what to do next", virtCmdOverview},
    {"validate", "FILE...", "check documents with <netdev> elements", virtCmdValidate},
    {"convert", "--to=stock|netdev|interface FILE", "rewrite a document for stock libvirt, or for people",
     virtCmdConvert},
    {"define", "FILE", "define a persistent domain", virtCmdDefine},
    {"create", "FILE", "start a transient domain", virtCmdCreate},
    {"dumpxml", "DOMAIN", "show a domain's XML with its <netdev> elements", virtCmdDumpxml},
    {"list", "", "show the host's PFs, their ports and VFs", virtCmdList},
    {"new", "ADDRESS|--pool=POOL", "write a <hostdev> for a VF, with a MAC address for each port", virtCmdNew},
    {"plan", "FILE", "show what a start would change, without changing anything", virtCmdPlan},
    {"apply", "FILE", "set VFs without libvirt, for a QEMU or DPDK started by hand", virtCmdApply},
    {"release", "NAME", "restore the VFs that apply has set", virtCmdRelease},
    {"status", "", "show who has which VF, and what others have changed", virtCmdStatus},
    {"top", "", "show what passes through the VFs of guests, again and again", virtCmdTop},
    {"recover", "[ADDRESS...]", "restore VFs whose owners are gone", virtCmdRecover},
    {"resolve", "DOMAIN...|--all", "look again for the VFs that domains ask for by card, PF or pool", virtCmdResolve},
    {"pool-list", "", "show the pools of VFs", virtCmdPoolList},
    {"pool-info", "POOL", "show a pool's VFs, and who has them", virtCmdPoolInfo},
    {"pool-dumpxml", "POOL", "show a pool's XML", virtCmdPoolDumpxml},
    {"pool-define", "FILE", "define a pool of VFs, or redefine it", virtCmdPoolDefine},
    {"pool-undefine", "POOL", "drop a pool; domains that have its VFs keep them", virtCmdPoolUndefine},
    {"profile-list", "", "show the profiles", virtCmdProfileList},
    {"profile-dumpxml", "PROFILE", "show a profile's XML", virtCmdProfileDumpxml},
    {"profile-define", "FILE", "define a profile, or redefine it", virtCmdProfileDefine},
    {"profile-undefine", "PROFILE", "drop a profile; domains keep what it gave them until they are defined again",
     virtCmdProfileUndefine},
    {"unmanage", "DOMAIN|--all", "rewrite domains so that stock libvirt starts them by itself", virtCmdUnmanage},
    {"enable", "", "put virthostdevd in front of libvirt's sockets", virtCmdEnable},
    {"disable", "", "give libvirt its sockets back", virtCmdDisable},
    {"host-validate", "", "check that this host can provision VFs", virtCmdHostValidate},
    {"restore", "[ADDRESS...]", "the old name of recover", virtCmdRecover, .isOld = true},
    {"revert", "DOMAIN|--all", "the old name of unmanage", virtCmdUnmanage, .isOld = true},
    {NULL},
};

static void
printHelp(void)
{
    printf("Usage: virt-hostdev [OPTION...] [COMMAND [ARG...]]\n\n"
           "Host devices that arrive in a guest correctly provisioned.\n\nOptions:\n"
           "  -c, --connect=URI     libvirt's connection URI\n"
           "      --root=DIR        file system root for sysfs and state\n"
           "      --json            print for programs\n"
           "  -h, --help            show this text\n"
           "  -V, --version         show the version\n\nCommands:\n");
    for (const virtCommand *command = virtCommands; command->name; command++) {
        if (!command->isOld)
            printf("  %-15s %s\n", command->name, command->summary);
    }
    printf("\nRun virt-hostdev COMMAND --help for its options\n");
}

static const virtCommand *
findCommand(const char *name, GError **error)
{
    const virtCommand *command = virtToolFindCommand(name);

    if (!command)
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "unknown command '%s' (see virt-hostdev --help)",
                    name);
    return command;
}

/* The options before the command. Those after it are the command's to parse. */
static bool
parseGlobal(virtTool *tool, int *argc, char ***argv, GError **error)
{
    gboolean help = FALSE, version = FALSE;
    const GOptionEntry entries[] = {
        {"connect", 'c', 0, G_OPTION_ARG_STRING, &tool->uri, NULL, NULL},
        {"root", 0, 0, G_OPTION_ARG_FILENAME, &tool->root, NULL, NULL},
        {"json", 0, 0, G_OPTION_ARG_NONE, &tool->json, NULL, NULL},
        {"help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL},
        {"version", 'V', 0, G_OPTION_ARG_NONE, &version, NULL, NULL},
        {NULL},
    };
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);

    g_option_context_set_strict_posix(context, TRUE);
    g_option_context_set_help_enabled(context, FALSE);
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, argc, argv, error))
        return false;
    if (help)
        printHelp();
    else if (version)
        printf("virt-hostdev %s\n", PACKAGE_VERSION);
    else
        return true;
    return false;
}

/* A message about a document begins with its name and line, as a compiler's does. */
static int
report(const virtTool *tool, const GError *error)
{
    if (!tool->file || !g_str_has_prefix(error->message, tool->file))
        fprintf(stderr, "virt-hostdev: error: ");
    fprintf(stderr, "%s\n", error->message);
    if (error->domain == G_OPTION_ERROR)
        return 2;
    return 1;
}

static void
warnUser(virtHost *host, const char *message)
{
    (void)host;
    virtToolProgressClear();
    fprintf(stderr, "virt-hostdev: warning: %s\n", message);
}

/* libvirt's own errors are taken into ours; it must not print them too. */
static void
ignoreLibvirtError(void *opaque, virErrorPtr error)
{
    (void)opaque;
    (void)error;
}

int
main(int argc, char **argv)
{
    virtTool tool = {0};
    g_autoptr(GError) error = NULL;
    const virtCommand *command;
    char *overview[] = {(char *)"overview", NULL};
    int code = 0;

    setlocale(LC_ALL, "");
    virSetErrorFunc(NULL, ignoreLibvirtError);
    g_set_prgname("virt-hostdev");
    tool.host = virtHostNew("");
    tool.host->warn = warnUser;
    if (parseGlobal(&tool, &argc, &argv, &error)) {
        if (argc < 2)
            virtCmdOverview(&tool, 1, overview, &error);
        else if ((command = findCommand(argv[1], &error)))
            command->run(&tool, argc - 1, argv + 1, &error);
    }
    if (error)
        code = report(&tool, error);
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
        fprintf(stderr, "virt-hostdev: error: cannot write the output\n");
        code = 1;
    }
    virtHostFree(tool.host);
    g_free(tool.uri);
    g_free(tool.root);
    g_free(tool.file);
    return code;
}
