/* StmSessionAuthority: serves one user and asks nobody.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-authority.h"

#define STM_TYPE_SESSION_AUTHORITY stm_session_authority_get_type ()
G_DECLARE_FINAL_TYPE (StmSessionAuthority, stm_session_authority, STM, SESSION_AUTHORITY, GObject)

StmAuthority *stm_session_authority_new (guint uid);
