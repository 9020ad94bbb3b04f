/* Rewrites the plans in the journal when the type of plans has changed.
 *
 * By the thread that opens the store, as part of an upgrade. Knows the old types and the new one as
 * types of variants only: whether a plan is sound is judged by core/ when the journal is read.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-schema-plans.h"

#include "stm-moment.h"

#define MOMENT_1 "(ussmssxuumsa(sumsmsmsmsms))"
#define CHANGE_1 "(sm(sssssa(sumssbbu)as)bmsa" MOMENT_1 "asumsa(ssusmsut)as)"
#define PLAN_1 "(sssmsa(ssvavavt)vvvasta(ss))"

#define DISK_2 "(sumsmsmsmsms)"
#define MOMENT_2 "(ussmssxuumsumsmsmsa" DISK_2 ")"
#define CHANGE_2 "(sm(sssssa(sumssbbu)as)bmsa(ss)a" MOMENT_2 "asumsa(ssusmsut)as)"
#define STEP_2 "(ssmsmsasvavavt)"
#define PLAN_2 "(sssmsa" STEP_2 "vvvasta(ss))"

/* The children of `old` from `from` on, `n` of them, into `builder`. */
static void
copy_children (GVariantBuilder *builder, GVariant *old, gsize from, gsize n)
{
  for (gsize i = from; i < from + n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (old, i);

      g_variant_builder_add_value (builder, child);
    }
}

typedef GVariant *(*Convert) (GVariant *old);

static GVariant *
convert_array (GVariant *old, const char *type, Convert convert)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (type));
  gsize n = g_variant_n_children (old);

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GVariant) child = g_variant_get_child_value (old, i);

      g_autoptr (GVariant) converted = g_variant_take_ref (convert (child));

      g_variant_builder_add_value (&builder, converted);
    }

  return g_variant_builder_end (&builder);
}

/* A disk with a bitmap had no mode of its own. */
static GVariant *
convert_checkpoint_disk (GVariant *old)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (DISK_2));
  g_autoptr (GVariant) bitmap = g_variant_get_child_value (old, 6);

  if (g_variant_n_children (bitmap) == 0)
    return g_variant_ref (old);

  copy_children (&builder, old, 0, 1);
  g_variant_builder_add (&builder, "u", (guint32) STM_MODE_BITMAP);
  copy_children (&builder, old, 2, 5);
  return g_variant_builder_end (&builder);
}

static GVariant *
keep (GVariant *old)
{
  return g_variant_ref (old);
}

static GVariant *
convert_moment (GVariant *old)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (MOMENT_2));
  g_autoptr (GVariant) kind = g_variant_get_child_value (old, 0);
  g_autoptr (GVariant) disks = g_variant_get_child_value (old, 9);
  gboolean is_checkpoint = g_variant_get_uint32 (kind) == STM_MOMENT_CHECKPOINT;

  copy_children (&builder, old, 0, 9);
  g_variant_builder_add (&builder, "u", (guint32) STM_MEMORY_NONE);
  for (guint i = 0; i < 3; i++)
    g_variant_builder_add (&builder, "ms", NULL);
  g_variant_builder_add_value (
      &builder, convert_array (disks, "a" DISK_2, is_checkpoint ? convert_checkpoint_disk : keep));

  return g_variant_builder_end (&builder);
}

static GVariant *
convert_change (GVariant *old)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (CHANGE_2));
  g_autoptr (GVariant) moments = g_variant_get_child_value (old, 4);

  copy_children (&builder, old, 0, 4);
  g_variant_builder_add_value (&builder, g_variant_new_array (G_VARIANT_TYPE ("(ss)"), NULL, 0));
  g_variant_builder_add_value (&builder, convert_array (moments, "a" MOMENT_2, convert_moment));
  copy_children (&builder, old, 5, 5);

  return g_variant_builder_end (&builder);
}

static GVariant *
convert_step (GVariant *old)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (STEP_2));

  copy_children (&builder, old, 0, 2);
  g_variant_builder_add (&builder, "ms", NULL);
  g_variant_builder_add (&builder, "ms", NULL);
  g_variant_builder_add_value (&builder, g_variant_new_strv (NULL, 0));
  copy_children (&builder, old, 2, 4);

  return g_variant_builder_end (&builder);
}

/* NULL when one of the changes is not of the old type. */
static GVariant *
convert_plan (GVariant *old)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE (PLAN_2));
  g_autoptr (GVariant) steps = g_variant_get_child_value (old, 4);

  copy_children (&builder, old, 0, 4);
  g_variant_builder_add_value (&builder, convert_array (steps, "a" STEP_2, convert_step));
  for (gsize i = 5; i < 8; i++)
    {
      g_autoptr (GVariant) box = g_variant_get_child_value (old, i);
      g_autoptr (GVariant) change = g_variant_get_variant (box);

      if (!g_variant_is_of_type (change, G_VARIANT_TYPE (CHANGE_1)))
        return NULL;
      g_variant_builder_add (&builder, "v", convert_change (change));
    }
  copy_children (&builder, old, 8, 3);

  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* Stored little endian, as all plans are. */
static GVariant *
swap_if_big_endian (GVariant *variant)
{
  return G_BYTE_ORDER == G_BIG_ENDIAN ? g_variant_byteswap (variant) : g_variant_ref (variant);
}

static GVariant *
convert_stored (const void *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GVariant) stored = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE (PLAN_1), bytes, /* trusted= */ FALSE));

  if (!g_variant_is_normal_form (stored))
    return NULL;

  g_autoptr (GVariant) old = swap_if_big_endian (stored);
  g_autoptr (GVariant) converted = convert_plan (old);

  return converted == NULL ? NULL : swap_if_big_endian (converted);
}

static gboolean
convert_row (sqlite3_stmt *plans, sqlite3_stmt *put, GError **error)
{
  g_autoptr (GVariant) converted = NULL;

  if (sqlite3_column_type (plans, 1) != SQLITE_BLOB)
    return TRUE;

  const void *data = sqlite3_column_blob (plans, 1);

  converted = convert_stored (data, (gsize) sqlite3_column_bytes (plans, 1));
  if (converted == NULL)
    return TRUE;

  const StmCell cells[] = {
    STM_NUMBER (sqlite3_column_int64 (plans, 0)),
    STM_BYTES (g_variant_get_data (converted), g_variant_get_size (converted)),
  };

  return stm_sqlite_run (put, cells, G_N_ELEMENTS (cells), "convert a plan", error);
}

gboolean
stm_schema_convert_plans_1 (sqlite3 *db, GError **error)
{
  const char *what = "convert the plans";
  g_autoptr (sqlite3_stmt)
      plans = stm_sqlite_prepare (db, "SELECT seq, plan FROM journal ORDER BY seq", what, error);
  g_autoptr (sqlite3_stmt)
      put = plans == NULL ? NULL
                          : stm_sqlite_prepare (db, "UPDATE journal SET plan = ?2 WHERE seq = ?1",
                                                what, error);
  int result;

  if (put == NULL)
    return FALSE;

  while ((result = sqlite3_step (plans)) == SQLITE_ROW)
    if (!convert_row (plans, put, error))
      return FALSE;
  if (result == SQLITE_DONE)
    return TRUE;

  stm_sqlite_set_error (db, result, what, error);
  return FALSE;
}
