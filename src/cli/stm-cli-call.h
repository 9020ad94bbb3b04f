/* One run of stemmactl: the command, what was given with it, and the connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"
#include "stm-cli-command.h"

/* What holds for every command. */
typedef struct
{
  gboolean system;
  gboolean session;
  char *address;
  gboolean json;
  gboolean no_ask_password;
  gboolean no_wait;
  gboolean yes;
  gboolean quiet;
  int timeout; /* seconds; 0: none */
  gboolean version;
} StmCliSettings;

void stm_cli_settings_clear (StmCliSettings *settings);
/* Entries that fill the settings; to be freed with g_free(). */
GOptionEntry *stm_cli_settings_entries (StmCliSettings *settings);

/* What was given for one option. */
typedef struct
{
  gboolean flag;
  char *text;
  char **list;
  guint32 number; /* 0: not given */
} StmCliValue;

struct _StmCliCall
{
  const StmCliCommand *command;
  const StmCliSettings *settings;
  gboolean is_plan;    /* only say what would be done */
  StmCliValue *values; /* one for each option of the command */
  char **words;        /* arguments: UTF-8, but for FILE */
  guint n_words;
  StemmaClient *client; /* NULL until it is needed */
  GSubprocess *agent;   /* the same; asks for passwords on the terminal */
  char *listing;        /* the command that lists what was looked for in vain; else NULL */
  int status;           /* of the process, when the command succeeds */
};

/* Reads the rest of the command line. INVALID_ARGUMENT when it is not as the table says. `argv` is
 * the program's, without the words of the command. */
gboolean stm_cli_call_parse (StmCliCall *call, StmCliSettings *settings, int *argc, char ***argv,
                             GError **error);
void stm_cli_call_clear (StmCliCall *call);

/* The connection; the same each time. NULL with error. */
StemmaClient *stm_cli_call_get_client (StmCliCall *call, GError **error);

/* Options of the command by name; the name must be in its table. */
gboolean stm_cli_call_flag (const StmCliCall *call, const char *name);
const char *stm_cli_call_text (const StmCliCall *call, const char *name); /* NULL: not given */

/* The first option that was given and is the service's to read, but for moments, which stand in no
 * document; NULL when there is none. */
const char *stm_cli_call_find_choice (const StmCliCall *call);

/* Adds to an a{sv} what the command's options say to the service. `domain` is for moments by name;
 * may be NULL when the command has no such option. */
gboolean stm_cli_call_add_options (StmCliCall *call, const char *domain, GVariantBuilder *options,
                                   GError **error);

/* Notes where a thing that is not there would stand: the command `list_command`, with `word` as its
 * argument unless that is NULL. */
void stm_cli_call_note_listing (StmCliCall *call, const char *list_command, const char *word);

/* The object paths that the arguments name; notes the listing when there is none. */
char *stm_cli_call_find_domain (StmCliCall *call, guint position, GError **error);
char *
stm_cli_call_find_moment (StmCliCall *call, const char *domain, guint position, GError **error);

/* An empty a{sv}, floating. */
GVariant *stm_cli_no_options (void);
