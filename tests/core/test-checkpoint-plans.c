/* Planning of checkpoints: what is begun and where, on whom it stands, what is refused, what
 * becomes of it at snapshots, reverts, deletions and undefinition.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const two_disks[] = { "vda", "vdb", NULL };
static const char *const one_disk[] = { "vda", NULL };

static World *
world_with (const char *const *disks)
{
  World *world = world_new ();

  world_define (world, "vm", disks);
  return world;
}

static void
assert_error (GError *error, StemmaError code, const char *word)
{
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not name '%s'", error->message, word);
}

static void
assert_refused (World *world, const StmCreateCheckpointRequest *request, StemmaError code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (world, "vm", request, &error);

  g_assert_null (plan);
  assert_error (error, code, word);
}

static void
assert_told (const StmPlan *plan, const char *expected)
{
  g_autofree char *told = world_tell (plan);

  g_assert_cmpstr (told, ==, expected);
}

static void
run_told (World *world, StmPlan *owned, GError *error, const char *expected)
{
  g_autoptr (StmPlan) plan = owned;

  g_assert_no_error (error);
  assert_told (plan, expected);
  world_run (world, plan, NULL, NULL);
  world_check (world);
}

static void
assert_health (World *world, const char *name, StmHealth health)
{
  g_assert_cmpstr (stm_health_to_word (world_checkpoint (world, "vm", name)->health), ==,
                   stm_health_to_word (health));
}

static void
assert_leaf (World *world, const char *name)
{
  const char *leaf = stm_model_lone_leaf (world->model, world_domain (world, "vm")->id,
                                          /* n_leaves= */ NULL);

  g_assert_cmpstr (leaf, ==, name == NULL ? NULL : world_checkpoint (world, "vm", name)->id);
}

/* What a backup since the checkpoint would take of vda, as "014". */
static void
assert_dirty (World *world, const char *name, const char *expected)
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

/* --- create --- */

static void
test_all_disks_at_once (void)
{
  g_autoptr (World) world = world_with (two_disks);
  g_autoptr (GError) error = NULL;
  StmCreateCheckpointRequest request = { .name = "c1", .description = "monday" };
  g_autoptr (StmPlan) plan = world_plan_checkpoint (world, "vm", &request, &error);

  g_assert_no_error (error);
  assert_told (plan, "bitmap c1 vm-vda.qcow2, bitmap c1 vm-vdb.qcow2");
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
  assert_health (world, "c1", STM_HEALTH_OK);
  assert_leaf (world, "c1");
}

static void
test_stands_on_the_lone_leaf (void)
{
  g_autoptr (World) world = world_with (one_disk);

  world_make_checkpoint (world, "vm", "1");
  world_make_checkpoint (world, "vm", "2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "2")->parent, ==,
                   world_checkpoint (world, "vm", "1")->id);
  assert_leaf (world, "2");
}

static void
test_an_empty_name_is_the_time (void)
{
  g_autoptr (World) world = world_with (one_disk);

  world_make_checkpoint (world, "vm", "");
  world_make_checkpoint (world, "vm", "");
  world_checkpoint (world, "vm", "1700000000");
  world_checkpoint (world, "vm", "1700000000-1");
}

static void
test_a_taken_bitmap_gets_a_suffix (void)
{
  g_autoptr (World) world = world_with (one_disk);

  world_add_bitmap (world_get_file (world, "/i/vm-vda.qcow2"), "c1");
  world_create (world, "vm", "s1");
  world_make_checkpoint (world, "vm", "c1");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c1")->disks[0].bitmap, ==, "c1-2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c1")->name, ==, "c1");
}

static void
test_a_bitmap_of_another_branch_is_taken (void)
{
  g_autoptr (World) world = world_with (one_disk);

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
  g_autoptr (World) world = world_with (two_disks);

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
  g_autoptr (World) world = world_with (two_disks);
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
  g_autoptr (World) world = world_with (one_disk);
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
  g_autoptr (World) world = world_with (one_disk);
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
  g_autoptr (World) world = world_with (one_disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (
      world, "vm", &(StmCreateCheckpointRequest){ .name = "c1" }, &error);

  g_assert_no_error (error);
  world_apply (world, plan->begin);
  assert_leaf (world, NULL);
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c2" }, STEMMA_ERROR_BUSY, "'c1'");
  g_autoptr (StmPlan)
      snapshot = world_plan_create (world, "vm", &(StmCreateRequest){ .name = "s" }, &error);
  g_assert_null (snapshot);
  assert_error (error, STEMMA_ERROR_BUSY, "checkpoint 'c1'");
}

/* --- the parent --- */

static void
set_health (World *world, const char *name, StmHealth health)
{
  g_autoptr (StmMoment) changed = stm_moment_with_state (world_checkpoint (world, "vm", name),
                                                         STM_STATE_SHUTOFF, health);

  world_put_moment (world, "vm", changed);
}

static void
test_a_parent_that_is_off (void)
{
  g_autoptr (World) world = world_with (one_disk);

  world_make_checkpoint (world, "vm", "c1");
  world_make_checkpoint (world, "vm", "c2");
  StmCreateCheckpointRequest request = { .name = "c3",
                                         .parent_id = world_checkpoint (world, "vm", "c2")->id };
  g_autofree char *id = g_strdup (request.parent_id);
  request.parent_id = id;
  set_health (world, "c2", STM_HEALTH_UNREACHABLE);
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
  g_autoptr (World) world = world_with (one_disk);
  g_autoptr (GError) error = NULL;

  world_make_checkpoint (world, "vm", "c1");
  world_make_checkpoint (world, "vm", "c2");
  g_autofree char *root = g_strdup (world_checkpoint (world, "vm", "c1")->id);
  run_told (world,
            world_plan_checkpoint (world, "vm",
                                   &(StmCreateCheckpointRequest){ .name = "c3", .parent_id = root },
                                   &error),
            error, "bitmap c3 vm-vda.qcow2");
  assert_leaf (world, NULL);
  assert_refused (world, &(StmCreateCheckpointRequest){ .name = "c4" },
                  STEMMA_ERROR_AMBIGUOUS_PARENT, "'c2', 'c3'");
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s", .checkpoint = "c4" }, &error);
  g_assert_null (plan);
  assert_error (error, STEMMA_ERROR_AMBIGUOUS_PARENT, "'c2', 'c3'");
}

/* --- with snapshots --- */

static void
test_a_snapshot_goes_on_with_what_is_in_order (void)
{
  g_autoptr (World) world = world_with (one_disk);
  WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");
  g_autoptr (GError) error = NULL;

  world_make_checkpoint (world, "vm", "c1");
  world_add_bitmap (file, WORLD_FOREIGN);
  world_add_bitmap (file, "resting")->is_recording = FALSE;
  world_add_bitmap (file, "broken")->is_broken = TRUE;
  world_write (world, "vm", "vda", 1, 7);
  run_told (world, world_plan_create (world, "vm", &(StmCreateRequest){ .name = "s1" }, &error),
            error, "overlay vm-vda.s1>vm-vda.qcow2 [c1 foreign]");
  world_write (world, "vm", "vda", 4, 7);
  assert_dirty (world, "c1", "14");
}

static void
test_a_snapshot_with_a_checkpoint (void)
{
  g_autoptr (World) world = world_with (one_disk);
  g_autoptr (GError) error = NULL;
  StmCreateRequest request = { .name = "s1", .checkpoint = "c2" };

  world_make_checkpoint (world, "vm", "c1");
  world_write (world, "vm", "vda", 0, 7);
  g_autoptr (StmPlan) plan = world_plan_create (world, "vm", &request, &error);
  g_assert_no_error (error);
  world_undo (world, plan, /* n_steps= */ 1);
  g_assert_cmpuint (stm_tree_count (world_checkpoints (world, "vm")), ==, 1);
  run_told (world, stm_plan_ref (plan), NULL, "overlay vm-vda.s1>vm-vda.qcow2 [c1 c2]");
  world_write (world, "vm", "vda", 2, 7);
  assert_dirty (world, "c1", "02");
  assert_dirty (world, "c2", "2");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c2")->disks[0].frozen, ==, "/i/vm-vda.s1");
  g_assert_cmpstr (world_checkpoint (world, "vm", "c2")->parent, ==,
                   world_checkpoint (world, "vm", "c1")->id);
}

static void
test_a_bad_name_refuses_the_snapshot (void)
{
  g_autoptr (World) world = world_with (one_disk);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .checkpoint = "a b" }, &error);

  g_assert_null (plan);
  assert_error (error, STEMMA_ERROR_INVALID_ARGUMENT, "checkpoint");
}

/* --- with reverts --- */

/* c1 in the disk's image, s1 over it, c2 and c3 in the overlay, s2 over that. */
static World *
world_with_branch (void)
{
  World *world = world_with (one_disk);

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
  run_told (world, stm_plan_ref (plan), NULL,
            "overlay vm-vda.s1-1>vm-vda.qcow2 [c1], unlink vm-vda.s2");
  assert_health (world, "c1", STM_HEALTH_OK);
  assert_health (world, "c2", STM_HEALTH_UNREACHABLE);
  assert_leaf (world, "c1");
  world_make_checkpoint (world, "vm", "c4");

  run_told (world,
            world_plan_revert (world, "vm", "s2", (StmRevertRequest){ .keep = "s3" }, &error),
            error, "overlay vm-vda.s2>vm-vda.s1 [c1 c2 c3]");
  assert_health (world, "c3", STM_HEALTH_OK);
  assert_health (world, "c4", STM_HEALTH_UNREACHABLE);
  assert_leaf (world, "c3");
  assert_dirty (world, "c1", "12");
  assert_dirty (world, "c2", "2");
  assert_dirty (world, "c3", "");
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
  assert_error (error, STEMMA_ERROR_UNSAVED_STATE, "checkpoint 'c4'");
  g_clear_error (&error);

  g_autoptr (StmPlan)
      plan = world_plan_revert (world, "vm", "s1", (StmRevertRequest){ .discards = TRUE }, &error);
  g_assert_no_error (error);
  g_assert_true (g_strv_contains ((const char *const *) plan->unreachable, "c4"));
  world_run (world, plan, NULL, NULL);
  assert_health (world, "c4", STM_HEALTH_MISSING);
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
  assert_error (error, STEMMA_ERROR_UNSAVED_STATE, "bitmap 'foreign'");
}

static void
test_broken_below_is_known_when_it_is_back (void)
{
  g_autoptr (World) world = world_with_branch ();

  world_break_bitmaps (world_get_file (world, "/i/vm-vda.s1"));
  world_look (world, "vm");
  assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
  world_revert (world, "vm", "s1");
  assert_health (world, "c1", STM_HEALTH_OK);
  assert_health (world, "c2", STM_HEALTH_UNREACHABLE);
  world_revert (world, "vm", "s2");
  assert_health (world, "c1", STM_HEALTH_INCONSISTENT);
  assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
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
  assert_health (world, "c1", STM_HEALTH_INCONSISTENT);
  assert_health (world, "c2", STM_HEALTH_INCONSISTENT);
  assert_health (world, "c3", STM_HEALTH_MISSING);
  assert_leaf (world, "c2");
  world_add_bitmap (file, "c3");
  world_look (world, "vm");
  assert_health (world, "c3", STM_HEALTH_OK);
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

  set_health (world, "c1", STM_HEALTH_UNKNOWN);
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
  assert_dirty (world, "c1", "");
  world_look (world, "vm");
  assert_health (world, "c1", STM_HEALTH_OK);
  assert_dirty (world, "c1", "12");
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
  assert_dirty (world, "c1", "12");
  assert_dirty (world, "c3", "");
  assert_leaf (world, "c3");
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

  run_told (world, plan_delete (world, "c1", (StmDeleteRequest){ .metadata_only = TRUE }, &error),
            error, "");
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
  run_told (world, plan_delete (world, "c1", (StmDeleteRequest){ 0 }, &error), error,
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
  assert_error (error, STEMMA_ERROR_IN_USE, "/i/vm-vda.s2");
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
  assert_error (error, STEMMA_ERROR_NOT_FOUND, "abcdef");
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
  assert_dirty (world, "c1", "12");
  assert_dirty (world, "c2", "2");
  assert_dirty (world, "c3", "");
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
  run_told (world, stm_plan_ref (plan), NULL, "unlink vm-vda.s1");
  assert_health (world, "c1", STM_HEALTH_OK);
  assert_health (world, "c2", STM_HEALTH_MISSING);
  assert_leaf (world, "c1");
}

static void
test_undefinition (void)
{
  g_autoptr (World) world = world_with_branch ();
  g_autoptr (GError) error = NULL;

  g_autoptr (StmPlan) refused = world_plan_undefine (world, "vm", STM_MOMENTS_REFUSE, &error);
  g_assert_null (refused);
  assert_error (error, STEMMA_ERROR_HAS_MOMENTS, "3 checkpoints");
  g_clear_error (&error);
  g_autoptr (StmPlan) forgetful = world_plan_undefine (world, "vm", STM_MOMENTS_FORGET, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (forgetful->steps->len, ==, 0);
  run_told (world, world_plan_undefine (world, "vm", STM_MOMENTS_DELETE, &error), error,
            "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), commit vm-vda.s2>vm-vda.qcow2, "
            "unbitmap c1 vm-vda.qcow2, unlink vm-vda.s1, unlink vm-vda.s2");
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->bitmaps->len, ==, 0);
}

static void
add_tests_of_life (void)
{
  g_test_add_func ("/core/checkpoint-plans/revert-there-and-back-again", test_there_and_back_again);
  g_test_add_func ("/core/checkpoint-plans/the-only-record-is-unsaved-state",
                   test_the_only_record_is_unsaved_state);
  g_test_add_func ("/core/checkpoint-plans/a-foreign-record-is-unsaved-state",
                   test_a_foreign_record_is_unsaved_state);
  g_test_add_func ("/core/checkpoint-plans/what-is-broken-is-known-when-its-branch-is-back",
                   test_broken_below_is_known_when_it_is_back);
  g_test_add_func ("/core/checkpoint-plans/health-follows-the-images", test_health);
  g_test_add_func ("/core/checkpoint-plans/health-stays-where-nobody-looked",
                   test_health_of_what_was_not_looked_at);
  g_test_add_func ("/core/checkpoint-plans/an-unknown-one-begins-where-its-bitmap-does",
                   test_where_an_unknown_one_begins);
  g_test_add_func ("/core/checkpoint-plans/one-goes-from-all-images",
                   test_one_goes_from_all_images);
  g_test_add_func ("/core/checkpoint-plans/scopes-of-deletion", test_scopes);
  g_test_add_func ("/core/checkpoint-plans/metadata-only-touches-nothing",
                   test_metadata_only_touches_nothing);
  g_test_add_func ("/core/checkpoint-plans/what-is-not-ours-keeps-its-bitmap",
                   test_what_is_not_ours_keeps_its_bitmap);
  g_test_add_func ("/core/checkpoint-plans/what-is-in-use-is-not-touched",
                   test_deletion_of_what_is_in_use);
  g_test_add_func ("/core/checkpoint-plans/what-others-removed-is-no-obstacle",
                   test_what_others_removed_is_no_obstacle);
  g_test_add_func ("/core/checkpoint-plans/an-unknown-one-is-not-found",
                   test_deletion_of_an_unknown_one);
  g_test_add_func ("/core/checkpoint-plans/a-shared-bitmap-stays-where-it-is-needed",
                   test_a_shared_bitmap_stays_where_it_is_needed);
  g_test_add_func ("/core/checkpoint-plans/homes-move-with-the-content",
                   test_homes_move_with_the_content);
  g_test_add_func ("/core/checkpoint-plans/a-branch-that-goes-takes-records-along",
                   test_a_branch_that_goes_takes_records_along);
  g_test_add_func ("/core/checkpoint-plans/undefinition-leaves-no-bitmap", test_undefinition);
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
  add_tests_of_life ();

  return g_test_run ();
}
