/* Deletions whose QEMU, or whose service, is killed in the middle of much data: once they are
 * settled no image has a cluster that is counted and not used.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "history.h"
#include "stemma-error.h"
#include "test-images.h"

#include <glib/gstdio.h>

#define LOWER_BULK "write -q -P 1 0 96M"
#define UPPER_BULK "write -q -P 2 64M 64M"
/* The disk's image grows by 32 MiB while the upper one is committed into it; killed when it has
 * grown by these. */
static const guint growths[] = { 6, 14, 22 }; /* MiB */

typedef struct
{
  char *directory;
  char *images;
  char *disk;
  gint64 bytes_due; /* that the disk's image takes when the kill comes */
} Ground;

static LifeResult *
live_well (Ground *self, const LifeCommand *command)
{
  LifeResult *result = life_run (self->directory, command);

  if (result->code >= 0)
    g_error ("%s", result->message);
  return result;
}

static void
write_bulk (Ground *self, const char *what)
{
  g_autoptr (LifeResult) now = live_well (self, &(LifeCommand){ .verb = LIFE_LOOK });
  g_autofree char *path = g_key_file_get_string (now->seen, "domain", "source.vda", NULL);
  const char *const argv[] = { "qemu-io", "-f", "qcow2", "-c", what, path, NULL };

  history_run_tool (argv);
}

static void
create (Ground *self, const char *name)
{
  life_result_free (live_well (self, &(LifeCommand){ .verb = LIFE_CREATE, .name = name }));
}

/* A bit of all that one table of the mapping is of: QEMU writes the tables when it needs a new one.
 */
static void
write_bits (Ground *self)
{
  for (guint i = 192; i < 256; i++)
    {
      g_autofree char *what = g_strdup_printf ("write -q -P 1 %uk 2k", i * 512);
      const char *const argv[] = { "qemu-io", "-f", "qcow2", "-c", what, self->disk, NULL };

      history_run_tool (argv);
    }
}

/* disk <- s1 <- s2 <- (active), with much in the first and the second. */
static void
set_up (Ground *self)
{
  self->directory = g_dir_make_tmp ("stemma-leaks-XXXXXX", NULL);
  self->images = g_build_filename (self->directory, "images", NULL);
  self->disk = g_build_filename (self->images, "disk.qcow2", NULL);

  g_autofree char *xml = g_strdup_printf (
      "<domain type='qemu'><name>vm</name><memory>1024</memory><devices>"
      "<disk type='file'><driver name='qemu' type='qcow2'/><source file='%s'/>"
      "<target dev='vda'/></disk></devices></domain>",
      self->disk);
  /* Small clusters need many blocks of counts, more than QEMU holds back: they get to the disk
   * while the mapping of what they count is still in memory. */
  const char *const make[] = { "qemu-img", "create",          "-q",       "-f",   "qcow2",
                               "-o",       "cluster_size=2k", self->disk, "256M", NULL };

  g_assert_cmpint (g_mkdir (self->images, 0700), ==, 0);
  history_run_tool (make);
  life_result_free (live_well (self, &(LifeCommand){ .verb = LIFE_DEFINE, .name = xml }));
  write_bulk (self, LOWER_BULK);
  write_bits (self);
  create (self, "s1");
  write_bulk (self, UPPER_BULK);
  create (self, "s2");
}

static void
tear_down (Ground *self)
{
  const char *const remove[] = { "rm", "-rf", self->directory, NULL };

  history_run_tool (remove);
  g_free (self->directory);
  g_free (self->images);
  g_free (self->disk);
}

/* qemu-img's own opinion of each file; it fails on leaks as on errors. Gives what it found. */
static gboolean
are_files_sound (Ground *self, gboolean is_asserted)
{
  g_autoptr (GDir) dir = g_dir_open (self->images, 0, NULL);
  gboolean is_sound = TRUE;
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (self->images, name, NULL);
      const char *argv[] = { "qemu-img", "check", "-q", "-f", "qcow2", path, NULL };
      int status = 0;

      if (is_asserted)
        {
          history_run_tool (argv);
          continue;
        }
      g_spawn_sync (NULL, (char **) argv, NULL,
                    G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL,
                    NULL, NULL, NULL, NULL, &status, NULL);
      is_sound &= status == 0;
    }

  return is_sound;
}

static void
assert_content (Ground *self, LifeResult *now)
{
  g_autofree char *path = g_key_file_get_string (now->seen, "domain", "source.vda", NULL);
  const char *const lower[] = { "qemu-io", "-f", "qcow2", "-r", "-c", "read -q -P 1 0 64M",
                                path,      NULL };
  const char *const upper[] = { "qemu-io", "-f", "qcow2", "-r", "-c", "read -q -P 2 64M 64M",
                                path,      NULL };

  history_run_tool (lower);
  history_run_tool (upper);
}

static gint64
measure (Ground *self)
{
  GStatBuf status;

  g_assert_cmpint (g_stat (self->disk, &status), ==, 0);
  return (gint64) status.st_blocks * 512;
}

static gboolean
is_due (gpointer data)
{
  Ground *self = data;

  return measure (self) >= self->bytes_due;
}

/* Whether the kill left something to be repaired. */
static gboolean
run_killed (Fault fault, guint growth)
{
  Ground ground = { 0 };
  gboolean has_leaked;

  set_up (&ground);
  ground.bytes_due = measure (&ground) + growth * G_GINT64_CONSTANT (1024) * 1024;

  g_autoptr (LifeResult) killed = life_run (
      ground.directory,
      &(LifeCommand){
          .verb = LIFE_DELETE, .name = "s1", .fault = fault, .is_due = is_due, .data = &ground });
  g_assert_true (killed->was_killed || killed->code == STEMMA_ERROR_HYPERVISOR);
  has_leaked = !are_files_sound (&ground, /* is_asserted= */ FALSE);
  g_test_message ("after %u MiB: %s%s", growth,
                  killed->was_killed  ? "killed"
                  : killed->code >= 0 ? killed->message
                                      : "done",
                  has_leaked ? ", and it leaks" : "");

  g_autoptr (LifeResult) settled = live_well (&ground, &(LifeCommand){ .verb = LIFE_LOOK });
  are_files_sound (&ground, /* is_asserted= */ TRUE);
  assert_content (&ground, settled);
  tear_down (&ground);

  return has_leaked;
}

static void
test_killed (gconstpointer fault)
{
  guint n_leaked = 0;

  for (guint i = 0; i < G_N_ELEMENTS (growths); i++)
    n_leaked += run_killed (GPOINTER_TO_INT (fault), growths[i]) ? 1 : 0;
  g_assert_cmpuint (n_leaked, >, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/ops/merge-leaks/none-after-qemu-was-killed",
                        GINT_TO_POINTER (FAULT_KILL_ENDPOINT), test_killed);
  g_test_add_data_func ("/ops/merge-leaks/none-after-the-service-was-killed",
                        GINT_TO_POINTER (FAULT_KILL_SERVICE), test_killed);

  return g_test_run ();
}
