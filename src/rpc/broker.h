/* broker.h: what a filter may ask of the daemon
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Over a SOCK_SEQPACKET pair, a packet a request and a packet an answer, both text:
 *
 *   begin ID UUID             take the domain's lock; it is then reconciled
 *   prepare ID UUID HANDLE    set the device as the domain's live metadata says, before libvirt is asked to attach it.
 *                             HANDLE network/MAC: the VF that libvirt has taken for an interface, after that
 *   update ID UUID HANDLE     set an attached device as the domain's live metadata says by now
 *   end ID UUID               reconcile the domain and give its lock back; after prepare, an error tells what of the
 *                             attached device is not as it should be
 *   stats ID UUID HANDLE      count what the domain's VF has received and sent; needs no lock
 *   check ID UUID HANDLE      say whether the domain may be given the device, which is none that is set: no PF whose
 *                             VFs are in use; needs no lock
 *   vpd ID HANDLE             say what the card of a PF or VF tells about itself; needs no lock
 *   verify ID UUID            say whether the devices of a domain that has just started were set; needs no begin
 *   choose ID UUID MODE [AFFINITY] WISH…
 *                             find the VFs that a domain asks for by card, PF or pool; needs no lock. Until "forget" or
 *                             "end" nobody else is given them. MODE: what the call does with them: "define", "attach",
 *                             "start", or "detach" and the like
 *   profile ID AFTER WISH…    find the next profile, behind the one named AFTER ("-": the first), that is for any of
 *                             these VFs; needs no lock
 *   forget ID UUID            libvirt has answered the call that they were chosen for; needs no lock
 *
 *   ok ID
 *   stats ID N N N N          to stats: bytes and packets received, bytes and packets sent
 *   vpd ID XML                to vpd: libvirt's <capability type='vpd'>, on one line and in printable ASCII. An error
 *                             that it is not found: the card tells nothing
 *   chosen ID HANDLE…         to choose: a handle for each wish
 *   profile ID FITS XML       to profile: for which of the wishes it is ("0,2"), and its text. An error that it is not
 *                             found: there is no other
 *   error ID CODE TEXT        CODE: a virtErrorCode
 *
 * A WISH is HANDLE=CHOICE (virchoice.h), each "-" where there is none: "-=pool/blue". AFFINITY is where the guest is
 * (viraffinity.h), if that is known: "cpus/f0"; of an attach the broker reads it itself. A domain that has no UUID yet
 * is VIRT_BROKER_NOBODY. ID is the filter's own number, 1 and up; several requests may be under way, about different
 * domains. Reconciling makes records, VFs and metadata agree with the devices that libvirt says the domain has:
 * whatever a step has done is thereby undone where the device did not arrive, or confirmed where it did. A filter that
 * goes away has asked "end" for all that it began, and the daemon first waits until libvirt is through with its calls.
 *
 * The daemon believes none of it: metadata and devices are read by itself, a VF that somebody else has is not
 * touched, and a lock that is held longer than VIRT_BROKER_LEASE is taken away together with the filter. That time runs
 * from the answer to begin to the arrival of end: what the daemon itself does there, it cannot be blamed for. In
 * between all counts, also what libvirt and a network card take, or who asks again and again would have the domain for
 * ever. Long calls of the client's do not, for the filter gives a call up that would have to wait for them
 * (filter_pending.c): an error, and not the end of the connection.
 */
#pragma once

#include "util/viraffinity.h"
#include "util/virchoice.h"
#include "util/virerror.h"
#include "util/virhandle.h"
#include "util/virnetdev.h"

#define VIRT_BROKER_PACKET_MAX 8192 /* bytes, NUL not counted; longer messages are cut */
#define VIRT_BROKER_NAME_MAX 63     /* bytes of a profile's name */
#define VIRT_BROKER_LEASE 300       /* seconds; libvirt waits at most 30 for a domain's job, and some NICs are slow */

#define VIRT_BROKER_VPD_MAX (VIRT_BROKER_PACKET_MAX - 15) /* bytes of the XML: "vpd 4294967295 " comes before it */

typedef enum {
    VIRT_BROKER_BEGIN,
    VIRT_BROKER_PREPARE,
    VIRT_BROKER_UPDATE,
    VIRT_BROKER_END,
    VIRT_BROKER_VERIFY,
    VIRT_BROKER_CHECK,
    VIRT_BROKER_STATS,
    VIRT_BROKER_VPD,
    VIRT_BROKER_CHOOSE,
    VIRT_BROKER_PROFILE,
    VIRT_BROKER_FORGET
} virtBrokerVerb;

#define VIRT_BROKER_NOBODY "00000000-0000-0000-0000-000000000000"

/* What is done with what is chosen. */
typedef enum {
    VIRT_BROKER_FOR_DEFINE, /* a handle was given by the client: it has to be what is asked for */
    VIRT_BROKER_FOR_ATTACH, /* the same, and what the domain has already is none */
    VIRT_BROKER_FOR_START,  /* a handle is what was found earlier: it may change */
    VIRT_BROKER_FOR_DETACH  /* the domain's own device that asks for the same is meant */
} virtBrokerChooseMode;

typedef struct {
    virtBrokerVerb verb;
    guint id;
    char uuid[37];     /* canonical, with dashes; vpd, profile: "" */
    virtHandle handle; /* prepare, update, check, stats, vpd; in the daemon, end: what was prepared, or no device */
    virtBrokerChooseMode mode;            /* choose */
    virtAffinity affinity;                /* choose */
    GArray *wishes;                       /* choose, profile: virtWish, owned; else NULL */
    char after[VIRT_BROKER_NAME_MAX + 1]; /* profile: "" for the first */
} virtBrokerRequest;

const char *virtBrokerVerbName(virtBrokerVerb verb);
void virtBrokerRequestClear(virtBrokerRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(virtBrokerRequest, virtBrokerRequestClear)
char *virtBrokerRequestFormat(const virtBrokerRequest *request);
bool virtBrokerRequestParse(const char *packet, gsize len, virtBrokerRequest *ret, GError **error);
char *virtBrokerAnswerFormat(guint id, const GError *failure); /* NULL: ok */
/* @ret_failure: what the answer tells, NULL for ok. False where it is no answer. */
bool virtBrokerAnswerParse(const char *packet, gsize len, guint *ret_id, GError **ret_failure, GError **error);
char *virtBrokerStatsFormat(guint id, const virtNetdevStats *stats);
bool virtBrokerStatsParse(const char *packet, gsize len, guint *ret_id, virtNetdevStats *ret);
char *virtBrokerChosenFormat(guint id, const GArray *wishes);
bool virtBrokerChosenParse(const char *packet, gsize len, guint *ret_id, GArray **ret_handles);
char *virtBrokerProfileFormat(guint id, const GArray *fits, const char *xml);
bool virtBrokerProfileParse(const char *packet, gsize len, guint *ret_id, GArray **ret_fits, char **ret_xml);
char *virtBrokerVPDFormat(guint id, const char *capability);
bool virtBrokerVPDParse(const char *packet, gsize len, guint *ret_id, char **ret_capability);
