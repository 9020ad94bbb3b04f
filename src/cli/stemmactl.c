/* stemmactl: finds the command, runs it, and ends with the status that its manual names.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-call.h"
#include "stm-cli-complete.h"
#include "stm-cli-exit.h"
#include "stm-cli-output.h"

#include <locale.h>
#include <string.h>

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmCliSettings, stm_cli_settings_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmCliCall, stm_cli_call_clear)

static void
list_commands (GString *text, const char *noun)
{
  const StmCliCommand *const *tables = stm_cli_command_tables ();

  for (gsize i = 0; tables[i] != NULL; i++)
    {
      for (const StmCliCommand *command = tables[i]; command->verb != NULL; command++)
        {
          g_autofree char *title = stm_cli_command_get_title (command);
          g_autofree char *usage = g_strdup_printf ("%s %s", title, command->arguments);

          if (noun == NULL || g_strcmp0 (command->noun, noun) == 0)
            g_string_append_printf (text, "  %-38s %s\n", usage, command->summary);
        }
    }
  if (noun == NULL)
    g_string_append_printf (text, "  %-38s %s\n", "plan COMMAND ...",
                            "Say what a command would do: create, revert, delete, undefine");
}

/* Reads the options that stand before the next word of the command. */
static gboolean
read_settings (StmCliSettings *settings, const char *noun, int *argc, char ***argv, GError **error)
{
  g_autofree char *usage = noun != NULL ? g_strdup_printf ("%s COMMAND ...", noun)
                                        : g_strdup ("COMMAND ...");
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_autofree GOptionEntry *entries = stm_cli_settings_entries (settings);
  g_autoptr (GString) commands = g_string_new ("Commands:\n");
  g_autoptr (GError) problem = NULL;

  list_commands (commands, noun);
  g_string_append (commands, "\nOptions of a command: stemmactl COMMAND --help");
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, entries, /* translation_domain= */ NULL);
  g_option_context_set_description (context, commands->str);
  if (g_option_context_parse (context, argc, argv, &problem))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "%s; 'stemmactl --help' lists options and commands", problem->message);
  return FALSE;
}

/* Takes the first word off; NULL when there is none. */
static const char *
take_word (int *argc, char **argv)
{
  const char *word = *argc > 1 ? argv[1] : NULL;

  if (word == NULL)
    return NULL;
  memmove (&argv[1], &argv[2], (gsize) (*argc - 1) * sizeof argv[0]);
  (*argc)--;
  return word;
}

static gboolean
set_unknown (const char *noun, const char *word, GError **error)
{
  if (word == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "a command is missing; 'stemmactl %s%s--help' lists them",
                 noun != NULL ? noun : "", noun != NULL ? " " : "");
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "there is no command '%s%s%s'; 'stemmactl %s%s--help' lists them",
                 noun != NULL ? noun : "", noun != NULL ? " " : "", word, noun != NULL ? noun : "",
                 noun != NULL ? " " : "");
  return FALSE;
}

/* The command of the next words. */
static gboolean
find_command (StmCliCall *call, StmCliSettings *settings, int *argc, char ***argv, GError **error)
{
  const char *word = take_word (argc, *argv);
  const char *noun = NULL;

  if (g_strcmp0 (word, "plan") == 0)
    {
      call->is_plan = TRUE;
      if (!read_settings (settings, /* noun= */ NULL, argc, argv, error))
        return FALSE;
      word = take_word (argc, *argv);
    }
  if (word != NULL && stm_cli_command_is_noun (word))
    {
      noun = word;
      if (!read_settings (settings, noun, argc, argv, error))
        return FALSE;
      word = take_word (argc, *argv);
    }
  call->command = word != NULL ? stm_cli_command_find (noun, word) : NULL;
  if (call->command == NULL)
    return set_unknown (noun, word, error);
  if (!call->is_plan || call->command->has_plan)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "'%s' has no plan: those that change images have one, such as 'snapshot revert'",
               word);
  return FALSE;
}

static gboolean
check_settings (const StmCliSettings *settings, GError **error)
{
  if (settings->session + settings->system + (settings->address != NULL) > 1)
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                           "--system, --session and --address exclude each other");
      return FALSE;
    }
  if (settings->timeout < 0 || settings->timeout > G_MAXINT / 1000)
    {
      g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                           "--timeout is not a sensible number of seconds");
      return FALSE;
    }
  return TRUE;
}

static gboolean
run (StmCliCall *call, StmCliSettings *settings, int argc, char **argv, GError **error)
{
  if (!read_settings (settings, /* noun= */ NULL, &argc, &argv, error))
    return FALSE;
  if (settings->version)
    {
      stm_cli_print_line ("stemmactl %s", STM_VERSION);
      return TRUE;
    }
  return find_command (call, settings, &argc, &argv, error)
         && stm_cli_call_parse (call, settings, &argc, &argv, error)
         && check_settings (settings, error) && call->command->run (call, error);
}

int
main (int argc, char **argv)
{
  g_auto (StmCliSettings) settings = { 0 };
  g_auto (StmCliCall) call = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char **words = g_memdup2 (argv, (gsize) (argc + 1) * sizeof argv[0]);

  setlocale (LC_ALL, "");
  g_set_prgname ("stemmactl");
  if (argc > 1 && g_str_equal (argv[1], "__complete"))
    {
      stm_cli_complete (argv + 2);
      return STM_CLI_EXIT_OK;
    }
  if (!run (&call, &settings, argc, words, &error))
    {
      g_autofree char *message = stm_cli_escape (error->message);

      g_printerr ("stemmactl: %s\n", message);
      return stm_cli_exit_of (error);
    }
  return call.status;
}
