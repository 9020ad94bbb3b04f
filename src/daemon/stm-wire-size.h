/* How many bytes a value takes in a D-Bus message. Pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Where the value ends when it is written at `start` of a body; walks the value, serializes
 * nothing. */
gsize stm_wire_end (GVariant *value, gsize start);
