/* QEMU's refusals as errors of ours.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* IN_USE when another process holds an image, NO_SPACE, CANCELLED, else HYPERVISOR; `attempt` says
 * what was attempted on what, `class` (NULL for the error of a job) and `words` are QEMU's and are
 * kept. */
GError *stm_qmp_error_new (const char *attempt, const char *class, const char *words);
