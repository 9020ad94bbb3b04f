/* The QMP client against a peer that follows a script.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-qmp-error.h"
#include "stm-qmp.h"

#include "scripted-qmp.h"

#include <glib-unix.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Errors. */

static void
test_refusals_are_typed (void)
{
  static const struct
  {
    const char *words;
    StemmaError code;
  } vectors[] = {
    { "Failed to get \"write\" lock", STEMMA_ERROR_IN_USE },
    { "Failed to get shared \"write\" lock\nIs another process using the image [/i/a]?",
      STEMMA_ERROR_IN_USE },
    { "Could not resize image: No space left on device", STEMMA_ERROR_NO_SPACE },
    { "Operation canceled", STEMMA_ERROR_CANCELLED },
    { "Node 'f5' is busy: block device is in use by block job: commit", STEMMA_ERROR_HYPERVISOR },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = stm_qmp_error_new ("doing it", "GenericError", vectors[i].words);

      g_test_message ("%s", vectors[i].words);
      g_assert_error (error, STEMMA_ERROR, (int) vectors[i].code);
      g_assert_true (g_str_has_prefix (error->message, "doing it: "));
      g_assert_null (strchr (error->message, '\n'));
    }
}

/* The client. */

static StmQmp *
connect_to (ScriptedQmp *peer, GError **error)
{
  return stm_qmp_connect_sync (scripted_qmp_start (peer), /* death_fd= */ -1, NULL, error);
}

static JsonNode *
ask (StmQmp *qmp, const char *command, GCancellable *cancellable, GError **error)
{
  return stm_qmp_execute_sync (qmp, &(StmQmpCall){ .command = command, .attempt = "asking" },
                               cancellable, error);
}

static void
test_greeting_gives_the_version (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (stm_qmp_get_version (qmp), ==, "7.2.22");
  scripted_qmp_finish (peer);
}

static void
test_another_protocol_is_refused (void)
{
  static const char *const greetings[] = { "SSH-2.0-x\r\n", "{\"return\": {}, \"id\": \"1\"}\r\n",
                                           "{\"QMP\": []}\n" };

  for (gsize i = 0; i < G_N_ELEMENTS (greetings); i++)
    {
      g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
      g_autoptr (GError) error = NULL;

      scripted_qmp_send (peer, greetings[i]);

      g_autoptr (StmQmp) qmp = connect_to (peer, &error);

      g_assert_null (qmp);
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
      scripted_qmp_finish (peer);
    }
}

static void
test_a_command_gives_its_value (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "query-it");
  scripted_qmp_reply (peer, "{\"return\": {\"answer\": 42}, \"id\": \"$ID\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);
  g_autoptr (JsonNode) value = ask (qmp, "query-it", NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpint (json_object_get_int_member (json_node_get_object (value), "answer"), ==, 42);
  scripted_qmp_finish (peer);
}

static void
test_a_refusal_keeps_class_and_words (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "do-it");
  scripted_qmp_reply (peer, "{\"error\": {\"class\": \"DeviceNotFound\", \"desc\": \"no such "
                            "thing\"}, \"id\": \"$ID\"}\n");
  scripted_qmp_expect (peer, "again");
  scripted_qmp_reply (peer, "{\"return\": 1, \"id\": \"$ID\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);

  g_assert_null (ask (qmp, "do-it", NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  g_assert_nonnull (strstr (error->message, "DeviceNotFound"));
  g_assert_nonnull (strstr (error->message, "no such thing"));
  g_clear_error (&error);

  /* A refusal does not end the dialogue. */
  g_autoptr (JsonNode) value = ask (qmp, "again", NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (value);
  scripted_qmp_finish (peer);
}

static void
test_events_are_kept_in_order (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "do-it");
  scripted_qmp_send (peer, "{\"event\": \"A\"}\n{\"event\": \"B\"}\n");
  scripted_qmp_reply (peer, "{\"return\": {}, \"id\": \"$ID\"}\n");
  scripted_qmp_send (peer, "{\"event\": \"C\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);
  g_autoptr (JsonNode) value = ask (qmp, "do-it", NULL, &error);
  static const char *const names[] = { "A", "B", "C" };

  g_assert_no_error (error);
  g_assert_nonnull (value);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_assert_true (stm_qmp_wait_event_sync (qmp, 30 * 1000, NULL, &error));

      g_autoptr (StmQmpMessage) event = stm_qmp_pop_event (qmp);

      g_assert_nonnull (event);
      g_assert_cmpstr (event->name, ==, names[i]);
    }
  /* None is left: the time runs out, and that is no error. */
  g_assert_true (stm_qmp_wait_event_sync (qmp, 1, NULL, &error));
  g_assert_no_error (error);
  g_assert_null (stm_qmp_pop_event (qmp));
  scripted_qmp_finish (peer);
}

static void
test_a_flood_of_events_is_cut (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GString) flood = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  guint n_kept = 0;
  g_autofree char *last = NULL;

  for (guint i = 0; i < 5000; i++)
    g_string_append_printf (flood, "{\"event\": \"E%u\"}\n", i);
  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "do-it");
  scripted_qmp_send (peer, flood->str);
  scripted_qmp_reply (peer, "{\"return\": {}, \"id\": \"$ID\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);
  g_autoptr (JsonNode) value = ask (qmp, "do-it", NULL, &error);
  StmQmpMessage *event;

  g_assert_no_error (error);
  g_assert_nonnull (value);
  while ((event = stm_qmp_pop_event (qmp)) != NULL)
    {
      g_free (last);
      last = g_strdup (event->name);
      n_kept++;
      stm_qmp_message_free (event);
    }
  g_assert_cmpuint (n_kept, ==, 1024);
  g_assert_cmpstr (last, ==, "E4999");
  scripted_qmp_finish (peer);
}

static void
test_a_reply_to_nothing_is_refused (void)
{
  static const char *const replies[] = { "{\"return\": {}, \"id\": \"99\"}\n", "{\"return\": {}}\n",
                                         "{\"return\": {}, \"id\": \"x\"}\n",
                                         "{\"return\": {}, \"id\": 2}\n", SCRIPTED_QMP_GREETING };

  for (gsize i = 0; i < G_N_ELEMENTS (replies); i++)
    {
      g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
      g_autoptr (GError) error = NULL;

      scripted_qmp_greet (peer);
      scripted_qmp_expect (peer, "do-it");
      scripted_qmp_send (peer, replies[i]);

      g_autoptr (StmQmp) qmp = connect_to (peer, &error);

      g_assert_no_error (error);
      g_assert_null (ask (qmp, "do-it", NULL, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
      g_clear_error (&error);
      /* Out of step: nothing more is sent. */
      g_assert_null (ask (qmp, "more", NULL, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
      scripted_qmp_finish (peer);
    }
}

static void
cancel (gpointer user_data)
{
  g_cancellable_cancel (user_data);
}

static void
test_a_cancelled_call_leaves_the_next_in_step (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "slow");
  scripted_qmp_call (peer, cancel, cancellable);
  /* The late reply comes when the next command is sent already. */
  scripted_qmp_expect (peer, "next");
  scripted_qmp_send (peer, "{\"return\": \"late\", \"id\": \"2\"}\n");
  scripted_qmp_reply (peer, "{\"return\": \"right\", \"id\": \"$ID\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);

  g_assert_null (ask (qmp, "slow", cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_clear_error (&error);

  g_autoptr (JsonNode) value = ask (qmp, "next", NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (json_node_get_string (value), ==, "right");
  scripted_qmp_finish (peer);
}

static void
test_a_cancelled_call_is_not_sent (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "wanted");
  scripted_qmp_reply (peer, "{\"return\": {}, \"id\": \"$ID\"}\n");
  g_cancellable_cancel (cancellable);

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);

  g_assert_null (ask (qmp, "unwanted", cancellable, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED);
  g_clear_error (&error);

  g_autoptr (JsonNode) value = ask (qmp, "wanted", NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (value);
  scripted_qmp_finish (peer);
}

static void
test_hanging_up_ends_the_call (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "do-it");
  scripted_qmp_send (peer, "{\"return\": {}, ");
  scripted_qmp_hang_up (peer);

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);

  g_assert_null (ask (qmp, "do-it", NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  g_assert_true (g_str_has_prefix (error->message, "asking: "));
  scripted_qmp_finish (peer);
}

/* Something else may hold the other end of the socket open. */
static void
test_death_ends_the_call_though_the_socket_is_open (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;
  int death[2];

  g_assert_true (g_unix_open_pipe (death, FD_CLOEXEC, &error));
  scripted_qmp_greet (peer);

  g_autoptr (StmQmp) qmp = stm_qmp_connect_sync (scripted_qmp_start (peer), death[0], NULL, &error);

  g_assert_no_error (error);
  scripted_qmp_finish (peer);
  close (death[1]);
  g_assert_null (ask (qmp, "do-it", NULL, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  close (death[0]);
}

static void
test_a_descriptor_goes_along (void)
{
  g_autoptr (ScriptedQmp) peer = scripted_qmp_new ();
  g_autoptr (GError) error = NULL;
  int fd = open ("/dev/null", O_RDWR | O_CLOEXEC);

  scripted_qmp_greet (peer);
  scripted_qmp_expect (peer, "add-fd");
  scripted_qmp_reply (peer, "{\"return\": {}, \"id\": \"$ID\"}\n");

  g_autoptr (StmQmp) qmp = connect_to (peer, &error);
  g_autoptr (JsonNode) value = stm_qmp_execute_sync (
      qmp, &(StmQmpCall){ .command = "add-fd", .passed_fd = &fd, .attempt = "passing" }, NULL,
      &error);

  g_assert_no_error (error);
  g_assert_nonnull (value);
  scripted_qmp_finish (peer);
  g_assert_cmpuint (scripted_qmp_get_n_fds (peer), ==, 1);
  close (fd);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/qemu/qmp/refusals-are-typed", test_refusals_are_typed);
  g_test_add_func ("/qemu/qmp/the-greeting-gives-the-version", test_greeting_gives_the_version);
  g_test_add_func ("/qemu/qmp/another-protocol-is-refused", test_another_protocol_is_refused);
  g_test_add_func ("/qemu/qmp/a-command-gives-its-value", test_a_command_gives_its_value);
  g_test_add_func ("/qemu/qmp/a-refusal-keeps-class-and-words",
                   test_a_refusal_keeps_class_and_words);
  g_test_add_func ("/qemu/qmp/events-are-kept-in-order", test_events_are_kept_in_order);
  g_test_add_func ("/qemu/qmp/a-flood-of-events-is-cut", test_a_flood_of_events_is_cut);
  g_test_add_func ("/qemu/qmp/a-reply-to-nothing-is-refused", test_a_reply_to_nothing_is_refused);
  g_test_add_func ("/qemu/qmp/a-cancelled-call-leaves-the-next-in-step",
                   test_a_cancelled_call_leaves_the_next_in_step);
  g_test_add_func ("/qemu/qmp/a-cancelled-call-is-not-sent", test_a_cancelled_call_is_not_sent);
  g_test_add_func ("/qemu/qmp/hanging-up-ends-the-call", test_hanging_up_ends_the_call);
  g_test_add_func ("/qemu/qmp/death-ends-the-call-though-the-socket-is-open",
                   test_death_ends_the_call_though_the_socket_is_open);
  g_test_add_func ("/qemu/qmp/a-descriptor-goes-along", test_a_descriptor_goes_along);

  return g_test_run ();
}
