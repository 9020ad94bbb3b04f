/* StmPolkitAuthority: asks polkit.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-authority.h"

#define STM_TYPE_POLKIT_AUTHORITY stm_polkit_authority_get_type ()
G_DECLARE_FINAL_TYPE (StmPolkitAuthority, stm_polkit_authority, STM, POLKIT_AUTHORITY, GObject)

StmAuthority *stm_polkit_authority_new (void);
