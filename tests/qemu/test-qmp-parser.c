/* The QMP parser on what a monitor may send, and may not.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-qmp-parser.h"

#include <string.h>

static StmQmpMessage *
parse (const char *text, GError **error)
{
  g_autoptr (StmQmpParser) parser = stm_qmp_parser_new ();

  if (!stm_qmp_parser_feed (parser, text, strlen (text), error))
    return NULL;
  return stm_qmp_parser_next (parser, error);
}

static void
test_parser_reads_messages (void)
{
  static const struct
  {
    const char *text;
    StmQmpKind kind;
    const char *id, *name, *words;
  } vectors[] = {
    { "{\"QMP\": {}}\r\n", STM_QMP_GREETING, NULL, NULL, NULL },
    { "\r\n\n  {\"return\": null, \"id\": \"7\"}\n", STM_QMP_RETURN, "7", NULL, NULL },
    { "{\"return\": [[[\"]]}\"]]], \"id\": \"1\"}\n", STM_QMP_RETURN, "1", NULL, NULL },
    { "{\"event\": \"STOP\", \"timestamp\": {}}\n", STM_QMP_EVENT, NULL, "STOP", NULL },
    { "{\"error\": {\"class\": \"C\", \"desc\": \"a\\nb\"}, \"id\": \"2\"}\n", STM_QMP_FAILURE, "2",
      "C", "a\nb" },
    { "{\"error\": {\"class\": \"C\", \"desc\": \"d\"}}\n", STM_QMP_FAILURE, NULL, "C", "d" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StmQmpMessage) message = parse (vectors[i].text, &error);

      g_test_message ("%s", vectors[i].text);
      g_assert_no_error (error);
      g_assert_nonnull (message);
      g_assert_cmpint (message->kind, ==, vectors[i].kind);
      g_assert_cmpstr (message->id, ==, vectors[i].id);
      g_assert_cmpstr (message->name, ==, vectors[i].name);
      g_assert_cmpstr (message->words, ==, vectors[i].words);
    }
}

static void
test_parser_refuses_what_is_no_message (void)
{
  static const char *const vectors[] = {
    "x\n",
    "7\n",
    "[]\n",
    "{}\n",
    "{\"QMP\": 1}\n",
    "{\"event\": {}}\n",
    "{\"error\": \"text\"}\n",
    "{\"error\": {\"class\": \"C\"}}\n",
    "{\"error\": {\"class\": 1, \"desc\": \"d\"}}\n",
    "{\"return\": {}\n",
    "{\"return\": \"\xff\"}\n",
    "\"\n",
    "{\"return\": 1}}\n",
    "}\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StmQmpMessage) message = parse (vectors[i], &error);
      g_autofree char *shown = g_strescape (vectors[i], NULL);

      g_test_message ("%s", shown);
      g_assert_null (message);
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
    }
}

static char *
nest (guint depth)
{
  GString *text = g_string_new ("{\"return\": ");

  for (guint i = 0; i < depth; i++)
    g_string_append_c (text, '[');
  for (guint i = 0; i < depth; i++)
    g_string_append_c (text, ']');
  g_string_append (text, "}\n");
  return g_string_free (text, FALSE);
}

static void
test_parser_limits_depth (void)
{
  g_autofree char *allowed = nest (STM_QMP_MAX_DEPTH - 1);
  g_autofree char *refused = nest (STM_QMP_MAX_DEPTH);
  g_autofree char *absurd = nest (1000 * 1000);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmQmpMessage) message = parse (allowed, &error);

  g_assert_no_error (error);
  g_assert_nonnull (message);
  g_assert_null (parse (refused, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
  g_clear_error (&error);
  g_assert_null (parse (absurd, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR);
}

static void
test_parser_limits_length (void)
{
  g_autoptr (StmQmpParser) parser = stm_qmp_parser_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *piece = g_strnfill (1024 * 1024, ' ');
  gsize fed = 0;

  while (stm_qmp_parser_feed (parser, piece, 1024 * 1024, &error))
    {
      g_assert_null (stm_qmp_parser_next (parser, &error));
      g_assert_no_error (error);
      fed += 1024 * 1024;
      g_assert_cmpuint (fed, <=, STM_QMP_MAX_LINE);
    }
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
}

static void
test_parser_takes_any_pieces (void)
{
  const char *text =
      "{\"event\": \"A\"}\r\n{\"return\": {}, \"id\": \"1\"}\r\n{\"event\": \"B\"}\r\n";
  gsize length = strlen (text);

  for (gsize piece = 1; piece <= length; piece++)
    {
      g_autoptr (StmQmpParser) parser = stm_qmp_parser_new ();
      g_autoptr (GString) seen = g_string_new (NULL);
      g_autoptr (GError) error = NULL;
      StmQmpMessage *message;

      for (gsize at = 0; at < length; at += piece)
        {
          g_assert_true (stm_qmp_parser_feed (parser, text + at, MIN (piece, length - at), &error));
          while ((message = stm_qmp_parser_next (parser, &error)) != NULL)
            {
              g_string_append (seen, message->name != NULL ? message->name : message->id);
              stm_qmp_message_free (message);
            }
          g_assert_no_error (error);
        }
      g_assert_cmpstr (seen->str, ==, "A1B");
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);

  g_test_add_func ("/qemu/qmp-parser/messages-are-told-apart", test_parser_reads_messages);
  g_test_add_func ("/qemu/qmp-parser/what-is-no-message-is-refused",
                   test_parser_refuses_what_is_no_message);
  g_test_add_func ("/qemu/qmp-parser/depth-is-limited", test_parser_limits_depth);
  g_test_add_func ("/qemu/qmp-parser/length-is-limited", test_parser_limits_length);
  g_test_add_func ("/qemu/qmp-parser/any-pieces-give-the-same", test_parser_takes_any_pieces);

  return g_test_run ();
}
