/* StmPathPolicy: decides on paths as text, and resolves what image headers name.
 *
 * Called on any thread: the value never changes once made. Never asks the file system; what a link
 * does to a path is the business of who opens it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-path-policy.h"

#include "stemma-error.h"
#include "stm-sound.h"

#include <limits.h>
#include <string.h>

#define PATH_LIMIT PATH_MAX /* with the NUL, as the kernel counts */

/* The public part stands first, so that a pointer to the one is a pointer to the other. */
typedef struct
{
  StmPathPolicy public;
  GHashTable *exact; /* set; the strings are those of public.exact */
} Policy;

/* A path from a header may be anything: it goes into a message escaped and cut. */
static gboolean
refuse (const char *path, const char *why, GError **error)
{
  g_autofree char *shown = g_strndup (path, 256);
  g_autofree char *escaped = g_strescape (shown, NULL);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED, "path \"%s\" is not allowed: %s",
               escaped, why);
  return FALSE;
}

/* Why the text cannot be part of a path, or NULL. */
static const char *
find_text_fault (const char *path)
{
  if (*path == '\0')
    return "it is empty";
  if (strnlen (path, PATH_LIMIT) >= PATH_LIMIT)
    return "it is too long";
  if (!g_utf8_validate (path, -1, NULL))
    return "it is not UTF-8";
  if (stm_text_has_control (path))
    return "it has a control character";

  return NULL;
}

/* The components of "/a/b" are "a" and "b"; "/" has one empty component and so is not plain. */
static gboolean
components_are_plain (const char *path)
{
  const char *component = path + 1;

  for (;;)
    {
      gsize length = strcspn (component, "/");

      if (length == 0 || (length == 1 && component[0] == '.')
          || (length == 2 && component[0] == '.' && component[1] == '.'))
        return FALSE;
      if (component[length] == '\0')
        return TRUE;
      component += length + 1;
    }
}

gboolean
stm_path_is_plain (const char *path, GError **error)
{
  g_return_val_if_fail (path != NULL, FALSE);

  const char *fault = find_text_fault (path);

  if (fault != NULL)
    return refuse (path, fault, error);
  if (*path != '/')
    return refuse (path, "it is not absolute; name the file from the root directory on", error);
  if (!components_are_plain (path))
    return refuse (path, "it has an empty, \".\" or \"..\" component; name the file directly",
                   error);

  return TRUE;
}

/* QEMU takes whatever has a colon before its first slash as a protocol. */
static gboolean
has_protocol (const char *reference)
{
  return reference[strcspn (reference, ":/")] == ':';
}

/* Appends the components of `text` to a path without trailing slash ("" is the root directory). */
static void
append_components (GString *path, const char *text)
{
  while (*text != '\0')
    {
      gsize length = strcspn (text, "/");

      if (length == 2 && strncmp (text, "..", 2) == 0)
        {
          const char *slash = strrchr (path->str, '/');

          /* Above the root directory stands the root directory. */
          g_string_truncate (path, slash != NULL ? (gsize) (slash - path->str) : 0);
        }
      else if (length > 0 && !(length == 1 && *text == '.'))
        {
          g_string_append_c (path, '/');
          g_string_append_len (path, text, length);
        }
      text += length;
      text += strspn (text, "/");
    }
}

char *
stm_path_resolve (const char *image, const char *reference, GError **error)
{
  g_return_val_if_fail (image != NULL && reference != NULL, NULL);

  g_autoptr (GString) path = g_string_new (NULL);
  const char *fault = find_text_fault (reference);

  if (fault == NULL && has_protocol (reference))
    fault = "it names a protocol; only files and block devices can back an image";
  if (fault != NULL)
    {
      refuse (reference, fault, error);
      return NULL;
    }
  if (*reference != '/')
    {
      g_autofree char *directory = g_path_get_dirname (image);

      append_components (path, directory);
    }
  append_components (path, reference);

  return stm_path_is_plain (path->str, error) ? g_string_free (g_steal_pointer (&path), FALSE)
                                              : NULL;
}

/* The root directory would allow every file of the machine, so it is no root. */
static GStrv
copy_roots (const char *const *roots)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (; roots != NULL && *roots != NULL; roots++)
    {
      g_autofree char *root = g_strdup (*roots);

      for (gsize n = strlen (root); n > 1 && root[n - 1] == '/'; n--)
        root[n - 1] = '\0';
      if (stm_path_is_plain (root, NULL))
        g_strv_builder_add (builder, root);
    }

  return g_strv_builder_end (builder);
}

static GStrv
copy_exact (const char *const *exact)
{
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();

  for (; exact != NULL && *exact != NULL; exact++)
    if (stm_path_is_plain (*exact, NULL))
      g_strv_builder_add (builder, *exact);

  return g_strv_builder_end (builder);
}

StmPathPolicy *
stm_path_policy_new (const char *const *roots, const char *const *exact)
{
  Policy *policy = g_atomic_rc_box_new0 (Policy);

  policy->public.roots = (const char *const *) copy_roots (roots);
  policy->public.exact = (const char *const *) copy_exact (exact);
  policy->exact = g_hash_table_new (g_str_hash, g_str_equal);
  for (gsize i = 0; policy->public.exact[i] != NULL; i++)
    g_hash_table_add (policy->exact, (char *) policy->public.exact[i]);

  return &policy->public;
}

StmPathPolicy *
stm_path_policy_ref (const StmPathPolicy *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire ((StmPathPolicy *) self);
}

static void
clear_policy (gpointer data)
{
  Policy *policy = data;

  g_hash_table_unref (policy->exact);
  g_strfreev ((char **) policy->public.roots);
  g_strfreev ((char **) policy->public.exact);
}

void
stm_path_policy_unref (StmPathPolicy *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_policy);
}

gboolean
stm_path_policy_check (const StmPathPolicy *self, const char *path, GError **error)
{
  g_return_val_if_fail (self != NULL && path != NULL, FALSE);

  if (!stm_path_is_plain (path, error))
    return FALSE;
  if (g_hash_table_contains (((const Policy *) self)->exact, path)
      || stm_path_policy_root_of (self, path) != NULL)
    return TRUE;

  return refuse (path,
                 "it is outside the directories of the approved disks; move the image there, name "
                 "it in full with <backingStore> in the definition, or make its directory a pool "
                 "in stemma.conf",
                 error);
}

static gboolean
is_below (const char *path, const char *root)
{
  gsize length = strlen (root);

  return strncmp (path, root, length) == 0 && path[length] == '/' && path[length + 1] != '\0';
}

/* Of nested roots the outermost one: all that is below it is allowed anyway, so that a further root
 * never narrows what links inside may do. */
const char *
stm_path_policy_root_of (const StmPathPolicy *self, const char *path)
{
  const char *found = NULL;

  if (!stm_path_is_plain (path, NULL))
    return NULL;

  for (const char *const *root = self->roots; *root != NULL; root++)
    if (is_below (path, *root) && (found == NULL || strlen (*root) < strlen (found)))
      found = *root;

  return found;
}
