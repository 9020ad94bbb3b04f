/* Sets up a real driver on a temporary directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-fixture.h"

#include "stm-qemu-driver.h"

#include <unistd.h>

const char *
image_fixture_get_user (void)
{
  return geteuid () == 0 ? "nobody" : NULL;
}

void
image_fixture_set_up (ImageFixture *self, gconstpointer unused)
{
  self->directory = test_directory_new ();
  self->run_directory = test_directory_new ();

  const char *const roots[] = { self->directory, NULL };
  const char *const none[] = { NULL };

  self->driver = STM_DRIVER (
      stm_qemu_driver_new (NULL, image_fixture_get_user (), self->run_directory));
  self->policy = stm_path_policy_new (roots, none);
  self->progress = stm_progress_new ();
}

void
image_fixture_tear_down (ImageFixture *self, gconstpointer unused)
{
  g_clear_object (&self->driver);
  g_clear_pointer (&self->policy, stm_path_policy_unref);
  g_clear_pointer (&self->progress, stm_progress_unref);
  test_directory_remove (self->directory);
  test_directory_remove (self->run_directory);
  g_free (self->directory);
  g_free (self->run_directory);
}

char *
image_fixture_path (ImageFixture *self, const char *name)
{
  return g_build_filename (self->directory, name, NULL);
}

StmImage *
image_fixture_record (ImageFixture *self, const char *name, const char *format, const char *backing,
                      guint64 capacity)
{
  g_autofree char *path = image_fixture_path (self, name);
  g_autofree char *below = backing != NULL ? image_fixture_path (self, backing) : NULL;

  return stm_image_new (&(StmImage){ .path = path,
                                     .target = "vda",
                                     .index = 1,
                                     .format = format,
                                     .backing = below,
                                     .origin = STM_IMAGE_MADE,
                                     .capacity = capacity });
}

GPtrArray *
image_list (StmImage *first, ...)
{
  GPtrArray *images = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  va_list rest;

  va_start (rest, first);
  for (StmImage *image = first; image != NULL; image = va_arg (rest, StmImage *))
    g_ptr_array_add (images, image);
  va_end (rest);

  return images;
}

gboolean
image_fixture_remove_mark (ImageFixture *self, const StmStep *step, GError **error)
{
  GError *failure = NULL;
  gboolean is_done = stm_driver_remove_marks (self->driver, &step, 1, self->policy, &failure);

  g_assert_cmpint (failure == NULL, ==, is_done);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return is_done;
}

void
image_fixture_assert_no_endpoints (ImageFixture *self)
{
  g_autofree char *directory = g_build_filename (self->run_directory, "endpoints", NULL);

  if (g_file_test (directory, G_FILE_TEST_EXISTS))
    {
      g_autofree char *names = test_directory_list (directory);

      g_assert_cmpstr (names, ==, "");
    }
}

void
image_fixture_assert_files (ImageFixture *self, const char *names)
{
  g_autofree char *found = test_directory_list (self->directory);

  g_assert_cmpstr (found, ==, names);
}
