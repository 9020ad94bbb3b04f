/* StmPlan as the rows that a Plan... method answers: the contract's words and sentences for people.
 *
 * Only translates; what it says was decided by the planners. Pure, any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-plan.h"

#include "stemma-error.h"

/* A reply must fit the bus's message limit; a plan of more steps is told in part, and says so. */
#define MAX_ROWS 50000

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
      text = g_strdup_printf ("%s: record from now on in bitmap '%s' of %s what is written",
                              step->target, step->name, step->image->path);
      return row_new ("bitmap", step->image->path, step->bytes, text);
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

static void
add_step_rows (const StmPlan *self, GVariantBuilder *rows)
{
  guint n_all = self->steps->len + self->kept->len;

  for (guint i = 0; i < MIN (n_all, MAX_ROWS); i++)
    {
      GVariant *row = i < self->steps->len ? step_to_row (self->steps->pdata[i])
                                           : kept_to_row (self->kept->pdata[i - self->steps->len]);

      g_variant_builder_add_value (rows, row);
    }
  if (n_all > MAX_ROWS)
    {
      g_autofree char *text = g_strdup_printf ("and %u steps more than can be listed here",
                                               n_all - MAX_ROWS);

      g_variant_builder_add_value (rows, row_new ("more", "", 0, text));
    }
}

static void
add_total_rows (const StmPlan *self, GVariantBuilder *rows)
{
  g_autofree char *size = g_format_size_full (self->frees, G_FORMAT_SIZE_IEC_UNITS);
  g_autofree char *frees = g_strdup_printf ("removed files free %s", size);

  g_variant_builder_add_value (rows, row_new ("frees", "", self->frees, frees));
  for (guint i = 0; self->unreachable[i] != NULL && i < MAX_ROWS; i++)
    {
      g_autofree char *text = g_strdup_printf (
          "checkpoint '%s' will be off the chain until its branch is current again",
          self->unreachable[i]);

      g_variant_builder_add_value (rows, row_new ("unreachable", "", 0, text));
    }
  g_variant_builder_add_value (rows,
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
