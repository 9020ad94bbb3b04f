/* Waits until what was sent is on its way, since the thread of the connection holds it as long, and
 * trims once for all that came in between.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-trimmer.h"

#include <malloc.h>

#define DELAY_SECONDS 2

struct _StmTrimmer
{
  guint timeout;
};

static gboolean
on_late (gpointer user_data)
{
  StmTrimmer *self = user_data;

  self->timeout = 0;
  malloc_trim (0);
  return G_SOURCE_REMOVE;
}

StmTrimmer *
stm_trimmer_new (void)
{
  return g_new0 (StmTrimmer, 1);
}

void
stm_trimmer_free (StmTrimmer *self)
{
  if (self == NULL)
    return;

  g_clear_handle_id (&self->timeout, g_source_remove);
  g_free (self);
}

void
stm_trimmer_note (StmTrimmer *self, guint n_moments)
{
  if (n_moments < STM_TRIM_FROM_MOMENTS)
    return;

  g_clear_handle_id (&self->timeout, g_source_remove);
  self->timeout = g_timeout_add_seconds (DELAY_SECONDS, on_late, self);
}
