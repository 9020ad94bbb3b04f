/* StmCaller: who asked, as far as operations need to know.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef struct
{
  guint uid;
} StmCaller;
