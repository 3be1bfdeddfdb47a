/* faulttable.c: steps × ways to go wrong × what came of it, as text
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "faulttest.h"

#include <errno.h>
#include <string.h>

#define OUTCOMES "DUKTB?"
#define OPERATIONS_MAX 20

/* What the errnos of a column have in common. */
static const struct {
    const char *name;
    int errnos[10];
} columns[] = {
    {"no room", {ENOSPC, EDQUOT, EFBIG, EMLINK}},
    {"no memory", {ENOMEM, EMFILE, ENFILE, ENOBUFS, ENOLCK}},
    {"no right", {EACCES, EPERM, EROFS}},
    {"broken", {EIO, ENODEV, ECONNRESET}},
    {"passing", {EINTR, EAGAIN, EBUSY, FAULT_SHORT}},
    {"refused", {EOPNOTSUPP, EINVAL, ECONNREFUSED, EPROTONOSUPPORT}},
    {"goes on", {0}},
    {"dies before", {0}},
    {"dies within", {0}},
    {"dies after", {0}},
};

static struct {
    guint places;
    guint cells[G_N_ELEMENTS(columns)][sizeof(OUTCOMES)];
} rows[OPERATIONS_MAX][FAULT_ELSEWHERE][FAULT_LAST];

static guint
findColumn(faultHow how, int error)
{
    if (how != FAULT_ONCE)
        return G_N_ELEMENTS(columns) - 4 + (guint)(how - FAULT_ALWAYS);
    for (guint i = 0; i < G_N_ELEMENTS(columns); i++) {
        for (guint j = 0; columns[i].errnos[j]; j++) {
            if (columns[i].errnos[j] == error)
                return i;
        }
    }
    g_error("errno %d has no column", error);
}

/* There is one more such step. */
void
faultTableCount(const faultOperation *operation, faultKind kind)
{
    rows[operation - faultOperations][kind.place][kind.call].places++;
}

/* This is what came of it. */
void
faultTableAdd(const faultOperation *operation, faultKind kind, faultHow how, int error, char outcome)
{
    const char *found = strchr(OUTCOMES, outcome);

    rows[operation - faultOperations][kind.place][kind.call].cells[findColumn(how, error)][found - OUTCOMES]++;
}

static void
formatCell(GString *out, const guint cell[])
{
    g_autoptr(GString) text = g_string_new(NULL);

    for (guint i = 0; OUTCOMES[i]; i++) {
        if (cell[i])
            g_string_append_printf(text, "%s%c%u", text->len ? " " : "", OUTCOMES[i], cell[i]);
    }
    g_string_append_printf(out, " %-11s", text->len ? text->str : "-");
}

static void
endLine(GString *out)
{
    while (out->len > 0 && out->str[out->len - 1] == ' ')
        g_string_truncate(out, out->len - 1);
    g_string_append_c(out, '\n');
}

static void
formatOperation(GString *out, guint operation)
{
    g_string_append_printf(out, "\n   %s\n", faultOperations[operation].name);
    for (guint place = 0; place < FAULT_ELSEWHERE; place++) {
        for (guint call = 0; call < FAULT_LAST; call++) {
            g_autofree char *name = g_strdup_printf("%s: %s", faultPlaces[place], faultCalls[call].name);

            if (rows[operation][place][call].places == 0)
                continue;
            g_string_append_printf(out, "     %-24s %4u", name, rows[operation][place][call].places);
            for (guint column = 0; column < G_N_ELEMENTS(columns); column++)
                formatCell(out, rows[operation][place][call].cells[column]);
            endLine(out);
        }
    }
}

/* All of it; the caller frees it. */
char *
faultTableFormat(void)
{
    GString *out = g_string_new("::\n\n");

    g_string_append_printf(out, "     %-22s places", "step");
    for (guint column = 0; column < G_N_ELEMENTS(columns); column++)
        g_string_append_printf(out, " %-11s", columns[column].name);
    endLine(out);
    for (guint i = 0; faultOperations[i].name; i++)
        formatOperation(out, i);
    g_string_append_c(out, '\n');
    return g_string_free(out, FALSE);
}
