/* Deletions that fail between two merges and are given up: what is left on record is what is on
 * disk, to the byte, and can be gone back to and deleted.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"
#include "test-images.h"

#include <glib/gstdio.h>

static char *
aside_of (const char *path)
{
  return g_strconcat (path, ".aside", NULL);
}

static void
move_aside (gpointer path)
{
  g_autofree char *aside = aside_of (path);

  g_assert_cmpint (g_rename (path, aside), ==, 0);
}

static void
move_back (gpointer path)
{
  g_autofree char *aside = aside_of (path);

  g_assert_cmpint (g_rename (aside, path), ==, 0);
}

/* Of two merges, one for each disk, the first is done and the second cannot be. */
static void
give_up (History *self, const char *name)
{
  g_autofree char *needed = history_image (self, name, 1);

  history_step (self,
                &(LifeCommand){ .verb = LIFE_DELETE,
                                .name = name,
                                .fault = FAULT_HURT,
                                .phase = "delete:step-1",
                                .hurt = move_aside,
                                .mend = move_back,
                                .gives_up = TRUE,
                                .data = needed },
                -1);
  g_assert_cmpint (self->code, >=, 0);
  g_assert_true (g_hash_table_contains (self->world->snaps, name));
}

static void
revert_to_all (History *self, const char *but)
{
  static const char *const names[] = { "root", "a", "c1", "b", "c" };

  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_strcmp0 (names[i], but) != 0)
      history_step (self, &(LifeCommand){ .verb = LIFE_REVERT, .name = names[i], .discards = TRUE },
                    -1);
}

static void
delete_and_end (History *self, const char *name)
{
  history_step (self, &(LifeCommand){ .verb = LIFE_DELETE, .name = name }, -1);
  history_create (self, "later");
  history_end (self);
}

/* A stream leaves the image that was absorbed as it was. */
static void
test_after_a_stream (void)
{
  History *self = history_begin (71);

  history_grow_tree (self);
  give_up (self, "b");
  revert_to_all (self, NULL);
  delete_and_end (self, "b");
}

/* What a commit wrote over shows what was committed, and is known to. */
static void
test_after_a_commit (void)
{
  History *self = history_begin (72);
  Snap *root, *a;

  history_grow_tree (self);
  root = g_hash_table_lookup (self->world->snaps, "root");
  a = g_hash_table_lookup (self->world->snaps, "a");
  g_bytes_unref (root->content[0]);
  root->content[0] = g_bytes_ref (a->content[0]);
  give_up (self, "root");
  g_autofree char *health = g_key_file_get_string (self->last->seen, "root", "health", NULL);
  g_assert_cmpstr (health, ==, "inconsistent");
  revert_to_all (self, "root");
  history_step (self, &(LifeCommand){ .verb = LIFE_REVERT, .name = "root", .discards = TRUE },
                STEMMA_ERROR_CHAIN_BROKEN);
  g_assert_cmpint (self->code, ==, STEMMA_ERROR_CHAIN_BROKEN);
  delete_and_end (self, "root");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/abandonment/after-a-stream-all-is-as-before", test_after_a_stream);
  g_test_add_func ("/ops/abandonment/after-a-commit-one-is-lost-and-known-to-be",
                   test_after_a_commit);

  return g_test_run ();
}
