/* Reads a command line by the command's table, and turns it into what the service is given.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-call.h"

#include "stemma-error.h"
#include "stm-cli-agent.h"
#include "stm-cli-terminal.h"

#include <string.h>

void
stm_cli_settings_clear (StmCliSettings *settings)
{
  g_clear_pointer (&settings->address, g_free);
}

GOptionEntry *
stm_cli_settings_entries (StmCliSettings *settings)
{
  const GOptionEntry entries[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &settings->system,
      "Speak to the service of the system (default)", NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &settings->session,
      "Speak to the service of this user's session", NULL },
    { "address", 0, 0, G_OPTION_ARG_STRING, &settings->address, "Speak to the service on this bus",
      "ADDRESS" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &settings->json, "Print JSON", NULL },
    { "no-ask-password", 0, 0, G_OPTION_ARG_NONE, &settings->no_ask_password,
      "Let nobody be asked for authorization", NULL },
    { "no-wait", 0, 0, G_OPTION_ARG_NONE, &settings->no_wait,
      "Begin jobs, and do not wait for their end", NULL },
    { "timeout", 0, 0, G_OPTION_ARG_INT, &settings->timeout,
      "Wait no longer for the reply to a call", "SECONDS" },
    { "yes", 'y', 0, G_OPTION_ARG_NONE, &settings->yes, "Take questions as answered with yes",
      NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &settings->quiet, "Print only what was asked for", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &settings->version, "Print the version", NULL },
    G_OPTION_ENTRY_NULL,
  };

  return g_memdup2 (entries, sizeof entries);
}

static guint
count_options (const StmCliCommand *command)
{
  guint n_options = 0;

  while (command->options != NULL && command->options[n_options].name != NULL)
    n_options++;
  return n_options;
}

static GOptionEntry
entry_of (const StmCliOption *option, StmCliValue *value)
{
  GOptionEntry entry = {
    .long_name = option->name,
    .arg = G_OPTION_ARG_STRING,
    .arg_data = &value->text,
    .description = option->help,
    .arg_description = option->value,
  };

  if (option->kind == STM_CLI_FLAG)
    {
      entry.arg = G_OPTION_ARG_NONE;
      entry.arg_data = &value->flag;
    }
  else if (option->kind == STM_CLI_LIST)
    {
      entry.arg = G_OPTION_ARG_STRING_ARRAY;
      entry.arg_data = &value->list;
    }
  else if (g_strcmp0 (option->value, "FILE") == 0)
    entry.arg = G_OPTION_ARG_FILENAME;
  return entry;
}

static GOptionContext *
make_context (StmCliCall *call, StmCliSettings *settings)
{
  g_autofree char *command = stm_cli_command_get_usage (call->command);
  g_autofree char *usage = g_strconcat (call->is_plan ? "plan " : "", command, NULL);
  GOptionContext *context = g_option_context_new (usage);
  guint n_options = count_options (call->command);
  g_autofree GOptionEntry *entries = g_new0 (GOptionEntry, n_options + 1);
  g_autofree GOptionEntry *shared = stm_cli_settings_entries (settings);
  GOptionGroup *group = g_option_group_new (
      "global", "Options of all commands:", "Show the options of all commands", NULL, NULL);

  for (guint i = 0; i < n_options; i++)
    entries[i] = entry_of (&call->command->options[i], &call->values[i]);
  g_option_context_set_summary (context, call->command->summary);
  g_option_context_add_main_entries (context, entries, /* translation_domain= */ NULL);
  g_option_group_add_entries (group, shared);
  g_option_context_add_group (context, group);
  return context;
}

/* Names are UTF-8 on the bus, whatever the locale is. */
static char *
word_to_utf8 (const char *word, GError **error)
{
  char *text = NULL;

  if (g_utf8_validate (word, -1, NULL))
    return g_strdup (word);

  text = g_locale_to_utf8 (word, -1, NULL, NULL, NULL);
  if (text == NULL)
    g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                         "an argument is not text in the character set of the locale");
  return text;
}

static gboolean
take_words (StmCliCall *call, int argc, char **argv, GError **error)
{
  gboolean has_options_ended = FALSE;

  call->words = g_new0 (char *, argc + 1);
  for (int i = 1; i < argc; i++)
    {
      /* GLib leaves it in place when another word stands before it. */
      if (!has_options_ended && g_str_equal (argv[i], "--"))
        {
          has_options_ended = TRUE;
          continue;
        }

      g_autofree char *kind = stm_cli_command_get_argument (call->command, call->n_words);
      char *word = g_strcmp0 (kind, "FILE") == 0 ? g_strdup (argv[i])
                                                 : word_to_utf8 (argv[i], error);

      if (word == NULL)
        return FALSE;
      call->words[call->n_words++] = word;
    }
  return TRUE;
}

static gboolean
check_words (StmCliCall *call, GError **error)
{
  g_autofree char *usage = stm_cli_command_get_usage (call->command);

  if (call->n_words >= stm_cli_command_min_arguments (call->command)
      && call->n_words <= stm_cli_command_max_arguments (call->command))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "too %s arguments; usage: stemmactl %s%s",
               call->n_words < stm_cli_command_min_arguments (call->command) ? "few" : "many",
               call->is_plan ? "plan " : "", usage);
  return FALSE;
}

/* As text, so that one that makes no sense is not taken for none. */
static gboolean
read_number (const StmCliOption *option, StmCliValue *value, GError **error)
{
  guint64 number = 0;

  if (g_ascii_string_to_unsigned (value->text, 10, 1, G_MAXUINT32, &number, /* error= */ NULL))
    {
      value->number = (guint32) number;
      return TRUE;
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "--%s wants a number from 1 to %u, not '%s'", option->name, G_MAXUINT32,
               value->text);
  return FALSE;
}

static gboolean
check_word (const StmCliOption *option, const char *word, GError **error)
{
  g_auto (GStrv) known = g_strsplit (option->words, " ", -1);
  g_autofree char *list = g_strjoinv (", ", known);

  if (g_strv_contains ((const char *const *) known, word))
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "--%s wants one of: %s; not '%s'", option->name, list, word);
  return FALSE;
}

static gboolean
check_value (const StmCliOption *option, StmCliValue *value, GError **error)
{
  if (option->kind == STM_CLI_NUMBER && value->text != NULL)
    return read_number (option, value, error);
  if (option->words == NULL)
    return TRUE;

  for (guint i = 0; value->list != NULL && value->list[i] != NULL; i++)
    {
      if (!check_word (option, value->list[i], error))
        return FALSE;
    }
  return value->text == NULL || check_word (option, value->text, error);
}

static gboolean
check_values (StmCliCall *call, GError **error)
{
  guint n_options = count_options (call->command);

  for (guint i = 0; i < n_options; i++)
    {
      if (!check_value (&call->command->options[i], &call->values[i], error))
        return FALSE;
    }
  return TRUE;
}

gboolean
stm_cli_call_parse (StmCliCall *call, StmCliSettings *settings, int *argc, char ***argv,
                    GError **error)
{
  g_autoptr (GOptionContext) context = NULL;
  g_autoptr (GError) problem = NULL;
  guint n_options = count_options (call->command);

  call->settings = settings;
  call->values = g_new0 (StmCliValue, n_options + 1);
  context = make_context (call, settings);
  if (!g_option_context_parse (context, argc, argv, &problem))
    {
      g_autofree char *title = stm_cli_command_get_title (call->command);

      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "%s; 'stemmactl %s --help' lists the options", problem->message, title);
      return FALSE;
    }
  return take_words (call, *argc, *argv, error) && check_words (call, error)
         && check_values (call, error);
}

void
stm_cli_call_clear (StmCliCall *call)
{
  guint n_options = call->values != NULL ? count_options (call->command) : 0;

  for (guint i = 0; i < n_options; i++)
    {
      g_free (call->values[i].text);
      g_strfreev (call->values[i].list);
    }
  g_clear_pointer (&call->values, g_free);
  g_clear_pointer (&call->words, g_strfreev);
  g_clear_pointer (&call->listing, g_free);
  g_clear_object (&call->client);
  g_clear_pointer (&call->agent, stm_cli_agent_stop);
}

static GDBusCallFlags
flags_of (const StmCliSettings *settings)
{
  return settings->no_ask_password ? G_DBUS_CALL_FLAGS_NONE
                                   : G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION;
}

/* At most one agent is started: when it cannot ask, a second one cannot. */
static gboolean
on_challenge (gpointer user_data)
{
  StmCliCall *call = user_data;

  if (call->agent != NULL)
    return FALSE;
  call->agent = stm_cli_agent_start ();
  return call->agent != NULL;
}

StemmaClient *
stm_cli_call_get_client (StmCliCall *call, GError **error)
{
  const StmCliSettings *settings = call->settings;

  if (call->client != NULL)
    return call->client;

  if (settings->address != NULL)
    call->client = stemma_client_new_for_address_sync (settings->address, NULL, error);
  else
    call->client = stemma_client_new_sync (
        settings->session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM, NULL, error);
  if (call->client == NULL)
    return NULL;

  stemma_client_set_call_flags (call->client, flags_of (settings));
  stemma_client_set_timeout (call->client, settings->timeout > 0 ? settings->timeout * 1000 : -1);
  if (!settings->no_ask_password && !settings->session && stm_cli_can_ask ())
    stemma_client_set_challenge_func (call->client, on_challenge, call);
  return call->client;
}

static const StmCliValue *
value_of (const StmCliCall *call, const char *name)
{
  guint n_options = count_options (call->command);

  for (guint i = 0; i < n_options; i++)
    {
      if (g_str_equal (call->command->options[i].name, name))
        return &call->values[i];
    }
  return NULL;
}

gboolean
stm_cli_call_flag (const StmCliCall *call, const char *name)
{
  const StmCliValue *value = value_of (call, name);

  return value != NULL && value->flag;
}

const char *
stm_cli_call_text (const StmCliCall *call, const char *name)
{
  const StmCliValue *value = value_of (call, name);

  return value != NULL ? value->text : NULL;
}

const char *
stm_cli_call_find_choice (const StmCliCall *call)
{
  guint n_options = count_options (call->command);

  for (guint i = 0; i < n_options; i++)
    {
      const StmCliOption *option = &call->command->options[i];
      const StmCliValue *value = &call->values[i];

      if (option->key != NULL && option->kind != STM_CLI_MOMENT
          && (value->flag || value->text != NULL || value->list != NULL))
        return option->name;
    }
  return NULL;
}

/* Whether a shell takes it as it is, and the program as no option. */
static gboolean
is_plain (const char *word)
{
  const char *at = word;

  while (g_ascii_isalnum (*at) || (*at != '\0' && strchr ("_.:/@%+=,-", *at) != NULL))
    at++;
  return *word != '\0' && *word != '-' && *at == '\0';
}

void
stm_cli_call_note_listing (StmCliCall *call, const char *list_command, const char *word)
{
  g_autofree char *quoted = word != NULL && !is_plain (word) ? g_shell_quote (word) : NULL;

  g_free (call->listing);
  call->listing = g_strdup_printf ("%s%s%s%s", list_command, word != NULL ? " " : "",
                                   word != NULL && *word == '-' ? "-- " : "",
                                   quoted != NULL ? quoted
                                   : word != NULL ? word
                                                  : "");
}

/* The first argument of commands on moments is the machine. */
static char *
find_moment (StmCliCall *call, const char *domain, const char *text, GError **error)
{
  StemmaKind kind = call->command->kind;
  char *found = stemma_client_find_moment_sync (call->client, kind, domain, text,
                                                /* cancellable= */ NULL, error);
  g_autofree char *list_command = g_strconcat (stemma_kind_to_word (kind), " list", NULL);

  if (found == NULL)
    stm_cli_call_note_listing (call, list_command, call->words[0]);
  return found;
}

/* Floating; NULL with error, or without when the option was not given. */
static GVariant *
value_to_variant (StmCliCall *call, const StmCliOption *option, const StmCliValue *value,
                  const char *domain, GError **error)
{
  g_autofree char *path = NULL;

  switch (option->kind)
    {
    case STM_CLI_FLAG:
      return value->flag ? g_variant_new_boolean (TRUE) : NULL;
    case STM_CLI_LIST:
      return value->list == NULL
                 ? NULL
                 : g_variant_new_strv ((const char *const *) value->list, /* length= */ -1);
    case STM_CLI_NUMBER:
      return value->number == 0 ? NULL : g_variant_new_uint32 (value->number);
    case STM_CLI_MOMENT:
      if (value->text == NULL)
        return NULL;
      path = find_moment (call, domain, value->text, error);
      return path == NULL ? NULL : g_variant_new_object_path (path);
    case STM_CLI_TEXT:
      break;
    }
  return value->text == NULL ? NULL : g_variant_new_string (value->text);
}

gboolean
stm_cli_call_add_options (StmCliCall *call, const char *domain, GVariantBuilder *options,
                          GError **error)
{
  guint n_options = count_options (call->command);

  for (guint i = 0; i < n_options; i++)
    {
      const StmCliOption *option = &call->command->options[i];
      GError *problem = NULL;
      GVariant *value = option->key == NULL
                            ? NULL
                            : value_to_variant (call, option, &call->values[i], domain, &problem);

      if (problem != NULL)
        {
          g_propagate_error (error, problem);
          return FALSE;
        }
      if (value != NULL)
        g_variant_builder_add (options, "{sv}", option->key, value);
    }
  return TRUE;
}

char *
stm_cli_call_find_domain (StmCliCall *call, guint position, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  char *found = client == NULL ? NULL
                               : stemma_client_find_domain_sync (client, call->words[position],
                                                                 /* cancellable= */ NULL, error);

  if (found == NULL)
    stm_cli_call_note_listing (call, "list", /* word= */ NULL);
  return found;
}

char *
stm_cli_call_find_moment (StmCliCall *call, const char *domain, guint position, GError **error)
{
  return stm_cli_call_get_client (call, error) == NULL
             ? NULL
             : find_moment (call, domain, call->words[position], error);
}

GVariant *
stm_cli_no_options (void)
{
  return g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0);
}
