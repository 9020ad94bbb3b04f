/* Helpers for the tests of the store; each test makes its own directory and values.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* In memory where there is such a place: some of these tests sync thousands of times. */
char *
store_directory_new (void)
{
  const char *place = g_access ("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir ();
  char *directory = g_build_filename (place, "stemma-test-XXXXXX", NULL);

  g_assert_nonnull (g_mkdtemp (directory));
  return directory;
}

void
store_directory_free (char *directory)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (directory == NULL)
    return;

  dir = g_dir_open (directory, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (g_remove (path) != 0)
        store_directory_free (g_strdup (path));
    }
  g_rmdir (directory);
  g_free (directory);
}

char *
store_file (const char *directory, const char *suffix)
{
  return g_strconcat (directory, "/stemma.db", suffix, NULL);
}

static void
copy_if_there (const char *from, const char *to, const char *suffix)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *source = store_file (from, suffix);
  g_autofree char *target = store_file (to, suffix);
  g_autofree char *data = NULL;
  gsize length;

  g_unlink (target);
  if (!g_file_get_contents (source, &data, &length, NULL))
    return;

  g_file_set_contents (target, data, (gssize) length, &error);
  g_assert_no_error (error);
}

void
copy_store (const char *from, const char *to)
{
  copy_if_there (from, to, "");
  copy_if_there (from, to, "-wal");
}

StmStore *
open_store (const char *directory, StmStoreContent **out_content)
{
  g_autoptr (GError) error = NULL;
  StmStore *store = stm_store_open_sync (directory, out_content, &error);

  g_assert_no_error (error);
  g_assert_nonnull (store);
  return store;
}

void
close_store (StmStore *store)
{
  stm_store_close_sync (store);
  g_object_unref (store);
}

StmModel *
model_of_content (const StmStoreContent *content)
{
  StmModel *model = stm_model_new ();

  for (guint i = 0; i < content->changes->len; i++)
    {
      g_autoptr (GError) error = NULL;
      const StmChange *change = g_ptr_array_index (content->changes, i);

      stm_model_check (model, change, &error);
      g_assert_no_error (error);
      stm_model_apply (model, change);
    }

  return model;
}

StmModel *
reload (const char *directory, guint *out_n_journal)
{
  g_autoptr (StmStoreContent) content = NULL;
  StmStore *store = open_store (directory, &content);

  close_store (store);
  g_assert_cmpstr (content->health, ==, "ok");
  if (out_n_journal != NULL)
    *out_n_journal = content->journal->len;

  return model_of_content (content);
}

static gboolean
on_timeout (gpointer data)
{
  g_test_message ("the store did not answer in %d seconds", WAIT_SECONDS);
  g_assert_not_reached ();
}

static void
take_result (GObject *source, GAsyncResult *result, gpointer user_data)
{
  *(GAsyncResult **) user_data = g_object_ref (result);
}

static void
wait_for (GAsyncResult **result)
{
  GMainContext *context = g_main_context_get_thread_default ();
  g_autoptr (GSource) timeout = g_timeout_source_new_seconds (WAIT_SECONDS);

  g_source_set_callback (timeout, on_timeout, NULL, NULL);
  g_source_attach (timeout, context);
  while (*result == NULL)
    g_main_context_iteration (context, TRUE);
  g_source_destroy (timeout);
}

gboolean
write_and_wait (StmStore *store, StmChange *change, StmJournalAction action,
                const StmJournalEntry *entry, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  stm_store_write_async (store, change, action, entry, take_result, &result);
  wait_for (&result);
  return stm_store_write_finish (store, result, error);
}

void
write_ok (StmStore *store, StmChange *change)
{
  g_autoptr (GError) error = NULL;

  write_and_wait (store, change, STM_JOURNAL_NONE, /* entry= */ NULL, &error);
  g_assert_no_error (error);
}

char *
read_definition_and_wait (StmStore *store, const char *hash, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;

  stm_store_read_definition_async (store, hash, take_result, &result);
  wait_for (&result);
  return stm_store_read_definition_finish (store, result, error);
}

char *
sample_id (guint number)
{
  return g_strdup_printf ("%032x", number);
}

StmDomain *
sample_domain (guint number, const char *name, const char *definition)
{
  g_autofree char *id = sample_id (number);
  const StmDisk disks[] = {
    { .target = "vda",
      .kind = STM_SOURCE_FILE,
      .source = "/images/a.qcow2",
      .format = "qcow2",
      .next_index = 2 },
    { .target = "sda",
      .kind = STM_SOURCE_NONE,
      .format = "raw",
      .is_read_only = TRUE,
      .is_excluded = TRUE },
    { .target = "vdb", .kind = STM_SOURCE_OTHER, .format = "rbd" },
  };
  const char *const roots[] = { "/images", "/bases", NULL };

  return stm_domain_new (&(StmDomain){ .id = id,
                                       .name = name,
                                       .title = "A title",
                                       .description = "Two\nlines",
                                       .definition = definition,
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = roots });
}

StmMoment *
sample_moment (guint number, const char *name, const char *parent)
{
  g_autofree char *id = sample_id (number);
  const StmMomentDisk disks[] = {
    { .target = "vda",
      .mode = STM_MODE_EXTERNAL,
      .frozen = "/images/a.qcow2",
      .overlay = "/images/a.s",
      .format = "qcow2" },
    { .target = "vdb", .mode = STM_MODE_NONE },
  };

  return stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_SNAPSHOT,
                                       .id = id,
                                       .name = name,
                                       .parent = parent,
                                       .description = "",
                                       .created = 1700000000,
                                       .state = STM_STATE_SHUTOFF,
                                       .health = STM_HEALTH_OK,
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks) });
}

StmImage *
sample_image (const char *path, const char *backing)
{
  return stm_image_new (&(StmImage){ .path = path,
                                     .target = "vda",
                                     .index = 1,
                                     .format = "qcow2",
                                     .backing = backing,
                                     .origin = STM_IMAGE_DISK,
                                     .capacity = 1 << 30 });
}

static StmImage *
made_image (const char *path)
{
  return stm_image_new (&(StmImage){ .path = path,
                                     .target = "vda",
                                     .index = 2,
                                     .format = "qcow2",
                                     .backing = "/images/a.qcow2",
                                     .origin = STM_IMAGE_MADE,
                                     .capacity = 1 << 30 });
}

/* Two steps: an overlay over a.qcow2, and the removal of an old one. */
StmPlan *
sample_plan (guint number, guint domain)
{
  g_autofree char *id = sample_id (number);
  g_autofree char *domain_id = sample_id (domain);
  g_autoptr (StmImage) base = sample_image ("/images/a.qcow2", NULL);
  g_autoptr (StmImage) overlay = made_image ("/images/a.new");
  g_autoptr (StmImage) old = made_image ("/images/a.old");
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  StmPlan *plan = stm_plan_new (STM_OPERATION_REVERT, id, domain_id);

  g_ptr_array_add (chain, base);
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_OVERLAY,
                                       .target = "vda",
                                       .image = overlay,
                                       .chain = chain,
                                       .children = none });
  stm_plan_add_step (plan, &(StmStep){ .kind = STM_STEP_UNLINK,
                                       .target = "vda",
                                       .image = old,
                                       .chain = none,
                                       .children = none,
                                       .bytes = 4096 });
  return plan;
}

StmChange *
sample_change (guint domain, guint64 generation)
{
  g_autofree char *id = sample_id (domain);
  StmChange *change = stm_change_new (id);

  change->generation = generation;
  change->service_generation = generation;
  return change;
}

StmChange *
sample_define (guint domain, guint64 generation)
{
  g_autofree char *name = g_strdup_printf ("domain-%u", domain);
  g_autofree char *hash = g_strdup_printf ("hash-%u", domain);
  g_autoptr (StmDomain) value = sample_domain (domain, name, hash);
  g_autoptr (StmImage) image = sample_image ("/images/a.qcow2", NULL);
  StmChange *change = sample_change (domain, generation);

  stm_change_set_domain (change, value);
  stm_change_put_image (change, image);
  change->definition_text = g_strdup_printf ("<domain>%u</domain>", domain);
  return change;
}

StmStore *
store_with_snapshots (const char *directory, guint n_snapshots)
{
  StmStore *store = open_store (directory, NULL);
  g_autoptr (StmChange) change = sample_define (1, 1);

  for (guint i = 0; i < n_snapshots; i++)
    {
      g_autofree char *name = g_strdup_printf ("s%u", i);
      g_autofree char *parent = i == 0 ? NULL : sample_id (100 + i - 1);
      g_autoptr (StmMoment) moment = sample_moment (100 + i, name, parent);

      stm_change_put_moment (change, moment);
    }
  write_ok (store, change);
  return store;
}

static void
assert_variants_equal (GVariant *floating_a, GVariant *floating_b)
{
  g_autoptr (GVariant) a = g_variant_ref_sink (floating_a);
  g_autoptr (GVariant) b = g_variant_ref_sink (floating_b);

  /* Printing is slow, and only of use when they differ. */
  if (g_variant_equal (a, b))
    return;

  g_autofree char *text_a = g_variant_print (a, /* type_annotate= */ TRUE);
  g_autofree char *text_b = g_variant_print (b, /* type_annotate= */ TRUE);

  g_assert_cmpstr (text_a, ==, text_b);
}

static void
assert_trees_equal (const StmTree *a, const StmTree *b)
{
  g_autoptr (GPtrArray) moments_a = stm_tree_subtree (a, NULL);
  g_autoptr (GPtrArray) moments_b = stm_tree_subtree (b, NULL);

  g_assert_cmpuint (moments_a->len, ==, moments_b->len);
  g_assert_cmpuint (moments_a->len, ==, stm_tree_count (a));
  for (guint i = 0; i < moments_a->len; i++)
    assert_variants_equal (stm_moment_to_variant (g_ptr_array_index (moments_a, i)),
                           stm_moment_to_variant (g_ptr_array_index (moments_b, i)));
  g_assert_cmpstr (stm_tree_current (a), ==, stm_tree_current (b));
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  const StmImage *const *image_a = a;
  const StmImage *const *image_b = b;

  return strcmp ((*image_a)->path, (*image_b)->path);
}

static void
assert_images_equal (const StmModel *a, const StmModel *b, const char *id)
{
  g_autoptr (GPtrArray) images_a = stm_model_images (a, id);
  g_autoptr (GPtrArray) images_b = stm_model_images (b, id);

  g_ptr_array_sort (images_a, compare_images);
  g_ptr_array_sort (images_b, compare_images);
  g_assert_cmpuint (images_a->len, ==, images_b->len);
  for (guint i = 0; i < images_a->len; i++)
    assert_variants_equal (stm_image_to_variant (g_ptr_array_index (images_a, i)),
                           stm_image_to_variant (g_ptr_array_index (images_b, i)));
}

void
assert_models_equal (const StmModel *a, const StmModel *b)
{
  g_autoptr (GPtrArray) ids_a = stm_model_domain_ids (a);
  g_autoptr (GPtrArray) ids_b = stm_model_domain_ids (b);

  g_assert_cmpuint (ids_a->len, ==, ids_b->len);
  if (ids_a->len > 0)
    g_assert_cmpuint (stm_model_service_generation (a), ==, stm_model_service_generation (b));
  for (guint i = 0; i < ids_a->len; i++)
    {
      const char *id = g_ptr_array_index (ids_a, i);
      const StmDomain *domain_b = stm_model_get_domain (b, id);

      g_assert_nonnull (domain_b);
      assert_variants_equal (stm_domain_to_variant (stm_model_get_domain (a, id)),
                             stm_domain_to_variant (domain_b));
      g_assert_cmpuint (stm_model_generation (a, id), ==, stm_model_generation (b, id));
      for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
        assert_trees_equal (stm_model_tree (a, id, kind), stm_model_tree (b, id, kind));
      assert_images_equal (a, b, id);
    }
}
