/* xml_check.c: hold an element to its rules; nothing that was written is ever dropped in silence
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/xml_check.h"

#include <stdarg.h>
#include <errno.h>
#include <string.h>

/* Look @name up in the list @names; returns what follows the name there ('!', '*' or ' '), 0 for no match. */
static char
listFind(const char *names, const char *name)
{
    gsize len = strlen(name);

    if (len == 0 || strchr(name, ' ')) /* an attribute of a namespace is in no list */
        return 0;
    for (const char *at = names; (at = strstr(at, name)); at++) {
        char behind = at[len];

        if (at != names && at[-1] != ' ')
            continue;
        if (behind == '\0')
            return ' ';
        if (strchr(" !*", behind))
            return behind;
    }
    return 0;
}

/* The next name of the list that ends in '!', copied to @ret; moves @names on. False at the end. */
static bool
listNextRequired(const char **names, char ret[32])
{
    while (**names) {
        gsize word = strcspn(*names, " ");
        const char *name = *names;

        *names += word + strspn(*names + word, " ");
        if (word && name[word - 1] == '!') {
            g_strlcpy(ret, name, MIN(word, 32));
            return true;
        }
    }
    return false;
}

/* "port, trustGuestRxFilters" or "<mac>, <vlan>" for a message; "none" for an empty list. */
static char *
listFormat(const char *names, bool elements)
{
    g_auto(GStrv) words = g_strsplit(names, " ", -1);
    GString *out = g_string_new(NULL);

    for (guint i = 0; words[i] && *words[i]; i++) {
        g_strdelimit(words[i], "!*", '\0');
        if (i > 0)
            g_string_append(out, ", ");
        if (elements)
            g_string_append_printf(out, "<%s>", words[i]);
        else
            g_string_append(out, words[i]);
    }
    if (out->len == 0)
        g_string_append(out, "none");
    return g_string_free(out, FALSE);
}

/* What closes a complaint, if anything does: "; ports are counted from 1". For g_free(). */
static char *
formatAdvice(const char *separator, const char *advice)
{
    if (!advice)
        return g_strdup("");
    return g_strconcat(separator, advice, NULL);
}

static const char *
findRefusal(const virtXmlGrammar *grammar, const char *element, const char *name, bool attr)
{
    for (const virtXmlRefusal *r = grammar->refusals; r && r->element; r++) {
        bool isAttr = r->name[0] == '@';

        if (isAttr == attr && g_str_equal(r->element, element) && g_str_equal(r->name + isAttr, name))
            return r->reason;
    }
    return NULL;
}

static const virtXmlRule *
findRuleIn(const virtXmlRule *rules, const char *name)
{
    for (const virtXmlRule *rule = rules; rule && rule->name; rule++) {
        if (g_str_equal(rule->name, name))
            return rule;
    }
    return NULL;
}

static const virtXmlRule *
findRule(const virtXmlGrammar *grammar, const char *name)
{
    const virtXmlRule *rule = findRuleIn(grammar->rules, name);

    if (!rule)
        rule = findRuleIn(grammar->shared, name);
    return rule;
}

static bool
checkAttrs(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlRule *rule, const virtXmlGrammar *grammar,
           GError **error)
{
    for (guint i = 0; i < node->attrCount; i++) {
        const virtXmlAttr *attr = &node->attrs[i];
        g_autofree char *quoted = NULL;
        g_autofree char *known = NULL;
        const char *reason;

        if (listFind(rule->attrs, attr->name))
            continue;
        reason = findRefusal(grammar, rule->name, attr->name, true);
        quoted = virtXmlQuote(attr->name);
        known = listFormat(rule->attrs, false);
        if (reason)
            virtXmlError(doc, node, error, "attribute '%s' of <%s> is refused: %s", quoted, rule->name, reason);
        else
            virtXmlError(doc, node, error, "<%s> has no attribute '%s' (known: %s): drop or correct it", rule->name,
                         quoted, known);
        return false;
    }
    return true;
}

static bool
checkRequiredAttrs(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlRule *rule, GError **error)
{
    const char *names = rule->attrs;
    char name[32];

    while (listNextRequired(&names, name)) {
        if (!virtXmlGet(node, name)) {
            virtXmlError(doc, node, error, "<%s> lacks its attribute '%s'", rule->name, name);
            return false;
        }
    }
    return true;
}

static bool
checkText(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlRule *rule, GError **error)
{
    const char *inside = virtXmlText(node);
    g_autofree char *text = NULL;
    g_autofree char *quoted = NULL;

    if (!inside[strspn(inside, " \t\r\n")])
        return true;
    text = g_strstrip(g_strdup(inside));
    quoted = virtXmlQuote(text);
    virtXmlError(doc, node, error, "text '%s' inside <%s> has no meaning: drop it", quoted, rule->name);
    return false;
}

static bool
complainUnknown(const virtXmlDoc *doc, const virtXmlNode *child, const virtXmlRule *rule, const virtXmlGrammar *grammar,
                GError **error)
{
    const char *reason = findRefusal(grammar, rule->name, child->name, false);
    g_autofree char *quoted = virtXmlQuote(child->name);
    g_autofree char *known = listFormat(rule->children, true);

    if (reason)
        virtXmlError(doc, child, error, "<%s> in <%s> is refused: %s", quoted, rule->name, reason);
    else
        virtXmlError(doc, child, error, "<%s> has no child <%s> (known: %s): drop or correct it", rule->name, quoted,
                     known);
    return false;
}

static bool
checkChild(const virtXmlDoc *doc, const virtXmlNode *child, const virtXmlRule *rule, const virtXmlGrammar *grammar,
           GError **error)
{
    const virtXmlNode *parent = child->parent;
    char kind = listFind(rule->children, child->name);

    if (child->ns && g_strcmp0(child->ns, parent->ns) != 0) {
        g_autofree char *name = virtXmlQuote(child->name);
        g_autofree char *ns = virtXmlQuote(child->ns);

        virtXmlError(doc, child, error, "<%s> of the namespace '%s' is not allowed in <%s>: drop it", name, ns,
                     rule->name);
        return false;
    }
    if (!kind)
        return complainUnknown(doc, child, rule, grammar, error);
    if (kind != '*' && virtXmlChild(parent, child->name) != child) {
        g_autofree char *advice = formatAdvice("; ", rule->hint);

        virtXmlError(doc, child, error, "a second <%s> in <%s>: drop one%s", child->name, rule->name, advice);
        return false;
    }
    return !findRule(grammar, child->name) || virtXmlCheck(doc, child, grammar, error);
}

static bool
checkRequiredChildren(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlRule *rule, GError **error)
{
    const char *names = rule->children;
    char name[32];

    while (listNextRequired(&names, name)) {
        if (!virtXmlChild(node, name)) {
            g_autofree char *advice = formatAdvice(": ", rule->hint);

            virtXmlError(doc, node, error, "<%s> lacks its <%s>%s", rule->name, name, advice);
            return false;
        }
    }
    return true;
}

/* Hold @node and all below it to @grammar, which must have a rule for it. Children may be in no namespace or
 * in their parent's (libvirt moves them there when it stores metadata). */
bool
virtXmlCheck(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlGrammar *grammar, GError **error)
{
    const virtXmlRule *rule = findRule(grammar, node->name);

    g_assert(rule);
    if (!checkAttrs(doc, node, rule, grammar, error) || !checkRequiredAttrs(doc, node, rule, error) ||
        (rule->check && !rule->check(doc, node, error)) || !checkText(doc, node, rule, error))
        return false;
    for (guint i = 0; i < node->children->len; i++) {
        if (!checkChild(doc, node->children->pdata[i], rule, grammar, error))
            return false;
    }
    return checkRequiredChildren(doc, node, rule, error);
}

/* Complain about the value of an attribute: what it is, and what it should be. */
void
virtXmlBadValue(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, GError **error, const char *format,
                ...)
{
    const char *value = virtXmlGet(node, attr);
    g_autofree char *quoted = virtXmlQuote(value);
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    virtXmlError(doc, node, error, "%s='%s' in <%s>: %s", attr, quoted, node->name, sentence);
}

static void
complainRange(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, const virtXmlRange *range,
              GError **error)
{
    g_autofree char *advice = formatAdvice("; ", range->advice);

    if (range->base)
        virtXmlBadValue(doc, node, attr, error, "not a number from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT "%s",
                        range->min, range->max, advice);
    else
        virtXmlBadValue(doc, node, attr, error,
                        "not a number from 0x%" G_GINT64_MODIFIER "x to 0x%" G_GINT64_MODIFIER "x%s", range->min,
                        range->max, advice);
}

/* Read a whole number from an attribute; where that is absent @ret is left alone, which is no error. */
bool
virtXmlGetUInt(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, const virtXmlRange *range,
               guint64 *ret, GError **error)
{
    const char *value = virtXmlGet(node, attr);
    char *end = NULL;
    guint64 number = 0;

    if (!value)
        return true;
    errno = 0; /* of a number that is too great */
    if (g_ascii_isdigit(*value)) /* strtoull also takes signs and blanks */
        number = g_ascii_strtoull(value, &end, range->base);
    if (!end || *end || errno || number < range->min || number > range->max) {
        complainRange(doc, node, attr, range, error);
        return false;
    }
    *ret = number;
    return true;
}
