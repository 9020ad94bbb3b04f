/* The service killed right after each journal phase of what makes, goes to and removes tags and
 * bitmaps: the next start settles it, bytes and bitmaps are compared, and which side it came out on
 * is the one that was promised. A bitmap that was in order is so afterwards, or known not to be.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stm-request.h"

typedef enum
{
  SIDE_BEFORE,
  SIDE_AFTER,
} Side;

/* What the machine has before: snapshots root (external) and i (internal), i current; or besides
 * the checkpoint c in both disks and the external snapshots over and top. */
typedef enum
{
  STAGE_TAGS,
  STAGE_BITMAPS,
} Stage;

typedef struct
{
  const char *name;
  Stage stage;
  LifeCommand command; /* its phase is where it is killed */
  Side side;
} Vector;

#define CREATE_INTERNAL .verb = LIFE_CREATE, .name = "new", .mode = STM_MODE_INTERNAL
#define CREATE_MIXED .verb = LIFE_CREATE, .name = "new", .internal = "vda"
#define REVERT .verb = LIFE_REVERT, .name = "i", .discards = TRUE
#define KEEP .verb = LIFE_REVERT, .name = "i", .keep = "kept"
#define DELETE_INTERNAL .verb = LIFE_DELETE, .name = "i"
#define CREATE_BOTH .verb = LIFE_CREATE, .name = "new", .checkpoint = "d"
#define CREATE_OVER .verb = LIFE_CREATE, .name = "new"
#define CHECKPOINT .verb = LIFE_CREATE_CHECKPOINT, .name = "d"
#define DELETE_CHECKPOINT .verb = LIFE_DELETE_CHECKPOINT, .name = "c"
#define DELETE_UNDER .verb = LIFE_DELETE, .name = "top"
#define REVERT_OVER .verb = LIFE_REVERT, .name = "over", .discards = TRUE

static const Vector vectors[] = {
  { "tag-intent", STAGE_TAGS, { CREATE_INTERNAL, .phase = "create:intent" }, SIDE_BEFORE },
  { "tag-done", STAGE_TAGS, { CREATE_INTERNAL, .phase = "create:done" }, SIDE_AFTER },
  { "mixed-intent", STAGE_TAGS, { CREATE_MIXED, .phase = "create:intent" }, SIDE_BEFORE },
  { "mixed-done", STAGE_TAGS, { CREATE_MIXED, .phase = "create:done" }, SIDE_AFTER },
  { "goto-intent", STAGE_TAGS, { REVERT, .phase = "revert:intent" }, SIDE_BEFORE },
  { "goto-cleanup", STAGE_TAGS, { REVERT, .phase = "revert:cleanup" }, SIDE_AFTER },
  { "goto-done", STAGE_TAGS, { REVERT, .phase = "revert:done" }, SIDE_AFTER },
  { "goto-and-keep-intent", STAGE_TAGS, { KEEP, .phase = "revert:intent" }, SIDE_BEFORE },
  { "goto-and-keep-done", STAGE_TAGS, { KEEP, .phase = "revert:done" }, SIDE_AFTER },
  { "untag-intent", STAGE_TAGS, { DELETE_INTERNAL, .phase = "delete:intent" }, SIDE_AFTER },
  { "untag-cleanup", STAGE_TAGS, { DELETE_INTERNAL, .phase = "delete:cleanup" }, SIDE_AFTER },
  { "untag-done", STAGE_TAGS, { DELETE_INTERNAL, .phase = "delete:done" }, SIDE_AFTER },
  { "both-intent", STAGE_BITMAPS, { CREATE_BOTH, .phase = "create:intent" }, SIDE_BEFORE },
  { "both-done", STAGE_BITMAPS, { CREATE_BOTH, .phase = "create:done" }, SIDE_AFTER },
  { "carried-intent", STAGE_BITMAPS, { CREATE_OVER, .phase = "create:intent" }, SIDE_BEFORE },
  { "carried-done", STAGE_BITMAPS, { CREATE_OVER, .phase = "create:done" }, SIDE_AFTER },
  { "bitmap-intent",
    STAGE_BITMAPS,
    { CHECKPOINT, .phase = "create-checkpoint:intent" },
    SIDE_BEFORE },
  { "bitmap-done", STAGE_BITMAPS, { CHECKPOINT, .phase = "create-checkpoint:done" }, SIDE_AFTER },
  { "unbitmap-intent",
    STAGE_BITMAPS,
    { DELETE_CHECKPOINT, .phase = "delete-checkpoint:intent" },
    SIDE_AFTER },
  { "unbitmap-cleanup",
    STAGE_BITMAPS,
    { DELETE_CHECKPOINT, .phase = "delete-checkpoint:cleanup" },
    SIDE_AFTER },
  { "unbitmap-done",
    STAGE_BITMAPS,
    { DELETE_CHECKPOINT, .phase = "delete-checkpoint:done" },
    SIDE_AFTER },
  { "merge-intent", STAGE_BITMAPS, { DELETE_UNDER, .phase = "delete:intent" }, SIDE_AFTER },
  { "merge-step-1", STAGE_BITMAPS, { DELETE_UNDER, .phase = "delete:step-1" }, SIDE_AFTER },
  { "merge-step-2", STAGE_BITMAPS, { DELETE_UNDER, .phase = "delete:step-2" }, SIDE_AFTER },
  { "merge-cleanup", STAGE_BITMAPS, { DELETE_UNDER, .phase = "delete:cleanup" }, SIDE_AFTER },
  { "left-intent", STAGE_BITMAPS, { REVERT_OVER, .phase = "revert:intent" }, SIDE_BEFORE },
  { "left-cleanup", STAGE_BITMAPS, { REVERT_OVER, .phase = "revert:cleanup" }, SIDE_AFTER },
};

static void
write_some (History *self)
{
  history_write (self, 0, history_below (self, 16) * 65536, 65536,
                 (guint8) (1 + history_below (self, 255)));
  history_write (self, 1, history_below (self, 16) * 65536, 32768,
                 (guint8) (1 + history_below (self, 255)));
}

static void
grow (History *self, Stage stage)
{
  history_create (self, "root");
  write_some (self);
  history_step (self, &(LifeCommand){ .verb = LIFE_CREATE, .name = "i", .mode = STM_MODE_INTERNAL },
                -1);
  write_some (self);
  if (stage == STAGE_TAGS)
    return;
  history_step (self, &(LifeCommand){ .verb = LIFE_CREATE_CHECKPOINT, .name = "c" }, -1);
  write_some (self);
  history_create (self, "over");
  history_create (self, "top");
  write_some (self);
}

static guint
count_moments (History *self)
{
  return g_hash_table_size (self->world->snaps) + g_hash_table_size (self->world->checks);
}

static void
assert_health (History *self)
{
  g_auto (GStrv) groups = g_key_file_get_groups (self->last->seen, NULL);

  for (guint i = 0; groups[i] != NULL; i++)
    {
      g_autofree char *health = g_key_file_get_string (self->last->seen, groups[i], "health", NULL);

      /* No image was open for writing when the service was killed between two acts. */
      if (health != NULL)
        g_assert_cmpstr (health, ==, "ok");
    }
}

static void
test_killed (gconstpointer data)
{
  const Vector *vector = data;
  History *self = history_begin (17);
  LifeCommand command = vector->command;
  guint n_before;

  grow (self, vector->stage);
  n_before = count_moments (self);
  command.fault = FAULT_KILL_AT_PHASE;
  history_step (self, &command, -1);
  g_assert_true (self->was_killed);
  assert_health (self);
  if (command.verb != LIFE_REVERT || command.keep != NULL)
    g_assert_cmpint (count_moments (self) != n_before, ==, vector->side == SIDE_AFTER);
  /* The machine is fit for use, and so is the name. */
  history_create (self, "later");
  if (vector->side == SIDE_BEFORE)
    {
      command.fault = FAULT_NONE;
      if (command.verb != LIFE_REVERT)
        history_step (self, &command, -1);
    }
  history_end (self);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *path = g_strdup_printf (
          "/ops/catalogue/crashes/%s-is-settled-at-the-next-start", vectors[i].name);

      g_test_add_data_func (path, &vectors[i], test_killed);
    }
  return g_test_run ();
}
