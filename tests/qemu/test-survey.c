/* Facts on images, sound and broken.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-survey.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "test-images.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define DATA(n) ((TEST_QCOW2_DATA_CLUSTER + (n)) * TEST_QCOW2_CLUSTER)

typedef struct
{
  char *directory;
  StmPathPolicy *policy;
  GPtrArray *images; /* StmImage, to be looked at */
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  const char *none[] = { NULL };

  self->directory = test_directory_new ();

  const char *roots[] = { self->directory, NULL };

  self->policy = stm_path_policy_new (roots, none);
  self->images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  stm_path_policy_unref (self->policy);
  g_ptr_array_unref (self->images);
}

static char *
at (Fixture *self, const char *name)
{
  return *name == '/' ? g_strdup (name) : g_build_filename (self->directory, name, NULL);
}

static void
record (Fixture *self, const char *name, const char *format)
{
  g_autofree char *path = at (self, name);
  const StmImage init = {
    .path = path, .target = "vda", .index = 1, .format = format, .capacity = 512
  };

  g_ptr_array_add (self->images, stm_image_new (&init));
}

static void
write_image (Fixture *self, const char *name, const TestQcow2 *init)
{
  g_autofree char *path = at (self, name);

  test_qcow2_write (path, init);
}

static StmSurvey *
survey (Fixture *self, gboolean scans_directories)
{
  g_autoptr (GError) error = NULL;
  const StmSurveyRequest request = { .images = (const StmImage *const *) self->images->pdata,
                                     .n_images = self->images->len,
                                     .scans_directories = scans_directories,
                                     .policy = self->policy };
  StmSurvey *result = stm_image_survey (&request, NULL, &error);

  g_assert_no_error (error);
  return result;
}

static const StmFacts *
facts_of (Fixture *self, const StmSurvey *result, const char *name)
{
  g_autofree char *path = at (self, name);
  const StmFacts *facts = stm_survey_get (result, path);

  g_assert_nonnull (facts);
  return facts;
}

static void
test_facts (Fixture *self, gconstpointer unused)
{
  static const TestTag tags[] = { { .id = "1", .name = "one" }, { .id = "2", .name = "two" } };
  static const TestBitmap bitmaps[] = { { .name = "b0", .flags = 2 } };
  const guint64 entries[] = { DATA (0), 0, 1 };
  g_autofree char *path = at (self, "disk");
  g_autofree char *base = at (self, "base");
  struct stat found;

  write_image (self, "base", &(TestQcow2){ .version = 3 });
  write_image (
      self, "disk",
      &(TestQcow2){
          .backing = "./base", .n_bitmaps = 1, .entries = entries, .n_entries = 3, .n_data = 1 });
  test_qcow2_append_tags (path, tags, G_N_ELEMENTS (tags));
  test_qcow2_append_bitmaps (path, bitmaps, G_N_ELEMENTS (bitmaps));
  record (self, "disk", "qcow2");

  g_autoptr (StmSurvey) result = survey (self, FALSE);
  const StmFacts *facts = facts_of (self, result, "disk");

  g_assert_no_error (facts->problem);
  g_assert_cmpstr (facts->format, ==, "qcow2");
  g_assert_cmpstr (facts->backing, ==, base);
  g_assert_cmpuint (facts->capacity, ==, TEST_QCOW2_CAPACITY);
  g_assert_cmpuint (facts->data_bytes, ==, 2 * TEST_QCOW2_CLUSTER);
  g_assert_cmpuint (facts->tags->len, ==, 2);
  g_assert_cmpstr (stm_facts_find_tag (facts, "two")->id, ==, "2");
  g_assert_cmpuint (facts->bitmaps->len, ==, 1);
  g_assert_true (stm_facts_find_bitmap (facts, "b0")->is_recording);
  g_assert_cmpint (stat (path, &found), ==, 0);
  g_assert_cmpuint (facts->device, ==, found.st_dev);
  g_assert_cmpuint (facts->inode, ==, found.st_ino);
  g_assert_cmpuint (facts->allocation, ==, (guint64) found.st_blocks * 512);
  g_assert_cmpuint (facts->free_bytes, >, 0);
}

static void
test_raw (Fixture *self, gconstpointer unused)
{
  g_autofree char *plain = at (self, "plain");

  g_assert_true (g_file_set_contents (plain, "data", -1, NULL));
  write_image (self, "pretender", &(TestQcow2){ .backing = "/etc/shadow" });
  record (self, "plain", "raw");
  record (self, "pretender", "raw");

  g_autoptr (StmSurvey) result = survey (self, TRUE);
  const StmFacts *facts = facts_of (self, result, "plain");

  g_assert_no_error (facts->problem);
  g_assert_cmpstr (facts->format, ==, "raw");
  g_assert_cmpuint (facts->capacity, ==, 512);
  g_assert_cmpuint (facts->data_bytes, ==, STM_BYTES_UNKNOWN);

  facts = facts_of (self, result, "pretender");
  g_assert_no_error (facts->problem);
  g_assert_cmpstr (facts->format, ==, "qcow2");
  g_assert_null (facts->backing);
  g_assert_cmpuint (facts->capacity, ==, TEST_QCOW2_DATA_CLUSTER * TEST_QCOW2_CLUSTER);
  g_assert_cmpuint (facts->data_bytes, ==, STM_BYTES_UNKNOWN);
}

static void
make_broken_images (Fixture *self)
{
  const guint64 entries[] = { DATA (0) };
  g_autofree char *torn = at (self, "torn");
  g_autofree char *torn_data = at (self, "torn-data");
  g_autofree char *fifo = at (self, "fifo");
  g_autofree char *link_path = at (self, "link");
  g_autofree char *huge = at (self, "huge");

  write_image (self, "torn", &(TestQcow2){ .version = 3 });
  test_file_truncate (torn, 1000);
  write_image (self, "torn-data", &(TestQcow2){ .entries = entries, .n_entries = 1, .n_data = 1 });
  test_file_truncate (torn_data, DATA (0));
  write_image (self, "huge", &(TestQcow2){ .version = 3 });
  test_file_patch64 (huge, TEST_QCOW2_SIZE, G_GUINT64_CONSTANT (60) << 50);
  write_image (self, "json", &(TestQcow2){ .backing = "json:{}", .backing_format = "raw" });
  write_image (self, "data-file", &(TestQcow2){ .incompatible = 4 });
  write_image (self, "dirty", &(TestQcow2){ .incompatible = 1 });
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (symlink ("json", link_path), ==, 0);
}

/* What is wrong with one image is in its facts, and spoils nothing of the others. */
static void
test_problems (Fixture *self, gconstpointer unused)
{
  static const struct
  {
    const char *name;
    StemmaError code;
  } rows[] = {
    { "missing", STEMMA_ERROR_NOT_FOUND },       { "none/missing", STEMMA_ERROR_NOT_FOUND },
    { "torn", STEMMA_ERROR_CHAIN_BROKEN },       { "torn-data", STEMMA_ERROR_CHAIN_BROKEN },
    { "huge", STEMMA_ERROR_TOO_LARGE },          { "json", STEMMA_ERROR_NOT_ALLOWED },
    { "data-file", STEMMA_ERROR_NOT_ALLOWED },   { "dirty", STEMMA_ERROR_CHAIN_BROKEN },
    { "fifo", STEMMA_ERROR_NOT_ALLOWED },        { "link", STEMMA_ERROR_NOT_ALLOWED },
    { "/etc/shadow", STEMMA_ERROR_NOT_ALLOWED },
  };

  make_broken_images (self);
  write_image (self, "sound", &(TestQcow2){ .version = 3 });
  record (self, "sound", "qcow2");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    record (self, rows[i].name, "qcow2");

  g_autoptr (StmSurvey) result = survey (self, TRUE);

  g_assert_no_error (facts_of (self, result, "sound")->problem);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const StmFacts *facts = facts_of (self, result, rows[i].name);

      g_test_message ("%s", rows[i].name);
      g_assert_error (facts->problem, STEMMA_ERROR, (int) rows[i].code);
      g_assert_cmpuint (facts->data_bytes, ==, STM_BYTES_UNKNOWN);
    }
}

static void
test_raw_where_qcow2_is_said (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = at (self, "disk");

  g_assert_true (g_file_set_contents (path, "data", -1, NULL));
  record (self, "disk", "qcow2");

  g_autoptr (StmSurvey) result = survey (self, FALSE);

  g_assert_cmpstr (facts_of (self, result, "disk")->format, ==, "raw");
}

static void
assert_children (const StmFacts *facts, const char *expected)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; facts->children[i] != NULL; i++)
    g_ptr_array_add (names, g_path_get_basename (facts->children[i]));
  g_ptr_array_add (names, NULL);

  g_autofree char *text = g_strjoinv (" ", (char **) names->pdata);

  g_assert_cmpstr (text, ==, expected);
}

static void
test_directories (Fixture *self, gconstpointer unused)
{
  g_autofree char *folder = at (self, "folder");
  g_autofree char *other = at (self, "folder/other");

  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  write_image (self, "base", &(TestQcow2){ .version = 3 });
  write_image (self, "disk", &(TestQcow2){ .backing = "base", .backing_format = "qcow2" });
  write_image (self, "foreign", &(TestQcow2){ .backing = "base", .backing_format = "qcow2" });
  write_image (self, "folder/other",
               &(TestQcow2){ .backing = "../base", .backing_format = "qcow2" });
  record (self, "disk", "qcow2");
  record (self, "base", "qcow2");
  record (self, "folder/other", "qcow2");
  record (self, "base", "qcow2");

  g_autoptr (StmSurvey) result = survey (self, TRUE);

  assert_children (facts_of (self, result, "base"), "disk foreign other");
  assert_children (facts_of (self, result, "disk"), "");
  g_assert_cmpstr (facts_of (self, result, "disk")->backing_format, ==, "qcow2");
  g_assert_true (stm_survey_has_name (result, other));
  g_assert_true (stm_survey_has_name (result, facts_of (self, result, "disk")->path));

  g_autoptr (StmSurvey) without = survey (self, FALSE);

  assert_children (facts_of (self, without, "base"), "");
  g_assert_false (stm_survey_has_name (without, other));
}

static void
test_cancelled (Fixture *self, gconstpointer unused)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  write_image (self, "disk", &(TestQcow2){ .version = 3 });
  record (self, "disk", "qcow2");
  g_cancellable_cancel (cancellable);

  const StmSurveyRequest request = { .images = (const StmImage *const *) self->images->pdata,
                                     .n_images = self->images->len,
                                     .policy = self->policy };

  g_assert_null (stm_image_survey (&request, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/survey/an-image-is-described-whole", test_facts },
    { "/qemu/survey/a-raw-image-is-data-whatever-it-pretends", test_raw },
    { "/qemu/survey/a-problem-is-in-the-facts-of-its-image-alone", test_problems },
    { "/qemu/survey/raw-where-qcow2-is-said-shows", test_raw_where_qcow2_is_said },
    { "/qemu/survey/children-and-names-of-all-directories-are-collected", test_directories },
    { "/qemu/survey/a-survey-can-be-cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
