/* Planning of deletions: the tree, the current snapshot, the merges and what stands against them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const two_disks[] = { "vda", "vdb", NULL };
static const char *const one_disk[] = { "vda", NULL };

/* s1 <- s2 <- s3 in a line, with some data between them, on one disk. */
static World *
world_with_line (void)
{
  World *world = world_new ();

  world_define (world, "vm", one_disk);
  world_write (world, "vm", "vda", 0, 1);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  world_create (world, "vm", "s2");
  world_write (world, "vm", "vda", 2, 3);
  world_create (world, "vm", "s3");

  return world;
}

static void
assert_refused (World *world, const char *name, StmDeleteRequest request, StemmaError code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_delete (world, "vm", name, request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not name '%s'", error->message, word);
}

static void
assert_deletes (World *world, const char *name, StmDeleteScope scope, const char *expected)
{
  g_autofree char *told = world_delete (world, "vm", name, scope);

  g_assert_cmpstr (told, ==, expected);
}

static const char *
current_name (const World *world)
{
  const StmTree *tree = world_tree (world, "vm");
  const char *current = stm_tree_current (tree);

  return current == NULL ? NULL : stm_tree_get (tree, current)->name;
}

static void
test_root_goes_down_into_the_disk (void)
{
  g_autoptr (World) world = world_with_line ();

  assert_deletes (world, "s1", STM_DELETE_ONE,
                  "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), unlink vm-vda.s1");
  world_check (world);
  g_assert_cmpstr (world_moment (world, "vm", "s2")->disks[0].frozen, ==, "/i/vm-vda.qcow2");
  g_assert_null (world_moment (world, "vm", "s2")->parent);
  g_assert_cmpstr (current_name (world), ==, "s3");
}

static void
test_leaf_goes_and_its_parent_is_current (void)
{
  g_autoptr (World) world = world_with_line ();

  world_write (world, "vm", "vda", 2, 4);
  world_write (world, "vm", "vda", 3, 4);
  assert_deletes (world, "s3", STM_DELETE_ONE, "stream vm-vda.s2>vm-vda.s3, unlink vm-vda.s2");
  world_check (world);
  g_assert_cmpstr (current_name (world), ==, "s2");
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.s3");
}

static void
test_last_one_gives_the_disk_back (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  assert_deletes (world, "s1", STM_DELETE_ONE, "commit vm-vda.s1>vm-vda.qcow2, unlink vm-vda.s1");
  world_check (world);
  g_assert_null (current_name (world));
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.qcow2");
}

static void
test_raw_disk_takes_the_data_and_its_format (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_put_image (world, "vm",
                   &(StmImage){ .path = "/i/vm-vda.qcow2",
                                .target = "vda",
                                .index = 1,
                                .format = "raw",
                                .origin = STM_IMAGE_DISK,
                                .capacity = WORLD_CAPACITY });
  strcpy (world_get_file (world, "/i/vm-vda.qcow2")->format, "raw");
  world_create (world, "vm", "s1");
  world_create (world, "vm", "s2");
  assert_deletes (world, "s1", STM_DELETE_ONE,
                  "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), unlink vm-vda.s1");
  world_check (world);
  g_assert_cmpstr (world_moment (world, "vm", "s2")->disks[0].format, ==, "raw");
  assert_deletes (world, "s2", STM_DELETE_ONE, "commit vm-vda.s2>vm-vda.qcow2, unlink vm-vda.s2");
  world_check (world);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->format, ==, "raw");
}

static void
test_children_go_to_the_parent (void)
{
  g_autoptr (World) world = world_with_line ();

  world_revert (world, "vm", "s2");
  world_create (world, "vm", "s4");
  assert_deletes (world, "s2", STM_DELETE_ONE, "keep vm-vda.s1");
  world_check (world);
  const char *parent = world_moment (world, "vm", "s1")->id;
  g_assert_cmpstr (world_moment (world, "vm", "s3")->parent, ==, parent);
  g_assert_cmpstr (world_moment (world, "vm", "s4")->parent, ==, parent);
  g_assert_cmpstr (current_name (world), ==, "s4");
}

static void
test_subtree_goes_without_merging_what_goes (void)
{
  g_autoptr (World) world = world_with_line ();

  world_revert (world, "vm", "s1");
  assert_deletes (world, "s2", STM_DELETE_SUBTREE, "unlink vm-vda.s2, unlink vm-vda.s1");
  world_check (world);
  g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 1);
  g_assert_cmpstr (current_name (world), ==, "s1");
}

static void
test_subtree_under_the_active_image (void)
{
  g_autoptr (World) world = world_with_line ();

  for (int block = 3; block < WORLD_BLOCKS; block++)
    world_write (world, "vm", "vda", block, 5);
  assert_deletes (world, "s2", STM_DELETE_SUBTREE,
                  "stream vm-vda.s1>vm-vda.s2, stream vm-vda.s2>vm-vda.s3, "
                  "unlink vm-vda.s1, unlink vm-vda.s2");
  world_check (world);
  g_assert_cmpstr (current_name (world), ==, "s1");
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.s3");
}

static void
test_children_only (void)
{
  g_autoptr (World) world = world_with_line ();

  assert_deletes (world, "s1", STM_DELETE_CHILDREN,
                  "stream vm-vda.s1>vm-vda.s2, commit vm-vda.s3>vm-vda.s2, "
                  "unlink vm-vda.s1, unlink vm-vda.s3");
  world_check (world);
  g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 1);
  g_assert_cmpstr (current_name (world), ==, "s1");
  assert_deletes (world, "s1", STM_DELETE_CHILDREN, "");
}

static void
test_two_disks_each_their_own_way (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", two_disks);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  world_create (world, "vm", "s2");
  world_write (world, "vm", "vdb", 1, 2);
  assert_deletes (world, "s2", STM_DELETE_ONE,
                  "commit vm-vda.s2>vm-vda.s1, stream vm-vdb.s1>vm-vdb.s2, "
                  "unlink vm-vda.s2, unlink vm-vdb.s1");
  world_check (world);
}

static void
test_is_shown_going_and_can_be_undone (void)
{
  g_autoptr (World) world = world_with_line ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_delete (
      world, "vm", "s2", (StmDeleteRequest){ .scope = STM_DELETE_SUBTREE }, &error);

  g_assert_no_error (error);
  world_apply (world, plan->begin);
  g_assert_cmpint (world_moment (world, "vm", "s1")->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpint (world_moment (world, "vm", "s2")->state, ==, STM_STATE_DELETING);
  g_assert_cmpint (world_moment (world, "vm", "s3")->state, ==, STM_STATE_DELETING);
  world_apply (world, plan->undo);
  g_assert_cmpint (world_moment (world, "vm", "s2")->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpint (world_moment (world, "vm", "s3")->state, ==, STM_STATE_SHUTOFF);
}

static void
set_state (World *world, const char *name, StmMomentState state)
{
  g_autoptr (StmMoment)
      moment = stm_moment_with_state (world_moment (world, "vm", name), state, STM_HEALTH_OK);

  world_put_moment (world, "vm", moment);
}

static void
test_states (void)
{
  g_autoptr (World) world = world_with_line ();

  set_state (world, "s2", STM_STATE_CREATING);
  assert_refused (world, "s1", (StmDeleteRequest){ .scope = STM_DELETE_SUBTREE },
                  STEMMA_ERROR_WRONG_STATE, "s2");
  assert_refused (world, "s2", (StmDeleteRequest){ .metadata_only = TRUE },
                  STEMMA_ERROR_WRONG_STATE, "s2");
  /* It would get another parent under the feet of what makes it. */
  assert_refused (world, "s1", (StmDeleteRequest){ 0 }, STEMMA_ERROR_BUSY, "s2");

  /* A deletion that failed may be tried again, nothing else. */
  set_state (world, "s2", STM_STATE_DELETING);
  assert_refused (world, "s3", (StmDeleteRequest){ 0 }, STEMMA_ERROR_BUSY, "s2");
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, !=, "");
  world_check (world);
}

static void
test_missing_and_changed_images_are_refused (void)
{
  const char *const cases[] = { "missing", "backing", "size" };
  const char *const paths[] = { "/i/vm-vda.s1", "/i/vm-vda.qcow2" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases) * G_N_ELEMENTS (paths); i++)
    {
      g_autoptr (World) world = world_with_line ();
      const char *path = paths[i % G_N_ELEMENTS (paths)];
      WorldFile *file = world_get_file (world, path);

      if (i / G_N_ELEMENTS (paths) == 0)
        world_remove_file (world, path);
      else if (i / G_N_ELEMENTS (paths) == 1)
        {
          g_free (file->backing);
          file->backing = g_strdup ("/i/elsewhere");
        }
      else
        file->capacity *= 2;
      assert_refused (world, "s2", (StmDeleteRequest){ 0 }, STEMMA_ERROR_CHAIN_BROKEN, path);

      /* The way out. */
      g_autoptr (GError) error = NULL;
      g_autoptr (StmPlan) plan = world_plan_delete (
          world, "vm", "s2", (StmDeleteRequest){ .metadata_only = TRUE }, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (plan->steps->len, ==, 0);
    }
}

static void
test_lost_leaf_can_be_deleted (void)
{
  g_autoptr (World) world = world_with_line ();

  world_revert (world, "vm", "s1");
  world_remove_file (world, "/i/vm-vda.s2");
  assert_deletes (world, "s3", STM_DELETE_ONE, "unlink vm-vda.s2");
  world_check (world);
}

static void
test_space (void)
{
  g_autoptr (World) world = world_with_line ();
  const guint64 reserve = 16 * 1024 * 1024;

  /* 16 bytes are for tables: a 4096th of the data. */
  world->free_bytes = reserve + WORLD_BLOCK_SIZE + 16 - 1;
  assert_refused (world, "s1", (StmDeleteRequest){ 0 }, STEMMA_ERROR_NO_SPACE, "16.1\u00a0MiB");
  world->free_bytes++;
  assert_deletes (world, "s1", STM_DELETE_ONE,
                  "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), unlink vm-vda.s1");
}

static void
test_space_is_needed_only_as_far_as_an_image_can_grow (void)
{
  g_autoptr (World) world = world_with_line ();

  for (guint i = 0; i < WORLD_BLOCKS; i++)
    world_get_file (world, "/i/vm-vda.qcow2")->blocks[i] = 8;
  world->free_bytes = 0;
  assert_deletes (world, "s1", STM_DELETE_ONE,
                  "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), unlink vm-vda.s1");
}

static void
test_space_of_all_disks_is_added (void)
{
  g_autoptr (World) world = world_new ();
  const guint64 enough_for_one = 16 * 1024 * 1024 + WORLD_BLOCK_SIZE + 16;

  world_define (world, "vm", two_disks);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  world_write (world, "vm", "vdb", 1, 2);
  world->free_bytes = enough_for_one;
  assert_refused (world, "s1", (StmDeleteRequest){ 0 }, STEMMA_ERROR_NO_SPACE, "metadata-only");
  world_get_file (world, "/i/vm-vdb.qcow2")->file_system = 2;
  assert_deletes (world, "s1", STM_DELETE_ONE,
                  "commit vm-vda.s1>vm-vda.qcow2, commit vm-vdb.s1>vm-vdb.qcow2, "
                  "unlink vm-vda.s1, unlink vm-vdb.s1");
}

static void
test_metadata_only_touches_no_image (void)
{
  g_autoptr (World) world = world_with_line ();
  g_autoptr (GError) error = NULL;

  world_revert (world, "vm", "s1");
  g_autoptr (StmPlan) plan = world_plan_delete (
      world, "vm", "s2", (StmDeleteRequest){ .scope = STM_DELETE_SUBTREE, .metadata_only = TRUE },
      &error);
  g_assert_no_error (error);
  g_assert_cmpuint (plan->steps->len, ==, 0);
  g_assert_true (stm_change_is_empty (plan->begin));
  world_run (world, plan, NULL, NULL);
  world_check (world);
  g_assert_nonnull (world_get_file (world, "/i/vm-vda.s1"));
  g_assert_nonnull (world_get_file (world, "/i/vm-vda.s2"));
  g_assert_null (world_image (world, "vm", "/i/vm-vda.s1"));
  g_assert_null (world_image (world, "vm", "/i/vm-vda.s2"));
  g_assert_null (world_moment (world, "vm", "s1")->disks[0].overlay);
  /* The forgotten files stand on the disk's image: nothing may be written to it any more. */
  g_assert_cmpint (world_image (world, "vm", "/i/vm-vda.qcow2")->origin, ==, STM_IMAGE_BACKING);
  assert_deletes (world, "s1", STM_DELETE_ONE, "keep vm-vda.qcow2");
}

static void
test_metadata_only_in_the_chain (void)
{
  g_autoptr (World) world = world_with_line ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_delete (
      world, "vm", "s2", (StmDeleteRequest){ .metadata_only = TRUE }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  world_check (world);
  g_assert_cmpint (world_image (world, "vm", "/i/vm-vda.s1")->origin, ==, STM_IMAGE_BACKING);
  g_assert_cmpint (world_image (world, "vm", "/i/vm-vda.s2")->origin, ==, STM_IMAGE_MADE);
  g_assert_cmpstr (world_moment (world, "vm", "s3")->parent, ==,
                   world_moment (world, "vm", "s1")->id);
}

static void
test_unknown_snapshot (void)
{
  g_autoptr (World) world = world_with_line ();
  const char *id = world_domain (world, "vm")->id;
  g_autoptr (GError) error = NULL;

  g_assert_null (
      stm_plan_delete_prepare (world->model, id, &(StmDeleteRequest){ .moment_id = id }, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func ("/core/plan-delete/" name, function)
  ADD ("a-root-goes-down-into-the-disk", test_root_goes_down_into_the_disk);
  ADD ("a-leaf-goes-and-its-parent-is-current", test_leaf_goes_and_its_parent_is_current);
  ADD ("the-last-one-gives-the-disk-back", test_last_one_gives_the_disk_back);
  ADD ("a-raw-disk-takes-the-data-and-gives-its-format",
       test_raw_disk_takes_the_data_and_its_format);
  ADD ("children-go-to-the-parent", test_children_go_to_the_parent);
  ADD ("a-subtree-goes-without-merging-what-goes", test_subtree_goes_without_merging_what_goes);
  ADD ("a-subtree-goes-from-under-the-active-image", test_subtree_under_the_active_image);
  ADD ("children-go-and-the-snapshot-stays", test_children_only);
  ADD ("two-disks-go-each-their-own-way", test_two_disks_each_their_own_way);
  ADD ("a-deletion-is-shown-and-can-be-undone", test_is_shown_going_and_can_be_undone);
  ADD ("states-are-respected", test_states);
  ADD ("missing-and-changed-images-are-refused", test_missing_and_changed_images_are_refused);
  ADD ("a-lost-leaf-can-be-deleted", test_lost_leaf_can_be_deleted);
  ADD ("space-is-checked-and-told", test_space);
  ADD ("space-is-needed-only-as-far-as-an-image-can-grow",
       test_space_is_needed_only_as_far_as_an_image_can_grow);
  ADD ("space-of-all-disks-is-added-by-file-system", test_space_of_all_disks_is_added);
  ADD ("metadata-only-touches-no-image-now-or-later", test_metadata_only_touches_no_image);
  ADD ("metadata-only-in-the-chain-protects-the-image", test_metadata_only_in_the_chain);
  ADD ("an-unknown-snapshot-is-not-found", test_unknown_snapshot);
#undef ADD

  return g_test_run ();
}
