/* Prints how the model and the store behave as a tree grows: rates at 100, 10,000 and 1,000,000
 * moments, resident memory, start-up and size on disk.
 *
 *   scale [--core-max=N] [--store-max=N] [DIRECTORY]
 *   scale --make=N DIRECTORY
 *
 * Databases are made below DIRECTORY (by default the temporary one), and removed. The second form
 * makes one of N snapshots in DIRECTORY, for a service to be started on. Nothing here
 * passes or fails; tests count work, this measures it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "scale-samples.h"

#include "stm-store.h"

#include <glib/gstdio.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#define LAST 1000 /* operations at each end that a rate is taken of */

static double
seconds_since (gint64 start)
{
  return (double) (g_get_monotonic_time () - start) / G_USEC_PER_SEC;
}

static double
resident_megabytes (void)
{
  g_autofree char *status = NULL;
  const char *line;

  if (!g_file_get_contents ("/proc/self/status", &status, NULL, NULL))
    return 0;
  line = strstr (status, "VmRSS:");
  return line == NULL ? 0 : (double) g_ascii_strtoull (line + strlen ("VmRSS:"), NULL, 10) / 1024;
}

static double
heap_megabytes (void)
{
  return (double) mallinfo2 ().uordblks / (1024 * 1024);
}

static void
apply (StmModel *model, StmChange *change)
{
  g_autoptr (GError) error = NULL;

  if (!stm_model_check (model, change, &error))
    g_error ("%s", error->message);
  stm_model_apply (model, change);
}

/* One change for each snapshot; the rates of the first and the last thousand. */
static void
grow_singly (StmModel *model, Shape shape, guint n)
{
  guint n_ends = MIN (n, LAST);
  double first = 0;
  gint64 start = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (StmChange) change = stm_change_new (SCALE_DOMAIN);
      g_autoptr (StmMoment) moment = scale_moment (shape, i);

      if (i == 0 || i == n - n_ends)
        start = g_get_monotonic_time ();
      stm_change_put_moment (change, moment);
      stm_change_set_current (change, moment->id);
      apply (model, change);
      if (i + 1 == n_ends)
        first = n_ends / seconds_since (start);
    }
  printf ("  singly: first %u at %.0f/s, last %u at %.0f/s\n", n_ends, first, n_ends,
          n_ends / seconds_since (start));
}

typedef StmMoment *(*Edit) (Shape shape, guint number, guint n);

static StmMoment *
rename_edit (Shape shape, guint number, guint n)
{
  g_autoptr (StmMoment) moment = scale_moment (shape, number);
  g_autofree char *name = g_strdup_printf ("renamed-%u", number);

  return stm_moment_with_name (moment, name);
}

static StmMoment *
remove_edit (Shape shape, guint number, guint n)
{
  return NULL;
}

/* Edits the last ones from the end: in a chain the leaf, in a fan one of many. */
static void
edit (StmModel *model, Shape shape, guint n, const char *what, Edit make)
{
  guint n_edits = MIN (n / 4, LAST);
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < n_edits; i++)
    {
      g_autoptr (StmChange) change = stm_change_new (SCALE_DOMAIN);
      g_autoptr (StmMoment) moment = make (shape, n - 1 - i, n);

      if (i == 0)
        stm_change_set_current (change, NULL);
      if (moment != NULL)
        stm_change_put_moment (change, moment);
      else
        {
          g_autoptr (StmMoment) gone = scale_moment (shape, n - 1 - i);

          stm_change_remove_moment (change, gone->id);
        }
      apply (model, change);
    }
  printf ("  %s: %.0f/s\n", what, n_edits / seconds_since (start));
}

/* Takes moments out of the middle of a chain: their child gets their parent. */
static void
remove_from_middle (StmModel *model, guint n)
{
  guint n_edits = MIN (n / 4, LAST);
  gint64 start = g_get_monotonic_time ();

  for (guint i = 0; i < n_edits; i++)
    {
      g_autoptr (StmChange) change = stm_change_new (SCALE_DOMAIN);
      g_autoptr (StmMoment) gone = scale_moment (SHAPE_CHAIN, n / 2 - 1 - i);
      const StmTree *tree = stm_model_tree (model, SCALE_DOMAIN, STM_MOMENT_SNAPSHOT);
      const StmMoment *child = stm_tree_first_child (tree, gone->id);
      g_autoptr (StmMoment) moved = stm_moment_with_parent (child, gone->parent);

      stm_change_put_moment (change, moved);
      stm_change_remove_moment (change, gone->id);
      apply (model, change);
    }
  printf ("  taken out of the middle: %.0f/s\n", n_edits / seconds_since (start));
}

static void
bench_core (Shape shape, guint n)
{
  g_autoptr (StmModel) model = stm_model_new ();
  g_autoptr (StmChange) define = scale_define ();
  double before;

  printf ("core, %s of %u\n", shape_to_word (shape), n);
  before = heap_megabytes ();
  apply (model, define);
  grow_singly (model, shape, n);
  printf ("  heap: %.1f MB, %.0f bytes each\n", heap_megabytes () - before,
          (heap_megabytes () - before) * 1024 * 1024 / n);
  edit (model, shape, n, "renamed", rename_edit);
  if (shape == SHAPE_CHAIN)
    remove_from_middle (model, n);
  edit (model, shape, n, "removed", remove_edit);

  g_autoptr (StmModel) other = stm_model_new ();
  g_autoptr (StmChange) bulk = scale_bulk (shape, n);
  gint64 start;

  apply (other, define);
  start = g_get_monotonic_time ();
  apply (other, bulk);
  printf ("  as one change: %.3f s\n", seconds_since (start));
}

static void
take_result (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static void
write_durably (StmStore *store, StmChange *change)
{
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;

  stm_store_write_async (store, change, STM_JOURNAL_NONE, /* entry= */ NULL, take_result, &result);
  while (result == NULL)
    g_main_context_iteration (NULL, TRUE);
  if (!stm_store_write_finish (store, result, &error))
    g_error ("%s", error->message);
}

static void
write_singly (StmStore *store, Shape shape, guint n)
{
  guint n_ends = MIN (n, LAST);
  double first = 0;
  gint64 start = 0;

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (StmChange) change = stm_change_new (SCALE_DOMAIN);
      g_autoptr (StmMoment) moment = scale_moment (shape, i);

      if (i == 0 || i == n - n_ends)
        start = g_get_monotonic_time ();
      stm_change_put_moment (change, moment);
      stm_change_set_current (change, moment->id);
      change->generation = i + 2;
      write_durably (store, change);
      if (i + 1 == n_ends)
        first = n_ends / seconds_since (start);
    }
  printf ("  singly, each durable: first %u at %.0f/s, last %u at %.0f/s\n", n_ends, first, n_ends,
          n_ends / seconds_since (start));
}

static StmStore *
open_store (const char *directory, StmStoreContent **out_content)
{
  g_autoptr (GError) error = NULL;
  StmStore *store = stm_store_open_sync (directory, out_content, &error);

  if (store == NULL)
    g_error ("%s", error->message);
  return store;
}

static void
close_store (StmStore *store)
{
  stm_store_close_sync (store);
  g_object_unref (store);
}

/* As the service does it at start: everything that was read stays. */
static void
read_back (const char *directory, guint n)
{
  g_autofree char *file = g_build_filename (directory, "stemma.db", NULL);
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (StmModel) model = NULL;
  double before = resident_megabytes ();
  gint64 start = g_get_monotonic_time ();
  StmStore *store = open_store (directory, &content);
  GStatBuf status = { 0 };

  printf ("  start: %.3f s\n", seconds_since (start));
  model = g_steal_pointer (&content->model);
  g_clear_pointer (&content, stm_store_content_free);
  g_stat (file, &status);
  printf ("  resident: %.1f MB more (%.0f bytes each); on disk: %.2f MB\n",
          resident_megabytes () - before, (resident_megabytes () - before) * 1024 * 1024 / n,
          (double) status.st_size / (1024 * 1024));
  close_store (store);
}

static void
remove_files (const char *directory)
{
  const char *const names[] = { "stemma.db", "stemma.db-wal" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (directory, names[i], NULL);

      g_unlink (path);
    }
  g_rmdir (directory);
}

typedef void (*Fill) (StmStore *store, Shape shape, guint n);

static void
write_as_one (StmStore *store, Shape shape, guint n)
{
  g_autoptr (StmChange) bulk = scale_bulk (shape, n);
  gint64 start = g_get_monotonic_time ();

  write_durably (store, bulk);
  printf ("  as one change: %.3f s\n", seconds_since (start));
}

static void
bench_store (const char *place, Shape shape, guint n, Fill fill)
{
  g_autofree char *directory = g_build_filename (place, "stemma-scale-XXXXXX", NULL);
  g_autoptr (StmChange) define = scale_define ();
  StmStore *store;

  if (g_mkdtemp (directory) == NULL)
    g_error ("cannot make a directory in %s", place);
  printf ("store, %s of %u\n", shape_to_word (shape), n);
  store = open_store (directory, NULL);
  write_durably (store, define);
  fill (store, shape, n);
  close_store (store);
  read_back (directory, n);
  remove_files (directory);
}

static void
make_store (const char *directory, guint n)
{
  g_autoptr (StmChange) define = scale_define ();
  g_autoptr (StmChange) bulk = scale_bulk (SHAPE_CHAIN, n);
  StmStore *store = open_store (directory, NULL);

  write_durably (store, define);
  write_durably (store, bulk);
  close_store (store);
}

int
main (int argc, char **argv)
{
  gint core_max = 1000000, store_max = 100000, made = 0;
  const GOptionEntry options[] = {
    { "core-max", 0, 0, G_OPTION_ARG_INT, &core_max, "Moments in the largest tree", "N" },
    { "store-max", 0, 0, G_OPTION_ARG_INT, &store_max, "Moments in the largest database", "N" },
    { "make", 0, 0, G_OPTION_ARG_INT, &made, "Only make a database of that many", "N" },
    { 0 },
  };
  g_autoptr (GOptionContext) context = g_option_context_new ("[DIRECTORY]");
  g_autoptr (GError) error = NULL;
  const char *place;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    {
      g_printerr ("%s\n", error->message);
      return 2;
    }
  place = argc > 1 ? argv[1] : g_get_tmp_dir ();
  if (made > 0)
    {
      make_store (place, (guint) made);
      return 0;
    }

  for (Shape shape = SHAPE_CHAIN; shape <= SHAPE_FAN; shape++)
    {
      for (guint n = 10000; n <= (guint) store_max; n *= 10)
        bench_store (place, shape, n, write_as_one);
      bench_store (place, shape, MIN (10000, (guint) store_max), write_singly);
      for (guint n = 100; n <= (guint) core_max; n *= 100)
        bench_core (shape, n);
    }

  return 0;
}
