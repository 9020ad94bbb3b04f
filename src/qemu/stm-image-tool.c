/* Gives qemu-img one image and nothing else.
 *
 * Called on workers. qemu-img cannot be handed a file: it opens names. So an endpoint has the
 * image, with QEMU's locks on it, and serves its bytes over NBD to one client, which is qemu-img:
 * as unprivileged as the endpoint, and with a connected socket in the place of a file. What is
 * served cannot grow.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-image-tool.h"

#include "stm-block-endpoint.h"
#include "stm-image-place.h"
#include "stm-qmp-error.h"

#include "stemma-error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Its work grows with the image's metadata, of which there may be gigabytes. */
#define TOOL_TIMEOUT_MS (30 * 60 * 1000)
#define END_TIMEOUT_MS 1000

#define TOOL "qemu-img"
#define LISTENER "listener" /* QEMU's name for the socket */

/* The name by which qemu-img opens the image. Nothing that its header names is opened with it, and
 * it is not marked as dirty while it is open: it would have to be repaired after a crash. */
#define SERVED_IMAGE                                                                               \
  "json:{\"driver\": \"qcow2\", \"backing\": null, \"lazy-refcounts\": false, \"file\": "          \
  "{\"driver\": \"nbd\", \"export\": \"image\", \"server\": {\"type\": \"fd\", \"str\": "          \
  "\"" G_STRINGIFY (STM_QEMU_TOOL_SOCKET_FD) "\"}}}"

/* --- a socket that has one client ------------------------------------------------------------- */

static gboolean
fail_socket (GError **error, const char *what)
{
  stm_image_place_set_error (error, errno, "serving an image: %s", what);
  return FALSE;
}

/* By way of the directory's descriptor: its name may be longer than a socket's can be. */
static gboolean
name_socket (int directory_fd, const char *name, struct sockaddr_un *out_address)
{
  *out_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
  return (gsize) g_snprintf (out_address->sun_path, sizeof out_address->sun_path,
                             "/proc/self/fd/%d/%s", directory_fd, name)
         < sizeof out_address->sun_path;
}

/* The name is gone before anybody but us has used it. */
static gboolean
connect_pair (int directory_fd, const char *name, int listening_fd, int connected_fd,
              GError **error)
{
  struct sockaddr_un address;

  (void) unlinkat (directory_fd, name, 0); /* left by a process of this number that crashed here */
  if (!name_socket (directory_fd, name, &address) || fchmod (listening_fd, 0600) != 0
      || bind (listening_fd, (struct sockaddr *) &address, sizeof address) != 0)
    return fail_socket (error, "naming a socket");

  gboolean is_connected = listen (listening_fd, 1) == 0
                          && connect (connected_fd, (struct sockaddr *) &address, sizeof address)
                                 == 0;

  if (!is_connected)
    fail_socket (error, "connecting a socket");
  (void) unlinkat (directory_fd, name, 0);

  return is_connected;
}

/* A listening socket whose one client, connected already, is the other. */
static gboolean
open_pair (const StmQemuSetup *setup, GPid endpoint, StmOwnedFd *out_listening_fd,
           StmOwnedFd *out_connected_fd, GError **error)
{
  g_autofree char *name = g_strdup_printf ("image-%d", (int) endpoint);
  g_auto (StmOwnedFd) directory_fd = open (setup->run_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  g_auto (StmOwnedFd) listening_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_auto (StmOwnedFd) connected_fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  if (directory_fd < 0 || listening_fd < 0 || connected_fd < 0)
    return fail_socket (error, "making a socket");
  if (!connect_pair (directory_fd, name, listening_fd, connected_fd, error))
    return FALSE;
  *out_listening_fd = g_steal_fd (&listening_fd);
  *out_connected_fd = g_steal_fd (&connected_fd);

  return TRUE;
}

/* --- serving ---------------------------------------------------------------------------------- */

static gboolean
execute (StmBlockEndpoint *endpoint, const StmImageTool *tool, const char *command,
         JsonObject *arguments, GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (endpoint, command, arguments,
                                                                 tool->attempt, cancellable, error);

  return result != NULL;
}

static gboolean
begin_server (StmBlockEndpoint *endpoint, const StmImageTool *tool, GCancellable *cancellable,
              GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();
  JsonObject *address = json_object_new ();
  JsonObject *data = json_object_new ();

  json_object_set_string_member (data, "str", LISTENER);
  json_object_set_string_member (address, "type", "fd");
  json_object_set_object_member (address, "data", data);
  json_object_set_object_member (arguments, "addr", address);
  json_object_set_int_member (arguments, "max-connections", 1);

  return execute (endpoint, tool, "nbd-server-start", arguments, cancellable, error);
}

static gboolean
export_node (StmBlockEndpoint *endpoint, const StmImageTool *tool, StmBlockNode node,
             GCancellable *cancellable, GError **error)
{
  g_autoptr (JsonObject) arguments = json_object_new ();

  json_object_set_string_member (arguments, "type", "nbd");
  json_object_set_string_member (arguments, "id", "image");
  json_object_set_string_member (arguments, "name", "image");
  stm_block_endpoint_set_node (arguments, "node-name", node);
  json_object_set_boolean_member (arguments, "writable", TRUE);

  return execute (endpoint, tool, "block-export-add", arguments, cancellable, error);
}

/* The bytes of the file, whatever they mean. Takes the descriptor. */
static gboolean
serve (StmBlockEndpoint *endpoint, const StmImageTool *tool, int fd, int listening_fd,
       GCancellable *cancellable, GError **error)
{
  const StmBlockImage image = {
    .path = tool->path, .format = "raw", .access = STM_IMAGE_WRITE, .initial = STM_IMAGE_WRITE
  };
  StmBlockNode node = stm_block_endpoint_add_image_sync (endpoint, &image, fd, cancellable, error);

  return node != 0
         && stm_block_endpoint_pass_fd_sync (endpoint, LISTENER, listening_fd, cancellable, error)
         && begin_server (endpoint, tool, cancellable, error)
         && export_node (endpoint, tool, node, cancellable, error);
}

/* --- the tool --------------------------------------------------------------------------------- */

static StmQemuProcess *
start_tool (const StmImageTool *tool, int socket_fd, GError **error)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) arguments = NULL;

  g_strv_builder_add (builder, TOOL);
  for (gsize i = 0; tool->command[i] != NULL; i++)
    g_strv_builder_add (builder, tool->command[i]);
  g_strv_builder_add (builder, SERVED_IMAGE);
  arguments = g_strv_builder_end (builder);

  return stm_qemu_process_start_tool (tool->setup, arguments, socket_fd, error);
}

/* Whether it ended by itself. */
static gboolean
await_tool (const StmImageTool *tool, StmQemuProcess *process, GCancellable *cancellable,
            GError **error)
{
  struct pollfd fds[2] = { { .fd = stm_qemu_process_get_pidfd (process), .events = POLLIN },
                           { .fd = g_cancellable_get_fd (cancellable), .events = POLLIN } };
  int n_ready;

  do
    n_ready = poll (fds, G_N_ELEMENTS (fds), TOOL_TIMEOUT_MS);
  while (n_ready < 0 && errno == EINTR);
  if (fds[1].fd >= 0)
    g_cancellable_release_fd (cancellable);

  if (n_ready > 0 && (fds[0].revents & POLLIN) != 0)
    return TRUE;
  if (g_cancellable_is_cancelled (cancellable))
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED, "%s: the operation was cancelled",
                 tool->attempt);
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TIMED_OUT,
                 "%s: " TOOL " did not end within %d minutes and was killed", tool->attempt,
                 TOOL_TIMEOUT_MS / 60000);
  return FALSE;
}

/* The process is gone when this returns. */
static gboolean
run_tool (const StmImageTool *tool, int socket_fd, GCancellable *cancellable, GError **error)
{
  g_autoptr (StmQemuProcess) process = start_tool (tool, socket_fd, error);
  g_autoptr (GError) failure = NULL;

  if (process == NULL || !await_tool (tool, process, cancellable, error))
    return FALSE;
  if (stm_qemu_process_end_sync (process, END_TIMEOUT_MS, &failure))
    return TRUE;

  g_propagate_error (error, stm_qmp_error_new (tool->attempt, TOOL, failure->message));
  return FALSE;
}

gboolean
stm_image_tool_run_sync (const StmImageTool *tool, int fd, GCancellable *cancellable,
                         GError **error)
{
  g_return_val_if_fail (tool != NULL && fd >= 0, FALSE);

  g_auto (StmOwnedFd) image_fd = fd;
  g_auto (StmOwnedFd) listening_fd = -1;
  g_auto (StmOwnedFd) connected_fd = -1;
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (tool->setup, error);

  return endpoint != NULL
         && open_pair (tool->setup, stm_block_endpoint_get_pid (endpoint), &listening_fd,
                       &connected_fd, error)
         && serve (endpoint, tool, g_steal_fd (&image_fd), listening_fd, cancellable, error)
         && run_tool (tool, g_steal_fd (&connected_fd), cancellable, error)
         && stm_block_endpoint_quit_sync (endpoint, error);
}
