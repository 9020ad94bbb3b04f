/* StmPlan as the rows that a Plan... method answers: the contract's words and sentences for people.
 *
 * Only translates; what it says was decided by the planners. Pure, any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-plan.h"

#include "stemma-error.h"

/* A reply must fit the bus's message limit, 32 MiB, however long the paths are; a plan of more
 * steps is told in part, and says so. */
#define MAX_ROWS 50000
#define MAX_ROW_BYTES ((gsize) 12 * 1024 * 1024) /* of the steps, and again of the checkpoints */
/* What a row takes in a message beyond its size as a value, at most: alignment and lengths. */
#define ROW_OVERHEAD 96

static GVariant *
row_new (const char *step, const char *path, guint64 bytes, const char *text)
{
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "step", g_variant_new_string (step));
  g_variant_builder_add (&row, "{sv}", "path", g_variant_new_string (path));
  g_variant_builder_add (&row, "{sv}", "bytes", g_variant_new_uint64 (bytes));
  g_variant_builder_add (&row, "{sv}", "text", g_variant_new_string (text));

  return g_variant_builder_end (&row);
}

static const char *
chain_path (const StmStep *step, guint position)
{
  const StmImage *image = step->chain->pdata[position];

  return image->path;
}

static char *
commit_text (const StmStep *step, const char *size)
{
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_printf (text, "%s: move up to %s of data down from %s into %s, which takes its place",
                   step->target, size, chain_path (step, 0), chain_path (step, 1));
  if (step->children->len == 1)
    g_string_append_printf (text, "; %s then stands on %s",
                            ((StmImage *) step->children->pdata[0])->path, chain_path (step, 1));
  else if (step->children->len > 1)
    g_string_append_printf (text, "; the %u images above then stand on %s", step->children->len,
                            chain_path (step, 1));

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static char *
stream_text (const StmStep *step, const char *size)
{
  const char *below = step->chain->len > 2 ? chain_path (step, 2) : "no other image";

  return g_strdup_printf ("%s: copy up to %s of data up from %s into %s, which then stands on %s",
                          step->target, size, chain_path (step, 1), chain_path (step, 0), below);
}

static GVariant *
bitmap_to_row (const StmStep *step, const char *bitmap)
{
  g_autofree char *text = g_strdup_printf (
      "%s: record from now on in bitmap '%s' of %s what is written", step->target, bitmap,
      step->image->path);

  return row_new ("bitmap", step->image->path, step->bytes, text);
}

static GVariant *
step_to_row (const StmStep *step)
{
  g_autofree char *size = g_format_size_full (step->bytes, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *text = NULL;

  switch (step->kind)
    {
    case STM_STEP_TAG:
      text = g_strdup_printf ("%s: keep the present state as internal snapshot '%s' in %s",
                              step->target, step->name, step->image->path);
      return row_new ("tag", step->image->path, step->bytes, text);
    case STM_STEP_GOTO:
      text = g_strdup_printf ("%s: bring %s to its internal snapshot '%s'", step->target,
                              step->image->path, step->name);
      return row_new ("goto", step->image->path, step->bytes, text);
    case STM_STEP_BITMAP:
      return bitmap_to_row (step, step->name);
    case STM_STEP_UNTAG:
      text = g_strdup_printf ("%s: remove the internal snapshot '%s' from %s", step->target,
                              step->name, step->image->path);
      return row_new ("untag", step->image->path, step->bytes, text);
    case STM_STEP_UNBITMAP:
      text = g_strdup_printf ("%s: remove the bitmap '%s' from %s", step->target, step->name,
                              step->image->path);
      return row_new ("unbitmap", step->image->path, step->bytes, text);
    case STM_STEP_OVERLAY:
      text = g_strdup_printf ("%s: make %s, an empty image over %s, and write there from now on",
                              step->target, step->image->path, chain_path (step, 0));
      return row_new ("overlay", step->image->path, step->bytes, text);
    case STM_STEP_COMMIT:
      text = commit_text (step, size);
      return row_new ("commit", chain_path (step, 1), step->bytes, text);
    case STM_STEP_STREAM:
      text = stream_text (step, size);
      return row_new ("stream", chain_path (step, 0), step->bytes, text);
    case STM_STEP_UNLINK:
      text = g_strdup_printf ("%s: remove the file %s, which nothing needs any more; frees %s",
                              step->target, step->image->path, size);
      return row_new ("unlink", step->image->path, step->bytes, text);
    }

  g_return_val_if_reached (NULL);
}

static GVariant *
kept_to_row (const StmKeptFile *kept)
{
  g_autofree char *text = g_strdup_printf ("leave the file %s in place: %s", kept->path, kept->why);

  return row_new ("keep-hidden", kept->path, 0, text);
}

/* The rows of one part of the reply, as many as fit. */
typedef struct
{
  GVariantBuilder *builder;
  guint n_rows;
  gsize n_bytes;
  gboolean is_full;
} Rows;

static void
rows_add (Rows *self, GVariant *floating_row)
{
  g_autoptr (GVariant) row = g_variant_ref_sink (floating_row);
  gsize size = g_variant_get_size (row) + ROW_OVERHEAD;

  if (self->is_full || self->n_rows == MAX_ROWS || self->n_bytes + size > MAX_ROW_BYTES)
    {
      self->is_full = TRUE;
      return;
    }

  g_variant_builder_add_value (self->builder, row);
  self->n_rows++;
  self->n_bytes += size;
}

/* A checkpoint that is begun in a new overlay needs no step of its own. */
static void
add_begun (const StmPlan *self, const StmStep *step, Rows *rows)
{
  for (guint i = 0; step->kind == STM_STEP_OVERLAY && i < self->begin->put_moments->len; i++)
    {
      const StmMoment *moment = self->begin->put_moments->pdata[i];
      const StmMomentDisk *disk = moment->kind == STM_MOMENT_CHECKPOINT
                                          && moment->state == STM_STATE_CREATING
                                      ? stm_moment_find_disk (moment, step->target)
                                      : NULL;

      if (disk != NULL && disk->mode == STM_MODE_BITMAP
          && g_strv_contains ((const char *const *) step->bitmaps, disk->bitmap))
        rows_add (rows, bitmap_to_row (step, disk->bitmap));
    }
}

static void
add_step_rows (const StmPlan *self, GVariantBuilder *builder)
{
  guint n_all = self->steps->len + self->kept->len;
  Rows rows = { .builder = builder };
  guint n_told = 0;

  while (n_told < n_all)
    {
      const StmStep *step = n_told < self->steps->len ? self->steps->pdata[n_told] : NULL;

      rows_add (&rows, step != NULL ? step_to_row (step)
                                    : kept_to_row (self->kept->pdata[n_told - self->steps->len]));
      if (rows.is_full)
        break;
      n_told++;
      if (step != NULL)
        add_begun (self, step, &rows);
    }
  if (n_told < n_all)
    {
      g_autofree char *text = g_strdup_printf ("and %u step%s more than can be listed here",
                                               n_all - n_told, n_all - n_told == 1 ? "" : "s");

      g_variant_builder_add_value (builder, row_new ("more", "", 0, text));
    }
}

/* Names of the checkpoints whose bitmaps go with the images that go. Borrowed from the plan. */
static GHashTable *
list_lost (const StmPlan *self)
{
  GHashTable *lost = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < self->finish->put_moments->len; i++)
    {
      const StmMoment *moment = self->finish->put_moments->pdata[i];

      if (moment->kind == STM_MOMENT_CHECKPOINT && moment->health == STM_HEALTH_MISSING)
        g_hash_table_add (lost, (char *) moment->name);
    }

  return lost;
}

static void
add_unreachable_rows (const StmPlan *self, GVariantBuilder *builder)
{
  g_autoptr (GHashTable) lost = list_lost (self);
  Rows rows = { .builder = builder };

  for (guint i = 0; self->unreachable[i] != NULL && !rows.is_full; i++)
    {
      const char *what = g_hash_table_contains (lost, self->unreachable[i])
                             ? "will be lost: what it recorded goes with an image that goes"
                             : "will be off the chain until its branch is current again";
      g_autofree char *text = g_strdup_printf ("checkpoint '%s' %s", self->unreachable[i], what);

      rows_add (&rows, row_new ("unreachable", "", 0, text));
    }
}

static void
add_total_rows (const StmPlan *self, GVariantBuilder *builder)
{
  g_autofree char *size = g_format_size_full (self->frees, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *frees = g_strdup_printf ("removed files free %s", size);

  g_variant_builder_add_value (builder, row_new ("frees", "", self->frees, frees));
  add_unreachable_rows (self, builder);
  g_variant_builder_add_value (builder,
                               row_new ("pause-ms", "", 0, "the machine is off: nothing pauses"));
}

GVariant *
stm_plan_to_rows (const StmPlan *self)
{
  GVariantBuilder rows;

  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  add_step_rows (self, &rows);
  add_total_rows (self, &rows);

  return g_variant_builder_end (&rows);
}

GVariant *
stm_plan_refusal_to_rows (const GError *refusal)
{
  gboolean is_ours = refusal->domain == STEMMA_ERROR && refusal->code >= 0
                     && refusal->code < STEMMA_N_ERRORS;
  const char *name = stemma_error_to_name (is_ours ? refusal->code : STEMMA_ERROR_FAILED);
  GVariantBuilder rows;
  GVariantBuilder row;

  g_variant_builder_init (&row, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&row, "{sv}", "step", g_variant_new_string ("blocked"));
  g_variant_builder_add (&row, "{sv}", "path", g_variant_new_string (""));
  g_variant_builder_add (&row, "{sv}", "bytes", g_variant_new_uint64 (0));
  g_variant_builder_add (&row, "{sv}", "text", g_variant_new_string (refusal->message));
  g_variant_builder_add (&row, "{sv}", "error", g_variant_new_string (name));
  g_variant_builder_init (&rows, G_VARIANT_TYPE ("aa{sv}"));
  g_variant_builder_add_value (&rows, g_variant_builder_end (&row));

  return g_variant_builder_end (&rows);
}
