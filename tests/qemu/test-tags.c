/* Internal snapshots of real images: made, gone to, taken back and removed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-fixture.h"
#include "qcow2-reader.h"
#include "stemma-error.h"

#include <glib/gstdio.h>

#include <string.h>

#define MIB (G_GUINT64_CONSTANT (1) << 20)
#define CAPACITY (8 * MIB)

/* A program whose output does not matter. */
#define RUN(...) g_free (test_run (__VA_ARGS__, NULL))

static StmPlan *
plan_new (void)
{
  return stm_plan_new (STM_OPERATION_REVERT, TEST_PLAN_ID, "domain");
}

static void
add_step (StmPlan *plan, StmStepKind kind, StmImage *image, const char *name, const char *fallback)
{
  stm_plan_add_step (plan, &(StmStep){ .kind = kind,
                                       .target = image->target,
                                       .image = image,
                                       .name = name,
                                       .fallback = fallback });
}

static const StmStep *
get_step (const StmPlan *plan, guint place)
{
  return g_ptr_array_index (plan->steps, place);
}

/* An image over a base, with 1s in its first megabyte, and its record. */
static StmImage *
make_image (ImageFixture *self, const char *name)
{
  g_autofree char *path = image_fixture_path (self, name);
  g_autofree char *base = image_fixture_path (self, "base");

  if (!g_file_test (base, G_FILE_TEST_EXISTS))
    {
      test_image_create (base, "raw", CAPACITY, NULL, NULL);
      test_image_write (base, "raw", 9, 0, CAPACITY);
    }
  test_image_create (path, "qcow2", 0, base, "raw");
  test_image_write (path, "qcow2", 1, 0, MIB);

  return image_fixture_record (self, name, "qcow2", "base", CAPACITY);
}

static void
write_megabyte (const StmImage *image, guint pattern, guint64 place)
{
  test_image_write (image->path, "qcow2", pattern, place * MIB, MIB);
}

/* The first bytes of the first megabytes, as digits. */
static void
assert_content (const StmImage *image, const char *expected)
{
  g_autoptr (GBytes) bytes = test_read_image (image->path, CAPACITY);
  const guint8 *content = g_bytes_get_data (bytes, NULL);

  for (gsize i = 0; expected[i] != '\0'; i++)
    for (gsize k = 0; k < MIB; k++)
      if (content[i * MIB + k] != expected[i] - '0')
        g_error ("%s: byte %" G_GSIZE_FORMAT " is %u and not %c", image->path, i * MIB + k,
                 content[i * MIB + k], expected[i]);
}

static StmSurvey *
look_at (ImageFixture *self, const StmImage *image)
{
  const StmSurveyRequest request = { .images = &image, .n_images = 1, .policy = self->policy };
  g_autoptr (GError) error = NULL;
  StmSurvey *survey = stm_driver_survey (self->driver, &request, NULL, &error);

  g_assert_no_error (error);
  g_assert_no_error (stm_survey_get (survey, image->path)->problem);

  return survey;
}

/* Names in the order of the file, each with a '*' when its content is proven to be there. */
static void
assert_tags (ImageFixture *self, const StmImage *image, const char *expected)
{
  g_autoptr (StmSurvey) survey = look_at (self, image);
  const StmFacts *facts = stm_survey_get (survey, image->path);
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < facts->tags->len; i++)
    {
      const StmTagFacts *tag = g_ptr_array_index (facts->tags, i);

      g_string_append_printf (names, "%s%s%s", i > 0 ? " " : "", tag->name,
                              tag->is_present ? "*" : "");
    }
  g_assert_cmpstr (names->str, ==, expected);
}

static void
assert_made (ImageFixture *self, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_make_tags (self->driver, plan, self->policy, NULL, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

static void
make_tag (ImageFixture *self, StmImage *image, const char *name)
{
  g_autoptr (StmPlan) plan = plan_new ();

  add_step (plan, STM_STEP_TAG, image, name, NULL);
  assert_made (self, plan);
}

static void
assert_went (ImageFixture *self, const StmStep *step)
{
  g_autoptr (GError) error = NULL;

  stm_driver_go_to_tag (self->driver, step, self->policy, NULL, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

static void
assert_abandoned (ImageFixture *self, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  stm_driver_abandon_marks (self->driver, plan, self->policy, &error);
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

/* --- what is present -------------------------------------------------------------------------- */

static void
test_present (ImageFixture *self, gconstpointer unused)
{
  static const char *const kinds[] = {
    "cluster_size=64k", "cluster_size=512", "extended_l2=on",
    "compat=0.10",      "refcount_bits=64", "lazy_refcounts=on"
  };

  if (!test_images_have_tools ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (StmImage) image = image_fixture_record (self, "disk", "qcow2", NULL, CAPACITY);

      g_test_message ("%s", kinds[i]);
      RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", kinds[i], image->path, "8M");
      write_megabyte (image, 1, 0);
      RUN ("qemu-img", "snapshot", "-c", "a", image->path);
      assert_tags (self, image, "a*");
      write_megabyte (image, 2, 0);
      assert_tags (self, image, "a");
      write_megabyte (image, 1, 0);
      assert_tags (self, image, "a");
      RUN ("qemu-img", "snapshot", "-c", "b", image->path);
      assert_tags (self, image, "a b*");
      RUN ("qemu-img", "snapshot", "-a", "a", image->path);
      assert_tags (self, image, "a* b");
      RUN ("qemu-io", "-f", "qcow2", "-c", "write -z 4M 64k", image->path);
      assert_tags (self, image, "a b");
    }
}

/* What only looks like nothing: zeros, discarded and compressed clusters, another size. */
static void
test_not_present (ImageFixture *self, gconstpointer unused)
{
  static const char *const commands[] = { "write -z 0 1M", "discard 0 1M", "write -c -P 1 3M 64k",
                                          "write -P 1 0 512", "truncate 16M" };

  if (!test_images_have_tools ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    {
      g_autoptr (StmImage) image = make_image (self, "disk");

      g_test_message ("%s", commands[i]);
      make_tag (self, image, "a");
      assert_tags (self, image, "a*");
      RUN ("qemu-io", "-f", "qcow2", "-c", commands[i], image->path);
      assert_tags (self, image, "a");
    }
}

static void
test_not_known_while_written (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");

  make_tag (self, image, "a");

  GSubprocess *holder = test_image_hold (image->path, "qcow2", FALSE);

  assert_tags (self, image, "a");
  test_image_let_go (holder);
  assert_tags (self, image, "a*");
}

/* --- making ----------------------------------------------------------------------------------- */

static void
test_make (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = make_image (self, "one");
  g_autoptr (StmImage) two = make_image (self, "two");
  g_autoptr (StmPlan) plan = plan_new ();
  g_autofree char *format = NULL;
  g_autofree char *backing = NULL;

  add_step (plan, STM_STEP_TAG, one, "kept", NULL);
  add_step (plan, STM_STEP_TAG, one, "Frühling 1", NULL);
  add_step (plan, STM_STEP_TAG, two, "Frühling 1", NULL);
  assert_made (self, plan);

  assert_tags (self, one, "kept* Frühling 1*");
  assert_tags (self, two, "Frühling 1*");
  assert_content (one, "19");
  test_image_assert_sound (one->path);
  test_image_assert_sound (two->path);
  backing = test_image_get_backing (one->path, &format);
  g_assert_cmpstr (backing, ==, one->backing);
  g_assert_cmpstr (format, ==, "raw");
  image_fixture_assert_files (self, "base one two");
}

static void
assert_refused (ImageFixture *self, const StmPlan *plan, StemmaError code, const char *words)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (stm_driver_make_tags (self->driver, plan, self->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, words));
  image_fixture_assert_no_endpoints (self);
}

/* The second image of a plan cannot have it: the first has none either. */
static void
test_none_or_all (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = make_image (self, "one");
  g_autoptr (StmImage) two = make_image (self, "two");
  g_autoptr (StmImage) raw = image_fixture_record (self, "base", "raw", NULL, CAPACITY);
  g_autofree char *before = test_image_digest (one->path, "qcow2");

  RUN ("qemu-img", "snapshot", "-c", "taken", two->path);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (StmPlan) plan = plan_new ();
      GSubprocess *holder = NULL;

      add_step (plan, STM_STEP_TAG, one, i == 0 ? "taken" : "new", NULL);
      add_step (plan, STM_STEP_TAG, i == 1 ? raw : two,
                i == 0   ? "taken"
                : i == 3 ? "123"
                         : "new",
                NULL);
      if (i == 2)
        holder = test_image_hold (two->path, "qcow2", FALSE);
      assert_refused (self, plan,
                      (const StemmaError[]){ STEMMA_ERROR_ALREADY_EXISTS,
                                             STEMMA_ERROR_NOT_SUPPORTED, STEMMA_ERROR_IN_USE,
                                             STEMMA_ERROR_INVALID_ARGUMENT }[i],
                      i == 1 ? raw->path : two->path);
      if (holder != NULL)
        test_image_let_go (holder);
      assert_tags (self, one, "");
      assert_tags (self, two, "taken*");
    }

  g_autofree char *after = test_image_digest (one->path, "qcow2");

  g_assert_cmpstr (after, ==, before);
}

/* QEMU itself refuses the second: reference counts of one bit cannot count two owners. */
static void
test_transaction (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = make_image (self, "one");
  g_autoptr (StmImage) two = image_fixture_record (self, "two", "qcow2", NULL, CAPACITY);
  g_autoptr (StmPlan) plan = plan_new ();

  RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "refcount_bits=1", two->path, "8M");
  write_megabyte (two, 1, 0);
  add_step (plan, STM_STEP_TAG, one, "new", NULL);
  add_step (plan, STM_STEP_TAG, two, "new", NULL);
  assert_refused (self, plan, STEMMA_ERROR_HYPERVISOR, "QEMU refused");
  assert_tags (self, one, "");
  assert_tags (self, two, "");
  assert_content (one, "19");
  assert_content (two, "10");
  test_image_assert_sound (one->path);
  test_image_assert_sound (two->path);
}

/* A name that is another's id would be taken for it by qemu-img. */
static void
test_name_that_is_an_id (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();

  RUN ("qemu-img", "snapshot", "-c", "a", image->path);
  RUN ("qemu-img", "snapshot", "-c", "1", image->path);
  assert_tags (self, image, "a* 1*");
  add_step (plan, STM_STEP_TAG, image, "2", NULL);
  assert_refused (self, plan, STEMMA_ERROR_INVALID_ARGUMENT, "number");
}

static void
test_bitmaps_survive (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");

  RUN ("qemu-img", "bitmap", "--add", image->path, "b");
  make_tag (self, image, "a");

  g_autoptr (StmSurvey) survey = look_at (self, image);
  const StmBitmapFacts *bitmap = stm_facts_find_bitmap (stm_survey_get (survey, image->path), "b");

  g_assert_true (bitmap != NULL && bitmap->is_recording && !bitmap->is_broken);
}

static void
test_cancelled (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  add_step (plan, STM_STEP_TAG, image, "a", NULL);
  g_cancellable_cancel (cancellable);
  g_assert_false (stm_driver_make_tags (self->driver, plan, self->policy, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  assert_tags (self, image, "");
}

/* --- going ------------------------------------------------------------------------------------ */

/* The content is "239", tags "first" (19) and "second" (129); a plan that goes to `name`. */
static StmPlan *
make_history (ImageFixture *self, StmImage *image, const char *name)
{
  g_autoptr (StmPlan) plan = plan_new ();

  make_tag (self, image, "first");
  write_megabyte (image, 2, 1);
  make_tag (self, image, "second");
  write_megabyte (image, 2, 0);
  write_megabyte (image, 3, 1);
  add_step (plan, STM_STEP_TAG, image, "stemma-" TEST_PLAN_ID, NULL);
  add_step (plan, STM_STEP_GOTO, image, name, "stemma-" TEST_PLAN_ID);

  return g_steal_pointer (&plan);
}

static void
test_go (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  g_autoptr (StmPlan) other = plan_new ();
  g_autofree char *format = NULL;
  g_autofree char *backing = NULL;

  assert_made (self, plan);
  assert_content (image, "239");
  assert_went (self, get_step (plan, 1));
  assert_content (image, "199");
  assert_tags (self, image, "first* second stemma-" TEST_PLAN_ID);
  /* Done again, as after a crash. */
  assert_went (self, get_step (plan, 1));
  assert_content (image, "199");

  make_tag (self, image, "other back");
  add_step (other, STM_STEP_GOTO, image, "second", "other back");
  assert_went (self, get_step (other, 0));
  assert_content (image, "129");
  backing = test_image_get_backing (image->path, &format);
  g_assert_cmpstr (backing, ==, image->backing);
  g_assert_cmpstr (format, ==, "raw");
  test_image_assert_sound (image->path);
  image_fixture_assert_files (self, "base disk");
}

/* Of every kind of image that QEMU makes. */
static void
test_go_in_all_kinds (ImageFixture *self, gconstpointer unused)
{
  static const char *const kinds[] = { "cluster_size=512", "cluster_size=2M", "extended_l2=on",
                                       "compat=0.10",      "refcount_bits=2", "refcount_bits=64",
                                       "lazy_refcounts=on" };

  if (!test_images_have_tools ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      g_autoptr (StmImage) image = image_fixture_record (self, "disk", "qcow2", NULL, CAPACITY);
      g_autoptr (StmPlan) plan = plan_new ();

      g_test_message ("%s", kinds[i]);
      RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", kinds[i], image->path, "8M");
      write_megabyte (image, 1, 0);
      make_tag (self, image, "a");
      write_megabyte (image, 2, 0);
      add_step (plan, STM_STEP_TAG, image, "back", NULL);
      add_step (plan, STM_STEP_GOTO, image, "a", "back");
      assert_made (self, plan);
      assert_went (self, get_step (plan, 1));
      RUN ("qemu-io", "-f", "qcow2", "-r", "-c", "read -P 1 0 1M", image->path);
      assert_tags (self, image, "a* back");
      assert_abandoned (self, plan);
      RUN ("qemu-io", "-f", "qcow2", "-r", "-c", "read -P 2 0 1M", image->path);
      assert_tags (self, image, "a");
      RUN ("qemu-img", "check", "-q", image->path);
    }
}

static void
test_taken_back (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");

  assert_made (self, plan);
  assert_went (self, get_step (plan, 1));
  for (guint i = 0; i < 2; i++)
    {
      assert_abandoned (self, plan);
      assert_content (image, "239");
      assert_tags (self, image, "first second");
    }
  RUN ("qemu-img", "check", "-q", image->path);
}

static void
assert_not_gone (ImageFixture *self, StmImage *image, const char *name, const char *fallback,
                 StemmaError code, const char *words)
{
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *before = test_image_digest (image->path, image->format);
  g_autofree char *after = NULL;

  add_step (plan, STM_STEP_GOTO, image, name, fallback);
  g_assert_false (
      stm_driver_go_to_tag (self->driver, get_step (plan, 0), self->policy, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, (int) code);
  g_assert_nonnull (strstr (error->message, image->path));
  if (strstr (error->message, words) == NULL)
    g_error ("no \"%s\" in: %s", words, error->message);
  after = test_image_digest (image->path, image->format);
  g_assert_cmpstr (after, ==, before);
  image_fixture_assert_no_endpoints (self);
}

/* The service was cut off, and a machine ran before it came back: what it wrote is not thrown away,
 * and nothing is removed. */
static void
test_written_meanwhile (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  for (guint has_gone = 0; has_gone <= 1; has_gone++)
    {
      g_autoptr (StmImage) image = make_image (self, "disk");
      g_autoptr (StmPlan) plan = make_history (self, image, "first");
      g_autoptr (GError) error = NULL;

      assert_made (self, plan);
      if (has_gone)
        assert_went (self, get_step (plan, 1));
      write_megabyte (image, 5, 2);
      g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE);
      assert_content (image, has_gone ? "195" : "235");
      assert_tags (self, image, "first second stemma-" TEST_PLAN_ID);
      assert_not_gone (self, image, "second", "stemma-" TEST_PLAN_ID, STEMMA_ERROR_UNSAVED_STATE,
                       "was written");
    }
}

/* Not done, done in part: there is nothing to take back but what is there. */
static void
test_taken_back_early (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "second");

  assert_abandoned (self, plan);
  assert_content (image, "239");
  assert_tags (self, image, "first second");

  assert_made (self, plan);
  assert_abandoned (self, plan);
  assert_content (image, "239");
  assert_tags (self, image, "first second");
}

/* A name that was taken by another program before the operation came to it is not the operation's
 * to remove. */
static void
test_foreign_tag_stays (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  RUN ("qemu-img", "snapshot", "-c", "mine", image->path);
  write_megabyte (image, 2, 0);
  add_step (plan, STM_STEP_TAG, image, "mine", NULL);
  assert_refused (self, plan, STEMMA_ERROR_ALREADY_EXISTS, "\"mine\"");
  g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_nonnull (strstr (error->message, "qemu-img snapshot -d"));
  assert_tags (self, image, "mine");
  assert_content (image, "29");
}

/* One image that is held elsewhere does not keep the other from being taken back, and keeps its
 * own way back. */
static void
test_one_cannot_be_taken_back (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = make_image (self, "one");
  g_autoptr (StmImage) two = make_image (self, "two");
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;
  GSubprocess *holder;

  make_tag (self, one, "a");
  make_tag (self, two, "a");
  write_megabyte (one, 2, 0);
  write_megabyte (two, 2, 0);
  add_step (plan, STM_STEP_TAG, one, "back", NULL);
  add_step (plan, STM_STEP_TAG, two, "back", NULL);
  add_step (plan, STM_STEP_GOTO, one, "a", "back");
  add_step (plan, STM_STEP_GOTO, two, "a", "back");
  assert_made (self, plan);
  assert_went (self, get_step (plan, 2));
  assert_went (self, get_step (plan, 3));
  holder = test_image_hold (one->path, "qcow2", TRUE);

  g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  assert_tags (self, one, "a* back");
  assert_tags (self, two, "a");
  assert_content (two, "29");

  test_image_let_go (holder);
  assert_abandoned (self, plan);
  assert_tags (self, one, "a");
  assert_content (one, "29");
}

static void
test_refused (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmImage) raw = image_fixture_record (self, "base", "raw", NULL, CAPACITY);
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  const char *back = "stemma-" TEST_PLAN_ID;

  assert_made (self, plan);
  assert_not_gone (self, raw, "first", back, STEMMA_ERROR_NOT_SUPPORTED, "raw");
  assert_not_gone (self, image, "absent", back, STEMMA_ERROR_NOT_FOUND, "\"absent\"");
  /* The id of "first" is no name. */
  assert_not_gone (self, image, "1", back, STEMMA_ERROR_NOT_FOUND, "\"1\"");
  assert_not_gone (self, image, "first", "absent", STEMMA_ERROR_NOT_FOUND, "\"absent\"");

  RUN ("qemu-img", "bitmap", "--add", image->path, "b");
  assert_not_gone (self, image, "first", back, STEMMA_ERROR_NOT_SUPPORTED, "\"b\"");
  RUN ("qemu-img", "bitmap", "--remove", image->path, "b");

  RUN ("qemu-img", "snapshot", "-c", "first", image->path);
  assert_not_gone (self, image, "first", back, STEMMA_ERROR_CHAIN_BROKEN, "two");
}

static void
test_refused_while_open (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");

  assert_made (self, plan);
  for (guint is_read_only = 0; is_read_only <= 1; is_read_only++)
    {
      GSubprocess *holder = test_image_hold (image->path, "qcow2", is_read_only != 0);
      g_autoptr (GError) error = NULL;

      g_assert_false (
          stm_driver_go_to_tag (self->driver, get_step (plan, 1), self->policy, NULL, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
      test_image_let_go (holder);
    }
  assert_content (image, "239");
}

static void
test_refused_after_resize (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");

  make_tag (self, image, "first");
  RUN ("qemu-img", "resize", "-q", image->path, "16M");
  make_tag (self, image, "back");
  assert_not_gone (self, image, "first", "back", STEMMA_ERROR_NOT_SUPPORTED, "qemu-img resize");
}

/* A name that is another's id is no riddle: the id is what is asked for. */
static void
test_ambiguous_for_qemu (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();

  RUN ("qemu-img", "snapshot", "-c", "a", image->path);
  write_megabyte (image, 2, 0);
  RUN ("qemu-img", "snapshot", "-c", "1", image->path);
  write_megabyte (image, 3, 0);
  make_tag (self, image, "back");
  add_step (plan, STM_STEP_GOTO, image, "1", "back");
  assert_went (self, get_step (plan, 0));
  assert_content (image, "29");
}

static void
test_go_cancelled (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  assert_made (self, plan);
  g_cancellable_cancel (cancellable);
  g_assert_false (
      stm_driver_go_to_tag (self->driver, get_step (plan, 1), self->policy, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  assert_content (image, "239");
}

/* --- removing --------------------------------------------------------------------------------- */

static void
test_remove (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();

  stm_plan_unref (make_history (self, image, "second"));
  add_step (plan, STM_STEP_UNTAG, image, "first", NULL);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      stm_driver_remove_mark (self->driver, get_step (plan, 0), self->policy, &error);
      g_assert_no_error (error);
      assert_tags (self, image, "second");
      assert_content (image, "239");
      RUN ("qemu-img", "check", "-q", image->path);
    }
}

static void
test_remove_refused (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = make_image (self, "disk");
  g_autoptr (StmPlan) plan = plan_new ();
  g_autoptr (GError) error = NULL;

  RUN ("qemu-img", "snapshot", "-c", "twice", image->path);
  RUN ("qemu-img", "snapshot", "-c", "twice", image->path);
  add_step (plan, STM_STEP_UNTAG, image, "twice", NULL);
  g_assert_false (stm_driver_remove_mark (self->driver, get_step (plan, 0), self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  assert_tags (self, image, "twice* twice*");
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (ImageFixture *, gconstpointer);
  } tests[] = {
    { "/qemu/tags/a-tag-is-present-until-a-write", test_present },
    { "/qemu/tags/what-looks-the-same-is-not-proven-to-be", test_not_present },
    { "/qemu/tags/no-tag-is-known-to-be-present-in-an-open-image", test_not_known_while_written },
    { "/qemu/tags/all-tags-of-a-plan-are-made", test_make },
    { "/qemu/tags/none-is-made-when-one-image-is-refused", test_none_or_all },
    { "/qemu/tags/none-is-made-when-qemu-refuses-one", test_transaction },
    { "/qemu/tags/a-name-of-digits-is-refused", test_name_that_is_an_id },
    { "/qemu/tags/bitmaps-survive-a-tag", test_bitmaps_survive },
    { "/qemu/tags/making-can-be-cancelled", test_cancelled },
    { "/qemu/tags/an-image-goes-to-its-tags", test_go },
    { "/qemu/tags/images-of-all-kinds-go-to-their-tags", test_go_in_all_kinds },
    { "/qemu/tags/an-image-is-brought-back", test_taken_back },
    { "/qemu/tags/what-was-written-meanwhile-is-not-lost", test_written_meanwhile },
    { "/qemu/tags/what-was-not-done-is-taken-back-too", test_taken_back_early },
    { "/qemu/tags/a-tag-of-another-program-stays", test_foreign_tag_stays },
    { "/qemu/tags/an-image-that-cannot-be-brought-back-keeps-its-fallback",
      test_one_cannot_be_taken_back },
    { "/qemu/tags/going-is-refused-before-anything-is-touched", test_refused },
    { "/qemu/tags/going-is-refused-while-the-image-is-open", test_refused_while_open },
    { "/qemu/tags/going-is-refused-after-a-resize", test_refused_after_resize },
    { "/qemu/tags/a-name-that-is-anothers-id-is-told-apart", test_ambiguous_for_qemu },
    { "/qemu/tags/going-can-be-cancelled", test_go_cancelled },
    { "/qemu/tags/a-tag-is-removed", test_remove },
    { "/qemu/tags/of-two-tags-of-one-name-none-is-removed", test_remove_refused },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, ImageFixture, NULL, image_fixture_set_up, tests[i].test,
                image_fixture_tear_down);

  return g_test_run ();
}
