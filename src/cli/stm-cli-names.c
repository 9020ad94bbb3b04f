/* Remembers path and name of each object.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-names.h"

#include "stemma-moments.h"
#include "stm-cli-output.h"

#include <string.h>

#define ID_LENGTH 32

struct _StmCliNames
{
  GHashTable *names; /* path to name; of a job, to its operation */
  GHashTable *jobs;  /* path of a job to what it is about: GStrv */
};

StmCliNames *
stm_cli_names_new (void)
{
  StmCliNames *self = g_new0 (StmCliNames, 1);

  self->names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->jobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev);
  return self;
}

void
stm_cli_names_free (StmCliNames *self)
{
  g_hash_table_unref (self->names);
  g_hash_table_unref (self->jobs);
  g_free (self);
}

static void
set_name (StmCliNames *self, const char *path, const char *name)
{
  g_hash_table_insert (self->names, g_strdup (path), g_strdup (name));
}

void
stm_cli_names_learn (StmCliNames *self, const char *path, GVariant *interfaces)
{
  GVariantIter iter;
  GVariant *properties = NULL;

  g_variant_iter_init (&iter, interfaces);
  while (g_variant_iter_loop (&iter, "{&s@a{sv}}", NULL, &properties))
    {
      char **objects = NULL;
      const char *text = NULL;

      if (g_variant_lookup (properties, "Name", "&s", &text)
          || g_variant_lookup (properties, "Operation", "&s", &text)
          || g_variant_lookup (properties, "Target", "&s", &text))
        set_name (self, path, text);
      if (g_variant_lookup (properties, "Objects", "^ao", &objects))
        g_hash_table_insert (self->jobs, g_strdup (path), objects);
    }
}

void
stm_cli_names_rename (StmCliNames *self, const char *path, GVariant *properties)
{
  const char *name = NULL;

  if (g_variant_lookup (properties, "Name", "&s", &name))
    set_name (self, path, name);
}

void
stm_cli_names_forget (StmCliNames *self, const char *path)
{
  g_hash_table_remove (self->names, path);
  g_hash_table_remove (self->jobs, path);
}

/* What goes meanwhile has no name here, and that of what comes is told by its signal. */
static void
learn_moments (StmCliNames *self, StemmaClient *client, const char *domain)
{
  for (StemmaKind kind = STEMMA_KIND_SNAPSHOT; kind <= STEMMA_KIND_CHECKPOINT; kind++)
    {
      g_autoptr (GPtrArray)
          moments = stemma_moments_read_sync (client, kind, domain, NULL, NULL, NULL);

      for (guint i = 0; moments != NULL && i < moments->len; i++)
        {
          g_autoptr (GVariant) properties = NULL;
          g_autofree char *path = NULL;

          g_variant_get (moments->pdata[i], "(o@a{sv})", &path, &properties);
          set_name (self, path, stm_cli_get_string (properties, "Name"));
        }
    }
}

gboolean
stm_cli_names_read (StmCliNames *self, StemmaClient *client, const char *domain, GError **error)
{
  g_autoptr (GVariant) root = stemma_client_get_objects_sync (client, STEMMA_PATH_ROOT,
                                                              /* cancellable= */ NULL, error);
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  if (root == NULL)
    return FALSE;

  g_variant_iter_init (&iter, root);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      stm_cli_names_learn (self, path, interfaces);
      if (g_str_has_prefix (path, STEMMA_PATH_DOMAINS "/")
          && (domain == NULL || g_str_equal (path, domain)))
        learn_moments (self, client, path);
    }
  return TRUE;
}

static const char *
name_of (StmCliNames *self, const char *path)
{
  const char *name = g_hash_table_lookup (self->names, path);

  return name != NULL ? name : strrchr (path, '/') + 1;
}

static char *
domain_of (const char *path)
{
  const char *id = path + strlen (STEMMA_PATH_DOMAINS "/");

  return strlen (id) < ID_LENGTH ? g_strdup (path) : g_strndup (path, id - path + ID_LENGTH);
}

static char *
job_title (StmCliNames *self, const char *path)
{
  char **objects = g_hash_table_lookup (self->jobs, path);
  GString *title = g_string_new (NULL);

  g_string_printf (title, "job %s (%s", strrchr (path, '/') + 1, name_of (self, path));
  for (guint i = 0; objects != NULL && objects[i] != NULL; i++)
    g_string_append_printf (title, "%s%s", i == 0 ? " " : "/", name_of (self, objects[i]));
  g_string_append_c (title, ')');
  return g_string_free (title, FALSE);
}

char *
stm_cli_names_title (StmCliNames *self, const char *path)
{
  const char *const folders[][2] = {
    { "/snapshots/", "snapshot" },
    { "/checkpoints/", "checkpoint" },
    { "/disks/", "disk" },
  };
  g_autofree char *domain = NULL;

  if (g_str_has_prefix (path, STEMMA_PATH_JOBS "/"))
    return job_title (self, path);
  if (!g_str_has_prefix (path, STEMMA_PATH_DOMAINS "/"))
    return g_strdup ("service");

  domain = domain_of (path);
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++)
    {
      if (strstr (path, folders[i][0]) != NULL)
        return g_strdup_printf ("%s %s/%s", folders[i][1], name_of (self, domain),
                                name_of (self, path));
    }
  return g_strdup_printf ("machine %s", name_of (self, domain));
}

gboolean
stm_cli_names_job_concerns (StmCliNames *self, const char *path, const char *domain)
{
  char **objects = g_hash_table_lookup (self->jobs, path);

  return objects != NULL && g_strv_contains ((const char *const *) objects, domain);
}
