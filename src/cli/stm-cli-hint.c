/* Looks for the way out of an error in three places: where the thing that was not found is listed,
 * what the command has for an error of that code, and what stands here for the options and methods
 * of the bus that the message names.
 *
 * A hint stands beside the message, which is printed as it came: what is not recognised is not
 * lost, and a name that looks like an option does no harm. Nothing is decided by the text of a
 * message.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-hint.h"

#include "stemma-error.h"
#include "stm-cli-output.h"

#include <gio/gio.h>
#include <string.h>

typedef struct
{
  const char *noun;
  const char *verb; /* NULL: that of any command */
  int code;
  const char *word; /* that the message has, where the code alone says too little; NULL: any */
  const char *hint;
} Advice;

static const Advice advices[] = {
  { "snapshot", "revert", STEMMA_ERROR_UNSAVED_STATE, "option 'keep'",
    "--keep=NAME to make a snapshot of it, or --discard to throw it away" },
  { "snapshot", "revert", STEMMA_ERROR_RISKY, "option 'force'", "--force to go on all the same" },
  { "snapshot", "create", STEMMA_ERROR_AMBIGUOUS_PARENT, NULL,
    "without --checkpoint, and then 'stemmactl checkpoint create' with --parent=CHECKPOINT" },
  { "checkpoint", "create", STEMMA_ERROR_AMBIGUOUS_PARENT, NULL,
    "--parent=CHECKPOINT to say on which" },
  { "snapshot", "delete", STEMMA_ERROR_NO_SPACE, "'metadata-only'",
    "--metadata-only to forget it and touch no image" },
  { NULL, "undefine", STEMMA_ERROR_HAS_MOMENTS, "option 'moments'",
    "--moments=delete to delete them, or --moments=forget to leave their images as they are" },
  { NULL, "undefine", STEMMA_ERROR_NO_SPACE, "'metadata-only'",
    "--moments=forget to leave the images as they are" },
  { NULL, NULL, STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN, NULL,
    "on a desktop or a terminal with pkttyagent, where polkit can ask, without --no-ask-password" },
  { NULL, NULL, STEMMA_ERROR_NOT_AUTHORIZED, "by the authority",
    "as root, or as a user whom the rules of polkit allow it" },
};

/* What the messages of the service call by its name on the bus. */
static const struct
{
  const char *word;
  const char *meaning;
} methods[] = {
  { "Manager.Check", "'stemmactl check'" },
  { "Manager.Resolve", "'stemmactl resolve FINDING CHOICE'" },
  { "Domain.GetXML", "'stemmactl show VM --xml'" },
  { "Domain.Rename", "'stemmactl rename VM NEW-NAME'" },
  { "RedefineAll", "one 'redefine' with all files" },
  { "with metadata-only", "'delete --metadata-only'" },
};

/* The program, and the bus that it was told to speak on. */
static char *
program_of (const StmCliCall *call)
{
  g_autofree char *address = NULL;

  if (call->settings->session)
    return g_strdup ("stemmactl --session");
  if (call->settings->address == NULL)
    return g_strdup ("stemmactl");
  address = g_shell_quote (call->settings->address);
  return g_strdup_printf ("stemmactl --address=%s", address);
}

static char *
hint_of_listing (const StmCliCall *call, const GError *error)
{
  g_autofree char *program = NULL;

  if (call->listing == NULL || !g_error_matches (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    return NULL;
  program = program_of (call);
  return g_strdup_printf ("try: %s %s", program, call->listing);
}

/* There is no bus, or no service on it. One that is being replaced, or that was, needs no help. */
static char *
hint_of_absence (const StmCliCall *call, const GError *error)
{
  gboolean has_bus = !g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NO_SERVER);

  if (call->settings->address != NULL
      || (has_bus && !g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_SERVICE_UNKNOWN)
          && !g_error_matches (error, G_DBUS_ERROR, G_DBUS_ERROR_NAME_HAS_NO_OWNER))
      || (call->client != NULL && stemma_client_has_service_sync (call->client)))
    return NULL;
  if (call->settings->session)
    return g_strdup (has_bus ? "try: stemmad --session &"
                             : "try: dbus-run-session -- bash, a shell with a bus of its own");
  return g_strdup_printf ("try: %s--session, for a service of your own",
                          has_bus ? "systemctl start stemma; or " : "");
}

static gboolean
fits (const Advice *advice, const StmCliCommand *command, const GError *error)
{
  return advice->code == error->code
         && (advice->verb == NULL
             || (g_strcmp0 (advice->noun, command->noun) == 0
                 && g_str_equal (advice->verb, command->verb)))
         && (advice->word == NULL || strstr (error->message, advice->word) != NULL);
}

static char *
hint_of_code (const StmCliCall *call, const GError *error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (advices); i++)
    {
      if (fits (&advices[i], call->command, error))
        return g_strdup_printf ("try: %s", advices[i].hint);
    }
  return NULL;
}

/* Where the message begins to speak of options: "option 'keep'", "options 'keep' and 'discard'". */
static const char *
find_options (const char *message)
{
  const char *one = strstr (message, "option '");
  const char *several = strstr (message, "options '");

  return one == NULL || (several != NULL && several < one) ? several : one;
}

static void
add_meaning (GString *hint, const char *word, const char *meaning)
{
  g_string_append_printf (hint, "%s%s is %s", hint->len > 0 ? ", " : "", word, meaning);
}

static void
add_options (GString *hint, const StmCliCommand *command, const char *message)
{
  const char *from = find_options (message);

  for (const StmCliOption *option = command->options;
       from != NULL && option != NULL && option->name != NULL; option++)
    {
      g_autofree char *word = g_strdup_printf ("'%s'", option->key != NULL ? option->key : "");
      g_autofree char *flag = g_strconcat ("--", option->name, option->value != NULL ? "=" : "",
                                           option->value, NULL);

      if (option->key != NULL && strstr (from, word) != NULL)
        add_meaning (hint, word, flag);
    }
}

/* "here: 'disks' is --disk=TARGET, Manager.Check is 'stemmactl check'" */
static char *
hint_of_words (const StmCliCall *call, const GError *error)
{
  g_autoptr (GString) hint = g_string_new (NULL);

  add_options (hint, call->command, error->message);
  for (gsize i = 0; i < G_N_ELEMENTS (methods); i++)
    {
      if (strstr (error->message, methods[i].word) != NULL)
        add_meaning (hint, methods[i].word, methods[i].meaning);
    }
  return hint->len > 0 ? g_strdup_printf ("here: %s", hint->str) : NULL;
}

char *
stm_cli_hint_for (const StmCliCall *call, const GError *error)
{
  char *hint = NULL;

  if (call->command == NULL || call->settings == NULL)
    return NULL;
  if (error->domain != STEMMA_ERROR)
    return hint_of_absence (call, error);

  hint = hint_of_listing (call, error);
  if (hint == NULL)
    hint = hint_of_code (call, error);
  if (hint == NULL)
    hint = hint_of_words (call, error);
  return hint;
}

void
stm_cli_hint_print (const StmCliCall *call, const GError *error)
{
  g_autofree char *hint = stm_cli_hint_for (call, error);
  g_autofree char *shown = hint != NULL ? stm_cli_escape (hint) : NULL;

  if (shown != NULL && !call->settings->quiet)
    g_printerr ("%s\n", shown);
}
