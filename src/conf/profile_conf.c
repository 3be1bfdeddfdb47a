/* profile_conf.c: settings for the devices of domains that do not give them, as a profile's file says it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/profile_conf.h"

#include <string.h>

#include "conf/choice_conf.h"
#include "conf/netdev_conf.h"

static const virtXmlRule deviceRule = {"device", "pool", "pf", NULL, NULL};
static const virtXmlRule domainRule = {"domain", "name", "metadata*", NULL, NULL};
static const virtXmlRule metadataRule = {"metadata", "namespace! element! attribute value!", "", NULL, NULL};

static void
metadataFree(gpointer opaque)
{
    virtProfileMetadata *metadata = opaque;

    g_free(metadata->namespace);
    g_free(metadata->element);
    g_free(metadata->attribute);
    g_free(metadata->value);
    g_free(metadata);
}

static void
domainFree(gpointer opaque)
{
    virtProfileDomain *domain = opaque;

    g_free(domain->name);
    g_ptr_array_unref(domain->metadata);
    g_free(domain);
}

void
virtProfileFree(virtProfile *profile)
{
    if (!profile)
        return;
    g_free(profile->name);
    g_free(profile->description);
    g_array_unref(profile->devices);
    g_ptr_array_unref(profile->domains);
    virtSettingsClear(&profile->settings);
    g_free(profile);
}

void
virtProfileUseFree(virtProfileUse *use)
{
    if (!use)
        return;
    virtProfileFree(use->profile);
    g_clear_pointer(&use->fits, g_array_unref);
    g_free(use->xml);
    g_free(use);
}

/* ---- reading ---- */

static bool
parseDevice(const virtXmlDoc *doc, const virtXmlNode *node, virtProfile *profile, GError **error)
{
    const virtXmlNode *pf = virtXmlChild(node, "pf");
    const char *pool = virtXmlGet(node, "pool");
    virtChoice choice = {0};

    if (!pool == !pf) {
        virtXmlError(doc, node, error, "<device> has either the attribute 'pool' or a <pf>");
        return false;
    }
    if (pf && !virtChoiceParsePF(doc, pf, VIRT_CHOICE_ANY, &choice, error))
        return false;
    if (pool && !virtChoiceIsPool(pool)) {
        virtXmlBadValue(doc, node, "pool", error, "not the name of a pool: " VIRT_CHOICE_POOL_NAMES);
        return false;
    }
    if (pool)
        virtChoiceSet(&choice, VIRT_CHOICE_POOL, pool, VIRT_CHOICE_ANY, VIRT_CHOICE_ANY);
    g_array_append_val(profile->devices, choice);
    return true;
}

static void
parseMetadata(const virtXmlNode *node, virtProfileDomain *domain)
{
    virtProfileMetadata *metadata = g_new0(virtProfileMetadata, 1);

    metadata->namespace = g_strdup(virtXmlGet(node, "namespace"));
    metadata->element = g_strdup(virtXmlGet(node, "element"));
    metadata->attribute = g_strdup(virtXmlGet(node, "attribute"));
    metadata->value = g_strdup(virtXmlGet(node, "value"));
    g_ptr_array_add(domain->metadata, metadata);
}

static bool
parseDomain(const virtXmlDoc *doc, const virtXmlNode *node, virtProfile *profile, GError **error)
{
    virtProfileDomain *domain = g_new0(virtProfileDomain, 1);

    domain->name = g_strdup(virtXmlGet(node, "name"));
    domain->metadata = g_ptr_array_new_with_free_func(metadataFree);
    g_ptr_array_add(profile->domains, domain);
    for (guint i = 0; i < node->children->len; i++)
        parseMetadata(node->children->pdata[i], domain);
    if (domain->name || domain->metadata->len > 0)
        return true;
    virtXmlError(doc, node, error,
                 "<domain> describes no domain: give its attribute 'name' or a <metadata>, or drop it for all domains");
    return false;
}

/* What only one device of one domain can have. */
static bool
checkNetdevs(const virtXmlDoc *doc, const virtProfile *profile, GError **error)
{
    static const virtNetdevAttr own[] = {VIRT_NETDEV_MAC, VIRT_NETDEV_NODE_GUID, VIRT_NETDEV_PORT_GUID};
    const GPtrArray *netdevs = VIRT_NETDEVS(profile);

    for (guint i = 0; i < netdevs->len; i++) {
        const virtNetdev *netdev = netdevs->pdata[i];

        for (guint j = 0; j < G_N_ELEMENTS(own); j++) {
            if (!virtNetdevHas(netdev, own[j]))
                continue;
            virtXmlError(doc, doc->root, error,
                         "<netdev port='%u'> of a profile has a %s, which every domain with it would have: drop it. "
                         "Each domain gets one of its own",
                         netdev->port, virtNetdevAttrs[own[j]].title);
            return false;
        }
    }
    return true;
}

/* Who gives what is in the file is its name. */
static bool
checkGivers(const virtXmlDoc *doc, const virtProfile *profile, GError **error)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        const GPtrArray *list = profile->settings.of[k];

        for (guint i = 0; i < list->len; i++) {
            if (!*((const virtSetting *)list->pdata[i])->profile)
                continue;
            virtXmlError(doc, doc->root, error, "<%s> of a profile has the attribute 'profile': drop it",
                         virtSettingKinds[k]->info->name);
            return false;
        }
    }
    return true;
}

static bool
parseSettings(const virtXmlDoc *doc, virtProfile *profile, GError **error)
{
    if (!virtSettingsParse(doc, doc->root, VIRT_SETTING_PARSE_USER, &profile->settings, error) ||
        !checkNetdevs(doc, profile, error) || !checkGivers(doc, profile, error))
        return false;
    if (!virtSettingsAreEmpty(&profile->settings))
        return true;
    virtXmlError(doc, doc->root, error, "<profile> gives nothing: write a <netdev> or a <function>");
    return false;
}

static bool
parseChildren(const virtXmlDoc *doc, virtProfile *profile, GError **error)
{
    for (guint i = 0; i < doc->root->children->len; i++) {
        const virtXmlNode *node = doc->root->children->pdata[i];
        bool ok = true;

        if (virtXmlIs(node, NULL, "device"))
            ok = parseDevice(doc, node, profile, error);
        else if (virtXmlIs(node, NULL, "domain"))
            ok = parseDomain(doc, node, profile, error);
        if (!ok)
            return false;
    }
    return true;
}

static bool
checkShape(const virtXmlDoc *doc, GError **error)
{
    /* No other kind says who gave it. */
    static const char children[] = "name! description device* domain* netdev* function";
    const virtXmlRule rules[] = {
        {"profile", "", children, NULL, NULL}, deviceRule, domainRule, metadataRule, {NULL},
    };
    const virtXmlGrammar grammar = {rules, NULL, NULL};

    if (virtXmlIs(doc->root, NULL, "profile"))
        return virtXmlCheck(doc, doc->root, &grammar, error);
    virtXmlError(doc, doc->root, error, "the root of a profile's file is <profile>, not <%s>", doc->root->name);
    return false;
}

/* Read a profile.
 *
 * @file: for messages, may be NULL
 *
 * Returns it, for virtProfileFree(); or NULL with VIRT_ERROR_INVALID.
 */
virtProfile *
virtProfileParse(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, file, error);
    g_autoptr(virtProfile) profile = NULL;
    const char *description;

    if (!doc || !checkShape(doc, error))
        return NULL;
    profile = g_new0(virtProfile, 1);
    profile->devices = g_array_new(FALSE, FALSE, sizeof(virtChoice));
    profile->domains = g_ptr_array_new_with_free_func(domainFree);
    profile->name = g_strstrip(g_strdup(virtXmlText(virtXmlChild(doc->root, "name"))));
    if (!virtChoiceIsPool(profile->name)) {
        g_autofree char *quoted = virtXmlQuote(profile->name);

        virtXmlError(doc, virtXmlChild(doc->root, "name"), error,
                     "'%s' in <name> is not the name of a profile: " VIRT_CHOICE_POOL_NAMES, quoted);
        return NULL;
    }
    description = virtXmlText(virtXmlChild(doc->root, "description"));
    if (*description)
        profile->description = g_strdup(description);
    if (!parseChildren(doc, profile, error) || !parseSettings(doc, profile, error))
        return NULL;
    return g_steal_pointer(&profile);
}

/* ---- is it for a domain? ---- */

static bool
isElement(const virtProfileMetadata *metadata, const virtXmlNode *node)
{
    const char *value = NULL;
    g_autofree char *text = NULL;

    if (!virtXmlIs(node, metadata->namespace, metadata->element))
        return false;
    if (metadata->attribute)
        value = virtXmlGet(node, metadata->attribute);
    else
        value = text = g_strstrip(g_strdup(virtXmlText(node)));
    return value && g_pattern_match_simple(metadata->value, value);
}

static bool
isBelow(const virtProfileMetadata *metadata, const virtXmlNode *node)
{
    for (guint i = 0; node && i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (isElement(metadata, child) || isBelow(metadata, child))
            return true;
    }
    return false;
}

static bool
describes(const virtProfileDomain *described, const virtXmlNode *domain)
{
    g_autofree char *name = g_strstrip(g_strdup(virtXmlText(virtXmlChild(domain, "name"))));

    if (described->name && !g_pattern_match_simple(described->name, name))
        return false;
    for (guint i = 0; i < described->metadata->len; i++) {
        if (!isBelow(described->metadata->pdata[i], virtXmlChild(domain, "metadata")))
            return false;
    }
    return true;
}

/* Is @profile for the domain @domain, whatever its devices? NULL: a domain of which nothing is known. */
bool
virtProfileFitsDomain(const virtProfile *profile, const virtXmlNode *domain)
{
    for (guint i = 0; domain && i < profile->domains->len; i++) {
        if (describes(profile->domains->pdata[i], domain))
            return true;
    }
    return profile->domains->len == 0;
}
