/* Planning of snapshots within images: taking them alone and mixed with external ones, deleting
 * them, and what is known of them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal-kit.h"

#include <string.h>

static const char *const one_disk[] = { "vda", NULL };
static const char *const two_disks[] = { "vda", "vdb", NULL };

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
test_internal_on_all_disks (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", two_disks);
  g_autoptr (StmPlan) plan = internal_plan_create (world, "s1", STM_MODE_INTERNAL);
  internal_assert_told (plan, "tag vm-vda.qcow2@s1, tag vm-vdb.qcow2@s1");
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
  internal_assert_told (plan, "tag vm-vdb.qcow2@s1, overlay vm-vda.s1>vm-vda.qcow2, "
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
      internal_take (world, names[i], STM_MODE_INTERNAL);
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

/* --- delete --- */

static void
test_deletion_takes_the_tags_away (void)
{
  g_autoptr (World) world = internal_world (two_disks);

  world_add_tag (world_get_file (world, "/i/vm-vda.qcow2"), WORLD_FOREIGN);
  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "untag vm-vda.qcow2@s1, untag vm-vdb.qcow2@s1");
  world_check (world);
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.qcow2")->tags->len, ==, 1);
  internal_assert_block (world, "vda", 0, 2);
}

static void
test_deletion_leaves_what_is_not_its_own (void)
{
  g_autoptr (World) world = internal_world (one_disk);
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
  g_autoptr (World) world = internal_world (one_disk);
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
  internal_take (world, "s0", STM_MODE_EXTERNAL);
  world_write (world, "vm", "vda", 0, 1);
  internal_take (world, "s1", STM_MODE_INTERNAL);
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
  g_autoptr (World) world = internal_world (one_disk);
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
  g_autoptr (World) world = internal_world (two_disks);
  WorldFile *file = world_get_file (world, "/i/vm-vdb.qcow2");
  WorldTag *tag = world_find_tag (file, "s1");

  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_OK);
  g_ptr_array_steal_index (file->tags, 0);
  g_assert_cmpint (health_after_a_look (world, "s1"), ==, STM_HEALTH_MISSING);
  internal_assert_revert_refused (world, "s1", (StmRevertRequest){ .discards = TRUE },
                                  STEMMA_ERROR_CHAIN_BROKEN,
                                  "'s1', which is internal to image /i/vm-vdb.qcow2");
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
