/* Filters and orders of Snapshots.List, and the paths of objects. No bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-list-pages.h"
#include "stm-object-path.h"

/* The ids are 32 digits; one letter tells them apart. */
#define ID(letter) "0000000000000000000000000000000" letter

typedef struct
{
  const char *id;
  const char *parent;
  gint64 created;
  StmMomentState state;
} Node;

/*   a      d
 *  / \
 * b   c      created in the order d, a, c, b, e
 *     |
 *     e  */
static const Node nodes[] = {
  { ID ("a"), NULL, 20, STM_STATE_SHUTOFF },      { ID ("b"), ID ("a"), 50, STM_STATE_SHUTOFF },
  { ID ("c"), ID ("a"), 40, STM_STATE_CREATING }, { ID ("e"), ID ("c"), 60, STM_STATE_SHUTOFF },
  { ID ("d"), NULL, 10, STM_STATE_DELETING },
};

static StmTree *
make_tree (void)
{
  StmTree *tree = stm_tree_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (nodes); i++)
    {
      g_autoptr (StmMoment) moment = stm_moment_new (&(StmMoment){
          .kind = STM_MOMENT_SNAPSHOT,
          .id = nodes[i].id,
          .name = nodes[i].id,
          .parent = nodes[i].parent,
          .description = "",
          .created = nodes[i].created,
          .state = nodes[i].state,
          .health = STM_HEALTH_OK,
          .disks = &(StmMomentDisk){ .target = "vda",
                                     .mode = STM_MODE_EXTERNAL,
                                     .frozen = "/images/base",
                                     .format = "qcow2" },
          .n_disks = 1,
      });

      stm_tree_put (tree, moment);
    }
  return tree;
}

static void
add_letters (GString *letters, GPtrArray *found)
{
  for (guint i = 0; i < found->len; i++)
    {
      const StmMoment *moment = g_ptr_array_index (found, i);

      g_string_append (letters, moment->id + 31);
    }
}

static char *
list (const StmListFilter *filter)
{
  g_autoptr (StmTree) tree = make_tree ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) found = stm_snapshot_list (tree, filter, &error);
  GString *letters = g_string_new (NULL);

  g_assert_no_error (error);
  add_letters (letters, found);
  return g_string_free (letters, FALSE);
}

/* All pages of a list. Between them another list is read, so that what is kept is not what the next
 * page needs, when `is_disturbed`. */
static char *
list_in_pages (StmListPages *pages, const StmListFilter *filter, guint limit, gboolean is_disturbed)
{
  g_autoptr (StmTree) tree = make_tree ();
  const StmListFilter other = { .from = ID ("a"), .limit = 1 };
  StmListFilter part = *filter;
  GString *letters = g_string_new (NULL);
  g_autofree char *after = NULL;
  guint n_found = 0;

  part.limit = limit;
  do
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) page = stm_list_pages_read (pages, tree, &part, &error);

      g_assert_no_error (error);
      add_letters (letters, page);
      n_found = page->len;
      g_assert_cmpuint (n_found, <=, limit);
      if (n_found == 0)
        break;
      g_free (after);
      after = g_strdup (((const StmMoment *) g_ptr_array_index (page, n_found - 1))->id);
      part.after = after;
      if (is_disturbed)
        g_ptr_array_unref (stm_list_pages_read (pages, tree, &other, NULL));
    }
  while (n_found == limit);
  stm_list_pages_forget (pages);
  return g_string_free (letters, FALSE);
}

static void
test_pages (void)
{
  const StmListFilter filters[] = {
    { 0 },
    { .order = STM_ORDER_TOPOLOGICAL },
    { .leaves_only = TRUE },
    { .from = ID ("a"), .takes_descendants = TRUE },
    { .after = ID ("a") },
  };
  g_autoptr (StmListPages) pages = stm_list_pages_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (filters); i++)
    {
      g_autofree char *whole = list (&filters[i]);

      for (guint limit = 1; limit <= 6; limit++)
        {
          g_autofree char *plain = list_in_pages (pages, &filters[i], limit, FALSE);
          g_autofree char *disturbed = list_in_pages (pages, &filters[i], limit, TRUE);

          g_assert_cmpstr (plain, ==, whole);
          g_assert_cmpstr (disturbed, ==, whole);
        }
    }
}

static void
test_filters (void)
{
  const char *const shutoff[] = { "shutoff", NULL };
  const struct
  {
    const char *name;
    StmListFilter filter;
    const char *expected;
  } vectors[] = {
    { "all by creation", { 0 }, "dacbe" },
    { "topological", { .order = STM_ORDER_TOPOLOGICAL }, "daceb" },
    { "roots", { .roots_only = TRUE }, "da" },
    { "leaves", { .leaves_only = TRUE }, "dbe" },
    { "children", { .from = ID ("a") }, "cb" },
    { "descendants", { .from = ID ("a"), .takes_descendants = TRUE }, "cbe" },
    { "states", { .states = shutoff }, "abe" },
    { "external", { .location = STM_LOCATION_EXTERNAL }, "dacbe" },
    { "internal", { .location = STM_LOCATION_INTERNAL }, "" },
    { "after", { .after = ID ("a") }, "cbe" },
    { "limit", { .limit = 2 }, "da" },
    { "page", { .after = ID ("a"), .limit = 2 }, "cb" },
    { "page of shutoff ones", { .states = shutoff, .after = ID ("d"), .limit = 2 }, "ab" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *found = list (&vectors[i].filter);

      g_test_message ("%s", vectors[i].name);
      g_assert_cmpstr (found, ==, vectors[i].expected);
    }
}

static void
test_unknown (void)
{
  g_autoptr (StmTree) tree = make_tree ();
  const StmListFilter filters[] = {
    { .from = ID ("f") },
    { .after = ID ("f") },
    { .from = ID ("c"), .after = ID ("b") },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (filters); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) found = stm_snapshot_list (tree, &filters[i], &error);

      g_assert_null (found);
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
    }
}

static void
test_locations (void)
{
  const struct
  {
    StmMemory memory;
    StmDiskMode modes[2];
    StmLocation expected;
  } vectors[] = {
    { STM_MEMORY_NONE, { STM_MODE_NONE, STM_MODE_NONE }, STM_LOCATION_EXTERNAL },
    { STM_MEMORY_NONE, { STM_MODE_EXTERNAL, STM_MODE_NONE }, STM_LOCATION_EXTERNAL },
    { STM_MEMORY_NONE, { STM_MODE_NONE, STM_MODE_INTERNAL }, STM_LOCATION_INTERNAL },
    { STM_MEMORY_NONE, { STM_MODE_EXTERNAL, STM_MODE_INTERNAL }, STM_LOCATION_MIXED },
    { STM_MEMORY_INTERNAL, { STM_MODE_INTERNAL, STM_MODE_NONE }, STM_LOCATION_INTERNAL },
    { STM_MEMORY_EXTERNAL, { STM_MODE_EXTERNAL, STM_MODE_NONE }, STM_LOCATION_EXTERNAL },
    { STM_MEMORY_EXTERNAL, { STM_MODE_INTERNAL, STM_MODE_NONE }, STM_LOCATION_MIXED },
    { STM_MEMORY_INTERNAL, { STM_MODE_EXTERNAL, STM_MODE_EXTERNAL }, STM_LOCATION_MIXED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      const StmMomentDisk disks[] = { { .mode = vectors[i].modes[0] },
                                      { .mode = vectors[i].modes[1] } };
      const StmMoment moment = { .memory = vectors[i].memory, .disks = disks, .n_disks = 2 };

      g_assert_cmpint (stm_moment_get_location (&moment), ==, vectors[i].expected);
    }
}

static void
test_paths (void)
{
  const char *const targets[] = { "vda", "vd_a", "vd_5fa", "vd a", "", "ä", "vd/a" };
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < G_N_ELEMENTS (targets); i++)
    {
      g_autofree char *path = stm_object_path_of_disk (ID ("a"), targets[i]);

      /* An empty target has no path; a document that says so is refused before. */
      g_assert_cmpint (g_variant_is_object_path (path), ==, *targets[i] != '\0');
      g_assert_true (g_hash_table_add (seen, g_steal_pointer (&path)));
    }
}

static void
test_moment_paths (void)
{
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      StmMomentKind other = kind == STM_MOMENT_SNAPSHOT ? STM_MOMENT_CHECKPOINT
                                                        : STM_MOMENT_SNAPSHOT;
      g_autofree char *path = stm_object_path_of_moment (ID ("a"), kind, ID ("b"));
      g_autofree char *none = stm_object_path_of_moment (ID ("a"), kind, NULL);
      g_autofree char *more = g_strconcat (path, "/x", NULL);

      g_assert_cmpstr (stm_object_path_to_moment (path, ID ("a"), kind), ==, ID ("b"));
      g_assert_cmpstr (none, ==, "/");
      g_assert_null (stm_object_path_to_moment (path, ID ("a"), other));
      g_assert_null (stm_object_path_to_moment (path, ID ("b"), kind));
      g_assert_null (stm_object_path_to_moment (more, ID ("a"), kind));
      g_assert_null (stm_object_path_to_moment ("/", ID ("a"), kind));
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/daemon/list/filters-and-orders-combine", test_filters);
  g_test_add_func ("/daemon/list/pages-are-the-whole-list", test_pages);
  g_test_add_func ("/daemon/list/what-is-not-in-the-list-is-not-found", test_unknown);
  g_test_add_func ("/daemon/list/location-is-that-of-disks-and-memory", test_locations);
  g_test_add_func ("/daemon/paths/different-targets-have-different-paths", test_paths);
  g_test_add_func ("/daemon/paths/only-snapshots-of-the-domain-are-recognised", test_moment_paths);
  return g_test_run ();
}
