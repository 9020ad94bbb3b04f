/* StmPlan to and from a variant, the form in which the journal holds it.
 *
 * What is read back decides which files are written and removed, and the database is hostile input
 * like any other: a plan is taken only when every value in it is sound by itself and all fit
 * together. Pure, any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-plan.h"

#include "stm-id.h"

/* More than any operation on a legal domain gives: a step and a kept file for each image. */
#define MAX_STEPS 2000000
#define MAX_KEPT 2000000
#define MAX_UNREACHABLE 1000000
/* The planners stop at 100 layers; a chain found at define time may be longer. */
#define MAX_CHAIN 4096
#define MAX_CHILDREN 4096
#define MAX_BITMAPS 65535 /* as many as a qcow2 image can have */

static const char *const step_words[] = {
  [STM_STEP_TAG] = "tag",       [STM_STEP_GOTO] = "goto",         [STM_STEP_OVERLAY] = "overlay",
  [STM_STEP_BITMAP] = "bitmap", [STM_STEP_COMMIT] = "commit",     [STM_STEP_STREAM] = "stream",
  [STM_STEP_UNTAG] = "untag",   [STM_STEP_UNBITMAP] = "unbitmap", [STM_STEP_UNLINK] = "unlink",
};

#define STEP_FORMAT "(ssmsms^asv@av@avt)"

static GVariant *
images_to_variant (const GPtrArray *images)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("av"));
  for (guint i = 0; i < images->len; i++)
    g_variant_builder_add (&builder, "v", stm_image_to_variant (images->pdata[i]));

  return g_variant_builder_end (&builder);
}

static GVariant *
step_to_variant (const StmStep *step)
{
  return g_variant_new (STEP_FORMAT, step_words[step->kind], step->target, step->name,
                        step->fallback, step->bitmaps, stm_image_to_variant (step->image),
                        images_to_variant (step->chain), images_to_variant (step->children),
                        step->bytes);
}

static GVariant *
steps_to_variant (const StmPlan *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ssmsmsasvavavt)"));
  for (guint i = 0; i < self->steps->len; i++)
    g_variant_builder_add_value (&builder, step_to_variant (self->steps->pdata[i]));

  return g_variant_builder_end (&builder);
}

static GVariant *
kept_to_variant (const StmPlan *self)
{
  GVariantBuilder builder;

  g_variant_builder_init (&builder, G_VARIANT_TYPE ("a(ss)"));
  for (guint i = 0; i < self->kept->len; i++)
    {
      const StmKeptFile *kept = self->kept->pdata[i];

      g_variant_builder_add (&builder, "(ss)", kept->path, kept->why);
    }

  return g_variant_builder_end (&builder);
}

GVariant *
stm_plan_to_variant (const StmPlan *self)
{
  return g_variant_new ("(sssms@a(ssmsmsasvavavt)vvv^ast@a(ss))", self->id,
                        stm_operation_to_word (self->operation), self->domain_id, self->object_id,
                        steps_to_variant (self), stm_change_to_variant (self->begin),
                        stm_change_to_variant (self->finish), stm_change_to_variant (self->undo),
                        self->unreachable, self->frees, kept_to_variant (self));
}

static gboolean
step_kind_from_word (const char *word, StmStepKind *out_kind)
{
  for (guint i = 0; i < G_N_ELEMENTS (step_words); i++)
    if (g_str_equal (word, step_words[i]))
      {
        *out_kind = i;
        return TRUE;
      }

  return FALSE;
}

static GPtrArray *
images_from_variant (GVariant *variant, gsize limit)
{
  g_autoptr (GPtrArray) images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  gsize n = g_variant_n_children (variant);

  if (n > limit)
    return NULL;
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) box = g_variant_get_child_value (variant, i);
      g_autoptr (GVariant) content = g_variant_get_variant (box);
      StmImage *image = stm_image_from_variant (content);

      if (image == NULL)
        return NULL;
      g_ptr_array_add (images, image);
    }

  return g_steal_pointer (&images);
}

/* A chain to work on is whole: each image stands on the next, the last on nothing. */
static gboolean
chain_is_whole (const GPtrArray *chain)
{
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = chain->pdata[i];
      const StmImage *below = i + 1 < chain->len ? chain->pdata[i + 1] : NULL;

      if (g_strcmp0 (image->backing, below == NULL ? NULL : below->path) != 0)
        return FALSE;
    }

  return TRUE;
}

static gboolean
stands_on (const StmImage *image, const GPtrArray *chain, guint position)
{
  const StmImage *below = chain->pdata[position];

  return g_strcmp0 (image->backing, below->path) == 0;
}

static gboolean
is_at (const StmImage *image, const GPtrArray *chain, guint position)
{
  return stm_image_equal (image, chain->pdata[position]);
}

static gboolean
children_stand_on_top (const StmStep *step)
{
  for (guint i = 0; i < step->children->len; i++)
    if (!stands_on (step->children->pdata[i], step->chain, 0))
      return FALSE;

  return TRUE;
}

/* A name in an image that the service may write to. */
static gboolean
is_mark (const StmStep *step)
{
  return step->name != NULL && *step->name != '\0' && step->image->origin != STM_IMAGE_BACKING
         && g_str_equal (step->image->format, "qcow2");
}

/* What is written and removed must be what the planners allow for its kind of step. */
static gboolean
step_is_sound (const StmStep *step)
{
  gboolean is_made = step->image->origin == STM_IMAGE_MADE;

  if (!chain_is_whole (step->chain) || *step->target == '\0')
    return FALSE;
  if (step->kind != STM_STEP_COMMIT && step->children->len > 0)
    return FALSE;

  if (step->kind == STM_STEP_OVERLAY || step->kind == STM_STEP_COMMIT
      || step->kind == STM_STEP_STREAM)
    {
      if (step->name != NULL || step->fallback != NULL)
        return FALSE;
    }
  else if (step->chain->len > 0 || step->bitmaps[0] != NULL)
    return FALSE;

  switch (step->kind)
    {
    case STM_STEP_TAG:
    case STM_STEP_BITMAP:
    case STM_STEP_UNTAG:
    case STM_STEP_UNBITMAP:
      return is_mark (step) && step->fallback == NULL;
    case STM_STEP_GOTO:
      return is_mark (step) && step->fallback != NULL && !g_str_equal (step->fallback, step->name);
    case STM_STEP_OVERLAY:
      return is_made && step->chain->len >= 1 && stands_on (step->image, step->chain, 0);
    case STM_STEP_COMMIT:
      return is_made && step->chain->len >= 2 && is_at (step->image, step->chain, 0)
             && ((StmImage *) step->chain->pdata[1])->origin != STM_IMAGE_BACKING
             && children_stand_on_top (step);
    case STM_STEP_STREAM:
      return is_made && step->chain->len >= 2 && is_at (step->image, step->chain, 1)
             && ((StmImage *) step->chain->pdata[0])->origin != STM_IMAGE_BACKING;
    case STM_STEP_UNLINK:
      return is_made && step->name == NULL && step->fallback == NULL;
    }

  return FALSE;
}

static gboolean
add_step_from_variant (StmPlan *self, GVariant *variant)
{
  const char *word = NULL;
  g_autoptr (GVariant) image_content = NULL;
  g_autoptr (GVariant) chain_content = NULL;
  g_autoptr (GVariant) children_content = NULL;
  g_autoptr (GVariant) bitmaps_content = NULL;
  g_auto (GStrv) bitmaps = NULL;
  StmStep step = { 0 };

  g_variant_get (variant, "(&s&sm&sm&s@asv@av@avt)", &word, &step.target, &step.name,
                 &step.fallback, &bitmaps_content, &image_content, &chain_content,
                 &children_content, &step.bytes);
  g_autoptr (StmImage) image = stm_image_from_variant (image_content);
  g_autoptr (GPtrArray) chain = images_from_variant (chain_content, MAX_CHAIN);
  g_autoptr (GPtrArray) children = images_from_variant (children_content, MAX_CHILDREN);

  if (!step_kind_from_word (word, &step.kind) || image == NULL || chain == NULL || children == NULL)
    return FALSE;
  step.image = image;
  if (g_variant_n_children (bitmaps_content) > MAX_BITMAPS)
    return FALSE;
  step.bitmaps = bitmaps = g_variant_dup_strv (bitmaps_content, /* length= */ NULL);
  step.chain = chain;
  step.children = children;
  if (!step_is_sound (&step))
    return FALSE;
  stm_plan_add_step (self, &step);

  return TRUE;
}

/* The order in which a plan has its steps. */
static guint
act_of (StmStepKind kind)
{
  switch (kind)
    {
    case STM_STEP_TAG:
      return 0;
    case STM_STEP_GOTO:
      return 1;
    case STM_STEP_OVERLAY:
      return 2;
    case STM_STEP_BITMAP:
      return 3;
    case STM_STEP_COMMIT:
    case STM_STEP_STREAM:
      return 4;
    case STM_STEP_UNTAG:
    case STM_STEP_UNBITMAP:
    case STM_STEP_UNLINK:
      return 5;
    }

  return G_MAXUINT;
}

static gboolean
read_steps (StmPlan *self, GVariant *variant)
{
  gsize n = g_variant_n_children (variant);
  guint act = 0;

  if (n > MAX_STEPS)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (variant, i);

      if (!add_step_from_variant (self, child))
        return FALSE;

      const StmStep *step = self->steps->pdata[i];
      if (act_of (step->kind) < act)
        return FALSE;
      act = act_of (step->kind);
    }

  return TRUE;
}

static gboolean
read_kept (StmPlan *self, GVariant *variant)
{
  gsize n = g_variant_n_children (variant);

  if (n > MAX_KEPT)
    return FALSE;
  for (gsize i = 0; i < n; i++)
    {
      const char *path = NULL;
      const char *why = NULL;

      g_variant_get_child (variant, i, "(&s&s)", &path, &why);
      stm_plan_add_kept (self, path, why);
    }

  return TRUE;
}

static gboolean
read_change (GVariant *variant, const char *domain_id, StmChange **inout_change)
{
  g_autoptr (StmChange) change = stm_change_from_variant (variant);

  if (change == NULL || g_strcmp0 (change->domain_id, domain_id) != 0)
    return FALSE;
  stm_change_unref (*inout_change);
  *inout_change = g_steal_pointer (&change);

  return TRUE;
}

static gboolean
read_changes (StmPlan *self, GVariant *variant)
{
  g_autoptr (GVariant) begin_box = g_variant_get_child_value (variant, 5);
  g_autoptr (GVariant) finish_box = g_variant_get_child_value (variant, 6);
  g_autoptr (GVariant) undo_box = g_variant_get_child_value (variant, 7);
  g_autoptr (GVariant) begin = g_variant_get_variant (begin_box);
  g_autoptr (GVariant) finish = g_variant_get_variant (finish_box);
  g_autoptr (GVariant) undo = g_variant_get_variant (undo_box);

  return read_change (begin, self->domain_id, &self->begin)
         && read_change (finish, self->domain_id, &self->finish)
         && read_change (undo, self->domain_id, &self->undo);
}

StmPlan *
stm_plan_from_variant (GVariant *variant)
{
  const char *id = NULL;
  const char *word = NULL;
  const char *domain_id = NULL;
  const char *object_id = NULL;
  g_autoptr (GVariant) steps = NULL;
  g_autoptr (GVariant) unreachable = NULL;
  g_autoptr (GVariant) kept = NULL;
  guint64 frees = 0;
  StmOperation operation = STM_OPERATION_CREATE;

  if (!g_variant_is_of_type (variant, STM_PLAN_TYPE))
    return NULL;
  g_variant_get (variant, "(&s&s&sm&s@a(ssmsmsasvavavt)vvv@ast@a(ss))", &id, &word, &domain_id,
                 &object_id, &steps, /* begin= */ NULL, /* finish= */ NULL, /* undo= */ NULL,
                 &unreachable, &frees, &kept);
  if (!stm_id_is_valid (id) || !stm_id_is_valid (domain_id)
      || (object_id != NULL && !stm_id_is_valid (object_id))
      || !stm_operation_from_word (word, &operation)
      || g_variant_n_children (unreachable) > MAX_UNREACHABLE)
    return NULL;

  g_autoptr (StmPlan) self = stm_plan_new (operation, id, domain_id);
  self->object_id = g_strdup (object_id);
  self->frees = frees;
  g_strfreev (self->unreachable);
  self->unreachable = g_variant_dup_strv (unreachable, /* length= */ NULL);
  if (!read_steps (self, steps) || !read_kept (self, kept) || !read_changes (self, variant))
    return NULL;

  return g_steal_pointer (&self);
}
