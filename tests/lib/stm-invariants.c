/* Recounts a model from its trees and image lists, and compares what the indexes answer.
 *
 * Called by tests. Uses no inside of the model, so that it judges what others see.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-invariants.h"

#include "stemma-error.h"
#include "stm-id.h"

/* What the indexes over all domains should answer. */
typedef struct
{
  GHashTable *children; /* path -> set of paths */
  GHashTable *users;    /* path -> set of "domain moment target" */
} Expected;

static gboolean fail (GError **error, const char *format, ...) G_GNUC_PRINTF (2, 3);

static gboolean
fail (GError **error, const char *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  g_autofree char *text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, text);

  return FALSE;
}

static void
expect (GHashTable *table, const char *path, char *taken_text)
{
  GHashTable *set = g_hash_table_lookup (table, path);

  if (set == NULL)
    {
      set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
      g_hash_table_insert (table, g_strdup (path), set);
    }
  if (taken_text != NULL)
    g_hash_table_add (set, taken_text);
}

static char *
user_to_text (const char *domain_id, const char *moment_id, const char *target)
{
  return g_strdup_printf ("%s %s %s", domain_id, moment_id != NULL ? moment_id : "-", target);
}

static gboolean
validate_record (const StmModel *self, const StmDomain *domain, Expected *expected, GError **error)
{
  if (stm_model_find_domain (self, domain->name) != domain)
    return fail (error, "domain %s is not found by its name %s", domain->id, domain->name);
  if (!stm_domain_is_sound (domain, error))
    return FALSE;

  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];

      if (disk->source == NULL)
        continue;
      if (stm_model_get_image (self, domain->id, disk->source) == NULL)
        return fail (error, "source %s of disk %s is not recorded", disk->source, disk->target);
      expect (expected->users, disk->source, user_to_text (domain->id, NULL, disk->target));
    }

  return TRUE;
}

static gboolean
validate_frozen (const StmModel *self, const char *domain_id, const StmMoment *moment,
                 Expected *expected, GError **error)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];

      if (disk->frozen == NULL)
        continue;
      if (stm_model_get_image (self, domain_id, disk->frozen) == NULL
          && (moment->health == STM_HEALTH_OK || moment->health == STM_HEALTH_CREATING))
        return fail (error, "image %s frozen by %s is not recorded", disk->frozen, moment->name);
      /* A checkpoint does not hold the image in which its bitmap was begun. */
      if (moment->kind == STM_MOMENT_SNAPSHOT)
        expect (expected->users, disk->frozen, user_to_text (domain_id, moment->id, disk->target));
    }

  return TRUE;
}

static gboolean
validate_siblings (const StmTree *tree, const char *parent, GError **error)
{
  const StmMoment *child = stm_tree_first_child (tree, parent);
  gint64 last_created = G_MININT64;
  guint n = 0;

  for (; child != NULL; child = stm_tree_next_sibling (tree, child->id), n++)
    {
      if (g_strcmp0 (child->parent, parent) != 0)
        return fail (error, "%s is among the children of another", child->name);
      if (child->created < last_created)
        return fail (error, "%s stands after a younger sibling", child->name);
      last_created = child->created;
    }
  if (n != stm_tree_n_children (tree, parent))
    return fail (error, "%u children are counted, %u are there", stm_tree_n_children (tree, parent),
                 n);

  return TRUE;
}

static gboolean
validate_tree (const StmModel *self, const char *domain_id, StmMomentKind kind, Expected *expected,
               GError **error)
{
  const StmTree *tree = stm_model_tree (self, domain_id, kind);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  const char *current = stm_tree_current (tree);

  if (moments->len != stm_tree_count (tree))
    return fail (error, "%u moments hang in the tree, %u are counted", moments->len,
                 stm_tree_count (tree));
  if (current != NULL && stm_tree_get (tree, current) == NULL)
    return fail (error, "the current moment %s is not in the tree", current);
  if (!validate_siblings (tree, NULL, error))
    return FALSE;

  for (guint i = 0; i < moments->len; i++)
    {
      const StmMoment *moment = moments->pdata[i];

      if (moment->kind != kind || stm_tree_get (tree, moment->id) != moment
          || stm_tree_find (tree, moment->name) != moment)
        return fail (error, "moment %s is not found by its id and name", moment->name);
      if (moment->parent != NULL && !g_hash_table_contains (seen, moment->parent))
        return fail (error, "moment %s does not come after its parent", moment->name);
      g_hash_table_add (seen, (char *) moment->id);
      if (!stm_moment_is_sound (moment, error) || !validate_siblings (tree, moment->id, error)
          || !validate_frozen (self, domain_id, moment, expected, error))
        return FALSE;
    }

  return TRUE;
}

static gboolean
validate_images (const StmModel *self, const char *domain_id, Expected *expected, GError **error)
{
  g_autoptr (GPtrArray) images = stm_model_images (self, domain_id);

  for (guint i = 0; i < images->len; i++)
    {
      const StmImage *image = images->pdata[i];
      g_autoptr (GPtrArray) chain = stm_model_chain_from (self, domain_id, image->path);
      const StmImage *last = chain->pdata[chain->len - 1];

      if (!stm_image_is_sound (image, error))
        return FALSE;
      if (stm_model_get_image (self, domain_id, image->path) != image)
        return fail (error, "image %s is not found by its path", image->path);
      if (last->backing != NULL && stm_model_get_image (self, domain_id, last->backing) != NULL)
        return fail (error, "the chain of image %s is a ring", image->path);
      /* So that it is asked for what stands on it also when nothing does. */
      expect (expected->children, image->path, NULL);
      expect (expected->users, image->path, NULL);
      if (image->backing != NULL)
        expect (expected->children, image->backing, g_strdup (image->path));
    }

  return TRUE;
}

static gboolean
validate_children (const StmModel *self, const char *path, GHashTable *set, GError **error)
{
  g_autoptr (GPtrArray) children = stm_model_image_children (self, path);

  if (children->len != g_hash_table_size (set))
    return fail (error, "image %s has %u children, %u are named", path, g_hash_table_size (set),
                 children->len);
  for (guint i = 0; i < children->len; i++)
    if (!g_hash_table_contains (set, children->pdata[i]))
      return fail (error, "image %s is named as a child of %s", (char *) children->pdata[i], path);

  return TRUE;
}

static gboolean
validate_users (const StmModel *self, const char *path, GHashTable *set, GError **error)
{
  g_autoptr (GArray) users = stm_model_image_users (self, path);

  if (users->len != g_hash_table_size (set))
    return fail (error, "image %s has %u users, %u are named", path, g_hash_table_size (set),
                 users->len);
  for (guint i = 0; i < users->len; i++)
    {
      const StmImageUser *user = &g_array_index (users, StmImageUser, i);
      g_autofree char *text = user_to_text (user->domain_id, user->moment_id, user->target);

      if (!g_hash_table_contains (set, text))
        return fail (error, "\"%s\" is named as a user of %s", text, path);
    }

  return TRUE;
}

typedef gboolean (*PathFunc) (const StmModel *self, const char *path, GHashTable *set,
                              GError **error);

static gboolean
validate_paths (const StmModel *self, GHashTable *table, PathFunc func, GError **error)
{
  GHashTableIter iter;
  gpointer path, set;

  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &path, &set))
    if (!func (self, path, set, error))
      return FALSE;

  return TRUE;
}

static gboolean
validate_domain (const StmModel *self, const char *domain_id, Expected *expected, GError **error)
{
  const StmDomain *domain = stm_model_get_domain (self, domain_id);

  if (domain == NULL || g_strcmp0 (domain->id, domain_id) != 0)
    return fail (error, "domain %s is not found by its id", domain_id);
  if (!validate_record (self, domain, expected, error)
      || !validate_images (self, domain_id, expected, error))
    return FALSE;
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    if (!validate_tree (self, domain_id, kind, expected, error))
      return FALSE;

  return TRUE;
}

gboolean
stm_model_validate (const StmModel *self, GError **error)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (self);
  g_autoptr (GHashTable) children = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                           (GDestroyNotify) g_hash_table_unref);
  g_autoptr (GHashTable) users = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                                        (GDestroyNotify) g_hash_table_unref);
  Expected expected = { .children = children, .users = users };

  for (guint i = 0; i < ids->len; i++)
    if (!validate_domain (self, ids->pdata[i], &expected, error))
      return FALSE;

  return validate_paths (self, children, validate_children, error)
         && validate_paths (self, users, validate_users, error);
}
