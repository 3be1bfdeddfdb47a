/* virerror.c: the one error domain
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virerror.h"

/* The domain of every error this project sets; its codes are virtErrorCode. */
GQuark
virtErrorQuark(void)
{
    return g_quark_from_static_string("virt-error-quark");
}
