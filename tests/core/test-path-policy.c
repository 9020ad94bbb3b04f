/* The path policy: tables of texts with what must become of each.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-path-policy.h"

#include <limits.h>
#include <string.h>

typedef struct
{
  const char *name;
  const char *path;
  gboolean is_plain;
} PlainVector;

static const PlainVector plain_vectors[] = {
  { "file", "/var/lib/a.qcow2", TRUE },
  { "in root directory", "/a", TRUE },
  { "dots in a name", "/v/..a/b..", TRUE },
  { "three dots", "/v/...", TRUE },
  { "colon after the slash", "/v/a:b", TRUE },
  { "spaces and UTF-8", "/v/das Bild ä", TRUE },
  { "empty", "", FALSE },
  { "root directory", "/", FALSE },
  { "two slashes", "//", FALSE },
  { "two slashes first", "//etc/shadow", FALSE },
  { "two slashes inside", "/etc//shadow", FALSE },
  { "trailing slash", "/etc/", FALSE },
  { "dot", "/etc/./shadow", FALSE },
  { "dot last", "/etc/.", FALSE },
  { "dot-dot", "/etc/../shadow", FALSE },
  { "dot-dot first", "/../x", FALSE },
  { "dot-dot last", "/etc/..", FALSE },
  { "relative", "a.qcow2", FALSE },
  { "relative with dot", "./a.qcow2", FALSE },
  { "json", "json:{\"driver\":\"file\"}", FALSE },
  { "nbd", "nbd:localhost:10809", FALSE },
  { "file protocol", "file:/etc/shadow", FALSE },
  { "fat", "fat:rw:/etc", FALSE },
  { "newline", "/v/a\nb", FALSE },
  { "escape", "/v/\033[31m", FALSE },
  { "delete", "/v/\177", FALSE },
  { "C1 control", "/v/\302\205", FALSE },
  { "not UTF-8", "/v/\377", FALSE },
};

static void
test_plain (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (plain_vectors); i++)
    {
      const PlainVector *vector = &plain_vectors[i];
      g_autoptr (GError) error = NULL;
      gboolean is_plain = stm_path_is_plain (vector->path, &error);

      if (is_plain != vector->is_plain)
        g_test_fail_printf ("%s: plain is %d", vector->name, is_plain);
      if (is_plain)
        g_assert_no_error (error);
      else
        g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
    }
}

static char *
path_of_length (gsize length)
{
  char *path = g_malloc (length + 1);

  memset (path, 'a', length);
  path[0] = '/';
  path[length] = '\0';

  return path;
}

static void
test_longest (void)
{
  g_autofree char *longest = path_of_length (PATH_MAX - 1);
  g_autofree char *longer = path_of_length (PATH_MAX);

  g_assert_true (stm_path_is_plain (longest, NULL));
  g_assert_false (stm_path_is_plain (longer, NULL));
}

typedef struct
{
  const char *name;
  const char *image;
  const char *reference;
  const char *resolved; /* NULL: refused */
} ResolveVector;

static const ResolveVector resolve_vectors[] = {
  { "beside", "/v/d/a.qcow2", "b.qcow2", "/v/d/b.qcow2" },
  { "below", "/v/d/a.qcow2", "e/b", "/v/d/e/b" },
  { "dot", "/v/d/a.qcow2", "./b", "/v/d/b" },
  { "dot before a colon", "/v/d/a.qcow2", "./b:c", "/v/d/b:c" },
  { "above", "/v/d/a.qcow2", "../b", "/v/b" },
  { "two above", "/v/d/a.qcow2", "../../x", "/x" },
  { "far above ends at the root directory", "/v/d/a", "../../../../../etc/shadow", "/etc/shadow" },
  { "there and back", "/v/d/a", "e/f/../../b", "/v/d/b" },
  { "absolute", "/v/d/a", "/etc/shadow", "/etc/shadow" },
  { "absolute with dot-dot", "/v/d/a", "/v/../etc/./shadow", "/etc/shadow" },
  { "absolute with slashes", "/v/d/a", "//v///b", "/v/b" },
  { "colon after a slash", "/v/d/a", "e/b:c", "/v/d/e/b:c" },
  { "image in the root directory", "/a", "b", "/b" },
  { "empty", "/v/d/a", "", NULL },
  { "only the root directory", "/v/d/a", "/", NULL },
  { "up to the root directory", "/v/d/a", "../..", NULL },
  { "json", "/v/d/a", "json:{\"file.filename\":\"/etc/shadow\"}", NULL },
  { "nbd", "/v/d/a", "nbd:unix:/run/x", NULL },
  { "nbd url", "/v/d/a", "nbd://host/x", NULL },
  { "file", "/v/d/a", "file:b", NULL },
  { "fat", "/v/d/a", "fat:/v", NULL },
  { "unknown protocol", "/v/d/a", "b:c", NULL },
  { "only a colon", "/v/d/a", ":", NULL },
  { "control character", "/v/d/a", "b\nc", NULL },
  { "not UTF-8", "/v/d/a", "\300\200", NULL },
};

static void
test_resolve (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (resolve_vectors); i++)
    {
      const ResolveVector *vector = &resolve_vectors[i];
      g_autoptr (GError) error = NULL;
      g_autofree char *resolved = stm_path_resolve (vector->image, vector->reference, &error);

      if (g_strcmp0 (resolved, vector->resolved) != 0)
        g_test_fail_printf ("%s: \"%s\"", vector->name, resolved);
      if (resolved != NULL)
        g_assert_true (stm_path_is_plain (resolved, NULL));
      else
        g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
    }
}

static void
test_resolve_bounds_length (void)
{
  g_autofree char *long_directory = path_of_length (PATH_MAX - 10);
  g_autofree char *image = g_strconcat (long_directory, "/a", NULL);
  g_autofree char *huge = path_of_length (10 * PATH_MAX);
  g_autoptr (GError) error = NULL;

  g_autofree char *fits = stm_path_resolve (image, "01234567", NULL);

  g_assert_nonnull (fits);
  g_assert_null (stm_path_resolve (image, "012345678", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
  g_assert_null (stm_path_resolve ("/v/a", huge, NULL));
}

typedef struct
{
  const char *name;
  const char *path;
  const char *root; /* NULL: none */
  gboolean is_allowed;
} PolicyVector;

static const PolicyVector policy_vectors[] = {
  { "below a root", "/v/images/a", "/v/images", TRUE },
  { "deep below a root", "/v/images/b/c/d", "/v/images", TRUE },
  { "below a root given with slashes", "/pool/a", "/pool", TRUE },
  { "below an inner root: the outer one counts", "/v/images/inner/a", "/v/images", TRUE },
  { "exact", "/golden/base.raw", NULL, TRUE },
  { "the root itself", "/v/images", NULL, FALSE },
  { "name that begins like a root", "/v/images2/a", NULL, FALSE },
  { "name that begins like a root, file", "/v/imagesa", NULL, FALSE },
  { "above", "/v/a", NULL, FALSE },
  { "beside the exact one", "/golden/other.raw", NULL, FALSE },
  { "below the exact one", "/golden/base.raw/x", NULL, FALSE },
  { "elsewhere", "/etc/shadow", NULL, FALSE },
  { "out by dot-dot", "/v/images/../../etc/shadow", NULL, FALSE },
  { "in by dot-dot", "/etc/../v/images/a", NULL, FALSE },
  { "slashes", "/v/images//a", NULL, FALSE },
  { "below a root that is not plain", "/odd/a", NULL, FALSE },
};

static StmPathPolicy *
make_policy (void)
{
  const char *roots[] = { "/v/images/inner", "/v/images", "/pool//", "/", "", "//",
                          "relative",        "/x/../odd", NULL };
  const char *exact[] = { "/golden/base.raw", "nbd:x", NULL };

  return stm_path_policy_new (roots, exact);
}

static void
test_policy (void)
{
  g_autoptr (StmPathPolicy) policy = make_policy ();

  for (gsize i = 0; i < G_N_ELEMENTS (policy_vectors); i++)
    {
      const PolicyVector *vector = &policy_vectors[i];
      g_autoptr (GError) error = NULL;
      gboolean is_allowed = stm_path_policy_check (policy, vector->path, &error);
      const char *root = stm_path_policy_root_of (policy, vector->path);

      if (is_allowed != vector->is_allowed)
        g_test_fail_printf ("%s: allowed is %d", vector->name, is_allowed);
      if (g_strcmp0 (root, vector->root) != 0)
        g_test_fail_printf ("%s: root is %s", vector->name, root);
      if (!is_allowed)
        g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED);
    }
}

static void
test_refusal_shows_no_control_characters (void)
{
  g_autoptr (StmPathPolicy) policy = make_policy ();
  g_autoptr (GError) error = NULL;

  g_assert_false (stm_path_policy_check (policy, "/v/\033[2J\n", &error));
  g_assert_nonnull (error);
  for (const char *p = error->message; *p != '\0'; p++)
    g_assert_false (g_ascii_iscntrl (*p));
}

static void
test_nothing_allows_nothing (void)
{
  g_autoptr (StmPathPolicy) policy = stm_path_policy_new (NULL, NULL);
  g_autoptr (StmPathPolicy) again = stm_path_policy_ref (policy);

  g_assert_false (stm_path_policy_check (again, "/a", NULL));
  g_assert_null (policy->roots[0]);
  g_assert_null (policy->exact[0]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/path/plain-or-not", test_plain);
  g_test_add_func ("/core/path/longest-is-the-kernels", test_longest);
  g_test_add_func ("/core/path/reference-resolves-as-text-or-is-refused", test_resolve);
  g_test_add_func ("/core/path/resolving-bounds-the-length", test_resolve_bounds_length);
  g_test_add_func ("/core/path-policy/allowed-or-not", test_policy);
  g_test_add_func ("/core/path-policy/refusal-shows-no-control-characters",
                   test_refusal_shows_no_control_characters);
  g_test_add_func ("/core/path-policy/nothing-allows-nothing", test_nothing_allows_nothing);

  return g_test_run ();
}
