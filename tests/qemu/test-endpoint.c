/* The endpoint's process: what it may, how it ends, and what is left of it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-block-endpoint.h"
#include "stm-endpoint-record.h"
#include "stm-qemu-driver.h"

#include "image-fixture.h"

#include <glib/gstdio.h>

#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define DEATH_TIMEOUT_MS (30 * 1000)
#define CAPACITY (4 * (guint64) 1024 * 1024)
#define NOBODY 65534

static StmQemuSetup
setup_of (ImageFixture *self)
{
  return (StmQemuSetup){ .binary = STM_QEMU_DEFAULT_BINARY,
                         .user = image_fixture_get_user (),
                         .run_directory = self->run_directory };
}

static char *
read_proc (GPid pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *content = NULL;

  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  return content;
}

static void
assert_has_line (const char *content, const char *line)
{
  g_auto (GStrv) lines = g_strsplit (content, "\n", -1);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) words = g_strsplit_set (g_strstrip (lines[i]), " \t", -1);
      g_autofree char *joined = g_strjoinv (" ", words);

      if (g_str_equal (joined, line))
        return;
    }
  g_test_message ("%s", content);
  g_test_fail_printf ("there is no line \"%s\"", line);
}

static void
test_the_version_is_asked (ImageFixture *self, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;

  g_autofree char *version = stm_driver_get_version (self->driver, &error);
  g_autofree char *output = test_run ("qemu-system-x86_64", "--version", NULL);

  g_assert_no_error (error);
  g_assert_nonnull (strstr (output, version));
  image_fixture_assert_no_endpoints (self);
}

static void
test_it_has_no_privileges (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  StmQemuSetup setup = setup_of (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&setup, &error);
  const struct passwd *entry = setup.user != NULL ? getpwnam (setup.user) : NULL;
  uid_t uid = entry != NULL ? entry->pw_uid : geteuid ();
  g_autofree char *uid_line = g_strdup_printf ("Uid: %u %u %u %u", uid, uid, uid, uid);

  g_assert_no_error (error);
  g_assert_nonnull (stm_block_endpoint_get_version_sync (endpoint, NULL, &error));

  GPid pid = stm_block_endpoint_get_pid (endpoint);
  g_autofree char *status = read_proc (pid, "status");
  g_autofree char *limits = read_proc (pid, "limits");

  assert_has_line (status, uid_line);
  if (setup.user != NULL)
    assert_has_line (status, "Groups:");
  assert_has_line (status, "NoNewPrivs: 1");
  assert_has_line (status, "Seccomp: 2");
  assert_has_line (status, "CapEff: 0000000000000000");
  assert_has_line (status, "Umask: 0077");
  g_assert_nonnull (strstr (limits, "Max core file size        0                    0"));
  g_assert_cmpint (getpgid (pid), ==, pid);
}

/* A tool with a socket at whose other end nobody answers. */
static StmQemuProcess *
start_tool (ImageFixture *self, const char *const *arguments, int *out_peer_fd)
{
  StmQemuSetup setup = setup_of (self);
  g_autoptr (GError) error = NULL;
  int pair[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);

  StmQemuProcess *tool = stm_qemu_process_start_tool (&setup, (char *const *) arguments, pair[1],
                                                      &error);

  g_assert_no_error (error);
  *out_peer_fd = pair[0];
  return tool;
}

/* Besides what it opens itself. */
static void
assert_inherits_one_socket (GPid pid)
{
  for (int fd = 0; fd <= 200; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", pid, fd);
      g_autofree char *target = g_file_read_link (path, NULL);

      if (target != NULL && g_str_has_prefix (target, "socket:"))
        g_assert_cmpint (fd, ==, STM_QEMU_TOOL_SOCKET_FD);
      g_assert_true (target == NULL || fd < 100);
    }
}

/* It waits for the server's greeting, and can be looked at meanwhile. */
static void
test_tools_have_no_privileges (ImageFixture *self, gconstpointer unused)
{
  static const char *const arguments[] = {
    "qemu-img", "info",
    "json:{\"driver\": \"nbd\", \"server\": {\"type\": \"fd\", \"str\": \"3\"}}", NULL
  };
  const char *user = image_fixture_get_user ();
  const struct passwd *entry = user != NULL ? getpwnam (user) : NULL;
  uid_t uid = entry != NULL ? entry->pw_uid : geteuid ();
  g_autofree char *uid_line = g_strdup_printf ("Uid: %u %u %u %u", uid, uid, uid, uid);
  int high = dup2 (0, 200);
  int peer_fd = -1;

  if (!test_images_have_tools ())
    return;

  g_autoptr (StmQemuProcess) tool = start_tool (self, arguments, &peer_fd);
  GPid pid = stm_qemu_process_get_pid (tool);
  g_autofree char *status = read_proc (pid, "status");
  g_autofree char *limits = read_proc (pid, "limits");

  assert_has_line (status, uid_line);
  if (user != NULL)
    assert_has_line (status, "Groups:");
  assert_has_line (status, "NoNewPrivs: 1");
  assert_has_line (status, "Seccomp: 2");
  assert_has_line (status, "CapEff: 0000000000000000");
  g_assert_nonnull (strstr (limits, "Max file size             0                    0"));
  g_assert_cmpint (getpgid (pid), ==, pid);
  assert_inherits_one_socket (pid);
  close (peer_fd);
  close (high);
}

static void
test_tools_do_nothing_else (ImageFixture *self, gconstpointer unused)
{
  g_autofree char *path = image_fixture_path (self, "made");
  const char *const rows[][7] = { { "qemu-img", "create", "-f", "raw", path, "1M", NULL },
                                  { "timeout", "1", "true", NULL } };

  if (!test_images_have_tools ())
    return;
  /* So that it is not the directory's rights which keep it from that. */
  g_assert_cmpint (g_chmod (self->directory, 0777), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      int peer_fd = -1;
      g_autoptr (StmQemuProcess) tool = start_tool (self, rows[i], &peer_fd);
      g_autoptr (GError) error = NULL;

      g_assert_false (stm_qemu_process_end_sync (tool, DEATH_TIMEOUT_MS, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
      g_test_message ("%s", error->message);
      g_assert_nonnull (strstr (error->message, "Operation not permitted"));
      close (peer_fd);
    }
  image_fixture_assert_files (self, "");
}

/* A descriptor of ours, not marked to be closed, must not get through. */
static void
test_it_inherits_no_descriptors (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  int leaking = dup (0);
  int high = dup2 (0, 200);
  StmQemuSetup setup = setup_of (self);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&setup, &error);

  g_assert_no_error (error);
  g_assert_nonnull (stm_block_endpoint_get_version_sync (endpoint, NULL, &error));
  for (int fd = 0; fd <= 200; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d",
                                               stm_block_endpoint_get_pid (endpoint), fd);
      g_autofree char *target = g_file_read_link (path, NULL);

      /* Standard streams, the monitor, and what QEMU itself opens. */
      if (target == NULL || g_str_equal (target, "/dev/null") || g_str_has_prefix (target, "anon_"))
        continue;
      g_assert_true (fd == 2 || fd == 3 || g_str_has_prefix (target, "socket:")
                     || g_str_has_prefix (target, "pipe:"));
      g_assert_cmpint (fd, <, 100);
    }
  close (leaking);
  close (high);
}

typedef struct
{
  const char *binary;
  const char *user;
  StemmaError code;
  const char *said; /* in the message */
} BadSetup;

static void
test_a_bad_setup_is_refused (ImageFixture *self, gconstpointer data)
{
  const BadSetup *bad = data;
  g_autoptr (StmDriver)
      driver = STM_DRIVER (stm_qemu_driver_new (bad->binary, bad->user, self->run_directory));
  g_autoptr (GError) error = NULL;
  g_autofree char *version = stm_driver_get_version (driver, &error);

  g_assert_null (version);
  g_assert_error (error, STEMMA_ERROR, (int) bad->code);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, bad->said));
  image_fixture_assert_no_endpoints (self);
}

static void
test_a_changed_user_needs_root (ImageFixture *self, gconstpointer unused)
{
  g_autoptr (StmDriver)
      driver = STM_DRIVER (stm_qemu_driver_new (NULL, "root", self->run_directory));
  g_autoptr (GError) error = NULL;
  g_autofree char *version = NULL;
  gboolean is_root = geteuid () == 0;

  if (is_root)
    g_assert_cmpint (seteuid (NOBODY), ==, 0);
  version = stm_driver_get_version (driver, &error);
  if (is_root)
    {
      g_assert_cmpint (seteuid (0), ==, 0);
      /* The kernel took this away; who looks for leaks needs it. */
      g_assert_cmpint (prctl (PR_SET_DUMPABLE, 1), ==, 0);
    }
  g_assert_null (version);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "runs as root"));
}

/* The end. */

static void
assert_dies (int pidfd)
{
  struct pollfd fd = { .fd = pidfd, .events = POLLIN };

  g_assert_cmpint (poll (&fd, 1, DEATH_TIMEOUT_MS), ==, 1);
}

static gpointer
start_and_forget (gpointer data)
{
  g_autoptr (GError) error = NULL;
  StmBlockEndpoint *endpoint = stm_block_endpoint_start (data, &error);

  g_assert_no_error (error);
  g_assert_nonnull (stm_block_endpoint_get_version_sync (endpoint, NULL, &error));
  return endpoint;
}

/* A worker that is gone, as all are when the service is killed. */
static void
test_it_dies_with_its_thread (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  StmQemuSetup setup = setup_of (self);
  g_autoptr (StmBlockEndpoint)
      endpoint = g_thread_join (g_thread_new ("worker", start_and_forget, &setup));
  int pidfd = pidfd_open (stm_block_endpoint_get_pid (endpoint), 0);

  g_assert_cmpint (pidfd, >=, 0);
  assert_dies (pidfd);
  close (pidfd);
}

static StmBlockNode
add_image (ImageFixture *self, StmBlockEndpoint *endpoint, const char *path, GError **error)
{
  int fd = stm_image_file_open (self->policy, path, STM_IMAGE_WRITE, error);

  g_assert_cmpint (fd, >=, 0);
  return stm_block_endpoint_add_image_sync (
      endpoint, &(StmBlockImage){ .path = path, .format = "qcow2", .access = STM_IMAGE_WRITE }, fd,
      NULL, error);
}

static void
test_a_killed_one_ends_the_call_and_frees_its_images (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  StmQemuSetup setup = setup_of (self);
  g_autofree char *path = image_fixture_path (self, "a.qcow2");
  g_autoptr (GError) error = NULL;
  g_autoptr (StmBlockEndpoint) first = stm_block_endpoint_start (&setup, &error);
  g_autoptr (StmBlockEndpoint) second = stm_block_endpoint_start (&setup, &error);

  test_image_create (path, "qcow2", CAPACITY, NULL, NULL);
  g_assert_cmpuint (add_image (self, first, path, &error), !=, 0);
  g_assert_no_error (error);
  g_assert_cmpint (kill (stm_block_endpoint_get_pid (first), SIGKILL), ==, 0);
  g_assert_false (stm_block_endpoint_remove_image_sync (first, 1, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  g_clear_error (&error);
  g_clear_pointer (&first, stm_block_endpoint_free);

  g_assert_cmpuint (add_image (self, second, path, &error), !=, 0);
  g_assert_no_error (error);
  g_assert_true (stm_block_endpoint_quit_sync (second, &error));
  g_assert_no_error (error);
  g_clear_pointer (&second, stm_block_endpoint_free);
  image_fixture_assert_no_endpoints (self);
}

/* It can be told nothing any more, and would never end by itself. */
static void
test_one_that_was_not_greeted_is_not_waited_for (ImageFixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  StmQemuSetup setup = setup_of (self);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&setup, &error);

  g_assert_no_error (error);
  g_cancellable_cancel (cancellable);
  g_assert_null (stm_block_endpoint_get_version_sync (endpoint, cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_false (stm_block_endpoint_quit_sync (endpoint, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  g_assert_nonnull (strstr (error->message, "did not end within 0 ms"));
  g_clear_pointer (&endpoint, stm_block_endpoint_free);
  image_fixture_assert_no_endpoints (self);
}

/* Orphans. */

static GSubprocess *
start_bystander (void)
{
  g_autoptr (GError) error = NULL;
  /* Lives until its standard input ends. */
  GSubprocess *bystander = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_SILENCE, &error, "cat", NULL);

  g_assert_no_error (error);
  return bystander;
}

static pid_t
pid_of (GSubprocess *process)
{
  return atoi (g_subprocess_get_identifier (process));
}

static void
test_reaping_ends_what_is_recorded (ImageFixture *self, gconstpointer unused)
{
  g_autoptr (GSubprocess) orphan = start_bystander ();
  g_autoptr (GError) error = NULL;
  g_autofree char *record = stm_endpoint_record_add (self->run_directory, pid_of (orphan), &error);

  g_assert_no_error (error);
  g_assert_true (g_file_test (record, G_FILE_TEST_EXISTS));
  g_assert_true (stm_driver_reap (self->driver, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_subprocess_wait (orphan, NULL, NULL));
  g_assert_true (g_subprocess_get_if_signaled (orphan));
  g_assert_cmpint (g_subprocess_get_term_sig (orphan), ==, SIGKILL);
  image_fixture_assert_no_endpoints (self);
}

static void
test_reaping_spares_a_process_that_took_over_the_pid (ImageFixture *self, gconstpointer unused)
{
  g_autoptr (GSubprocess) innocent = start_bystander ();
  g_autoptr (GError) error = NULL;
  g_autofree char *record = stm_endpoint_record_add (self->run_directory, pid_of (innocent),
                                                     &error);
  g_autofree char *earlier = g_strdup_printf ("%s/endpoints/%d-1", self->run_directory,
                                              pid_of (innocent));

  g_assert_no_error (error);
  g_assert_cmpint (g_rename (record, earlier), ==, 0);
  g_assert_true (stm_driver_reap (self->driver, NULL, &error));
  g_assert_no_error (error);
  /* It ends by itself, not by a signal. */
  g_assert_true (g_output_stream_close (g_subprocess_get_stdin_pipe (innocent), NULL, NULL));
  g_assert_true (g_subprocess_wait_check (innocent, NULL, &error));
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

static void
test_reaping_passes_over_what_is_gone_or_odd (ImageFixture *self, gconstpointer unused)
{
  static const char *const names[] = { "2147483647-5", "1-1",  "0-0",          "x",
                                       "7-",           "-1-1", "99999999999-1" };
  g_autofree char *directory = g_build_filename (self->run_directory, "endpoints", NULL);
  g_autoptr (GError) error = NULL;

  /* Nothing was ever started. */
  g_assert_true (stm_driver_reap (self->driver, NULL, &error));
  g_assert_cmpint (g_mkdir_with_parents (directory, 0700), ==, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (directory, names[i], NULL);

      g_assert_true (g_file_set_contents (path, "", 0, &error));
    }
  g_assert_true (stm_driver_reap (self->driver, NULL, &error));
  g_assert_no_error (error);
  image_fixture_assert_no_endpoints (self);
}

#define ADD(path, data, function)                                                                  \
  g_test_add (path, ImageFixture, data, image_fixture_set_up, function, image_fixture_tear_down)

int
main (int argc, char **argv)
{
  static const BadSetup no_program = { "/nonexistent/qemu", NULL, STEMMA_ERROR_NOT_SUPPORTED,
                                       "/nonexistent/qemu" };
  static const BadSetup no_user = { NULL, "no-such-user", STEMMA_ERROR_NOT_SUPPORTED,
                                    "systemd-sysusers" };
  static const BadSetup not_qemu = { "false", NULL, STEMMA_ERROR_HYPERVISOR, "monitor" };
  /* What it says on its standard error is in the message. */
  static const BadSetup complaining = { "ls", NULL, STEMMA_ERROR_HYPERVISOR, "ls: " };

  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/endpoint/the-version-is-asked", NULL, test_the_version_is_asked);
  ADD ("/qemu/endpoint/it-has-no-privileges", NULL, test_it_has_no_privileges);
  ADD ("/qemu/endpoint/tools-have-no-privileges", NULL, test_tools_have_no_privileges);
  ADD ("/qemu/endpoint/tools-do-nothing-else", NULL, test_tools_do_nothing_else);
  ADD ("/qemu/endpoint/it-inherits-no-descriptors", NULL, test_it_inherits_no_descriptors);
  ADD ("/qemu/endpoint/a-missing-program-is-refused", &no_program, test_a_bad_setup_is_refused);
  ADD ("/qemu/endpoint/a-missing-user-is-refused", &no_user, test_a_bad_setup_is_refused);
  ADD ("/qemu/endpoint/a-program-that-is-no-qemu-is-refused", &not_qemu,
       test_a_bad_setup_is_refused);
  ADD ("/qemu/endpoint/its-last-words-are-in-the-error", &complaining, test_a_bad_setup_is_refused);
  ADD ("/qemu/endpoint/another-user-needs-root", NULL, test_a_changed_user_needs_root);
  ADD ("/qemu/endpoint/it-dies-with-its-thread", NULL, test_it_dies_with_its_thread);
  ADD ("/qemu/endpoint/a-killed-one-ends-the-call-and-frees-its-images", NULL,
       test_a_killed_one_ends_the_call_and_frees_its_images);
  ADD ("/qemu/endpoint/one-that-was-not-greeted-is-not-waited-for", NULL,
       test_one_that_was_not_greeted_is_not_waited_for);
  ADD ("/qemu/endpoint/reaping-ends-what-is-recorded", NULL, test_reaping_ends_what_is_recorded);
  ADD ("/qemu/endpoint/reaping-spares-a-process-that-took-over-the-pid", NULL,
       test_reaping_spares_a_process_that_took_over_the_pid);
  ADD ("/qemu/endpoint/reaping-passes-over-what-is-gone-or-odd", NULL,
       test_reaping_passes_over_what_is_gone_or_odd);

  return g_test_run ();
}
