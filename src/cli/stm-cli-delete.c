/* stemmactl snapshot|checkpoint delete, forget: however many are named, they are planned together,
 * asked about once, and then go one after another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stemma-tree.h"
#include "stm-cli-json.h"
#include "stm-cli-moment.h"
#include "stm-cli-plan.h"
#include "stm-cli-terminal.h"
#include "stm-cli-wait.h"

typedef struct
{
  char *path;
  const char *name; /* as it was given; the call's */
} Target;

typedef struct
{
  StmCliCall *call;
  char *domain;
  GVariant *options;
  GPtrArray *targets; /* Target, each moment once, in the order of the arguments */
  guint n_moments;    /* how many go, with those that stand on them where these go, too */
} Deletion;

static void
target_free (gpointer data)
{
  Target *target = data;

  g_free (target->path);
  g_free (target);
}

static void
deletion_clear (Deletion *self)
{
  g_clear_pointer (&self->domain, g_free);
  g_clear_pointer (&self->options, g_variant_unref);
  g_clear_pointer (&self->targets, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Deletion, deletion_clear)

static const char *
word_of (const Deletion *self)
{
  return stemma_kind_to_word (self->call->command->kind);
}

static const char *
interface_of (const Deletion *self)
{
  return stemma_kind_to_interface (self->call->command->kind);
}

static gboolean
forgets (const Deletion *self)
{
  return g_str_equal (self->call->command->verb, "forget");
}

/* All moments that the arguments name, before any of them goes. */
static gboolean
find_targets (Deletion *self, GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  self->targets = g_ptr_array_new_with_free_func (target_free);
  for (guint i = 1; i < self->call->n_words; i++)
    {
      g_autofree char *path = stm_cli_call_find_moment (self->call, self->domain, i, error);
      Target *target = NULL;

      if (path == NULL)
        return FALSE;
      if (g_hash_table_contains (seen, path))
        continue;
      target = g_new0 (Target, 1);
      target->name = self->call->words[i];
      target->path = g_steal_pointer (&path);
      g_hash_table_add (seen, target->path);
      g_ptr_array_add (self->targets, target);
    }
  self->n_moments = self->targets->len;
  return TRUE;
}

static gboolean
is_below_one_of (const StemmaNode *node, GHashTable *paths)
{
  for (const StemmaNode *above = node->parent; above != NULL; above = above->parent)
    {
      if (g_hash_table_contains (paths, above->path))
        return TRUE;
    }
  return FALSE;
}

/* What stands on a target goes with it, so it is no target of its own; counts what goes. */
static gboolean
settle_branches (Deletion *self, GError **error)
{
  gboolean only = stm_cli_call_flag (self->call, "children-only");
  g_autoptr (GHashTable) paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (StemmaTree) tree = NULL;

  if (!only && !stm_cli_call_flag (self->call, "children"))
    return TRUE;
  tree = stemma_tree_read_sync (self->call->client, self->call->command->kind, self->domain,
                                /* cancellable= */ NULL, error);
  if (tree == NULL)
    return FALSE;

  for (guint i = 0; i < self->targets->len; i++)
    g_hash_table_add (paths, g_strdup (((Target *) self->targets->pdata[i])->path));
  self->n_moments = 0;
  for (guint i = 0; i < self->targets->len;)
    {
      const Target *target = self->targets->pdata[i];
      const StemmaNode *node = stemma_tree_find (tree, target->path);

      if (node != NULL && is_below_one_of (node, paths))
        {
          g_ptr_array_remove_index (self->targets, i);
          continue;
        }
      self->n_moments += (only ? 0 : 1) + (node != NULL ? stemma_tree_count_below (node) : 0);
      i++;
    }
  return TRUE;
}

/* One plan of everything; NULL with error. */
static GVariant *
get_plan (Deletion *self, GError **error)
{
  g_autoptr (GPtrArray) plans = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  for (guint i = 0; i < self->targets->len; i++)
    {
      const Target *target = self->targets->pdata[i];
      GVariant *rows = stm_cli_plan_get (self->call, target->path, interface_of (self),
                                         "PlanDelete", g_variant_new ("(@a{sv})", self->options),
                                         error);

      if (rows == NULL)
        return NULL;
      g_ptr_array_add (plans, rows);
      g_ptr_array_add (names, (gpointer) target->name);
    }
  if (plans->len == 1)
    return g_variant_ref (plans->pdata[0]);
  return stm_cli_plan_join (names, plans);
}

static gboolean
may_delete (Deletion *self, GError **error)
{
  g_autofree char *what = g_strdup_printf ("%s %u %ss of '%s'",
                                           forgets (self) ? "forgetting" : "deleting",
                                           self->n_moments, word_of (self), self->call->words[0]);
  g_autoptr (GVariant) rows = get_plan (self, error);

  return rows != NULL && stm_cli_plan_announce_rows (self->call, rows, error)
         && (self->n_moments <= 1 || stm_cli_confirm (self->call, what, error));
}

/* Tells of it at once, or in `builder` when that is not NULL. */
static gboolean
delete_one (Deletion *self, const Target *target, JsonBuilder *builder, GError **error)
{
  g_auto (StmCliOutcome) outcome = { 0 };
  const StemmaOperation operation = {
    .path = target->path,
    .interface = interface_of (self),
    .method = "Delete",
    .arguments = g_variant_new ("(@a{sv})", self->options),
    .reply_type = G_VARIANT_TYPE ("(o)"),
  };
  const char *verb = stm_cli_call_flag (self->call, "children-only") ? "Deleted what stood on"
                     : forgets (self)                                ? "Forgot"
                                                                     : "Deleted";

  if (!stm_cli_run_operation (self->call, &operation, &outcome, error))
    return FALSE;
  if (builder == NULL)
    stm_cli_tell (self->call, target->path, target->name, &outcome, "%s %s '%s' of '%s'", verb,
                  word_of (self), target->name, self->call->words[0]);
  else
    {
      stm_cli_outcome_begin_json (builder, target->path, target->name, &outcome);
      json_builder_end_object (builder);
    }
  return TRUE;
}

/* "'one', 'two'" of the targets from `first` on, before `end`; to be freed. */
static char *
list_names (Deletion *self, guint first, guint end)
{
  GString *list = g_string_new (NULL);

  for (guint i = first; i < end; i++)
    g_string_append_printf (list, "%s'%s'", i > first ? ", " : "",
                            ((Target *) self->targets->pdata[i])->name);
  return g_string_free (list, FALSE);
}

/* The same error, which says of the other targets what became of them. */
static void
set_stopped (Deletion *self, guint n_done, const GError *problem, GError **error)
{
  const Target *failed = self->targets->pdata[n_done];
  g_autofree char *done = list_names (self, 0, n_done);
  g_autofree char *left = list_names (self, n_done + 1, self->targets->len);
  g_autoptr (GString) text = g_string_new (NULL);

  g_string_printf (text, "%s '%s': %s; ", word_of (self), failed->name, problem->message);
  if (n_done > 0)
    g_string_append_printf (text, "%s before it: %s", forgets (self) ? "forgotten" : "deleted",
                            done);
  else
    g_string_append_printf (text, "nothing was %s before it",
                            forgets (self) ? "forgotten" : "deleted");
  if (*left != '\0')
    g_string_append_printf (text, "; not begun: %s", left);
  g_set_error_literal (error, problem->domain, problem->code, text->str);
}

/* One after another; what goes stays gone when a later one fails, and those behind it stay. */
static gboolean
delete_several (Deletion *self, GError **error)
{
  g_autoptr (JsonBuilder) builder = self->call->settings->json ? json_builder_new () : NULL;
  g_autoptr (GError) problem = NULL;
  guint n_done = 0;

  if (builder != NULL)
    json_builder_begin_array (builder);
  while (n_done < self->targets->len
         && delete_one (self, self->targets->pdata[n_done], builder, &problem))
    n_done++;
  if (builder != NULL)
    {
      json_builder_end_array (builder);
      stm_cli_json_print (builder);
    }
  if (problem == NULL)
    return TRUE;

  set_stopped (self, n_done, problem, error);
  return FALSE;
}

static gboolean
run (Deletion *self, GError **error)
{
  gboolean is_list = FALSE;

  if (!find_targets (self, error) || !settle_branches (self, error))
    return FALSE;
  if (self->call->is_plan)
    {
      g_autoptr (GVariant) rows = get_plan (self, error);

      return rows != NULL && stm_cli_plan_show_rows (self->call, rows);
    }

  /* By what was given: scripts know that, and not which of it stands on which. */
  is_list = self->call->n_words > 2;
  if (!may_delete (self, error))
    return FALSE;
  return is_list ? delete_several (self, error)
                 : delete_one (self, self->targets->pdata[0], /* builder= */ NULL, error);
}

gboolean
stm_cli_moment_run_delete (StmCliCall *call, GError **error)
{
  g_auto (Deletion) self = { .call = call };
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);

  self.domain = stm_cli_call_find_domain (call, 0, error);
  if (self.domain == NULL || !stm_cli_call_add_options (call, self.domain, &builder, error))
    return FALSE;
  self.options = g_variant_ref_sink (g_variant_builder_end (&builder));
  return run (&self, error);
}

static gboolean
forget_everything (StmCliCall *call, const char *domain, GError **error)
{
  const char *word = stemma_kind_to_word (call->command->kind);
  g_autofree char *what = g_strdup_printf ("forgetting all %ss of '%s', their images stay,", word,
                                           call->words[0]);
  g_autoptr (GVariant) reply = NULL;

  if (!stm_cli_confirm (call, what, error))
    return FALSE;

  reply = stemma_client_call_sync (call->client, domain,
                                   stemma_kind_to_list_interface (call->command->kind), "ForgetAll",
                                   g_variant_new ("(@a{sv})", stm_cli_no_options ()),
                                   /* reply_type= */ NULL, /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;
  stm_cli_tell (call, domain, call->words[0], /* outcome= */ NULL, "Forgot all %ss of '%s'", word,
                call->words[0]);
  return TRUE;
}

gboolean
stm_cli_moment_run_forget (StmCliCall *call, GError **error)
{
  g_auto (Deletion) self = { .call = call };

  self.domain = stm_cli_call_find_domain (call, 0, error);
  if (self.domain == NULL)
    return FALSE;
  if (call->n_words == 1)
    return forget_everything (call, self.domain, error);

  self.options = g_variant_ref_sink (g_variant_new_parsed ("{'metadata-only': <true>}"));
  return run (&self, error);
}
