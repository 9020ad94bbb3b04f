/* Random histories on two real disks against an independent model: writes, snapshots, reverts,
 * deletions, kills of the service at each phase and at random moments, kills of its QEMU, restarts;
 * after each step the bytes of every snapshot and of both disks are compared.
 *
 * STEMMA_TEST_HISTORIES says how many (default below), STEMMA_TEST_SEED where to begin.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"

#define DEFAULT_HISTORIES 120
#define MAX_STEPS 9

static void
create_snapshot (History *self)
{
  g_autofree char *name = g_strdup_printf ("s%u", ++self->n_names);
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_CREATE, .name = name };

  if (history_below (self, 5) == 0)
    command.disk = history_below (self, 2) == 0 ? "vda" : "vdb";
  history_choose_fault (self, &command, "create", 5, &phase);
  history_step (self, &command, -1);
}

static void
revert_to_one (History *self)
{
  g_autofree char *name = world_pick (self->world, self->rand);
  g_autofree char *keep = NULL;
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_REVERT, .name = name };
  guint choice = history_below (self, 3);

  if (name == NULL)
    return;
  if (choice == 0)
    command.keep = keep = g_strdup_printf ("k%u", ++self->n_names);
  command.discards = choice == 1;
  history_choose_fault (self, &command, "revert", 5, &phase);
  if (choice == 2 && world_loses (self->world, name))
    {
      command.fault = FAULT_NONE;
      history_step (self, &command, STEMMA_ERROR_UNSAVED_STATE);
      if (self->last->code != STEMMA_ERROR_UNSAVED_STATE)
        history_fail (self, "a revert lost bytes without a word");
      return;
    }
  history_step (self, &command, choice == 2 ? STEMMA_ERROR_UNSAVED_STATE : STEMMA_ERROR_IN_USE);
}

static void
delete_one (History *self)
{
  g_autofree char *name = world_pick (self->world, self->rand);
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_DELETE, .name = name };

  if (name == NULL)
    return;
  command.scope = (int) (history_below (self, 4) < 2 ? 0 : history_below (self, 3));
  history_choose_fault (self, &command, "delete", 5, &phase);
  history_step (self, &command, -1);
}

static void
run_history (guint32 seed)
{
  History *self = history_begin (seed);
  guint n_steps = 3 + history_below (self, MAX_STEPS - 3);

  for (guint i = 0; i < n_steps; i++)
    {
      if (history_below (self, 3) != 0)
        history_write_somewhere (self);
      switch (history_below (self, 7))
        {
        case 0:
        case 1:
          revert_to_one (self);
          break;
        case 2:
        case 3:
          delete_one (self);
          break;
        default:
          create_snapshot (self);
          break;
        }
    }
  history_end (self);
}

static void
test_histories (void)
{
  const char *count = g_getenv ("STEMMA_TEST_HISTORIES");
  const char *seed = g_getenv ("STEMMA_TEST_SEED");
  guint n = count != NULL ? (guint) atoi (count) : DEFAULT_HISTORIES;
  guint32 first = seed != NULL ? (guint32) atoi (seed) : g_random_int () % 1000000000;

  g_test_message ("%u histories from seed %u", n, first);
  for (guint i = 0; i < n; i++)
    run_history (first + i);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/histories/bytes-of-every-node-are-as-the-model-says", test_histories);
  return g_test_run ();
}
