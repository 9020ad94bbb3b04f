/* Takes back and removes tags and bitmaps, in the order in which it is safe.
 *
 * Called on workers by the driver. Touches no image itself.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-marks.h"

#include "stm-image-repair.h"
#include "stm-qemu-bitmaps.h"
#include "stm-qemu-goto.h"
#include "stm-qemu-tags.h"

typedef struct
{
  const StmQemuSetup *setup;
  const StmPlan *plan;
  const StmPathPolicy *policy;
  StmEndpointSeries *series;
  GHashTable *away; /* set of paths, borrowed: images that could not be brought back */
  GError *first;    /* of what went wrong; one image that cannot be settled keeps no other */
} Abandoning;

static void
abandoning_clear (Abandoning *self)
{
  g_clear_pointer (&self->series, stm_endpoint_series_free);
  g_clear_pointer (&self->away, g_hash_table_unref);
  g_clear_error (&self->first);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Abandoning, abandoning_clear)

static GError **
get_place (Abandoning *self)
{
  return self->first == NULL ? &self->first : NULL;
}

static void
bring_back (Abandoning *self)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_GOTO
          && !stm_qemu_goto_abandon (self->setup, step, self->policy, get_place (self)))
        g_hash_table_add (self->away, (char *) step->image->path);
    }
}

/* An image that is not back at its content still needs the fallback. */
static void
remove_tags (Abandoning *self)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_TAG && !g_hash_table_contains (self->away, step->image->path))
        (void) stm_qemu_tags_abandon (self->series, self->plan, step, self->policy,
                                      get_place (self));
    }
}

/* Any try to go to a tag may have been cut off. What stays of it harms nobody. */
static void
repair (Abandoning *self)
{
  for (guint i = 0; i < self->plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (self->plan->steps, i);

      if (step->kind == STM_STEP_GOTO && !g_hash_table_contains (self->away, step->image->path))
        (void) stm_image_repair_leaks (self->setup, step->image, self->policy, NULL);
    }
}

gboolean
stm_qemu_marks_abandon (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                        GError **error)
{
  g_return_val_if_fail (setup != NULL && plan != NULL && policy != NULL, FALSE);

  g_auto (Abandoning) self = { .setup = setup,
                               .plan = plan,
                               .policy = policy,
                               .series = stm_endpoint_series_new (setup),
                               .away = g_hash_table_new (g_str_hash, g_str_equal) };

  bring_back (&self);
  remove_tags (&self);
  repair (&self);
  (void) stm_qemu_bitmaps_abandon (self.series, plan, policy, get_place (&self));
  if (self.first == NULL)
    return TRUE;

  g_propagate_error (error, g_steal_pointer (&self.first));
  return FALSE;
}

static gboolean
remove_one (StmEndpointSeries *series, const StmStep *step, const StmPathPolicy *policy,
            GError **error)
{
  return step->kind == STM_STEP_UNTAG ? stm_qemu_tags_remove (series, step, policy, error)
                                      : stm_qemu_bitmaps_remove (series, step, policy, error);
}

gboolean
stm_qemu_marks_remove (const StmQemuSetup *setup, const StmStep *const *steps, gsize n_steps,
                       const StmPathPolicy *policy, GError **failures)
{
  g_return_val_if_fail (setup != NULL && policy != NULL && failures != NULL, FALSE);

  g_autoptr (StmEndpointSeries) series = stm_endpoint_series_new (setup);
  gboolean is_done = TRUE;

  for (gsize i = 0; i < n_steps; i++)
    if (!remove_one (series, steps[i], policy, &failures[i]))
      is_done = FALSE;

  return is_done;
}
