/* Makes names for new snapshots, overlay files and tags.
 *
 * A name of a snapshot is free text of a client and becomes part of a file name: only a small set
 * of characters passes, and the length is capped. Touches no file; the name is taken by whoever
 * makes the file without replacing another.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-naming.h"

#include "stemma-error.h"
#include "stm-planner.h"

#include <string.h>

/* Below NAME_MAX by enough for the temporary name that a driver makes the file under. */
#define MAX_FILE_NAME 200
/* What a stem keeps at least when it and the name of the snapshot do not fit together. */
#define MAX_LONG_STEM 120
#define MAX_TRIES 100000
/* Other readers of the format take no longer ones. */
#define MAX_TAG 127
/* What QEMU takes in one image. */
#define MAX_TAGS 65536

struct _StmNaming
{
  const StmModel *model;
  const StmSurvey *survey;
  GHashTable *given; /* paths */
};

char *
stm_naming_moment (const StmTree *tree, const char *wanted, gint64 now, GError **error)
{
  if (*wanted != '\0')
    {
      if (!stm_moment_name_check (wanted, error))
        return NULL;
      if (stm_tree_find (tree, wanted) == NULL)
        return g_strdup (wanted);
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                   "there is a snapshot '%s' already: choose another name", wanted);
      return NULL;
    }

  for (guint i = 0; i < MAX_TRIES; i++)
    {
      g_autofree char *name = i == 0 ? g_strdup_printf ("%" G_GINT64_FORMAT, now)
                                     : g_strdup_printf ("%" G_GINT64_FORMAT "-%u", now, i);

      if (stm_tree_find (tree, name) == NULL)
        return g_steal_pointer (&name);
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "all names made of the time %" G_GINT64_FORMAT " are taken: give a name", now);

  return NULL;
}

StmNaming *
stm_naming_new (const StmModel *model, const StmSurvey *survey)
{
  StmNaming *self = g_new0 (StmNaming, 1);

  self->model = model;
  self->survey = survey;
  self->given = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  return self;
}

void
stm_naming_free (StmNaming *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->given);
  g_free (self);
}

static gboolean
is_recorded (const StmNaming *self, const char *path)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (self->model);

  for (guint i = 0; i < ids->len; i++)
    if (stm_model_get_image (self->model, ids->pdata[i], path) != NULL)
      return TRUE;

  return FALSE;
}

static gboolean
is_taken (const StmNaming *self, const char *path)
{
  return g_hash_table_contains (self->given, path) || stm_survey_has_name (self->survey, path)
         || stm_survey_get (self->survey, path) != NULL || is_recorded (self, path);
}

/* The longest beginning of `text` that has at most `limit` bytes and cuts no character. */
static char *
cut (const char *text, gsize limit)
{
  if (strlen (text) <= limit)
    return g_strdup (text);

  const char *end = text + limit;
  while (end > text && ((guchar) *end & 0xc0) == 0x80)
    end--;

  return g_strndup (text, end - text);
}

/* The file name of `below` without what follows its last dot; a dot at the front is no suffix. */
static char *
stem_of (const char *below)
{
  const char *slash = strrchr (below, '/');
  const char *name = slash == NULL ? below : slash + 1;
  const char *dot = strrchr (name, '.');

  return dot == NULL || dot == name ? g_strdup (name) : g_strndup (name, dot - name);
}

/* The name of a snapshot with each character that a shell or a tool could trip over replaced. */
static char *
word_of (const char *moment_name)
{
  g_autoptr (GString) word = g_string_new (NULL);

  for (const char *p = moment_name; *p != '\0'; p = g_utf8_next_char (p))
    {
      gboolean passes = g_ascii_isalnum (*p) || strchr ("._-", *p) != NULL;

      g_string_append_c (word, passes ? *p : '_');
    }

  return g_string_free (g_steal_pointer (&word), FALSE);
}

static char *
file_name (const char *stem, const char *word, guint n)
{
  g_autofree char *suffix = n == 0 ? g_strdup ("") : g_strdup_printf ("-%u", n);
  gsize room = MAX_FILE_NAME - 1 - strlen (suffix);
  gsize stem_limit = strlen (stem) + strlen (word) <= room ? room : MAX_LONG_STEM;
  g_autofree char *short_stem = cut (stem, stem_limit);
  g_autofree char *short_word = cut (word, room - strlen (short_stem));

  return g_strconcat (short_stem, ".", short_word, suffix, NULL);
}

char *
stm_naming_overlay (StmNaming *self, const char *below, const char *moment_name, GError **error)
{
  g_autofree char *directory = g_path_get_dirname (below);
  g_autofree char *stem = stem_of (below);
  g_autofree char *word = word_of (moment_name);

  for (guint i = 0; i < MAX_TRIES; i++)
    {
      g_autofree char *name = file_name (stem, word, i);
      g_autofree char *path = g_build_filename (directory, name, NULL);

      if (is_taken (self, path))
        continue;
      if (!stm_path_is_plain (path, error))
        return NULL;
      g_hash_table_add (self->given, g_strdup (path));
      return g_steal_pointer (&path);
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "all file names for an overlay of %s named after snapshot '%s' are taken: "
               "choose another name",
               below, moment_name);

  return NULL;
}

gboolean
stm_naming_chosen (StmNaming *self, const char *path, const StmPathPolicy *policy, GError **error)
{
  const StmFacts *facts = stm_survey_get (self->survey, path);
  gboolean is_free = facts != NULL
                     && g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);

  if (!stm_path_is_plain (path, error) || !stm_path_policy_check (policy, path, error))
    return FALSE;
  if (is_free && !g_hash_table_contains (self->given, path)
      && !stm_survey_has_name (self->survey, path) && !is_recorded (self, path))
    {
      g_hash_table_add (self->given, g_strdup (path));
      return TRUE;
    }
  /* A link in its directory leads out of what is allowed, and nobody looked at what is there. */
  if (facts != NULL && !stm_survey_has_name (self->survey, path)
      && g_error_matches (facts->problem, STEMMA_ERROR, STEMMA_ERROR_NOT_ALLOWED))
    {
      g_propagate_prefixed_error (error, g_error_copy (facts->problem),
                                  "the overlay cannot be made as %s: ", path);
      return FALSE;
    }
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "the overlay cannot be made as %s: there is such a file, or a record of it, "
               "already; name another, or none",
               path);

  return FALSE;
}

static gboolean
tag_is_taken (const StmFacts *facts, const char *tag)
{
  for (guint i = 0; i < facts->tags->len; i++)
    {
      const StmTagFacts *other = facts->tags->pdata[i];

      if (g_strcmp0 (other->name, tag) == 0 || g_strcmp0 (other->id, tag) == 0)
        return TRUE;
    }

  return FALSE;
}

char *
stm_naming_tag (const StmFacts *facts, const char *moment_name, const char *moment_id,
                GError **error)
{
  gboolean is_fit = strlen (moment_name) <= MAX_TAG
                    && moment_name[strspn (moment_name, G_CSET_DIGITS)] != '\0';

  if (facts->tags->len >= MAX_TAGS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "image %s holds %u internal snapshots, and can hold no more: delete some first, "
                   "or take an external one",
                   facts->path, facts->tags->len);
      return NULL;
    }
  if (is_fit && !tag_is_taken (facts, moment_name))
    return g_strdup (moment_name);

  g_autofree char *tag = g_strdup_printf ("stm-%.8s", moment_id);
  for (guint i = 2; tag_is_taken (facts, tag); i++)
    {
      g_free (tag);
      tag = g_strdup_printf ("stm-%.8s-%u", moment_id, i);
    }

  return g_steal_pointer (&tag);
}
