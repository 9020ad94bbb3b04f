/* What the kernel lets a tool of QEMU's do.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

/* Runs in a child between fork and exec, with no new privileges to be had. Async-signal-safe. -1
 * with errno when the kernel cannot do it. */
int stm_qemu_filter_enter (void);
