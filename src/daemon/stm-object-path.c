/* Where objects stand on the bus. Different objects have different paths: ids are safe as they are,
 * a disk's target is escaped byte by byte.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-object-path.h"

#include "stm-id.h"
#include "stm-names.h"

#include <string.h>

static const char *const parts[] = {
  [STM_MOMENT_SNAPSHOT] = "/snapshots/",
  [STM_MOMENT_CHECKPOINT] = "/checkpoints/",
};
G_STATIC_ASSERT (G_N_ELEMENTS (parts) == STM_N_MOMENT_KINDS);

char *
stm_object_path_of_domain (const char *domain_id)
{
  return g_strconcat (STM_PATH_DOMAINS "/", domain_id, NULL);
}

const char *
stm_object_path_part (StmMomentKind kind)
{
  return parts[kind];
}

char *
stm_object_path_of_moments (const char *domain_id, StmMomentKind kind)
{
  char *path = g_strconcat (STM_PATH_DOMAINS "/", domain_id, parts[kind], NULL);

  path[strlen (path) - 1] = '\0';
  return path;
}

char *
stm_object_path_of_moment (const char *domain_id, StmMomentKind kind, const char *moment_id)
{
  if (moment_id == NULL)
    return g_strdup (STM_PATH_NONE);

  return g_strconcat (STM_PATH_DOMAINS "/", domain_id, parts[kind], moment_id, NULL);
}

char *
stm_object_path_of_disk (const char *domain_id, const char *target)
{
  g_autoptr (GString) path = g_string_new (STM_PATH_DOMAINS "/");

  g_string_append_printf (path, "%s/disks/", domain_id);
  for (const char *at = target; *at != '\0'; at++)
    {
      if (g_ascii_isalnum (*at))
        g_string_append_c (path, *at);
      else
        g_string_append_printf (path, "_%02x", (guchar) *at);
    }
  return g_string_free (g_steal_pointer (&path), FALSE);
}

char *
stm_object_path_of_job (guint number)
{
  return g_strdup_printf (STM_PATH_JOBS "/%u", number);
}

const char *
stm_object_path_to_moment (const char *path, const char *domain_id, StmMomentKind kind)
{
  g_autofree char *prefix = g_strconcat (STM_PATH_DOMAINS "/", domain_id, parts[kind], NULL);

  if (!g_str_has_prefix (path, prefix) || !stm_id_is_valid (path + strlen (prefix)))
    return NULL;

  return path + strlen (prefix);
}
