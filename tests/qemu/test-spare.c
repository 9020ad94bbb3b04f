/* The spare endpoint: that it is used, that it is as little privileged as any, and that it goes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-block-endpoint.h"
#include "stm-endpoint-keeper.h"
#include "stm-qemu-driver.h"

#include "image-fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAPACITY (4 * (guint64) 1024 * 1024)
#define LONG_MS (600 * 1000)
#define SHORT_MS 50
#define PATIENCE_MS (120 * 1000)

typedef struct
{
  ImageFixture fixture;
  StmQemuSetup setup;
  StmEndpointKeeper *keeper;
} Spare;

static void
set_up (Spare *self, gconstpointer data)
{
  image_fixture_set_up (&self->fixture, NULL);
  self->setup = (StmQemuSetup){ .binary = STM_QEMU_DEFAULT_BINARY,
                                .user = image_fixture_get_user (),
                                .run_directory = self->fixture.run_directory };
  self->keeper = stm_endpoint_keeper_new (&self->setup, GPOINTER_TO_UINT (data));
  self->setup.keeper = self->keeper;
}

static void
tear_down (Spare *self, gconstpointer data)
{
  g_clear_pointer (&self->keeper, stm_endpoint_keeper_free);
  image_fixture_assert_no_endpoints (&self->fixture);
  image_fixture_tear_down (&self->fixture, NULL);
}

/* Until the keeper's thread has one ready. */
static StmQemuProcess *
await_spare (Spare *self, int *out_qmp_fd)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;
  StmQemuProcess *process = NULL;

  while (process == NULL && g_get_monotonic_time () < end)
    {
      process = stm_endpoint_keeper_take (self->keeper, out_qmp_fd);
      g_thread_yield ();
    }
  g_assert_nonnull (process);

  return process;
}

static void
await_death (int pidfd)
{
  struct pollfd fd = { .fd = pidfd, .events = POLLIN };

  g_assert_cmpint (poll (&fd, 1, PATIENCE_MS), ==, 1);
}

static void
kill_and_await (pid_t pid)
{
  int pidfd = pidfd_open (pid, 0);

  g_assert_cmpint (pidfd_send_signal (pidfd, SIGKILL, NULL, 0), ==, 0);
  await_death (pidfd);
  close (pidfd);
}

/* The records of what runs, by name. */
static char *
list_records (Spare *self)
{
  g_autofree char *directory = g_build_filename (self->fixture.run_directory, "endpoints", NULL);

  return g_file_test (directory, G_FILE_TEST_EXISTS) ? test_directory_list (directory)
                                                     : g_strdup ("");
}

/* A spare, left where it is: its pid. */
static pid_t
await_record (Spare *self)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_MS * G_TIME_SPAN_MILLISECOND;

  while (g_get_monotonic_time () < end)
    {
      g_autofree char *records = list_records (self);

      if (*records != '\0')
        return atoi (records);
      g_thread_yield ();
    }
  g_assert_not_reached ();
}

static void
test_none_before_it_is_wanted (Spare *self, gconstpointer unused)
{
  int qmp_fd = -1;
  g_autofree char *records = NULL;

  g_assert_null (stm_endpoint_keeper_take (self->keeper, &qmp_fd));
  records = list_records (self);
  g_assert_cmpstr (records, ==, "");
}

static void
test_it_serves_a_verb_as_its_own_would (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (GError) error = NULL;
  g_autofree char *path = image_fixture_path (&self->fixture, "a");

  test_image_create (path, "qcow2", CAPACITY, NULL, NULL);
  stm_endpoint_keeper_prepare (self->keeper);

  pid_t spare = await_record (self);
  gboolean is_used = FALSE;

  /* Its record is there before it is handed to the keeper. */
  while (!is_used)
    {
      g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&self->setup, &error);
      int fd = stm_image_file_open (self->fixture.policy, path, STM_IMAGE_WRITE, &error);

      g_assert_no_error (error);
      is_used = stm_block_endpoint_get_pid (endpoint) == spare;
      g_assert_cmpuint (
          stm_block_endpoint_add_image_sync (
              endpoint,
              &(StmBlockImage){ .path = path, .format = "qcow2", .access = STM_IMAGE_WRITE }, fd,
              NULL, &error),
          !=, 0);
      g_assert_no_error (error);
      g_assert_true (stm_block_endpoint_quit_sync (endpoint, &error));
      g_assert_no_error (error);
    }
}

static char *
read_proc (pid_t pid, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/%s", pid, name);
  char *content = NULL;

  g_assert_true (g_file_get_contents (path, &content, NULL, NULL));
  return content;
}

static void
test_it_has_no_privileges_and_no_image (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  int qmp_fd = -1;

  stm_endpoint_keeper_prepare (self->keeper);

  g_autoptr (StmQemuProcess) process = await_spare (self, &qmp_fd);
  struct pollfd greeting = { .fd = qmp_fd, .events = POLLIN };
  pid_t pid = stm_qemu_process_get_pid (process);

  /* It is in its sandbox when it greets. */
  g_assert_cmpint (poll (&greeting, 1, PATIENCE_MS), ==, 1);

  g_autofree char *status = read_proc (pid, "status");

  g_assert_nonnull (strstr (status, "NoNewPrivs:\t1"));
  g_assert_nonnull (strstr (status, "Seccomp:\t2"));
  g_assert_nonnull (strstr (status, "CapEff:\t0000000000000000"));
  for (int fd = 0; fd < 100; fd++)
    {
      g_autofree char *path = g_strdup_printf ("/proc/%d/fd/%d", pid, fd);
      g_autofree char *target = g_file_read_link (path, NULL);

      g_assert_true (target == NULL || g_str_equal (target, "/dev/null")
                     || g_str_has_prefix (target, "anon_inode:")
                     || g_str_has_prefix (target, "socket:") || g_str_has_prefix (target, "pipe:"));
    }
  close (qmp_fd);
}

static void
test_it_ends_when_nobody_wants_it (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  stm_endpoint_keeper_prepare (self->keeper);

  int pidfd = pidfd_open (await_record (self), 0);
  int qmp_fd = -1;

  /* It may be over already. */
  if (pidfd >= 0)
    {
      await_death (pidfd);
      close (pidfd);
    }
  g_assert_null (stm_endpoint_keeper_take (self->keeper, &qmp_fd));
}

static void
test_it_ends_with_the_keeper (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  stm_endpoint_keeper_prepare (self->keeper);

  int pidfd = pidfd_open (await_record (self), 0);
  struct pollfd fd = { .fd = pidfd, .events = POLLIN };

  g_assert_cmpint (pidfd, >=, 0);
  g_clear_pointer (&self->keeper, stm_endpoint_keeper_free);
  g_assert_cmpint (poll (&fd, 1, 0), ==, 1);
  close (pidfd);
}

static void
test_one_that_was_killed_is_not_used (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (GError) error = NULL;

  stm_endpoint_keeper_prepare (self->keeper);

  pid_t spare = await_record (self);

  kill_and_await (spare);

  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&self->setup, &error);

  g_assert_no_error (error);
  g_assert_cmpint (stm_block_endpoint_get_pid (endpoint), !=, spare);
  g_assert_nonnull (stm_block_endpoint_get_version_sync (endpoint, NULL, &error));
}

/* It was alive when it was taken. */
static void
test_one_that_dies_in_the_hand_is_replaced (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (GError) error = NULL;
  g_autofree char *path = image_fixture_path (&self->fixture, "a");
  gboolean was_spare = FALSE;

  test_image_create (path, "qcow2", CAPACITY, NULL, NULL);
  stm_endpoint_keeper_prepare (self->keeper);

  pid_t spare = await_record (self);

  while (!was_spare)
    {
      g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&self->setup, &error);
      int fd = stm_image_file_open (self->fixture.policy, path, STM_IMAGE_WRITE, &error);

      g_assert_no_error (error);
      was_spare = stm_block_endpoint_get_pid (endpoint) == spare;
      if (was_spare)
        kill_and_await (spare);
      g_assert_cmpuint (
          stm_block_endpoint_add_image_sync (
              endpoint,
              &(StmBlockImage){ .path = path, .format = "qcow2", .access = STM_IMAGE_WRITE }, fd,
              NULL, &error),
          !=, 0);
      g_assert_no_error (error);
      g_assert_true (!was_spare || stm_block_endpoint_get_pid (endpoint) != spare);
      g_assert_true (stm_block_endpoint_quit_sync (endpoint, &error));
      g_assert_no_error (error);
    }
}

/* Only the one that has waited: what dies of a verb's own start would do so again. */
static void
test_one_of_the_verbs_own_is_not_replaced (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (&self->setup, &error);

  g_assert_no_error (error);
  kill_and_await (stm_block_endpoint_get_pid (endpoint));
  g_assert_null (stm_block_endpoint_get_version_sync (endpoint, NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
}

/* A service of its own: says which spare it has, and waits for its end. */
static G_NORETURN void
be_a_service (const char *run_directory)
{
  StmQemuSetup setup = { .binary = STM_QEMU_DEFAULT_BINARY,
                         .user = image_fixture_get_user (),
                         .run_directory = run_directory };
  Spare self = { .fixture.run_directory = (char *) run_directory,
                 .keeper = stm_endpoint_keeper_new (&setup, LONG_MS) };

  stm_endpoint_keeper_prepare (self.keeper);
  /* To the end of its start, which is past the last change of its credentials. */
  {
    int qmp_fd = -1;
    StmQemuProcess *process = await_spare (&self, &qmp_fd);
    struct pollfd greeting = { .fd = qmp_fd, .events = POLLIN };

    g_assert_cmpint (poll (&greeting, 1, PATIENCE_MS), ==, 1);
    g_print ("%d\n", stm_qemu_process_get_pid (process));
  }
  for (;;)
    (void) pause ();
}

static void
test_a_kill_of_the_service_leaves_none (Spare *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;

  g_autoptr (GError) error = NULL;
  g_autoptr (GSubprocess)
      service = g_subprocess_new (G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, "/proc/self/exe",
                                  "--service", self->fixture.run_directory, NULL);

  g_assert_no_error (error);

  g_autoptr (GDataInputStream)
      output = g_data_input_stream_new (g_subprocess_get_stdout_pipe (service));
  g_autofree char *line = g_data_input_stream_read_line (output, NULL, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (line);

  int pidfd = pidfd_open (atoi (line), 0);

  g_assert_cmpint (pidfd, >=, 0);
  g_subprocess_force_exit (service);
  await_death (pidfd);
  close (pidfd);
  g_subprocess_wait (service, NULL, NULL);
  /* The next life removes the record. */
  g_assert_true (stm_driver_reap (self->fixture.driver, NULL, &error));
  g_assert_no_error (error);
}

#define ADD(path, idle_ms, function)                                                               \
  g_test_add (path, Spare, GUINT_TO_POINTER (idle_ms), set_up, function, tear_down)

int
main (int argc, char **argv)
{
  if (argc == 3 && g_str_equal (argv[1], "--service"))
    be_a_service (argv[2]);
  g_test_init (&argc, &argv, NULL);

  ADD ("/qemu/spare/there-is-none-before-one-is-wanted", LONG_MS, test_none_before_it_is_wanted);
  ADD ("/qemu/spare/it-serves-a-verb", LONG_MS, test_it_serves_a_verb_as_its_own_would);
  ADD ("/qemu/spare/it-has-no-privileges-and-no-image", LONG_MS,
       test_it_has_no_privileges_and_no_image);
  ADD ("/qemu/spare/it-ends-when-nobody-wants-it", SHORT_MS, test_it_ends_when_nobody_wants_it);
  ADD ("/qemu/spare/it-ends-with-the-keeper", LONG_MS, test_it_ends_with_the_keeper);
  ADD ("/qemu/spare/one-that-was-killed-is-not-used", LONG_MS,
       test_one_that_was_killed_is_not_used);
  ADD ("/qemu/spare/one-that-dies-in-the-hand-is-replaced", LONG_MS,
       test_one_that_dies_in_the_hand_is_replaced);
  ADD ("/qemu/spare/one-of-the-verbs-own-is-not-replaced", LONG_MS,
       test_one_of_the_verbs_own_is_not_replaced);
  ADD ("/qemu/spare/a-kill-of-the-service-leaves-none", LONG_MS,
       test_a_kill_of_the_service_leaves_none);

  return g_test_run ();
}
