/* What becomes of a bitmap when two layers become one, for each state that it can be in above and
 * below and each place where it can have been begun.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

static const char *const one_disk[] = { "vda", NULL };

#define BASE "/i/vm-vda.qcow2" /* frozen by s1 */
#define LOWER "/i/vm-vda.s1"   /* frozen by s2, which is deleted */
#define UPPER "/i/vm-vda.s2"   /* active */

/* -: it is not there, r: recording, z: at rest, x: broken. */
static void
set_link (World *world, const char *path, char link)
{
  WorldFile *file = world_get_file (world, path);
  WorldBitmap *bitmap = world_find_bitmap (file, "b");

  if (link == '-' && bitmap != NULL)
    g_ptr_array_remove (file->bitmaps, bitmap);
  if (link == '-')
    return;
  if (bitmap == NULL)
    bitmap = world_add_bitmap (file, "b");
  bitmap->is_recording = link != 'z';
  bitmap->is_broken = link == 'x';
}

/* The bitmap is that of a checkpoint that was begun in `home`, or somebody else's for NULL. */
static World *
world_with (const char *home, char below, char above, gboolean is_lower_smaller)
{
  World *world = world_new ();

  world->is_calm = TRUE;
  world_define (world, "vm", one_disk);
  if (g_strcmp0 (home, BASE) == 0)
    world_make_checkpoint (world, "vm", "b");
  world_create (world, "vm", "s1");
  if (g_strcmp0 (home, LOWER) == 0)
    world_make_checkpoint (world, "vm", "b");
  world_write (world, "vm", "vda", 1, 11);
  world_create (world, "vm", "s2");
  if (g_strcmp0 (home, UPPER) == 0)
    world_make_checkpoint (world, "vm", "b");
  /* So much smaller that a stream is worth what it may cost the bitmaps. */
  for (guint block = 2; is_lower_smaller && block < WORLD_BLOCKS; block++)
    world_write (world, "vm", "vda", block, 11 * block);
  set_link (world, LOWER, below);
  set_link (world, UPPER, above);
  world_look (world, "vm");

  return world;
}

#define COMMIT "commit vm-vda.s2>vm-vda.s1, unlink vm-vda.s2"
#define COMMIT_B "commit vm-vda.s2>vm-vda.s1 [b], unlink vm-vda.s2"
#define STREAM "stream vm-vda.s1>vm-vda.s2, unlink vm-vda.s1"
#define STREAM_B "stream vm-vda.s1>vm-vda.s2 [b], unlink vm-vda.s1"
#define KEEP "keep vm-vda.s1"

static const struct
{
  const char *name;
  const char *home;
  char below;
  char above;
  const char *if_upper_is_smaller; /* then a commit is the cheaper way */
  const char *if_lower_is_smaller;
  StmHealth health; /* of the checkpoint after either */
} cases[] = {
  { "both record", BASE, 'r', 'r', COMMIT_B, STREAM_B, STM_HEALTH_OK },
  { "begun below, both record", LOWER, 'r', 'r', COMMIT_B, STREAM_B, STM_HEALTH_OK },
  { "begun above", UPPER, '-', 'r', COMMIT_B, STREAM, STM_HEALTH_OK },
  { "somebody's, both record", NULL, 'r', 'r', COMMIT_B, STREAM_B, STM_HEALTH_OK },
  { "somebody's above", NULL, '-', 'r', COMMIT_B, STREAM, STM_HEALTH_OK },
  { "somebody's below", NULL, 'r', '-', COMMIT, COMMIT, STM_HEALTH_OK },
  /* What is moved is recorded below, whatever was lost above. */
  { "broken above", BASE, 'r', 'x', COMMIT, COMMIT, STM_HEALTH_OK },
  { "gone above", BASE, 'r', '-', COMMIT, COMMIT, STM_HEALTH_OK },
  /* The other way round it is lost, and must not look whole. */
  { "broken below", BASE, 'x', 'r', COMMIT, COMMIT, STM_HEALTH_INCONSISTENT },
  { "gone below", BASE, '-', 'r', COMMIT, COMMIT, STM_HEALTH_MISSING },
  { "begun below and gone there", LOWER, '-', 'r', COMMIT, COMMIT, STM_HEALTH_MISSING },
  { "somebody's, broken below", NULL, 'x', 'r', COMMIT, COMMIT, STM_HEALTH_OK },
  { "broken in both", BASE, 'x', 'x', COMMIT, STREAM, STM_HEALTH_INCONSISTENT },
  { "gone from both", BASE, '-', '-', COMMIT, STREAM, STM_HEALTH_MISSING },
  { "begun above, another one broken below", UPPER, 'x', 'r', KEEP, KEEP, STM_HEALTH_OK },
  { "begun above and broken there", UPPER, '-', 'x', COMMIT, STREAM, STM_HEALTH_MISSING },
  /* At rest it is a record of a time that is over: it goes nowhere. */
  { "at rest above", BASE, 'r', 'z', KEEP, KEEP, STM_HEALTH_INCONSISTENT },
  { "at rest below", BASE, 'z', 'r', KEEP, KEEP, STM_HEALTH_INCONSISTENT },
  { "at rest in both", BASE, 'z', 'z', KEEP, KEEP, STM_HEALTH_INCONSISTENT },
  { "at rest below alone", NULL, 'z', '-', COMMIT, COMMIT, STM_HEALTH_OK },
  { "at rest above alone", NULL, '-', 'z', STREAM, STREAM, STM_HEALTH_OK },
};

static void
play_case (gsize i, gboolean is_lower_smaller)
{
  g_autoptr (World)
      world = world_with (cases[i].home, cases[i].below, cases[i].above, is_lower_smaller);
  g_autofree char *told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  StmHealth health;

  g_test_message ("%s: %s", cases[i].name, told);
  g_assert_cmpstr (told, ==,
                   is_lower_smaller ? cases[i].if_lower_is_smaller : cases[i].if_upper_is_smaller);
  world_check (world);
  if (cases[i].home == NULL)
    return;
  world_look (world, "vm");
  health = world_checkpoint (world, "vm", "b")->health;
  /* Of what was broken above nothing is left when it goes there, and all when it goes away. */
  if (health != cases[i].health)
    g_assert_true (health == STM_HEALTH_INCONSISTENT || health == STM_HEALTH_MISSING);
  g_assert_cmpint (health == STM_HEALTH_OK, ==, cases[i].health == STM_HEALTH_OK);
}

static void
test_cases (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      play_case (i, /* is_lower_smaller= */ FALSE);
      play_case (i, /* is_lower_smaller= */ TRUE);
    }
}

/* A mark that a driver left behind is nobody's. */
static void
test_driver_marks (void)
{
  g_autoptr (World) world = world_with (BASE, 'r', 'r', FALSE);
  g_autofree char *told = NULL;

  world_add_bitmap (world_get_file (world, UPPER), STM_DRIVER_BITMAP_PREFIX "down")->is_recording =
      FALSE;
  told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, COMMIT_B);
}

/* Bitmaps of two sizes are not added up, and an image with a broken one does not grow. */
static void
test_sizes (void)
{
  g_autoptr (World) world = world_with (BASE, 'r', 'r', TRUE);
  g_autofree char *told = NULL;

  world_get_file (world, UPPER)->capacity *= 2;
  told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (told, ==, COMMIT_B);

  g_autoptr (World) broken = world_with (BASE, 'x', 'r', TRUE);
  world_get_file (broken, UPPER)->capacity *= 2;
  g_autofree char *kept = world_delete (broken, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (kept, ==, KEEP);
}

/* A raw image has no room for what began above it. */
static void
test_raw (void)
{
  g_autoptr (World) world = world_new ();
  StmImage init;
  StmDisk disk;
  WorldFile *file;

  world_define (world, "vm", one_disk);
  file = world_get_file (world, BASE);
  g_free (file->format);
  file->format = g_strdup ("raw");
  init = *world_image (world, "vm", BASE);
  init.format = "raw";
  world_put_image (world, "vm", &init);
  disk = *world_disk (world, "vm", "vda");
  disk.format = "raw";
  world_set_disk (world, "vm", &disk);
  world_create (world, "vm", "s1");
  world_make_checkpoint (world, "vm", "b");

  g_autofree char *kept = world_delete (world, "vm", "s1", STM_DELETE_ONE);
  g_assert_cmpstr (kept, ==, "keep vm-vda.qcow2");
  g_autofree char *gone = world_delete_checkpoint (world, "vm", "b", STM_DELETE_ONE);
  g_assert_cmpstr (gone, ==, "unbitmap b vm-vda.s1");
  world_create (world, "vm", "s2");
  g_autofree char *merged = world_delete (world, "vm", "s2", STM_DELETE_ONE);
  g_assert_cmpstr (merged, ==,
                   "stream vm-vda.s1>vm-vda.s2, commit vm-vda.s2>vm-vda.qcow2, unlink vm-vda.s1, "
                   "unlink vm-vda.s2");
}

/* Killed at any point and done again, a healthy one is healthy, and what is lost is known. */
static void
test_kills (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (World) world = world_with (cases[i].home, cases[i].below, cases[i].above, FALSE);
      gboolean dirty[WORLD_BLOCKS];
      g_autofree char *told = NULL;

      world_write (world, "vm", "vda", 4, 44);
      world->is_calm = FALSE;
      world->kills_hard = TRUE;
      told = world_delete (world, "vm", "s2", STM_DELETE_ONE);
      if (cases[i].home != NULL
          && world_read_checkpoint (world, "vm", world_checkpoint (world, "vm", "b"), "vda", dirty))
        g_assert_true (dirty[4] || cases[i].above != 'r');
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/checkpoint-merges/nothing-lost-looks-whole", test_cases);
  g_test_add_func ("/core/checkpoint-merges/marks-of-a-driver-are-passed-over", test_driver_marks);
  g_test_add_func ("/core/checkpoint-merges/sizes-that-differ", test_sizes);
  g_test_add_func ("/core/checkpoint-merges/a-raw-image-takes-no-record", test_raw);
  g_test_add_func ("/core/checkpoint-merges/a-kill-lets-nothing-look-whole", test_kills);

  return g_test_run ();
}
