/* The disks of a domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

/* All of a domain, by target: a{sa{sv}}, path to properties. */
GVariant *stm_cli_disk_read_all (StemmaClient *client, const char *domain, GError **error);

/* Which image holds the state of each disk once a plan is done: aa{sv} with `target`, `format` and
 * `source`. `disks` as above; `rows` are the plan's, NULL for none. No disk without an image is in
 * it, and none at all is when the plan is too long to be told whole. */
GVariant *stm_cli_disk_foresee (GVariant *disks, GVariant *rows);
