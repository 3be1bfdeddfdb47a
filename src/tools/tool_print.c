/* tool_print.c: what virt-hostdev prints: tables, for people or for programs, colours, and how far it has got
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the terminal ---- */

static const char *const colors[] = {
    [VIRT_COLOR_GOOD] = "\033[32m", /* green */
    [VIRT_COLOR_WARN] = "\033[33m", /* yellow */
    [VIRT_COLOR_BAD] = "\033[31m",  /* red */
};

/* NO_COLOR: no-color.org */
static bool
hasColors(void)
{
    const char *no = g_getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && (!no || !*no) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;
}

const char *
virtToolColorBegin(virtColor color)
{
    if (!hasColors())
        return "";
    return colors[color];
}

const char *
virtToolColorEnd(void)
{
    if (!hasColors())
        return "";
    return "\033[0m";
}

void
virtToolColorRow(struct libscols_line *line, virtColor color)
{
    scols_line_set_color(line, colors[color]);
}

static bool progressIsShown;

void
virtToolProgress(guint done, guint all, const char *name)
{
    if (all < 2 || !isatty(STDERR_FILENO))
        return;
    fprintf(stderr, "\r\033[K%u of %u: %s", done + 1, all, name);
    progressIsShown = true;
}

void
virtToolProgressClear(void)
{
    if (progressIsShown)
        fprintf(stderr, "\r\033[K");
    progressIsShown = false;
}

/* ---- tables ---- */

struct libscols_table *
virtToolTable(virtTool *tool, const char *name, const char *const *columns)
{
    struct libscols_table *table = scols_new_table();
    int flags = SCOLS_FL_TREE;

    scols_table_set_name(table, name);
    scols_table_enable_json(table, tool->json);
    scols_table_enable_colors(table, !tool->json && hasColors());
    for (guint i = 0; columns[i]; i++) {
        scols_table_new_column(table, columns[i], 0, flags);
        flags = 0;
    }
    return table;
}

/* @cells: one for each column, NULL for an empty one */
struct libscols_line *
virtToolRow(struct libscols_table *table, struct libscols_line *parent, const char *const *cells)
{
    struct libscols_line *line = scols_table_new_line(table, parent);

    for (size_t i = 0; i < scols_table_get_ncols(table); i++)
        scols_line_set_data(line, i, cells[i]);
    return line;
}

/* A cell of a table. */
const char *
virtToolYesNo(bool yes)
{
    if (yes)
        return "yes";
    return "no";
}

/* The lines of @table as programs read them, without the braces around them; for g_free(). */
static char *
printBare(struct libscols_table *table)
{
    char *text = NULL;
    char *bare;

    if (scols_print_table_to_string(table, &text) < 0)
        return g_strdup("");
    *strrchr(text, '}') = '\0';
    bare = g_strdup(g_strchomp(strchr(text, '{') + 1));
    free(text);
    return bare;
}

/* Prints and frees @n tables; of those behind the first, people see nothing where they are empty. For programs they are
 * one object. */
void
virtToolPrintTables(struct libscols_table *const *tables, guint n)
{
    for (guint i = 0; i < n; i++) {
        if (scols_table_is_json(tables[i])) {
            g_autofree char *bare = printBare(tables[i]);

            printf("%c%s", i == 0 ? '{' : ',', bare);
        } else if (i == 0 || scols_table_get_nlines(tables[i])) {
            virtToolPrintTable(tables[i]);
            continue;
        }
        if (i + 1 == n && scols_table_is_json(tables[i]))
            printf("\n}\n");
        scols_unref_table(tables[i]);
    }
}

/* Prints and frees. */
void
virtToolPrintTable(struct libscols_table *table)
{
    scols_print_table(table);
    if (scols_table_get_nlines(table) && !scols_table_is_json(table))
        putchar('\n');
    scols_unref_table(table);
}
