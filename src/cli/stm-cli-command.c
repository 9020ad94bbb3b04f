/* Looks into the tables of commands.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-command.h"

#include "stm-cli-nouns.h"

static const StmCliCommand *const tables[] = {
  stm_cli_domain_commands,     stm_cli_snapshot_commands,
  stm_cli_checkpoint_commands, stm_cli_disk_commands,
  stm_cli_job_commands,        stm_cli_monitor_commands,
  stm_cli_check_commands,      NULL,
};

const StmCliCommand *const *
stm_cli_command_tables (void)
{
  return tables;
}

const StmCliCommand *
stm_cli_command_find (const char *noun, const char *verb)
{
  for (gsize i = 0; tables[i] != NULL; i++)
    {
      for (const StmCliCommand *command = tables[i]; command->verb != NULL; command++)
        {
          if (g_strcmp0 (command->noun, noun) == 0 && g_str_equal (command->verb, verb))
            return command;
        }
    }
  return NULL;
}

gboolean
stm_cli_command_is_noun (const char *word)
{
  for (gsize i = 0; tables[i] != NULL; i++)
    {
      if (g_strcmp0 (tables[i]->noun, word) == 0)
        return TRUE;
    }
  return FALSE;
}

static gboolean
is_repeated (const char *word)
{
  return strstr (word, "...") != NULL;
}

char *
stm_cli_command_get_argument (const StmCliCommand *self, guint position)
{
  g_auto (GStrv) words = g_strsplit (self->arguments, " ", -1);
  guint n_words = g_strv_length (words);
  const char *word = NULL;
  g_auto (GStrv) parts = NULL;

  if (n_words == 0 || *words[0] == '\0')
    return NULL;
  if (position < n_words)
    word = words[position];
  else if (is_repeated (words[n_words - 1]))
    word = words[n_words - 1];
  if (word == NULL)
    return NULL;

  parts = g_strsplit_set (*word == '[' ? word + 1 : word, ".]|", 2);
  return g_strdup (parts[0]);
}

guint
stm_cli_command_min_arguments (const StmCliCommand *self)
{
  g_auto (GStrv) words = g_strsplit (self->arguments, " ", -1);
  guint n_needed = 0;

  for (guint i = 0; words[i] != NULL; i++)
    n_needed += *words[i] != '[' && *words[i] != '\0';
  return n_needed;
}

guint
stm_cli_command_max_arguments (const StmCliCommand *self)
{
  g_auto (GStrv) words = g_strsplit (self->arguments, " ", -1);
  guint n_words = g_strv_length (words);

  if (n_words == 0 || *words[0] == '\0')
    return 0;
  return is_repeated (words[n_words - 1]) ? G_MAXUINT : n_words;
}

char *
stm_cli_command_get_title (const StmCliCommand *self)
{
  return self->noun == NULL ? g_strdup (self->verb)
                            : g_strdup_printf ("%s %s", self->noun, self->verb);
}

char *
stm_cli_command_get_usage (const StmCliCommand *self)
{
  g_autofree char *title = stm_cli_command_get_title (self);

  return g_strconcat (title, *self->arguments != '\0' ? " " : "", self->arguments, NULL);
}
