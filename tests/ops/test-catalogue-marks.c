/* The catalogue of faults: internal snapshots and bitmaps in the images that somebody else made,
 * removed, disabled or broke. Nothing of it is taken for what the service made, nothing is lost
 * that was in order, and each case has a way out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"
#include "stemma-error.h"

#include <string.h>

#define SNAPSHOT STM_MOMENT_SNAPSHOT
#define CHECKPOINT STM_MOMENT_CHECKPOINT

/* ---- what somebody else does, with QEMU's own tool ---- */

static void
alter_tag (Catalogue *self, const char *flag, const char *tag, char disk)
{
  g_autofree char *path = catalogue_active (self, disk);

  g_free (test_run ("qemu-img", "snapshot", flag, tag, path, NULL));
}

static void
alter_bitmap (Catalogue *self, const char *action, const char *bitmap, char disk)
{
  g_autofree char *path = catalogue_active (self, disk);

  g_free (test_run ("qemu-img", "bitmap", action, path, bitmap, NULL));
}

/* Kills a QEMU that has the image open for writing. */
static void
kill_writer (Catalogue *self, char disk)
{
  g_autofree char *path = catalogue_active (self, disk);

  test_image_let_go (test_image_hold (path, "qcow2", /* is_read_only= */ FALSE));
}

static gboolean
has_tag (Catalogue *self, const char *tag, char disk)
{
  g_autofree char *path = catalogue_active (self, disk);
  g_autofree char *list = test_run ("qemu-img", "snapshot", "-l", path, NULL);
  g_autofree char *word = g_strdup_printf (" %s ", tag);

  return strstr (list, word) != NULL;
}

static gboolean
has_bitmap (Catalogue *self, const char *bitmap, char disk)
{
  g_autofree char *path = catalogue_active (self, disk);
  g_autofree char *info = test_run ("qemu-img", "info", "--output=json", path, NULL);
  g_autofree char *word = g_strdup_printf ("\"name\": \"%s\"", bitmap);

  return strstr (info, word) != NULL;
}

static void
assert_findings (Catalogue *self, const char *expected)
{
  g_autofree char *found = catalogue_check (self);

  g_assert_cmpstr (found, ==, expected);
}

/* ---- tags ---- */

static void
test_tag_removed (Catalogue *self, gconstpointer unused)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  if (self->directory == NULL)
    return;
  catalogue_write (self, 'a', 0, 1);
  catalogue_do (self, catalogue_create ("s", STM_MODE_INTERNAL));
  catalogue_write (self, 'a', 0, 2);
  before = catalogue_see (self);
  alter_tag (self, "-d", "s", 'a');
  assert_findings (self, "snapshot-broken");
  catalogue_assert_health (self, SNAPSHOT, "s", STM_HEALTH_MISSING);
  catalogue_refuse (self, catalogue_revert (self, "s"), STEMMA_ERROR_CHAIN_BROKEN, "'s'");
  after = catalogue_see (self);
  g_assert_cmpstr (after, ==, before);
  /* What is left of it goes, and the name is free. */
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s", STM_DELETE_ONE));
  g_assert_false (has_tag (self, "s", 'b'));
  assert_findings (self, "");
  catalogue_do (self, catalogue_create ("s", STM_MODE_INTERNAL));
  catalogue_write (self, 'a', 0, 3);
  catalogue_do (self, catalogue_revert (self, "s"));
  g_free (g_steal_pointer (&after));
  after = catalogue_see (self);
  g_assert_cmpstr (after, ==, before);
}

/* A tag of the next snapshot's name was there before: it is somebody else's, and stays so. */
static void
test_tag_made (Catalogue *self, gconstpointer unused)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  if (self->directory == NULL)
    return;
  catalogue_write (self, 'a', 0, 1);
  alter_tag (self, "-c", "s", 'a');
  catalogue_write (self, 'a', 0, 2);
  first = catalogue_see (self);
  catalogue_do (self, catalogue_create ("s", STM_MODE_INTERNAL));
  g_assert_cmpstr (catalogue_find (self, SNAPSHOT, "s")->disks[0].tag, !=, "s");
  g_assert_cmpstr (catalogue_find (self, SNAPSHOT, "s")->disks[1].tag, ==, "s");
  catalogue_write (self, 'a', 0, 3);
  catalogue_do (self, catalogue_revert (self, "s"));
  second = catalogue_see (self);
  g_assert_cmpstr (second, ==, first);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s", STM_DELETE_ONE));
  g_assert_true (has_tag (self, "s", 'a'));
  g_assert_false (has_tag (self, "s", 'b'));
}

/* Tools take a name of digits for an id: "1" would be the first tag of the image. */
static void
test_digits (Catalogue *self, gconstpointer unused)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  if (self->directory == NULL)
    return;
  catalogue_write (self, 'a', 0, 1);
  first = catalogue_see (self);
  catalogue_do (self, catalogue_create ("first", STM_MODE_INTERNAL));
  catalogue_write (self, 'a', 0, 2);
  catalogue_do (self, catalogue_create ("1", STM_MODE_INTERNAL));
  catalogue_do (self, catalogue_create ("2", STM_MODE_INTERNAL));
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "1", STM_DELETE_ONE));
  catalogue_assert_tree (self, SNAPSHOT, "first(2*)");
  g_assert_true (has_tag (self, "first", 'a'));
  catalogue_do (self, catalogue_revert (self, "first"));
  second = catalogue_see (self);
  g_assert_cmpstr (second, ==, first);
  assert_findings (self, "");
  catalogue_do (self, catalogue_checkpoint ("1700000000"));
  g_assert_true (has_bitmap (self, "1700000000", 'a'));
}

/* libvirt stops the machine first, and then QEMU refuses. */
static void
test_goto_with_bitmaps (Catalogue *self, gconstpointer unused)
{
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *foreign = NULL;

  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_create ("s", STM_MODE_INTERNAL));
  catalogue_write (self, 'a', 0, 2);
  catalogue_do (self, catalogue_checkpoint ("c"));
  before = catalogue_see (self);
  catalogue_refuse (self, catalogue_revert (self, "s"), STEMMA_ERROR_HAS_MOMENTS, "'c'");
  after = catalogue_see (self);
  g_assert_cmpstr (after, ==, before);
  g_assert_true (has_bitmap (self, "c", 'a'));
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "c", STM_DELETE_ONE));
  /* One that nobody told of is in the way as well. */
  alter_bitmap (self, "--add", "foreign", 'a');
  catalogue_refuse (self, catalogue_revert (self, "s"), STEMMA_ERROR_NOT_SUPPORTED, "foreign");
  foreign = catalogue_see (self);
  g_assert_cmpstr (foreign, ==, before);
  alter_bitmap (self, "--remove", "foreign", 'a');
  catalogue_do (self, catalogue_revert (self, "s"));
}

/* ---- bitmaps ---- */

/* The broken checkpoint "c" neither hinders nor is hidden: no overlay goes on with what is broken,
 * and the next one follows it as long as there is anything of it. */
static void
go_on_after (Catalogue *self, const char *tree)
{
  catalogue_do (self, catalogue_create ("s", STM_MODE_EXTERNAL));
  g_assert_false (has_bitmap (self, "c", 'a') && has_bitmap (self, "c", 'b'));
  catalogue_do (self, catalogue_checkpoint ("next"));
  catalogue_assert_health (self, CHECKPOINT, "next", STM_HEALTH_OK);
  catalogue_assert_tree (self, CHECKPOINT, tree);
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "c", STM_DELETE_ONE));
  catalogue_assert_tree (self, CHECKPOINT, "next");
  g_assert_false (has_bitmap (self, "c", 'a'));
  g_assert_false (has_bitmap (self, "c", 'b'));
  assert_findings (self, "");
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s", STM_DELETE_ONE));
  assert_findings (self, "");
  catalogue_assert_health (self, CHECKPOINT, "next", STM_HEALTH_OK);
}

static void
test_bitmap_removed (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  alter_bitmap (self, "--remove", "c", 'a');
  assert_findings (self, "checkpoint-broken");
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_MISSING);
  catalogue_restart (self);
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_MISSING);
  go_on_after (self, "c next");
}

/* QEMU was killed while it had the images: what changed is not known, and is known not to be. */
static void
test_bitmap_broken (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  kill_writer (self, 'a');
  assert_findings (self, "checkpoint-broken");
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_INCONSISTENT);
  go_on_after (self, "c(next)");
}

/* Nobody looked in between: the next operation sees it by itself. */
static void
test_bitmap_broken_unseen (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  kill_writer (self, 'b');
  go_on_after (self, "c(next)");
}

/* It records no more: as good as broken. */
static void
test_bitmap_disabled (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("c"));
  alter_bitmap (self, "--disable", "c", 'b');
  assert_findings (self, "checkpoint-broken");
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_INCONSISTENT);
  go_on_after (self, "c(next)");
}

static void
test_bitmap_made (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  alter_bitmap (self, "--add", "c", 'a');
  catalogue_do (self, catalogue_checkpoint ("c"));
  g_assert_cmpstr (catalogue_find (self, CHECKPOINT, "c")->disks[0].bitmap, ==, "c-2");
  assert_findings (self, "");
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "c", STM_DELETE_ONE));
  g_assert_true (has_bitmap (self, "c", 'a'));
  g_assert_false (has_bitmap (self, "c-2", 'a'));
  g_assert_false (has_bitmap (self, "c", 'b'));
}

/* A record without its bitmap: libvirt can no longer delete it. */
static void
test_bitmap_never_there (Catalogue *self, gconstpointer unused)
{
  g_autofree char *domain = NULL;
  g_autofree char *document = NULL;

  if (self->directory == NULL)
    return;
  domain = catalogue_domain (self);
  document = g_strdup_printf ("<domaincheckpoint><name>c</name><creationTime>1</creationTime>%s"
                              "</domaincheckpoint>",
                              domain);

  const char *const documents[] = { document, NULL };

  catalogue_do (self, catalogue_redefine (CHECKPOINT, documents));
  assert_findings (self, "checkpoint-broken");
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_MISSING);
  go_on_after (self, "c next");
}

/* ---- a machine that goes and comes back ---- */

static void
make_marks (Catalogue *self)
{
  catalogue_do (self, catalogue_create ("s", STM_MODE_INTERNAL));
  catalogue_do (self, catalogue_checkpoint ("c"));
}

static void
test_undefined (Catalogue *self, gconstpointer unused)
{
  if (self->directory == NULL)
    return;
  make_marks (self);
  catalogue_do (self, stm_op_undefine_new (CATALOGUE_ID,
                                           &(StmUndefineRequest){ .moments = STM_MOMENTS_DELETE }));
  catalogue_define (self);
  g_assert_false (has_tag (self, "s", 'a'));
  g_assert_false (has_bitmap (self, "c", 'b'));
  make_marks (self);
  g_assert_cmpstr (catalogue_find (self, SNAPSHOT, "s")->disks[0].tag, ==, "s");
  g_assert_cmpstr (catalogue_find (self, CHECKPOINT, "c")->disks[0].bitmap, ==, "c");
}

/* What was left in the images on purpose collides with nothing. */
static void
test_forgotten (Catalogue *self, gconstpointer unused)
{
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  if (self->directory == NULL)
    return;
  make_marks (self);
  catalogue_do (self, stm_op_undefine_new (CATALOGUE_ID,
                                           &(StmUndefineRequest){ .moments = STM_MOMENTS_FORGET }));
  catalogue_define (self);
  g_assert_true (has_tag (self, "s", 'a'));
  g_assert_true (has_bitmap (self, "c", 'b'));
  catalogue_write (self, 'a', 5, 5);
  first = catalogue_see (self);
  make_marks (self);
  assert_findings (self, "");
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "c", STM_DELETE_ONE));
  g_assert_true (has_bitmap (self, "c", 'b'));
  catalogue_write (self, 'a', 5, 6);
  alter_bitmap (self, "--remove", "c", 'a');
  alter_bitmap (self, "--remove", "c", 'b');
  catalogue_do (self, catalogue_revert (self, "s"));
  second = catalogue_see (self);
  g_assert_cmpstr (second, ==, first);
}

#define ADD(path, test)                                                                            \
  g_test_add ("/ops/catalogue/" path, Catalogue, NULL, catalogue_set_up, test, catalogue_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("tags/one-that-was-removed-is-known-as-missing", test_tag_removed);
  ADD ("tags/one-of-somebody-else-keeps-its-name", test_tag_made);
  ADD ("tags/digits-are-no-ids", test_digits);
  ADD ("tags/bitmaps-are-in-the-way-before-anything-is-touched", test_goto_with_bitmaps);
  ADD ("bitmaps/one-that-was-removed-is-known-as-missing", test_bitmap_removed);
  ADD ("bitmaps/one-of-a-killed-qemu-is-known-as-broken", test_bitmap_broken);
  ADD ("bitmaps/the-next-operation-sees-a-broken-one", test_bitmap_broken_unseen);
  ADD ("bitmaps/one-that-records-no-more-is-known-as-broken", test_bitmap_disabled);
  ADD ("bitmaps/one-of-somebody-else-keeps-its-name", test_bitmap_made);
  ADD ("bitmaps/a-record-without-one-can-be-deleted", test_bitmap_never_there);
  ADD ("undefined/names-are-free-again", test_undefined);
  ADD ("undefined/marks-that-were-left-collide-with-nothing", test_forgotten);
  return g_test_run ();
}
