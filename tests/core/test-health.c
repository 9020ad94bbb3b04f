/* What a look at the images shows of snapshots: those that need an image which is gone are missing,
 * and no others; they are whole again when all that they need was seen.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "internal-kit.h"

static const char *const one_disk[] = { "vda", NULL };
static const char *const two_disks[] = { "vda", "vdb", NULL };

#define BASE "/i/vm-vda.qcow2"
#define OVER_BASE "/i/vm-vda.s1"
#define OTHER_BASE "/i/vm-vdb.qcow2"

/* s1 holds the base, s2 the image over that, on each disk. */
static World *
world_with_two (const char *const *targets)
{
  World *world = world_new ();

  world_define (world, "vm", targets);
  world_create (world, "vm", "s1");
  world_create (world, "vm", "s2");

  return world;
}

static void
set_there (World *world, const char *path, gboolean is_there)
{
  world_get_file (world, path)->problem = is_there ? -1 : STEMMA_ERROR_NOT_FOUND;
}

/* Puts on record what a survey of these images shows; whether it showed anything new. */
static gboolean
look_at (World *world, const GPtrArray *images)
{
  const char *id = world_domain (world, "vm")->id;
  g_autoptr (StmSurvey) survey = world_survey (world, images);
  g_autoptr (StmChange) change = stm_plan_health (world->model, survey, id);

  if (change == NULL)
    return FALSE;
  world_apply (world, change);

  return TRUE;
}

static gboolean
look (World *world)
{
  g_autoptr (GPtrArray) images = stm_model_images (world->model, world_domain (world, "vm")->id);

  return look_at (world, images);
}

static gboolean
look_at_one (World *world, const char *path)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new ();

  g_ptr_array_add (images, (gpointer) world_image (world, "vm", path));

  return look_at (world, images);
}

static void
assert_health (const World *world, const char *name, StmHealth health)
{
  g_assert_cmpstr (stm_health_to_word (world_moment (world, "vm", name)->health), ==,
                   stm_health_to_word (health));
}

static void
set_record (World *world, const char *name, StmMomentState state, StmHealth health)
{
  g_autoptr (StmMoment)
      moment = stm_moment_with_state (world_moment (world, "vm", name), state, health);

  world_put_moment (world, "vm", moment);
}

static void
test_missing_image_spreads_upwards (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  g_assert_false (look (world));
  set_there (world, OVER_BASE, FALSE);
  g_assert_true (look (world));
  assert_health (world, "s1", STM_HEALTH_OK);
  assert_health (world, "s2", STM_HEALTH_MISSING);
  set_there (world, OTHER_BASE, FALSE);
  g_assert_true (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  g_assert_false (look (world));
}

/* The image that is gone was looked at; those over it, which hold the states, were not. */
static void
test_one_look_at_the_base_is_enough (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  set_there (world, BASE, FALSE);
  g_assert_true (look_at_one (world, BASE));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  assert_health (world, "s2", STM_HEALTH_MISSING);
}

static void
test_whole_again_when_all_was_seen (void)
{
  g_autoptr (World) world = world_with_two (two_disks);

  set_there (world, BASE, FALSE);
  set_there (world, OTHER_BASE, FALSE);
  look (world);
  set_there (world, BASE, TRUE);
  g_assert_false (look_at_one (world, BASE));
  g_assert_false (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  set_there (world, OTHER_BASE, TRUE);
  g_assert_false (look_at_one (world, BASE));
  /* All that s1 needs, but not all that s2 does. */
  g_autoptr (GPtrArray) bases = g_ptr_array_new ();
  g_ptr_array_add (bases, (gpointer) world_image (world, "vm", BASE));
  g_ptr_array_add (bases, (gpointer) world_image (world, "vm", OTHER_BASE));
  g_assert_true (look_at (world, bases));
  assert_health (world, "s1", STM_HEALTH_OK);
  assert_health (world, "s2", STM_HEALTH_MISSING);
  g_assert_true (look (world));
  assert_health (world, "s2", STM_HEALTH_OK);
}

/* What cannot be read is neither there nor gone. */
static void
test_other_problems_change_nothing (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  world_get_file (world, BASE)->problem = STEMMA_ERROR_NOT_ALLOWED;
  g_assert_false (look (world));
  set_there (world, BASE, FALSE);
  g_assert_true (look (world));
  world_get_file (world, BASE)->problem = STEMMA_ERROR_CHAIN_BROKEN;
  g_assert_false (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  assert_health (world, "s2", STM_HEALTH_MISSING);
}

static void
test_unknown_until_seen (void)
{
  g_autoptr (World) world = world_with_two (one_disk);

  set_record (world, "s2", STM_STATE_SHUTOFF, STM_HEALTH_UNKNOWN);
  g_assert_false (look_at_one (world, OVER_BASE));
  assert_health (world, "s2", STM_HEALTH_UNKNOWN);
  g_assert_true (look (world));
  assert_health (world, "s2", STM_HEALTH_OK);
  set_record (world, "s2", STM_STATE_SHUTOFF, STM_HEALTH_UNKNOWN);
  set_there (world, BASE, FALSE);
  g_assert_true (look_at_one (world, BASE));
  assert_health (world, "s2", STM_HEALTH_MISSING);
}

/* It is not the files that they lack. */
static void
test_what_no_file_brings_back_stays (void)
{
  static const struct
  {
    StmMomentState state;
    StmHealth health;
  } cases[] = {
    { STM_STATE_CREATING, STM_HEALTH_CREATING },
    { STM_STATE_DELETING, STM_HEALTH_OK },
    { STM_STATE_SHUTOFF, STM_HEALTH_INCONSISTENT },
    { STM_STATE_SHUTOFF, STM_HEALTH_ORPHAN },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_with_two (one_disk);

      set_record (world, "s1", cases[i].state, cases[i].health);
      set_record (world, "s2", cases[i].state, cases[i].health);
      set_there (world, BASE, FALSE);
      g_assert_false (look (world));
      set_there (world, BASE, TRUE);
      g_assert_false (look (world));
      assert_health (world, "s1", cases[i].health);
    }
}

/* The record of an image is the authority on what it stands on; without one nothing was seen. */
static void
test_image_without_a_record_is_not_seen (void)
{
  g_autoptr (World) world = world_with_two (one_disk);
  StmMoment init = *world_moment (world, "vm", "s1");
  StmMomentDisk disk = init.disks[0];

  world_add_file (world, "/i/apart.qcow2", "qcow2", NULL);
  disk.frozen = "/i/apart.qcow2";
  init.disks = &disk;
  init.health = STM_HEALTH_MISSING;
  g_autoptr (StmMoment) moment = stm_moment_new (&init);
  world_put_moment (world, "vm", moment);

  g_autoptr (StmImage) apart = stm_image_new (&(StmImage){
      .path = "/i/apart.qcow2", .target = "vda", .format = "qcow2", .capacity = WORLD_CAPACITY });
  g_autoptr (GPtrArray) images = g_ptr_array_new ();
  g_ptr_array_add (images, apart);
  g_assert_false (look_at (world, images));
  g_assert_false (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
}

/* With the image all that is internal to it is gone, and it is back with that. */
static void
test_internal_with_its_image (void)
{
  g_autoptr (World) world = internal_world (two_disks);
  WorldTag *tag = NULL;
  WorldFile *file = world_get_file (world, OTHER_BASE);

  set_there (world, BASE, FALSE);
  g_assert_true (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  set_there (world, BASE, TRUE);
  tag = g_ptr_array_steal_index (file->tags, 0);
  g_assert_false (look (world));
  assert_health (world, "s1", STM_HEALTH_MISSING);
  g_ptr_array_add (file->tags, tag);
  g_assert_true (look (world));
  assert_health (world, "s1", STM_HEALTH_OK);
}

/* The state of an internal one may lie in what its image stands on. */
static void
test_internal_needs_what_is_below (void)
{
  g_autoptr (World) world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  internal_take (world, "inner", STM_MODE_INTERNAL);
  set_there (world, BASE, FALSE);
  g_assert_true (look (world));
  assert_health (world, "inner", STM_HEALTH_MISSING);
  set_there (world, BASE, TRUE);
  g_assert_true (look (world));
  assert_health (world, "inner", STM_HEALTH_OK);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/health/a-missing-image-takes-along-what-stands-on-it",
                   test_missing_image_spreads_upwards);
  g_test_add_func ("/core/health/a-look-at-the-missing-image-alone-is-enough",
                   test_one_look_at_the_base_is_enough);
  g_test_add_func ("/core/health/whole-again-when-all-that-is-needed-was-seen",
                   test_whole_again_when_all_was_seen);
  g_test_add_func ("/core/health/what-cannot-be-read-is-not-missing",
                   test_other_problems_change_nothing);
  g_test_add_func ("/core/health/unknown-until-all-of-it-was-seen", test_unknown_until_seen);
  g_test_add_func ("/core/health/what-no-file-brings-back-stays-as-it-is",
                   test_what_no_file_brings_back_stays);
  g_test_add_func ("/core/health/an-image-without-a-record-is-not-seen",
                   test_image_without_a_record_is_not_seen);
  g_test_add_func ("/core/health/an-internal-one-goes-and-comes-with-image-and-tag",
                   test_internal_with_its_image);
  g_test_add_func ("/core/health/an-internal-one-needs-what-its-image-stands-on",
                   test_internal_needs_what_is_below);

  return g_test_run ();
}
