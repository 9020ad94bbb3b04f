/* A verb of a driver on a worker, whose endpoint is killed, or which is cancelled, at some moment.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "image-fixture.h"

typedef gboolean (*EndpointVerb) (gpointer user_data, GError **error);

/* Runs the verb; kills its endpoints after so many milliseconds, unless it is over. FALSE when the
 * verb failed, which must be for that (HYPERVISOR). */
gboolean
endpoint_race_run (ImageFixture *fixture, EndpointVerb verb, gpointer user_data, guint after_ms);
/* The same with a cancellable that the verb has, which is used then. FALSE when the verb failed,
 * which must be for that (CANCELLED). */
gboolean endpoint_race_cancel (ImageFixture *fixture, EndpointVerb verb, gpointer user_data,
                               GCancellable *cancellable, guint after_ms);
/* A moment for one of so many rounds: evenly over the time that the verb takes, with some chance.
 */
guint endpoint_race_choose_moment (guint round, guint n_rounds, guint duration_ms);
/* How long it takes when nothing happens, in milliseconds; it must succeed. */
guint endpoint_race_measure (ImageFixture *fixture, EndpointVerb verb, gpointer user_data);
