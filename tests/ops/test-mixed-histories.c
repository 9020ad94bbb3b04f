/* Random histories with everything that a machine that is off can have, on two real disks against
 * an independent model: writes, external, internal and mixed snapshots, checkpoints, reverts,
 * deletions, forgetting and redefining from documents, kills of the service and of its QEMU. After
 * each step the bytes of every snapshot and of both disks are compared, and the bitmaps of every
 * checkpoint that is said to be in order are held against the bytes that have changed since it was
 * made.
 *
 * STEMMA_TEST_HISTORIES says how many, STEMMA_TEST_SEED where to begin (defaults below: the same
 * histories each time, but for the moments of the kills); for a search among others, give both.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "stm-request.h"
#include "test-images.h"

#define DEFAULT_HISTORIES 80
#define DEFAULT_SEED 5000000
#define MAX_STEPS 12

/* What a revert may be refused with besides: the rules on tags under overlays, and on bitmaps. */
static const int no_revert[] = { STEMMA_ERROR_HAS_MOMENTS,   STEMMA_ERROR_IN_USE,
                                 STEMMA_ERROR_HAS_CHILDREN,  STEMMA_ERROR_UNSAVED_STATE,
                                 STEMMA_ERROR_NOT_SUPPORTED, -1 };
/* Once moments were forgotten, whether they came back or not. */
static const int no_later_revert[] = { STEMMA_ERROR_HAS_MOMENTS,
                                       STEMMA_ERROR_IN_USE,
                                       STEMMA_ERROR_HAS_CHILDREN,
                                       STEMMA_ERROR_UNSAVED_STATE,
                                       STEMMA_ERROR_NOT_SUPPORTED,
                                       STEMMA_ERROR_NOT_ALLOWED,
                                       -1 };
static const int no_checkpoint[] = { STEMMA_ERROR_AMBIGUOUS_PARENT, -1 };
static const int nothing[] = { -1 };

/* That each kind of step was carried out, not only refused. */
typedef struct
{
  guint n_done[LIFE_REDEFINE + 1];
  guint n_internal_reverts;
  guint n_measured;
} Tally;

static void
step (History *self, const LifeCommand *command, const int *allowed_errors, Tally *tally)
{
  history_step_or (self, command, allowed_errors);
  if (self->code < 0 && !self->was_killed)
    tally->n_done[command->verb]++;
}

static void
create_snapshot (History *self, Tally *tally)
{
  g_autofree char *name = g_strdup_printf ("s%u", ++self->n_names);
  g_autofree char *checkpoint = NULL;
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_CREATE, .name = name };

  switch (history_below (self, 4))
    {
    case 0:
      command.mode = STM_MODE_INTERNAL;
      break;
    case 1:
      command.internal = history_below (self, 2) == 0 ? "vda" : "vdb";
      break;
    default:
      break;
    }
  if (history_below (self, 4) == 0)
    command.checkpoint = checkpoint = g_strdup_printf ("c%u", self->n_names);
  history_choose_fault (self, &command, "create", 8, &phase);
  step (self, &command, command.checkpoint != NULL ? no_checkpoint : nothing, tally);
}

static gboolean
is_internal (History *self, const char *name)
{
  g_autofree char *tag = g_key_file_get_string (self->last->seen, name, "tag.vda", NULL);
  g_autofree char *other = g_key_file_get_string (self->last->seen, name, "tag.vdb", NULL);

  return tag != NULL || other != NULL;
}

static void
revert_to_one (History *self, Tally *tally)
{
  g_autofree char *name = world_pick (self->world, self->rand);
  g_autofree char *keep = NULL;
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_REVERT, .name = name };
  guint choice = history_below (self, 3);
  const int *refusals = self->has_forgotten ? no_later_revert : no_revert;
  gboolean goes_to_tag = name != NULL && is_internal (self, name);

  if (name == NULL)
    return;
  if (choice == 0)
    command.keep = keep = g_strdup_printf ("k%u", ++self->n_names);
  command.discards = choice == 1;
  history_choose_fault (self, &command, "revert", 8, &phase);
  if (choice == 2 && world_loses (self->world, name))
    {
      command.fault = FAULT_NONE;
      step (self, &command, refusals, tally);
      if (self->code < 0)
        history_fail (self, "a revert lost bytes without a word");
      return;
    }
  step (self, &command, refusals, tally);
  if (goes_to_tag && self->code < 0 && !self->was_killed)
    tally->n_internal_reverts++;
}

static void
delete_one (History *self, Tally *tally)
{
  g_autofree char *name = world_pick (self->world, self->rand);
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_DELETE, .name = name };

  if (name == NULL)
    return;
  command.scope = (int) (history_below (self, 4) < 2 ? 0 : history_below (self, 3));
  history_choose_fault (self, &command, "delete", 8, &phase);
  step (self, &command, nothing, tally);
}

static void
create_checkpoint (History *self, Tally *tally)
{
  g_autofree char *name = g_strdup_printf ("c%u", ++self->n_names);
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_CREATE_CHECKPOINT, .name = name };

  if (history_below (self, 4) == 0)
    command.disk = history_below (self, 2) == 0 ? "vda" : "vdb";
  history_choose_fault (self, &command, "create-checkpoint", 8, &phase);
  step (self, &command, no_checkpoint, tally);
}

static void
delete_checkpoint (History *self, Tally *tally)
{
  g_autofree char *name = world_pick_checkpoint (self->world, self->rand);
  g_autofree char *phase = NULL;
  LifeCommand command = { .verb = LIFE_DELETE_CHECKPOINT, .name = name };

  if (name == NULL)
    return;
  history_choose_fault (self, &command, "delete-checkpoint", 8, &phase);
  step (self, &command, nothing, tally);
}

static void
change_records (History *self, Tally *tally)
{
  LifeCommand command = { .verb = history_below (self, 4) == 0 ? LIFE_FORGET : LIFE_REDEFINE,
                          .name = "",
                          .scope = (int) history_below (self, STM_N_MOMENT_KINDS) };

  self->has_forgotten = TRUE;
  step (self, &command, nothing, tally);
}

static void
take_step (History *self, Tally *tally)
{
  if (history_below (self, 3) != 0)
    history_write_somewhere (self);
  switch (history_below (self, 12))
    {
    case 0:
    case 1:
    case 2:
      revert_to_one (self, tally);
      break;
    case 3:
    case 4:
      delete_one (self, tally);
      break;
    case 5:
    case 6:
      create_checkpoint (self, tally);
      break;
    case 7:
      delete_checkpoint (self, tally);
      break;
    case 8:
      change_records (self, tally);
      break;
    default:
      create_snapshot (self, tally);
      break;
    }
}

static void
run_history (guint32 seed, Tally *tally)
{
  History *self = history_begin (seed);
  guint n_steps = 4 + history_below (self, MAX_STEPS - 4);

  for (guint i = 0; i < n_steps; i++)
    take_step (self, tally);
  tally->n_measured += self->world->n_measured;
  history_end (self);
}

static void
test_histories (void)
{
  const char *count = g_getenv ("STEMMA_TEST_HISTORIES");
  const char *seed = g_getenv ("STEMMA_TEST_SEED");
  guint n = count != NULL ? (guint) atoi (count) : DEFAULT_HISTORIES;
  guint32 first = seed != NULL ? (guint32) atoi (seed) : DEFAULT_SEED;
  Tally tally = { 0 };

  g_test_message ("%u histories from seed %u", n, first);
  for (guint i = 0; i < n; i++)
    run_history (first + i, &tally);
  g_test_message (
      "done: %u snapshots, %u reverts (%u to tags), %u deletions, %u checkpoints and %u "
      "of them deleted, %u times forgotten, %u redefined; %u measures",
      tally.n_done[LIFE_CREATE], tally.n_done[LIFE_REVERT], tally.n_internal_reverts,
      tally.n_done[LIFE_DELETE], tally.n_done[LIFE_CREATE_CHECKPOINT],
      tally.n_done[LIFE_DELETE_CHECKPOINT], tally.n_done[LIFE_FORGET], tally.n_done[LIFE_REDEFINE],
      tally.n_measured);
  if (n < DEFAULT_HISTORIES)
    return;
  for (guint verb = LIFE_CREATE; verb < G_N_ELEMENTS (tally.n_done); verb++)
    if (verb != LIFE_UNDEFINE)
      g_assert_cmpuint (tally.n_done[verb], >, 0);
  g_assert_cmpuint (tally.n_internal_reverts, >, 0);
  g_assert_cmpuint (tally.n_measured, >, n);
}

static char *
digest_two (const char *first, const char *second)
{
  g_autofree char *a = test_image_digest (first, "qcow2");
  g_autofree char *b = test_image_digest (second, "qcow2");

  return g_strconcat (a, " ", b, NULL);
}

/* Who forgets may redefine, or take the files elsewhere: what they froze stays theirs, whatever is
 * made and deleted over it. */
static void
test_forgotten (void)
{
  History *self = history_begin (3);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;

  history_create (self, "first");
  history_create (self, "second");
  first = history_image (self, "first", 0);
  second = history_image (self, "second", 0);
  before = digest_two (first, second);
  history_step (
      self, &(LifeCommand){ .verb = LIFE_FORGET, .name = "", .scope = STM_MOMENT_SNAPSHOT }, -1);
  history_create (self, "third");
  history_create (self, "fourth");
  history_step (self, &(LifeCommand){ .verb = LIFE_DELETE, .name = "third" }, -1);
  history_step (self, &(LifeCommand){ .verb = LIFE_DELETE, .name = "fourth" }, -1);
  after = digest_two (first, second);
  g_assert_cmpstr (before, ==, after);
  history_end (self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/mixed-histories/bytes-and-bitmaps-are-as-the-model-says", test_histories);
  g_test_add_func ("/ops/mixed-histories/what-was-forgotten-keeps-its-bytes", test_forgotten);
  return g_test_run ();
}
