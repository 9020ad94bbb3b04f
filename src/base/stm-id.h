/* Ids of domains, moments and operations: 32 lower-case hexadecimal digits.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

#define STM_ID_LENGTH 32

/* A new random id. */
char *stm_id_new (void);

gboolean stm_id_is_valid (const char *text);

/* The id of a domain from its uuid, in any of the spellings that libvirt takes (upper case,
 * without dashes, with spaces around); NULL if it is none. */
char *stm_id_from_uuid (const char *uuid);

/* The uuid, lower case with dashes, of a domain's id. */
char *stm_id_to_uuid (const char *id);
