/* Planning of snapshots within images: taking them alone and mixed with external ones, going to
 * them, deleting them, and all that is in the way.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const one_disk[] = { "vda", NULL };
static const char *const two_disks[] = { "vda", "vdb", NULL };

/* --- helpers --- */

static StmPlan *
plan_create (World *world, const char *name, StmDiskMode mode)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_create (world, "vm", &(StmCreateRequest){ .name = name, .mode = mode },
                                     &error);

  g_assert_no_error (error);
  return plan;
}

static void
take (World *world, const char *name, StmDiskMode mode)
{
  g_autoptr (StmPlan) plan = plan_create (world, name, mode);

  world_run (world, plan, NULL, NULL);
  world_check (world);
}

static StmPlan *
plan_revert (World *world, const char *name, StmRevertRequest request)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_no_error (error);
  return plan;
}

static void
assert_told (const StmPlan *plan, const char *expected)
{
  g_autofree char *told = world_tell (plan);
  g_autoptr (GString) text = g_string_new (told);
  g_autofree char *fallback = g_strconcat ("stemma-", plan->id, NULL);

  g_string_replace (text, fallback, "FALLBACK", 0);
  g_assert_cmpstr (text->str, ==, expected);
}

static void
assert_create_refused (World *world, const StmCreateRequest *request, StemmaError code,
                       const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (world, "vm", request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

static void
assert_revert_refused (World *world, const char *name, StmRevertRequest request, StemmaError code,
                       const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, words) == NULL)
    g_error ("'%s' does not say '%s'", error->message, words);
}

static void
assert_block (const World *world, const char *target, int block, int value)
{
  int content[WORLD_BLOCKS];

  world_read (world, world_disk (world, "vm", target)->source, content);
  g_assert_cmpint (content[block], ==, value);
}

/* A machine whose disks hold 1, with the internal snapshot "s1", and then 2. */
static World *
world_with_internal (const char *const *targets)
{
  World *world = world_new ();

  world_define (world, "vm", targets);
  for (guint i = 0; targets[i] != NULL; i++)
    world_write (world, "vm", targets[i], 0, 1);
  take (world, "s1", STM_MODE_INTERNAL);
  for (guint i = 0; targets[i] != NULL; i++)
    world_write (world, "vm", targets[i], 0, 2);

  return world;
}

/* --- create --- */

static void
test_internal_on_all_disks (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", two_disks);
  g_autoptr (StmPlan) plan = plan_create (world, "s1", STM_MODE_INTERNAL);
  assert_told (plan, "tag vm-vda.qcow2@s1, tag vm-vdb.qcow2@s1");
  world_run (world, plan, NULL, NULL);
  world_check (world);

  const StmMoment *moment = world_moment (world, "vm", "s1");
  g_assert_cmpint (moment->disks[0].mode, ==, STM_MODE_INTERNAL);
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/i/vm-vda.qcow2");
  g_assert_cmpstr (moment->disks[0].tag, ==, "s1");
  g_assert_cmpstr (moment->disks[0].format, ==, "qcow2");
  g_assert_null (moment->disks[0].overlay);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.qcow2");
  g_assert_cmpuint (world_disk (world, "vm", "vda")->next_index, ==, 2);
  g_assert_cmpstr (stm_tree_current (world_tree (world, "vm")), ==, moment->id);
}

static void
test_mixed_by_choice (void)
{
  g_autoptr (World) world = world_new ();
  const char *const targets[] = { "vda", "vdb", "vdc", "vdd", NULL };
  const StmDiskChoice choices[] = {
    { .target = "vdb", .mode = STM_MODE_INTERNAL },
    { .target = "vdc", .mode = STM_MODE_NONE },
    { .target = "vdd", .mode = STM_MODE_EXTERNAL, .file = "/i/sub/chosen.qcow2" },
  };
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", targets);
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .choices = choices, .n_choices = 3 }, &error);
  g_assert_no_error (error);
  assert_told (plan, "tag vm-vdb.qcow2@s1, overlay vm-vda.s1>vm-vda.qcow2, "
                     "overlay chosen.qcow2>vm-vdd.qcow2");
  world_run (world, plan, NULL, NULL);
  world_check (world);

  const StmMoment *moment = world_moment (world, "vm", "s1");
  g_assert_cmpint (moment->disks[0].mode, ==, STM_MODE_EXTERNAL);
  g_assert_cmpint (moment->disks[1].mode, ==, STM_MODE_INTERNAL);
  g_assert_cmpint (moment->disks[2].mode, ==, STM_MODE_NONE);
  g_assert_cmpstr (moment->disks[3].overlay, ==, "/i/sub/chosen.qcow2");
  g_assert_cmpstr (world_disk (world, "vm", "vdd")->source, ==, "/i/sub/chosen.qcow2");
}

static void
test_tags_of_odd_names (void)
{
  g_autofree char *long_name = g_strnfill (128, 'n');
  const char *const names[] = { "42", long_name, "taken", "vm 1" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (World) world = world_new ();
      const char *tag;

      world_define (world, "vm", one_disk);
      world_add_tag (world_get_file (world, "/i/vm-vda.qcow2"), "taken");
      take (world, names[i], STM_MODE_INTERNAL);
      tag = world_moment (world, "vm", names[i])->disks[0].tag;
      if (i == 3)
        g_assert_cmpstr (tag, ==, names[i]);
      else
        g_assert_true (g_str_has_prefix (tag, "stm-") && strlen (tag) == 12);
    }
}

static void
test_what_no_internal_snapshot_can_be_of (void)
{
  g_autoptr (World) world = world_new ();
  const StmCreateRequest internal = { .name = "s", .mode = STM_MODE_INTERNAL };
  StmDisk disk;

  world_define (world, "vm", one_disk);
  world_get_file (world, "/i/vm-vda.qcow2")->is_written = TRUE;
  assert_create_refused (world, &internal, STEMMA_ERROR_IN_USE, "/i/vm-vda.qcow2");
  world_get_file (world, "/i/vm-vda.qcow2")->is_written = FALSE;

  disk = *world_disk (world, "vm", "vda");
  disk.format = "raw";
  world_set_disk (world, "vm", &disk);
  assert_create_refused (world, &internal, STEMMA_ERROR_NOT_SUPPORTED,
                         "only qcow2 holds snapshots; take an external one");

  disk = *world_disk (world, "vm", "vda");
  disk.format = "qcow2";
  disk.is_read_only = TRUE;
  world_set_disk (world, "vm", &disk);
  assert_create_refused (
      world, &(StmCreateRequest){ .name = "s", .mode = STM_MODE_INTERNAL, .disks = one_disk },
      STEMMA_ERROR_NOT_SUPPORTED, "read-only");
}

static void
test_choices_that_cannot_be (void)
{
  const struct
  {
    StmDiskChoice choices[2];
    gsize n;
    StemmaError code;
    const char *words;
  } cases[] = {
    { { { "vdz", STM_MODE_NONE, NULL } }, 1, STEMMA_ERROR_NOT_FOUND, "no disk 'vdz'" },
    { { { "vda", STM_MODE_NONE, NULL }, { "vda", STM_MODE_INTERNAL, NULL } },
      2,
      STEMMA_ERROR_INVALID_ARGUMENT,
      "named twice" },
    { { { "vda", STM_MODE_NONE, NULL }, { "vdb", STM_MODE_NONE, NULL } },
      2,
      STEMMA_ERROR_NOT_SUPPORTED,
      "no disk to take" },
    { { { "vda", STM_MODE_EXTERNAL, "/i/vm-vdb.qcow2" } },
      1,
      STEMMA_ERROR_ALREADY_EXISTS,
      "/i/vm-vdb.qcow2" },
    { { { "vda", STM_MODE_EXTERNAL, "/i/other" } }, 1, STEMMA_ERROR_ALREADY_EXISTS, "/i/other" },
    { { { "vda", STM_MODE_EXTERNAL, "/i/new" }, { "vdb", STM_MODE_EXTERNAL, "/i/new" } },
      2,
      STEMMA_ERROR_ALREADY_EXISTS,
      "/i/new" },
    { { { "vda", STM_MODE_EXTERNAL, "/etc/passwd" } }, 1, STEMMA_ERROR_NOT_ALLOWED, "/etc/passwd" },
    { { { "vda", STM_MODE_EXTERNAL, "/i/../etc/x" } }, 1, STEMMA_ERROR_NOT_ALLOWED, "/i/../etc/x" },
  };
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", two_disks);
  world_add_file (world, "/i/other", "raw", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    assert_create_refused (
        world,
        &(StmCreateRequest){ .name = "s", .choices = cases[i].choices, .n_choices = cases[i].n },
        cases[i].code, cases[i].words);
}

static void
test_creation_is_taken_back (void)
{
  for (guint n_steps = 0; n_steps <= 3; n_steps++)
    {
      g_autoptr (World) world = world_new ();
      const char *const targets[] = { "vda", "vdb", "vdc", NULL };
      const StmDiskChoice choice = { .target = "vdc", .mode = STM_MODE_EXTERNAL };
      g_autoptr (GError) error = NULL;

      world_define (world, "vm", targets);
      g_autoptr (StmPlan) plan = world_plan_create (
          world, "vm",
          &(StmCreateRequest){
              .name = "s1", .mode = STM_MODE_INTERNAL, .choices = &choice, .n_choices = 1 },
          &error);
      g_assert_no_error (error);
      world_undo (world, plan, n_steps);
      world_check (world);
      g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 0);
      g_assert_cmpuint (g_hash_table_size (world->files), ==, 3);
      g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 0);
    }
}

/* --- revert --- */

static void
test_goes_back_and_forth (void)
{
  g_autoptr (World) world = world_with_internal (two_disks);

  take (world, "s2", STM_MODE_INTERNAL);
  g_autoptr (StmPlan) back = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  assert_told (back, "tag vm-vda.qcow2@FALLBACK, tag vm-vdb.qcow2@FALLBACK, "
                     "goto vm-vda.qcow2@s1 (FALLBACK), goto vm-vdb.qcow2@s1 (FALLBACK), "
                     "untag vm-vda.qcow2@FALLBACK, untag vm-vdb.qcow2@FALLBACK");
  world_run (world, back, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 1);
  assert_block (world, "vdb", 0, 1);
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 2);
  g_assert_cmpstr (stm_tree_current (world_tree (world, "vm")), ==,
                   world_moment (world, "vm", "s1")->id);

  /* Where it is already, nothing is done. */
  g_autoptr (StmPlan) again = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  g_assert_cmpuint (again->steps->len, ==, 0);
  g_autoptr (StmPlan) forth = plan_revert (world, "s2", (StmRevertRequest){ 0 });
  world_run (world, forth, NULL, NULL);
  world_check (world);
  assert_block (world, "vdb", 0, 2);
}

static void
test_unsaved_unless_it_is_proven (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);

  assert_revert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                         "on 'vda'");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  world_run (world, plan, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 1);
}

static void
test_kept_within_the_image (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);
  int content[WORLD_BLOCKS];

  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .keep = "kept" });
  assert_told (plan, "tag vm-vda.qcow2@kept, goto vm-vda.qcow2@s1 (kept)");
  world_run (world, plan, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 1);

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
        g_autoptr (World) world = world_with_internal (two_disks);

        g_autoptr (StmPlan) plan = plan_revert (
            world, "s1", (StmRevertRequest){ .keep = names[i], .discards = names[i] == NULL });
        world_undo (world, plan, n_steps);
        world_check (world);
        assert_block (world, "vda", 0, 2);
        assert_block (world, "vdb", 0, 2);
        g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 1);
        g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 1);
      }
}

static void
test_size_of_then_comes_back (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);

  world_get_file (world, "/i/vm-vda.qcow2")->capacity *= 2;
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
  g_autoptr (World) world = world_with_internal (one_disk);

  take (world, "s2", STM_MODE_EXTERNAL);
  assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                         STEMMA_ERROR_HAS_MOMENTS, "'s2'");
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "");
  world_check (world);
  assert_revert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE, "vda");
  assert_revert_refused (world, "s1", (StmRevertRequest){ .keep = "k" }, STEMMA_ERROR_IN_USE,
                         "'discard'");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  world_run (world, plan, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 1);
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
      g_autoptr (World) world = world_with_internal (one_disk);
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
      assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, codes[i],
                             words[i]);
    }
}

static void
test_checkpoint_is_in_the_way (void)
{
  g_autoptr (World) world = world_with_internal (two_disks);
  g_autoptr (GError) error = NULL;
  const char *const targets[] = { "vdb", NULL };
  g_autoptr (StmPlan) plan = world_plan_checkpoint (
      world, "vm", &(StmCreateCheckpointRequest){ .name = "c1", .disks = targets }, &error);

  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
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
  assert_told (keeping, "tag vm-vdb.qcow2@k, goto vm-vdb.qcow2@s1 (k), "
                        "overlay vm-vda.s1-1>vm-vda.qcow2");
  world_run (world, keeping, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 1);
  assert_block (world, "vdb", 0, 1);
  g_autoptr (StmPlan) back = plan_revert (world, "k", (StmRevertRequest){ 0 });
  world_run (world, back, NULL, NULL);
  world_check (world);
  assert_block (world, "vda", 0, 2);
  assert_block (world, "vdb", 0, 2);
}

/* --- delete --- */

static void
test_deletion_takes_the_tags_away (void)
{
  g_autoptr (World) world = world_with_internal (two_disks);

  world_add_tag (world_get_file (world, "/i/vm-vda.qcow2"), WORLD_FOREIGN);
  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "untag vm-vda.qcow2@s1, untag vm-vdb.qcow2@s1");
  world_check (world);
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 1);
  assert_block (world, "vda", 0, 2);
}

static void
test_deletion_leaves_what_is_not_its_own (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);
  WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");

  /* Somebody removed it already. */
  g_ptr_array_set_size (file->tags, 0);
  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "");
  g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 0);
}

static void
test_deletion_waits_for_the_image (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);
  g_autoptr (GError) error = NULL;

  world_get_file (world, "/i/vm-vda.qcow2")->is_written = TRUE;
  g_autoptr (StmPlan) plan = world_plan_delete (world, "vm", "s1", (StmDeleteRequest){ 0 }, &error);
  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
}

/* The last snapshot of an image that is no disk's any more takes the image along. */
static void
test_deletion_frees_the_image (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  take (world, "s0", STM_MODE_EXTERNAL);
  world_write (world, "vm", "vda", 0, 1);
  take (world, "s1", STM_MODE_INTERNAL);
  world_revert (world, "vm", "s0");
  world_check (world);
  g_assert_nonnull (world_get_file (world, "/i/vm-vda.s0"));

  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "unlink vm-vda.s0");
  world_check (world);
}

static void
test_forgetting_leaves_the_tags (void)
{
  g_autoptr (World) world = world_with_internal (one_disk);
  g_autoptr (GError) error = NULL;

  g_autoptr (StmPlan) plan = world_plan_delete (
      world, "vm", "s1", (StmDeleteRequest){ .metadata_only = TRUE }, &error);
  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  world_check (world);
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 1);
}

/* --- health --- */

static StmHealth
health_after_a_look (World *world, const char *name)
{
  const char *id = world_domain (world, "vm")->id;
  g_autoptr (GPtrArray) images = stm_model_images (world->model, id);
  g_autoptr (StmSurvey) survey = world_survey (world, images);
  g_autoptr (StmChange) change = stm_plan_health (world->model, survey, id);

  if (change != NULL)
    world_apply (world, change);

  return world_moment (world, "vm", name)->health;
}

static void
test_health_by_what_is_seen (void)
{
  g_autoptr (World) world = world_with_internal (two_disks);
  WorldFile *file = world_get_file (world, "/i/vm-vdb.qcow2");
  WorldTag *tag = world_find_tag (file, "s1");

  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_OK);
  g_ptr_array_steal_index (file->tags, 0);
  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_MISSING);
  assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                         STEMMA_ERROR_CHAIN_BROKEN, "'s1'");
  /* Not seen: not known to be better. */
  g_ptr_array_add (file->tags, tag);
  file->problem = STEMMA_ERROR_IN_USE;
  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_MISSING);
  file->problem = -1;
  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_OK);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/plan-internal/one-on-all-disks", test_internal_on_all_disks);
  g_test_add_func ("/core/plan-internal/each-disk-as-it-was-chosen", test_mixed_by_choice);
  g_test_add_func ("/core/plan-internal/a-name-that-is-no-tag-gets-another-one",
                   test_tags_of_odd_names);
  g_test_add_func ("/core/plan-internal/what-cannot-hold-one-is-refused",
                   test_what_no_internal_snapshot_can_be_of);
  g_test_add_func ("/core/plan-internal/bad-choices-are-refused", test_choices_that_cannot_be);
  g_test_add_func ("/core/plan-internal/a-creation-can-be-taken-back-after-each-step",
                   test_creation_is_taken_back);
  g_test_add_func ("/core/plan-internal/goes-back-and-forth", test_goes_back_and_forth);
  g_test_add_func ("/core/plan-internal/state-is-unsaved-unless-a-tag-proves-it",
                   test_unsaved_unless_it_is_proven);
  g_test_add_func ("/core/plan-internal/state-that-is-kept-stays-within-the-image",
                   test_kept_within_the_image);
  g_test_add_func ("/core/plan-internal/a-revert-can-be-taken-back-after-each-step",
                   test_revert_is_taken_back);
  g_test_add_func ("/core/plan-internal/size-of-then-comes-back", test_size_of_then_comes_back);
  g_test_add_func ("/core/plan-internal/image-under-a-snapshot-is-not-touched",
                   test_image_under_a_snapshot_is_not_touched);
  g_test_add_func ("/core/plan-internal/what-else-counts-on-the-image-is-in-the-way",
                   test_what_else_counts_on_the_image);
  g_test_add_func ("/core/plan-internal/a-checkpoint-is-in-the-way", test_checkpoint_is_in_the_way);
  g_test_add_func ("/core/plan-internal/mixed-snapshot-comes-back", test_mixed_snapshot_comes_back);
  g_test_add_func ("/core/plan-internal/deletion-takes-the-tags-away",
                   test_deletion_takes_the_tags_away);
  g_test_add_func ("/core/plan-internal/deletion-minds-no-tag-that-is-gone",
                   test_deletion_leaves_what_is_not_its_own);
  g_test_add_func ("/core/plan-internal/deletion-is-refused-while-the-image-is-in-use",
                   test_deletion_waits_for_the_image);
  g_test_add_func ("/core/plan-internal/deletion-frees-an-image-that-nothing-needs",
                   test_deletion_frees_the_image);
  g_test_add_func ("/core/plan-internal/forgetting-leaves-the-tags",
                   test_forgetting_leaves_the_tags);
  g_test_add_func ("/core/plan-internal/health-is-what-is-seen-of-the-tags",
                   test_health_by_what_is_seen);

  return g_test_run ();
}
