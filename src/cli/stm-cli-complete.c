/* Finds out where on the command line the cursor is, and what fits there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-complete.h"

#include "stemma-moments.h"
#include "stm-cli-call.h"
#include "stm-cli-disk.h"
#include "stm-cli-output.h"

#include <gio/gio.h>
#include <string.h>

/* Who presses Tab does not wait longer. */
#define TIMEOUT_MILLISECONDS 1500
/* More names than anybody chooses from. */
#define MAX_NAMES 10000

typedef struct
{
  StmCliSettings settings;
  StemmaClient *client;
  const char *prefix; /* of the word at the cursor */
  const char *noun;   /* as far as they were read */
  const char *verb;
  gboolean is_plan;
  GPtrArray *words;    /* arguments before the cursor */
  const char *pending; /* the word for the value that an option waits for */
  const char *pending_words;
} Completion;

static void
offer (Completion *self, const char *candidate, const char *description)
{
  if (!g_str_has_prefix (candidate, self->prefix) || strpbrk (candidate, "\n\t") != NULL)
    return;
  if (description != NULL)
    g_print ("%s\t%s\n", candidate, description);
  else
    g_print ("%s\n", candidate);
}

static void
offer_words (Completion *self, const char *words)
{
  g_auto (GStrv) each = g_strsplit (words, " ", -1);

  for (guint i = 0; each[i] != NULL; i++)
    offer (self, each[i], /* description= */ NULL);
}

static StemmaClient *
connect_quickly (Completion *self)
{
  if (self->client != NULL)
    return self->client;

  self->client = self->settings.address != NULL
                     ? stemma_client_new_for_address_sync (self->settings.address, NULL, NULL)
                     : stemma_client_new_sync (self->settings.session ? G_BUS_TYPE_SESSION
                                                                      : G_BUS_TYPE_SYSTEM,
                                               NULL, NULL);
  if (self->client != NULL)
    {
      stemma_client_set_call_flags (self->client, G_DBUS_CALL_FLAGS_NO_AUTO_START);
      stemma_client_set_timeout (self->client, TIMEOUT_MILLISECONDS);
    }
  return self->client;
}

/* The names of the objects that have an interface. */
static void
offer_objects (Completion *self, const char *manager, const char *interface, const char *property)
{
  g_autofree char *full = g_strconcat (STEMMA_BUS_NAME ".", interface, NULL);
  g_autoptr (GVariant) objects = stemma_client_get_objects_sync (self->client, manager, NULL, NULL);
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  if (objects == NULL)
    return;
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant)
          properties = g_variant_lookup_value (interfaces, full, G_VARIANT_TYPE_VARDICT);

      if (properties != NULL)
        offer (self,
               property != NULL ? stm_cli_get_string (properties, property)
                                : strrchr (path, '/') + 1,
               property != NULL ? NULL : stm_cli_get_string (properties, "Operation"));
    }
}

static char *
find_domain (Completion *self)
{
  if (self->words->len == 0)
    return NULL;
  return stemma_client_find_domain_sync (self->client, self->words->pdata[0], NULL, NULL);
}

static void
offer_moments (Completion *self, StemmaKind kind)
{
  g_autofree char *domain = find_domain (self);
  GVariant *options = g_variant_new_parsed ("{'limit': <%u>}", MAX_NAMES);
  g_autoptr (GVariant) held = g_variant_ref_sink (options);
  g_autoptr (GPtrArray)
      moments = domain == NULL
                    ? NULL
                    : stemma_moments_read_sync (self->client, kind, domain, held, NULL, NULL);

  for (guint i = 0; moments != NULL && i < moments->len; i++)
    {
      g_autoptr (GVariant) properties = g_variant_get_child_value (moments->pdata[i], 1);

      offer (self, stm_cli_get_string (properties, "Name"), /* description= */ NULL);
    }
}

static void
offer_disks (Completion *self)
{
  g_autofree char *domain = find_domain (self);
  g_autoptr (GVariant) disks = domain != NULL ? stm_cli_disk_read_all (self->client, domain, NULL)
                                              : NULL;
  gsize n_disks = disks != NULL ? g_variant_n_children (disks) : 0;

  for (gsize i = 0; i < n_disks; i++)
    {
      g_autoptr (GVariant) disk = NULL;

      g_variant_get_child (disks, i, "{&s@a{sv}}", NULL, &disk);
      offer (self, stm_cli_get_string (disk, "Target"), stm_cli_get_string (disk, "Source"));
    }
}

static void
offer_findings (Completion *self, gboolean is_choice)
{
  g_autoptr (GVariant) reply = stemma_client_call_sync (
      self->client, STEMMA_PATH_MANAGER, "Manager", "Check",
      g_variant_new ("(@a{sv})", stm_cli_no_options ()), G_VARIANT_TYPE ("(aa{sv})"), NULL, NULL);
  g_autoptr (GVariant) findings = reply != NULL ? g_variant_get_child_value (reply, 0) : NULL;
  gsize n_findings = findings != NULL ? g_variant_n_children (findings) : 0;

  for (gsize i = 0; i < n_findings; i++)
    {
      g_autoptr (GVariant) finding = g_variant_get_child_value (findings, i);
      const char *id = stm_cli_get_string (finding, "id");
      g_autofree const char **choices = NULL;

      if (!is_choice)
        offer (self, id, stm_cli_get_string (finding, "kind"));
      else if (self->words->len > 0 && g_strcmp0 (self->words->pdata[0], id) == 0
               && g_variant_lookup (finding, "choices", "^a&s", &choices))
        {
          for (guint c = 0; choices[c] != NULL; c++)
            offer (self, choices[c], /* description= */ NULL);
        }
    }
}

/* What fits the place of a word of the tables. */
static void
offer_kind (Completion *self, const char *kind)
{
  if (g_str_equal (kind, "FILE"))
    g_print (":files\n");
  else if (g_strv_contains ((const char *const[]){ "VM", "SNAPSHOT", "CHECKPOINT", "TARGET", "JOB",
                                                   "FINDING", "CHOICE", NULL },
                            kind)
           && connect_quickly (self) != NULL)
    {
      if (g_str_equal (kind, "VM"))
        offer_objects (self, STEMMA_PATH_ROOT, "Domain", "Name");
      else if (g_str_equal (kind, "SNAPSHOT"))
        offer_moments (self, STEMMA_KIND_SNAPSHOT);
      else if (g_str_equal (kind, "CHECKPOINT"))
        offer_moments (self, STEMMA_KIND_CHECKPOINT);
      else if (g_str_equal (kind, "TARGET"))
        offer_disks (self);
      else if (g_str_equal (kind, "JOB"))
        offer_objects (self, STEMMA_PATH_ROOT, "Job", /* property= */ NULL);
      else
        offer_findings (self, g_str_equal (kind, "CHOICE"));
    }
}

static const StmCliOption *
find_option (Completion *self, const char *name)
{
  const StmCliCommand *command = self->verb != NULL ? stm_cli_command_find (self->noun, self->verb)
                                                    : NULL;

  for (const StmCliOption *option = command != NULL ? command->options : NULL;
       option != NULL && option->name != NULL; option++)
    {
      if (g_str_equal (option->name, name))
        return option;
    }
  return NULL;
}

static void
offer_options (Completion *self)
{
  const StmCliCommand *command = self->verb != NULL ? stm_cli_command_find (self->noun, self->verb)
                                                    : NULL;
  StmCliSettings unused = { 0 };
  g_autofree GOptionEntry *shared = stm_cli_settings_entries (&unused);

  for (const StmCliOption *option = command != NULL ? command->options : NULL;
       option != NULL && option->name != NULL; option++)
    {
      g_autofree char *word = g_strconcat ("--", option->name, NULL);

      offer (self, word, option->help);
    }
  for (const GOptionEntry *entry = shared; entry->long_name != NULL; entry++)
    {
      g_autofree char *word = g_strconcat ("--", entry->long_name, NULL);

      offer (self, word, entry->description);
    }
  offer (self, "--help", "Show help");
}

static void
offer_commands (Completion *self)
{
  const StmCliCommand *const *tables = stm_cli_command_tables ();

  for (gsize i = 0; tables[i] != NULL; i++)
    {
      const char *noun = tables[i]->noun;

      if (self->noun == NULL && noun != NULL && (!self->is_plan || tables[i]->has_plan))
        offer (self, noun, "commands on one of its kind");
      for (const StmCliCommand *command = tables[i]; command->verb != NULL; command++)
        {
          if (g_strcmp0 (noun, self->noun) == 0 && (!self->is_plan || command->has_plan))
            offer (self, command->verb, command->summary);
        }
    }
  if (self->noun == NULL && !self->is_plan)
    offer (self, "plan", "Say what a command would do");
}

/* An option before the cursor; with a value in the same word or in the next one. */
static void
read_option (Completion *self, const char *word)
{
  g_auto (GStrv) parts = g_strsplit (word, "=", 2);
  const char *name = g_str_has_prefix (parts[0], "--") ? parts[0] + 2 : "";
  const StmCliOption *option = find_option (self, name);

  if (g_str_equal (name, "session"))
    self->settings.session = TRUE;
  else if (g_str_equal (name, "address") || g_str_equal (name, "timeout"))
    self->pending = g_intern_string (name);
  else if (option != NULL && option->kind != STM_CLI_FLAG)
    {
      self->pending = option->value;
      self->pending_words = option->words;
    }
  if (self->pending != NULL && parts[1] != NULL)
    {
      if (g_str_equal (self->pending, "address"))
        {
          g_free (self->settings.address);
          self->settings.address = g_strdup (parts[1]);
        }
      self->pending = NULL;
      self->pending_words = NULL;
    }
}

static void
read_value (Completion *self, const char *word)
{
  if (g_str_equal (self->pending, "address"))
    {
      g_free (self->settings.address);
      self->settings.address = g_strdup (word);
    }
  self->pending = NULL;
  self->pending_words = NULL;
}

static void
read_word (Completion *self, const char *word)
{
  if (self->pending != NULL)
    read_value (self, word);
  else if (*word == '-' && word[1] != '\0')
    read_option (self, word);
  else if (self->verb != NULL)
    g_ptr_array_add (self->words, (gpointer) word);
  else if (self->noun == NULL && !self->is_plan && g_str_equal (word, "plan"))
    self->is_plan = TRUE;
  else if (self->noun == NULL && stm_cli_command_is_noun (word))
    self->noun = word;
  else
    self->verb = word;
}

static void
offer_arguments (Completion *self)
{
  const StmCliCommand *command = stm_cli_command_find (self->noun, self->verb);
  g_autofree char *kind = command == NULL
                              ? NULL
                              : stm_cli_command_get_argument (command, self->words->len);

  if (kind != NULL)
    offer_kind (self, kind);
}

/* The word is "--option=beginning": the candidates are whole words, too. */
static void
offer_joined_value (Completion *self, const char *word)
{
  g_auto (GStrv) parts = g_strsplit (word, "=", 2);
  const StmCliOption *option = find_option (self, parts[0] + 2);
  g_auto (GStrv)
      values = option != NULL && option->words != NULL ? g_strsplit (option->words, " ", -1) : NULL;

  for (guint i = 0; values != NULL && values[i] != NULL; i++)
    {
      g_autofree char *candidate = g_strconcat (parts[0], "=", values[i], NULL);

      offer (self, candidate, /* description= */ NULL);
    }
}

static void
offer_all (Completion *self)
{
  if (self->pending_words != NULL)
    offer_words (self, self->pending_words);
  else if (self->pending != NULL)
    offer_kind (self, self->pending);
  else if (g_str_has_prefix (self->prefix, "--") && strchr (self->prefix, '=') != NULL)
    offer_joined_value (self, self->prefix);
  else if (*self->prefix == '-')
    offer_options (self);
  else if (self->verb == NULL)
    offer_commands (self);
  else
    offer_arguments (self);
}

void
stm_cli_complete (char **words)
{
  g_autoptr (GPtrArray) arguments = g_ptr_array_new ();
  Completion self = { .words = arguments, .prefix = "" };
  guint n_words = g_strv_length (words);

  for (guint i = 0; i + 1 < n_words; i++)
    read_word (&self, words[i]);
  if (n_words > 0)
    self.prefix = words[n_words - 1];
  offer_all (&self);
  g_clear_object (&self.client);
  stm_cli_settings_clear (&self.settings);
}
