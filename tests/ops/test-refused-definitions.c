/* Definitions whose images lead astray: out of the policy, to another protocol, in a ring, to what
 * another disk or domain has. Each is refused with its own code, and neither the record nor a file
 * changes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"
#include "test-images.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A second machine's image "evil.qcow2", whose header names `backing` with `format`. A '@' in front
 * stands for the directory of the history. */
typedef struct
{
  const char *name;
  const char *backing;
  const char *format;
  int code;
} Header;

static const Header headers[] = {
  { "itself", "evil.qcow2", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "a-ring-of-two", "ring.qcow2", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "json", "json:{\"driver\":\"file\",\"filename\":\"/etc/shadow\"}", "raw",
    STEMMA_ERROR_NOT_ALLOWED },
  { "nbd", "nbd:localhost:10809", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "nbd-uri", "nbd://localhost/x", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "file-uri", "file:///etc/shadow", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "blkdebug", "blkdebug::evil.qcow2", "qcow2", STEMMA_ERROR_NOT_ALLOWED },
  { "fat", "fat:rw:/etc", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "shadow", "/etc/shadow", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-way-up", "../../x", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-way-up-to-shadow", "../../../../../etc/shadow", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "outside", "@/outside.qcow2", "qcow2", STEMMA_ERROR_NOT_ALLOWED },
  { "a-link-that-leads-outside", "link.qcow2", "qcow2", STEMMA_ERROR_NOT_ALLOWED },
  { "a-directory", "folder", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-pipe", "pipe", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-device", "/dev/zero", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-missing-image", "missing.qcow2", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "a-raw-image-said-to-be-qcow2", "raw", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "an-image-of-another-format", "raw", "vmdk", STEMMA_ERROR_NOT_SUPPORTED },
  { "no-format", "raw", NULL, STEMMA_ERROR_NOT_ALLOWED },
  { "an-image-that-a-machine-writes", "@now", "qcow2", STEMMA_ERROR_IN_USE },
};

/* The second machine's own image. */
typedef struct
{
  const char *name;
  const char *image; /* below "images" unless with '@' or '/' */
  const char *format;
  int code;
} Source;

static const Source sources[] = {
  { "a-missing-image", "missing.qcow2", "qcow2", STEMMA_ERROR_NOT_FOUND },
  { "a-raw-image-said-to-be-qcow2", "raw", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "half-a-header", "short", "qcow2", STEMMA_ERROR_CHAIN_BROKEN },
  { "a-directory", "folder", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-pipe", "pipe", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-device-said-to-be-a-file", "/dev/zero", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "a-relative-path", "./raw", "raw", STEMMA_ERROR_NOT_ALLOWED },
  { "another-format", "raw", "vmdk", STEMMA_ERROR_NOT_SUPPORTED },
  { "an-image-with-a-data-file", "data.qcow2", "qcow2", STEMMA_ERROR_NOT_ALLOWED },
  { "what-another-domain-writes", "@now", "qcow2", STEMMA_ERROR_IN_USE },
  { "what-another-domain-froze", "@root", "qcow2", STEMMA_ERROR_IN_USE },
};

static char *
resolve (History *self, const char *name)
{
  if (g_str_equal (name, "@now"))
    return history_image (self, NULL, 0);
  if (g_str_equal (name, "@root"))
    return history_image (self, "root", 0);
  return *name == '@' ? g_strconcat (self->directory, name + 1, NULL) : g_strdup (name);
}

static void
make_image (const char *path, const char *backing, const char *format)
{
  const char *with_format[] = { "qemu-img", "create", "-q",   "-u", "-f", "qcow2", "-b",
                                backing,    "-F",     format, path, "1M", NULL };
  const char *alone[] = { "qemu-img", "create", "-q", "-f", "qcow2", path, "1M", NULL };

  history_run_tool (backing != NULL ? with_format : alone);
}

/* The format of the backing image is an extension of the header: its type becomes one that nobody
 * knows. */
static void
forget_format (const char *path)
{
  static const guint8 type[] = { 0xe2, 0x79, 0x2a, 0xca };
  g_autofree char *content = NULL;
  gsize length = 0;
  char *found;

  g_assert_true (g_file_get_contents (path, &content, &length, NULL));
  found = memmem (content, length, type, sizeof type);
  g_assert_nonnull (found);
  found[3] ^= 1;
  g_assert_true (g_file_set_contents (path, content, (gssize) length, NULL));
}

static char *
below (History *self, const char *name)
{
  return g_build_filename (self->directory, "images", name, NULL);
}

/* What hostile headers and definitions may name. */
static void
lay_out (History *self)
{
  g_autofree char *outside = g_build_filename (self->directory, "outside.qcow2", NULL);
  g_autofree char *link = below (self, "link.qcow2");
  g_autofree char *folder = below (self, "folder");
  g_autofree char *pipe = below (self, "pipe");
  g_autofree char *raw = below (self, "raw");
  g_autofree char *cut = below (self, "short");
  g_autofree char *ring = below (self, "ring.qcow2");
  g_autofree char *data = below (self, "data.qcow2");
  g_autofree char *option = g_strdup_printf ("data_file=%s.raw,data_file_raw=on", data);
  g_autofree char *bytes = g_malloc0 (DISK_BYTES);
  const char *with_data[] = { "qemu-img", "create", "-q", "-f", "qcow2",
                              "-o",       option,   data, "1M", NULL };

  make_image (outside, NULL, NULL);
  make_image (ring, "evil.qcow2", "qcow2");
  history_run_tool (with_data);
  g_assert_cmpint (symlink (outside, link), ==, 0);
  g_assert_cmpint (g_mkdir (folder, 0700), ==, 0);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  g_assert_true (g_file_set_contents (raw, bytes, DISK_BYTES, NULL));
  g_assert_true (g_file_set_contents (cut, "QFI\xfb\0\0\0\3", 8, NULL));
}

static void
define (History *self, const char *disks, int code)
{
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>evil</name><memory>1024</memory><devices>%s</devices></domain>",
      disks);
  g_autofree char *before = history_digest (self);
  g_autofree char *after = NULL;

  history_step (self, &(LifeCommand){ .verb = LIFE_DEFINE, .name = xml }, code);
  g_test_message ("%s", g_strrstr (self->log->str, "->"));
  g_assert_cmpint (self->code, ==, code);
  after = history_digest (self);
  g_assert_cmpstr (before, ==, after);
}

static char *
disk_xml (const char *source, const char *format, const char *target)
{
  return g_strdup_printf ("<disk type='file'><driver name='qemu' type='%s'/><source file='%s'/>"
                          "<target dev='%s'/></disk>",
                          format, source, target);
}

static History *
begin (void)
{
  History *self = history_begin (21);

  history_create (self, "root");
  lay_out (self);
  return self;
}

static void
test_header (gconstpointer data)
{
  const Header *header = data;
  History *self = begin ();
  g_autofree char *backing = resolve (self, header->backing);
  g_autofree char *path = below (self, "evil.qcow2");
  g_autofree char *disk = disk_xml (path, "qcow2", "vda");

  make_image (path, backing, header->format != NULL ? header->format : "raw");
  if (header->format == NULL)
    forget_format (path);
  define (self, disk, header->code);
  history_end (self);
}

static void
test_source (gconstpointer data)
{
  const Source *source = data;
  History *self = begin ();
  g_autofree char *named = resolve (self, source->image);
  g_autofree char *path = *named == '/' || *named == '.' ? g_strdup (named) : below (self, named);
  g_autofree char *disk = disk_xml (path, source->format, "vda");

  define (self, disk, source->code);
  history_end (self);
}

static void
test_one_image_twice (void)
{
  History *self = begin ();
  g_autofree char *path = below (self, "evil.qcow2");
  g_autofree char *again = below (self, "again.qcow2");
  g_autofree char *vda = disk_xml (path, "qcow2", "vda");
  g_autofree char *vdb = disk_xml (path, "qcow2", "vdb");
  g_autofree char *vdc = disk_xml (again, "qcow2", "vdc");
  g_autofree char *twice = g_strconcat (vda, vdb, NULL);
  g_autofree char *linked = g_strconcat (vda, vdc, NULL);

  make_image (path, NULL, NULL);
  g_assert_cmpint (symlink (path, again), ==, 0);
  define (self, twice, STEMMA_ERROR_IN_USE);
  define (self, linked, STEMMA_ERROR_IN_USE);
  history_end (self);
}

/* A disk that is written may not be what another disk of the same machine stands on. */
static void
test_a_disk_on_another (void)
{
  History *self = begin ();
  g_autofree char *base = below (self, "evil-base.qcow2");
  g_autofree char *path = below (self, "evil.qcow2");
  g_autofree char *upper = disk_xml (path, "qcow2", "vda");
  g_autofree char *lower = disk_xml (base, "qcow2", "vdb");
  g_autofree char *upper_first = g_strconcat (upper, lower, NULL);
  g_autofree char *lower_first = g_strconcat (lower, upper, NULL);

  make_image (base, NULL, NULL);
  make_image (path, base, "qcow2");
  define (self, upper_first, STEMMA_ERROR_IN_USE);
  define (self, lower_first, STEMMA_ERROR_IN_USE);
  history_end (self);
}

/* Without snapshots the images of a machine may change places, and disks their names. */
static void
test_images_change_places (void)
{
  static const char *const targets[][2] = { { "vda", "vdb" }, { "vdb", "vda" }, { "sda", "vda" } };
  History *self = begin ();
  g_autofree char *one = below (self, "one.qcow2");
  g_autofree char *two = below (self, "two.qcow2");

  make_image (one, NULL, NULL);
  make_image (two, NULL, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autofree char *first = disk_xml (one, "qcow2", targets[i][0]);
      g_autofree char *second = disk_xml (two, "qcow2", targets[i][1]);
      g_autofree char *xml = g_strdup_printf (
          "<domain type='qemu'><name>other</name>"
          "<uuid>6f1d8b8a-0d7c-4c66-9a0b-2f0e5d3c1b7a</uuid><memory>1024</memory>"
          "<devices>%s%s</devices></domain>",
          first, second);

      history_step (self, &(LifeCommand){ .verb = LIFE_DEFINE, .name = xml }, -1);
      g_assert_cmpint (self->code, ==, -1);
    }
  history_end (self);
}

/* Another machine on a snapshot of this one: what it stands on stays as it is, whatever happens
 * here. */
static void
test_a_domain_on_a_snapshot (void)
{
  History *self = history_begin (22);
  g_autofree char *path = below (self, "other.qcow2");
  g_autofree char *disk = disk_xml (path, "qcow2", "vda");
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>other</name><memory>1024</memory><devices>%s</devices></domain>",
      disk);
  g_autofree char *base = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  history_grow_tree (self);
  base = history_image (self, "b", 0);
  make_image (path, base, "qcow2");
  history_step (self, &(LifeCommand){ .verb = LIFE_DEFINE, .name = xml }, -1);
  before = test_image_digest (path, "qcow2");
  history_step (self, &(LifeCommand){ .verb = LIFE_DELETE, .name = "b" }, -1);
  history_step (self, &(LifeCommand){ .verb = LIFE_REVERT, .name = "root", .discards = TRUE }, -1);
  history_step (
      self, &(LifeCommand){ .verb = LIFE_DELETE, .name = "a", .scope = STM_DELETE_SUBTREE }, -1);
  after = test_image_digest (path, "qcow2");
  g_assert_cmpstr (before, ==, after);
  history_end (self);
}

/* ---- two at once ---- */

typedef struct
{
  const char *name;
  LifeCommand first;
  LifeCommand second;
  int first_code;
  int second_code;
} Pair;

static const Pair pairs[] = {
  { "two-snapshots-are-both-made",
    { .verb = LIFE_CREATE, .name = "x" },
    { .verb = LIFE_CREATE, .name = "y" },
    -1,
    -1 },
  { "the-second-of-one-name-is-refused",
    { .verb = LIFE_CREATE, .name = "x" },
    { .verb = LIFE_CREATE, .name = "x" },
    -1,
    STEMMA_ERROR_ALREADY_EXISTS },
  { "what-is-gone-cannot-be-reverted-to",
    { .verb = LIFE_DELETE, .name = "c1" },
    { .verb = LIFE_REVERT, .name = "c1", .discards = TRUE },
    -1,
    STEMMA_ERROR_NOT_FOUND },
  { "what-is-gone-cannot-be-deleted",
    { .verb = LIFE_DELETE, .name = "b" },
    { .verb = LIFE_DELETE, .name = "b" },
    -1,
    STEMMA_ERROR_NOT_FOUND },
  { "a-revert-and-a-deletion-follow-each-other",
    { .verb = LIFE_REVERT, .name = "c1", .keep = "kept" },
    { .verb = LIFE_DELETE, .name = "c" },
    -1,
    -1 },
  { "two-deletions-of-neighbours-follow-each-other",
    { .verb = LIFE_DELETE, .name = "b" },
    { .verb = LIFE_DELETE, .name = "c" },
    -1,
    -1 },
};

static void
test_pair (gconstpointer data)
{
  const Pair *pair = data;
  History *self = history_begin (23);
  LifeCommand command = pair->first;

  command.beside = &pair->second;
  history_grow_tree (self);
  history_step_two (self, &command);
  g_assert_cmpint (self->code, ==, pair->first_code);
  g_assert_cmpint (self->last->beside_code, ==, pair->second_code);
  history_look (self);
  history_end (self);
}

static void
add (const char *group, const char *name, gconstpointer data, GTestDataFunc function)
{
  g_autofree char *path = g_strconcat ("/ops/", group, "/", name, NULL);

  g_test_add_data_func (path, data, function);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (headers); i++)
    add ("a-header-is-refused-that-names", headers[i].name, &headers[i], test_header);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    add ("a-definition-is-refused-that-names", sources[i].name, &sources[i], test_source);
  g_test_add_func ("/ops/a-definition-is-refused-that-names/one-image-twice", test_one_image_twice);
  g_test_add_func ("/ops/definitions/a-disk-on-another-of-the-machine-is-refused",
                   test_a_disk_on_another);
  g_test_add_func ("/ops/definitions/images-change-places", test_images_change_places);
  g_test_add_func ("/ops/two-domains/one-on-a-snapshot-of-the-other-keeps-its-bytes",
                   test_a_domain_on_a_snapshot);
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    add ("two-at-once", pairs[i].name, &pairs[i], test_pair);
  return g_test_run ();
}
