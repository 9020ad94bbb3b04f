/* Planning of reverts: what is left, what is returned to, and that nothing is lost without a word.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const two_disks[] = { "vda", "vdb", NULL };
static const char *const one_disk[] = { "vda", NULL };

static StmPlan *
plan_revert (World *world, const char *name, StmRevertRequest request)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_no_error (error);
  return plan;
}

static void
assert_refused (World *world, const char *name, StmRevertRequest request, StemmaError code,
                const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_revert (world, "vm", name, request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not name '%s'", error->message, word);
}

static void
assert_content (const World *world, const char *target, int block, int value)
{
  int blocks[WORLD_BLOCKS];

  world_read (world, world_disk (world, "vm", target)->source, blocks);
  g_assert_cmpint (blocks[block], ==, value);
}

/* s1 with 1 in block 0, s2 with 2, and the machine on s2. */
static World *
world_with_two (const char *const *targets)
{
  World *world = world_new ();

  world_define (world, "vm", targets);
  world_write (world, "vm", "vda", 0, 1);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 0, 2);
  world_create (world, "vm", "s2");

  return world;
}

static void
test_clean_state_is_left_without_asking (void)
{
  g_autoptr (World) world = world_with_two (two_disks);
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  g_autofree char *told = world_tell (plan);

  g_assert_cmpstr (told, ==,
                   "overlay vm-vda.s1-1>vm-vda.qcow2, overlay vm-vdb.s1-1>vm-vdb.qcow2, "
                   "unlink vm-vda.s2, unlink vm-vdb.s2");
  g_assert_true (stm_change_is_empty (plan->begin));
  world_run (world, plan, NULL, NULL);
  world_check (world);
  assert_content (world, "vda", 0, 1);
  g_assert_cmpstr (stm_tree_current (world_tree (world, "vm")), ==,
                   world_moment (world, "vm", "s1")->id);
  /* The file that s2 was made with is gone, that of s1 is still there. */
  g_assert_null (world_moment (world, "vm", "s2")->disks[0].overlay);
  g_assert_cmpstr (world_moment (world, "vm", "s1")->disks[0].overlay, ==, "/i/vm-vda.s1");

  world_revert (world, "vm", "s2");
  world_check (world);
  assert_content (world, "vda", 0, 2);
  g_assert_cmpstr (world_moment (world, "vm", "s2")->disks[0].overlay, ==,
                   world_disk (world, "vm", "vda")->source);
}

static void
test_unsaved_state_is_refused (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  world_write (world, "vm", "vdb", 3, 9);
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "64.0\u00a0KiB on 'vdb'; give the option 'keep'");
  /* Also on the way to the snapshot that it stands on. */
  assert_refused (world, "s2", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE, "'vdb'");
  assert_refused (world, "s2", (StmRevertRequest){ .forces = TRUE }, STEMMA_ERROR_UNSAVED_STATE,
                  "'vdb'");
}

/* Each proof that is missing makes the state unsaved. */
static void
test_unproven_state_is_unsaved (void)
{
  const char *const cases[] = { "tag", "bitmap", "size", "problem" };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_with_two (one_disk);
      WorldFile *file = world_get_file (world, "/i/vm-vda.s2");

      if (i == 0)
        world_add_tag (file, WORLD_FOREIGN);
      if (i == 1)
        world_add_bitmap (file, WORLD_FOREIGN);
      file->capacity *= i == 2 ? 2 : 1;
      file->problem = i == 3 ? STEMMA_ERROR_IN_USE : -1;
      assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                      i == 0 || i == 2 ? "disk 'vda' has another size now" : "'vda'");
      /* A bitmap stays where the image stays. */
      if (i != 1)
        assert_refused (world, "s2", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE, "vda");
    }
}

static void
test_without_a_current_snapshot_all_is_unsaved (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  g_autoptr (StmChange) change = stm_change_new (world_domain (world, "vm")->id);

  stm_change_set_current (change, NULL);
  world_apply (world, change);
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "no snapshot is current; disk 'vda' stands on what snapshot 's2' froze");
}

/* As after a redefinition that made another snapshot current than that of the disks. */
static void
test_another_current_snapshot_is_named (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  g_autoptr (StmChange) change = stm_change_new (world_domain (world, "vm")->id);
  g_autoptr (StmChange) forgotten = stm_change_new (world_domain (world, "vm")->id);
  g_autoptr (StmPlan) plan = NULL;

  stm_change_set_current (change, world_moment (world, "vm", "s1")->id);
  world_apply (world, change);
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "the current snapshot 's1' has them; disk 'vda' stands on what snapshot 's2' "
                  "froze, to which you can revert first; give");
  plan = plan_revert (world, "s2", (StmRevertRequest){ 0 });
  g_assert_cmpuint (plan->steps->len, ==, 0);

  /* What the disk stands on is in no snapshot any more. */
  stm_change_remove_moment (forgotten, world_moment (world, "vm", "s2")->id);
  StmImage below = *world_image (world, "vm", "/i/vm-vda.s1");
  below.origin = STM_IMAGE_BACKING;
  g_autoptr (StmImage) copy = stm_image_new (&below);
  stm_change_put_image (forgotten, copy);
  world_apply (world, forgotten);
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "disk 'vda' stands on image /i/vm-vda.s1, which no snapshot of it froze; give");
}

static void
test_discard_loses_it (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  world_write (world, "vm", "vda", 0, 3);
  g_autoptr (StmPlan) plan = plan_revert (world, "s2", (StmRevertRequest){ .discards = TRUE });
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vda.s2-1>vm-vda.s1, unlink vm-vda.s2");
  g_assert_cmpuint (plan->frees, ==, WORLD_BLOCK_SIZE);
  world_run (world, plan, NULL, NULL);
  world_check (world);
  assert_content (world, "vda", 0, 2);
}

static void
test_keep_makes_it_a_snapshot (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  world_write (world, "vm", "vda", 0, 3);
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .keep = "left" });
  g_assert_cmpuint (stm_plan_n_steps_of (plan, STM_STEP_UNLINK), ==, 0);
  world_apply (world, plan->begin);
  g_assert_cmpint (world_moment (world, "vm", "left")->state, ==, STM_STATE_CREATING);
  world_apply (world, plan->undo);
  g_assert_null (stm_tree_find (world_tree (world, "vm"), "left"));

  world_run (world, plan, NULL, NULL);
  world_check (world);
  const StmMoment *left = world_moment (world, "vm", "left");
  g_assert_cmpint (left->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpstr (left->parent, ==, world_moment (world, "vm", "s2")->id);
  g_assert_cmpstr (left->disks[0].frozen, ==, "/i/vm-vda.s2");
  g_assert_null (left->disks[0].overlay);
  assert_content (world, "vda", 0, 1);
  world_revert (world, "vm", "left");
  assert_content (world, "vda", 0, 3);
}

static void
test_keep_without_changes_keeps_all_the_same (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  g_autoptr (StmPlan) plan = plan_revert (world, "s2", (StmRevertRequest){ .keep = "" });
  g_autofree char *told = world_tell (plan);

  g_assert_cmpstr (told, ==, "overlay vm-vda.s2-1>vm-vda.s1");
  world_run (world, plan, NULL, NULL);
  g_assert_nonnull (world_moment (world, "vm", "1700000000"));
}

static void
test_choices_are_checked (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  assert_refused (world, "s1", (StmRevertRequest){ .keep = "k", .discards = TRUE },
                  STEMMA_ERROR_INVALID_ARGUMENT, "both");
  assert_refused (world, "s1", (StmRevertRequest){ .keep = "s2" }, STEMMA_ERROR_ALREADY_EXISTS,
                  "s2");
  assert_refused (world, "s1", (StmRevertRequest){ .keep = "a/b" }, STEMMA_ERROR_INVALID_ARGUMENT,
                  "/");
}

static void
test_nothing_to_do_is_a_plan_without_steps (void)
{
  g_autoptr (World) world = world_with_two (two_disks);
  g_autoptr (StmPlan) plan = plan_revert (world, "s2", (StmRevertRequest){ 0 });

  g_assert_cmpuint (plan->steps->len, ==, 0);
  g_assert_true (stm_change_is_empty (plan->begin));
  g_assert_true (stm_change_is_empty (plan->finish));
}

static void
test_only_changed_disks_are_touched (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  world_write (world, "vm", "vdb", 3, 9);
  g_autoptr (StmPlan) plan = plan_revert (world, "s2", (StmRevertRequest){ .discards = TRUE });
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vdb.s2-1>vm-vdb.s1, unlink vm-vdb.s2");
}

static void
test_disks_not_in_the_snapshot_stay (void)
{
  g_autoptr (World) world = world_new ();
  const char *const targets[] = { "vda", NULL };
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", two_disks);
  g_autoptr (StmPlan) create = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .disks = targets }, &error);
  g_assert_no_error (error);
  world_run (world, create, NULL, NULL);
  world_write (world, "vm", "vdb", 0, 5);
  world_write (world, "vm", "vda", 0, 6);
  world_revert (world, "vm", "s1");
  assert_content (world, "vda", 0, 0);
  assert_content (world, "vdb", 0, 5);
}

static void
test_what_is_in_use_cannot_be_discarded (void)
{
  const char *const words[] = { "/i/stranger", "internal snapshot", "other" };

  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    {
      g_autoptr (World) world = world_with_two (one_disk);
      const char *path = "/i/vm-vda.s2";

      if (i == 0)
        world_add_file (world, "/i/stranger", "qcow2", path);
      else if (i == 1)
        world_add_tag (world_get_file (world, path), WORLD_FOREIGN);
      else
        {
          world_define (world, "other", one_disk);
          world_put_image (world, "other",
                           &(StmImage){ .path = path,
                                        .target = "vda",
                                        .index = 8,
                                        .format = "qcow2",
                                        .origin = STM_IMAGE_BACKING });
        }
      assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_IN_USE,
                      words[i]);
      g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .keep = "k" });
      world_run (world, plan, NULL, NULL);
      g_assert_nonnull (world_get_file (world, path));
    }
}

/* However empty it looks: what a machine has not flushed yet no survey sees. */
static void
test_what_a_machine_writes_is_not_left (void)
{
  const StmRevertRequest requests[] = { { 0 }, { .discards = TRUE }, { .keep = "k" } };

  for (gsize i = 0; i < G_N_ELEMENTS (requests); i++)
    {
      g_autoptr (World) world = world_with_two (one_disk);

      world_get_file (world, "/i/vm-vda.s2")->is_written = TRUE;
      assert_refused (world, "s1", requests[i], STEMMA_ERROR_IN_USE, "/i/vm-vda.s2");
      assert_refused (world, "s2", requests[i], STEMMA_ERROR_IN_USE, "/i/vm-vda.s2");
    }
}

static void
test_image_of_the_user_is_never_discarded (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  StmImage own = *world_image (world, "vm", "/i/vm-vda.s2");

  own.origin = STM_IMAGE_DISK;
  g_autoptr (StmImage) copy = stm_image_new (&own);
  world_put_image (world, "vm", copy);
  assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_IN_USE, "keep");
}

static void
test_lost_active_image_does_not_keep_from_going_back (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  world_remove_file (world, "/i/vm-vda.s2");
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "unknown amount");
  assert_refused (world, "s1", (StmRevertRequest){ .keep = "k" }, STEMMA_ERROR_CHAIN_BROKEN,
                  "missing");
  world_revert (world, "vm", "s1");
  world_check (world);
  assert_content (world, "vda", 0, 1);
}

static void
test_active_image_that_is_not_ours_is_left_in_place (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  WorldFile *file = world_get_file (world, "/i/vm-vda.s2");

  g_free (file->backing);
  file->backing = g_strdup ("/i/elsewhere");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vda.s1-1>vm-vda.qcow2, keep vm-vda.s2");
  world_run (world, plan, NULL, NULL);
  g_assert_nonnull (world_get_file (world, "/i/vm-vda.s2"));
  world_check (world);
}

static void
test_broken_targets_are_refused (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  const char *id = world_domain (world, "vm")->id;
  const struct
  {
    StmMomentState state;
    StmHealth health;
    StemmaError code;
  } cases[] = {
    { STM_STATE_CREATING, STM_HEALTH_CREATING, STEMMA_ERROR_WRONG_STATE },
    { STM_STATE_DELETING, STM_HEALTH_OK, STEMMA_ERROR_WRONG_STATE },
    { STM_STATE_RUNNING, STM_HEALTH_OK, STEMMA_ERROR_NOT_SUPPORTED },
    { STM_STATE_SHUTOFF, STM_HEALTH_INCONSISTENT, STEMMA_ERROR_CHAIN_BROKEN },
  };
  g_autoptr (StmMoment) sound = stm_moment_ref (world_moment (world, "vm", "s1"));

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StmMoment) spoilt = stm_moment_with_state (sound, cases[i].state, cases[i].health);

      world_put_moment (world, "vm", spoilt);
      assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, cases[i].code, "s1");
    }
  world_put_moment (world, "vm", sound);

  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) images = stm_plan_revert_prepare (
      world->model, id, &(StmRevertRequest){ .moment_id = id }, &error);
  g_assert_null (images);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);

  world_get_file (world, "/i/vm-vda.qcow2")->capacity /= 2;
  assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_CHAIN_BROKEN,
                  "/i/vm-vda.qcow2");
  world_remove_file (world, "/i/vm-vda.qcow2");
  assert_refused (world, "s2", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_CHAIN_BROKEN,
                  "/i/vm-vda.qcow2");
}

/* What was once seen to be missing may be back: the last look counts, and names what is not. */
static void
test_target_is_judged_by_the_last_look (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  g_autoptr (StmMoment) missing = stm_moment_with_state (world_moment (world, "vm", "s1"),
                                                         STM_STATE_SHUTOFF, STM_HEALTH_MISSING);
  WorldFile *file = world_get_file (world, "/i/vm-vda.qcow2");

  world_put_moment (world, "vm", missing);
  file->problem = STEMMA_ERROR_NOT_FOUND;
  assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_CHAIN_BROKEN,
                  "cannot revert to snapshot 's1': image /i/vm-vda.qcow2 of disk 'vda' is missing: "
                  "put the file back");
  file->problem = -1;
  world_revert (world, "vm", "s1");
  world_check (world);
  assert_content (world, "vda", 0, 1);
}

static void
define_as (World *world, const char *definition, const StmDisk *disks, gsize n_disks)
{
  StmDomain init = *world_domain (world, "vm");
  g_autoptr (StmChange) change = stm_change_new (init.id);

  init.definition = definition;
  init.title = "new title";
  if (disks != NULL)
    {
      init.disks = disks;
      init.n_disks = n_disks;
    }
  g_autoptr (StmDomain) domain = stm_domain_new (&init);
  change->definition_text = g_strdup ("<domain/>");
  stm_change_set_domain (change, domain);
  world_apply (world, change);
}

static void
test_definition_comes_back_with_the_same_disks (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  define_as (world, "d2", NULL, 0);
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  world_run (world, plan, NULL, NULL);
  g_assert_cmpstr (world_domain (world, "vm")->definition, ==, "d1");
  g_assert_cmpstr (world_domain (world, "vm")->title, ==, "new title");
  g_assert_cmpstr (world_domain (world, "vm")->name, ==, "vm");

  /* Nothing but the definition may be different. */
  define_as (world, "d2", NULL, 0);
  g_autoptr (StmPlan) again = plan_revert (world, "s1", (StmRevertRequest){ 0 });
  g_assert_cmpuint (again->steps->len, ==, 0);
  world_run (world, again, NULL, NULL);
  g_assert_cmpstr (world_domain (world, "vm")->definition, ==, "d1");
}

static void
test_other_disks_need_force (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  define_as (world, "d2", &world_domain (world, "vm")->disks[0], 1);
  assert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE }, STEMMA_ERROR_RISKY, "vdb");

  g_autoptr (StmPlan)
      plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE, .forces = TRUE });
  world_run (world, plan, NULL, NULL);
  assert_content (world, "vda", 0, 1);
  g_assert_cmpstr (world_domain (world, "vm")->definition, ==, "d2");
  g_assert_cmpuint (world_domain (world, "vm")->n_disks, ==, 1);
  /* What was on the disk that is not there any more is still there. */
  g_assert_nonnull (world_get_file (world, "/i/vm-vdb.s2"));
}

static void
test_added_disk_needs_force (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  StmDisk disks[] = { *world_disk (world, "vm", "vda"),
                      { .target = "vdc", .kind = STM_SOURCE_NONE, .next_index = 1 } };

  define_as (world, "d2", disks, 2);
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_RISKY, "other disks");
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .forces = TRUE });
  world_run (world, plan, NULL, NULL);
  g_assert_cmpuint (world_domain (world, "vm")->n_disks, ==, 2);
}

static void
test_image_that_another_disk_writes_is_refused (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  const char *path = "/i/vm-vda.qcow2";

  world_define (world, "other", one_disk);
  world_put_image (world, "other",
                   &(StmImage){ .path = path,
                                .target = "vda",
                                .index = 8,
                                .format = "qcow2",
                                .origin = STM_IMAGE_DISK,
                                .capacity = WORLD_CAPACITY });
  world_set_disk (world, "other",
                  &(StmDisk){ .target = "vda",
                              .kind = STM_SOURCE_FILE,
                              .source = path,
                              .format = "qcow2",
                              .next_index = 9 });
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_IN_USE, "other");
}

static void
test_hidden_layers_go_with_what_stood_on_them (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  /* s2 has two children, so its layer stays hidden when it is deleted. */
  world_create (world, "vm", "s3");
  world_revert (world, "vm", "s2");
  world_write (world, "vm", "vda", 4, 7);
  g_autofree char *deleted = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (deleted, ==, "keep vm-vda.s1");
  g_autofree char *merged = world_delete (world, "vm", "s3", STM_DELETE_ONE);
  g_assert_cmpstr (merged, ==, "stream vm-vda.s1>vm-vda.s2-1, unlink vm-vda.s2, unlink vm-vda.s1");
}

static void
test_unsaved_counts_hidden_layers (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  world_create (world, "vm", "s3");
  world_revert (world, "vm", "s2");
  g_autofree char *deleted = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (deleted, ==, "keep vm-vda.s1");
  /* The active image is empty, but what it stands on is in no snapshot. */
  assert_refused (world, "s1", (StmRevertRequest){ 0 }, STEMMA_ERROR_UNSAVED_STATE,
                  "64.0\u00a0KiB on 'vda'");
  g_autofree char *gone = NULL;
  g_autoptr (StmPlan) plan = plan_revert (world, "s1", (StmRevertRequest){ .discards = TRUE });
  gone = world_tell (plan);
  /* s3 still needs the hidden layer. */
  g_assert_cmpstr (gone, ==, "overlay vm-vda.s1-1>vm-vda.qcow2, unlink vm-vda.s2-1");
  world_run (world, plan, NULL, NULL);
  world_check (world);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func ("/core/plan-revert/" name, function)
  ADD ("a-clean-state-is-left-without-asking", test_clean_state_is_left_without_asking);
  ADD ("unsaved-state-is-refused-and-told", test_unsaved_state_is_refused);
  ADD ("a-state-not-proven-clean-is-unsaved", test_unproven_state_is_unsaved);
  ADD ("without-a-current-snapshot-all-is-unsaved", test_without_a_current_snapshot_all_is_unsaved);
  ADD ("another-current-snapshot-is-named", test_another_current_snapshot_is_named);
  ADD ("discard-loses-the-state-being-left", test_discard_loses_it);
  ADD ("keep-makes-the-state-being-left-a-snapshot", test_keep_makes_it_a_snapshot);
  ADD ("keep-without-changes-keeps-all-the-same", test_keep_without_changes_keeps_all_the_same);
  ADD ("choices-are-checked", test_choices_are_checked);
  ADD ("nothing-to-do-is-a-plan-without-steps", test_nothing_to_do_is_a_plan_without_steps);
  ADD ("only-disks-that-differ-are-touched", test_only_changed_disks_are_touched);
  ADD ("disks-not-in-the-snapshot-stay", test_disks_not_in_the_snapshot_stay);
  ADD ("what-is-in-use-cannot-be-discarded", test_what_is_in_use_cannot_be_discarded);
  ADD ("what-a-machine-writes-is-not-left", test_what_a_machine_writes_is_not_left);
  ADD ("the-image-of-the-user-is-never-discarded", test_image_of_the_user_is_never_discarded);
  ADD ("a-lost-active-image-does-not-keep-from-going-back",
       test_lost_active_image_does_not_keep_from_going_back);
  ADD ("an-active-image-that-is-not-provably-ours-is-left-in-place",
       test_active_image_that_is_not_ours_is_left_in_place);
  ADD ("broken-targets-are-refused", test_broken_targets_are_refused);
  g_test_add_func ("/core/plan-revert/a-target-is-judged-by-the-last-look",
                   test_target_is_judged_by_the_last_look);
  ADD ("the-definition-comes-back-when-the-disks-are-the-same",
       test_definition_comes_back_with_the_same_disks);
  ADD ("a-missing-disk-needs-force-and-keeps-its-bytes", test_other_disks_need_force);
  ADD ("an-added-disk-needs-force", test_added_disk_needs_force);
  ADD ("an-image-that-another-disk-writes-is-refused",
       test_image_that_another_disk_writes_is_refused);
  ADD ("a-hidden-layer-is-merged-when-one-image-is-left-on-it",
       test_hidden_layers_go_with_what_stood_on_them);
  ADD ("unsaved-state-counts-hidden-layers", test_unsaved_counts_hidden_layers);
#undef ADD

  return g_test_run ();
}
