/* Asks the service for one name at a time: titles are for lists that are short, where reading all
 * names of all machines first would take longer.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-object.h"

#include "stm-cli-output.h"

#include <string.h>

GHashTable *
stm_cli_object_names_new (void)
{
  return g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

/* As long as `names` is. */
static const char *
name_at (GHashTable *names, StemmaClient *client, const char *path, const char *interface)
{
  const char *known = g_hash_table_lookup (names, path);
  g_autoptr (GVariant) properties = NULL;
  char *name = NULL;

  if (known != NULL)
    return known;
  properties = stemma_client_get_properties_sync (client, path, interface, /* cancellable= */ NULL,
                                                  /* error= */ NULL);
  name = g_strdup (properties != NULL ? stm_cli_get_string (properties, "Name")
                                      : strrchr (path, '/') + 1);
  g_hash_table_insert (names, g_strdup (path), name);
  return name;
}

char *
stm_cli_object_title (GHashTable *names, StemmaClient *client, const char *path)
{
  const char *rest = NULL;
  g_autofree char *domain = NULL;
  const char *interface = NULL;

  if (!g_str_has_prefix (path, STEMMA_PATH_DOMAINS "/"))
    return g_strdup ("-");

  rest = strchr (path + strlen (STEMMA_PATH_DOMAINS "/"), '/');
  if (rest == NULL)
    return g_strdup (name_at (names, client, path, "Domain"));
  domain = g_strndup (path, (gsize) (rest - path));
  interface = g_str_has_prefix (rest, "/snapshots/") ? "Snapshot" : "Checkpoint";
  return g_strdup_printf ("%s/%s", name_at (names, client, domain, "Domain"),
                          name_at (names, client, path, interface));
}
