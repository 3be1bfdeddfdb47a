/* virchoice.h: a VF that is asked for by something else than its address: by its card, its PF or a pool
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     serial/MT2113X00001/0/3    VF 3 of the PF that is function 0 of the card with that serial number
 *     serial/MT2113X00001/-/any  any VF of the only PF of that card
 *     dev/ens1f0/any             any VF of the PF with that netdev
 *     pool/blue                  any VF of that pool
 */
#pragma once

#include "util/virhandle.h"

#define VIRT_CHOICE_NAME_MAX 255 /* bytes; a field of a VPD has no more */
#define VIRT_CHOICE_ANY (-1)     /* VF: whichever is free. Function: the only PF that the card has */

typedef enum {
    VIRT_CHOICE_NONE, /* the device is named by its address alone */
    VIRT_CHOICE_SERIAL,
    VIRT_CHOICE_DEV,
    VIRT_CHOICE_POOL
} virtChoiceBy;

/* Plain data: copied by assignment. All zero asks for nothing. */
typedef struct {
    virtChoiceBy by;
    char name[VIRT_CHOICE_NAME_MAX + 1]; /* serial number of the card, netdev of the PF, or name of the pool; ASCII */
    gint function;                       /* of the PF on its card, 0 to 7. Only by serial number; else ANY */
    gint vf;                             /* its index at the PF, from 0. In a pool ANY */
} virtChoice;

/* A device of a domain, and how it is asked for. */
typedef struct {
    virtChoice choice; /* NONE: by its address, or its UUID */
    virtHandle handle; /* the address; none where nobody has looked for it yet */
    bool migrates;     /* it is to be one that can migrate with its guest */
} virtWish;

bool virtChoiceSet(virtChoice *choice, virtChoiceBy by, const char *name, gint function, gint vf);
bool virtChoiceEqual(const virtChoice *a, const virtChoice *b);
bool virtChoiceIsExact(const virtChoice *choice);
bool virtWishListIsOpen(const GArray *wishes);
char *virtChoiceFormat(const virtChoice *choice);
bool virtChoiceParse(const char *text, virtChoice *ret);
char *virtChoiceDescribe(const virtChoice *choice);
