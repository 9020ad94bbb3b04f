/* Verbs of a life that are about records alone: forget everything, and bring it back from
 * documents.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "life-private.h"

#include "stm-moment-xml.h"

typedef struct
{
  char *text;
  gboolean is_over;
} Reading;

static void
on_text (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reading *reading = user_data;

  reading->text = stm_registry_read_text_finish (STM_REGISTRY (source), result, NULL);
  reading->is_over = TRUE;
}

static char *
read_text (StmRegistry *registry, const char *hash)
{
  Reading reading = { 0 };

  if (hash == NULL)
    return NULL;
  stm_registry_read_text_async (registry, hash, on_text, &reading);
  while (!reading.is_over)
    g_main_context_iteration (NULL, TRUE);
  g_assert_nonnull (reading.text);
  return reading.text;
}

/* The documents of all moments of a kind, children before their parents: the order must not matter.
 */
GStrv
life_print_documents (StmRegistry *registry, const char *domain_id, StmMomentKind kind)
{
  const StmTree *tree = stm_model_tree (stm_registry_get_model (registry), domain_id, kind);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);
  g_autoptr (GStrvBuilder) documents = g_strv_builder_new ();

  for (guint i = moments->len; i > 0; i--)
    {
      const StmMoment *moment = moments->pdata[i - 1];
      const StmMoment *parent = moment->parent != NULL ? stm_tree_get (tree, moment->parent) : NULL;
      g_autofree char *definition = read_text (registry, moment->definition);
      g_autoptr (GError) error = NULL;
      g_autofree char *text = stm_moment_document_print (
          &(StmMomentPrint){ .moment = moment,
                             .domain_id = domain_id,
                             .parent = parent != NULL ? parent->name : NULL,
                             .definition = definition,
                             .secrecy = STM_XML_SECURE },
          &error);

      g_assert_no_error (error);
      g_strv_builder_add (documents, text);
    }
  return g_strv_builder_end (documents);
}
