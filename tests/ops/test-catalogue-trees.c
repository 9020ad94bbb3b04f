/* The catalogue of faults: deletions and reverts by which libvirt crashed or lost its current
 * snapshot, on real images, bytes compared, and what a restart makes of the trees.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "catalogue-kit.h"
#include "stemma-error.h"

#include <glib/gstdio.h>

#define SNAPSHOT STM_MOMENT_SNAPSHOT
#define CHECKPOINT STM_MOMENT_CHECKPOINT

static void
assert_seen (Catalogue *self, const char *expected)
{
  g_autofree char *seen = catalogue_see (self);

  g_assert_cmpstr (seen, ==, expected);
}

static void
assert_sound (Catalogue *self)
{
  g_autofree char *found = catalogue_check (self);

  g_assert_cmpstr (found, ==, "");
}

/* What the tree is, now and after a restart. */
static void
assert_tree (Catalogue *self, const char *expected)
{
  catalogue_assert_tree (self, SNAPSHOT, expected);
  catalogue_restart (self);
  catalogue_assert_tree (self, SNAPSHOT, expected);
}

/* Other bytes on both disks, and a snapshot of them: what it saw. */
static char *
snap (Catalogue *self, const char *name, guint pattern, StmDiskMode mode)
{
  catalogue_write (self, 'a', pattern, pattern);
  catalogue_write (self, 'b', pattern, pattern + 100);
  catalogue_do (self, catalogue_create (name, mode));
  return catalogue_see (self);
}

/* ---- s1(s2(s3) s4(s5)): a deletion of its children killed libvirt's daemon ---- */

typedef struct
{
  char *of[6];
} Bytes;

static void
clear_bytes (Bytes *bytes)
{
  for (gsize i = 0; i < G_N_ELEMENTS (bytes->of); i++)
    g_free (bytes->of[i]);
}

static void
grow (Catalogue *self, StmDiskMode mode, Bytes *bytes)
{
  bytes->of[1] = snap (self, "s1", 1, mode);
  bytes->of[2] = snap (self, "s2", 2, mode);
  bytes->of[3] = snap (self, "s3", 3, mode);
  catalogue_do (self, catalogue_revert (self, "s1"));
  bytes->of[4] = snap (self, "s4", 4, mode);
  bytes->of[5] = snap (self, "s5", 5, mode);
  catalogue_assert_tree (self, SNAPSHOT, "s1(s2(s3) s4(s5*))");
}

static void
delete_children (Catalogue *self, StmDiskMode mode)
{
  Bytes bytes = { { NULL } };

  grow (self, mode, &bytes);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s1", STM_DELETE_CHILDREN));
  assert_tree (self, "s1*");
  assert_seen (self, bytes.of[5]);
  catalogue_do (self, catalogue_revert (self, "s1"));
  assert_seen (self, bytes.of[1]);
  assert_sound (self);
  clear_bytes (&bytes);
}

static void
test_children_external (Catalogue *self, gconstpointer unused)
{
  if (self->directory != NULL)
    delete_children (self, STM_MODE_EXTERNAL);
}

static void
test_children_internal (Catalogue *self, gconstpointer unused)
{
  if (self->directory != NULL)
    delete_children (self, STM_MODE_INTERNAL);
}

/* With all, so that nothing is current any more. */
static void
test_subtree (Catalogue *self, gconstpointer unused)
{
  Bytes bytes = { { NULL } };
  g_autofree char *a = NULL;
  g_autofree char *files = NULL;

  if (self->directory == NULL)
    return;
  grow (self, STM_MODE_EXTERNAL, &bytes);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s1", STM_DELETE_SUBTREE));
  assert_tree (self, "");
  assert_seen (self, bytes.of[5]);
  assert_sound (self);
  files = test_directory_list (self->images);
  g_assert_cmpstr (files, ==, "a.qcow2 b.qcow2");
  a = catalogue_active (self, 'a');
  test_image_assert_sound (a);
  clear_bytes (&bytes);
}

/* The current one is inside: its nearest ancestor that stays is current. */
static void
test_current_inside (Catalogue *self, gconstpointer unused)
{
  Bytes bytes = { { NULL } };

  if (self->directory == NULL)
    return;
  grow (self, STM_MODE_EXTERNAL, &bytes);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s4", STM_DELETE_SUBTREE));
  assert_tree (self, "s1*(s2(s3))");
  assert_seen (self, bytes.of[5]);
  catalogue_do (self, catalogue_revert (self, "s3"));
  assert_seen (self, bytes.of[3]);
  assert_sound (self);
  clear_bytes (&bytes);
}

/* One after another, roots first: each child stands on its grandparent, at last on nothing. */
static void
test_from_the_root (Catalogue *self, gconstpointer unused)
{
  Bytes bytes = { { NULL } };

  if (self->directory == NULL)
    return;
  grow (self, STM_MODE_EXTERNAL, &bytes);
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s1", STM_DELETE_ONE));
  assert_tree (self, "s2(s3) s4(s5*)");
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s5", STM_DELETE_ONE));
  catalogue_do (self, catalogue_delete (self, SNAPSHOT, "s4", STM_DELETE_ONE));
  assert_tree (self, "s2(s3)");
  assert_seen (self, bytes.of[5]);
  /* Nothing is current: libvirt follows a null pointer here. */
  catalogue_do (self, catalogue_revert (self, "s2"));
  assert_seen (self, bytes.of[2]);
  assert_tree (self, "s2*(s3)");
  catalogue_do (self, catalogue_revert (self, "s3"));
  assert_seen (self, bytes.of[3]);
  assert_sound (self);
  clear_bytes (&bytes);
}

/* By hand a snapshot is current that the disks do not stand on; what its children need stays. */
static void
test_current_by_hand (Catalogue *self, gconstpointer unused)
{
  Bytes bytes = { { NULL } };
  const char *const none[] = { NULL };

  if (self->directory == NULL)
    return;
  grow (self, STM_MODE_EXTERNAL, &bytes);
  catalogue_do (self, stm_op_redefine_new (
                          CATALOGUE_ID,
                          &(StmRedefineRequest){ .documents = none, .fd = -1, .current = "s2" }));
  catalogue_assert_tree (self, SNAPSHOT, "s1(s2*(s3) s4(s5))");
  /* What was written since is no less unsaved. */
  catalogue_write (self, 'a', 10, 10);
  catalogue_refuse (
      self,
      stm_op_revert_new (
          CATALOGUE_ID,
          &(StmRevertRequest){ .moment_id = catalogue_find (self, SNAPSHOT, "s4")->id }),
      STEMMA_ERROR_UNSAVED_STATE, "discard");
  catalogue_do (self, catalogue_revert (self, "s4"));
  assert_seen (self, bytes.of[4]);
  catalogue_do (self, catalogue_revert (self, "s3"));
  assert_seen (self, bytes.of[3]);
  catalogue_do (self, catalogue_revert (self, "s5"));
  assert_seen (self, bytes.of[5]);
  assert_sound (self);
  clear_bytes (&bytes);
}

/* ---- redefined trees ---- */

/* Records only: nothing is current, and a snapshot with an image is reverted to. */
static void
test_redefined (Catalogue *self, gconstpointer unused)
{
  g_autofree char *bytes = NULL;
  g_autofree char *domain = NULL;
  g_autofree char *document = NULL;
  const char *documents[] = { NULL, NULL };

  if (self->directory == NULL)
    return;
  domain = catalogue_domain (self);
  bytes = snap (self, "x", 1, STM_MODE_EXTERNAL);
  catalogue_do (self, stm_op_forget_all_new (CATALOGUE_ID, SNAPSHOT));
  document = g_strdup_printf ("<domainsnapshot><name>1</name><state>shutoff</state>"
                              "<creationTime>1</creationTime><disks>"
                              "<disk name='vda' snapshot='external'/>"
                              "<disk name='vdb' snapshot='external'/></disks>%s</domainsnapshot>",
                              domain);
  documents[0] = document;
  catalogue_do (self, catalogue_redefine (SNAPSHOT, documents));
  assert_tree (self, "1");
  catalogue_write (self, 'a', 9, 9);
  catalogue_do (self, catalogue_revert (self, "1"));
  assert_tree (self, "1*");
  assert_seen (self, bytes);
  assert_sound (self);
}

static void
test_bad_bulk (Catalogue *self, gconstpointer unused)
{
  Bytes bytes = { { NULL } };
  g_autofree char *good = catalogue_document ("new", "s2");
  g_autofree char *twice = catalogue_document ("new", "s3");
  g_autofree char *orphan = catalogue_document ("orphan", "nobody");
  g_autofree char *own = catalogue_document ("own", "own");
  g_autofree char *ring = catalogue_document ("s1", "s3");
  const char *const bad[] = { twice,
                              orphan,
                              own,
                              ring,
                              "<domainsnapshot/>",
                              "<domainsnapshot><name>x</name><state>shutoff</state>"
                              "<creationTime>1</creationTime><bogus/></domainsnapshot>" };

  if (self->directory == NULL)
    return;
  grow (self, STM_MODE_EXTERNAL, &bytes);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      const char *const documents[] = { good, bad[i], NULL };
      g_autoptr (GError) error = catalogue_submit (self, catalogue_redefine (SNAPSHOT, documents));

      g_assert_nonnull (error);
      g_assert_true (error->domain == STEMMA_ERROR);
      g_test_message ("%s", error->message);
      catalogue_assert_tree (self, SNAPSHOT, "s1(s2(s3) s4(s5*))");
    }
  assert_tree (self, "s1(s2(s3) s4(s5*))");
  assert_seen (self, bytes.of[5]);
  clear_bytes (&bytes);
}

/* ---- checkpoints ---- */

/* Two leaves that nobody chose between, before and after a restart: libvirt makes a second root of
 * the next checkpoint. */
static void
test_two_leaves (Catalogue *self, gconstpointer unused)
{
  g_autofree char *domain = NULL;
  g_autofree char *document = NULL;

  if (self->directory == NULL)
    return;
  catalogue_do (self, catalogue_checkpoint ("a"));
  catalogue_do (self, catalogue_checkpoint ("b"));
  domain = catalogue_domain (self);
  document = g_strdup_printf ("<domaincheckpoint><name>c</name><creationTime>1</creationTime>"
                              "<parent><name>a</name></parent>"
                              "<disks><disk name='vda' bitmap='b'/></disks>%s</domaincheckpoint>",
                              domain);

  const char *const documents[] = { document, NULL };

  catalogue_do (self, catalogue_redefine (CHECKPOINT, documents));
  for (guint i = 0; i < 2; i++)
    {
      catalogue_assert_tree (self, CHECKPOINT, "a(b c)");
      catalogue_refuse (self, catalogue_checkpoint ("next"), STEMMA_ERROR_AMBIGUOUS_PARENT, "'b'");
      catalogue_refuse (self, catalogue_checkpoint ("next"), STEMMA_ERROR_AMBIGUOUS_PARENT, "'c'");
      catalogue_restart (self);
    }
  catalogue_do (self, stm_op_create_checkpoint_new (
                          CATALOGUE_ID, &(StmCreateCheckpointRequest){
                                            .name = "next",
                                            .parent_id = catalogue_find (self, CHECKPOINT, "c")->id,
                                        }));
  catalogue_assert_tree (self, CHECKPOINT, "a(b c(next))");
  /* The bitmap that two share goes with the last of them. */
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "c", STM_DELETE_ONE));
  assert_sound (self);
  catalogue_assert_health (self, CHECKPOINT, "b", STM_HEALTH_OK);
}

/* The middle of three goes, and both others know what they knew. */
static void
test_middle (Catalogue *self, gconstpointer unused)
{
  const char *const names[] = { "a", "b", "c" };

  if (self->directory == NULL)
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      catalogue_do (self, catalogue_checkpoint (names[i]));
      catalogue_write (self, 'a', (guint) i, 1);
    }
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "b", STM_DELETE_ONE));
  catalogue_restart (self);
  catalogue_assert_tree (self, CHECKPOINT, "a(c)");
  assert_sound (self);
  catalogue_assert_health (self, CHECKPOINT, "a", STM_HEALTH_OK);
  catalogue_assert_health (self, CHECKPOINT, "c", STM_HEALTH_OK);
  catalogue_do (self, catalogue_delete (self, CHECKPOINT, "a", STM_DELETE_SUBTREE));
  catalogue_assert_tree (self, CHECKPOINT, "");
}

#define ADD(path, test)                                                                            \
  g_test_add ("/ops/catalogue/trees/" path, Catalogue, NULL, catalogue_set_up, test,               \
              catalogue_tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  stemma_error_quark ();
  ADD ("siblings-that-have-children-go-from-under-their-parent", test_children_external);
  ADD ("siblings-that-have-children-go-from-inside-images", test_children_internal);
  ADD ("all-go-and-nothing-is-current", test_subtree);
  ADD ("the-current-one-goes-with-its-branch", test_current_inside);
  ADD ("roots-go-first-and-a-revert-needs-no-current-one", test_from_the_root);
  ADD ("a-current-one-set-by-hand-endangers-nothing", test_current_by_hand);
  ADD ("a-redefined-one-is-reverted-to-without-a-current-one", test_redefined);
  ADD ("a-bad-bulk-leaves-tree-and-current-alone", test_bad_bulk);
  ADD ("two-leaves-stay-two-over-a-restart", test_two_leaves);
  ADD ("the-middle-checkpoint-goes-alone", test_middle);
  return g_test_run ();
}
