/* What becomes of checkpoints: at reverts, of their health, at deletions and undefinition. How they
 * are made is in test-checkpoint-plans.c.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "checkpoint-kit.h"

static const char *const one_disk[] = { "vda", NULL };

/* --- with reverts --- */

/* c1 in the disk's image, s1 over it, c2 and c3 in the overlay, s2 over that. */
static World *
world_with_branch (void)
{
  World *world = checkpoint_world (one_disk);

  world_make_checkpoint (world, "vm", "c1");
  world_write (world, "vm", "vda", 1, 11);
  world_create (world, "vm", "s1");
  world_make_checkpoint (world, "vm", "c2");
  world_write (world, "vm", "vda", 2, 22);
  world_make_checkpoint (world, "vm", "c3");
  world_create (world, "vm", "s2");

  return world;
}

static void
test_there_and_back_again (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_revert (world, "vm", "s1", (StmRevertRequest){ 0 }, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (plan->unreachable), ==, 2);
  g_assert_cmpstr (plan->unreachable[0], ==, "c2");
  g_assert_cmpstr (plan->unreachable[1], ==, "c3");
  checkpoint_run_told (world, stm_plan_ref (plan), NULL,
                       "overlay vm-vda.s1-1>vm-vda.qcow2 [c1], unlink vm-vda.s2");
  checkpoint_assert_health (world, "c1", STM_HEALTH_OK);
  checkpoint_assert_health (world, "c2", STM_HEALTH_UNREACHABLE);
  checkpoint_assert_leaf (world, "c1");
  world_make_checkpoint (world, "vm", "c4");

  checkpoint_run_told (
      world, world_plan_revert (world, "vm", "s2", (StmRevertRequest){ .keep = "s3" }, &error),
      error, "overlay vm-vda.s2>vm-vda.s1 [c1 c2 c3]");
  checkpoint_assert_health (world, "c3", STM_HEALTH_OK);
  checkpoint_assert_health (world, "c4", STM_HEALTH_UNREACHABLE);
  checkpoint_assert_leaf (world, "c3");
  checkpoint_assert_dirty (world, "c1", "12");
  checkpoint_assert_dirty (world, "c2", "2");
  checkpoint_assert_dirty (world, "c3", "");
}

static void
test_the_only_record_is_unsaved_state (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  world_make_checkpoint (world, "vm", "c4"); /* in what is active now, without a write */
  g_autoptr (StmPlan)
      refused = world_plan_revert (world, "vm", "s1", (StmRevertRequest){ 0 }, &error);
  g_assert_null (refused);
  checkpoint_assert_error (error, STEMMA_ERROR_UNSAVED_STATE, "checkpoint 'c4'");
  g_clear_error (&error);

  g_autoptr (StmPlan)
      plan = world_plan_revert (world, "vm", "s1", (StmRevertRequest){ .discards = TRUE }, &error);
  g_assert_no_error (error);
  g_assert_true (g_strv_contains ((const char *const *) plan->unreachable, "c4"));
  world_run (world, plan, NULL, NULL);
  checkpoint_assert_health (world, "c4", STM_HEALTH_MISSING);
  g_assert_null (world_checkpoint (world, "vm", "c4")->disks[0].frozen);
  g_assert_cmpstr (world_checkpoint (world, "vm", "c4")->disks[0].bitmap, ==, "c4");

  g_autofree char *told = world_delete_checkpoint (world, "vm", "c4", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "");
}

static void
test_a_foreign_record_is_unsaved_state (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  world_add_bitmap (world_get_file (world, "/i/vm-vda.s2"), WORLD_FOREIGN);
  g_autoptr (StmPlan) plan = world_plan_revert (world, "vm", "s1", (StmRevertRequest){ 0 }, &error);
  g_assert_null (plan);
  checkpoint_assert_error (error, STEMMA_ERROR_UNSAVED_STATE, "bitmap 'foreign'");
}

static void
test_broken_below_is_known_when_it_is_back (void)
{
  g_autoptr (World) world = world_with_branch ();

  world_break_bitmaps (world_get_file (world, "/i/vm-vda.s1"));
  world_look (world, "vm");
  checkpoint_assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
  world_revert (world, "vm", "s1");
  checkpoint_assert_health (world, "c1", STM_HEALTH_OK);
  checkpoint_assert_health (world, "c2", STM_HEALTH_UNREACHABLE);
  world_revert (world, "vm", "s2");
  checkpoint_assert_health (world, "c1", STM_HEALTH_INCONSISTENT);
  checkpoint_assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
}

/* --- health --- */

static void
test_health (void)
{
  g_autoptr (World) world = world_with_branch ();
  WorldFile *file = world_get_file (world, "/i/vm-vda.s1");

  world_find_bitmap (file, "c1")->is_broken = TRUE;
  world_find_bitmap (file, "c2")->is_recording = FALSE;
  g_ptr_array_remove (file->bitmaps, world_find_bitmap (file, "c3"));
  world_look (world, "vm");
  checkpoint_assert_health (world, "c1", STM_HEALTH_INCONSISTENT);
  checkpoint_assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
  checkpoint_assert_health (world, "c3", STM_HEALTH_MISSING);
  checkpoint_assert_leaf (world, "c2");
  world_add_bitmap (file, "c3");
  world_look (world, "vm");
  checkpoint_assert_health (world, "c3", STM_HEALTH_OK);
}

static void
test_health_of_what_was_not_looked_at (void)
{
  g_autoptr (World) world = world_with_branch ();
  const char *id = world_domain (world, "vm")->id;
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  g_autoptr (GPtrArray) chain = stm_model_chain (world->model, id, "vda");
  g_autoptr (GPtrArray) top = g_ptr_array_new ();
  WorldFile *file = world_get_file (world, "/i/vm-vda.s2");

  checkpoint_set_health (world, "c1", STM_HEALTH_UNKNOWN);
  g_ptr_array_add (top, chain->pdata[0]);
  g_autoptr (StmSurvey) nothing = world_survey (world, none);
  g_autoptr (StmChange) unchanged = stm_plan_health (world->model, nothing, id);
  g_assert_null (unchanged);
  g_autoptr (StmSurvey) part = world_survey (world, top);
  g_autoptr (StmChange) still = stm_plan_health (world->model, part, id);
  g_assert_null (still);
  /* Open elsewhere, it is known to none but whoever has it open. */
  world_break_bitmaps (file);
  file->is_written = TRUE;
  g_autoptr (StmSurvey) used = world_survey (world, top);
  g_autoptr (StmChange) silent = stm_plan_health (world->model, used, id);
  g_assert_null (silent);
  file->is_written = FALSE;
  g_autoptr (StmSurvey) broken = world_survey (world, top);
  g_autoptr (StmChange) change = stm_plan_health (world->model, broken, id);
  g_assert_nonnull (change);
  g_assert_cmpuint (change->put_moments->len, ==, 3);
}

/* Redefined without a look it is said to begin in what is active; what the images below recorded is
 * part of it. */
static void
test_where_an_unknown_one_begins (void)
{
  g_autoptr (World) world = world_with_branch ();
  const StmMoment *c1 = world_checkpoint (world, "vm", "c1");
  StmMomentDisk disk = c1->disks[0];

  disk.frozen = "/i/vm-vda.s2";
  g_autoptr (StmMoment) moved = stm_moment_with_disks (c1, &disk, 1);
  g_autoptr (StmMoment)
      unknown = stm_moment_with_state (moved, STM_STATE_SHUTOFF, STM_HEALTH_UNKNOWN);
  world_put_moment (world, "vm", unknown);
  checkpoint_assert_dirty (world, "c1", "");
  world_look (world, "vm");
  checkpoint_assert_health (world, "c1", STM_HEALTH_OK);
  checkpoint_assert_dirty (world, "c1", "12");
}

/* --- deletion --- */

static void
test_one_goes_from_all_images (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autofree char *told = world_delete_checkpoint (world, "vm", "c2", STM_DELETE_ONE);

  g_assert_cmpstr (told, ==, "unbitmap c2 vm-vda.s1, unbitmap c2 vm-vda.s2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c3")->parent, ==,
                   world_checkpoint (world, "vm", "c1")->id);
  checkpoint_assert_dirty (world, "c1", "12");
  checkpoint_assert_dirty (world, "c3", "");
  checkpoint_assert_leaf (world, "c3");
}

static void
test_scopes (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autofree char *children = world_delete_checkpoint (world, "vm", "c2", STM_DELETE_CHILDREN);

  g_assert_cmpstr (children, ==, "unbitmap c3 vm-vda.s1, unbitmap c3 vm-vda.s2");
  g_autofree char *nothing = world_delete_checkpoint (world, "vm", "c2", STM_DELETE_CHILDREN);
  g_assert_cmpstr (nothing, ==, "");
  g_autofree char *all = world_delete_checkpoint (world, "vm", "c1", STM_DELETE_SUBTREE);
  g_assert_cmpstr (all, ==,
                   "unbitmap c1 vm-vda.qcow2, unbitmap c1 vm-vda.s1, unbitmap c2 vm-vda.s1, "
                   "unbitmap c1 vm-vda.s2, unbitmap c2 vm-vda.s2");
  g_assert_cmpuint (stm_tree_count (world_checkpoints (world, "vm")), ==, 0);
}

static StmPlan *
plan_delete (World *world, const char *name, StmDeleteRequest request, GError **error)
{
  return world_plan_delete_checkpoint (world, "vm", name, request, error);
}

static void
test_metadata_only_touches_nothing (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  checkpoint_run_told (
      world, plan_delete (world, "c1", (StmDeleteRequest){ .metadata_only = TRUE }, &error), error,
      "");
  g_assert_nonnull (world_find_bitmap (world_get_file (world, "/i/vm-vda.qcow2"), "c1"));
  g_assert_null (world_checkpoint (world, "vm", "c2")->parent);
}

static void
test_what_is_not_ours_keeps_its_bitmap (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;
  StmImage init = *world_image (world, "vm", "/i/vm-vda.qcow2");

  init.origin = STM_IMAGE_BACKING;
  g_autoptr (StmImage) backing = stm_image_new (&init);
  world_put_image (world, "vm", backing);
  checkpoint_run_told (world, plan_delete (world, "c1", (StmDeleteRequest){ 0 }, &error), error,
                       "unbitmap c1 vm-vda.s1, unbitmap c1 vm-vda.s2, keep vm-vda.qcow2");
}

static void
test_deletion_of_what_is_in_use (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  world_get_file (world, "/i/vm-vda.s2")->is_written = TRUE;
  g_autoptr (StmPlan) plan = plan_delete (world, "c1", (StmDeleteRequest){ 0 }, &error);
  g_assert_null (plan);
  checkpoint_assert_error (error, STEMMA_ERROR_IN_USE, "/i/vm-vda.s2");
}

static void
test_what_others_removed_is_no_obstacle (void)
{
  g_autoptr (World) world = world_with_branch ();
  WorldFile *file = world_get_file (world, "/i/vm-vda.s1");
  g_autofree char *told = NULL;

  g_ptr_array_remove (file->bitmaps, world_find_bitmap (file, "c2"));
  world_break_bitmaps (world_get_file (world, "/i/vm-vda.s2"));
  told = world_delete_checkpoint (world, "vm", "c2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "unbitmap c2 vm-vda.s2");
}

static void
test_deletion_of_an_unknown_one (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;
  StmDeleteRequest request = { .moment_id = "00000000000000000000000000abcdef" };
  g_autoptr (GPtrArray) images = stm_plan_delete_checkpoint_prepare (
      world->model, world_domain (world, "vm")->id, &request, &error);

  g_assert_null (images);
  checkpoint_assert_error (error, STEMMA_ERROR_NOT_FOUND, "abcdef");
}

/* Two that were redefined with one bitmap between them. */
static void
test_a_shared_bitmap_stays_where_it_is_needed (void)
{
  g_autoptr (World) world = world_with_branch ();
  const StmMoment *c2 = world_checkpoint (world, "vm", "c2");
  StmMomentDisk disk = c2->disks[0];
  g_autofree char *told = NULL;

  disk.bitmap = "c1";
  g_autoptr (StmMoment) sharing = stm_moment_with_disks (c2, &disk, 1);
  world_put_moment (world, "vm", sharing);
  told = world_delete_checkpoint (world, "vm", "c1", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "unbitmap c1 vm-vda.qcow2");
}

/* --- snapshots that go --- */

static void
test_homes_move_with_the_content (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_ONE);

  g_assert_cmpstr (told, ==,
                   "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2) [c1 c2 c3], unlink vm-vda.s1");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c2")->disks[0].frozen, ==, "/i/vm-vda.qcow2");
  checkpoint_assert_dirty (world, "c1", "12");
  checkpoint_assert_dirty (world, "c2", "2");
  checkpoint_assert_dirty (world, "c3", "");
}

static void
test_a_branch_that_goes_takes_records_along (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  world_revert (world, "vm", "s1");
  g_autoptr (StmPlan) plan = world_plan_delete (world, "vm", "s2", (StmDeleteRequest){ 0 }, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (plan->unreachable), ==, 2);
  checkpoint_run_told (world, stm_plan_ref (plan), NULL, "unlink vm-vda.s1");
  checkpoint_assert_health (world, "c1", STM_HEALTH_OK);
  checkpoint_assert_health (world, "c2", STM_HEALTH_MISSING);
  checkpoint_assert_leaf (world, "c1");
}

static void
test_undefinition (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  g_autoptr (StmPlan) refused = world_plan_undefine (world, "vm", STM_MOMENTS_REFUSE, &error);
  g_assert_null (refused);
  checkpoint_assert_error (error, STEMMA_ERROR_HAS_MOMENTS, "3 checkpoints");
  g_clear_error (&error);
  g_autoptr (StmPlan) forgetful = world_plan_undefine (world, "vm", STM_MOMENTS_FORGET, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (forgetful->steps->len, ==, 0);
  checkpoint_run_told (world, world_plan_undefine (world, "vm", STM_MOMENTS_DELETE, &error), error,
                       "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), commit vm-vda.s2>vm-vda.qcow2, "
                       "unbitmap c1 vm-vda.qcow2, unlink vm-vda.s1, unlink vm-vda.s2");
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->bitmaps->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/checkpoint-lives/revert-there-and-back-again", test_there_and_back_again);
  g_test_add_func ("/core/checkpoint-lives/the-only-record-is-unsaved-state",
                   test_the_only_record_is_unsaved_state);
  g_test_add_func ("/core/checkpoint-lives/a-foreign-record-is-unsaved-state",
                   test_a_foreign_record_is_unsaved_state);
  g_test_add_func ("/core/checkpoint-lives/what-is-broken-is-known-when-its-branch-is-back",
                   test_broken_below_is_known_when_it_is_back);
  g_test_add_func ("/core/checkpoint-lives/health-follows-the-images", test_health);
  g_test_add_func ("/core/checkpoint-lives/health-stays-where-nobody-looked",
                   test_health_of_what_was_not_looked_at);
  g_test_add_func ("/core/checkpoint-lives/an-unknown-one-begins-where-its-bitmap-does",
                   test_where_an_unknown_one_begins);
  g_test_add_func ("/core/checkpoint-lives/one-goes-from-all-images",
                   test_one_goes_from_all_images);
  g_test_add_func ("/core/checkpoint-lives/scopes-of-deletion", test_scopes);
  g_test_add_func ("/core/checkpoint-lives/metadata-only-touches-nothing",
                   test_metadata_only_touches_nothing);
  g_test_add_func ("/core/checkpoint-lives/what-is-not-ours-keeps-its-bitmap",
                   test_what_is_not_ours_keeps_its_bitmap);
  g_test_add_func ("/core/checkpoint-lives/what-is-in-use-is-not-touched",
                   test_deletion_of_what_is_in_use);
  g_test_add_func ("/core/checkpoint-lives/what-others-removed-is-no-obstacle",
                   test_what_others_removed_is_no_obstacle);
  g_test_add_func ("/core/checkpoint-lives/an-unknown-one-is-not-found",
                   test_deletion_of_an_unknown_one);
  g_test_add_func ("/core/checkpoint-lives/a-shared-bitmap-stays-where-it-is-needed",
                   test_a_shared_bitmap_stays_where_it_is_needed);
  g_test_add_func ("/core/checkpoint-lives/homes-move-with-the-content",
                   test_homes_move_with_the_content);
  g_test_add_func ("/core/checkpoint-lives/a-branch-that-goes-takes-records-along",
                   test_a_branch_that_goes_takes_records_along);
  g_test_add_func ("/core/checkpoint-lives/undefinition-leaves-no-bitmap", test_undefinition);

  return g_test_run ();
}
