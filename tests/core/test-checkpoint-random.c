/* Random histories of a machine with two disks and checkpoints, played on images in memory.
 *
 * What a machine showed when a checkpoint was made is noted as bytes. After each step of each
 * operation, half done ones too, what the bitmaps of a checkpoint say, where they hang together
 * from the active image down to where they were begun, must cover every block that differs from
 * then. A record may be lost by what it goes through, but never without being known as lost; and
 * without accidents it is not lost at all. The seed is printed; give it with --seed to see a
 * history again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"
#include "stm-leaf-index.h"

#include <string.h>

#define N_HISTORIES 400
#define N_EVENTS 30
#define N_DISKS 2

static const char *const targets[N_DISKS + 1] = { "vda", "vdb", NULL };

typedef struct
{
  int then[N_DISKS][WORLD_BLOCKS];         /* what the machine showed */
  gboolean written[N_DISKS][WORLD_BLOCKS]; /* since then, in whatever branch */
} Record;

typedef struct
{
  World *world;
  GHashTable *records; /* id of a checkpoint -> Record */
  gboolean has_accidents;
  gboolean has_parts;    /* operations on single disks */
  gboolean has_internal; /* snapshots within images, which keep them from being merged */
  guint n_names;
  int n_values;
} History;

static void
read_disk (const World *world, guint disk, int *out_blocks)
{
  world_read (world, world_disk (world, "vm", targets[disk])->source, out_blocks);
}

static GPtrArray *
list_checkpoints (const World *world)
{
  return stm_tree_subtree (world_checkpoints (world, "vm"), NULL);
}

/* --- what must be true --- */

static void
check_cover (const World *world, const History *history, const StmMoment *checkpoint, guint disk)
{
  const Record *record = g_hash_table_lookup (history->records, checkpoint->id);
  gboolean dirty[WORLD_BLOCKS];
  int now[WORLD_BLOCKS];

  if (!world_read_checkpoint (world, "vm", checkpoint, targets[disk], dirty))
    return;
  read_disk (world, disk, now);
  for (guint i = 0; i < WORLD_BLOCKS; i++)
    {
      if (now[i] != record->then[disk][i] && !dirty[i])
        g_error ("checkpoint %s does not know of block %u of %s", checkpoint->name, i,
                 targets[disk]);
      /* And tells of no more than it has to. */
      if (!history->has_accidents && dirty[i])
        g_assert_true (record->written[disk][i]);
    }
}

static gboolean
is_part (const StmMoment *checkpoint, guint disk)
{
  return stm_moment_find_disk (checkpoint, targets[disk])->mode == STM_MODE_BITMAP;
}

static void
check_covers (const World *world, gpointer user_data)
{
  const History *history = user_data;

  if (stm_model_find_domain (world->model, "vm") == NULL)
    return;

  g_autoptr (GPtrArray) checkpoints = list_checkpoints (world);
  for (guint i = 0; i < checkpoints->len; i++)
    {
      const StmMoment *checkpoint = checkpoints->pdata[i];

      for (guint disk = 0; disk < N_DISKS; disk++)
        if (checkpoint->state == STM_STATE_SHUTOFF && is_part (checkpoint, disk))
          check_cover (world, history, checkpoint, disk);
    }
}

static gboolean
is_in_chain (const World *world, const StmMoment *checkpoint, guint disk)
{
  const char *home = stm_moment_find_disk (checkpoint, targets[disk])->frozen;
  g_autoptr (GPtrArray)
      chain = stm_model_chain (world->model, world_domain (world, "vm")->id, targets[disk]);

  for (guint i = 0; i < chain->len; i++)
    if (g_strcmp0 (((StmImage *) chain->pdata[i])->path, home) == 0)
      return TRUE;

  return FALSE;
}

static void
check_health (const World *world, const History *history, const StmMoment *checkpoint)
{
  gboolean is_off = FALSE;
  gboolean is_lost = FALSE;
  gboolean is_read = TRUE;

  for (guint disk = 0; disk < N_DISKS; disk++)
    {
      gboolean dirty[WORLD_BLOCKS];

      if (!is_part (checkpoint, disk))
        continue;
      is_lost |= stm_moment_find_disk (checkpoint, targets[disk])->frozen == NULL;
      is_off |= !is_in_chain (world, checkpoint, disk);
      is_read &= world_read_checkpoint (world, "vm", checkpoint, targets[disk], dirty);
    }
  if (is_lost)
    g_assert_cmpint (checkpoint->health, ==, STM_HEALTH_MISSING);
  else if (is_off)
    g_assert_cmpint (checkpoint->health, ==, STM_HEALTH_UNREACHABLE);
  else if (is_read)
    g_assert_cmpint (checkpoint->health, ==, STM_HEALTH_OK);
  else
    {
      g_assert_true (history->has_accidents);
      g_assert_true (checkpoint->health == STM_HEALTH_MISSING
                     || checkpoint->health == STM_HEALTH_INCONSISTENT);
    }
}

/* All bitmaps in the images are those of checkpoints that are there. */
static void
check_no_litter (const World *world)
{
  const char *id = world_domain (world, "vm")->id;
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, world->files);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const WorldFile *file = value;
      const StmImage *image = stm_model_get_image (world->model, id, file->path);

      for (guint i = 0; image != NULL && i < file->bitmaps->len; i++)
        {
          const WorldBitmap *bitmap = file->bitmaps->pdata[i];
          g_autoptr (GPtrArray)
              sharers = stm_model_bitmap_sharers (world->model, id, image->target, bitmap->name);

          g_assert_true (sharers->len > 0 || g_str_has_prefix (bitmap->name, WORLD_FOREIGN));
        }
    }
}

static void
check (History *history)
{
  World *world = history->world;

  check_covers (world, history);
  if (history->has_accidents)
    world_look (world, "vm");
  g_autoptr (GPtrArray) checkpoints = list_checkpoints (world);
  for (guint i = 0; i < checkpoints->len; i++)
    check_health (world, history, checkpoints->pdata[i]);
  check_no_litter (world);
  world_check (world);
  if (!history->has_parts && !history->has_accidents)
    {
      guint n_leaves = 0;

      stm_model_lone_leaf (world->model, world_domain (world, "vm")->id, &n_leaves);
      g_assert_cmpuint (n_leaves, <=, 1);
    }
}

/* --- running --- */

static void
note_record (History *history, const StmMoment *checkpoint)
{
  Record *record = g_new0 (Record, 1);

  for (guint disk = 0; disk < N_DISKS; disk++)
    read_disk (history->world, disk, record->then[disk]);
  g_hash_table_insert (history->records, g_strdup (checkpoint->id), record);
}

/* The checkpoint that the plan makes, or NULL. */
static const StmMoment *
find_begun (const StmPlan *plan)
{
  for (guint i = 0; i < plan->begin->put_moments->len; i++)
    {
      const StmMoment *moment = plan->begin->put_moments->pdata[i];

      if (moment->kind == STM_MOMENT_CHECKPOINT && moment->state == STM_STATE_CREATING)
        return moment;
    }

  return NULL;
}

/* Without accidents the plan says beforehand which checkpoints will not be in order after it. */
static void
check_told (const History *history, const StmPlan *plan, const GPtrArray *before)
{
  for (guint i = 0; i < before->len; i++)
    {
      const StmMoment *then = before->pdata[i];
      const StmMoment *now = stm_tree_get (world_checkpoints (history->world, "vm"), then->id);
      gboolean is_told = g_strv_contains ((const char *const *) plan->unreachable, then->name);

      if (now == NULL)
        continue;
      if (is_told != (now->health != then->health && now->health != STM_HEALTH_OK))
        g_error ("checkpoint %s went from %s to %s, told: %d", then->name,
                 stm_health_to_word (then->health), stm_health_to_word (now->health), is_told);
    }
}

/* Sometimes it is taken back first: then nothing may have changed. */
static void
run (History *history, const StmPlan *plan)
{
  const StmMoment *begun = find_begun (plan);
  g_autoptr (GPtrArray) before = list_checkpoints (history->world);

  g_autofree char *told = world_tell (plan);

  g_test_message ("%s", told);
  if (begun != NULL)
    note_record (history, begun);
  if (g_test_rand_int_range (0, 4) == 0)
    {
      world_undo (history->world, plan, /* n_steps= */ 0);
      check (history);
    }
  world_run (history->world, plan, check_covers, history);
  if (!history->has_accidents && stm_model_find_domain (history->world->model, "vm") != NULL)
    check_told (history, plan, before);
}

static char *
new_name (History *history, const char *prefix)
{
  return g_strdup_printf ("%s%u", prefix, ++history->n_names);
}

/* Of all disks, or in some histories of one. */
static const char *const *
pick_disks (const History *history, const char **storage)
{
  storage[0] = targets[g_test_rand_int_range (0, N_DISKS)];
  storage[1] = NULL;

  return history->has_parts && g_test_rand_int_range (0, 3) == 0 ? (const char *const *) storage
                                                                 : NULL;
}

static const StmMoment *
pick (const StmTree *tree)
{
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

  if (moments->len == 0)
    return NULL;

  return stm_tree_get (tree,
                       ((StmMoment *) moments->pdata[g_test_rand_int_range (0, moments->len)])->id);
}

static void
do_write (History *history)
{
  guint disk = g_test_rand_int_range (0, N_DISKS);
  int block = g_test_rand_int_range (0, WORLD_BLOCKS);
  GHashTableIter iter;
  gpointer record;

  world_write (history->world, "vm", targets[disk], block, ++history->n_values);
  g_test_message ("write %u of %s", block, targets[disk]);
  g_hash_table_iter_init (&iter, history->records);
  while (g_hash_table_iter_next (&iter, NULL, &record))
    ((Record *) record)->written[disk][block] = TRUE;
}

static void
do_create (History *history)
{
  const char *storage[2];
  g_autofree char *name = new_name (history, "s");
  g_autofree char *checkpoint = new_name (history, "c");
  StmCreateRequest request = { .name = name,
                               .disks = pick_disks (history, storage),
                               .mode = history->has_internal && g_test_rand_int_range (0, 3) == 0
                                           ? STM_MODE_INTERNAL
                                           : STM_MODE_EXTERNAL,
                               .checkpoint = g_test_rand_int_range (0, 3) == 0 ? checkpoint
                                                                               : NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (history->world, "vm", &request, &error);

  if (plan != NULL)
    run (history, plan);
  else
    g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_AMBIGUOUS_PARENT);
}

static void
do_checkpoint (History *history)
{
  const char *storage[2];
  g_autofree char *name = new_name (history, "c");
  const StmMoment *parent = pick (world_checkpoints (history->world, "vm"));
  StmCreateCheckpointRequest request = { .name = name, .disks = pick_disks (history, storage) };
  g_autoptr (GError) error = NULL;

  if (history->has_parts && parent != NULL && stm_checkpoint_is_reachable (parent))
    request.parent_id = parent->id;
  g_autoptr (StmPlan) plan = world_plan_checkpoint (history->world, "vm", &request, &error);
  if (plan != NULL)
    run (history, plan);
  else
    g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_AMBIGUOUS_PARENT);
}

static gboolean
is_internal (const StmMoment *snapshot)
{
  for (gsize i = 0; i < snapshot->n_disks; i++)
    if (snapshot->disks[i].mode == STM_MODE_INTERNAL)
      return TRUE;

  return FALSE;
}

/* What stands on the image of an internal snapshot, or measures its changes, is in the way. */
static void
check_refusal (const StmMoment *target, int choice, const GError *error)
{
  if (is_internal (target)
      && (g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_HAS_MOMENTS)
          || g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE)
          || g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED)))
    return;
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE);
  g_assert_cmpint (choice, ==, 0);
}

static void
do_revert (History *history)
{
  const StmMoment *picked = pick (world_tree (history->world, "vm"));
  g_autofree char *name = new_name (history, "s");
  int choice = g_test_rand_int_range (0, 3);
  StmRevertRequest request = { .keep = choice == 1 ? name : NULL, .discards = choice == 2 };
  g_autoptr (GError) error = NULL;

  if (picked == NULL)
    return;
  g_autoptr (StmPlan)
      plan = world_plan_revert (history->world, "vm", picked->name, request, &error);
  if (plan == NULL)
    {
      check_refusal (picked, choice, error);
      return;
    }
  /* Without a word from the client nothing is lost for good. */
  for (guint i = 0; choice != 2 && i < plan->finish->put_moments->len; i++)
    {
      const StmMoment *put = plan->finish->put_moments->pdata[i];
      const StmMoment *before = stm_tree_get (world_checkpoints (history->world, "vm"), put->id);

      if (put->kind == STM_MOMENT_CHECKPOINT && !history->has_accidents
          && before->health != STM_HEALTH_MISSING)
        g_assert_cmpint (put->health, !=, STM_HEALTH_MISSING);
    }
  run (history, plan);
}

static void
do_delete (History *history)
{
  const StmMoment *picked = pick (world_tree (history->world, "vm"));
  StmDeleteRequest request = { .scope = g_test_rand_int_range (STM_DELETE_ONE,
                                                               STM_DELETE_CHILDREN + 1) };
  g_autoptr (GError) error = NULL;

  if (picked == NULL)
    return;
  g_autoptr (StmPlan)
      plan = world_plan_delete (history->world, "vm", picked->name, request, &error);
  g_assert_no_error (error);
  run (history, plan);
}

static void
do_delete_checkpoint (History *history)
{
  const StmMoment *picked = pick (world_checkpoints (history->world, "vm"));
  StmDeleteRequest request = { .scope = g_test_rand_int_range (STM_DELETE_ONE,
                                                               STM_DELETE_CHILDREN + 1) };
  g_autoptr (GError) error = NULL;

  if (picked == NULL)
    return;
  g_autoptr (StmPlan)
      plan = world_plan_delete_checkpoint (history->world, "vm", picked->name, request, &error);
  g_assert_no_error (error);
  run (history, plan);
}

/* Somebody was killed with an image open, or tampered with the bitmaps of one. */
static void
do_accident (History *history)
{
  g_autoptr (GPtrArray)
      images = stm_model_images (history->world->model, world_domain (history->world, "vm")->id);
  const StmImage *image = images->pdata[g_test_rand_int_range (0, images->len)];
  WorldFile *file = world_get_file (history->world, image->path);
  guint n = file->bitmaps->len;
  guint which = n == 0 ? 0 : g_test_rand_int_range (0, n);

  int kind = g_test_rand_int_range (0, 4);

  g_test_message ("accident %d, %s, bitmap %s", kind, image->path,
                  n == 0 ? "none" : ((WorldBitmap *) file->bitmaps->pdata[which])->name);
  switch (kind)
    {
    case 0:
      world_break_bitmaps (file);
      break;
    case 1:
      if (n > 0)
        g_ptr_array_remove_index (file->bitmaps, which);
      break;
    case 2:
      if (n > 0)
        ((WorldBitmap *) file->bitmaps->pdata[which])->is_recording = FALSE;
      break;
    default:
      if (world_find_bitmap (file, WORLD_FOREIGN) == NULL)
        world_add_bitmap (file, WORLD_FOREIGN);
    }
  world_look (history->world, "vm");
}

static void
play_event (History *history)
{
  int dice = g_test_rand_int_range (0, 100);

  if (history->has_accidents && dice % 20 == 0)
    do_accident (history);
  else if (dice < 30)
    do_write (history);
  else if (dice < 45)
    do_create (history);
  else if (dice < 60)
    do_checkpoint (history);
  else if (dice < 76)
    do_revert (history);
  else if (dice < 90)
    do_delete (history);
  else
    do_delete_checkpoint (history);
  check (history);
}

/* The user has his files back, and no bitmap of ours in them. */
static void
undefine (History *history)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_undefine (history->world, "vm", STM_MOMENTS_DELETE, &error);
  GHashTableIter iter;
  gpointer value;

  g_assert_no_error (error);
  run (history, plan);
  g_hash_table_iter_init (&iter, history->world->files);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    {
      const WorldFile *file = value;

      for (guint i = 0; i < file->bitmaps->len; i++)
        g_assert_true (
            g_str_has_prefix (((WorldBitmap *) file->bitmaps->pdata[i])->name, WORLD_FOREIGN));
    }
  if (!history->has_accidents && !history->has_internal)
    g_assert_cmpuint (g_hash_table_size (history->world->files), ==, N_DISKS);
}

static void
play_history (History history)
{
  g_autoptr (World) world = world_new ();

  history.world = world;
  world->kills_hard = history.has_accidents && g_test_rand_int_range (0, 2) == 0;
  history.records = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  world_define (world, "vm", targets);
  for (guint i = 0; i < N_EVENTS; i++)
    play_event (&history);
  undefine (&history);
  g_hash_table_unref (history.records);
}

static void
test_whole (void)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    play_history ((History){ 0 });
}

static void
test_parts (void)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    play_history ((History){ .has_parts = TRUE });
}

static void
test_accidents (void)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    play_history ((History){ .has_parts = i % 2 == 0, .has_accidents = TRUE });
}

static void
test_internal (void)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    play_history ((History){ .has_parts = i % 2 == 0, .has_internal = TRUE });
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/checkpoint-random/every-record-covers-what-changed-since", test_whole);
  g_test_add_func ("/core/checkpoint-random/also-of-single-disks", test_parts);
  g_test_add_func ("/core/checkpoint-random/what-accidents-spoil-is-known-as-spoilt",
                   test_accidents);
  g_test_add_func ("/core/checkpoint-random/with-internal-snapshots-among-the-others",
                   test_internal);

  return g_test_run ();
}
