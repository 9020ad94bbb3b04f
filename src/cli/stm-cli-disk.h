/* The disks of a domain.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

/* All of a domain, by target: a{sa{sv}}, path to properties. */
GVariant *stm_cli_disk_read_all (StemmaClient *client, const char *domain, GError **error);
