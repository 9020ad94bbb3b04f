/* stemmactl: finds the command, runs it, and ends with the status that its manual names.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-call.h"
#include "stm-cli-complete.h"
#include "stm-cli-exit.h"
#include "stm-cli-hint.h"
#include "stm-cli-output.h"

#include <locale.h>
#include <string.h>

/* Of the column of commands in the help. */
#define USAGE_WIDTH "38"

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmCliSettings, stm_cli_settings_clear)
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (StmCliCall, stm_cli_call_clear)

/* What is left of the command line, and what was read from it. */
typedef struct
{
  StmCliCall *call;
  StmCliSettings *settings;
  int argc;
  char **argv;
} Line;

/* Those of a noun, or all of them; after `plan` those that have one. */
static void
list_commands (GString *text, const char *noun, gboolean is_plan)
{
  const StmCliCommand *const *tables = stm_cli_command_tables ();

  for (gsize i = 0; tables[i] != NULL; i++)
    {
      for (const StmCliCommand *command = tables[i]; command->verb != NULL; command++)
        {
          g_autofree char *usage = stm_cli_command_get_usage (command);

          if ((noun == NULL || g_strcmp0 (command->noun, noun) == 0)
              && (!is_plan || command->has_plan))
            g_string_append_printf (text, "  %-" USAGE_WIDTH "s  %s\n", usage, command->summary);
        }
    }
  if (noun == NULL && !is_plan)
    g_string_append_printf (text, "  %-" USAGE_WIDTH "s  %s\n", "plan COMMAND ...",
                            "Say what a command would do: create, revert, delete, undefine");
}

/* "plan snapshot", the words of the command so far; to be freed. */
static char *
words_before (const Line *line, const char *noun)
{
  return g_strconcat (line->call->is_plan ? "plan " : "", noun != NULL ? noun : "",
                      noun != NULL ? " " : "", NULL);
}

/* Reads the options that stand before the next word of the command. */
static gboolean
read_settings (Line *line, const char *noun, GError **error)
{
  g_autofree char *before = words_before (line, noun);
  g_autofree char *usage = g_strconcat (before, "COMMAND ...", NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_autofree GOptionEntry *entries = stm_cli_settings_entries (line->settings);
  g_autoptr (GString) commands = g_string_new ("Commands:\n");
  g_autoptr (GError) problem = NULL;

  list_commands (commands, noun, line->call->is_plan);
  g_string_append (commands, "\nOptions of a command: stemmactl COMMAND --help");
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_add_main_entries (context, entries, /* translation_domain= */ NULL);
  g_option_context_set_description (context, commands->str);
  if (g_option_context_parse (context, &line->argc, &line->argv, &problem))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "%s; 'stemmactl --help' lists options and commands", problem->message);
  return FALSE;
}

/* Takes the first word off; NULL when there is none. */
static const char *
take_word (Line *line)
{
  const char *word = line->argc > 1 ? line->argv[1] : NULL;

  if (word == NULL)
    return NULL;
  memmove (&line->argv[1], &line->argv[2], (gsize) (line->argc - 1) * sizeof line->argv[0]);
  line->argc--;
  return word;
}

static gboolean
set_unknown (const Line *line, const char *noun, const char *word, GError **error)
{
  g_autofree char *before = words_before (line, noun);

  if (word == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "a command is missing; 'stemmactl %s--help' lists them", before);
  else
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "there is no command '%s%s%s'; 'stemmactl %s--help' lists them",
                 noun != NULL ? noun : "", noun != NULL ? " " : "", word, before);
  return FALSE;
}

static gboolean
set_without_plan (const StmCliCommand *command, GError **error)
{
  g_autofree char *title = stm_cli_command_get_title (command);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "'%s' has no plan; 'stemmactl plan --help' lists the commands that have one", title);
  return FALSE;
}

/* The command of the next words. */
static gboolean
find_command (Line *line, GError **error)
{
  StmCliCall *call = line->call;
  const char *word = take_word (line);
  const char *noun = NULL;

  if (g_strcmp0 (word, "plan") == 0)
    {
      call->is_plan = TRUE;
      if (!read_settings (line, /* noun= */ NULL, error))
        return FALSE;
      word = take_word (line);
    }
  if (word != NULL && stm_cli_command_is_noun (word))
    {
      noun = word;
      if (!read_settings (line, noun, error))
        return FALSE;
      word = take_word (line);
    }
  call->command = word != NULL ? stm_cli_command_find (noun, word) : NULL;
  if (call->command == NULL)
    return set_unknown (line, noun, word, error);
  return !call->is_plan || call->command->has_plan || set_without_plan (call->command, error);
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
run (Line *line, GError **error)
{
  StmCliCall *call = line->call;

  if (!read_settings (line, /* noun= */ NULL, error))
    return FALSE;
  if (line->settings->version)
    {
      stm_cli_print_line ("stemmactl %s", STM_VERSION);
      return TRUE;
    }
  return find_command (line, error)
         && stm_cli_call_parse (call, line->settings, &line->argc, &line->argv, error)
         && check_settings (line->settings, error) && call->command->run (call, error);
}

int
main (int argc, char **argv)
{
  g_auto (StmCliSettings) settings = { 0 };
  g_auto (StmCliCall) call = { 0 };
  g_autoptr (GError) error = NULL;
  g_autofree char **words = g_memdup2 (argv, (gsize) (argc + 1) * sizeof argv[0]);
  Line line = { .call = &call, .settings = &settings, .argc = argc, .argv = words };

  setlocale (LC_ALL, "");
  g_set_prgname ("stemmactl");
  if (argc > 1 && g_str_equal (argv[1], "__complete"))
    {
      stm_cli_complete (argv + 2);
      return STM_CLI_EXIT_OK;
    }
  if (!run (&line, &error))
    {
      g_autofree char *message = stm_cli_escape (error->message);

      g_printerr ("stemmactl: %s\n", message);
      stm_cli_hint_print (&call, error);
      return stm_cli_exit_of (error);
    }
  return call.status;
}
