/* Images brought to their internal snapshots, and back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tag-kit.h"

#include <string.h>

/* A program whose output does not matter. */
#define RUN(...) g_free (test_run (__VA_ARGS__, NULL))

/* The content is "239", tags "first" (19) and "second" (129); a plan that goes to `name`. */
static StmPlan *
make_history (ImageFixture *self, StmImage *image, const char *name)
{
  g_autoptr (StmPlan) plan = tag_plan_new ();

  tag_image_make_tag (self, image, "first");
  tag_image_write (image, 2, 1);
  tag_image_make_tag (self, image, "second");
  tag_image_write (image, 2, 0);
  tag_image_write (image, 3, 1);
  tag_plan_add (plan, STM_STEP_TAG, image, "stemma-" TEST_PLAN_ID, NULL);
  tag_plan_add (plan, STM_STEP_GOTO, image, name, "stemma-" TEST_PLAN_ID);

  return g_steal_pointer (&plan);
}

static void
test_go (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  g_autoptr (StmPlan) other = tag_plan_new ();
  g_autofree char *format = NULL;
  g_autofree char *backing = NULL;

  tag_plan_assert_made (self, plan);
  tag_image_assert_content (image, "239");
  tag_step_assert_went (self, tag_plan_get (plan, 1));
  tag_image_assert_content (image, "199");
  tag_image_assert_tags (self, image, "first* second stemma-" TEST_PLAN_ID);
  /* Done again, as after a crash. */
  tag_step_assert_went (self, tag_plan_get (plan, 1));
  tag_image_assert_content (image, "199");

  tag_image_make_tag (self, image, "other back");
  tag_plan_add (other, STM_STEP_GOTO, image, "second", "other back");
  tag_step_assert_went (self, tag_plan_get (other, 0));
  tag_image_assert_content (image, "129");
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
      g_autoptr (StmPlan) plan = tag_plan_new ();

      g_test_message ("%s", kinds[i]);
      RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", kinds[i], image->path, "8M");
      tag_image_write (image, 1, 0);
      tag_image_make_tag (self, image, "a");
      tag_image_write (image, 2, 0);
      tag_plan_add (plan, STM_STEP_TAG, image, "back", NULL);
      tag_plan_add (plan, STM_STEP_GOTO, image, "a", "back");
      tag_plan_assert_made (self, plan);
      tag_step_assert_went (self, tag_plan_get (plan, 1));
      RUN ("qemu-io", "-f", "qcow2", "-r", "-c", "read -P 1 0 1M", image->path);
      tag_image_assert_tags (self, image, "a* back");
      tag_plan_assert_abandoned (self, plan);
      RUN ("qemu-io", "-f", "qcow2", "-r", "-c", "read -P 2 0 1M", image->path);
      tag_image_assert_tags (self, image, "a");
      RUN ("qemu-img", "check", "-q", image->path);
    }
}

static void
test_taken_back (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");

  tag_plan_assert_made (self, plan);
  tag_step_assert_went (self, tag_plan_get (plan, 1));
  for (guint i = 0; i < 2; i++)
    {
      tag_plan_assert_abandoned (self, plan);
      tag_image_assert_content (image, "239");
      tag_image_assert_tags (self, image, "first second");
    }
  RUN ("qemu-img", "check", "-q", image->path);
}

static void
assert_not_gone (ImageFixture *self, StmImage *image, const char *name, const char *fallback,
                 StemmaError code, const char *words)
{
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *before = test_image_digest (image->path, image->format);
  g_autofree char *after = NULL;

  tag_plan_add (plan, STM_STEP_GOTO, image, name, fallback);
  g_assert_false (
      stm_driver_go_to_tag (self->driver, tag_plan_get (plan, 0), self->policy, NULL, &error));
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
      g_autoptr (StmImage) image = tag_image_new (self, "disk");
      g_autoptr (StmPlan) plan = make_history (self, image, "first");
      g_autoptr (GError) error = NULL;

      tag_plan_assert_made (self, plan);
      if (has_gone)
        tag_step_assert_went (self, tag_plan_get (plan, 1));
      tag_image_write (image, 5, 2);
      g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE);
      tag_image_assert_content (image, has_gone ? "195" : "235");
      tag_image_assert_tags (self, image, "first second stemma-" TEST_PLAN_ID);
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

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "second");

  tag_plan_assert_abandoned (self, plan);
  tag_image_assert_content (image, "239");
  tag_image_assert_tags (self, image, "first second");

  tag_plan_assert_made (self, plan);
  tag_plan_assert_abandoned (self, plan);
  tag_image_assert_content (image, "239");
  tag_image_assert_tags (self, image, "first second");
}

/* A name that was taken by another program before the operation came to it is not the operation's
 * to remove. */
static void
test_foreign_tag_stays (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autoptr (GError) error = NULL;

  RUN ("qemu-img", "snapshot", "-c", "mine", image->path);
  tag_image_write (image, 2, 0);
  tag_plan_add (plan, STM_STEP_TAG, image, "mine", NULL);
  tag_plan_assert_refused (self, plan, STEMMA_ERROR_ALREADY_EXISTS, "\"mine\"");
  g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_nonnull (strstr (error->message, "qemu-img snapshot -d"));
  tag_image_assert_tags (self, image, "mine");
  tag_image_assert_content (image, "29");
}

/* One image that is held elsewhere does not keep the other from being taken back, and keeps its
 * own way back. */
static void
test_one_cannot_be_taken_back (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = tag_image_new (self, "one");
  g_autoptr (StmImage) two = tag_image_new (self, "two");
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autoptr (GError) error = NULL;
  GSubprocess *holder;

  tag_image_make_tag (self, one, "a");
  tag_image_make_tag (self, two, "a");
  tag_image_write (one, 2, 0);
  tag_image_write (two, 2, 0);
  tag_plan_add (plan, STM_STEP_TAG, one, "back", NULL);
  tag_plan_add (plan, STM_STEP_TAG, two, "back", NULL);
  tag_plan_add (plan, STM_STEP_GOTO, one, "a", "back");
  tag_plan_add (plan, STM_STEP_GOTO, two, "a", "back");
  tag_plan_assert_made (self, plan);
  tag_step_assert_went (self, tag_plan_get (plan, 2));
  tag_step_assert_went (self, tag_plan_get (plan, 3));
  holder = test_image_hold (one->path, "qcow2", TRUE);

  g_assert_false (stm_driver_abandon_marks (self->driver, plan, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
  tag_image_assert_tags (self, one, "a* back");
  tag_image_assert_tags (self, two, "a");
  tag_image_assert_content (two, "29");

  test_image_let_go (holder);
  tag_plan_assert_abandoned (self, plan);
  tag_image_assert_tags (self, one, "a");
  tag_image_assert_content (one, "29");
}

static void
test_refused (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmImage) raw = image_fixture_record (self, "base", "raw", NULL, CAPACITY);
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  const char *back = "stemma-" TEST_PLAN_ID;

  tag_plan_assert_made (self, plan);
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

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");

  tag_plan_assert_made (self, plan);
  for (guint is_read_only = 0; is_read_only <= 1; is_read_only++)
    {
      GSubprocess *holder = test_image_hold (image->path, "qcow2", is_read_only != 0);
      g_autoptr (GError) error = NULL;

      g_assert_false (
          stm_driver_go_to_tag (self->driver, tag_plan_get (plan, 1), self->policy, NULL, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
      test_image_let_go (holder);
    }
  tag_image_assert_content (image, "239");
}

static void
test_refused_after_resize (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");

  tag_image_make_tag (self, image, "first");
  RUN ("qemu-img", "resize", "-q", image->path, "16M");
  tag_image_make_tag (self, image, "back");
  assert_not_gone (self, image, "first", "back", STEMMA_ERROR_NOT_SUPPORTED, "qemu-img resize");
}

/* A name that is another's id is no riddle: the id is what is asked for. */
static void
test_ambiguous_for_qemu (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();

  RUN ("qemu-img", "snapshot", "-c", "a", image->path);
  tag_image_write (image, 2, 0);
  RUN ("qemu-img", "snapshot", "-c", "1", image->path);
  tag_image_write (image, 3, 0);
  tag_image_make_tag (self, image, "back");
  tag_plan_add (plan, STM_STEP_GOTO, image, "1", "back");
  tag_step_assert_went (self, tag_plan_get (plan, 0));
  tag_image_assert_content (image, "29");
}

static void
test_go_cancelled (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = make_history (self, image, "first");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  tag_plan_assert_made (self, plan);
  g_cancellable_cancel (cancellable);
  g_assert_false (stm_driver_go_to_tag (self->driver, tag_plan_get (plan, 1), self->policy,
                                        cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  tag_image_assert_content (image, "239");
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (ImageFixture *, gconstpointer);
  } tests[] = {
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
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, ImageFixture, NULL, image_fixture_set_up, tests[i].test,
                image_fixture_tear_down);

  return g_test_run ();
}
