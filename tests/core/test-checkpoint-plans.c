/* Planning of checkpoints: what is begun and where, on whom it stands, what is refused, what
 * becomes of it at snapshots. What comes after is in test-checkpoint-lives.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "checkpoint-kit.h"

static const char *const two_disks[] = { "vda", "vdb", NULL };
static const char *const one_disk[] = { "vda", NULL };

static void
assert_refused (World *world, const StmCreateCheckpointRequest *request, StemmaError code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (world, "vm", request, &error);

  g_assert_null (plan);
  checkpoint_assert_error (error, code, word);
}

static void
test_all_disks_at_once (void)
{
  g_autoptr (World) world = checkpoint_world (two_disks);
  g_autoptr (GError) error = NULL;
  StmCreateCheckpointRequest request = { .name = "c1", .description = "monday" };
  g_autoptr (StmPlan) plan = world_plan_checkpoint (world, "vm", &request, &error);

  g_assert_no_error (error);
  checkpoint_assert_told (plan, "bitmap c1 vm-vda.qcow2, bitmap c1 vm-vdb.qcow2");
  world_undo (world, plan, /* n_steps= */ 0);
  g_assert_cmpuint (stm_tree_count (world_checkpoints (world, "vm")), ==, 0);
  world_run (world, plan, NULL, NULL);

  const StmMoment *checkpoint = world_checkpoint (world, "vm", "c1");
  g_assert_cmpstr (checkpoint->id, ==, plan->object_id);
  g_assert_cmpstr (checkpoint->description, ==, "monday");
  g_assert_cmpstr (checkpoint->definition, ==, "d1");
  g_assert_cmpint (checkpoint->created, ==, world->now);
  g_assert_null (checkpoint->parent);
  g_assert_cmpint (checkpoint->disks[0].mode, ==, STM_MODE_BITMAP);
  g_assert_cmpstr (checkpoint->disks[0].bitmap, ==, "c1");
  g_assert_cmpstr (checkpoint->disks[0].frozen, ==, "/i/vm-vda.qcow2");
  checkpoint_assert_health (world, "c1", STM_HEALTH_OK);
  checkpoint_assert_leaf (world, "c1");
}

static void
test_stands_on_the_lone_leaf (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);

  world_make_checkpoint (world, "vm", "1");
  world_make_checkpoint (world, "vm", "2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "2")->parent, ==,
                   world_checkpoint (world, "vm", "1")->id);
  checkpoint_assert_leaf (world, "2");
}

static void
test_an_empty_name_is_the_time (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);

  world_make_checkpoint (world, "vm", "");
  world_make_checkpoint (world, "vm", "");
  world_checkpoint (world, "vm", "1700000000");
  world_checkpoint (world, "vm", "1700000000-1");
}

static void
test_a_taken_bitmap_gets_a_suffix (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);

  world_add_bitmap (world_get_file (world, "/i/vm-vda.qcow2"), "c1");
  world_create (world, "vm", "s1");
  world_make_checkpoint (world, "vm", "c1");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c1")->disks[0].bitmap, ==, "c1-2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c1")->name, ==, "c1");
}

static void
test_a_bitmap_of_another_branch_is_taken (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);

  world_create (world, "vm", "s1");
  world_add_bitmap (world_get_file (world, "/i/vm-vda.s1"), "a");
  world_make_checkpoint (world, "vm", "a"); /* has the bitmap a-2 */
  world_create (world, "vm", "s2");
  world_revert (world, "vm", "s1");
  world_make_checkpoint (world, "vm", "a-2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "a-2")->disks[0].bitmap, ==, "a-2-2");
}

static void
set_kind (World *world, StmSourceKind kind, const char *format, gboolean is_read_only)
{
  StmDisk disk = *world_disk (world, "vm", "vdb");

  disk.kind = kind;
  disk.format = format;
  disk.is_read_only = is_read_only;
  if (kind == STM_SOURCE_NONE)
    disk.source = NULL;
  world_set_disk (world, "vm", &disk);
}

static void
test_disks_that_cannot (void)
{
  const char *const vdb[] = { "vdb", NULL };
  StmCreateCheckpointRequest named = { .name = "c1", .disks = vdb };
  StmCreateCheckpointRequest all = { .name = "c1" };
  g_autoptr (World) world = checkpoint_world (two_disks);

  set_kind (world, STM_SOURCE_FILE, "raw", FALSE);
  assert_refused (world, &named, STEMMA_ERROR_NOT_SUPPORTED, "take a snapshot first");
  assert_refused (world, &all, STEMMA_ERROR_NOT_SUPPORTED, "'vdb'");
  set_kind (world, STM_SOURCE_FILE, "qcow2", TRUE);
  assert_refused (world, &named, STEMMA_ERROR_NOT_SUPPORTED, "read-only");
  set_kind (world, STM_SOURCE_BLOCK, "qcow2", FALSE);
  assert_refused (world, &all, STEMMA_ERROR_NOT_SUPPORTED, "not a file");
  set_kind (world, STM_SOURCE_NONE, NULL, FALSE);
  assert_refused (world, &named, STEMMA_ERROR_NOT_SUPPORTED, "no medium");
  world_make_checkpoint (world, "vm", "c1");
  g_assert_cmpint (world_checkpoint (world, "vm", "c1")->disks[1].mode, ==, STM_MODE_NONE);
}

static void
test_no_disk_at_all (void)
{
  g_autoptr (World) world = checkpoint_world (two_disks);
  const char *const none[] = { NULL };
  const char *const unknown[] = { "vdx", NULL };
  const char *const twice[] = { "vda", "vda", NULL };

  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c", .disks = none },
                  STEMMA_ERROR_NOT_SUPPORTED, "no disk to make");
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c", .disks = unknown },
                  STEMMA_ERROR_NOT_FOUND, "'vdx'");
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c", .disks = twice },
                  STEMMA_ERROR_INVALID_ARGUMENT, "twice");
}

static void
test_names (void)
{
  const char *const bad[] = { ".c", "a/b", "a b", "ä", "c\n", "stemma-carried-x" };
  g_autoptr (World) world = checkpoint_world (one_disk);
  g_autofree char *longest = g_strnfill (255, 'c');
  g_autofree char *too_long = g_strnfill (256, 'c');

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    assert_refused (world, &(StmCreateCheckpointRequest){ .name = bad[i] },
                    STEMMA_ERROR_INVALID_ARGUMENT, "letters, digits");
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = too_long },
                  STEMMA_ERROR_INVALID_ARGUMENT, "longer than 255");
  world_add_bitmap (world_get_file (world, "/i/vm-vda.qcow2"), longest);
  world_make_checkpoint (world, "vm", longest);
  g_assert_cmpuint (strlen (world_checkpoint (world, "vm", longest)->disks[0].bitmap), ==, 255);
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = longest },
                  STEMMA_ERROR_ALREADY_EXISTS, longest);
}

static void
test_images_that_cannot (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");
  StmCreateCheckpointRequest request = { .name = "c1" };

  file->is_written = TRUE;
  assert_refused (world, &request, STEMMA_ERROR_IN_USE, "/i/vm-vda.qcow2");
  file->is_written = FALSE;
  file->problem = STEMMA_ERROR_NOT_FOUND;
  assert_refused (world, &request, STEMMA_ERROR_CHAIN_BROKEN, "/i/vm-vda.qcow2");
  file->problem = -1;
  for (guint i = 0; i < 1024; i++)
    {
      g_autofree char *name = g_strdup_printf ("other%u", i);

      world_add_bitmap (file, name);
    }
  assert_refused (world, &request, STEMMA_ERROR_TOO_MANY, "1024");
}

static void
test_while_another_is_unsettled (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (
      world, "vm", &(StmCreateCheckpointRequest){ .name = "c1" }, &error);

  g_assert_no_error (error);
  world_apply (world, plan->begin);
  checkpoint_assert_leaf (world, NULL);
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c2" }, STEMMA_ERROR_BUSY, "'c1'");
  g_autoptr (StmPlan)
      snapshot = world_plan_create (world, "vm", &(StmCreateRequest){ .name = "s" }, &error);
  g_assert_null (snapshot);
  checkpoint_assert_error (error, STEMMA_ERROR_BUSY, "checkpoint 'c1'");
}

/* --- the parent --- */

static void
test_a_parent_that_is_off (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);

  world_make_checkpoint (world, "vm", "c1");
  world_make_checkpoint (world, "vm", "c2");
  StmCreateCheckpointRequest request = { .name = "c3",
                                         .parent_id = world_checkpoint (world, "vm", "c2")->id };
  g_autofree char *id = g_strdup (request.parent_id);
  request.parent_id = id;
  checkpoint_set_health (world, "c2", STM_HEALTH_UNREACHABLE);
  assert_refused (world, &request, STEMMA_ERROR_WRONG_STATE, "unreachable");
  request.parent_id = "00000000000000000000000000abcdef";
  assert_refused (world, &request, STEMMA_ERROR_NOT_FOUND, "abcdef");
  world_make_checkpoint (world, "vm", "c3");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c3")->parent, ==,
                   world_checkpoint (world, "vm", "c1")->id);
}

static void
test_two_leaves (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  g_autoptr (GError) error = NULL;

  world_make_checkpoint (world, "vm", "c1");
  world_make_checkpoint (world, "vm", "c2");
  g_autofree char *root = g_strdup (world_checkpoint (world, "vm", "c1")->id);
  checkpoint_run_told (
      world,
      world_plan_checkpoint (
          world, "vm", &(StmCreateCheckpointRequest){ .name = "c3", .parent_id = root }, &error),
      error, "bitmap c3 vm-vda.qcow2");
  checkpoint_assert_leaf (world, NULL);
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c4" },
                  STEMMA_ERROR_AMBIGUOUS_PARENT, "'c2', 'c3'");
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s", .checkpoint = "c4" }, &error);
  g_assert_null (plan);
  checkpoint_assert_error (error, STEMMA_ERROR_AMBIGUOUS_PARENT, "'c2', 'c3'");
}

/* --- with snapshots --- */

static void
test_a_snapshot_goes_on_with_what_is_in_order (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");
  g_autoptr (GError) error = NULL;

  world_make_checkpoint (world, "vm", "c1");
  world_add_bitmap (file, WORLD_FOREIGN);
  world_add_bitmap (file, "resting")->is_recording = FALSE;
  world_add_bitmap (file, "broken")->is_broken = TRUE;
  world_write (world, "vm", "vda", 1, 7);
  checkpoint_run_told (world,
                       world_plan_create (world, "vm", &(StmCreateRequest){ .name = "s1" }, &error),
                       error, "overlay vm-vda.s1>vm-vda.qcow2 [c1 foreign]");
  world_write (world, "vm", "vda", 4, 7);
  checkpoint_assert_dirty (world, "c1", "14");
}

static void
test_a_snapshot_with_a_checkpoint (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  g_autoptr (GError) error = NULL;
  StmCreateRequest request = { .name = "s1", .checkpoint = "c2" };

  world_make_checkpoint (world, "vm", "c1");
  world_write (world, "vm", "vda", 0, 7);
  g_autoptr (StmPlan) plan = world_plan_create (world, "vm", &request, &error);
  g_assert_no_error (error);
  world_undo (world, plan, /* n_steps= */ 1);
  g_assert_cmpuint (stm_tree_count (world_checkpoints (world, "vm")), ==, 1);
  checkpoint_run_told (world, stm_plan_ref (plan), NULL, "overlay vm-vda.s1>vm-vda.qcow2 [c1 c2]");
  world_write (world, "vm", "vda", 2, 7);
  checkpoint_assert_dirty (world, "c1", "02");
  checkpoint_assert_dirty (world, "c2", "2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c2")->disks[0].frozen, ==, "/i/vm-vda.s1");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c2")->parent, ==,
                   world_checkpoint (world, "vm", "c1")->id);
}

static void
test_a_bad_name_refuses_the_snapshot (void)
{
  g_autoptr (World) world = checkpoint_world (one_disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .checkpoint = "a b" }, &error);

  g_assert_null (plan);
  checkpoint_assert_error (error, STEMMA_ERROR_INVALID_ARGUMENT, "checkpoint");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/checkpoint-plans/all-disks-at-once", test_all_disks_at_once);
  g_test_add_func ("/core/checkpoint-plans/stands-on-the-lone-leaf", test_stands_on_the_lone_leaf);
  g_test_add_func ("/core/checkpoint-plans/an-empty-name-is-the-time",
                   test_an_empty_name_is_the_time);
  g_test_add_func ("/core/checkpoint-plans/a-taken-bitmap-gets-a-suffix",
                   test_a_taken_bitmap_gets_a_suffix);
  g_test_add_func ("/core/checkpoint-plans/a-bitmap-of-another-branch-is-taken",
                   test_a_bitmap_of_another_branch_is_taken);
  g_test_add_func ("/core/checkpoint-plans/disks-that-cannot-are-named", test_disks_that_cannot);
  g_test_add_func ("/core/checkpoint-plans/no-unknown-or-double-disk", test_no_disk_at_all);
  g_test_add_func ("/core/checkpoint-plans/names-are-as-the-schema-has-them", test_names);
  g_test_add_func ("/core/checkpoint-plans/images-that-cannot-are-named", test_images_that_cannot);
  g_test_add_func ("/core/checkpoint-plans/not-while-another-is-unsettled",
                   test_while_another_is_unsettled);
  g_test_add_func ("/core/checkpoint-plans/a-parent-must-be-reachable", test_a_parent_that_is_off);
  g_test_add_func ("/core/checkpoint-plans/two-leaves-are-named", test_two_leaves);
  g_test_add_func ("/core/checkpoint-plans/a-snapshot-goes-on-with-what-is-in-order",
                   test_a_snapshot_goes_on_with_what_is_in_order);
  g_test_add_func ("/core/checkpoint-plans/a-snapshot-can-bring-a-checkpoint",
                   test_a_snapshot_with_a_checkpoint);
  g_test_add_func ("/core/checkpoint-plans/a-bad-name-refuses-the-snapshot",
                   test_a_bad_name_refuses_the_snapshot);

  return g_test_run ();
}
