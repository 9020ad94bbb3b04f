/* Random histories of a machine with two disks, played on images in memory.
 *
 * What each snapshot holds is noted as bytes when it is taken; after each step of each operation,
 * half done ones too, every snapshot that is to remain must read the same, be it below an overlay
 * or within an image. The seed is printed;
 * give it with --seed to see a history again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-world.h"

#include "stemma-error.h"

#include <string.h>

#define N_HISTORIES 2000
#define N_EVENTS 24

static const char *const targets[] = { "vda", "vdb", NULL };

typedef int Content[WORLD_BLOCKS];

typedef struct
{
  World *world;
  GHashTable *saved;          /* "<moment id> <target>" -> Content */
  GHashTable *forgotten;      /* path -> Content: files of snapshots that only lost their record */
  GHashTable *forgotten_tags; /* the same for those within images: "<path>\n<tag>" */
  Content guest[2];           /* what the machine would read on its disks */
  gboolean forgets;           /* this history knows metadata-only deletions */
  gboolean is_mixed;          /* it knows internal snapshots, alone and mixed with external ones */
  guint n_gotos;              /* reverts that changed an image in place */
  guint n_names;
} History;

static char *
key_of (const StmMoment *moment, const char *target)
{
  return g_strdup_printf ("%s %s", moment->id, target);
}

static void
save (GHashTable *table, char *key, const Content content)
{
  g_hash_table_insert (table, key, g_memdup2 (content, sizeof (Content)));
}

static void
assert_reads (const World *world, const char *path, const Content expected)
{
  Content content;

  world_read (world, path, content);
  g_assert_cmpmem (content, sizeof content, expected, sizeof (Content));
}

static void
assert_tag_reads (const World *world, const char *path, const char *tag, const Content expected)
{
  Content content;

  world_read_tag (world, path, tag, content);
  g_assert_cmpmem (content, sizeof content, expected, sizeof (Content));
}

static void
check_forgotten (const World *world, const History *history)
{
  GHashTableIter iter;
  gpointer key;
  gpointer content;

  g_hash_table_iter_init (&iter, history->forgotten);
  while (g_hash_table_iter_next (&iter, &key, &content))
    assert_reads (world, key, content);
  g_hash_table_iter_init (&iter, history->forgotten_tags);
  while (g_hash_table_iter_next (&iter, &key, &content))
    {
      g_auto (GStrv) parts = g_strsplit (key, "\n", 2);

      assert_tag_reads (world, parts[0], parts[1], content);
    }
}

static void
check_moment (const World *world, const History *history, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      g_autofree char *key = key_of (moment, disk->target);
      const int *content = g_hash_table_lookup (history->saved, key);

      if (disk->mode == STM_MODE_EXTERNAL)
        assert_reads (world, disk->frozen, content);
      else if (disk->mode == STM_MODE_INTERNAL)
        assert_tag_reads (world, disk->frozen, disk->tag, content);
    }
}

static void
check_saved (const World *world, gpointer user_data)
{
  const History *history = user_data;

  check_forgotten (world, history);
  if (stm_model_find_domain (world->model, "vm") == NULL)
    return;

  g_autoptr (GPtrArray) moments = stm_tree_subtree (world_tree (world, "vm"), NULL);
  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (moment->state == STM_STATE_SHUTOFF)
        check_moment (world, history, moment);
    }
}

/* After a deletion no layer is hidden below a disk that could go. One elsewhere may wait until an
 * operation comes by. */
static void
check_thrift (const History *history)
{
  const World *world = history->world;
  const char *id = world_domain (world, "vm")->id;

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GPtrArray) chain = stm_model_chain (world->model, id, targets[i]);

      for (guint j = 1; j < chain->len; j++)
        {
          const StmImage *image = chain->pdata[j];
          g_autoptr (GArray) users = stm_model_image_users (world->model, image->path);
          g_autoptr (GPtrArray) children = stm_model_image_children (world->model, image->path);

          g_assert_true (users->len > 0 || children->len > 1);
        }
    }
}

static void
check (History *history)
{
  const char *id = world_domain (history->world, "vm")->id;
  g_autoptr (GPtrArray) images = stm_model_images (history->world->model, id);

  for (guint i = 0; i < 2; i++)
    assert_reads (history->world, world_disk (history->world, "vm", targets[i])->source,
                  history->guest[i]);
  check_saved (history->world, history);
  world_check (history->world);
  if (!history->forgets)
    g_assert_cmpuint (g_hash_table_size (history->world->files), ==, images->len);
}

static const StmMoment *
pick_moment (const History *history)
{
  g_autoptr (GPtrArray) moments = stm_tree_subtree (world_tree (history->world, "vm"), NULL);

  if (moments->len == 0)
    return NULL;

  return stm_tree_get (world_tree (history->world, "vm"),
                       ((StmMoment *) moments->pdata[g_test_rand_int_range (0, moments->len)])->id);
}

static char *
new_name (History *history)
{
  return g_strdup_printf ("m%u", ++history->n_names);
}

/* The steps up to the first merge, which can all be taken back. */
static guint
count_revocable (const StmPlan *plan)
{
  guint n = 0;

  while (n < plan->steps->len && ((StmStep *) plan->steps->pdata[n])->kind <= STM_STEP_BITMAP)
    n++;

  return n;
}

/* Sometimes it is taken back first: then nothing may have changed. */
static void
run (History *history, const StmPlan *plan)
{
  if (g_test_rand_int_range (0, 4) == 0)
    {
      world_undo (history->world, plan, g_test_rand_int_range (0, count_revocable (plan) + 1));
      check (history);
    }
  world_run (history->world, plan, check_saved, history);
}

static void
do_write (History *history)
{
  guint disk = g_test_rand_int_range (0, 2);
  int block = g_test_rand_int_range (0, WORLD_BLOCKS);
  int value = g_test_rand_int_range (1, 1000);

  world_write (history->world, "vm", targets[disk], block, value);
  history->guest[disk][block] = value;
}

static void
do_create (History *history)
{
  const char *const some[] = { targets[g_test_rand_int_range (0, 2)], NULL };
  const StmDiskMode modes[] = { STM_MODE_EXTERNAL, STM_MODE_INTERNAL, STM_MODE_INTERNAL };
  const StmDiskChoice choice = { .target = targets[g_test_rand_int_range (0, 2)],
                                 .mode = modes[g_test_rand_int_range (0, 3)] };
  g_autofree char *name = new_name (history);
  StmCreateRequest request = { .name = name,
                               .disks = g_test_rand_int_range (0, 4) == 0 ? some : NULL,
                               .mode = history->is_mixed ? modes[g_test_rand_int_range (0, 3)]
                                                         : STM_MODE_NONE,
                               .choices = &choice,
                               .n_choices = history->is_mixed && g_test_rand_bit () ? 1 : 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_create (history->world, "vm", &request, &error);

  g_assert_no_error (error);
  for (guint i = 0; i < 2; i++)
    save (history->saved, g_strdup_printf ("%s %s", plan->object_id, targets[i]),
          history->guest[i]);
  run (history, plan);
}

static gboolean
is_saved_somewhere (const History *history, const char *target, const Content content)
{
  g_autoptr (GPtrArray) moments = stm_tree_subtree (world_tree (history->world, "vm"), NULL);

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];
      const StmMomentDisk *disk = stm_moment_find_disk (moment, target);
      g_autofree char *key = key_of (moment, target);

      if (disk->mode != STM_MODE_NONE
          && memcmp (g_hash_table_lookup (history->saved, key), content, sizeof (Content)) == 0)
        return TRUE;
    }

  return FALSE;
}

/* The machine now reads what the snapshot holds. Without a word from the client nothing may have
 * been lost by that. */
static void
go_back (History *history, const StmMoment *target, gboolean was_asked)
{
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *key = key_of (target, targets[i]);

      if (stm_moment_find_disk (target, targets[i])->mode == STM_MODE_NONE)
        continue;
      g_assert_true (was_asked || is_saved_somewhere (history, targets[i], history->guest[i]));
      memcpy (history->guest[i], g_hash_table_lookup (history->saved, key), sizeof (Content));
    }
}

/* Going to an internal snapshot may be refused for what stands on its image; and an image with
 * something that was forgotten can be neither changed nor dropped. */
static void
check_refusal (const History *history, const StmMoment *target, int choice, const GError *error)
{
  gboolean is_internal = FALSE;

  for (gsize i = 0; i < target->n_disks; i++)
    is_internal |= target->disks[i].mode == STM_MODE_INTERNAL;
  if (is_internal && g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_HAS_MOMENTS))
    return;
  if (history->is_mixed && (is_internal || history->forgets)
      && g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE))
    return;
  if (is_internal && history->forgets
      && g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED))
    return;
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE);
  g_assert_cmpint (choice, ==, 0);
}

static void
do_revert (History *history)
{
  const StmMoment *picked = pick_moment (history);
  g_autofree char *name = new_name (history);
  int choice = g_test_rand_int_range (0, 3);
  StmRevertRequest request = { .keep = choice == 1 ? name : NULL, .discards = choice == 2 };
  g_autoptr (GError) error = NULL;

  if (picked == NULL)
    return;
  g_autoptr (StmMoment) target = stm_moment_ref (picked);
  g_autoptr (StmPlan)
      plan = world_plan_revert (history->world, "vm", target->name, request, &error);
  if (plan == NULL)
    {
      check_refusal (history, target, choice, error);
      return;
    }
  history->n_gotos += stm_plan_n_steps_of (plan, STM_STEP_GOTO);

  for (guint i = 0; choice == 1 && i < 2; i++)
    {
      const StmMoment *kept = plan->begin->put_moments->pdata[0];

      save (history->saved, key_of (kept, targets[i]), history->guest[i]);
    }
  run (history, plan);
  go_back (history, target, choice != 0);
  g_assert_cmpstr (stm_tree_current (world_tree (history->world, "vm")), ==, target->id);
}

/* The files of what loses only its record must read the same for ever. */
static void
note_forgotten (History *history, const StmPlan *plan)
{
  for (guint i = 0; i < plan->finish->removed_moments->len; i++)
    {
      const char *id = plan->finish->removed_moments->pdata[i];
      const StmMoment *moment = stm_tree_get (world_tree (history->world, "vm"), id);

      for (gsize j = 0; j < moment->n_disks; j++)
        {
          g_autofree char *key = key_of (moment, moment->disks[j].target);

          if (moment->disks[j].mode == STM_MODE_EXTERNAL)
            save (history->forgotten, g_strdup (moment->disks[j].frozen),
                  g_hash_table_lookup (history->saved, key));
          if (moment->disks[j].mode == STM_MODE_INTERNAL)
            save (history->forgotten_tags,
                  g_strconcat (moment->disks[j].frozen, "\n", moment->disks[j].tag, NULL),
                  g_hash_table_lookup (history->saved, key));
        }
    }
}

static void
do_delete (History *history)
{
  const StmMoment *picked = pick_moment (history);
  StmDeleteRequest request = {
    .scope = g_test_rand_int_range (STM_DELETE_ONE, STM_DELETE_CHILDREN + 1),
    .metadata_only = history->forgets && g_test_rand_int_range (0, 3) == 0
  };
  g_autoptr (GError) error = NULL;

  if (picked == NULL)
    return;
  g_autoptr (StmPlan)
      plan = world_plan_delete (history->world, "vm", picked->name, request, &error);
  g_assert_no_error (error);
  if (request.metadata_only)
    note_forgotten (history, plan);
  run (history, plan);
  /* Internal snapshots, also those that go with the operation, keep images from being merged. */
  if (!history->forgets && !history->is_mixed && plan->finish->removed_moments->len > 0)
    check_thrift (history);
}

static gboolean
holds_somewhere (const World *world, const Content content)
{
  GHashTableIter iter;
  gpointer path;
  Content found;

  g_hash_table_iter_init (&iter, world->files);
  while (g_hash_table_iter_next (&iter, &path, NULL))
    {
      world_read (world, path, found);
      if (memcmp (found, content, sizeof (Content)) == 0)
        return TRUE;
    }

  return FALSE;
}

static void
undefine (History *history)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = world_plan_undefine (history->world, "vm", STM_MOMENTS_DELETE, &error);

  g_assert_no_error (error);
  run (history, plan);
  g_assert_null (stm_model_find_domain (history->world->model, "vm"));
  check_saved (history->world, history);
  for (guint i = 0; i < 2; i++)
    g_assert_true (holds_somewhere (history->world, history->guest[i]));
  /* Without strangers every layer could go: the user has his two files back. */
  if (!history->forgets && !history->is_mixed)
    g_assert_cmpuint (g_hash_table_size (history->world->files), ==, 2);
}

static void
play_event (History *history)
{
  int dice = g_test_rand_int_range (0, 100);

  if (dice < 35)
    do_write (history);
  else if (dice < 60)
    do_create (history);
  else if (dice < 80)
    do_revert (history);
  else
    do_delete (history);
  check (history);
}

/* How often an image was changed in place. */
static guint
play_history (gboolean forgets, gboolean is_mixed)
{
  g_autoptr (World) world = world_new ();
  History history = { .world = world, .forgets = forgets, .is_mixed = is_mixed };

  history.saved = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  history.forgotten = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  history.forgotten_tags = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  world_define (world, "vm", targets);
  for (guint i = 0; i < N_EVENTS; i++)
    play_event (&history);
  undefine (&history);
  g_hash_table_unref (history.saved);
  g_hash_table_unref (history.forgotten);
  g_hash_table_unref (history.forgotten_tags);

  return history.n_gotos;
}

static void
test_histories (void)
{
  for (guint i = 0; i < N_HISTORIES; i++)
    play_history (/* forgets= */ FALSE, /* is_mixed= */ FALSE);
}

static void
test_histories_with_forgetting (void)
{
  for (guint i = 0; i < N_HISTORIES / 3; i++)
    play_history (/* forgets= */ TRUE, /* is_mixed= */ FALSE);
}

static void
test_mixed_histories (void)
{
  guint n_gotos = 0;

  for (guint i = 0; i < N_HISTORIES; i++)
    n_gotos += play_history (/* forgets= */ FALSE, /* is_mixed= */ TRUE);
  g_assert_cmpuint (n_gotos, >, N_HISTORIES / 4);
}

static void
test_mixed_histories_with_forgetting (void)
{
  for (guint i = 0; i < N_HISTORIES / 3; i++)
    play_history (/* forgets= */ TRUE, /* is_mixed= */ TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/plan-random/every-remaining-snapshot-stays-bit-identical",
                   test_histories);
  g_test_add_func ("/core/plan-random/forgotten-snapshots-stay-bit-identical-too",
                   test_histories_with_forgetting);
  g_test_add_func ("/core/plan-random/internal-and-mixed-snapshots-stay-bit-identical",
                   test_mixed_histories);
  g_test_add_func ("/core/plan-random/forgotten-internal-snapshots-stay-bit-identical-too",
                   test_mixed_histories_with_forgetting);

  return g_test_run ();
}
