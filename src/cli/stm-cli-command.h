/* The commands of stemmactl as tables: words, arguments, options. Parsing, help, completion and
 * what is sent to the service all come from them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-kind.h"

#include <glib.h>

typedef enum
{
  STM_CLI_FLAG,
  STM_CLI_TEXT,
  STM_CLI_LIST,   /* may be given several times */
  STM_CLI_NUMBER, /* from 1 on */
  STM_CLI_MOMENT, /* of the command's kind, by name; the service gets the path */
} StmCliOptionKind;

typedef struct
{
  const char *name;
  StmCliOptionKind kind;
  const char *value; /* the word that stands for the value in the help, as in `arguments` below */
  const char *help;
  const char *key;   /* of the service's option; NULL: for the command alone */
  const char *words; /* the values that there are, with spaces between; NULL: free */
} StmCliOption;

typedef struct _StmCliCall StmCliCall;
typedef gboolean (*StmCliRun) (StmCliCall *call, GError **error);

typedef struct
{
  const char *noun; /* NULL: the verb stands alone */
  const char *verb;
  /* "VM [SNAPSHOT...]". The words VM, SNAPSHOT, CHECKPOINT, TARGET, JOB, FINDING, CHOICE and FILE
   * are completed; others stand for text. */
  const char *arguments;
  const char *summary;
  const StmCliOption *options; /* ends with a name of NULL; NULL: none */
  StmCliRun run;
  StemmaKind kind;
  gboolean has_plan; /* can be put after `plan` */
} StmCliCommand;

/* All commands in the order of the help; ends with a verb of NULL. */
const StmCliCommand *const *stm_cli_command_tables (void);

/* `noun` NULL: a verb that stands alone. NULL when there is no such command. */
const StmCliCommand *stm_cli_command_find (const char *noun, const char *verb);
gboolean stm_cli_command_is_noun (const char *word);

/* The word for the argument at that position, without its brackets; NULL beyond the last. */
char *stm_cli_command_get_argument (const StmCliCommand *self, guint position);
guint stm_cli_command_min_arguments (const StmCliCommand *self);
guint stm_cli_command_max_arguments (const StmCliCommand *self); /* G_MAXUINT: no limit */

/* "snapshot list", to be freed. */
char *stm_cli_command_get_title (const StmCliCommand *self);
/* "snapshot list VM", the same with its arguments. */
char *stm_cli_command_get_usage (const StmCliCommand *self);
