/* Planning of snapshots: which disks, which names, what is frozen, and what is refused.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

static const char *const two_disks[] = { "vda", "vdb", NULL };
static const char *const one_disk[] = { "vda", NULL };

static StmPlan *
plan_named (World *world, const char *name)
{
  g_autoptr (GError) error = NULL;
  StmPlan *plan = world_plan_create (world, "vm", &(StmCreateRequest){ .name = name }, &error);

  g_assert_no_error (error);
  return plan;
}

static void
assert_refused (World *world, const StmCreateRequest *request, StemmaError code, const char *word)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (world, "vm", request, &error);

  g_assert_null (plan);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, word) == NULL)
    g_error ("'%s' does not name '%s'", error->message, word);
}

static void
test_all_disks_at_once (void)
{
  g_autoptr (World) world = world_new ();
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_define (world, "vm", two_disks);
  world_write (world, "vm", "vda", 1, 11);
  world_read (world, "/i/vm-vda.qcow2", before);
  g_autoptr (StmPlan) plan = plan_named (world, "s1");
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vda.s1>vm-vda.qcow2, overlay vm-vdb.s1>vm-vdb.qcow2");

  world_run (world, plan, NULL, NULL);
  world_check (world);
  const StmMoment *moment = world_moment (world, "vm", "s1");
  g_assert_cmpstr (moment->id, ==, plan->object_id);
  g_assert_cmpint (moment->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpint (moment->health, ==, STM_HEALTH_OK);
  g_assert_cmpstr (moment->definition, ==, "d1");
  g_assert_cmpint (moment->created, ==, world->now);
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/i/vm-vda.qcow2");
  g_assert_cmpstr (moment->disks[0].overlay, ==, "/i/vm-vda.s1");
  g_assert_cmpstr (moment->disks[0].format, ==, "qcow2");
  g_assert_cmpstr (stm_tree_current (world_tree (world, "vm")), ==, moment->id);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.s1");
  g_assert_cmpuint (world_disk (world, "vm", "vda")->next_index, ==, 3);
  world_read (world, "/i/vm-vda.s1", after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

static void
test_is_shown_in_the_making_and_can_be_undone (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", two_disks);
  g_autoptr (StmPlan) plan = plan_named (world, "s1");
  world_apply (world, plan->begin);
  const StmMoment *moment = world_moment (world, "vm", "s1");
  g_assert_cmpint (moment->state, ==, STM_STATE_CREATING);
  g_assert_cmpint (moment->health, ==, STM_HEALTH_CREATING);
  g_assert_null (stm_tree_current (world_tree (world, "vm")));
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.qcow2");

  world_apply (world, plan->undo);
  g_assert_cmpuint (stm_tree_count (world_tree (world, "vm")), ==, 0);
}

static void
test_stands_on_the_current_one (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_create (world, "vm", "s2");
  g_assert_null (world_moment (world, "vm", "s1")->parent);
  g_assert_cmpstr (world_moment (world, "vm", "s2")->parent, ==,
                   world_moment (world, "vm", "s1")->id);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.s2");
}

static void
test_disks_not_taken_are_recorded (void)
{
  g_autoptr (World) world = world_new ();
  const char *const targets[] = { "vdb", NULL };
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", two_disks);
  g_autoptr (StmPlan) plan = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .disks = targets }, &error);
  g_assert_no_error (error);
  world_run (world, plan, NULL, NULL);
  world_check (world);

  const StmMoment *moment = world_moment (world, "vm", "s1");
  g_assert_cmpuint (moment->n_disks, ==, 2);
  g_assert_cmpint (moment->disks[0].mode, ==, STM_MODE_NONE);
  g_assert_null (moment->disks[0].frozen);
  g_assert_cmpint (moment->disks[1].mode, ==, STM_MODE_EXTERNAL);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, "/i/vm-vda.qcow2");
}

static void
test_file_names (void)
{
  g_autofree char *long_name = g_strnfill (250, 'n');
  g_autoptr (World) world = world_new ();
  const struct
  {
    const char *name;
    const char *file;
  } cases[] = {
    { "before update", "vm-vda.before_update" },
    { "a:b*c?", "vm-vda.a_b_c_" },
    { "ü", "vm-vda._" },
    { "v1.2", "vm-vda.v1.2" },
    { "taken", "vm-vda.taken-2" },
    { "$(reboot)", "vm-vda.__reboot_" },
  };

  world_define (world, "vm", one_disk);
  world_add_file (world, "/i/vm-vda.taken", "raw", NULL);
  world_add_file (world, "/i/vm-vda.taken-1", "raw", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StmPlan) plan = plan_named (world, cases[i].name);
      g_autofree char *told = world_tell (plan);
      g_autofree char *expected = g_strdup_printf ("overlay %s>vm-vda.qcow2", cases[i].file);

      g_assert_cmpstr (told, ==, expected);
    }

  g_autoptr (StmPlan) plan = plan_named (world, long_name);
  const StmImage *overlay = ((StmStep *) plan->steps->pdata[0])->image;
  g_assert_cmpuint (strlen (strrchr (overlay->path, '/') + 1), ==, 200);
  g_assert_true (g_str_has_prefix (overlay->path, "/i/vm-vda.nnnn"));
}

static void
test_names_recorded_elsewhere_are_taken (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_define (world, "other", one_disk);
  /* Its file is missing, and so no survey finds the name. */
  world_put_image (world, "other",
                   &(StmImage){ .path = "/i/vm-vda.s1",
                                .target = "vda",
                                .index = 7,
                                .format = "qcow2",
                                .origin = STM_IMAGE_MADE });
  g_autoptr (StmPlan) plan = plan_named (world, "s1");
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vda.s1-1>vm-vda.qcow2");
}

static void
test_two_disks_of_one_stem_get_two_names (void)
{
  g_autoptr (World) world = world_new ();
  const StmImage image = { .path = "/i/vm-vda.img",
                           .target = "vdb",
                           .index = 5,
                           .format = "raw",
                           .origin = STM_IMAGE_DISK,
                           .capacity = WORLD_CAPACITY };

  world_define (world, "vm", two_disks);
  world_add_file (world, image.path, "raw", NULL);
  world_put_image (world, "vm", &image);
  world_set_disk (world, "vm",
                  &(StmDisk){ .target = "vdb",
                              .kind = STM_SOURCE_FILE,
                              .source = image.path,
                              .format = "raw",
                              .next_index = 6 });
  g_autoptr (StmPlan) plan = plan_named (world, "s1");
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "overlay vm-vda.s1>vm-vda.qcow2, overlay vm-vda.s1-1>vm-vda.img");
  world_run (world, plan, NULL, NULL);
  g_assert_cmpstr (world_moment (world, "vm", "s1")->disks[1].format, ==, "raw");
}

static void
test_empty_name_is_the_time (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "");
  world_create (world, "vm", "");
  g_assert_nonnull (world_moment (world, "vm", "1700000000"));
  g_assert_nonnull (world_moment (world, "vm", "1700000000-1"));
}

static void
test_overlay_has_the_present_size (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_get_file (world, "/i/vm-vda.qcow2")->capacity = 3 * WORLD_CAPACITY;
  world_create (world, "vm", "s1");
  g_assert_cmpuint (world_get_file (world, "/i/vm-vda.s1")->capacity, ==, 3 * WORLD_CAPACITY);
  /* And the records know it. */
  world_check (world);
}

static void
test_raw_content_may_look_like_anything (void)
{
  g_autoptr (World) world = world_new ();
  WorldFile *file = NULL;

  world_define (world, "vm", one_disk);
  world_put_image (world, "vm",
                   &(StmImage){ .path = "/i/vm-vda.qcow2",
                                .target = "vda",
                                .index = 1,
                                .format = "raw",
                                .origin = STM_IMAGE_DISK,
                                .capacity = WORLD_CAPACITY });
  file = world_get_file (world, "/i/vm-vda.qcow2");
  file->backing = g_strdup ("/etc/shadow");
  g_autoptr (StmPlan) plan = plan_named (world, "s1");
  const StmStep *step = plan->steps->pdata[0];
  g_assert_cmpuint (step->chain->len, ==, 1);
  g_assert_cmpstr (((StmImage *) step->chain->pdata[0])->format, ==, "raw");
}

static void
test_unknown_image_on_top_does_no_harm (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_add_file (world, "/i/stranger", "qcow2", "/i/vm-vda.qcow2");
  world_create (world, "vm", "s1");
  g_assert_nonnull (world_moment (world, "vm", "s1"));
}

static void
test_refusals_of_the_request (void)
{
  g_autoptr (World) world = world_new ();
  const char *const unknown[] = { "vda", "vdz", NULL };
  const char *const twice[] = { "vda", "vda", NULL };
  const char *const none[] = { NULL };
  g_autofree char *huge = g_strnfill (2 * 1024 * 1024, 'd');
  g_autofree char *long_name = g_strnfill (10240, 'd');

  world_define (world, "vm", two_disks);
  world_create (world, "vm", "s1");
  assert_refused (world, &(StmCreateRequest){ .name = "s1" }, STEMMA_ERROR_ALREADY_EXISTS, "s1");
  assert_refused (world, &(StmCreateRequest){ .name = "a/b" }, STEMMA_ERROR_INVALID_ARGUMENT, "/");
  assert_refused (world, &(StmCreateRequest){ .name = long_name }, STEMMA_ERROR_INVALID_ARGUMENT,
                  "255");
  assert_refused (world, &(StmCreateRequest){ .name = "s2", .disks = unknown },
                  STEMMA_ERROR_NOT_FOUND, "vdz");
  assert_refused (world, &(StmCreateRequest){ .name = "s2", .disks = twice },
                  STEMMA_ERROR_INVALID_ARGUMENT, "vda");
  assert_refused (world, &(StmCreateRequest){ .name = "s2", .disks = none },
                  STEMMA_ERROR_NOT_SUPPORTED, "no disk");
  assert_refused (world, &(StmCreateRequest){ .name = "s2", .description = huge },
                  STEMMA_ERROR_INVALID_ARGUMENT, "description");
}

static void
test_refusals_of_disks (void)
{
  const struct
  {
    StmDisk disk;
    gboolean is_refused_by_default;
    const char *word;
  } cases[] = {
    { { .target = "vdb", .kind = STM_SOURCE_NONE, .next_index = 1 }, FALSE, "medium" },
    { { .target = "vdb",
        .kind = STM_SOURCE_FILE,
        .source = "/i/vm-vdb.qcow2",
        .format = "qcow2",
        .is_read_only = TRUE,
        .next_index = 2 },
      FALSE,
      "read-only" },
    { { .target = "vdb",
        .kind = STM_SOURCE_BLOCK,
        .source = "/dev/vg/lv",
        .format = "raw",
        .next_index = 2 },
      TRUE,
      "block device" },
    { { .target = "vdb", .kind = STM_SOURCE_OTHER, .format = "raw", .next_index = 1 },
      TRUE,
      "source" },
  };
  const char *const named[] = { "vdb", NULL };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_new ();
      g_autoptr (GError) error = NULL;

      world_define (world, "vm", two_disks);
      if (cases[i].disk.kind == STM_SOURCE_BLOCK)
        world_put_image (world, "vm",
                         &(StmImage){ .path = "/dev/vg/lv",
                                      .target = "vdb",
                                      .index = 9,
                                      .format = "raw",
                                      .origin = STM_IMAGE_DISK });
      world_set_disk (world, "vm", &cases[i].disk);
      assert_refused (world, &(StmCreateRequest){ .name = "s", .disks = named },
                      STEMMA_ERROR_NOT_SUPPORTED, cases[i].word);
      g_autoptr (StmPlan)
          plan = world_plan_create (world, "vm", &(StmCreateRequest){ .name = "s" }, &error);
      g_assert_cmpint (plan == NULL, ==, cases[i].is_refused_by_default);
      g_assert_cmpint (g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED), ==,
                       cases[i].is_refused_by_default);
    }
}

static void
test_excluded_disks_are_taken_only_by_name (void)
{
  g_autoptr (World) world = world_new ();
  const char *const named[] = { "vdb", NULL };
  StmDisk disk = { 0 };
  g_autoptr (GError) error = NULL;

  world_define (world, "vm", two_disks);
  disk = *world_disk (world, "vm", "vdb");
  disk.is_excluded = TRUE;
  world_set_disk (world, "vm", &disk);
  g_autoptr (StmPlan) without = plan_named (world, "s1");
  g_assert_cmpuint (without->steps->len, ==, 1);
  g_autoptr (StmPlan) with = world_plan_create (
      world, "vm", &(StmCreateRequest){ .name = "s1", .disks = named }, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (with->steps->len, ==, 1);
}

static void
test_broken_images_are_refused (void)
{
  const struct
  {
    const char *what;
    StemmaError code;
  } cases[] = {
    { "missing", STEMMA_ERROR_CHAIN_BROKEN },
    { "format", STEMMA_ERROR_CHAIN_BROKEN },
    { "backing", STEMMA_ERROR_CHAIN_BROKEN },
    { "problem", STEMMA_ERROR_NOT_ALLOWED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_new ();

      world_define (world, "vm", two_disks);
      WorldFile *file = world_get_file (world, "/i/vm-vdb.qcow2");
      if (g_str_equal (cases[i].what, "missing"))
        world_remove_file (world, file->path);
      else if (g_str_equal (cases[i].what, "format"))
        file->format[0] = 'r';
      else if (g_str_equal (cases[i].what, "backing"))
        file->backing = g_strdup ("/etc/shadow");
      else
        file->problem = STEMMA_ERROR_NOT_ALLOWED;
      assert_refused (world, &(StmCreateRequest){ .name = "s1" }, cases[i].code, "/i/vm-vdb.qcow2");
    }
}

static void
test_broken_image_deep_in_the_chain_is_refused (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_create (world, "vm", "s2");
  world_get_file (world, "/i/vm-vda.qcow2")->capacity *= 2;
  assert_refused (world, &(StmCreateRequest){ .name = "s3" }, STEMMA_ERROR_CHAIN_BROKEN,
                  "/i/vm-vda.qcow2");
}

static void
test_one_file_under_two_names_is_refused (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_get_file (world, "/i/vm-vda.s1")->inode = world_get_file (world, "/i/vm-vda.qcow2")->inode;
  assert_refused (world, &(StmCreateRequest){ .name = "s2" }, STEMMA_ERROR_CHAIN_BROKEN,
                  "same file");
}

static void
test_image_that_another_domain_writes_is_refused (void)
{
  g_autoptr (World) world = world_new ();
  const char *path = "/i/vm-vda.qcow2";

  world_define (world, "vm", one_disk);
  world_define (world, "other", one_disk);
  world_put_image (world, "other", world_image (world, "vm", path));
  world_set_disk (world, "other",
                  &(StmDisk){ .target = "vda",
                              .kind = STM_SOURCE_FILE,
                              .source = path,
                              .format = "qcow2",
                              .next_index = 2 });
  assert_refused (world, &(StmCreateRequest){ .name = "s1" }, STEMMA_ERROR_IN_USE, "other");

  world_set_disk (world, "other",
                  &(StmDisk){ .target = "vda",
                              .kind = STM_SOURCE_FILE,
                              .source = path,
                              .format = "qcow2",
                              .is_read_only = TRUE,
                              .next_index = 2 });
  world_create (world, "vm", "s1");
}

static void
test_depth_is_limited (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  for (guint i = 1; i < 100; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);

      world_create (world, "vm", name);
    }
  assert_refused (world, &(StmCreateRequest){ .name = "one more" }, STEMMA_ERROR_TOO_MANY,
                  "delete a snapshot");
}

static void
test_nothing_goes_past_an_unsettled_operation (void)
{
  const StmMomentState states[] = { STM_STATE_CREATING, STM_STATE_DELETING };

  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    {
      g_autoptr (World) world = world_new ();

      world_define (world, "vm", one_disk);
      world_create (world, "vm", "s1");
      g_autoptr (StmMoment) unsettled = stm_moment_with_state (world_moment (world, "vm", "s1"),
                                                               states[i], STM_HEALTH_OK);
      world_put_moment (world, "vm", unsettled);
      assert_refused (world, &(StmCreateRequest){ .name = "s2" }, STEMMA_ERROR_BUSY, "s1");
    }
}

static void
test_unknown_domain (void)
{
  g_autoptr (StmModel) model = stm_model_new ();
  g_autoptr (GError) error = NULL;

  g_assert_null (stm_plan_create_prepare (model, "00000000000000000000000000000001",
                                          &(StmCreateRequest){ .name = "s" }, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func ("/core/plan-create/" name, function)
  ADD ("all-disks-get-an-overlay-at-once", test_all_disks_at_once);
  ADD ("a-snapshot-is-shown-in-the-making-and-can-be-undone",
       test_is_shown_in_the_making_and_can_be_undone);
  ADD ("a-snapshot-stands-on-the-current-one", test_stands_on_the_current_one);
  ADD ("disks-not-taken-are-recorded-as-such", test_disks_not_taken_are_recorded);
  ADD ("file-names-come-from-the-snapshot-and-are-harmless", test_file_names);
  ADD ("names-recorded-by-another-domain-are-taken", test_names_recorded_elsewhere_are_taken);
  ADD ("two-disks-of-one-stem-get-two-names", test_two_disks_of_one_stem_get_two_names);
  ADD ("an-empty-name-is-the-time-made-unique", test_empty_name_is_the_time);
  ADD ("an-overlay-has-the-present-size-of-the-disk", test_overlay_has_the_present_size);
  ADD ("raw-content-may-look-like-anything", test_raw_content_may_look_like_anything);
  ADD ("an-unknown-image-on-top-does-no-harm", test_unknown_image_on_top_does_no_harm);
  ADD ("wrong-requests-are-refused", test_refusals_of_the_request);
  ADD ("disks-that-cannot-be-taken-are-refused", test_refusals_of_disks);
  ADD ("excluded-disks-are-taken-only-by-name", test_excluded_disks_are_taken_only_by_name);
  ADD ("images-that-are-not-as-recorded-are-refused", test_broken_images_are_refused);
  ADD ("a-broken-image-deep-in-the-chain-is-refused",
       test_broken_image_deep_in_the_chain_is_refused);
  ADD ("one-file-under-two-names-is-refused", test_one_file_under_two_names_is_refused);
  ADD ("an-image-that-another-domain-writes-is-refused",
       test_image_that_another_domain_writes_is_refused);
  ADD ("the-depth-of-a-chain-is-limited", test_depth_is_limited);
  ADD ("nothing-goes-past-an-unsettled-operation", test_nothing_goes_past_an_unsettled_operation);
  ADD ("an-unknown-domain-is-not-found", test_unknown_domain);
#undef ADD

  return g_test_run ();
}
