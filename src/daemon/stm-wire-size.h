/* How many bytes a value takes in a D-Bus message. Pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Where the value ends when it is written at `start` of a body; walks the value, serializes
 * nothing. */
gsize stm_wire_end (GVariant *value, gsize start);

/* The same for the next item of an array that grows. Afterwards the value takes no more memory than
 * its bytes: as a tree it takes ten times as much, which matters when there are ten thousand. */
gsize stm_wire_pack (GVariant *value, gsize start);
