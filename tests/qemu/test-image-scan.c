/* Children found by the headers in a directory.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-scan.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "test-images.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct
{
  char *directory;
  char *images; /* in it: what is scanned */
  char *base;   /* in that: whose children are looked for */
  StmPathPolicy *policy;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  const char *none[] = { NULL };

  self->directory = test_directory_new ();
  self->images = g_build_filename (self->directory, "images", NULL);
  self->base = g_build_filename (self->images, "base.qcow2", NULL);
  g_assert_cmpint (g_mkdir (self->images, 0700), ==, 0);

  const char *roots[] = { self->directory, NULL };

  self->policy = stm_path_policy_new (roots, none);
  test_qcow2_write (self->base, &(TestQcow2){ .version = 3 });
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->images);
  g_free (self->base);
  stm_path_policy_unref (self->policy);
}

static char *
at (Fixture *self, const char *name)
{
  return g_build_filename (self->images, name, NULL);
}

static void
write_child (Fixture *self, const char *name, const char *backing)
{
  g_autofree char *path = at (self, name);

  test_qcow2_write (path, &(TestQcow2){ .backing = backing, .backing_format = "qcow2" });
}

/* The names of the children of an image in the directory, blank-separated. */
static char *
scan_for (Fixture *self, const char *path, GPtrArray *out_names)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  StmScanTarget target = { .path = path, .children = children };
  struct stat found;

  if (lstat (path, &found) == 0)
    {
      target.device = found.st_dev;
      target.inode = found.st_ino;
    }
  g_assert_true (
      stm_image_scan_directory (self->policy, self->base, &target, 1, out_names, NULL, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < children->len; i++)
    {
      g_autofree char *name = g_path_get_basename (children->pdata[i]);
      g_autofree char *expected = at (self, name);

      g_assert_cmpstr (children->pdata[i], ==, expected);
      g_string_append_printf (text, "%s%s", i > 0 ? " " : "", name);
    }

  return g_string_free (g_steal_pointer (&text), FALSE);
}

static void
assert_children (Fixture *self, const char *expected)
{
  g_autofree char *children = scan_for (self, self->base, NULL);

  g_assert_cmpstr (children, ==, expected);
}

static void
test_plain (Fixture *self, gconstpointer unused)
{
  write_child (self, "child-absolute", self->base);
  write_child (self, "child-relative", "base.qcow2");
  write_child (self, "child-roundabout", "../images/./base.qcow2");
  write_child (self, "grandchild", "child-relative");
  write_child (self, "stranger", "/var/lib/other/base.qcow2");
  write_child (self, ".stemma-0-vda", "base.qcow2");

  assert_children (self, ".stemma-0-vda child-absolute child-relative child-roundabout");
}

static void
test_other_spellings (Fixture *self, gconstpointer unused)
{
  g_autofree char *door = g_build_filename (self->directory, "door", NULL);
  g_autofree char *by_door = g_build_filename (door, "base.qcow2", NULL);
  g_autofree char *link_path = at (self, "a-link");
  g_autofree char *hard = at (self, "hard");
  g_autofree char *folder = g_build_filename (self->directory, "deep", NULL);
  g_autofree char *deeper = g_build_filename (folder, "deeper", NULL);
  g_autofree char *jump = at (self, "jump");

  g_assert_cmpint (symlink ("images", door), ==, 0);
  g_assert_cmpint (symlink ("base.qcow2", link_path), ==, 0);
  g_assert_cmpint (link (self->base, hard), ==, 0);
  /* To the kernel "jump/.." is deep, not images. */
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (deeper, 0700), ==, 0);
  g_assert_cmpint (symlink ("../deep/deeper", jump), ==, 0);

  write_child (self, "by-directory-link", by_door);
  write_child (self, "by-hard-link", "hard");
  write_child (self, "by-jump", "jump/../../images/base.qcow2");
  write_child (self, "by-link", "a-link");

  assert_children (self, "by-directory-link by-hard-link by-jump by-link");
}

static void
test_doubts (Fixture *self, gconstpointer unused)
{
  g_autofree char *torn = at (self, "torn");
  g_autofree char *qed = at (self, "qed");
  g_autofree char *text = at (self, "text");
  g_autofree char *raw = at (self, "raw-data");
  static const char qed_head[] = "QED\0................................................base.qcow2";

  write_child (self, "by-json", "json:{\"file\":{\"filename\":\"/x/base.qcow2\"}}");
  write_child (self, "by-json-escaped", "json:{\"file\":{\"filename\":\"/x/b\\u0061se\"}}");
  write_child (self, "by-json-elsewhere", "json:{\"file\":{\"filename\":\"/x/elsewhere\"}}");
  write_child (self, "by-nbd", "nbd:unix:/run/base.qcow2");
  write_child (self, "by-protocol", "file:base.qcow2");
  /* Cut off: not readable as qcow2, and yet it tells. */
  write_child (self, "torn", "base.qcow2");
  test_file_truncate (torn, 4096);
  g_assert_true (g_file_set_contents (qed, qed_head, sizeof qed_head - 1, NULL));
  /* No image at all, and raw data: neither stands on anything. */
  g_assert_true (g_file_set_contents (text, "see base.qcow2", -1, NULL));
  g_assert_true (g_file_set_contents (raw, "QF", -1, NULL));

  assert_children (self, "by-json by-json-escaped by-nbd by-protocol qed torn");
}

static void
test_data_file (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = at (self, "with-data-file");
  static const char extension[] = "\x44\x41\x54\x41\0\0\0\x0a"
                                  "base.qcow2";
  int fd;

  test_qcow2_write (path, &(TestQcow2){ .incompatible = 4 });
  fd = open (path, O_WRONLY | O_CLOEXEC);
  g_assert_cmpint (pwrite (fd, extension, sizeof extension - 1, 104), ==, sizeof extension - 1);
  close (fd);

  assert_children (self, "with-data-file");
}

static void
test_no_hang (Fixture *self, gconstpointer unused)
{
  g_autofree char *fifo = at (self, "fifo");
  g_autofree char *folder = at (self, "folder");
  g_autofree char *loop = at (self, "loop");
  g_autofree char *dangling = at (self, "dangling");

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (symlink ("loop", loop), ==, 0);
  g_assert_cmpint (symlink ("nothing", dangling), ==, 0);
  write_child (self, "on-a-fifo", "fifo");
  write_child (self, "on-itself", "on-itself");
  write_child (self, "on-a-loop", "loop");
  write_child (self, "on-nothing", "gone/base.qcow2");

  assert_children (self, "");
}

/* Who holds a lease on a file keeps others from opening it, root too. */
static void
test_unreadable (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = at (self, "held");
  int fd;

  write_child (self, "held", "/elsewhere");
  assert_children (self, "");

  (void) signal (SIGIO, SIG_IGN);
  fd = open (path, O_RDWR | O_CLOEXEC);
  if (fcntl (fd, F_SETLEASE, F_WRLCK) != 0)
    g_test_skip ("this file system has no leases");
  else
    assert_children (self, "held");
  close (fd);
}

static void
test_missing_target (Fixture *self, gconstpointer unused)
{
  write_child (self, "child", "base.qcow2");
  g_assert_cmpint (g_unlink (self->base), ==, 0);

  assert_children (self, "child");
}

static void
test_names (Fixture *self, gconstpointer unused)
{
  g_autofree char *fifo = at (self, "fifo");
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);

  g_autofree char *children = scan_for (self, self->base, names);

  g_assert_cmpstr (children, ==, "");
  g_assert_cmpuint (names->len, ==, 2);
  g_assert_cmpstr (names->pdata[0], ==, self->base);
  g_assert_cmpstr (names->pdata[1], ==, fifo);
}

static void
test_too_many (Fixture *self, gconstpointer unused)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_with_free_func (g_free);
  const StmScanTarget target = { .path = self->base, .children = children };
  g_autoptr (GError) error = NULL;
  int directory_fd = open (self->images, O_PATH | O_CLOEXEC);

  for (guint i = 0; i < 20000; i++)
    {
      char name[16];

      g_snprintf (name, sizeof name, "%u", i);
      g_assert_cmpint (linkat (directory_fd, "base.qcow2", directory_fd, name, 0), ==, 0);
    }
  close (directory_fd);

  g_assert_false (
      stm_image_scan_directory (self->policy, self->base, &target, 1, NULL, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY);
}

static void
test_cancelled (Fixture *self, gconstpointer unused)
{
  g_autoptr (GPtrArray) children = g_ptr_array_new_with_free_func (g_free);
  const StmScanTarget target = { .path = self->base, .children = children };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_false (
      stm_image_scan_directory (self->policy, self->base, &target, 1, NULL, cancellable, &error));
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
    { "/qemu/scan/children-are-found-and-strangers-are-not", test_plain },
    { "/qemu/scan/a-file-is-known-under-every-spelling", test_other_spellings },
    { "/qemu/scan/a-doubt-counts-as-a-child", test_doubts },
    { "/qemu/scan/a-user-of-a-data-file-is-a-child", test_data_file },
    { "/qemu/scan/fifos-loops-and-links-do-not-hang", test_no_hang },
    { "/qemu/scan/what-cannot-be-read-is-a-child", test_unreadable },
    { "/qemu/scan/children-of-a-missing-image-are-found-by-name", test_missing_target },
    { "/qemu/scan/all-names-are-listed", test_names },
    { "/qemu/scan/a-crowded-directory-is-refused", test_too_many },
    { "/qemu/scan/a-scan-can-be-cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
