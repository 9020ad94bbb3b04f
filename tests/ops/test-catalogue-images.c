/* The catalogue of faults: image files that somebody exchanged, rebased, flattened or lost, and
 * files in the way. An operation is refused by a code and a message, and no file is changed; or it
 * is done as if nothing were.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"
#include "stemma-error.h"

#include <glib/gstdio.h>
#include <unistd.h>

#define SNAPSHOT STM_MOMENT_SNAPSHOT
#define CHECKPOINT STM_MOMENT_CHECKPOINT

/* All files of images by name, with a checksum of what is in each. */
static char *
list_files (Catalogue *self)
{
  g_autofree char *list = test_directory_list (self->images);
  g_auto (GStrv) names = g_strsplit (list, " ", -1);
  GString *text = g_string_new (NULL);

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autofree char *path = catalogue_path (self, names[i]);
      g_autofree char *sum = test_run ("sha256sum", path, NULL);

      g_string_append (text, sum);
    }
  return g_string_free (text, FALSE);
}

static void
assert_files (Catalogue *self, const char *expected)
{
  g_autofree char *files = list_files (self);

  g_assert_cmpstr (files, ==, expected);
}

static void
assert_seen (Catalogue *self, const char *expected)
{
  g_autofree char *seen = catalogue_see (self);

  g_assert_cmpstr (seen, ==, expected);
}

static void
assert_findings (Catalogue *self, const char *expected)
{
  g_autofree char *found = catalogue_check (self);

  g_assert_cmpstr (found, ==, expected);
}

static void
swap_files (const char *one, const char *other)
{
  g_autofree char *aside = g_strconcat (one, ".aside", NULL);

  g_assert_cmpint (g_rename (one, aside), ==, 0);
  g_assert_cmpint (g_rename (other, one), ==, 0);
  g_assert_cmpint (g_rename (aside, other), ==, 0);
}

/* first — second — (active), other bytes in each. */
static void
grow (Catalogue *self)
{
  catalogue_write (self, 'a', 0, 1);
  catalogue_write (self, 'b', 0, 2);
  catalogue_do (self, catalogue_create ("first", STM_MODE_EXTERNAL));
  catalogue_write (self, 'a', 1, 3);
  catalogue_write (self, 'b', 1, 4);
  catalogue_do (self, catalogue_create ("second", STM_MODE_EXTERNAL));
  catalogue_write (self, 'a', 2, 5);
}

/* Whatever would rely on images that are not those on record is refused, and nothing happens. */
static void
assert_all_refused (Catalogue *self, int code)
{
  g_autofree char *files = list_files (self);
  g_autofree char *tree = catalogue_tree (self, SNAPSHOT);

  catalogue_refuse (self, catalogue_create ("new", STM_MODE_EXTERNAL), code, "image");
  catalogue_refuse (self, catalogue_create ("new", STM_MODE_INTERNAL), code, "image");
  catalogue_refuse (self, catalogue_checkpoint ("new"), code, "image");
  catalogue_refuse (self, catalogue_delete (self, SNAPSHOT, "second", STM_DELETE_ONE), code,
                    "image");
  assert_files (self, files);
  catalogue_assert_tree (self, SNAPSHOT, tree);
}

static void
test_swapped (Catalogue *self, gconstpointer unused)
{
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  seen = catalogue_see (self);
  a = catalogue_active (self, 'a');
  b = catalogue_active (self, 'b');
  swap_files (a, b);
  assert_findings (self, "image-differs image-differs");
  assert_all_refused (self, STEMMA_ERROR_CHAIN_BROKEN);
  swap_files (a, b);
  assert_findings (self, "");
  assert_seen (self, seen);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "second", STM_DELETE_ONE));
  assert_seen (self, seen);
}

/* What is thrown away is only what is on record: the guest goes on from the snapshot, and the files
 * that are not the recorded ones stay. */
static void
test_swapped_and_left (Catalogue *self, gconstpointer unused)
{
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  g_autofree char *of_a = NULL;
  g_autofree char *of_b = NULL;
  g_autofree char *of_a_after = NULL;
  g_autofree char *of_b_after = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  catalogue_do (self, catalogue_revert (self, "second"));
  seen = catalogue_see (self);
  catalogue_write (self, 'a', 2, 5);
  a = catalogue_active (self, 'a');
  b = catalogue_active (self, 'b');
  of_a = test_image_digest (a, "qcow2");
  of_b = test_image_digest (b, "qcow2");
  swap_files (a, b);
  catalogue_do (self, catalogue_revert (self, "second"));
  assert_seen (self, seen);
  assert_findings (self, "");
  of_a_after = test_image_digest (b, "qcow2");
  of_b_after = test_image_digest (a, "qcow2");
  g_assert_cmpstr (of_a_after, ==, of_a);
  g_assert_cmpstr (of_b_after, ==, of_b);
}

/* The image and one below it. */
static void
test_swapped_in_chain (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *frozen = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  seen = catalogue_see (self);
  active = catalogue_active (self, 'a');
  frozen = g_strdup (catalogue_find (self, SNAPSHOT, "second")->disks[0].frozen);
  swap_files (active, frozen);
  assert_findings (self, "image-differs image-differs");
  assert_all_refused (self, STEMMA_ERROR_CHAIN_BROKEN);
  swap_files (active, frozen);
  catalogue_do (self, catalogue_revert (self, "first"));
  assert_findings (self, "");
}

/* The overlay of a snapshot is made to stand on another image. */
static void
test_rebased (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *base = NULL;
  g_autofree char *frozen = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  seen = catalogue_see (self);
  active = catalogue_active (self, 'a');
  base = catalogue_path (self, "a.qcow2");
  frozen = g_strdup (catalogue_find (self, SNAPSHOT, "second")->disks[0].frozen);
  g_free (test_run ("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", base, active,
                    NULL));
  assert_findings (self, "image-differs");
  assert_all_refused (self, STEMMA_ERROR_CHAIN_BROKEN);
  g_free (test_run ("qemu-img", "rebase", "-u", "-f", "qcow2", "-F", "qcow2", "-b", frozen, active,
                    NULL));
  assert_findings (self, "");
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "second", STM_DELETE_ONE));
  assert_seen (self, seen);
}

/* Somebody has pulled all content into the active image. The way out: the records are forgotten,
 * and the machine is defined as it is now. */
static void
test_flattened (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *document = NULL;
  g_autofree char *seen = NULL;
  g_autoptr (GError) error = NULL;
  StmOp *op = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  seen = catalogue_see (self);
  active = catalogue_active (self, 'a');
  g_free (test_run ("qemu-img", "rebase", "-f", "qcow2", "-b", "", active, NULL));
  assert_seen (self, seen);
  assert_findings (self, "image-differs");
  assert_all_refused (self, STEMMA_ERROR_CHAIN_BROKEN);
  catalogue_do (self, stm_op_forget_all_new (CATALOGUE_ID, SNAPSHOT));
  document = catalogue_domain (self);
  op = stm_op_define_new (document, &error);
  g_assert_no_error (error);
  catalogue_do (self, op);
  assert_findings (self, "");
  catalogue_do (self, catalogue_create ("anew", STM_MODE_EXTERNAL));
  assert_seen (self, seen);
}

/* A disk may grow while nobody runs it, and its snapshots keep the size that they had. */
static void
test_grown (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *again = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  grow (self);
  active = catalogue_active (self, 'a');
  g_free (test_run ("qemu-img", "resize", "-q", active, "2M", NULL));
  seen = catalogue_see (self);
  catalogue_do (self, catalogue_create ("third", STM_MODE_EXTERNAL));
  assert_findings (self, "");
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "second", STM_DELETE_ONE));
  assert_seen (self, seen);
  catalogue_do (self, catalogue_revert (self, "first"));
  again = catalogue_active (self, 'a');
  g_assert_cmpuint (test_image_get_capacity (again), ==, 1024 * 1024);
  catalogue_do (self, catalogue_revert (self, "third"));
  assert_seen (self, seen);
  assert_findings (self, "");
}

/* A file has the name that the next overlay would have. */
static void
test_left_over (Catalogue *self, gconstpointer unused)
{
  g_autofree char *wanted = NULL;
  g_autofree char *got = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_create ("s", STM_MODE_EXTERNAL));
  wanted = catalogue_active (self, 'a');
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s", STM_DELETE_ONE));
  catalogue_do (self, catalogue_create ("s", STM_MODE_EXTERNAL));
  catalogue_do (self, catalogue_revert (self, "s"));
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s", STM_DELETE_ONE));
  g_assert_false (g_file_test (wanted, G_FILE_TEST_EXISTS));
  g_file_set_contents (wanted, "somebody's", -1, &error);
  g_assert_no_error (error);
  catalogue_do (self, catalogue_create ("s", STM_MODE_EXTERNAL));
  got = catalogue_active (self, 'a');
  g_assert_cmpstr (got, !=, wanted);
  g_file_get_contents (wanted, &text, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, "somebody's");
  assert_findings (self, "");
}

static void
test_linked (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *elsewhere = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  active = catalogue_active (self, 'a');
  elsewhere = g_build_filename (self->directory, "elsewhere", NULL);
  g_assert_cmpint (g_rename (active, elsewhere), ==, 0);
  g_assert_cmpint (symlink (elsewhere, active), ==, 0);
  assert_findings (self, "image-differs");
  catalogue_refuse (self, catalogue_create ("new", STM_MODE_EXTERNAL), STEMMA_ERROR_NOT_ALLOWED,
                    active);
  g_assert_true (g_file_test (active, G_FILE_TEST_IS_SYMLINK));
  g_assert_cmpint (g_rename (elsewhere, active), ==, 0);
  catalogue_do (self, catalogue_create ("new", STM_MODE_EXTERNAL));
}

/* libvirt could delete the base image after a revert, when the parent was internal. */
static void
test_internal_parent (Catalogue *self, gconstpointer unused)
{
  g_autofree char *base = NULL;
  g_autofree char *at_inner = NULL;
  g_autofree char *at_outer = NULL;

  if (self->directory == NULL)
    return;
  base = catalogue_path (self, "a.qcow2");
  catalogue_write (self, 'a', 0, 1);
  at_inner = catalogue_see (self);
  catalogue_do (self, catalogue_create ("inner", STM_MODE_INTERNAL));
  catalogue_write (self, 'a', 0, 2);
  at_outer = catalogue_see (self);
  catalogue_do (self, catalogue_create ("outer", STM_MODE_EXTERNAL));
  catalogue_write (self, 'a', 0, 3);
  catalogue_refuse (self, catalogue_revert (self, "inner"), STEMMA_ERROR_HAS_MOMENTS, "outer");
  catalogue_do (self, catalogue_revert (self, "outer"));
  assert_seen (self, at_outer);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "outer", STM_DELETE_ONE));
  assert_seen (self, at_outer);
  g_assert_true (g_file_test (base, G_FILE_TEST_EXISTS));
  catalogue_assert_tree (self, SNAPSHOT, "inner*");
  assert_findings (self, "");
  catalogue_restart (self);
  catalogue_assert_tree (self, SNAPSHOT, "inner*");
  assert_seen (self, at_outer);
  test_image_assert_sound (base);
}

/* What is lost is not relied on; what is left is deleted, forgotten, or goes on. */
static void
test_forget_damaged (Catalogue *self, gconstpointer unused)
{
  g_autofree char *active = NULL;
  g_autofree char *seen = NULL;
  g_autofree char *image = NULL;

  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  grow (self);
  catalogue_do (self, catalogue_create ("third", STM_MODE_INTERNAL));
  catalogue_do (self, catalogue_revert (self, "first"));
  catalogue_write (self, 'a', 3, 7);
  seen = catalogue_see (self);
  active = catalogue_active (self, 'a');
  image = g_strdup (catalogue_find (self, SNAPSHOT, "third")->disks[0].frozen);
  g_assert_cmpint (g_unlink (image), ==, 0);
  g_free (test_run ("qemu-img", "bitmap", "--remove", active, "c", NULL));
  g_free (catalogue_check (self));
  catalogue_do (self, stm_op_forget_all_new (CATALOGUE_ID, SNAPSHOT));
  catalogue_do (self, stm_op_forget_all_new (CATALOGUE_ID, CHECKPOINT));
  catalogue_assert_tree (self, SNAPSHOT, "");
  catalogue_assert_tree (self, CHECKPOINT, "");
  assert_seen (self, seen);
  catalogue_restart (self);
  catalogue_do (self, catalogue_create ("first", STM_MODE_EXTERNAL));
  catalogue_do (self, catalogue_checkpoint ("c"));
  assert_seen (self, seen);
  catalogue_write (self, 'a', 3, 8);
  catalogue_do (self, catalogue_revert (self, "first"));
  assert_seen (self, seen);
}

/* A frozen image is not there, on which all of its disk stands. */
static void
lose (Catalogue *self, const char *image, const char *away)
{
  g_assert_cmpint (g_rename (image, away), ==, 0);
  assert_findings (self, "image-missing");
  catalogue_assert_health (self, SNAPSHOT, "first", STM_HEALTH_MISSING);
  catalogue_assert_health (self, SNAPSHOT, "second", STM_HEALTH_MISSING);
}

/* The snapshots say so, over a restart too, until the image is back; who reverts to one need not
 * wait for a check. */
static void
test_lost (Catalogue *self, gconstpointer unused)
{
  g_autofree char *image = NULL;
  g_autofree char *away = NULL;
  g_autofree char *seen = NULL;

  if (self->directory == NULL)
    return;
  grow (self);
  catalogue_do (self, catalogue_revert (self, "second"));
  seen = catalogue_see (self);
  image = catalogue_path (self, "a.qcow2");
  away = catalogue_path (self, "away");
  lose (self, image, away);
  catalogue_restart (self);
  catalogue_assert_health (self, SNAPSHOT, "first", STM_HEALTH_MISSING);
  catalogue_refuse (self, catalogue_revert (self, "first"), STEMMA_ERROR_CHAIN_BROKEN, image);
  assert_all_refused (self, STEMMA_ERROR_CHAIN_BROKEN);

  g_assert_cmpint (g_rename (away, image), ==, 0);
  catalogue_do (self, catalogue_revert (self, "first"));
  catalogue_assert_health (self, SNAPSHOT, "first", STM_HEALTH_OK);
  catalogue_do (self, catalogue_revert (self, "second"));
  assert_seen (self, seen);
  assert_findings (self, "");
  catalogue_assert_health (self, SNAPSHOT, "second", STM_HEALTH_OK);
}

/* It is no worse to get rid of than it was: by its record alone, with its file back, or with the
 * domain. */
static void
test_lost_and_let_go (Catalogue *self, gconstpointer unused)
{
  g_autofree char *image = NULL;
  g_autofree char *away = NULL;
  g_autofree char *seen = NULL;
  StmDeleteRequest request = { .metadata_only = TRUE };

  if (self->directory == NULL)
    return;
  grow (self);
  seen = catalogue_see (self);
  image = catalogue_path (self, "a.qcow2");
  away = catalogue_path (self, "away");
  lose (self, image, away);
  catalogue_refuse (self, catalogue_delete (self, SNAPSHOT, "first", STM_DELETE_ONE),
                    STEMMA_ERROR_CHAIN_BROKEN, image);
  request.moment_id = catalogue_find (self, SNAPSHOT, "first")->id;
  catalogue_do (self, stm_op_delete_new (CATALOGUE_ID, &request));
  catalogue_assert_tree (self, SNAPSHOT, "second*");
  catalogue_assert_health (self, SNAPSHOT, "second", STM_HEALTH_MISSING);

  g_assert_cmpint (g_rename (away, image), ==, 0);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "second", STM_DELETE_ONE));
  assert_seen (self, seen);
  assert_findings (self, "");

  catalogue_do (self, catalogue_create ("third", STM_MODE_EXTERNAL));
  g_assert_cmpint (g_rename (image, away), ==, 0);
  assert_findings (self, "image-missing");
  catalogue_assert_health (self, SNAPSHOT, "third", STM_HEALTH_MISSING);
  catalogue_do (self, stm_op_undefine_new (CATALOGUE_ID,
                                           &(StmUndefineRequest){ .moments = STM_MOMENTS_FORGET }));
  g_assert_null (stm_model_get_domain (stm_registry_get_model (self->registry), CATALOGUE_ID));
}

#define ADD(path, test)                                                                            \
  g_test_add ("/ops/catalogue/images/" path, Catalogue, NULL, catalogue_set_up, test,              \
              catalogue_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("those-of-two-disks-swapped-are-refused", test_swapped);
  ADD ("those-that-were-swapped-are-not-thrown-away", test_swapped_and_left);
  ADD ("those-of-one-chain-swapped-are-refused", test_swapped_in_chain);
  ADD ("one-that-was-rebased-is-refused", test_rebased);
  ADD ("one-that-was-flattened-is-forgotten-and-defined-anew", test_flattened);
  ADD ("one-that-was-grown-goes-on", test_grown);
  ADD ("a-file-in-the-way-is-left-alone", test_left_over);
  ADD ("a-link-in-place-of-one-is-refused", test_linked);
  ADD ("the-base-outlives-a-deletion-over-an-internal-parent", test_internal_parent);
  ADD ("a-damaged-tree-is-forgotten-and-of-use-at-once", test_forget_damaged);
  ADD ("one-that-was-lost-is-missed-until-it-is-back", test_lost);
  ADD ("snapshots-whose-image-was-lost-can-be-let-go", test_lost_and_let_go);
  return g_test_run ();
}
