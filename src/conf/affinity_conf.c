/* affinity_conf.c: where a domain's processors or memory are bound to
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <cputune><vcpupin vcpu='0' cpuset='4'/><vcpupin vcpu='1' cpuset='5'/></cputune>
 *     <vcpu cpuset='4-7'>2</vcpu>
 *     <numatune><memory mode='strict' nodeset='1'/></numatune>
 *
 * The first of these that is there counts: what is said of single virtual processors is in the place of what is said of
 * all of them, and memory is where it was bound to so as to be near to them.
 */
#include "conf/affinity_conf.h"

static void
readPins(const virtXmlNode *domain, virtAffinity *ret)
{
    const virtXmlNode *tune = virtXmlChild(domain, "cputune");

    for (guint i = 0; tune && i < tune->children->len; i++) {
        const virtXmlNode *pin = tune->children->pdata[i];
        const char *set = virtXmlGet(pin, "cpuset");

        if (set && virtXmlIs(pin, NULL, "vcpupin"))
            virtAffinityAddList(ret, set);
    }
}

static void
readSet(const virtXmlNode *node, const char *attr, virtAffinity *ret)
{
    const char *set = virtXmlGet(node, attr);

    if (set && virtAffinityIsNone(ret))
        virtAffinityAddList(ret, set);
}

/* Where the guest of a document is, which is a preference and never a reason to fail: what cannot be read says nothing,
 * as does a document that is no domain.
 */
void
virtAffinityReadXml(const char *xml, gsize len, virtAffinity *ret)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParseWritten(xml, len, NULL, NULL);
    virtAffinity affinity = {0};

    if (doc && virtXmlIs(doc->root, NULL, "domain")) {
        readPins(doc->root, &affinity);
        readSet(virtXmlChild(doc->root, "vcpu"), "cpuset", &affinity);
        affinity.nodes = virtAffinityIsNone(&affinity);
        readSet(virtXmlChild(virtXmlChild(doc->root, "numatune"), "memory"), "nodeset", &affinity);
    }
    *ret = affinity;
}
