/* Images opened, made, named and removed under the path policy.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-file.h"
#include "stm-image-place.h"

#include "stemma-error.h"
#include "test-images.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

typedef struct
{
  char *directory; /* holds all */
  char *root;      /* inside: what the policy allows */
  char *outside;   /* beside it */
  StmPathPolicy *policy;
} Fixture;

static char *
in_root (Fixture *self, const char *name)
{
  return g_build_filename (self->root, name, NULL);
}

static void
write_text (const char *path, const char *text)
{
  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
set_up (Fixture *self, gconstpointer unused)
{
  self->directory = test_directory_new ();
  self->root = g_build_filename (self->directory, "root", NULL);
  self->outside = g_build_filename (self->directory, "outside", NULL);
  g_assert_cmpint (g_mkdir (self->root, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (self->outside, 0700), ==, 0);

  const char *roots[] = { self->root, NULL };
  g_autofree char *golden = g_build_filename (self->outside, "golden", NULL);
  const char *exact[] = { golden, NULL };

  self->policy = stm_path_policy_new (roots, exact);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->root);
  g_free (self->outside);
  stm_path_policy_unref (self->policy);
}

static void
assert_opens (Fixture *self, const char *path)
{
  g_autoptr (GError) error = NULL;
  int fd = stm_image_file_open (self->policy, path, STM_IMAGE_WRITE, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), ==, O_RDWR);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  close (fd);
}

static void
assert_refused (Fixture *self, const char *path, StemmaError code)
{
  static const StmImageAccess accesses[] = { STM_IMAGE_READ, STM_IMAGE_WRITE };

  for (gsize i = 0; i < G_N_ELEMENTS (accesses); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", path);
      g_assert_cmpint (stm_image_file_open (self->policy, path, accesses[i], &error), ==, -1);
      g_assert_error (error, STEMMA_ERROR, (int) code);
      g_assert_nonnull (strstr (error->message, path));
    }
}

static void
test_opens_what_is_allowed (Fixture *self, gconstpointer unused)
{
  g_autofree char *image = in_root (self, "image");
  g_autofree char *golden = g_build_filename (self->outside, "golden", NULL);
  g_autofree char *deep = in_root (self, "sub");
  g_autofree char *link = in_root (self, "link");
  g_autofree char *by_link = in_root (self, "link/image");
  g_autofree char *target = in_root (self, "sub/image");

  write_text (image, "1");
  write_text (golden, "2");
  g_assert_cmpint (g_mkdir (deep, 0700), ==, 0);
  write_text (target, "3");
  g_assert_cmpint (symlink ("sub", link), ==, 0);

  assert_opens (self, image);
  assert_opens (self, golden);
  assert_opens (self, target);
  /* A link of a directory that stays below the root is fine. */
  assert_opens (self, by_link);
}

static void
make_socket (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  close (fd);
}

static void
test_refuses_the_rest (Fixture *self, gconstpointer unused)
{
  g_autofree char *secret = g_build_filename (self->outside, "secret", NULL);
  g_autofree char *link = in_root (self, "link");
  g_autofree char *inner_link = in_root (self, "inner-link");
  g_autofree char *image = in_root (self, "image");
  g_autofree char *door = in_root (self, "door");
  g_autofree char *behind = in_root (self, "door/secret");
  g_autofree char *fifo = in_root (self, "fifo");
  g_autofree char *socket_path = in_root (self, "socket");
  g_autofree char *dots = g_strconcat (self->root, "/../outside/secret", NULL);
  g_autofree char *missing = in_root (self, "missing");
  g_autofree char *nowhere = in_root (self, "none/missing");

  write_text (secret, "s");
  write_text (image, "i");
  g_assert_cmpint (symlink (secret, link), ==, 0);
  g_assert_cmpint (symlink ("image", inner_link), ==, 0);
  g_assert_cmpint (symlink ("../outside", door), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  make_socket (socket_path);

  assert_refused (self, secret, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, "/etc/shadow", STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, link, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, inner_link, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, behind, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, dots, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, fifo, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, socket_path, STEMMA_ERROR_NOT_ALLOWED);
  assert_refused (self, missing, STEMMA_ERROR_NOT_FOUND);
  assert_refused (self, nowhere, STEMMA_ERROR_NOT_FOUND);
}

/* An exact path may not come to lead elsewhere, wherever in it the link is put. */
static void
test_exact_paths_have_no_links (Fixture *self, gconstpointer unused)
{
  g_autofree char *golden = g_build_filename (self->outside, "golden", NULL);
  g_autofree char *other = g_build_filename (self->directory, "other", NULL);
  g_autofree char *moved = g_build_filename (self->directory, "moved", NULL);

  write_text (other, "o");
  g_assert_cmpint (symlink (other, golden), ==, 0);
  assert_refused (self, golden, STEMMA_ERROR_NOT_ALLOWED);

  g_assert_cmpint (g_unlink (golden), ==, 0);
  write_text (golden, "g");
  assert_opens (self, golden);
  g_assert_cmpint (g_rename (self->outside, moved), ==, 0);
  g_assert_cmpint (symlink (moved, self->outside), ==, 0);
  assert_refused (self, golden, STEMMA_ERROR_NOT_ALLOWED);
  g_assert_cmpint (g_unlink (self->outside), ==, 0);
}

static void
test_devices_are_block_devices (Fixture *self, gconstpointer unused)
{
  const char *exact[] = { "/dev/null", NULL };
  const char *none[] = { NULL };
  g_autoptr (StmPathPolicy) policy = stm_path_policy_new (none, exact);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (stm_image_file_open (policy, "/dev/null", STM_IMAGE_READ, &error), ==, -1);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_clear_error (&error);
  g_assert_null (stm_image_file_canonicalise ("/dev/null", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
}

/* Makes a new image over one with the given mode and gives the mode it got. */
static mode_t
create_over (Fixture *self, mode_t mode, struct stat *out_found)
{
  g_autofree char *covered = in_root (self, "covered");
  g_autofree char *path = in_root (self, ".stemma-x");
  g_autoptr (GError) error = NULL;

  (void) g_unlink (path);
  if (!g_file_test (covered, G_FILE_TEST_EXISTS))
    write_text (covered, "c");
  g_assert_cmpint (chmod (covered, mode), ==, 0);

  int covered_fd = open (covered, O_RDONLY | O_CLOEXEC);
  int fd = stm_image_file_create (self->policy, path, covered_fd, &error);

  g_assert_no_error (error);
  g_assert_cmpint (fstat (fd, out_found), ==, 0);
  close (covered_fd);
  close (fd);

  return out_found->st_mode & 07777;
}

static void
test_new_images_inherit (Fixture *self, gconstpointer unused)
{
  static const mode_t rows[][2] = {
    { 0600, 0600 }, { 0640, 0640 }, { 0660, 0660 },  { 0644, 0644 },
    { 0400, 0600 }, { 0755, 0644 }, { 06755, 0644 },
  };
  struct stat found;

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmpint (create_over (self, rows[i][0], &found), ==, rows[i][1]);
}

static void
test_new_images_inherit_owner (Fixture *self, gconstpointer unused)
{
  g_autofree char *covered = in_root (self, "covered");
  struct stat found;

  if (geteuid () != 0)
    {
      g_test_skip ("only root gives files away");
      return;
    }
  write_text (covered, "c");
  g_assert_cmpint (chown (covered, 4711, 4712), ==, 0);

  g_assert_cmpint (create_over (self, 0640, &found), ==, 0640);
  g_assert_cmpint (found.st_uid, ==, 4711);
  g_assert_cmpint (found.st_gid, ==, 4712);
}

/* An access list as the kernel keeps it: owner rw, user 4711 r, group none, mask r, others none. */
static const guint8 access_list[] = {
  2,    0, 0, 0,                         /* version */
  1,    0, 6, 0, 0xff, 0xff, 0xff, 0xff, /* owner */
  2,    0, 4, 0, 0x67, 0x12, 0,    0,    /* user 4711 */
  4,    0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* group */
  0x10, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, /* mask */
  0x20, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, /* others */
};

static gboolean
set_list (const char *path, const char *name)
{
  if (setxattr (path, name, access_list, sizeof access_list, 0) == 0)
    return TRUE;
  g_assert_cmpint (errno, ==, ENOTSUP);
  g_test_skip ("this file system has no access lists");

  return FALSE;
}

/* The bits of the group are the list's mask: without the list they would give the group rights. */
static void
test_new_images_inherit_lists (Fixture *self, gconstpointer unused)
{
  g_autofree char *covered = in_root (self, "covered");
  g_autofree char *path = in_root (self, ".stemma-x");
  guint8 copied[sizeof access_list] = { 0 };
  struct stat found;

  write_text (covered, "c");
  if (!set_list (covered, "system.posix_acl_access"))
    return;
  g_assert_cmpint (create_over (self, 0640, &found), ==, 0640);
  g_assert_cmpint (getxattr (path, "system.posix_acl_access", copied, sizeof copied), ==,
                   sizeof copied);
  g_assert_cmpmem (copied, sizeof copied, access_list, sizeof access_list);
}

static void
test_lists_of_the_directory_do_not_widen (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = in_root (self, ".stemma-x");
  g_autofree char *covered = in_root (self, "covered");
  struct stat found;

  write_text (covered, "c");
  if (!set_list (self->root, "system.posix_acl_default"))
    return;
  g_assert_cmpint (create_over (self, 0640, &found), ==, 0640);
  g_assert_cmpint (getxattr (path, "system.posix_acl_access", NULL, 0), ==, -1);
  g_assert_cmpint (errno, ==, ENODATA);
}

static void
test_creating_never_replaces (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = in_root (self, "image");
  g_autofree char *secret = g_build_filename (self->outside, "secret", NULL);
  g_autofree char *link = in_root (self, "link");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  write_text (path, "old");
  g_assert_cmpint (symlink (secret, link), ==, 0);

  int covered_fd = open (path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (stm_image_file_create (self->policy, path, covered_fd, &error), ==, -1);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  g_clear_error (&error);
  /* A link that leads to nothing yet is no way to make a file elsewhere. */
  g_assert_cmpint (stm_image_file_create (self->policy, link, covered_fd, &error), ==, -1);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  g_assert_false (g_file_test (secret, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "old");
  close (covered_fd);
}

static void
test_publishing_never_replaces (Fixture *self, gconstpointer unused)
{
  g_autofree char *temporary = in_root (self, ".stemma-t");
  g_autofree char *path = in_root (self, "image");
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;

  write_text (temporary, "new");
  g_assert_true (stm_image_file_publish (self->policy, temporary, path, &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (temporary, G_FILE_TEST_EXISTS));

  write_text (temporary, "newer");
  g_assert_false (stm_image_file_publish (self->policy, temporary, path, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS);
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_assert_cmpstr (text, ==, "new");
  g_assert_true (g_file_test (temporary, G_FILE_TEST_EXISTS));
}

static gboolean
prove_text (int fd, const char *path, gpointer user_data, GError **error)
{
  const char *expected = user_data;
  char text[16] = { 0 };

  g_assert_cmpint (pread (fd, text, sizeof text - 1, 0), >=, 0);
  if (strcmp (text, expected) == 0)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN, "%s is another", path);
  return FALSE;
}

static void
test_removing_asks_for_proof (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = in_root (self, "image");
  g_autofree char *link = in_root (self, "link");
  g_autofree char *fifo = in_root (self, "fifo");
  g_autoptr (GError) error = NULL;

  write_text (path, "mine");
  g_assert_cmpint (symlink ("image", link), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);

  g_assert_false (
      stm_image_file_unlink (self->policy, path, prove_text, (gpointer) "other", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_clear_error (&error);
  g_assert_false (
      stm_image_file_unlink (self->policy, link, prove_text, (gpointer) "mine", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_clear_error (&error);
  g_assert_false (stm_image_file_unlink (self->policy, fifo, NULL, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_clear_error (&error);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));

  g_assert_true (stm_image_file_unlink (self->policy, path, prove_text, (gpointer) "mine", &error));
  g_assert_no_error (error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  /* Again: it is gone, which is what was asked for. */
  g_assert_true (stm_image_file_unlink (self->policy, path, prove_text, (gpointer) "mine", &error));
}

static gboolean
prove_and_exchange (int fd, const char *path, gpointer user_data, GError **error)
{
  g_autofree char *other = g_strconcat (path, ".other", NULL);

  write_text (other, "other");
  g_assert_cmpint (g_rename (other, path), ==, 0);

  return TRUE;
}

static void
test_a_file_exchanged_after_the_proof_stays (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = in_root (self, "image");
  g_autoptr (GError) error = NULL;

  write_text (path, "mine");
  g_assert_false (stm_image_file_unlink (self->policy, path, prove_and_exchange, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
test_existence (Fixture *self, gconstpointer unused)
{
  g_autofree char *link = in_root (self, "link");
  g_autofree char *none = in_root (self, "none");
  g_autoptr (GError) error = NULL;
  gboolean exists = FALSE;

  /* A name is taken also by a link to nothing. */
  g_assert_cmpint (symlink ("none", link), ==, 0);
  g_assert_true (stm_image_file_exists (self->policy, link, &exists, &error));
  g_assert_true (exists);
  g_assert_true (stm_image_file_exists (self->policy, none, &exists, &error));
  g_assert_false (exists);
  g_assert_false (stm_image_file_exists (self->policy, "/etc/passwd", &exists, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
}

static void
test_canonical_paths (Fixture *self, gconstpointer unused)
{
  g_autofree char *image = in_root (self, "image");
  g_autofree char *door = g_build_filename (self->outside, "door", NULL);
  g_autofree char *by_door = g_build_filename (self->outside, "door", "image", NULL);
  g_autofree char *loop = in_root (self, "loop");
  g_autoptr (GError) error = NULL;

  write_text (image, "i");
  g_assert_cmpint (symlink (self->root, door), ==, 0);
  g_assert_cmpint (symlink ("loop", loop), ==, 0);

  g_autofree char *canonical = stm_image_file_canonicalise (by_door, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (canonical, ==, image);
  g_assert_null (stm_image_file_canonicalise (self->root, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_clear_error (&error);
  g_assert_null (stm_image_file_canonicalise (loop, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_clear_error (&error);
  g_assert_null (stm_image_file_canonicalise ("json:{}", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
}

/* door -> root; the path of what is not there has its directory's links alone followed. */
static void
test_spells (Fixture *self, gconstpointer unused)
{
  g_autofree char *door = g_build_filename (self->outside, "door", NULL);
  g_autofree char *image = in_root (self, "image");
  g_autofree char *alias = in_root (self, "alias");
  g_autofree char *dangling = in_root (self, "dangling");
  g_autofree char *directory = in_root (self, "directory");
  g_autofree char *to_directory = in_root (self, "to-directory");
  const char *const names[] = {
    "image", "alias", "absent", "dangling", "directory", "to-directory"
  };
  const char *const expected[] = {
    "image", "image", "absent", "dangling", "directory", "directory"
  };
  const char *const unchanged[] = {
    "/no-such-directory/a", "/dev/null", "/dev/no-such/a", "relative", "/a/../b", ""
  };

  write_text (image, "i");
  g_assert_cmpint (symlink (self->root, door), ==, 0);
  g_assert_cmpint (symlink (image, alias), ==, 0);
  g_assert_cmpint (symlink ("nothing", dangling), ==, 0);
  g_assert_cmpint (g_mkdir (directory, 0700), ==, 0);
  g_assert_cmpint (symlink (directory, to_directory), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *given = g_build_filename (door, names[i], NULL);
      g_autofree char *real = in_root (self, expected[i]);
      g_autofree char *spelled = stm_image_file_spell (given);

      g_assert_cmpstr (spelled, ==, real);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (unchanged); i++)
    {
      g_autofree char *spelled = stm_image_file_spell (unchanged[i]);

      g_assert_cmpstr (spelled, ==, unchanged[i]);
    }
}

static void
test_errors_have_types (void)
{
  static const struct
  {
    int number;
    StemmaError code;
  } rows[] = {
    { ENOSPC, STEMMA_ERROR_NO_SPACE },       { EDQUOT, STEMMA_ERROR_NO_SPACE },
    { EROFS, STEMMA_ERROR_READ_ONLY },       { ENOENT, STEMMA_ERROR_NOT_FOUND },
    { EACCES, STEMMA_ERROR_NOT_ALLOWED },    { EXDEV, STEMMA_ERROR_NOT_ALLOWED },
    { EEXIST, STEMMA_ERROR_ALREADY_EXISTS }, { EIO, STEMMA_ERROR_FAILED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      stm_image_place_set_error (&error, rows[i].number, "making image %s", "/i/x");
      g_assert_error (error, STEMMA_ERROR, (int) rows[i].code);
      g_assert_true (g_str_has_prefix (error->message, "making image /i/x: "));
    }
}

static void
test_raw_sizes (Fixture *self, gconstpointer unused)
{
  g_autofree char *path = in_root (self, "image");
  g_autoptr (GError) error = NULL;
  guint64 size = 0;
  guint64 length = 0;
  guint8 byte = 0;

  write_text (path, "123");

  int fd = stm_image_file_open (self->policy, path, STM_IMAGE_READ, &error);

  g_assert_true (stm_image_file_get_size (fd, path, &size, &error));
  g_assert_true (stm_image_file_get_length (fd, path, &length, &error));
  g_assert_cmpuint (size, ==, 512);
  g_assert_cmpuint (length, ==, 3);
  g_assert_false (stm_image_file_read_at (fd, path, &byte, 1, 3, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  g_clear_error (&error);
  g_assert_false (stm_image_file_read_at (fd, path, &byte, 1, G_MAXUINT64, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
  close (fd);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/image-file/opens-what-the-policy-allows", test_opens_what_is_allowed },
    { "/qemu/image-file/refuses-links-fifos-and-what-is-outside", test_refuses_the_rest },
    { "/qemu/image-file/an-exact-path-has-no-link-in-it", test_exact_paths_have_no_links },
    { "/qemu/image-file/below-dev-only-block-devices", test_devices_are_block_devices },
    { "/qemu/image-file/a-new-image-is-never-wider-than-the-covered", test_new_images_inherit },
    { "/qemu/image-file/a-new-image-has-the-owner-of-the-covered", test_new_images_inherit_owner },
    { "/qemu/image-file/a-new-image-has-the-access-list-of-the-covered",
      test_new_images_inherit_lists },
    { "/qemu/image-file/a-list-of-the-directory-does-not-widen",
      test_lists_of_the_directory_do_not_widen },
    { "/qemu/image-file/making-never-replaces", test_creating_never_replaces },
    { "/qemu/image-file/naming-never-replaces", test_publishing_never_replaces },
    { "/qemu/image-file/removing-asks-for-proof", test_removing_asks_for_proof },
    { "/qemu/image-file/a-file-exchanged-after-the-proof-stays",
      test_a_file_exchanged_after_the_proof_stays },
    { "/qemu/image-file/a-link-to-nothing-takes-its-name", test_existence },
    { "/qemu/image-file/an-administrators-links-are-followed", test_canonical_paths },
    { "/qemu/image-file/what-is-not-there-is-spelled-by-its-directory", test_spells },
    { "/qemu/image-file/a-raw-image-ends-with-a-whole-sector", test_raw_sizes },
  };

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/qemu/image-file/errors-of-the-system-have-types", test_errors_have_types);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
