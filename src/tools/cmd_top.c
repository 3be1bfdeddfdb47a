/* cmd_top.c: virt-hostdev top: what passes through the VFs of guests, and what happens to them, again and again
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A reading is compared with the one before. What is shown as an event is what the two records say differently: neither
 * libvirt nor the journal is asked, so this works without them, and what begins and ends between two readings goes
 * unseen.
 */
#include "tools/cmd_top.h"

#include "tools/guest_port.h"
#include "tools/tool.h"
#include "util/virerror.h"

#include <string.h>

#define INTERVAL 2.0 /* seconds, by default */
#define INTERVAL_MIN 0.1
#define INTERVAL_MAX 3600.0
#define FIRST 0.5     /* seconds at most until a terminal shows something */
#define EVENTS_MAX 5  /* those that stay on a terminal */
#define OTHER_LINES 5 /* heading, an empty line, the table's head, "and 2 more", another empty line */

typedef struct {
    virtTool *tool;
    virtTopScreen *screen;
    double interval;
    virtGuestPorts *before, *now;
    gint64 beforeAt, nowAt; /* g_get_monotonic_time() */
    GPtrArray *events;      /* lines, the last at the end */
} Top;

static void
topClear(Top *top)
{
    virtTopScreenClose(top->screen);
    virtGuestPortsFree(top->before);
    virtGuestPortsFree(top->now);
    g_ptr_array_unref(top->events);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Top, topClear)

/* ---- rates ---- */

typedef struct {
    const virtGuestPort *port;
    guint known;                            /* a bit for each virtNetdevCounter */
    double rates[VIRT_NETDEV_COUNTER_LAST]; /* a second */
    double bytes;                           /* received and sent: what the rows are sorted by */
} Row;

static const virtGuestPort *
findPort(const virtGuestPorts *guests, const virtGuestPort *port)
{
    for (guint i = 0; i < guests->ports->len; i++) {
        const virtGuestPort *other = guests->ports->pdata[i];

        if (g_str_equal(other->device, port->device) && other->port == port->port)
            return other;
    }
    return NULL;
}

/* A counter that runs backwards began again: with its driver, or with the VF. Where nothing at all was known before,
 * the zeros of then may be those of a call that failed. */
static void
setRates(Row *row, const virtGuestPort *before, double seconds)
{
    const virtGuestPort *now = row->port;

    if (!before || before->known == 0)
        return;
    for (virtNetdevCounter i = 0; i < VIRT_NETDEV_COUNTER_LAST; i++) {
        if (!(now->known & (1u << i)) || now->stats.of[i] < before->stats.of[i])
            continue;
        row->known |= 1u << i;
        row->rates[i] = (double)(now->stats.of[i] - before->stats.of[i]) / seconds;
    }
    row->bytes = row->rates[VIRT_NETDEV_RX_BYTES] + row->rates[VIRT_NETDEV_TX_BYTES];
}

static gint
compareRows(gconstpointer a, gconstpointer b)
{
    const Row *one = *(Row *const *)a;
    const Row *other = *(Row *const *)b;

    return (other->bytes > one->bytes) - (other->bytes < one->bytes);
}

/* Those with the most traffic first, others as they were. */
static GPtrArray *
listRows(const Top *top)
{
    GPtrArray *rows = g_ptr_array_new_with_free_func(g_free);
    double seconds = (double)MAX(top->nowAt - top->beforeAt, 1) / G_USEC_PER_SEC;

    for (guint i = 0; i < top->now->ports->len; i++) {
        Row *row = g_new0(Row, 1);

        row->port = top->now->ports->pdata[i];
        setRates(row, findPort(top->before, row->port), seconds);
        g_ptr_array_add(rows, row);
    }
    g_ptr_array_sort(rows, compareRows);
    return rows;
}

/* ---- the table ---- */

enum { DOMAIN, DEVICE, VF, PORT, FIRST_RATE, DRIFT = FIRST_RATE + 5, UUID, PF, COLUMNS };

#define FOR_PEOPLE UUID

static const char *const forPeople[] = {"DOMAIN",   "DEVICE", "VF",     "PORT",  "RX PKT/S", "RX B/S",
                                        "TX PKT/S", "TX B/S", "DROP/S", "DRIFT", NULL};
static const char *const forPrograms[] = {"domain",   "device",     "vf",       "port",    "rx_packets",
                                          "rx_bytes", "tx_packets", "tx_bytes", "dropped", "drift",
                                          "uuid",     "pf",         NULL};

G_STATIC_ASSERT(G_N_ELEMENTS(forPeople) == FOR_PEOPLE + 1);
G_STATIC_ASSERT(G_N_ELEMENTS(forPrograms) == COLUMNS + 1);

/* The counters that a column sums up. */
static const guint rateColumns[] = {
    1u << VIRT_NETDEV_RX_PACKETS,
    1u << VIRT_NETDEV_RX_BYTES,
    1u << VIRT_NETDEV_TX_PACKETS,
    1u << VIRT_NETDEV_TX_BYTES,
    1u << VIRT_NETDEV_RX_DROPPED | 1u << VIRT_NETDEV_TX_DROPPED,
};
G_STATIC_ASSERT(G_N_ELEMENTS(rateColumns) == DRIFT - FIRST_RATE);

/* "12.3M"; the caller frees it. */
static char *
formatRate(double rate, bool isExact)
{
    static const char units[] = "kMGTPE";
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    const char *format = "%.1f";
    int unit = -1;

    while (!isExact && rate >= 999.5 && units[unit + 1]) {
        rate /= 1000;
        unit++;
    }
    if (!isExact && (rate == 0 || rate >= 9.95))
        format = "%.0f";
    g_ascii_formatd(text, sizeof(text), format, rate);
    if (unit < 0)
        return g_strdup(text);
    return g_strdup_printf("%s%c", text, units[unit]);
}

/* NULL where none of the counters can be told. */
static char *
formatCell(const Row *row, guint counters, bool isExact)
{
    double sum = 0;

    if (!(row->known & counters))
        return NULL;
    for (virtNetdevCounter i = 0; i < VIRT_NETDEV_COUNTER_LAST; i++) {
        if (counters & (1u << i))
            sum += row->rates[i];
    }
    return formatRate(sum, isExact);
}

static void
addRow(const Top *top, struct libscols_table *table, const Row *row)
{
    const virtGuestPort *port = row->port;
    g_autofree char *vf = g_strdup_printf("%d", port->vf);
    g_autofree char *number = g_strdup_printf("%u", port->port);
    char *cells[COLUMNS] = {port->owner, (char *)port->device, vf, number};
    struct libscols_line *line;

    for (guint i = 0; i < G_N_ELEMENTS(rateColumns); i++)
        cells[FIRST_RATE + i] = formatCell(row, rateColumns[i], top->tool->json);
    if (port->compared)
        cells[DRIFT] = g_strdup(virtToolYesNo(port->drifted));
    cells[UUID] = port->uuid;
    cells[PF] = (char *)port->pf;
    for (guint i = 0; !top->tool->json && i < FOR_PEOPLE; i++) {
        if (!cells[i])
            cells[i] = g_strdup("-");
    }
    line = virtToolRow(table, NULL, (const char *const *)cells);
    if (port->drifted)
        virtToolColorRow(line, VIRT_COLOR_WARN);
    for (guint i = FIRST_RATE; i <= DRIFT; i++)
        g_free(cells[i]);
}

static struct libscols_table *
newTable(const Top *top, guint columns)
{
    const char *const *names = forPeople;
    struct libscols_table *table;

    if (top->tool->json)
        names = forPrograms;
    table = virtToolTable(top->tool, "top", names);
    for (guint i = VF; i < DRIFT; i++) {
        struct libscols_column *column = scols_table_get_column(table, i);

        scols_column_set_flags(column, SCOLS_FL_RIGHT);
        scols_column_set_json_type(column, SCOLS_JSON_NUMBER);
    }
    scols_column_set_flags(scols_table_get_column(table, DOMAIN), SCOLS_FL_TRUNC);
    if (top->screen) {
        scols_table_set_termforce(table, SCOLS_TERMFORCE_ALWAYS);
        scols_table_set_termwidth(table, columns);
    }
    return table;
}

/* ---- events ---- */

/* A name may have characters that a terminal obeys. */
static void
makePrintable(char *text)
{
    for (char *p = text; *p; p = g_utf8_next_char(p)) {
        if (!g_unichar_isprint(g_utf8_get_char(p)))
            memset(p, ' ', (size_t)(g_utf8_next_char(p) - p));
    }
}

static void addEvent(Top *top, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void
addEvent(Top *top, const char *format, ...)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%H:%M:%S");
    g_autofree char *text = NULL;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    makePrintable(text);
    g_ptr_array_add(top->events, g_strdup_printf("%s %s", time, text));
}

/* Is @port, of @guests, the first of its VF? */
static bool
isFirst(const virtGuestPorts *guests, guint i)
{
    const virtGuestPort *port = guests->ports->pdata[i];

    return i == 0 || !g_str_equal(((const virtGuestPort *)guests->ports->pdata[i - 1])->device, port->device);
}

/* Which VFs @guests have and @others do not. */
static void
addMissing(Top *top, const virtGuestPorts *guests, const virtGuestPorts *others, const char *verb)
{
    for (guint i = 0; i < guests->ports->len; i++) {
        const virtGuestPort *port = guests->ports->pdata[i];
        const virtGuestPort *other = findPort(others, port);

        if (isFirst(guests, i) && (!other || !g_str_equal(other->owner, port->owner)))
            addEvent(top, "'%s' %s VF %s", port->owner, verb, port->device);
    }
}

static void
addDrifts(Top *top)
{
    for (guint i = 0; i < top->now->ports->len; i++) {
        const virtGuestPort *now = top->now->ports->pdata[i];
        const virtGuestPort *before = findPort(top->before, now);

        if (!before || !before->compared || !now->compared || before->drifted == now->drifted)
            continue;
        if (now->drifted)
            addEvent(top, "somebody else has changed port %u of VF %s, which '%s' has", now->port, now->device,
                     now->owner);
        else
            addEvent(top, "port %u of VF %s has its settings again", now->port, now->device);
    }
}

static void
addEvents(Top *top)
{
    if (!top->screen)
        g_ptr_array_set_size(top->events, 0);
    addMissing(top, top->before, top->now, "no longer has");
    addMissing(top, top->now, top->before, "has");
    addDrifts(top);
    if (top->events->len > EVENTS_MAX && top->screen)
        g_ptr_array_remove_range(top->events, 0, top->events->len - EVENTS_MAX);
}

/* ---- all ---- */

static guint
countDrifted(const virtGuestPorts *guests)
{
    guint drifted = 0;

    for (guint i = 0; i < guests->ports->len; i++)
        drifted += ((const virtGuestPort *)guests->ports->pdata[i])->drifted;
    return drifted;
}

static void
addHeading(const Top *top, GString *text)
{
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%H:%M:%S");

    g_string_append_printf(text, "%s  ports: %u, drifted: %u, VFs to be restored: %u\n\n", time, top->now->ports->len,
                           countDrifted(top->now), top->now->waiting);
}

/* A table as text, with a line break at its end; freed here. */
static void
appendTable(GString *text, struct libscols_table *table)
{
    char *printed = NULL;

    if (scols_print_table_to_string(table, &printed) == 0 && printed)
        g_string_append(text, g_strchomp(printed));
    g_string_append_c(text, '\n');
    free(printed); /* libsmartcols' is malloc's */
    scols_unref_table(table);
}

static void
show(const Top *top)
{
    g_autoptr(GPtrArray) rows = listRows(top);
    g_autoptr(GString) text = g_string_new(NULL);
    struct libscols_table *table;
    guint lines, columns, shown = 0;

    virtTopScreenGetSize(top->screen, &lines, &columns);
    table = newTable(top, columns);
    for (; shown < rows->len && shown + top->events->len + OTHER_LINES < lines - 1; shown++)
        addRow(top, table, rows->pdata[shown]);
    if (!top->tool->json)
        addHeading(top, text);
    appendTable(text, table);
    if (shown < rows->len)
        g_string_append_printf(text, "and %u more\n", rows->len - shown);
    if (!top->tool->json)
        g_string_append_c(text, '\n');
    for (guint i = 0; i < top->events->len && !top->tool->json; i++)
        g_string_append_printf(text, "%s\n", (char *)top->events->pdata[i]);
    virtTopScreenDraw(top->screen, text->str);
}

static bool
readPorts(Top *top, GError **error)
{
    virtGuestPorts *guests = virtGuestPortsRead(top->tool->host, error);

    if (!guests)
        return false;
    virtGuestPortsFree(top->before);
    top->before = top->now;
    top->beforeAt = top->nowAt;
    top->now = guests;
    top->nowAt = g_get_monotonic_time();
    return true;
}

static bool
run(Top *top, guint iterations, GError **error)
{
    double seconds = top->interval;

    if (!readPorts(top, error))
        return false;
    top->tool->host->warn = NULL; /* what it warns about would be said each time */
    if (!top->tool->json)
        top->screen = virtTopScreenOpen();
    if (top->screen)
        seconds = MIN(seconds, FIRST);
    for (guint i = 0; iterations == 0 || i < iterations; i++) {
        if (!virtTopScreenWait(top->screen, seconds))
            return true;
        if (!readPorts(top, error))
            return false;
        addEvents(top);
        show(top);
        seconds = top->interval;
    }
    return true;
}

bool
virtCmdTop(virtTool *tool, int argc, char **argv, GError **error)
{
    double interval = INTERVAL;
    gint iterations = 0;
    const GOptionEntry entries[] = {
        {"interval", 0, 0, G_OPTION_ARG_DOUBLE, &interval, "seconds from one reading to the next (2)", "SECONDS"},
        {"iterations", 0, 0, G_OPTION_ARG_INT, &iterations, "end after so often; otherwise with q", "N"},
        {NULL},
    };
    g_auto(Top) top = {.tool = tool};

    top.events = g_ptr_array_new_with_free_func(g_free);
    if (!virtToolOptions(tool, entries, &argc, &argv, 0, 0, error))
        return false;
    if (!(interval >= INTERVAL_MIN && interval <= INTERVAL_MAX) || iterations < 0) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "--interval must be 0.1 to 3600 seconds, and --iterations must not be negative");
        return false;
    }
    top.interval = interval;
    return run(&top, (guint)iterations, error);
}
