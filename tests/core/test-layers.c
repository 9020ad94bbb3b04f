/* StmLayers: what stands against merging or removing a hidden layer, one obstacle at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

static const char *const one_disk[] = { "vda", NULL };

#define DISK "/i/vm-vda.qcow2"
#define LOWER "/i/vm-vda.s1" /* frozen by s2, which is deleted */
#define UPPER "/i/vm-vda.s2" /* frozen by s3 */
#define TOP "/i/vm-vda.s3"   /* active */

/* The lower layer has more data than the upper, so that a commit is the cheaper way. */
static World *
world_with_line (void)
{
  World *world = world_new ();

  world_define (world, "vm", one_disk);
  world_create (world, "vm", "s1");
  world_write (world, "vm", "vda", 1, 2);
  world_create (world, "vm", "s2");
  world_create (world, "vm", "s3");

  return world;
}

static void
set_record (World *world, const char *path, StmImageOrigin origin, guint64 capacity)
{
  StmImage init = *world_image (world, "vm", path);

  init.origin = origin;
  init.capacity = capacity;
  world_get_file (world, path)->capacity = capacity;
  g_autoptr (StmImage) copy = stm_image_new (&init);
  world_put_image (world, "vm", copy);
}

static void
record_elsewhere (World *world, const char *path)
{
  world_define (world, "other", one_disk);
  world_put_image (world, "other",
                   &(StmImage){ .path = path,
                                .target = "vda",
                                .index = 9,
                                .format = "qcow2",
                                .origin = STM_IMAGE_BACKING,
                                .capacity = WORLD_CAPACITY });
}

static void
stranger_on_lower (World *world)
{
  world_add_file (world, "/i/stranger", "qcow2", LOWER);
}

static void
stranger_on_upper (World *world)
{
  world_add_file (world, "/i/stranger", "qcow2", UPPER);
}

static void
tag_in_lower (World *world)
{
  world_add_tag (world_get_file (world, LOWER), WORLD_FOREIGN);
}

static void
tag_in_upper (World *world)
{
  world_add_tag (world_get_file (world, UPPER), WORLD_FOREIGN);
}

static void
bitmap_in_lower (World *world)
{
  world_add_bitmap (world_get_file (world, LOWER), WORLD_FOREIGN)->is_recording = FALSE;
}

static void
bitmap_in_upper (World *world)
{
  world_add_bitmap (world_get_file (world, UPPER), WORLD_FOREIGN)->is_recording = FALSE;
}

static void
lower_recorded_elsewhere (World *world)
{
  record_elsewhere (world, LOWER);
}

static void
upper_recorded_elsewhere (World *world)
{
  record_elsewhere (world, UPPER);
}

static void
child_recorded_elsewhere (World *world)
{
  record_elsewhere (world, TOP);
}

static void
child_of_another_domain (World *world)
{
  world_define (world, "other", one_disk);
  world_put_image (world, "other",
                   &(StmImage){ .path = "/elsewhere/clone",
                                .target = "vda",
                                .index = 9,
                                .format = "qcow2",
                                .backing = LOWER,
                                .origin = STM_IMAGE_DISK });
}

static void
smaller_upper (World *world)
{
  set_record (world, UPPER, STM_IMAGE_MADE, WORLD_CAPACITY / 2);
}

static void
smaller_upper_on_the_disk (World *world)
{
  set_record (world, LOWER, STM_IMAGE_DISK, WORLD_CAPACITY);
  smaller_upper (world);
}

static void
short_lower (World *world)
{
  set_record (world, LOWER, STM_IMAGE_MADE, WORLD_CAPACITY / 2);
}

static void
larger_upper (World *world)
{
  set_record (world, UPPER, STM_IMAGE_MADE, WORLD_CAPACITY * 2);
}

static void
foreign_child (World *world)
{
  set_record (world, TOP, STM_IMAGE_BACKING, WORLD_CAPACITY);
}

static void
foreign_upper (World *world)
{
  set_record (world, UPPER, STM_IMAGE_BACKING, WORLD_CAPACITY);
}

static void
foreign_lower (World *world)
{
  set_record (world, LOWER, STM_IMAGE_BACKING, WORLD_CAPACITY);
}

static void
more_data_above (World *world)
{
  world_get_file (world, UPPER)->blocks[2] = 5;
}

static void
resized_top (World *world)
{
  world_get_file (world, TOP)->capacity *= 2;
}

#define COMMIT "commit vm-vda.s2>vm-vda.s1 (vm-vda.s3), unlink vm-vda.s2"
#define STREAM "stream vm-vda.s1>vm-vda.s2, unlink vm-vda.s1"
#define KEEP "keep vm-vda.s1"

static void
nothing (World *world)
{
}

static const struct
{
  const char *name;
  void (*arrange) (World *world);
  const char *expected;
} cases[] = {
  { "nothing in the way", nothing, COMMIT },
  { "more data above", more_data_above, STREAM },
  { "an unknown image on the lower", stranger_on_lower, KEEP },
  { "an unknown image on the upper", stranger_on_upper, STREAM },
  { "a tag in the lower", tag_in_lower, KEEP },
  { "a tag in the upper", tag_in_upper, KEEP },
  { "a bitmap at rest in the lower", bitmap_in_lower, COMMIT },
  { "a bitmap at rest in the upper", bitmap_in_upper, STREAM },
  { "the lower on record elsewhere", lower_recorded_elsewhere, KEEP },
  { "the upper on record elsewhere", upper_recorded_elsewhere, KEEP },
  { "a child of the upper on record elsewhere", child_recorded_elsewhere, STREAM },
  { "an image of another domain on the lower", child_of_another_domain, KEEP },
  { "a smaller upper", smaller_upper, STREAM },
  { "a smaller upper on the image of the user", smaller_upper_on_the_disk, KEEP },
  { "a lower that is shorter than both", short_lower, KEEP },
  { "a larger upper", larger_upper, COMMIT },
  { "a child of the upper that must not be written", foreign_child, STREAM },
  { "an upper that must not be written", foreign_upper, KEEP },
  { "a lower that must not be written", foreign_lower, KEEP },
  { "an active image on top that was resized", resized_top, COMMIT },
};

static void
test_obstacles (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_with_line ();
      g_autofree char *told = NULL;
      int before[WORLD_BLOCKS];
      int after[WORLD_BLOCKS];

      cases[i].arrange (world);
      world_read (world, UPPER, before);
      told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
      g_test_message ("%s: %s", cases[i].name, told);
      g_assert_cmpstr (told, ==, cases[i].expected);
      world_read (world, world_moment (world, "vm", "s3")->disks[0].frozen, after);
      g_assert_cmpmem (before, sizeof before, after, sizeof after);
    }
}

static void
test_size_goes_down_with_the_data (void)
{
  g_autoptr (World) world = world_with_line ();

  larger_upper (world);
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, COMMIT);
  world_check (world);
  g_assert_cmpuint (world_get_file (world, LOWER)->capacity, ==, 2 * WORLD_CAPACITY);
}

static void
test_resized_active_image_goes_down (void)
{
  g_autoptr (World) world = world_with_line ();

  resized_top (world);
  world_get_file (world, UPPER)->blocks[3] = 1;
  g_autofree char *told = world_delete (world, "vm", "s3", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "commit vm-vda.s3>vm-vda.s2, unlink vm-vda.s3");
  world_check (world);
  g_assert_cmpuint (world_get_file (world, UPPER)->capacity, ==, 2 * WORLD_CAPACITY);
}

/* A commit would have to open them all. */
static void
test_too_many_children (void)
{
  g_autoptr (World) world = world_with_line ();

  for (guint i = 0; i < 256; i++)
    {
      g_autofree char *name = g_strdup_printf ("k%u", i);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmPlan)
          plan = world_plan_revert (world, "vm", "s3", (StmRevertRequest){ .keep = name }, &error);

      g_assert_no_error (error);
      world_run (world, plan, NULL, NULL);
    }
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, STREAM);
  world_check (world);
}

/* LOWER hidden from before under two images, of which s3 holds one and the other is active. */
static World *
world_with_hidden (void)
{
  World *world = world_with_line ();

  world_revert (world, "vm", "s2");
  world_write (world, "vm", "vda", 4, 4);
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, KEEP);

  return world;
}

static void
test_old_layers_go_when_they_can (void)
{
  g_autoptr (World) world = world_with_hidden ();
  g_autofree char *told = world_delete (world, "vm", "s3", STM_DELETE_ONE);

  g_assert_cmpstr (told, ==, "stream vm-vda.s1>vm-vda.s2-1, unlink vm-vda.s2, unlink vm-vda.s1");
  world_check (world);
}

/* They are no reason to refuse what does not need them. */
static void
test_old_layers_in_a_bad_state_are_kept (void)
{
  const char *const names[] = { "problem", "space", "header" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autoptr (World) world = world_with_hidden ();
      WorldFile *file = world_get_file (world, LOWER);
      g_autofree char *told = NULL;

      g_test_message ("%s", names[i]);
      if (i == 0)
        file->problem = STEMMA_ERROR_IN_USE;
      else if (i == 1)
        world->free_bytes = 4096;
      else
        file->capacity++;
      told = world_delete (world, "vm", "s3", STM_DELETE_ONE);
      g_assert_cmpstr (told, ==, "unlink vm-vda.s2, keep vm-vda.s1");
    }
}

static void
test_old_layers_do_not_take_needed_space (void)
{
  g_autoptr (World) world = world_with_hidden ();

  /* s4 on the active branch: deleting s4 needs one block; the hidden layer needs one, too. */
  world_create (world, "vm", "s4");
  world_write (world, "vm", "vda", 5, 5);
  world_write (world, "vm", "vda", 3, 5);
  world->free_bytes = 16 * 1024 * 1024 + WORLD_BLOCK_SIZE + 16;
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_delete (
      world, "vm", "s4", (StmDeleteRequest){ .scope = STM_DELETE_ONE }, &error);
  g_assert_no_error (error);
  g_autofree char *told = world_tell (plan);
  g_assert_cmpstr (told, ==, "stream vm-vda.s2-1>vm-vda.s4, unlink vm-vda.s2-1, keep vm-vda.s1");
}

/* A leaf that somebody else stands on is not removed, and what is below it not changed for him. */
static void
test_leaf_with_a_stranger_is_kept (void)
{
  g_autoptr (World) world = world_with_line ();
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_revert (world, "vm", "s1");
  stranger_on_upper (world);
  world_read (world, "/i/stranger", before);
  g_autofree char *told = world_delete (world, "vm", "s3", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "keep vm-vda.s2");
  g_autofree char *below = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (below, ==, KEEP);
  world_read (world, "/i/stranger", after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

static void
test_leaf_with_a_tag_is_kept (void)
{
  g_autoptr (World) world = world_with_line ();

  world_revert (world, "vm", "s1");
  tag_in_upper (world);
  g_autofree char *told = world_delete (world, "vm", "s3", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, "keep vm-vda.s2");
}

static void
test_leaf_that_is_not_ours_is_not_removed (void)
{
  g_autoptr (World) world = world_with_line ();
  WorldFile *file = world_get_file (world, UPPER);
  g_autoptr (GError) error = NULL;

  world_revert (world, "vm", "s1");
  g_free (file->backing);
  file->backing = NULL;
  g_assert_null (world_plan_delete (world, "vm", "s3", (StmDeleteRequest){ 0 }, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

/* The machine got another disk by its definition: what was its disk is nobody's to remove. */
static void
test_disk_taken_out_is_left_alone (void)
{
  g_autoptr (World) world = world_with_line ();
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_write (world, "vm", "vda", 5, 5);
  world_read (world, TOP, before);
  world_set_disk (world, "vm",
                  &(StmDisk){ .target = "vda", .kind = STM_SOURCE_NONE, .next_index = 9 });
  g_autofree char *one = world_delete (world, "vm", "s3", STM_DELETE_ONE);
  g_assert_cmpstr (one, ==, "keep vm-vda.s2");
  g_autofree char *all = world_delete (world, "vm", "s1", STM_DELETE_SUBTREE);
  g_assert_cmpstr (all, ==,
                   "commit vm-vda.s1>vm-vda.qcow2 (vm-vda.s2), unlink vm-vda.s1, "
                   "keep vm-vda.qcow2, keep vm-vda.s2");
  world_read (world, TOP, after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
  world_check (world);
}

/* A chain of the whole legal depth goes at once. */
static void
test_deep_chain_goes_in_one_plan (void)
{
  g_autoptr (World) world = world_new ();
  int before[WORLD_BLOCKS];
  int after[WORLD_BLOCKS];

  world_define (world, "vm", one_disk);
  for (guint i = 1; i < 100; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);

      world_write (world, "vm", "vda", i % WORLD_BLOCKS, i);
      world_create (world, "vm", name);
    }
  world_read (world, world_disk (world, "vm", "vda")->source, before);
  g_autofree char *told = world_delete (world, "vm", "s1", STM_DELETE_SUBTREE);
  g_assert_cmpstr (told, !=, "");
  world_check (world);
  g_assert_cmpstr (world_disk (world, "vm", "vda")->source, ==, DISK);
  g_assert_cmpuint (g_hash_table_size (world->files), ==, 1);
  world_read (world, DISK, after);
  g_assert_cmpmem (before, sizeof before, after, sizeof after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name, function) g_test_add_func ("/core/layers/" name, function)
  ADD ("each-obstacle-is-respected", test_obstacles);
  ADD ("a-larger-size-goes-down-with-the-data", test_size_goes_down_with_the_data);
  ADD ("a-resized-active-image-goes-down-with-its-size", test_resized_active_image_goes_down);
  ADD ("too-many-children-are-not-re-pointed", test_too_many_children);
  ADD ("old-layers-go-when-they-can", test_old_layers_go_when_they_can);
  ADD ("old-layers-in-a-bad-state-are-kept", test_old_layers_in_a_bad_state_are_kept);
  ADD ("old-layers-do-not-take-needed-space", test_old_layers_do_not_take_needed_space);
  ADD ("a-leaf-with-a-stranger-on-it-is-kept", test_leaf_with_a_stranger_is_kept);
  ADD ("a-leaf-with-a-tag-is-kept", test_leaf_with_a_tag_is_kept);
  ADD ("a-leaf-that-is-not-provably-ours-is-not-removed",
       test_leaf_that_is_not_ours_is_not_removed);
  ADD ("a-disk-taken-out-of-the-machine-is-left-alone", test_disk_taken_out_is_left_alone);
  ADD ("a-deep-chain-goes-in-one-plan", test_deep_chain_goes_in_one_plan);
#undef ADD

  return g_test_run ();
}
