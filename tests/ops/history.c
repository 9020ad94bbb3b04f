/* Lives through a history; stops at the first difference from the model.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"

#include "test-images.h"

#include <glib/gstdio.h>
#include <string.h>

#define CLUSTER 65536 /* bytes */

void
history_run_tool (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  int status = 0;

  g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out, &err, &status,
                &error);
  g_assert_no_error (error);
  if (status != 0)
    {
      g_autofree char *command = g_strjoinv (" ", (char **) argv);

      g_error ("%s: %s%s", command, out, err);
    }
}

guint
history_below (History *self, guint n)
{
  return (guint) g_rand_int_range (self->rand, 0, (gint32) n);
}

void
history_fail (History *self, const char *what)
{
  g_test_message ("seed %u in %s: %s\n%s", self->seed, self->directory, what, self->log->str);
  g_print ("# seed %u in %s: %s\n%s", self->seed, self->directory, what, self->log->str);
  g_error ("history of seed %u: %s", self->seed, what);
}

static void
settle_on (History *self, World *before, World *after)
{
  g_autofree char *as_before = world_compare (before, self->last->seen);
  g_autofree char *as_after = after != NULL ? world_compare (after, self->last->seen) : NULL;

  if (as_before != NULL && (after == NULL || as_after != NULL))
    {
      g_autofree char *what = g_strdup_printf ("neither as before (%s) nor as after (%s)",
                                               as_before, as_after);

      history_fail (self, what);
    }
  self->world = as_before == NULL ? before : after;
  if (after != NULL)
    world_free (as_before == NULL ? after : before);
}

static void
set_last (History *self, LifeResult *result)
{
  g_clear_pointer (&self->last, life_result_free);
  self->last = result;
}

/* By the next start, not by a retry. */
static gboolean
is_settled_later (History *self, const LifeCommand *command)
{
  if (self->was_killed)
    return TRUE;
  return command->fault != FAULT_NONE && !command->tries_again
         && (self->code >= 0 || command->fault == FAULT_HURT
             || command->fault == FAULT_KILL_ENDPOINT);
}

static gboolean
is_allowed (int code, const int *allowed_errors)
{
  for (guint i = 0; allowed_errors[i] >= 0; i++)
    if (allowed_errors[i] == code)
      return TRUE;
  return FALSE;
}

void
history_step (History *self, const LifeCommand *command, int allowed_error)
{
  const int allowed_errors[] = { allowed_error, -1 };

  history_step_or (self, command, allowed_errors);
}

void
history_step_or (History *self, const LifeCommand *command, const int *allowed_errors)
{
  World *before = self->world;
  World *after = world_copy (before);

  world_apply (after, command);
  set_last (self, life_run (self->directory, command));
  self->was_killed = self->last->was_killed;
  self->code = self->last->code;
  if (command->fault != FAULT_NONE)
    {
      world_shake (before);
      world_shake (after);
    }
  g_string_append_printf (self->log,
                          "# verb %d '%s' keep %s discard %d scope %d disk %s fault %d %s "
                          "%u -> %d %s\n",
                          command->verb, command->name, command->keep, command->discards,
                          command->scope, command->disk, command->fault, command->phase,
                          command->delay, self->last->code,
                          self->last->message ? self->last->message : "");
  if (is_settled_later (self, command))
    set_last (self, life_run (self->directory, &(LifeCommand){ .verb = LIFE_LOOK }));
  if (self->was_killed || (command->fault != FAULT_NONE && self->code >= 0))
    {
      /* What was said to have failed must be as before, if it could be taken back, or go forward.
       */
      settle_on (self, before, after);
      history_look (self);
      return;
    }
  if (self->code >= 0 && !is_allowed (self->code, allowed_errors))
    history_fail (self, self->last->message);
  if (self->code >= 0)
    {
      world_free (after);
      settle_on (self, before, NULL);
      return;
    }
  world_free (before);
  settle_on (self, after, NULL);
}

void
history_step_two (History *self, const LifeCommand *command)
{
  set_last (self, life_run (self->directory, command));
  self->code = self->last->code;
  if (self->last->code < 0)
    world_apply (self->world, command);
  if (self->last->beside_code < 0)
    world_apply (self->world, command->beside);
  settle_on (self, self->world, NULL);
}

void
history_look (History *self)
{
  set_last (self, life_run (self->directory, &(LifeCommand){ .verb = LIFE_LOOK }));
  settle_on (self, self->world, NULL);
}

char *
history_image (History *self, const char *name, guint disk)
{
  const char *target = disk == 0 ? "vda" : "vdb";
  g_autofree char *key = g_strconcat ("source.", target, NULL);
  char *path = g_key_file_get_string (self->last->seen, name != NULL ? name : "domain",
                                      name != NULL ? target : key, NULL);

  g_assert_nonnull (path);
  return path;
}

char *
history_digest (History *self)
{
  g_autofree char *images = g_build_filename (self->directory, "images", NULL);
  g_autofree char *list = test_directory_list (images);
  g_auto (GStrv) names = g_strsplit (list, " ", -1);
  GString *digest = g_string_new (NULL);

  for (guint i = 0; names[i] != NULL; i++)
    {
      g_autofree char *path = g_build_filename (images, names[i], NULL);
      g_autofree char *bytes = NULL;
      g_autofree char *sum = NULL;
      gsize length = 0;

      /* A link or a pipe is only known by its name. */
      if (g_file_test (path, G_FILE_TEST_IS_REGULAR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
        {
          g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
          sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *) bytes, length);
        }
      g_string_append_printf (digest, "%s %s\n", names[i], sum != NULL ? sum : "");
    }
  return g_string_free (digest, FALSE);
}

void
history_create (History *self, const char *name)
{
  history_write (self, 0, history_below (self, 16) * 65536, 65536,
                 (guint8) (1 + history_below (self, 255)));
  history_write (self, 1, history_below (self, 16) * 65536, 32768,
                 (guint8) (1 + history_below (self, 255)));
  history_step (self, &(LifeCommand){ .verb = LIFE_CREATE, .name = name }, -1);
}

void
history_grow_tree (History *self)
{
  history_create (self, "root");
  history_create (self, "a");
  history_create (self, "c1");
  history_step (self, &(LifeCommand){ .verb = LIFE_REVERT, .name = "a", .discards = TRUE }, -1);
  history_create (self, "b");
  history_create (self, "c");
  history_write (self, 0, 0, 4096, 0xee);
}

void
history_write (History *self, guint disk, gsize offset, gsize length, guint8 byte)
{
  g_autofree char *source = g_key_file_get_string (self->last->seen, "domain",
                                                   disk == 0 ? "source.vda" : "source.vdb", NULL);
  g_autofree char *write = g_strdup_printf ("write -P %u %zu %zu", byte, offset, length);
  const char *argv[] = { "qemu-io", "-f", "qcow2", "-c", write, source, NULL };

  history_run_tool (argv);
  world_write (self->world, disk, offset, length, byte);
  g_string_append_printf (self->log, "# %s %s\n", write, source);
}

void
history_write_somewhere (History *self)
{
  gsize offset = history_below (self, DISK_BYTES / CLUSTER) * CLUSTER;
  gsize wanted = (1 + history_below (self, 3)) * CLUSTER / 2;
  gsize length = MIN (wanted, DISK_BYTES - offset);

  history_write (self, history_below (self, N_DISKS), offset, length,
                 (guint8) (1 + history_below (self, 255)));
}

void
history_choose_fault (History *self, LifeCommand *command, const char *operation, guint odds,
                      char **out_phase)
{
  static const char *const phases[] = { "intent", "intent", "step-1", "step-2", "cleanup", "done" };

  switch (history_below (self, odds))
    {
    case 0:
      command->fault = FAULT_KILL_AT_PHASE;
      *out_phase = g_strdup_printf ("%s:%s", operation,
                                    phases[history_below (self, G_N_ELEMENTS (phases))]);
      command->phase = *out_phase;
      break;
    case 1:
      command->fault = FAULT_KILL_SERVICE;
      command->delay = history_below (self, 120000);
      break;
    case 2:
      command->fault = FAULT_KILL_ENDPOINT;
      command->delay = history_below (self, 120000);
      break;
    default:
      command->fault = FAULT_NONE;
      break;
    }
}

void
history_check_files (History *self)
{
  g_autofree char *images = g_build_filename (self->directory, "images", NULL);
  g_autoptr (GDir) dir = g_dir_open (images, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_prefix (name, ".stemma-"))
      history_fail (self, name);
}

static void
make_machine (History *self)
{
  g_autofree char *images = g_build_filename (self->directory, "images", NULL);
  g_autofree char *a = g_build_filename (images, "a.qcow2", NULL);
  g_autofree char *b = g_build_filename (images, "b.qcow2", NULL);
  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>vm</name><memory>1024</memory><devices>"
      "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vda'/></disk>"
      "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vdb'/></disk></devices></domain>",
      a, b);
  const char *make_a[] = { "qemu-img", "create", "-q", "-f", "qcow2", a, "1M", NULL };
  const char *make_b[] = { "qemu-img", "create", "-q", "-f", "qcow2", b, "1M", NULL };

  g_assert_cmpint (g_mkdir_with_parents (images, 0700), ==, 0);
  history_run_tool (make_a);
  history_run_tool (make_b);
  self->world = world_new ();
  history_step (self, &(LifeCommand){ .verb = LIFE_DEFINE, .name = xml }, -1);
}

History *
history_begin_in (guint32 seed, char *directory)
{
  History *self = g_new0 (History, 1);

  self->seed = seed;
  self->rand = g_rand_new_with_seed (seed);
  self->directory = directory;
  self->log = g_string_new (NULL);
  make_machine (self);
  return self;
}

History *
history_begin (guint32 seed)
{
  return history_begin_in (seed, g_dir_make_tmp ("stemma-history-XXXXXX", NULL));
}

void
history_end (History *self)
{
  const char *remove[] = { "rm", "-rf", self->directory, NULL };

  history_check_files (self);
  history_run_tool (remove);
  world_free (self->world);
  set_last (self, NULL);
  g_string_free (self->log, TRUE);
  g_rand_free (self->rand);
  g_free (self->directory);
  g_free (self);
}
