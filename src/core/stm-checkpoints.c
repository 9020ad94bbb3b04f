/* How a checkpoint comes to be, and how its bitmaps go on into new images.
 *
 * Called by the planners of checkpoints and snapshots, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-checkpoints.h"

#include "stemma-error.h"
#include "stm-leaf-index.h"
#include "stm-planner-shared.h"
#include "stm-sound.h"

#include <string.h>

#define MAX_SUFFIX 100000
/* Leaves that a refusal names. */
#define MAX_NAMED 8

/* --- bitmaps --- */

gboolean
stm_bitmap_is_in_order (const StmBitmapFacts *bitmap)
{
  return bitmap->is_recording && !bitmap->is_broken;
}

static void
add_bitmap (StmStep *step, const char *name)
{
  guint n = g_strv_length (step->bitmaps);

  step->bitmaps = g_renew (char *, step->bitmaps, n + 2);
  step->bitmaps[n] = g_strdup (name);
  step->bitmaps[n + 1] = NULL;
}

static void
carry (StmStep *step, const StmFacts *covered)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();

  for (guint i = 0; i < covered->bitmaps->len; i++)
    {
      const StmBitmapFacts *bitmap = covered->bitmaps->pdata[i];

      if (stm_bitmap_is_in_order (bitmap))
        g_strv_builder_add (names, bitmap->name);
    }
  g_strfreev (step->bitmaps);
  step->bitmaps = g_strv_builder_end (names);
}

void
stm_checkpoints_carry (StmPlan *plan, const StmSurvey *survey)
{
  for (guint i = 0; i < plan->steps->len; i++)
    {
      StmStep *step = plan->steps->pdata[i];
      const StmFacts *covered = step->kind == STM_STEP_OVERLAY
                                    ? stm_survey_get (survey, step->image->backing)
                                    : NULL;

      if (covered != NULL)
        carry (step, covered);
    }
}

/* --- sets --- */

void
stm_checkpoints_begun_in (const StmModel *model, const char *domain_id, const char *path,
                          GHashTable *checkpoints)
{
  g_autoptr (GPtrArray) found = stm_model_checkpoints_at (model, domain_id, path);

  for (guint i = 0; i < found->len; i++)
    g_hash_table_add (checkpoints, found->pdata[i]);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 ((*(StmMoment *const *) a)->name, (*(StmMoment *const *) b)->name);
}

GPtrArray *
stm_checkpoints_sort (GHashTable *checkpoints)
{
  GPtrArray *sorted = g_ptr_array_sized_new (g_hash_table_size (checkpoints));
  GHashTableIter iter;
  gpointer checkpoint;

  g_hash_table_iter_init (&iter, checkpoints);
  while (g_hash_table_iter_next (&iter, &checkpoint, NULL))
    g_ptr_array_add (sorted, checkpoint);
  g_ptr_array_sort (sorted, compare_names);

  return sorted;
}

void
stm_checkpoints_tell (StmPlan *plan, const char *name)
{
  guint n = g_strv_length (plan->unreachable);

  plan->unreachable = g_renew (char *, plan->unreachable, n + 2);
  plan->unreachable[n] = g_strdup (name);
  plan->unreachable[n + 1] = NULL;
}

/* --- names --- */

static gboolean
refuse_name (const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "this cannot be the name of a checkpoint: it %s; a name is made of letters, digits, "
               "'_', '-' and '.', and does not begin with a '.'",
               why);
  return FALSE;
}

gboolean
stm_checkpoint_name_check (const char *name, GError **error)
{
  if (*name == '\0')
    return refuse_name ("is empty", error);
  if (strnlen (name, STM_WORD_MAX + 1) > STM_WORD_MAX)
    return refuse_name ("is longer than 255 bytes", error);
  if (*name == '.')
    return refuse_name ("begins with a '.'", error);
  if (stm_bitmap_name_is_drivers (name))
    return refuse_name ("begins with '" STM_DRIVER_BITMAP_PREFIX "', which is the service's",
                        error);
  for (const char *p = name; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr ("_-.", *p) == NULL)
      return refuse_name ("has a character that is not allowed", error);

  return TRUE;
}

static char *
choose_name (const StmModel *model, const StmDomain *domain, const char *wanted, gint64 now,
             GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_CHECKPOINT);

  if (*wanted == '\0')
    return stm_naming_moment (tree, wanted, now, error);
  if (!stm_checkpoint_name_check (wanted, error))
    return NULL;
  if (stm_tree_find (tree, wanted) == NULL)
    return g_strdup (wanted);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "domain '%s' has a checkpoint '%s' already: choose another name", domain->name,
               wanted);
  return NULL;
}

static gboolean
is_bitmap_taken (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                 const StmCheckpointStart *start, const char *name)
{
  g_autoptr (GPtrArray)
      sharers = stm_model_bitmap_sharers (model, domain_id, start->disk->target, name);

  for (guint i = 0; i < start->chain->len; i++)
    {
      const StmFacts *facts = stm_survey_get (survey, ((StmImage *) start->chain->pdata[i])->path);

      if (facts != NULL && stm_facts_find_bitmap (facts, name) != NULL)
        return TRUE;
    }

  return sharers->len > 0;
}

/* One name for all disks. It must be new in the whole of each chain, or else what was recorded
 * before would count; and in all other branches, whose images may be merged with these one day. */
static char *
choose_bitmap (const StmModel *model, const StmSurvey *survey, const char *domain_id,
               const char *name, const GArray *starts, GError **error)
{
  for (guint n = 1; n <= MAX_SUFFIX; n++)
    {
      g_autofree char *suffix = n == 1 ? g_strdup ("") : g_strdup_printf ("-%u", n);
      g_autofree char *bitmap = g_strdup_printf ("%.*s%s", (int) (STM_WORD_MAX - strlen (suffix)),
                                                 name, suffix);
      gboolean is_taken = FALSE;

      for (guint i = 0; i < starts->len && !is_taken; i++)
        is_taken = is_bitmap_taken (model, survey, domain_id,
                                    &g_array_index (starts, StmCheckpointStart, i), bitmap);
      if (!is_taken)
        return g_steal_pointer (&bitmap);
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "all names for bitmaps made of '%s' are taken: choose another name", name);

  return NULL;
}

/* --- the parent --- */

static gboolean
refuse_ambiguity (const StmModel *model, const StmDomain *domain, guint n_leaves, GError **error)
{
  g_autoptr (GPtrArray) leaves = stm_model_leaves (model, domain->id, MAX_NAMED);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < leaves->len; i++)
    g_string_append_printf (names, "%s'%s'", i > 0 ? ", " : "",
                            ((StmMoment *) leaves->pdata[i])->name);
  if (n_leaves > leaves->len)
    g_string_append_printf (names, " and %u more", n_leaves - leaves->len);
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_AMBIGUOUS_PARENT,
               "a new checkpoint of domain '%s' could stand on any of %s: name one of them with "
               "the option 'parent' of Checkpoints.Create",
               domain->name, names->str);

  return FALSE;
}

/* *out_parent is an id, borrowed, or NULL for a root. */
static gboolean
choose_parent (const StmModel *model, const StmDomain *domain, const char *wanted,
               const char **out_parent, GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_CHECKPOINT);
  guint n_leaves = 0;

  if (wanted == NULL)
    {
      *out_parent = stm_model_lone_leaf (model, domain->id, &n_leaves);
      return n_leaves <= 1 || refuse_ambiguity (model, domain, n_leaves, error);
    }

  const StmMoment *parent = stm_tree_get (tree, wanted);
  if (parent == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "domain '%s' has no checkpoint with the id %s to be the parent of a new one",
                   domain->name, wanted);
      return FALSE;
    }
  if (!stm_checkpoint_is_reachable (parent))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "no checkpoint can be made on '%s' of domain '%s', it is %s: name one that is "
                   "reachable, or leave out the option 'parent'",
                   parent->name, domain->name, stm_health_to_word (parent->health));
      return FALSE;
    }
  *out_parent = parent->id;

  return TRUE;
}

/* --- making --- */

gboolean
stm_checkpoints_check (const StmModel *model, const StmDomain *domain,
                       const StmCheckpointWish *wish, GError **error)
{
  const StmTree *tree = stm_model_tree (model, domain->id, STM_MOMENT_CHECKPOINT);
  g_autofree char *name = choose_name (model, domain, wish->name, /* now= */ 0, error);
  const char *parent = NULL;

  if (name == NULL || !choose_parent (model, domain, wish->parent_id, &parent, error))
    return FALSE;
  if (stm_tree_count (tree) < STM_MAX_MOMENTS)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
               "domain '%s' has %u checkpoints, which is the limit: delete some first",
               domain->name, stm_tree_count (tree));
  return FALSE;
}

static gboolean
check_bitmap_room (const StmSurvey *survey, const StmCheckpointStart *start, GError **error)
{
  const StmFacts *facts = stm_survey_get (survey, start->home->path);
  guint n = start->overlay != NULL ? g_strv_length (start->overlay->bitmaps)
            : facts != NULL        ? facts->bitmaps->len
                                   : 0;

  if (n < STM_MAX_BITMAPS)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
               "image %s of disk '%s' has %u bitmaps, and more than %d slow down every write: "
               "delete checkpoints first",
               start->home->path, start->disk->target, n, STM_MAX_BITMAPS);
  return FALSE;
}

static gboolean
add_starts (const StmSurvey *survey, const GArray *starts, const char *bitmap, StmPlan *plan,
            GError **error)
{
  for (guint i = 0; i < starts->len; i++)
    {
      const StmCheckpointStart *start = &g_array_index (starts, StmCheckpointStart, i);

      if (!check_bitmap_room (survey, start, error))
        return FALSE;
      if (start->overlay != NULL)
        add_bitmap (start->overlay, bitmap);
      else
        stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_BITMAP,
                                             .target = start->disk->target,
                                             .image = start->home,
                                             .name = bitmap });
    }

  return TRUE;
}

static StmMomentDisk *
list_disks (const StmDomain *domain, const GArray *starts, const char *bitmap)
{
  StmMomentDisk *disks = g_new0 (StmMomentDisk, domain->n_disks);

  for (gsize i = 0; i < domain->n_disks; i++)
    disks[i].target = domain->disks[i].target;
  for (guint i = 0; i < starts->len; i++)
    {
      const StmCheckpointStart *start = &g_array_index (starts, StmCheckpointStart, i);
      StmMomentDisk *disk = &disks[start->disk - domain->disks];

      disk->mode = STM_MODE_BITMAP;
      disk->frozen = start->home->path;
      disk->format = start->home->format;
      disk->bitmap = bitmap;
    }

  return disks;
}

/* An overlay that is to be made has no record yet: until it has, the checkpoint in the making names
 * the image that it covers, which is where it would have to be looked for. */
static StmMoment *
while_creating (const StmMoment *moment, const StmDomain *domain, const GArray *starts)
{
  g_autofree StmMomentDisk *disks = g_memdup2 (moment->disks, moment->n_disks * sizeof *disks);

  for (guint i = 0; i < starts->len; i++)
    {
      const StmCheckpointStart *start = &g_array_index (starts, StmCheckpointStart, i);

      if (start->overlay != NULL)
        disks[start->disk - domain->disks].frozen = start->overlay->image->backing;
    }

  return stm_moment_with_disks (moment, disks, moment->n_disks);
}

gboolean
stm_checkpoints_begin (const StmModel *model, const StmSurvey *survey, const StmDomain *domain,
                       const StmCheckpointWish *wish, const char *id, gint64 now,
                       const GArray *starts, StmPlan *plan, GError **error)
{
  g_autofree char *name = choose_name (model, domain, wish->name, now, error);
  const char *parent = NULL;

  if (name == NULL || !choose_parent (model, domain, wish->parent_id, &parent, error))
    return FALSE;

  g_autofree char *bitmap = choose_bitmap (model, survey, domain->id, name, starts, error);
  if (bitmap == NULL || !add_starts (survey, starts, bitmap, plan, error))
    return FALSE;

  g_autofree StmMomentDisk *disks = list_disks (domain, starts, bitmap);
  g_autoptr (StmMoment) done = stm_moment_new (&(StmMoment){
      .kind = STM_MOMENT_CHECKPOINT,
      .id = id,
      .name = name,
      .parent = parent,
      .description = wish->description != NULL ? wish->description : "",
      .created = now,
      .state = STM_STATE_SHUTOFF,
      .health = STM_HEALTH_OK,
      .definition = domain->definition,
      .disks = disks,
      .n_disks = domain->n_disks,
  });
  if (!stm_moment_is_sound (done, error))
    return FALSE;

  g_autoptr (StmMoment)
      creating = stm_moment_with_state (done, STM_STATE_CREATING, STM_HEALTH_CREATING);
  g_autoptr (StmMoment) begun = while_creating (creating, domain, starts);
  stm_change_put_moment (plan->begin, begun);
  stm_change_remove_moment (plan->undo, id);
  stm_change_put_moment (plan->finish, done);

  return TRUE;
}

/* --- with a snapshot --- */

gboolean
stm_checkpoints_check_beside (const StmModel *model, const StmDomain *domain,
                              const StmCreateRequest *request, GError **error)
{
  const StmCheckpointWish wish = { .name = request->checkpoint };

  return request->checkpoint == NULL || stm_checkpoints_check (model, domain, &wish, error);
}

static gboolean
refuse_no_start (const StmDomain *domain, const char *target, GError **error)
{
  g_set_error (
      error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
      "a checkpoint cannot begin on disk '%s' of domain '%s' with this snapshot: its image "
      "is not qcow2; take the disk with the mode 'external', or make the checkpoint "
      "without it",
      target, domain->name);
  return FALSE;
}

static void
clear_start (gpointer data)
{
  g_clear_pointer (&((StmCheckpointStart *) data)->chain, g_ptr_array_unref);
}

/* On each disk of the snapshot: in its new overlay, or in the image that gets the tag. */
static GArray *
list_starts (const StmModel *model, const StmDomain *domain, const StmPlan *plan, GError **error)
{
  g_autoptr (GArray) starts = g_array_new (FALSE, FALSE, sizeof (StmCheckpointStart));

  g_array_set_clear_func (starts, clear_start);
  for (guint i = 0; i < plan->steps->len; i++)
    {
      StmStep *step = plan->steps->pdata[i];
      gboolean is_overlay = step->kind == STM_STEP_OVERLAY;
      StmCheckpointStart start = {
        .disk = stm_domain_find_disk (domain, step->target),
        .home = step->image,
        .overlay = is_overlay ? step : NULL,
      };

      if (!is_overlay && step->kind != STM_STEP_TAG)
        continue;
      if (!g_str_equal (step->image->format, "qcow2"))
        {
          refuse_no_start (domain, step->target, error);
          return NULL;
        }
      start.chain = is_overlay ? g_ptr_array_ref (step->chain)
                               : stm_model_chain_from (model, domain->id, step->image->path);
      g_array_append_val (starts, start);
    }

  return g_steal_pointer (&starts);
}

gboolean
stm_checkpoints_begin_beside (const StmModel *model, const StmSurvey *survey,
                              const StmDomain *domain, const StmCreateRequest *request,
                              const StmPlanContext *context, StmPlan *plan, GError **error)
{
  const StmCheckpointWish wish = { .name = request->checkpoint };

  stm_checkpoints_carry (plan, survey);
  if (request->checkpoint == NULL)
    return TRUE;

  g_autoptr (GArray) starts = list_starts (model, domain, plan, error);
  if (starts == NULL)
    return FALSE;

  return stm_checkpoints_begin (model, survey, domain, &wish, context->second_id, context->now,
                                starts, plan, error);
}
