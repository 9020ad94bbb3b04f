/* Asks for one page after another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-moments.h"

#include "stemma-error.h"

/* A page of usual moments has some seven megabytes; a message of the system bus may have 32. */
#define FIRST_PAGE 10000
/* How often one begins again when the moment that a page ended with is gone at the next. */
#define MAX_TRIES 5

typedef struct
{
  StemmaClient *client;
  const char *domain;
  const char *interface;
  GVariant *options;
  guint limit; /* of all; G_MAXUINT: none */
  guint page;
  GCancellable *cancellable;
} Reading;

/* The options for the next page; `after` NULL: as given. */
static GVariant *
page_options (Reading *reading, const char *after, guint limit)
{
  g_auto (GVariantDict) dict = G_VARIANT_DICT_INIT (reading->options);

  g_variant_dict_insert (&dict, "limit", "u", limit);
  if (after != NULL)
    g_variant_dict_insert (&dict, "after", "o", after);
  return g_variant_dict_end (&dict);
}

/* a(oa{sv}). A page that no message can hold is asked for again with half of its moments. */
static GVariant *
read_page (Reading *reading, const char *after, guint n_left, GError **error)
{
  while (TRUE)
    {
      GVariant *options = page_options (reading, after, MIN (reading->page, n_left));
      GError *problem = NULL;
      g_autoptr (GVariant) reply = stemma_client_call_sync (
          reading->client, reading->domain, reading->interface, "ListProperties",
          g_variant_new ("(@a{sv})", options), G_VARIANT_TYPE ("(a(oa{sv}))"), reading->cancellable,
          &problem);

      if (reply != NULL)
        return g_variant_get_child_value (reply, 0);
      if (reading->page == 1 || !g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE))
        {
          g_propagate_error (error, problem);
          return NULL;
        }
      g_error_free (problem);
      reading->page /= 2;
    }
}

static char *
last_path (GPtrArray *moments)
{
  char *path = NULL;

  if (moments->len > 0)
    g_variant_get_child (moments->pdata[moments->len - 1], 0, "o", &path);
  return path;
}

/* FALSE with error; NOT_FOUND after the first page when what it ended with is gone. */
static gboolean
read_pages (Reading *reading, GPtrArray *moments, GError **error)
{
  gboolean is_whole = FALSE;

  while (!is_whole && moments->len < reading->limit)
    {
      g_autofree char *after = last_path (moments);
      g_autoptr (GVariant) page = read_page (reading, after, reading->limit - moments->len, error);
      gsize n_moments = page != NULL ? g_variant_n_children (page) : 0;

      if (page == NULL)
        return FALSE;
      for (gsize i = 0; i < n_moments; i++)
        g_ptr_array_add (moments, g_variant_get_child_value (page, i));
      is_whole = n_moments < MIN (reading->page, reading->limit);
    }
  return TRUE;
}

static guint
limit_of (GVariant *options)
{
  guint limit = 0;

  g_variant_lookup (options, "limit", "u", &limit);
  return limit > 0 ? limit : G_MAXUINT;
}

GPtrArray *
stemma_moments_read_sync (StemmaClient *client, StemmaKind kind, const char *domain,
                          GVariant *options, GCancellable *cancellable, GError **error)
{
  g_autoptr (GVariant) held = g_variant_ref_sink (
      options != NULL ? options : g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0));
  Reading reading = {
    .client = client,
    .domain = domain,
    .interface = stemma_kind_to_list_interface (kind),
    .options = held,
    .limit = limit_of (held),
    .page = FIRST_PAGE,
    .cancellable = cancellable,
  };

  for (guint n_tries = 1;; n_tries++)
    {
      g_autoptr (GPtrArray)
          moments = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
      GError *problem = NULL;

      if (read_pages (&reading, moments, &problem))
        return g_steal_pointer (&moments);
      if (moments->len == 0 || n_tries == MAX_TRIES
          || !g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, problem);
          return NULL;
        }
      g_error_free (problem);
    }
}
