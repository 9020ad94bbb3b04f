/* A machine with checkpoints in the world of images, and short ways to plans and refusals.
 *
 * Used by the tests of checkpoints; single-threaded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "checkpoint-kit.h"

#include <string.h>

World *
checkpoint_world (const char *const *disks)
{
  World *world = world_new ();

  world_define (world, "vm", disks);
  return world;
}

void
checkpoint_assert_error (GError *error, StemmaError code, const char *word)
{
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not name '%s'", error->message, word);
}

void
checkpoint_assert_told (const StmPlan *plan, const char *expected)
{
  g_autofree char *told = world_tell (plan);

  g_assert_cmpstr (told, ==, expected);
}

void
checkpoint_run_told (World *world, StmPlan *owned, GError *error, const char *expected)
{
  g_autoptr (StmPlan) plan = owned;

  g_assert_no_error (error);
  checkpoint_assert_told (plan, expected);
  world_run (world, plan, NULL, NULL);
  world_check (world);
}

void
checkpoint_assert_health (World *world, const char *name, StmHealth health)
{
  g_assert_cmpstr (stm_health_to_word (world_checkpoint (world, "vm", name)->health), ==,
                   stm_health_to_word (health));
}

void
checkpoint_assert_leaf (World *world, const char *name)
{
  const char *leaf = stm_model_lone_leaf (world->model, world_domain (world, "vm")->id,
                                          /* n_leaves= */ NULL);

  g_assert_cmpstr (leaf, ==, name == NULL ? NULL : world_checkpoint (world, "vm", name)->id);
}

/* What a backup since the checkpoint would take of vda, as "014". */
void
checkpoint_assert_dirty (World *world, const char *name, const char *expected)
{
  g_autoptr (GString) text = g_string_new (NULL);
  gboolean dirty[WORLD_BLOCKS];

  g_assert_true (
      world_read_checkpoint (world, "vm", world_checkpoint (world, "vm", name), "vda", dirty));
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    if (dirty[i])
      g_string_append_printf (text, "%u", i);
  g_assert_cmpstr (text->str, ==, expected);
}

void
checkpoint_set_health (World *world, const char *name, StmHealth health)
{
  g_autoptr (StmMoment) changed = stm_moment_with_state (world_checkpoint (world, "vm", name),
                                                         STM_STATE_SHUTOFF, health);

  world_put_moment (world, "vm", changed);
}
