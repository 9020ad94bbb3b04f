/* Internal snapshots of real images: seen, made and removed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tag-kit.h"

#include <string.h>

/* A program whose output does not matter. */
#define RUN(...) g_free (test_run (__VA_ARGS__, NULL))

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
      tag_image_write (image, 1, 0);
      RUN ("qemu-img", "snapshot", "-c", "a", image->path);
      tag_image_assert_tags (self, image, "a*");
      tag_image_write (image, 2, 0);
      tag_image_assert_tags (self, image, "a");
      tag_image_write (image, 1, 0);
      tag_image_assert_tags (self, image, "a");
      RUN ("qemu-img", "snapshot", "-c", "b", image->path);
      tag_image_assert_tags (self, image, "a b*");
      RUN ("qemu-img", "snapshot", "-a", "a", image->path);
      tag_image_assert_tags (self, image, "a* b");
      RUN ("qemu-io", "-f", "qcow2", "-c", "write -z 4M 64k", image->path);
      tag_image_assert_tags (self, image, "a b");
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
      g_autoptr (StmImage) image = tag_image_new (self, "disk");

      g_test_message ("%s", commands[i]);
      tag_image_make_tag (self, image, "a");
      tag_image_assert_tags (self, image, "a*");
      RUN ("qemu-io", "-f", "qcow2", "-c", commands[i], image->path);
      tag_image_assert_tags (self, image, "a");
    }
}

static void
test_not_known_while_written (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");

  tag_image_make_tag (self, image, "a");

  GSubprocess *holder = test_image_hold (image->path, "qcow2", FALSE);

  tag_image_assert_tags (self, image, "a");
  test_image_let_go (holder);
  tag_image_assert_tags (self, image, "a*");
}

/* --- making ----------------------------------------------------------------------------------- */

static void
test_make (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = tag_image_new (self, "one");
  g_autoptr (StmImage) two = tag_image_new (self, "two");
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autofree char *format = NULL;
  g_autofree char *backing = NULL;

  tag_plan_add (plan, STM_STEP_TAG, one, "kept", NULL);
  tag_plan_add (plan, STM_STEP_TAG, one, "Frühling 1", NULL);
  tag_plan_add (plan, STM_STEP_TAG, two, "Frühling 1", NULL);
  tag_plan_assert_made (self, plan);

  tag_image_assert_tags (self, one, "kept* Frühling 1*");
  tag_image_assert_tags (self, two, "Frühling 1*");
  tag_image_assert_content (one, "19");
  test_image_assert_sound (one->path);
  test_image_assert_sound (two->path);
  backing = test_image_get_backing (one->path, &format);
  g_assert_cmpstr (backing, ==, one->backing);
  g_assert_cmpstr (format, ==, "raw");
  image_fixture_assert_files (self, "base one two");
}

/* The second image of a plan cannot have it: the first has none either. */
static void
test_none_or_all (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) one = tag_image_new (self, "one");
  g_autoptr (StmImage) two = tag_image_new (self, "two");
  g_autoptr (StmImage) raw = image_fixture_record (self, "base", "raw", NULL, CAPACITY);
  g_autofree char *before = test_image_digest (one->path, "qcow2");

  RUN ("qemu-img", "snapshot", "-c", "taken", two->path);
  for (guint i = 0; i < 4; i++)
    {
      g_autoptr (StmPlan) plan = tag_plan_new ();
      GSubprocess *holder = NULL;

      tag_plan_add (plan, STM_STEP_TAG, one, i == 0 ? "taken" : "new", NULL);
      tag_plan_add (plan, STM_STEP_TAG, i == 1 ? raw : two,
                    i == 0   ? "taken"
                    : i == 3 ? "123"
                             : "new",
                    NULL);
      if (i == 2)
        holder = test_image_hold (two->path, "qcow2", FALSE);
      tag_plan_assert_refused (
          self, plan,
          (const StemmaError[]){ STEMMA_ERROR_ALREADY_EXISTS, STEMMA_ERROR_NOT_SUPPORTED,
                                 STEMMA_ERROR_IN_USE, STEMMA_ERROR_INVALID_ARGUMENT }[i],
          i == 1 ? raw->path : two->path);
      if (holder != NULL)
        test_image_let_go (holder);
      tag_image_assert_tags (self, one, "");
      tag_image_assert_tags (self, two, "taken*");
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

  g_autoptr (StmImage) one = tag_image_new (self, "one");
  g_autoptr (StmImage) two = image_fixture_record (self, "two", "qcow2", NULL, CAPACITY);
  g_autoptr (StmPlan) plan = tag_plan_new ();

  RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", "refcount_bits=1", two->path, "8M");
  tag_image_write (two, 1, 0);
  tag_plan_add (plan, STM_STEP_TAG, one, "new", NULL);
  tag_plan_add (plan, STM_STEP_TAG, two, "new", NULL);
  tag_plan_assert_refused (self, plan, STEMMA_ERROR_HYPERVISOR, "QEMU refused");
  tag_image_assert_tags (self, one, "");
  tag_image_assert_tags (self, two, "");
  tag_image_assert_content (one, "19");
  tag_image_assert_content (two, "10");
  test_image_assert_sound (one->path);
  test_image_assert_sound (two->path);
}

/* A name that is another's id would be taken for it by qemu-img. */
static void
test_name_that_is_an_id (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();

  RUN ("qemu-img", "snapshot", "-c", "a", image->path);
  RUN ("qemu-img", "snapshot", "-c", "1", image->path);
  tag_image_assert_tags (self, image, "a* 1*");
  tag_plan_add (plan, STM_STEP_TAG, image, "2", NULL);
  tag_plan_assert_refused (self, plan, STEMMA_ERROR_INVALID_ARGUMENT, "number");
}

static void
test_bitmaps_survive (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");

  RUN ("qemu-img", "bitmap", "--add", image->path, "b");
  tag_image_make_tag (self, image, "a");

  g_autoptr (StmSurvey) survey = tag_image_survey (self, image);
  const StmBitmapFacts *bitmap = stm_facts_find_bitmap (stm_survey_get (survey, image->path), "b");

  g_assert_true (bitmap != NULL && bitmap->is_recording && !bitmap->is_broken);
}

static void
test_cancelled (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  tag_plan_add (plan, STM_STEP_TAG, image, "a", NULL);
  g_cancellable_cancel (cancellable);
  g_assert_false (stm_driver_make_tags (self->driver, plan, self->policy, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  tag_image_assert_tags (self, image, "");
}

/* --- removing --------------------------------------------------------------------------------- */

static void
test_remove (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();

  tag_image_make_tag (self, image, "first");
  tag_image_write (image, 2, 1);
  tag_image_make_tag (self, image, "second");
  tag_image_write (image, 2, 0);
  tag_image_write (image, 3, 1);
  tag_plan_add (plan, STM_STEP_UNTAG, image, "first", NULL);
  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GError) error = NULL;

      image_fixture_remove_mark (self, tag_plan_get (plan, 0), &error);
      g_assert_no_error (error);
      tag_image_assert_tags (self, image, "second");
      tag_image_assert_content (image, "239");
      RUN ("qemu-img", "check", "-q", image->path);
    }
}

static void
test_remove_refused (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (StmPlan) plan = tag_plan_new ();
  g_autoptr (GError) error = NULL;

  RUN ("qemu-img", "snapshot", "-c", "twice", image->path);
  RUN ("qemu-img", "snapshot", "-c", "twice", image->path);
  tag_plan_add (plan, STM_STEP_UNTAG, image, "twice", NULL);
  g_assert_false (image_fixture_remove_mark (self, tag_plan_get (plan, 0), &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  tag_image_assert_tags (self, image, "twice* twice*");
}

/* A kill while QEMU rewrites the directory of bitmaps leaves them void, and qemu-img, when it opens
 * such an image to repair it, writes a header without internal snapshots. */
static void
test_repair_keeps_tags (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (StmImage) image = tag_image_new (self, "disk");
  g_autoptr (GError) error = NULL;
  g_autofree char *bytes = NULL;
  gsize length;

  tag_image_make_tag (self, image, "a");
  RUN ("qemu-img", "bitmap", "--add", "-f", "qcow2", image->path, "b");
  g_assert_true (g_file_get_contents (image->path, &bytes, &length, NULL));
  bytes[95] = 0; /* the autoclear features: bit 0 says that the bitmaps are in force */
  g_assert_true (g_file_set_contents (image->path, bytes, length, NULL));
  stm_driver_repair_image (self->driver, image, self->policy, &error);
  g_assert_no_error (error);
  tag_image_assert_tags (self, image, "a*");
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
    { "/qemu/tags/a-tag-is-removed", test_remove },
    { "/qemu/tags/of-two-tags-of-one-name-none-is-removed", test_remove_refused },
    { "/qemu/tags/a-repair-keeps-them-when-bitmaps-are-void", test_repair_keeps_tags },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, ImageFixture, NULL, image_fixture_set_up, tests[i].test,
                image_fixture_tear_down);

  return g_test_run ();
}
