/* The service killed right after each journal phase of each operation: the next start settles it,
 * the bytes of everything are compared, and which side it came out on is the one that was promised.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"

typedef enum
{
  SIDE_BEFORE,
  SIDE_AFTER,
} Side;

typedef struct
{
  const char *name;
  LifeVerb verb;
  const char *snapshot;
  const char *keep;
  gboolean discards;
  int scope;
  const char *phase;
  Side side;
} Vector;

static const Vector vectors[] = {
  { "create-intent", LIFE_CREATE, "new", NULL, FALSE, 0, "create:intent", SIDE_BEFORE },
  { "create-done", LIFE_CREATE, "new", NULL, FALSE, 0, "create:done", SIDE_AFTER },
  { "revert-discard-intent", LIFE_REVERT, "a", NULL, TRUE, 0, "revert:intent", SIDE_BEFORE },
  { "revert-discard-cleanup", LIFE_REVERT, "a", NULL, TRUE, 0, "revert:cleanup", SIDE_AFTER },
  { "revert-discard-done", LIFE_REVERT, "a", NULL, TRUE, 0, "revert:done", SIDE_AFTER },
  { "revert-keep-intent", LIFE_REVERT, "a", "kept", FALSE, 0, "revert:intent", SIDE_BEFORE },
  { "revert-keep-done", LIFE_REVERT, "a", "kept", FALSE, 0, "revert:done", SIDE_AFTER },
  { "delete-leaf-intent", LIFE_DELETE, "c1", NULL, FALSE, 0, "delete:intent", SIDE_AFTER },
  { "delete-leaf-cleanup", LIFE_DELETE, "c1", NULL, FALSE, 0, "delete:cleanup", SIDE_AFTER },
  { "delete-middle-intent", LIFE_DELETE, "b", NULL, FALSE, 0, "delete:intent", SIDE_AFTER },
  { "delete-middle-step-1", LIFE_DELETE, "b", NULL, FALSE, 0, "delete:step-1", SIDE_AFTER },
  { "delete-middle-step-2", LIFE_DELETE, "b", NULL, FALSE, 0, "delete:step-2", SIDE_AFTER },
  { "delete-middle-cleanup", LIFE_DELETE, "b", NULL, FALSE, 0, "delete:cleanup", SIDE_AFTER },
  { "delete-middle-done", LIFE_DELETE, "b", NULL, FALSE, 0, "delete:done", SIDE_AFTER },
  { "delete-root-step-1", LIFE_DELETE, "root", NULL, FALSE, 0, "delete:step-1", SIDE_AFTER },
  { "delete-two-children", LIFE_DELETE, "a", NULL, FALSE, 0, NULL, SIDE_AFTER },
  { "delete-subtree-intent", LIFE_DELETE, "a", NULL, FALSE, STM_DELETE_SUBTREE, "delete:intent",
    SIDE_AFTER },
  { "delete-subtree-step-1", LIFE_DELETE, "a", NULL, FALSE, STM_DELETE_SUBTREE, "delete:step-1",
    SIDE_AFTER },
  { "delete-subtree-step-3", LIFE_DELETE, "a", NULL, FALSE, STM_DELETE_SUBTREE, "delete:step-3",
    SIDE_AFTER },
  { "delete-subtree-cleanup", LIFE_DELETE, "a", NULL, FALSE, STM_DELETE_SUBTREE, "delete:cleanup",
    SIDE_AFTER },
  { "delete-children-step-1", LIFE_DELETE, "a", NULL, FALSE, STM_DELETE_CHILDREN, "delete:step-1",
    SIDE_AFTER },
};

static void
test_killed (gconstpointer data)
{
  const Vector *vector = data;
  History *self = history_begin (7);
  LifeCommand command = { .verb = vector->verb,
                          .name = vector->snapshot,
                          .keep = vector->keep,
                          .discards = vector->discards,
                          .scope = vector->scope,
                          .fault = vector->phase != NULL ? FAULT_KILL_AT_PHASE : FAULT_NONE,
                          .phase = vector->phase };
  guint n_before;
  guint n_after;

  history_grow_tree (self);
  n_before = g_hash_table_size (self->world->snaps);
  history_step (self, &command, -1);
  g_assert_cmpint (self->was_killed, ==, vector->phase != NULL);
  n_after = g_hash_table_size (self->world->snaps);
  if (vector->verb != LIFE_REVERT || vector->keep != NULL)
    g_assert_cmpint (n_after != n_before, ==, vector->side == SIDE_AFTER);
  else
    g_assert_cmpstr (self->world->current, ==, vector->side == SIDE_AFTER ? "a" : "c");
  /* And the machine is fit for use. */
  history_create (self, "later");
  history_end (self);
}

/* The disks were moved down already and the record does not say so yet: a machine that is run by
 * hand in between still finds its old images, and what it writes there counts. */
static void
test_written_in_between (void)
{
  History *self = history_begin (11);
  g_autofree char *source = NULL;
  g_autofree char *other = NULL;
  const char *write[] = { "qemu-io", "-f", "qcow2", "-c", "write -P 99 0 128k", NULL, NULL };

  history_create (self, "only");
  history_write (self, 0, 0, 65536, 17);
  history_write (self, 1, 65536, 65536, 18);
  source = history_image (self, NULL, 0);
  other = history_image (self, NULL, 1);
  g_autoptr (LifeResult)
      killed = life_run (self->directory, &(LifeCommand){ .verb = LIFE_DELETE,
                                                          .name = "only",
                                                          .fault = FAULT_KILL_AT_PHASE,
                                                          .phase = "delete:step-2" });
  g_assert_true (killed->was_killed);
  write[5] = source;
  history_run_tool (write);
  world_write (self->world, 0, 0, 131072, 99);
  write[5] = other;
  history_run_tool (write);
  world_write (self->world, 1, 0, 131072, 99);
  world_apply (self->world, &(LifeCommand){ .verb = LIFE_DELETE, .name = "only" });
  history_look (self);
  history_create (self, "later");
  history_end (self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *path = g_strdup_printf ("/ops/crashes/%s-is-settled-at-the-next-start",
                                               vectors[i].name);

      g_test_add_data_func (path, &vectors[i], test_killed);
    }
  g_test_add_func ("/ops/crashes/what-was-written-between-two-lives-is-kept",
                   test_written_in_between);
  return g_test_run ();
}
