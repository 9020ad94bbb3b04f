/* Planning of reverts to snapshots within images, and all that is in the way.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal-kit.h"

static const char *const one_disk[] = { "vda", NULL };
static const char *const two_disks[] = { "vda", "vdb", NULL };

static StmPlan *
plan_revert (World *world, const char *name, StmRevertRequest request)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_no_error (error);
  return plan;
}

static void
test_goes_back_and_forth (void)
{
  g_autoptr (World) world = internal_world (two_disks);

  internal_take (world, "s2", STM_MODE_INTERNAL);
  g_autoptr (StmPlan) back = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  internal_assert_told (back, "tag vm-vda.qcow2@FALLBACK, tag vm-vdb.qcow2@FALLBACK, "
                              "goto vm-vda.qcow2@s1 (FALLBACK), goto vm-vdb.qcow2@s1 (FALLBACK), "
                              "untag vm-vda.qcow2@FALLBACK, untag vm-vdb.qcow2@FALLBACK");
  world_run (world, back, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 1);
  internal_assert_block (world, "vdb", 0, 1);
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 2);
  g_assert_cmpstr (stm_tree_current (world_tree (world, "vm")), ==,
                   world_moment (world, "vm", "s1")->id);

  /* Where it is already, nothing is done. */
  g_autoptr (StmPlan) again = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  g_assert_cmpuint (again->steps->len, ==, 0);
  g_autoptr (StmPlan) forth = plan_revert (world, "s2", (StmRevertRequest){ 0 });
  world_run (world, forth, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vdb", 0, 2);
}

static void
test_unsaved_unless_it_is_proven (void)
{
  g_autoptr (World) world = internal_world (one_disk);

  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                                  "on 'vda'");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  world_run (world, plan, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 1);
}

static void
test_kept_within_the_image (void)
{
  g_autoptr (World) world = internal_world (one_disk);
  int content[WORLD_BLOCKS];

  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .keep = "kept" });
  internal_assert_told (plan, "tag vm-vda.qcow2@kept, goto vm-vda.qcow2@s1 (kept)");
  world_run (world, plan, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 1);

  const StmMoment *kept = world_moment (world, "vm", "kept");
  g_assert_cmpint (kept->disks[0].mode, ==, STM_MODE_INTERNAL);
  g_assert_cmpstr (kept->disks[0].tag, ==, "kept");
  g_assert_cmpstr (kept->parent, ==, world_moment (world, "vm", "s1")->id);
  world_read_tag (world, kept->disks[0].frozen, "kept", content);
  g_assert_cmpint (content[0], ==, 2);
}

static void
test_revert_is_taken_back (void)
{
  const char *const names[] = { NULL, "kept" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    for (guint n_steps = 0; n_steps <= 4; n_steps++)
      {
        g_autoptr (World) world = internal_world (two_disks);

        g_autoptr (StmPlan) plan = plan_revert (
            world, "s1", (StmRevertRequest){ .keep = names[i], .discards = names[i] == NULL });
        world_undo (world, plan, n_steps);
        world_check (world);
        internal_assert_block (world, "vda", 0, 2);
        internal_assert_block (world, "vdb", 0, 2);
        g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 1);
        g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 1);
      }
}

static void
test_a_disk_of_another_size_is_not_brought_back (void)
{
  g_autoptr (World) world = internal_world (one_disk);

  world_get_file (world, "/i/vm-vda.qcow2")->capacity *= 2;
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                                  STEMMA_ERROR_NOT_SUPPORTED, "qemu-img resize");
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .keep = "kept" },
                                  STEMMA_ERROR_NOT_SUPPORTED, "qemu-img resize");

  world_get_file (world, "/i/vm-vda.qcow2")->capacity /= 2;
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  world_run (world, plan, NULL, NULL);
  world_check (world);
  g_assert_cmpuint (world_image (world, "vm", "/i/vm-vda.qcow2")->capacity, ==, WORLD_CAPACITY);
}

/* The image is under an external snapshot: first that is in the way, and once it is deleted only
 * its empty overlay is left, which goes. */
static void
test_image_under_a_snapshot_is_not_touched (void)
{
  g_autoptr (World) world = internal_world (one_disk);

  internal_take (world, "s2", STM_MODE_EXTERNAL);
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                                  STEMMA_ERROR_HAS_MOMENTS, "'s2'");
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "");
  world_check (world);
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                                  "vda");
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .keep = "k" },
                                  STEMMA_ERROR_IN_USE, "'discard'");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  world_run (world, plan, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 1);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.qcow2");
  g_assert_cmpuint (g_hash_table_size (world->files), ==, 1);
}

static void
test_what_else_counts_on_the_image (void)
{
  const char *const words[] = { "/i/stranger", "'other'", "'b1'", "no internal snapshot 's1'" };
  const StemmaError codes[] = { STEMMA_ERROR_IN_USE, STEMMA_ERROR_IN_USE,
                                STEMMA_ERROR_NOT_SUPPORTED, STEMMA_ERROR_CHAIN_BROKEN };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autoptr (World) world = internal_world (one_disk);
      WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");

      if (i == 0)
        world_add_file (world, "/i/stranger", "qcow2", "/i/vm-vda.qcow2");
      else if (i == 1)
        {
          StmDisk disk;

          world_define (world, "other", one_disk);
          world_put_image (world, "other", world_image (world, "vm", "/i/vm-vda.qcow2"));
          disk = *world_disk (world, "other", "vda");
          disk.source = "/i/vm-vda.qcow2";
          disk.is_read_only = TRUE;
          world_set_disk (world, "other", &disk);
        }
      else if (i == 2)
        world_add_bitmap (file, "b1");
      else
        g_ptr_array_set_size (file->tags, 0);
      internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, codes[i],
                                      words[i]);
    }
}

static void
test_checkpoint_is_in_the_way (void)
{
  g_autoptr (World) world = internal_world (two_disks);
  g_autoptr (GError) error = NULL;
  const char *const targets[] = { "vdb", NULL };
  g_autoptr (StmPlan) plan = world_plan_checkpoint (
      world, "vm", &(StmCreateCheckpointRequest){ .name = "c1", .disks = targets }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                                  STEMMA_ERROR_HAS_MOMENTS, "checkpoint 'c1'");
}

/* Internal on one disk, external on the other: both come back, and go. */
static void
test_mixed_snapshot_comes_back (void)
{
  g_autoptr (World) world = world_new ();
  const StmDiskChoice choice = { .target = "vdb", .mode = STM_MODE_INTERNAL };
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", two_disks);
  world_write (world, "vm", "vda", 0, 1);
  world_write (world, "vm", "vdb", 0, 1);
  g_autoptr (StmPlan) taking = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .choices = &choice, .n_choices = 1 }, &error);
  g_assert_no_error (error);
  world_run (world, taking, NULL, NULL);
  world_write (world, "vm", "vda", 0, 2);
  world_write (world, "vm", "vdb", 0, 2);

  g_autoptr (StmPlan) keeping = plan_revert (world, "s1", (StmRevertRequest){ .keep = "k" });
  internal_assert_told (keeping, "tag vm-vdb.qcow2@k, goto vm-vdb.qcow2@s1 (k), "
                                 "overlay vm-vda.s1-1>vm-vda.qcow2");
  world_run (world, keeping, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 1);
  internal_assert_block (world, "vdb", 0, 1);
  g_autoptr (StmPlan) back = plan_revert (world, "k", (StmRevertRequest){ 0 });
  world_run (world, back, NULL, NULL);
  world_check (world);
  internal_assert_block (world, "vda", 0, 2);
  internal_assert_block (world, "vdb", 0, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/plan-internal-revert/goes-back-and-forth", test_goes_back_and_forth);
  g_test_add_func ("/core/plan-internal-revert/state-is-unsaved-unless-a-tag-proves-it",
                   test_unsaved_unless_it_is_proven);
  g_test_add_func ("/core/plan-internal-revert/state-that-is-kept-stays-within-the-image",
                   test_kept_within_the_image);
  g_test_add_func ("/core/plan-internal-revert/a-revert-can-be-taken-back-after-each-step",
                   test_revert_is_taken_back);
  g_test_add_func ("/core/plan-internal-revert/a-disk-of-another-size-is-not-brought-back",
                   test_a_disk_of_another_size_is_not_brought_back);
  g_test_add_func ("/core/plan-internal-revert/image-under-a-snapshot-is-not-touched",
                   test_image_under_a_snapshot_is_not_touched);
  g_test_add_func ("/core/plan-internal-revert/what-else-counts-on-the-image-is-in-the-way",
                   test_what_else_counts_on_the_image);
  g_test_add_func ("/core/plan-internal-revert/a-checkpoint-is-in-the-way",
                   test_checkpoint_is_in_the_way);
  g_test_add_func ("/core/plan-internal-revert/mixed-snapshot-comes-back",
                   test_mixed_snapshot_comes_back);

  return g_test_run ();
}
