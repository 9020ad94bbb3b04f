/* The simulated driver against the tests that all drivers pass, and what is its own: images that
 * come to be when they are named, and that are there again in the next life.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite.h"

#include "stemma-error.h"
#include "stm-sim-driver.h"

#include <glib/gstdio.h>

#define DIRECTORY "/sim"

static gpointer
set_up (void)
{
  const StmSimBehaviour behaviour = { 0 };

  return stm_sim_driver_new (NULL, &behaviour, NULL);
}

static StmDriver *
get_driver (gpointer world)
{
  return STM_DRIVER (world);
}

static const char *
get_directory (gpointer world)
{
  return DIRECTORY;
}

static void
make_image (gpointer world, const char *path, const char *format, guint64 capacity,
            const char *backing, const char *backing_format)
{
  stm_sim_driver_make_image (world, path, format, capacity, backing);
}

static void
write_block (gpointer world, const char *path, guint64 block, guint value)
{
  stm_sim_driver_write (world, path, block, value);
}

static guint
read_block (gpointer world, const char *path, guint64 block)
{
  return (guint) stm_sim_driver_read (world, path, block);
}

static gboolean
exists (gpointer world, const char *path)
{
  return stm_sim_driver_has_image (world, path);
}

static void
resize (gpointer world, const char *path, guint64 capacity)
{
  stm_sim_driver_resize (world, path, capacity);
}

static const DriverHarness harness = {
  .set_up = set_up,
  .tear_down = g_object_unref,
  .get_driver = get_driver,
  .get_directory = get_directory,
  .make_image = make_image,
  .write = write_block,
  .read = read_block,
  .exists = exists,
  .resize = resize,
};

/* ---- its own ---- */

static GPtrArray *
walk (StmSimDriver *driver, const char *path, GError **error)
{
  static const char *const none[] = { NULL };
  const StmDeclaredImage declared[] = { { path, "qcow2" } };
  g_autoptr (StmPathPolicy) policy = stm_path_policy_new (none, none);
  StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .policy = policy
  };

  return stm_driver_walk_chain (STM_DRIVER (driver), &request, NULL, error);
}

static void
test_a_named_image_comes_to_be (void)
{
  g_autoptr (StmSimDriver) driver = set_up ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) chain = walk (driver, DIRECTORY "/new", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 1);
  g_assert_true (stm_sim_driver_has_image (driver, DIRECTORY "/new"));
  g_assert_cmpuint (stm_sim_driver_read (driver, DIRECTORY "/new", 0), !=, 0);
}

static void
test_images_outlive_the_service (void)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autofree char *directory = g_dir_make_tmp ("stemma-sim-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (directory, "sim-images", NULL);
  g_autoptr (GError) error = NULL;

  for (guint life = 0; life < 2; life++)
    {
      g_autoptr (StmSimDriver) driver = stm_sim_driver_new (file, &behaviour, &error);

      g_assert_no_error (error);
      g_assert_cmpint (stm_sim_driver_has_image (driver, DIRECTORY "/a"), ==, life == 1);
      if (life == 0)
        {
          g_autoptr (GPtrArray) chain = walk (driver, DIRECTORY "/a", &error);
          g_assert_no_error (error);
          g_assert_nonnull (chain);
        }
      g_assert_cmpuint (stm_sim_driver_read (driver, DIRECTORY "/a", 5), ==, 6);
    }
  g_unlink (file);
  g_rmdir (directory);
}

static void
test_a_spoilt_file_is_refused (void)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autofree char *directory = g_dir_make_tmp ("stemma-sim-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (directory, "sim-images", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (file, "no images at all", -1, NULL));
  g_assert_null (stm_sim_driver_new (file, &behaviour, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
  g_unlink (file);
  g_rmdir (directory);
}

static void
test_what_cannot_be_kept_is_undone (void)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autofree char *directory = g_dir_make_tmp ("stemma-sim-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (directory, "sim-images", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSimDriver) driver = stm_sim_driver_new (file, &behaviour, &error);

  g_assert_no_error (error);
  g_unlink (file);
  g_rmdir (directory);
  g_assert_null (walk (driver, DIRECTORY "/a", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
  g_assert_false (stm_sim_driver_has_image (driver, DIRECTORY "/a"));
}

/* A file stands where the directory should be: nobody can make it, not even root. */
static void
test_a_place_that_cannot_be_is_refused (void)
{
  const StmSimBehaviour behaviour = { 0 };
  g_autofree char *directory = g_dir_make_tmp ("stemma-sim-XXXXXX", NULL);
  g_autofree char *state = g_build_filename (directory, "state", NULL);
  g_autofree char *file = g_build_filename (state, "sim-images", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (state, "no directory", -1, NULL));
  g_assert_null (stm_sim_driver_new (file, &behaviour, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY);
  g_unlink (state);
  g_rmdir (directory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  driver_suite_add ("sim", &harness);
  g_test_add_func ("/sim/own/a-named-image-comes-to-be", test_a_named_image_comes_to_be);
  g_test_add_func ("/sim/own/images-outlive-the-service", test_images_outlive_the_service);
  g_test_add_func ("/sim/own/a-spoilt-file-is-refused", test_a_spoilt_file_is_refused);
  g_test_add_func ("/sim/own/what-cannot-be-kept-is-undone", test_what_cannot_be_kept_is_undone);
  g_test_add_func ("/sim/own/a-place-that-cannot-be-is-refused",
                   test_a_place_that_cannot_be_is_refused);

  return g_test_run ();
}
