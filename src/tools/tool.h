/* tool.h: what the commands of virt-hostdev share
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/choice_conf.h"
#include "hypervisor/provision.h"
#include "hypervisor/provision_choose.h"
#include "hypervisor/provision_plan.h"

#include <libsmartcols/libsmartcols.h>
#include <libvirt/libvirt.h>
#include <stdio.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)

typedef struct {
    char *uri;     /* -c: NULL is libvirt's default */
    char *root;    /* --root */
    gboolean json; /* --json */
    virtHost *host;
    char *file; /* the document being read: its name leads messages about it */
} virtTool;

/* A command gets its name in argv[0]; it prints its result and returns true, or sets an error. */
typedef struct {
    const char *name;
    const char *args; /* "FILE", for the usage line */
    const char *summary;
    bool (*run)(virtTool *tool, int argc, char **argv, GError **error);
    bool isOld; /* a name that a command had before, and that scripts may use: it works and is not listed */
} virtCommand;

extern const virtCommand virtCommands[];

bool virtCmdApply(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdConvert(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdCreate(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdDefine(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdDisable(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdDumpxml(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdEnable(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdHostValidate(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdList(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdNew(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdOverview(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPlan(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPoolDefine(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPoolDumpxml(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPoolInfo(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPoolList(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdPoolUndefine(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdProfileDefine(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdProfileDumpxml(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdProfileList(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdProfileUndefine(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdRecover(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdRelease(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdResolve(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdStatus(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdTop(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdUnmanage(virtTool *tool, int argc, char **argv, GError **error);
bool virtCmdValidate(virtTool *tool, int argc, char **argv, GError **error);

/* The first of host-validate's checks that fails and must not: what is wrong and what to do, for g_free(). NULL: none
 */
char *virtHostValidateFirst(virtTool *tool);
/* The VFs of a PF, or of several, by who has them. */
typedef struct {
    guint free;
    guint provisioned;                    /* they have a record */
    guint vfio;                           /* bound to vfio-pci without one */
    guint unknown;                        /* they have a record that cannot be read */
    char firstFree[VIRT_PCI_ADDRESS_LEN]; /* where some are free */
} virtOverviewVFs;

void virtOverviewCountVFs(virtHost *host, const virtPCIAddress *pf, virtOverviewVFs *counts);
/* Whether virt-hostdev enable has put virthostdevd in front of libvirt's sockets. */
bool virtToolIsInFront(virtTool *tool);

const virtCommand *virtToolFindCommand(const char *name);
bool virtToolOptions(virtTool *tool, const GOptionEntry *entries, int *argc, char ***argv, int min, int max,
                     GError **error);
char *virtToolReadFile(virtTool *tool, const char *file, gsize *ret_len, GError **error);

bool virtToolSystemctl(char **ret_out, GError **error, ...) G_GNUC_NULL_TERMINATED;

virConnectPtr virtToolConnect(virtTool *tool, bool readOnly, GError **error);
virConnectPtr virtToolConnectStock(virtTool *tool, bool readOnly, GError **error);
virDomainPtr virtToolFindDomain(virConnectPtr conn, const char *text, GError **error);
char *virtToolDomainXml(virDomainPtr domain, guint flags, GError **error);
char *virtToolGetXml(virConnectPtr conn, const char *name, guint flags, GError **error);
void virtToolLibvirtError(GError **error, const char *what);

/* tool_persist.c */
bool virtToolPersist(virtTool *tool, virConnectPtr conn, const char *stock, GError **error);

/* tool_choose.c */
GArray *virtToolListNamed(virConnectPtr conn, const char *except, GError **error);
bool virtToolCheckStock(virtTool *tool, virConnectPtr conn, const char *stock, GError **error);
char *virtToolGrantWishes(virtTool *tool, const char *xml, gsize len, guint flags, GError **error);
virtDomainConf *virtToolReadDomain(virtTool *tool, const char *file, guint flags, GError **error);

/* ---- tool_stored.c: files that an administrator writes ---- */

typedef struct {
    const virtProvisionStored *stored;
    /* The name in one's XML, for g_free(); NULL with VIRT_ERROR_INVALID where that is wrong. */
    char *(*readName)(const char *xml, gsize len, const char *file, GError **error);
} virtToolStored;

bool virtToolStoredCheckName(const virtToolStored *kind, const char *name, GError **error);
bool virtToolStoredDumpxml(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error);
bool virtToolStoredDefine(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error);
bool virtToolStoredUndefine(virtTool *tool, const virtToolStored *kind, int argc, char **argv, GError **error);

/* A table for people or, with --json, for programs. @columns: names, NULL at the end; the first holds the tree. */
struct libscols_table *virtToolTable(virtTool *tool, const char *name, const char *const *columns);
struct libscols_line *virtToolRow(struct libscols_table *table, struct libscols_line *parent, const char *const *cells);
const char *virtToolYesNo(bool yes);

/* What a thing's state is coloured as, where there are colours. */
typedef enum {
    VIRT_COLOR_GOOD,
    VIRT_COLOR_WARN,
    VIRT_COLOR_BAD,
    VIRT_COLOR_LAST,
} virtColor;

/* Around a text: what begins a colour, and what ends it, where standard output has colours; else "". */
const char *virtToolColorBegin(virtColor color);
const char *virtToolColorEnd(void);
void virtToolColorRow(struct libscols_line *line, virtColor color);

/* While many things are worked on: which one is, on standard error where that is a terminal. Whatever is printed next
 * clears it first. */
void virtToolProgress(guint done, guint all, const char *name);
void virtToolProgressClear(void);
void virtToolPrintTable(struct libscols_table *table);
void virtToolPrintTables(struct libscols_table *const *tables, guint n);
