/* QEMU killed at several moments of each operation, with the service alive: what failed is taken
 * back, or left as a finding that a retry or the next start closes, and every byte is as before or
 * as after.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"

/* Microseconds after the intent; the first one strikes the endpoint as soon as there is one. */
static const guint delays[] = { 0, 20000, 45000, 70000, 95000, 125000, 160000, 220000 };

typedef struct
{
  const char *name;
  LifeCommand command;
} Operation;

static const Operation operations[] = {
  { "create", { .verb = LIFE_CREATE, .name = "new" } },
  { "revert-with-discard", { .verb = LIFE_REVERT, .name = "a", .discards = TRUE } },
  { "revert-with-keep", { .verb = LIFE_REVERT, .name = "a", .keep = "kept" } },
  { "delete-of-the-root", { .verb = LIFE_DELETE, .name = "root" } },
  { "delete-of-the-middle", { .verb = LIFE_DELETE, .name = "b" } },
  { "delete-of-a-subtree", { .verb = LIFE_DELETE, .name = "a", .scope = STM_DELETE_SUBTREE } },
};

typedef struct
{
  const Operation *operation;
  gboolean tries_again;
} Case;

/* Whether the operation failed. */
static gboolean
run_killed (const Case *item, guint delay)
{
  History *self = history_begin (51);
  LifeCommand command = item->operation->command;
  gboolean has_failed;

  history_grow_tree (self);
  command.fault = FAULT_KILL_ENDPOINT;
  command.delay = delay;
  command.tries_again = item->tries_again;
  history_step (self, &command, -1);
  has_failed = self->code >= 0;
  g_test_message ("after %u: %s", delay, g_strrstr (self->log->str, "->"));
  g_assert_cmpint (self->code, !=, STEMMA_ERROR_FAILED);
  history_create (self, "later");
  history_end (self);
  return has_failed;
}

static void
test_killed (gconstpointer data)
{
  const Case *item = data;
  guint n_failed = 0;

  for (guint i = 0; i < G_N_ELEMENTS (delays); i++)
    n_failed += run_killed (item, delays[i]) ? 1 : 0;
  /* One at least must have struck. */
  g_assert_cmpuint (n_failed, >, 0);
}

static void
add (const Operation *operation, gboolean tries_again)
{
  Case *item = g_new0 (Case, 1);
  g_autofree char *path = g_strdup_printf ("/ops/endpoint-kills/%s-is-settled-by-a-%s",
                                           operation->name, tries_again ? "retry" : "restart");

  *item = (Case){ operation, tries_again };
  g_test_add_data_func_full (path, item, test_killed, g_free);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (operations); i++)
    {
      add (&operations[i], TRUE);
      add (&operations[i], FALSE);
    }
  return g_test_run ();
}
