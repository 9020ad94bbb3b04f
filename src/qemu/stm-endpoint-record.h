/* Records of running endpoints in the service's run directory, and the end of those that an earlier
 * life left.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>

/* Writes `<run directory>/endpoints/<pid>-<start time>` for a process that exists; gives its path.
 * The start time, in the kernel's ticks since boot, tells the process from a later one with the
 * same pid. */
char *stm_endpoint_record_add (const char *run_directory, pid_t pid, GError **error);
void stm_endpoint_record_remove (const char *path);

/* Kills each process that a record names and that is still that process, waits until it is gone,
 * and removes the record. TIMED_OUT when one does not go: its images must not be looked at. */
gboolean stm_endpoint_records_reap_sync (const char *run_directory, GCancellable *cancellable,
                                         GError **error);
