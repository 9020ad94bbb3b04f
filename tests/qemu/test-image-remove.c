/* Files removed, when they are proven to be what is recorded.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-remove.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "test-images.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

typedef struct
{
  char *directory;
  char *path;
  char *base;
  StmPathPolicy *policy;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  const char *none[] = { NULL };

  self->directory = test_directory_new ();
  self->path = g_build_filename (self->directory, "layer", NULL);
  self->base = g_build_filename (self->directory, "base", NULL);

  const char *roots[] = { self->directory, NULL };

  self->policy = stm_path_policy_new (roots, none);
  test_qcow2_write (self->base, &(TestQcow2){ .version = 3 });
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->path);
  g_free (self->base);
  stm_path_policy_unref (self->policy);
}

static StmImage *
make_record (Fixture *self, StmImageOrigin origin)
{
  return stm_image_new (&(StmImage){ .path = self->path,
                                     .target = "vda",
                                     .index = 2,
                                     .format = "qcow2",
                                     .backing = self->base,
                                     .origin = origin,
                                     .capacity = TEST_QCOW2_CAPACITY });
}

static void
test_recorded (Fixture *self, gconstpointer unused)
{
  g_autoptr (StmImage) image = make_record (self, STM_IMAGE_MADE);
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .backing = "base", .backing_format = "qcow2" });
  g_assert_true (stm_image_remove (image, self->policy, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (self->path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (self->base, G_FILE_TEST_EXISTS));
  g_assert_true (stm_image_remove (image, self->policy, &error));
}

/* A base that went before must not keep the layer. */
static void
test_base_is_gone (Fixture *self, gconstpointer unused)
{
  g_autoptr (StmImage) image = make_record (self, STM_IMAGE_MADE);
  g_autoptr (GError) error = NULL;

  test_qcow2_write (self->path, &(TestQcow2){ .backing = self->base, .backing_format = "qcow2" });
  g_assert_cmpint (g_unlink (self->base), ==, 0);
  g_assert_true (stm_image_remove (image, self->policy, &error));
  g_assert_no_error (error);
}

/* As a machine holds it. */
static void
lock (int fd, off_t byte)
{
  struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

  g_assert_cmpint (fcntl (fd, F_OFD_SETLK, &lock), ==, 0);
}

static void
test_held (Fixture *self, gconstpointer unused)
{
  static const off_t bytes[] = { 101 /* is written */, 201 /* must not be written */ };
  g_autoptr (StmImage) image = make_record (self, STM_IMAGE_MADE);

  test_qcow2_write (self->path, &(TestQcow2){ .backing = "base", .backing_format = "qcow2" });
  for (gsize i = 0; i < G_N_ELEMENTS (bytes); i++)
    {
      g_autoptr (GError) error = NULL;
      int fd = open (self->path, O_RDONLY | O_CLOEXEC);

      g_assert_cmpint (fd, >=, 0);
      lock (fd, bytes[i]);
      g_assert_false (stm_image_remove (image, self->policy, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_IN_USE);
      g_assert_true (g_file_test (self->path, G_FILE_TEST_EXISTS));
      close (fd);
    }
  g_assert_true (stm_image_remove (image, self->policy, NULL));
}

static void
test_not_made (Fixture *self, gconstpointer unused)
{
  static const StmImageOrigin origins[] = { STM_IMAGE_DISK, STM_IMAGE_BACKING };

  test_qcow2_write (self->path, &(TestQcow2){ .backing = "base", .backing_format = "qcow2" });
  for (gsize i = 0; i < G_N_ELEMENTS (origins); i++)
    {
      g_autoptr (StmImage) image = make_record (self, origins[i]);
      g_autoptr (GError) error = NULL;

      g_assert_false (stm_image_remove (image, self->policy, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
      g_assert_true (g_file_test (self->path, G_FILE_TEST_EXISTS));
    }
}

static void
test_another_file (Fixture *self, gconstpointer unused)
{
  static const TestQcow2 others[] = {
    { .backing = NULL },
    { .backing = "other", .backing_format = "qcow2" },
    { .backing = "json:{\"file\":\"base\"}", .backing_format = "qcow2" },
    { .backing = "base", .backing_format = "qcow2", .capacity = TEST_QCOW2_CAPACITY / 2 },
  };
  g_autoptr (StmImage) image = make_record (self, STM_IMAGE_MADE);

  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    {
      g_autoptr (GError) error = NULL;

      test_qcow2_write (self->path, &others[i]);
      g_assert_false (stm_image_remove (image, self->policy, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
      g_assert_true (g_file_test (self->path, G_FILE_TEST_EXISTS));
    }
}

static void
test_not_an_image (Fixture *self, gconstpointer unused)
{
  g_autoptr (StmImage) image = make_record (self, STM_IMAGE_MADE);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (self->path, "a letter", -1, NULL));
  g_assert_false (stm_image_remove (image, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_clear_error (&error);

  g_assert_cmpint (g_unlink (self->path), ==, 0);
  g_assert_cmpint (symlink ("base", self->path), ==, 0);
  g_assert_false (stm_image_remove (image, self->policy, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_true (g_file_test (self->base, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (self->path, G_FILE_TEST_IS_SYMLINK));
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/remove/a-recorded-layer-goes-and-may-be-gone-already", test_recorded },
    { "/qemu/remove/a-layer-goes-also-when-its-base-is-gone", test_base_is_gone },
    { "/qemu/remove/an-image-that-another-process-holds-stays", test_held },
    { "/qemu/remove/what-the-service-did-not-make-stays", test_not_made },
    { "/qemu/remove/an-image-that-differs-from-its-record-stays", test_another_file },
    { "/qemu/remove/what-is-no-image-stays", test_not_an_image },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
