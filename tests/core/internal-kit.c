/* The cases of internal-kit.h.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal-kit.h"

#include <string.h>

StmPlan *
internal_plan_create (World *world, const char *name, StmDiskMode mode)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_create (world, "vm", &(StmCreateRequest){ .name = name, .mode = mode },
                                     &error);

  g_assert_no_error (error);
  return plan;
}

void
internal_take (World *world, const char *name, StmDiskMode mode)
{
  g_autoptr (StmPlan) plan = internal_plan_create (world, name, mode);

  world_run (world, plan, NULL, NULL);
  world_check (world);
}

void
internal_assert_told (const StmPlan *plan, const char *expected)
{
  g_autofree char *told = world_tell (plan);
  g_autoptr (GString) text = g_string_new (told);
  g_autofree char *fallback = g_strconcat ("stemma-", plan->id, NULL);

  g_string_replace (text, fallback, "FALLBACK", 0);
  g_assert_cmpstr (text->str, ==, expected);
}

void
internal_assert_revert_refused (World *world, const char *name, StmRevertRequest request,
                                StemmaError code, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

void
internal_assert_block (const World *world, const char *target, int block, int value)
{
  int content[WORLD_BLOCKS];

  world_read (world, world_disk (world, "vm", target)->source, content);
  g_assert_cmpint (content[block], ==, value);
}

World *
internal_world (const char *const *targets)
{
  World *world = world_new ();

  world_define (world, "vm", targets);
  for (guint i = 0; targets[i] != NULL; i++)
    world_write (world, "vm", targets[i], 0, 1);
  internal_take (world, "s1", STM_MODE_INTERNAL);
  for (guint i = 0; targets[i] != NULL; i++)
    world_write (world, "vm", targets[i], 0, 2);

  return world;
}
