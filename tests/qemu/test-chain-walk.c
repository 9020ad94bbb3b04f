/* Chains walked from a definition down, sound and hostile.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-chain-walk.h"

#include "qcow2-writer.h"
#include "stemma-error.h"
#include "test-images.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DECLARED_MAX 3

typedef struct
{
  char *directory;
  char *root; /* of the disk */
  char *outside;
  StmPathPolicy *policy; /* allows nothing by itself */
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  const char *none[] = { NULL };

  self->directory = test_directory_new ();
  self->root = g_build_filename (self->directory, "root", NULL);
  self->outside = g_build_filename (self->directory, "outside", NULL);
  g_assert_cmpint (g_mkdir (self->root, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (self->outside, 0700), ==, 0);
  self->policy = stm_path_policy_new (none, none);
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

/* "@/x" stands for a file beside the fixture's folders. */
static char *
expand (Fixture *self, const char *path)
{
  return path != NULL && path[0] == '@' ? g_strconcat (self->directory, path + 1, NULL)
                                        : g_strdup (path);
}

static void
write_image (Fixture *self, const char *path, const char *backing, const char *backing_format)
{
  g_autofree char *full = expand (self, path);
  g_autofree char *full_backing = expand (self, backing);

  test_qcow2_write (full,
                    &(TestQcow2){ .backing = full_backing, .backing_format = backing_format });
}

static void
write_raw (Fixture *self, const char *path)
{
  g_autofree char *full = expand (self, path);

  g_assert_true (g_file_set_contents (full, "raw data", -1, NULL));
}

static GPtrArray *
walk (Fixture *self, gboolean is_complete, const StmDeclaredImage *declared, gsize n_declared,
      GError **error)
{
  StmDeclaredImage expanded[DECLARED_MAX];
  g_autoptr (GPtrArray) owned = g_ptr_array_new_with_free_func (g_free);
  const StmChainRequest request = { .target = "vda",
                                    .declared = expanded,
                                    .n_declared = n_declared,
                                    .is_complete = is_complete,
                                    .policy = self->policy };

  g_assert_cmpuint (n_declared, <=, DECLARED_MAX);
  for (gsize i = 0; i < n_declared; i++)
    {
      expanded[i].path = expand (self, declared[i].path);
      expanded[i].format = declared[i].format;
      g_ptr_array_add (owned, (char *) expanded[i].path);
    }

  return stm_chain_walk (&request, NULL, error);
}

static GPtrArray *
walk_disk (Fixture *self, const char *format, GError **error)
{
  const StmDeclaredImage declared[] = { { "@/root/disk", format } };

  return walk (self, FALSE, declared, 1, error);
}

static void
assert_image (Fixture *self, GPtrArray *chain, guint index, const char *path, const char *format,
              const char *backing)
{
  const StmImage *image = g_ptr_array_index (chain, index);
  g_autofree char *full = expand (self, path);
  g_autofree char *full_backing = expand (self, backing);

  g_assert_cmpstr (image->path, ==, full);
  g_assert_cmpstr (image->format, ==, format);
  g_assert_cmpstr (image->backing, ==, full_backing);
  g_assert_cmpstr (image->target, ==, "vda");
  g_assert_cmpuint (image->index, ==, index + 1);
  g_assert_cmpint (image->origin, ==, index == 0 ? STM_IMAGE_DISK : STM_IMAGE_BACKING);
}

static void
test_sound (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  write_raw (self, "@/root/base");
  write_image (self, "@/root/middle", "@/root/base", "raw");
  write_image (self, "@/root/disk", "middle", "qcow2");

  g_autoptr (GPtrArray) chain = walk_disk (self, "qcow2", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 3);
  assert_image (self, chain, 0, "@/root/disk", "qcow2", "@/root/middle");
  assert_image (self, chain, 1, "@/root/middle", "qcow2", "@/root/base");
  assert_image (self, chain, 2, "@/root/base", "raw", NULL);
  g_assert_cmpuint (((StmImage *) chain->pdata[0])->capacity, ==, TEST_QCOW2_CAPACITY);
  g_assert_cmpuint (((StmImage *) chain->pdata[2])->capacity, ==, 512);
}

/* The guest wrote a header into its raw disk: it is data. */
static void
test_raw_is_not_looked_into (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  write_image (self, "@/root/disk", "/etc/shadow", "raw");

  g_autoptr (GPtrArray) chain = walk_disk (self, "raw", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 1);
  assert_image (self, chain, 0, "@/root/disk", "raw", NULL);
}

static void
test_declared_base_outside (Fixture *self, gconstpointer unused)
{
  const StmDeclaredImage declared[] = { { "@/root/disk", "qcow2" },
                                        { "@/outside/golden", "qcow2" } };
  g_autoptr (GError) error = NULL;

  write_image (self, "@/outside/golden", NULL, NULL);
  write_image (self, "@/root/disk", "../outside/golden", "qcow2");

  g_assert_null (walk_disk (self, "qcow2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_clear_error (&error);

  g_autoptr (GPtrArray) chain = walk (self, TRUE, declared, 2, &error);

  g_assert_no_error (error);
  assert_image (self, chain, 1, "@/outside/golden", "qcow2", NULL);
}

static void
test_declared_format (Fixture *self, gconstpointer unused)
{
  const StmDeclaredImage declared[] = { { "@/root/disk", "qcow2" }, { "@/root/base", "raw" } };
  g_autoptr (GError) error = NULL;

  write_raw (self, "@/root/base");
  write_image (self, "@/root/disk", "base", NULL);

  g_assert_null (walk_disk (self, "qcow2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_clear_error (&error);

  g_autoptr (GPtrArray) chain = walk (self, FALSE, declared, 2, &error);

  g_assert_no_error (error);
  assert_image (self, chain, 1, "@/root/base", "raw", NULL);
}

/* The definition and the header name one file by two ways; and the disk itself is named through a
 * link. */
static void
test_links_of_the_administrator (Fixture *self, gconstpointer unused)
{
  const StmDeclaredImage declared[] = { { "@/door/disk", "qcow2" }, { "@/door/base", "qcow2" } };
  g_autofree char *door = expand (self, "@/door");
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlink ("root", door), ==, 0);
  write_image (self, "@/root/base", NULL, NULL);
  write_image (self, "@/root/disk", "@/door/base", "qcow2");

  for (gsize n = 1; n <= 2; n++)
    {
      g_autoptr (GPtrArray) chain = walk (self, FALSE, declared, n, &error);

      g_assert_no_error (error);
      assert_image (self, chain, 0, "@/root/disk", "qcow2", "@/root/base");
      assert_image (self, chain, 1, "@/root/base", "qcow2", NULL);
    }
}

/* To the kernel, and so to QEMU, ".." after a link leads up from where the link leads to. */
static void
test_dots_after_a_link (Fixture *self, gconstpointer unused)
{
  g_autofree char *deep = expand (self, "@/root/deep");
  g_autofree char *deeper = expand (self, "@/root/deep/deeper");
  g_autofree char *jump = expand (self, "@/root/jump");
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (g_mkdir (deep, 0700), ==, 0);
  g_assert_cmpint (g_mkdir (deeper, 0700), ==, 0);
  g_assert_cmpint (symlink ("deep/deeper", jump), ==, 0);
  write_image (self, "@/root/base", NULL, NULL);
  write_image (self, "@/root/deep/base", NULL, NULL);
  write_image (self, "@/root/disk", "jump/../base", "qcow2");

  g_autoptr (GPtrArray) chain = walk_disk (self, "qcow2", &error);

  g_assert_no_error (error);
  assert_image (self, chain, 1, "@/root/deep/base", "qcow2", NULL);
}

static void
test_pool_by_a_link (Fixture *self, gconstpointer unused)
{
  g_autofree char *door = expand (self, "@/door");
  const char *roots[] = { door, NULL };
  const char *none[] = { NULL };
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlink ("outside", door), ==, 0);
  stm_path_policy_unref (self->policy);
  self->policy = stm_path_policy_new (roots, none);
  write_image (self, "@/outside/base", NULL, NULL);
  write_image (self, "@/root/disk", "@/door/base", "qcow2");

  g_autoptr (GPtrArray) chain = walk_disk (self, "qcow2", &error);

  g_assert_no_error (error);
  assert_image (self, chain, 1, "@/outside/base", "qcow2", NULL);
}

/* One image over a backing reference that no honest chain has. */
typedef struct
{
  const char *name;
  const char *backing;
  const char *backing_format;
  StemmaError code;
} Vector;

static const Vector vectors[] = {
  { "json", "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}", "raw",
    STEMMA_ERROR_NOT_ALLOWED },
  { "nbd", "nbd:unix:/run/x", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "nbd url", "nbd://localhost/x", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "fat", "fat:/etc", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "file protocol", "file:base", "qcow2", STEMMA_ERROR_NOT_ALLOWED },
  { "shadow", "/etc/shadow", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "environment", "/proc/self/environ", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "up and out", "../../x", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "up and out to a file", "../outside/secret", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "link out", "link-out", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "directory link out", "door/secret", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "fifo", "fifo", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "directory", "folder", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "control character", "a\nb", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "not UTF-8", "a\xff", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "null device", "/dev/null", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "missing", "missing", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "itself", "disk", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "itself by a hard link", "hard", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "raw where qcow2 is said", "raw", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "vmdk", "base", "vmdk", STEMMA_ERROR_NOT_SUPPORTED },
  { "no format", "base", NULL, STEMMA_ERROR_NOT_ALLOWED },
};

static void
make_traps (Fixture *self)
{
  g_autofree char *link = expand (self, "@/root/link-out");
  g_autofree char *door = expand (self, "@/root/door");
  g_autofree char *fifo = expand (self, "@/root/fifo");
  g_autofree char *folder = expand (self, "@/root/folder");

  write_raw (self, "@/outside/secret");
  write_raw (self, "@/root/raw");
  write_image (self, "@/root/base", NULL, NULL);
  g_assert_cmpint (symlink ("../outside/secret", link), ==, 0);
  g_assert_cmpint (symlink ("../outside", door), ==, 0);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
}

static void
test_hostile_references (Fixture *self, gconstpointer unused)
{
  g_autofree char *disk = expand (self, "@/root/disk");
  g_autofree char *hard = expand (self, "@/root/hard");

  make_traps (self);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", vectors[i].name);
      (void) g_unlink (hard);
      write_image (self, "@/root/disk", vectors[i].backing, vectors[i].backing_format);
      g_assert_cmpint (link (disk, hard), ==, 0);

      g_assert_null (walk_disk (self, "qcow2", &error));
      g_assert_error (error, STEMMA_ERROR, (int) vectors[i].code);
      g_assert_true (g_str_has_prefix (error->message, "disk 'vda': "));
    }
}

static void
test_loop (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  write_image (self, "@/root/a", "b", "qcow2");
  write_image (self, "@/root/b", "a", "qcow2");
  write_image (self, "@/root/disk", "a", "qcow2");

  g_assert_null (walk_disk (self, "qcow2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_depth (Fixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i <= STM_MAX_CHAIN_DEPTH; i++)
    {
      g_autofree char *path = i == 0 ? g_strdup ("@/root/disk") : g_strdup_printf ("@/root/%u", i);
      g_autofree char *backing = g_strdup_printf ("%u", i + 1);
      gboolean is_last = i == STM_MAX_CHAIN_DEPTH;

      write_image (self, path, is_last ? NULL : backing, is_last ? NULL : "qcow2");
    }

  g_assert_null (walk_disk (self, "qcow2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY);
  g_clear_error (&error);

  /* One less is a chain like others. */
  g_autofree char *top = expand (self, "@/root/disk");

  g_assert_cmpint (g_unlink (top), ==, 0);
  write_image (self, "@/root/disk", "2", "qcow2");

  g_autoptr (GPtrArray) chain = walk_disk (self, "qcow2", &error);

  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, STM_MAX_CHAIN_DEPTH);
}

/* A definition that says other than the headers. */
typedef struct
{
  const char *name;
  StmDeclaredImage declared[DECLARED_MAX];
  gsize n_declared;
  gboolean is_complete;
  StemmaError code;
} Contradiction;

static const Contradiction contradictions[] = {
  { "another base",
    { { "@/root/disk", "qcow2" }, { "@/root/other", "qcow2" } },
    2,
    FALSE,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "another format",
    { { "@/root/disk", "qcow2" }, { "@/root/base", "raw" } },
    2,
    FALSE,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "a chain that ends too early",
    { { "@/root/disk", "qcow2" } },
    1,
    TRUE,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "a chain that is too long",
    { { "@/root/disk", "qcow2" }, { "@/root/base", "qcow2" }, { "@/root/other", "qcow2" } },
    3,
    FALSE,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "raw with a base",
    { { "@/root/disk", "raw" }, { "@/root/base", "qcow2" } },
    2,
    FALSE,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "qcow2 that is raw", { { "@/root/raw", "qcow2" } }, 1, FALSE, STEMMA_ERROR_CHAIN_BROKEN },
  { "a format that is not supported",
    { { "@/root/disk", "vdi" } },
    1,
    FALSE,
    STEMMA_ERROR_NOT_SUPPORTED },
  { "no such disk", { { "@/root/none", "qcow2" } }, 1, FALSE, STEMMA_ERROR_NOT_FOUND },
  { "a relative path", { { "disk", "qcow2" } }, 1, FALSE, STEMMA_ERROR_NOT_ALLOWED },
  { "a FIFO", { { "@/root/fifo", "raw" } }, 1, FALSE, STEMMA_ERROR_NOT_ALLOWED },
  { "a base that is missing",
    { { "@/root/disk", "qcow2" }, { "@/root/none", "qcow2" } },
    2,
    FALSE,
    STEMMA_ERROR_CHAIN_BROKEN },
};

static void
test_contradictions (Fixture *self, gconstpointer unused)
{
  make_traps (self);
  write_image (self, "@/root/other", NULL, NULL);
  write_image (self, "@/root/disk", "base", "qcow2");
  for (gsize i = 0; i < G_N_ELEMENTS (contradictions); i++)
    {
      const Contradiction *row = &contradictions[i];
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", row->name);
      g_assert_null (walk (self, row->is_complete, row->declared, row->n_declared, &error));
      g_assert_error (error, STEMMA_ERROR, (int) row->code);
    }
}

static void
test_unusable_images (Fixture *self, gconstpointer unused)
{
  static const struct
  {
    const char *name;
    guint64 offset, value;
    StemmaError code;
  } rows[] = {
    { "data file", TEST_QCOW2_INCOMPATIBLE, 4, STEMMA_ERROR_NOT_ALLOWED },
    { "dirty", TEST_QCOW2_INCOMPATIBLE, 1, STEMMA_ERROR_CHAIN_BROKEN },
    { "corrupt", TEST_QCOW2_INCOMPATIBLE, 2, STEMMA_ERROR_CHAIN_BROKEN },
    { "unknown feature", TEST_QCOW2_INCOMPATIBLE, 64, STEMMA_ERROR_NOT_SUPPORTED },
    { "encrypted", TEST_QCOW2_CRYPT, G_GUINT64_CONSTANT (0x200000001), STEMMA_ERROR_NOT_SUPPORTED },
    { "60 PiB", TEST_QCOW2_SIZE, G_GUINT64_CONSTANT (60) << 50, STEMMA_ERROR_TOO_LARGE },
  };
  g_autofree char *base = expand (self, "@/root/base");

  write_image (self, "@/root/disk", "base", "qcow2");
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GError) error = NULL;

      g_test_message ("%s", rows[i].name);
      write_image (self, "@/root/base", NULL, NULL);
      test_file_patch64 (base, rows[i].offset, rows[i].value);
      g_assert_null (walk_disk (self, "qcow2", &error));
      g_assert_error (error, STEMMA_ERROR, (int) rows[i].code);
      g_assert_nonnull (strstr (error->message, base));
    }
}

static void
test_cut_off (Fixture *self, gconstpointer unused)
{
  g_autofree char *base = expand (self, "@/root/base");
  g_autoptr (GError) error = NULL;

  write_image (self, "@/root/disk", "base", "qcow2");
  write_image (self, "@/root/base", NULL, NULL);
  test_file_truncate (base, TEST_QCOW2_CLUSTER);

  g_assert_null (walk_disk (self, "qcow2", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_type_of_the_disk (Fixture *self, gconstpointer unused)
{
  g_autofree char *disk = expand (self, "@/root/disk");
  const StmDeclaredImage declared[] = { { disk, "qcow2" } };
  const StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .is_block = TRUE, .policy = self->policy
  };
  g_autoptr (GError) error = NULL;

  write_image (self, "@/root/disk", NULL, NULL);
  g_assert_null (stm_chain_walk (&request, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN);
}

static void
test_cancelled (Fixture *self, gconstpointer unused)
{
  g_autofree char *disk = expand (self, "@/root/disk");
  const StmDeclaredImage declared[] = { { disk, "qcow2" } };
  const StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .policy = self->policy
  };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  write_image (self, "@/root/disk", NULL, NULL);
  g_cancellable_cancel (cancellable);
  g_assert_null (stm_chain_walk (&request, cancellable, &error));
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
    { "/qemu/chain/a-sound-chain-is-recorded-with-canonical-paths", test_sound },
    { "/qemu/chain/nobody-looks-into-a-raw-image", test_raw_is_not_looked_into },
    { "/qemu/chain/a-base-outside-must-be-declared", test_declared_base_outside },
    { "/qemu/chain/a-format-is-said-and-never-guessed", test_declared_format },
    { "/qemu/chain/one-file-has-one-spelling", test_links_of_the_administrator },
    { "/qemu/chain/dots-after-a-link-lead-where-the-kernel-goes", test_dots_after_a_link },
    { "/qemu/chain/a-pool-may-be-named-by-a-link", test_pool_by_a_link },
    { "/qemu/chain/hostile-references-are-refused-with-a-type", test_hostile_references },
    { "/qemu/chain/a-loop-is-found", test_loop },
    { "/qemu/chain/a-chain-may-be-two-hundred-deep", test_depth },
    { "/qemu/chain/a-definition-that-contradicts-is-refused", test_contradictions },
    { "/qemu/chain/unusable-images-are-refused-with-a-type", test_unusable_images },
    { "/qemu/chain/an-image-that-is-cut-off-is-broken", test_cut_off },
    { "/qemu/chain/a-file-is-no-block-device", test_type_of_the_disk },
    { "/qemu/chain/a-walk-can-be-cancelled", test_cancelled },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
