/* profile_conf.h: settings for the devices of domains that do not give them, as /etc/libvirt/hostdev/profiles/NAME.xml
 * says it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <profile>
 *       <name>second-port</name>
 *       <description>tenants' traffic on port 2</description>
 *       <device pool='blue'/>
 *       <device><pf serial='MT2113X00001' function='0'/></device>
 *       <domain name='instance-*'>
 *         <metadata namespace='http://openstack.org/xmlns/libvirt/nova/1.1' element='flavor' attribute='name'
 * value='sriov*'/>
 *       </domain>
 *       <netdev port='2'>
 *         <vlan><tag id='43'/></vlan>
 *       </netdev>
 *     </profile>
 *
 * It is for a VF that any <device> names, of a domain that any <domain> describes; without one, for all.
 */
#pragma once

#include "conf/setting_conf.h"
#include "util/virchoice.h"

#define VIRT_PROFILE_MAX 6144 /* bytes of a file: it goes to a filter in one packet of the broker */

/* An element that a domain has somewhere in its <metadata>. */
typedef struct {
    char *namespace, *element;
    char *attribute; /* NULL: the text of the element counts */
    char *value;     /* a pattern with * and ? */
} virtProfileMetadata;

/* All of it must hold. */
typedef struct {
    char *name;          /* a pattern with * and ?; NULL: any */
    GPtrArray *metadata; /* virtProfileMetadata */
} virtProfileDomain;

typedef struct {
    char *name;
    char *description;     /* NULL: none */
    GArray *devices;       /* virtChoice: all VFs of a PF, or those of a pool; empty: any VF */
    GPtrArray *domains;    /* virtProfileDomain; empty: any domain */
    virtSettings settings; /* not all of them empty */
} virtProfile;

/* A profile, and for which devices of a domain it is. */
typedef struct {
    virtProfile *profile;
    char *xml;    /* its text */
    GArray *fits; /* guint: indexes into what virtDomainListProfiled() has returned */
} virtProfileUse;

virtProfile *virtProfileParse(const char *xml, gsize len, const char *file, GError **error);
void virtProfileFree(virtProfile *profile);
bool virtProfileFitsDomain(const virtProfile *profile, const virtXmlNode *domain);
void virtProfileUseFree(virtProfileUse *use);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtProfile, virtProfileFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtProfileUse, virtProfileUseFree)

/* ---- domain_profile.c ---- */

GArray *virtDomainListProfiled(const char *xml, gsize len, const char *file, guint flags, GError **error);
char *virtDomainApplyProfiles(const char *xml, gsize len, const char *file, guint flags, const GPtrArray *uses,
                              const char *domain, gsize domainLen, GError **error);
void virtSettingsKeepProfiled(virtSettings *settings, const virtSettings *old);
