/* The command line of a block endpoint.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* A QEMU without a machine, sandboxed, that has nothing but a QMP monitor on the connected socket
 * `qmp_fd` that it inherits. */
GStrv stm_qemu_args_new (const char *binary, int qmp_fd);
