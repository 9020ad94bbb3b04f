/* Counts the look-ups and allocations that the code under test makes, in the place of a clock.
 *
 * The functions of GLib that the model works with are defined again in the test program; each
 * counts and goes on to GLib's own.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

/* Since the program began. */
guint64 work_done (void);
