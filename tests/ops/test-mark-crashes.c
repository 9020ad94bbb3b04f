/* The service killed right after each journal phase of the operations on checkpoints and internal
 * snapshots. No image is open for writing at these moments: every bitmap that was in order is in
 * order after the next start, and the bytes are those of the side that was promised.
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

typedef struct
{
  const char *name;
  LifeCommand command;
  Side side;
} Vector;

/* The tree: checkpoint early — snapshot base — checkpoint late — (written). */
static const Vector checkpoint_vectors[] = {
  { "create-checkpoint-intent",
    { .verb = LIFE_CREATE_CHECKPOINT, .name = "new", .phase = "create-checkpoint:intent" },
    SIDE_BEFORE },
  { "create-checkpoint-done",
    { .verb = LIFE_CREATE_CHECKPOINT, .name = "new", .phase = "create-checkpoint:done" },
    SIDE_AFTER },
  { "delete-checkpoint-intent",
    { .verb = LIFE_DELETE_CHECKPOINT, .name = "early", .phase = "delete-checkpoint:intent" },
    SIDE_AFTER },
  { "delete-checkpoint-cleanup",
    { .verb = LIFE_DELETE_CHECKPOINT, .name = "early", .phase = "delete-checkpoint:cleanup" },
    SIDE_AFTER },
  { "delete-checkpoint-done",
    { .verb = LIFE_DELETE_CHECKPOINT, .name = "early", .phase = "delete-checkpoint:done" },
    SIDE_AFTER },
  { "create-with-checkpoint-intent",
    { .verb = LIFE_CREATE, .name = "new", .checkpoint = "with", .phase = "create:intent" },
    SIDE_BEFORE },
  { "create-with-checkpoint-done",
    { .verb = LIFE_CREATE, .name = "new", .checkpoint = "with", .phase = "create:done" },
    SIDE_AFTER },
  { "create-over-checkpoints-intent",
    { .verb = LIFE_CREATE, .name = "new", .phase = "create:intent" },
    SIDE_BEFORE },
  { "create-internal-over-checkpoints-intent",
    { .verb = LIFE_CREATE, .name = "new", .mode = STM_MODE_INTERNAL, .phase = "create:intent" },
    SIDE_BEFORE },
  { "create-internal-over-checkpoints-done",
    { .verb = LIFE_CREATE, .name = "new", .mode = STM_MODE_INTERNAL, .phase = "create:done" },
    SIDE_AFTER },
  { "revert-over-checkpoints-intent",
    { .verb = LIFE_REVERT, .name = "base", .keep = "kept", .phase = "revert:intent" },
    SIDE_BEFORE },
  { "revert-over-checkpoints-done",
    { .verb = LIFE_REVERT, .name = "base", .keep = "kept", .phase = "revert:done" },
    SIDE_AFTER },
  { "delete-with-bitmaps-intent",
    { .verb = LIFE_DELETE, .name = "base", .phase = "delete:intent" },
    SIDE_AFTER },
  { "delete-with-bitmaps-step-1",
    { .verb = LIFE_DELETE, .name = "base", .phase = "delete:step-1" },
    SIDE_AFTER },
  { "delete-with-bitmaps-cleanup",
    { .verb = LIFE_DELETE, .name = "base", .phase = "delete:cleanup" },
    SIDE_AFTER },
};

/* The tree: internal one — internal two — (written); no bitmap. */
static const Vector tag_vectors[] = {
  { "revert-to-tag-intent",
    { .verb = LIFE_REVERT, .name = "one", .discards = TRUE, .phase = "revert:intent" },
    SIDE_BEFORE },
  { "revert-to-tag-cleanup",
    { .verb = LIFE_REVERT, .name = "one", .discards = TRUE, .phase = "revert:cleanup" },
    SIDE_AFTER },
  { "revert-to-tag-done",
    { .verb = LIFE_REVERT, .name = "one", .discards = TRUE, .phase = "revert:done" },
    SIDE_AFTER },
  { "revert-to-tag-and-keep-intent",
    { .verb = LIFE_REVERT, .name = "one", .keep = "kept", .phase = "revert:intent" },
    SIDE_BEFORE },
  { "revert-to-tag-and-keep-done",
    { .verb = LIFE_REVERT, .name = "one", .keep = "kept", .phase = "revert:done" },
    SIDE_AFTER },
  { "delete-tag-intent",
    { .verb = LIFE_DELETE, .name = "one", .phase = "delete:intent" },
    SIDE_AFTER },
  { "delete-tag-cleanup",
    { .verb = LIFE_DELETE, .name = "one", .phase = "delete:cleanup" },
    SIDE_AFTER },
  { "create-mixed-intent",
    { .verb = LIFE_CREATE, .name = "new", .internal = "vdb", .phase = "create:intent" },
    SIDE_BEFORE },
  { "create-mixed-done",
    { .verb = LIFE_CREATE, .name = "new", .internal = "vdb", .phase = "create:done" },
    SIDE_AFTER },
};

static void
grow_checkpoints (History *self)
{
  history_step (self, &(LifeCommand){ .verb = LIFE_CREATE_CHECKPOINT, .name = "early" }, -1);
  history_create (self, "base");
  history_step (self, &(LifeCommand){ .verb = LIFE_CREATE_CHECKPOINT, .name = "late" }, -1);
  history_write (self, 0, 262144, 98304, 33);
  history_write (self, 1, 131072, 65536, 34);
}

static void
grow_tags (History *self)
{
  const LifeCommand one = { .verb = LIFE_CREATE, .name = "one", .mode = STM_MODE_INTERNAL };
  const LifeCommand two = { .verb = LIFE_CREATE, .name = "two", .mode = STM_MODE_INTERNAL };

  history_write (self, 0, 0, 131072, 21);
  history_step (self, &one, -1);
  history_write (self, 0, 65536, 131072, 22);
  history_write (self, 1, 0, 65536, 23);
  history_step (self, &two, -1);
  history_write (self, 1, 65536, 65536, 24);
}

/* What was in order and not open is in order. */
static void
calm (World *world)
{
  GHashTableIter iter;
  gpointer check;

  g_hash_table_iter_init (&iter, world->checks);
  while (g_hash_table_iter_next (&iter, NULL, &check))
    ((Check *) check)->is_shaken = FALSE;
}

static void
run_vector (const Vector *vector, void (*grow) (History *self))
{
  History *self = history_begin (5);
  LifeCommand command = vector->command;

  grow (self);
  command.fault = FAULT_KILL_AT_PHASE;

  g_autoptr (World) before = world_copy (self->world);
  g_autoptr (World) after = world_copy (self->world);
  world_apply (after, &command);
  history_step (self, &command, -1);
  g_assert_true (self->was_killed);
  calm (self->world);
  history_look (self);

  /* The other world is not what is there. */
  g_autofree char *difference = world_compare (vector->side == SIDE_AFTER ? before : after,
                                               self->last->seen);
  g_assert_nonnull (difference);
  history_create (self, "later");
  history_end (self);
}

static void
test_checkpoints (gconstpointer data)
{
  run_vector (data, grow_checkpoints);
}

static void
test_tags (gconstpointer data)
{
  run_vector (data, grow_tags);
}

static void
add (const Vector *vector, GTestDataFunc test)
{
  g_autofree char *path = g_strdup_printf ("/ops/mark-crashes/%s", vector->name);

  g_test_add_data_func (path, vector, test);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (checkpoint_vectors); i++)
    add (&checkpoint_vectors[i], test_checkpoints);
  for (guint i = 0; i < G_N_ELEMENTS (tag_vectors); i++)
    add (&tag_vectors[i], test_tags);
  return g_test_run ();
}
