/* The real driver, with real QEMU on real images, against the tests that all drivers pass.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite.h"
#include "image-fixture.h"

#include <glib/gstdio.h>
#include <string.h>

static gpointer
set_up (void)
{
  if (!test_images_have_tools ())
    return NULL;

  ImageFixture *fixture = g_new0 (ImageFixture, 1);
  image_fixture_set_up (fixture, NULL);

  return fixture;
}

static void
tear_down (gpointer world)
{
  image_fixture_tear_down (world, NULL);
  g_free (world);
}

static StmDriver *
get_driver (gpointer world)
{
  return ((ImageFixture *) world)->driver;
}

static const char *
get_directory (gpointer world)
{
  return ((ImageFixture *) world)->directory;
}

static void
make_image (gpointer world, const char *path, const char *format, guint64 capacity,
            const char *backing, const char *backing_format)
{
  test_image_create (path, format, capacity, backing, backing_format);
}

/* The format from the content: here the tests alone have written it. */
static const char *
format_of (const char *path)
{
  g_autofree char *start = NULL;

  g_assert_true (g_file_get_contents (path, &start, NULL, NULL));
  return memcmp (start, "QFI\xfb", 4) == 0 ? "qcow2" : "raw";
}

static void
write_block (gpointer world, const char *path, guint64 block, guint value)
{
  test_image_write (path, format_of (path), value, block * SUITE_BLOCK, SUITE_BLOCK);
}

/* Each byte of the block must be the same. */
static guint
read_block (gpointer world, const char *path, guint64 block)
{
  g_autofree char *output = g_strconcat (path, ".read", NULL);
  g_autofree char *content = NULL;
  gsize length;

  g_free (
      test_run ("qemu-img", "convert", "-f", format_of (path), "-O", "raw", path, output, NULL));
  g_assert_true (g_file_get_contents (output, &content, &length, NULL));
  g_assert_cmpint (g_remove (output), ==, 0);
  g_assert_cmpuint ((block + 1) * SUITE_BLOCK, <=, length);

  const char *bytes = content + block * SUITE_BLOCK;
  for (gsize i = 1; i < SUITE_BLOCK; i++)
    g_assert_cmpint (bytes[i], ==, bytes[0]);

  return (guchar) bytes[0];
}

static gboolean
exists (gpointer world, const char *path)
{
  return g_file_test (path, G_FILE_TEST_EXISTS);
}

static void
resize (gpointer world, const char *path, guint64 capacity)
{
  g_autofree char *size = g_strdup_printf ("%" G_GUINT64_FORMAT, capacity);

  g_free (
      test_run ("qemu-img", "resize", "-q", "--shrink", "-f", format_of (path), path, size, NULL));
}

static const DriverHarness harness = {
  .set_up = set_up,
  .tear_down = tear_down,
  .get_driver = get_driver,
  .get_directory = get_directory,
  .make_image = make_image,
  .write = write_block,
  .read = read_block,
  .exists = exists,
  .resize = resize,
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  driver_suite_add ("qemu", &harness);

  return g_test_run ();
}
