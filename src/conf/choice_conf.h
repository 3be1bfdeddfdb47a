/* choice_conf.h: the <source> of a device that is asked for by its card, its PF or a pool
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/xml_check.h"
#include "util/virchoice.h"

/* What the name of a pool may be, for messages. */
#define VIRT_CHOICE_POOL_NAMES "1 to 63 letters, digits, '_', '-', '.' and '@', and no '.' first"

bool virtChoiceIsPool(const char *name);
bool virtChoiceIsWritten(const virtXmlNode *source);
bool virtChoiceParseXml(const virtXmlDoc *doc, const virtXmlNode *source, virtChoice *ret, GError **error);
bool virtChoiceParsePF(const virtXmlDoc *doc, const virtXmlNode *pf, gint vf, virtChoice *ret, GError **error);
void virtChoiceFormatAttr(GString *out, const virtChoice *choice);
void virtChoiceFormatXml(GString *out, const virtChoice *choice, const char *prefix, const char *indent);
void virtChoiceCut(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *source);
