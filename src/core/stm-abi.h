/* Whether two definitions are of the same machine, as far as a guest can tell that was saved or
 * snapshotted with one and goes on with the other. Pure, any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Compares machine type, architecture, kind of virtualization, vcpus, memory, and the targets,
 * buses and devices of the disks. INVALID_ARGUMENT naming the field that differs and both values;
 * INVALID_XML when a text is no definition. */
gboolean stm_abi_check (const char *recorded, const char *given, GError **error);
