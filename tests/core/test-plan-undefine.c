/* Planning that a domain leaves: alone, with its snapshots forgotten, or with them deleted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const one_disk[] = { "vda", NULL };

static World *
world_with_snapshots (void)
{
  World *world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  world_create (world, "vm", "s2");
  world_revert (world, "vm", "s1");
  world_write (world, "vm", "vda", 2, 3);

  return world;
}

static void
test_refused_with_moments (void)
{
  g_autoptr (World) world = world_with_snapshots ();
  g_autoptr (GError) error = NULL;

  g_assert_null (world_plan_undefine (world, "vm", STM_MOMENTS_REFUSE, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HAS_MOMENTS);
  g_assert_nonnull (strstr (error->message, "2 snapshots"));
}

static void
test_without_moments (void)
{
  g_autoptr (World) world = world_new ();
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", one_disk);
  g_autoptr (StmPlan) plan = world_plan_undefine (world, "vm", STM_MOMENTS_REFUSE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (plan->steps->len, ==, 0);
  world_run (world, plan, NULL, NULL);
  g_assert_null (stm_model_find_domain (world->model, "vm"));
  g_assert_nonnull (world_get_file (world, "/i/vm-vda.qcow2"));
}

static void
test_forgetting_leaves_all_files (void)
{
  g_autoptr (World) world = world_with_snapshots ();
  g_autoptr (GError) error = NULL;
  guint n_files = g_hash_table_size (world->files);
  g_autoptr (StmPlan) plan = world_plan_undefine (world, "vm", STM_MOMENTS_FORGET, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (plan->steps->len, ==, 0);
  g_assert_true (stm_change_is_empty (plan->begin));
  world_run (world, plan, NULL, NULL);
  g_assert_null (stm_model_find_domain (world->model, "vm"));
  g_assert_cmpuint (g_hash_table_size (world->files), ==, n_files);
}

static void
test_deleting_leaves_the_disk_with_its_data (void)
{
  g_autoptr (World) world = world_with_snapshots ();
  g_autoptr (GError) error = NULL;
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_read (world, world_disk (world, "vm", "vda")->source, before);
  g_autoptr (StmPlan) plan = world_plan_undefine (world, "vm", STM_MOMENTS_DELETE, &error);
  g_assert_no_error (error);
  world_apply (world, plan->begin);
  g_assert_cmpint (world_moment (world, "vm", "s2")->state, ==, STM_STATE_DELETING);
  world_apply (world, plan->undo);
  g_assert_cmpint (world_moment (world, "vm", "s2")->state, ==, STM_STATE_SHUTOFF);

  world_run (world, plan, NULL, NULL);
  g_assert_null (stm_model_find_domain (world->model, "vm"));
  g_assert_cmpuint (g_hash_table_size (world->files), ==, 1);
  world_read (world, "/i/vm-vda.qcow2", after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

static void
test_images_that_others_stand_on_stay (void)
{
  g_autoptr (World) world = world_with_snapshots ();
  g_autoptr (GError) error = NULL;
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_add_file (world, "/i/clone", "qcow2", "/i/vm-vda.s1");
  world_read (world, "/i/clone", before);
  g_autoptr (StmPlan) plan = world_plan_undefine (world, "vm", STM_MOMENTS_DELETE, &error);
  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  world_read (world, "/i/clone", after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

static void
test_waits_for_what_is_in_the_making (void)
{
  g_autoptr (World) world = world_with_snapshots ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmMoment) creating = stm_moment_with_state (world_moment (world, "vm", "s2"),
                                                          STM_STATE_CREATING, STM_HEALTH_CREATING);

  world_put_moment (world, "vm", creating);
  g_assert_null (world_plan_undefine (world, "vm", STM_MOMENTS_FORGET, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func ("/core/plan-undefine/" name, function)
  ADD ("a-domain-with-snapshots-is-refused", test_refused_with_moments);
  ADD ("a-domain-without-snapshots-goes-and-its-disk-stays", test_without_moments);
  ADD ("forgetting-leaves-all-files", test_forgetting_leaves_all_files);
  ADD ("deleting-leaves-the-disk-with-its-data", test_deleting_leaves_the_disk_with_its_data);
  ADD ("images-that-others-stand-on-stay", test_images_that_others_stand_on_stay);
  ADD ("what-is-in-the-making-is-waited-for", test_waits_for_what_is_in_the_making);
#undef ADD

  return g_test_run ();
}
