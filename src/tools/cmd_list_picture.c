/* cmd_list_picture.c: virt-hostdev list --dot: a picture of the host for Graphviz
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A frame a card, in it a table a PF: a column a port, a row a VF, in the order of indexes, which Graphviz would not
 * keep between nodes. Colours say how a VF does. Free VFs in a row are one row, so that the picture of 255 is read like
 * that of two. One arrow leads from a VF to whom it belongs.
 */
#include "tools/cmd_list.h"

#include <string.h>

#include "hypervisor/provision_drift.h"

#define BREAK "<br/>"
#define UP "#cfeccf"
#define DOWN "#d0d0d0"
#define FREE_MIN 3 /* free VFs one after the other that become one row */

typedef enum {
    STATE_FREE,
    STATE_HELD,
    STATE_GUEST,
    STATE_HAND,
    STATE_LEFT,
    STATE_DRIFT,
    STATE_UNREAD,
    STATE_LAST,
} State;

static const struct {
    const char *text;
    const char *fill;
    const char *edge;
} states[STATE_LAST] = {
    [STATE_FREE] = {"free", "#f4f4f4", "#606060"},
    [STATE_HELD] = {"bound to vfio-pci, no record", "#e6dcf4", "#606060"},
    [STATE_GUEST] = {"guest's", "#cfeccf", "#606060"},
    [STATE_HAND] = {"set by hand", "#cfe2f8", "#606060"},
    [STATE_LEFT] = {"to be restored", "#fcefb0", "#606060"},
    [STATE_DRIFT] = {"changed by others", "#f9c3a0", "#b00000"},
    [STATE_UNREAD] = {"cannot be read", "#d0d0d0", "#606060"},
};

/* What the records say of one device. */
typedef struct {
    char *id;    /* the owner's, quoted for Graphviz */
    char *label; /* its name, as Graphviz's HTML */
    State state;
    GHashTable *drift; /* {port: GString, lines of a cell} */
} Owner;

static void
ownerFree(Owner *owner)
{
    g_free(owner->id);
    g_free(owner->label);
    g_hash_table_unref(owner->drift);
    g_free(owner);
}

/* A row of a PF's table. */
typedef struct {
    guint index;
    char *name;
    char *driver;
    State state;
    const Owner *owner; /* NULL: it has no record */
    GString *cells;     /* a <td> a port */
} Row;

static void
rowFree(Row *row)
{
    g_free(row->name);
    g_free(row->driver);
    g_string_free(row->cells, TRUE);
    g_free(row);
}

typedef struct {
    GHashTable *owners; /* {handle's name: Owner} */
    char card[VIRT_PCI_ADDRESS_LEN];
    char pf[VIRT_PCI_ADDRESS_LEN]; /* "": none yet */
    char *title;                   /* of the PF */
    GString *ports;                /* a <td> each */
    guint nPorts;
    GPtrArray *rows;
    GString *edges;
    GString *cards; /* an edge to each PF, which keeps them in order */
} Picture;

/* ---- who has what ---- */

static State
stateOf(virtHost *host, const virtDrift *drift)
{
    g_autofree char *waits = virtProvisionWaits(host, drift->record);

    if (drift->problem)
        return STATE_UNREAD;
    if (waits || virtProvisionRecordIsLeft(host, drift->record))
        return STATE_LEFT;
    if (virtDriftIsAny(drift))
        return STATE_DRIFT;
    if (!drift->record->owner.uuid)
        return STATE_HAND;
    return STATE_GUEST;
}

static void
addDrift(Owner *owner, const virtPlanRow *row)
{
    GString *lines = g_hash_table_lookup(owner->drift, GUINT_TO_POINTER(row->port));
    g_autofree char *line = g_markup_printf_escaped("<font color=\"#b00000\"><b>%s now %s</b>, set %s</font>" BREAK,
                                                    row->attr, row->from, row->to);

    if (!lines) {
        lines = g_string_new(NULL);
        g_hash_table_insert(owner->drift, GUINT_TO_POINTER(row->port), lines);
    }
    g_string_append(lines, line);
}

static void
freeLines(gpointer lines)
{
    g_string_free(lines, TRUE);
}

static char *
nameOwner(const virtOwner *owner)
{
    g_autofree char *name = NULL;

    if (owner->uuid)
        return g_strdup_printf("\"domain %s\"", owner->uuid);
    name = g_strescape(owner->name, NULL);
    return g_strdup_printf("\"owner %s\"", name);
}

static void
addOwner(virtHost *host, const virtDrift *drift, void *opaque)
{
    GHashTable *owners = opaque;
    Owner *owner = g_new0(Owner, 1);

    owner->id = nameOwner(&drift->record->owner);
    owner->label = g_markup_escape_text(drift->record->owner.name, -1);
    owner->state = stateOf(host, drift);
    owner->drift = g_hash_table_new_full(NULL, NULL, NULL, freeLines);
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        if (drift->compared && row->differs && row->attr)
            addDrift(owner, row);
    }
    g_hash_table_insert(owners, g_strdup(drift->record->handle.name), owner);
}

static GHashTable *
listOwners(virtHost *host)
{
    GHashTable *owners = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)ownerFree);
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, NULL);

    if (records)
        virtProvisionDrift(host, records, addOwner, owners);
    return owners;
}

/* ---- a PF's table ---- */

static void
appendCell(GString *out, const char *fill, const char *attrs, const char *text)
{
    g_string_append_printf(out, "<td bgcolor=\"%s\" align=\"left\" balign=\"left\"%s>%s</td>", fill, attrs, text);
}

static const char *
driverOf(const char *driver)
{
    if (!driver)
        return "no driver";
    return driver;
}

/* Index and address of @row; @last: of the last row that it stands for, or NULL. */
static void
printRow(const Picture *picture, const Row *row, const Row *last)
{
    g_autoptr(GString) out = g_string_new("      <tr>");
    g_autofree char *text = NULL;
    g_autofree char *port = g_strdup_printf(" port=\"v%u\"", row->index);

    if (last) {
        text = g_strdup_printf("VF %u to %u: %u free", row->index, last->index, last->index - row->index + 1);
        g_string_append_printf(out, "<td bgcolor=\"%s\" colspan=\"%u\" align=\"left\">%s</td>", states[STATE_FREE].fill,
                               picture->nPorts + 2, text);
    } else {
        text = g_markup_printf_escaped("<b>VF %u</b>  %s<br/>%s<br/>", row->index, row->name, driverOf(row->driver));
        appendCell(out, states[row->state].fill, "", text);
        g_string_append(out, row->cells->str);
        appendCell(out, states[row->state].fill, port, states[row->state].text);
    }
    printf("%s</tr>\n", out->str);
}

/* The last of the free VFs that follow @first without a gap. */
static guint
lastFree(const GPtrArray *rows, guint first)
{
    guint last = first;

    while (last < rows->len && ((const Row *)rows->pdata[last])->state == STATE_FREE)
        last++;
    return last - 1;
}

static void
printRows(const Picture *picture)
{
    const GPtrArray *rows = picture->rows;

    for (guint i = 0; i < rows->len; i++) {
        const Row *row = rows->pdata[i];
        guint last = i;

        if (row->state == STATE_FREE)
            last = lastFree(rows, i);
        if (last - i + 1 < FREE_MIN) {
            printRow(picture, row, NULL);
            continue;
        }
        printRow(picture, row, rows->pdata[last]);
        i = last;
    }
}

/* Whom each VF belongs to; called when all tables are there. */
static void
addEdges(Picture *picture)
{
    for (guint i = 0; i < picture->rows->len; i++) {
        const Row *row = picture->rows->pdata[i];

        if (!row->owner)
            continue;
        g_string_append_printf(picture->edges, "  \"%s\":v%u:e -> %s [color=\"%s\"];\n", picture->pf, row->index,
                               row->owner->id, states[row->state].edge);
    }
}

static void
printPF(Picture *picture)
{
    if (!picture->pf[0])
        return;
    printf(
        "    \"%s\" [label=<<table border=\"0\" cellborder=\"1\" cellspacing=\"0\" cellpadding=\"4\" color=\"#808080\">\n",
        picture->pf);
    printf("      <tr><td colspan=\"%u\" bgcolor=\"#404040\"><font color=\"white\"><b>%s</b></font></td></tr>\n",
           picture->nPorts + 2, picture->title);
    printf("      <tr><td></td>%s<td></td></tr>\n", picture->ports->str);
    printRows(picture);
    printf("    </table>>];\n");
    addEdges(picture);
    g_string_append_printf(picture->cards, "  host -> \"%s\" [arrowhead=none, lhead=\"cluster %s\"];\n", picture->pf,
                           picture->card);
    g_ptr_array_set_size(picture->rows, 0);
    g_string_truncate(picture->ports, 0);
    g_clear_pointer(&picture->title, g_free);
    picture->nPorts = 0;
}

/* ---- places become tables ---- */

/* A card's functions share all of the address but the function. */
static void
openCard(Picture *picture, const virtListPlace *place)
{
    g_autofree char *card = g_strndup(place->pf, strcspn(place->pf, "."));
    g_autofree char *told = virtListDescribeCard(place->card);
    g_autofree char *label = NULL;

    if (g_str_equal(card, picture->card))
        return;
    if (picture->card[0])
        printf("  }\n");
    g_strlcpy(picture->card, card, sizeof(picture->card));
    label = g_markup_printf_escaped("card %s   %s", card, told);
    printf("  subgraph \"cluster %s\" {\n    label=<%s>; labeljust=l; color=\"#a0a0a0\"; style=rounded;\n", card,
           g_strchomp(label));
}

static void
beginPF(Picture *picture, const virtListPlace *place)
{
    printPF(picture);
    openCard(picture, place);
    g_strlcpy(picture->pf, place->pf, sizeof(picture->pf));
    picture->title = g_markup_printf_escaped("PF %s   %s", place->pf, driverOf(place->driver));
}

static void
addPort(Picture *picture, const virtListPlace *place)
{
    const char *state = "down", *fill = DOWN;
    g_autofree char *text = NULL;

    if (place->port->up) {
        state = "up";
        fill = UP;
    }
    text = g_markup_printf_escaped("<b>port %u</b><br/>%s %s", place->port->port, place->port->ifname, state);
    appendCell(picture->ports, fill, "", text);
    picture->nPorts++;
}

static State
stateOfVF(const virtListPlace *place, const Owner *owner)
{
    if (owner)
        return owner->state;
    if (g_strcmp0(place->driver, "vfio-pci") == 0)
        return STATE_HELD;
    if (!place->netdev)
        return STATE_UNREAD;
    return STATE_FREE;
}

/* MAC address and VLAN, where there are any. */
static GString *
describeVF(const virtNetdev *netdev)
{
    static const guint8 none[6];
    GString *text = g_string_new(NULL);

    if (!netdev)
        return text;
    if (virtNetdevHas(netdev, VIRT_NETDEV_MAC) && memcmp(netdev->mac, none, sizeof(none)) != 0) {
        g_autofree char *mac = virtNetdevAttrs[VIRT_NETDEV_MAC].format(netdev);

        g_string_append_printf(text, "%s" BREAK, mac);
    }
    if (virtNetdevHas(netdev, VIRT_NETDEV_VLAN) && !virtNetdevAttrs[VIRT_NETDEV_VLAN].isNone(netdev)) {
        g_autofree char *vlan = virtNetdevAttrs[VIRT_NETDEV_VLAN].format(netdev);

        g_string_append_printf(text, "VLAN %s" BREAK, vlan);
    }
    return text;
}

static Row *
newRow(Picture *picture, const virtListPlace *place)
{
    Row *row = g_new0(Row, 1);

    row->index = place->vf->index;
    row->name = g_strdup(place->vf->name);
    row->driver = g_strdup(place->driver);
    row->owner = g_hash_table_lookup(picture->owners, row->name);
    row->state = stateOfVF(place, row->owner);
    row->cells = g_string_new(NULL);
    g_ptr_array_add(picture->rows, row);
    return row;
}

static Row *
findRow(Picture *picture, const virtListPlace *place)
{
    for (guint i = 0; i < picture->rows->len; i++) {
        Row *row = picture->rows->pdata[i];

        if (row->index == place->vf->index)
            return row;
    }
    return newRow(picture, place);
}

static void
addVF(Picture *picture, const virtListPlace *place)
{
    Row *row = findRow(picture, place);
    g_autoptr(GString) text = describeVF(place->netdev);
    const GString *drift = NULL;
    const char *fill = states[row->state].fill;

    if (row->owner)
        drift = g_hash_table_lookup(row->owner->drift, GUINT_TO_POINTER(place->port->port));
    if (drift)
        g_string_append(text, drift->str);
    else if (row->state == STATE_DRIFT) /* this port is as it was set */
        fill = states[STATE_GUEST].fill;
    appendCell(row->cells, fill, "", text->str);
}

static void
addPlace(const virtListPlace *place, void *opaque)
{
    if (place->vf)
        addVF(opaque, place);
    else if (place->port)
        addPort(opaque, place);
    else if (*place->pf)
        beginPF(opaque, place);
}

/* ---- the whole ---- */

/* Guests, and what was set by hand, each once. */
static void
printOwners(const Picture *picture)
{
    g_autoptr(GHashTable) shown = g_hash_table_new(g_str_hash, g_str_equal);
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, picture->owners);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Owner *owner = value;

        if (g_hash_table_add(shown, owner->id))
            printf("  %s [label=<%s>, shape=box, style=\"rounded,filled\", fillcolor=white, fontsize=12];\n", owner->id,
                   owner->label);
    }
}

/* What the colours mean. */
static void
printLegend(void)
{
    printf("  labelloc=b; labeljust=l;\n"
           "  label=<<table border=\"0\" cellborder=\"0\" cellspacing=\"4\" cellpadding=\"4\"><tr>");
    for (guint state = 0; state < STATE_LAST; state++)
        printf("<td bgcolor=\"%s\">%s</td>", states[state].fill, states[state].text);
    printf("</tr></table>>;\n");
}

void
virtListDraw(virtHost *host)
{
    g_autoptr(GHashTable) owners = listOwners(host);
    Picture picture = {.owners = owners,
                       .ports = g_string_new(NULL),
                       .rows = g_ptr_array_new_with_free_func((GDestroyNotify)rowFree),
                       .edges = g_string_new(NULL),
                       .cards = g_string_new(NULL)};

    printf("digraph host {\n  rankdir=LR; compound=true; ranksep=1; nodesep=0.3;\n"
           "  node [shape=plain, fontname=\"Helvetica\", fontsize=10];\n"
           "  graph [fontname=\"Helvetica\", fontsize=10];\n  edge [color=\"#606060\"];\n");
    virtListVisit(host, addPlace, &picture);
    printPF(&picture);
    if (picture.card[0])
        printf("  }\n");
    printOwners(&picture);
    printf("%s", picture.edges->str);
    printf("  host [label=\"host\", shape=box, fontsize=12, ordering=out];\n%s", picture.cards->str);
    printLegend();
    printf("}\n");
    g_string_free(picture.ports, TRUE);
    g_ptr_array_unref(picture.rows);
    g_string_free(picture.edges, TRUE);
    g_string_free(picture.cards, TRUE);
    g_free(picture.title);
}
