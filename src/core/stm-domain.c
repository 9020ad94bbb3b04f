/* StmDomain: makes and serializes the record of one machine.
 *
 * Called by everybody, on any thread: the value never changes once made.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain.h"

#include "stemma-error.h"
#include "stm-sound.h"

#define DISK_FORMAT "(sumssbbu)"

/* A missing text and an empty one are the same to every reader. */
static char *
copy_text (const char *text)
{
  return g_strdup (text != NULL ? text : "");
}

static StmDisk *
copy_disks (const StmDisk *disks, gsize n_disks)
{
  StmDisk *copies = g_new0 (StmDisk, n_disks);

  for (gsize i = 0; i < n_disks; i++)
    {
      copies[i] = disks[i];
      copies[i].target = g_strdup (disks[i].target);
      copies[i].source = g_strdup (disks[i].source);
      copies[i].format = copy_text (disks[i].format);
    }

  return copies;
}

static char **
copy_roots (const char *const *roots)
{
  return roots != NULL ? g_strdupv ((char **) roots) : g_new0 (char *, 1);
}

StmDomain *
stm_domain_new (const StmDomain *init)
{
  g_return_val_if_fail (init != NULL && init->id != NULL && init->name != NULL, NULL);

  StmDomain *self = g_atomic_rc_box_new (StmDomain);

  *self = *init;
  self->id = g_strdup (init->id);
  self->name = g_strdup (init->name);
  self->title = copy_text (init->title);
  self->description = copy_text (init->description);
  self->definition = copy_text (init->definition);
  self->disks = copy_disks (init->disks, init->n_disks);
  self->roots = (const char *const *) copy_roots (init->roots);

  return self;
}

StmDomain *
stm_domain_ref (const StmDomain *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire ((StmDomain *) self);
}

static void
clear_domain (gpointer data)
{
  StmDomain *self = data;

  for (gsize i = 0; i < self->n_disks; i++)
    {
      g_free ((char *) self->disks[i].target);
      g_free ((char *) self->disks[i].source);
      g_free ((char *) self->disks[i].format);
    }
  g_free ((StmDisk *) self->disks);
  g_free ((char *) self->id);
  g_free ((char *) self->name);
  g_free ((char *) self->title);
  g_free ((char *) self->description);
  g_free ((char *) self->definition);
  g_strfreev ((char **) self->roots);
}

void
stm_domain_unref (StmDomain *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_domain);
}

const StmDisk *
stm_domain_find_disk (const StmDomain *self, const char *target)
{
  for (gsize i = 0; i < self->n_disks; i++)
    if (g_strcmp0 (self->disks[i].target, target) == 0)
      return &self->disks[i];

  return NULL;
}

static gboolean
refuse_disk (const StmDisk *disk, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT, "disk %s %s", disk->target, why);
  return FALSE;
}

static gboolean
disk_is_sound (const StmDisk *disk, GError **error)
{
  gboolean has_image = disk->kind == STM_SOURCE_FILE || disk->kind == STM_SOURCE_BLOCK;

  if (!stm_sound_word ("target of a disk", disk->target, error))
    return FALSE;
  if ((guint) disk->kind > STM_SOURCE_OTHER)
    return refuse_disk (disk, "has a source of unknown kind", error);
  if (has_image != (disk->source != NULL))
    return refuse_disk (disk, "has a kind of source that does not go with its path", error);
  if (has_image)
    return stm_sound_path ("source of a disk", disk->source, error)
           && stm_sound_image_format ("format of a disk", disk->format, error);

  /* No image of ours: the format is only shown. */
  return *disk->format == '\0' || stm_sound_word ("format of a disk", disk->format, error);
}

static gboolean
disks_are_sound (const StmDisk *disks, gsize n_disks, GError **error)
{
  g_autoptr (GHashTable) targets = g_hash_table_new (g_str_hash, g_str_equal);

  if (n_disks > STM_DISKS_MAX)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "a domain of %" G_GSIZE_FORMAT " disks is over the limit of %d", n_disks,
                   STM_DISKS_MAX);
      return FALSE;
    }
  for (gsize i = 0; i < n_disks; i++)
    {
      if (!disk_is_sound (&disks[i], error))
        return FALSE;
      if (!g_hash_table_add (targets, (char *) disks[i].target))
        return refuse_disk (&disks[i], "is there twice", error);
    }

  return TRUE;
}

static gboolean
roots_are_sound (const char *const *roots, GError **error)
{
  if (g_strv_length ((char **) roots) > STM_ROOTS_MAX)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "approved directories of a domain are over the limit of %d", STM_ROOTS_MAX);
      return FALSE;
    }
  for (; *roots != NULL; roots++)
    if (!stm_sound_path ("approved directory of a domain", *roots, error))
      return FALSE;

  return TRUE;
}

gboolean
stm_domain_is_sound (const StmDomain *self, GError **error)
{
  return stm_sound_id ("id of a domain", self->id, error)
         && stm_sound_word ("name of a domain", self->name, error)
         && stm_sound_text ("title of a domain", self->title, error)
         && stm_sound_text ("description of a domain", self->description, error)
         && (*self->definition == '\0'
             || stm_sound_word ("definition hash of a domain", self->definition, error))
         && disks_are_sound (self->disks, self->n_disks, error)
         && roots_are_sound (self->roots, error);
}

GVariant *
stm_domain_to_variant (const StmDomain *self)
{
  g_auto (GVariantBuilder) disks = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a" DISK_FORMAT));

  for (gsize i = 0; i < self->n_disks; i++)
    {
      const StmDisk *disk = &self->disks[i];

      g_variant_builder_add (&disks, DISK_FORMAT, disk->target, (guint32) disk->kind, disk->source,
                             disk->format, disk->is_read_only, disk->is_excluded, disk->next_index);
    }

  return g_variant_new ("(sssssa" DISK_FORMAT "^as)", self->id, self->name, self->title,
                        self->description, self->definition, &disks, self->roots);
}

/* Texts stay those of `disks`. */
static StmDisk *
read_disks (GVariant *disks)
{
  gsize n_disks = g_variant_n_children (disks);
  StmDisk *read = g_new0 (StmDisk, n_disks);

  for (gsize i = 0; i < n_disks; i++)
    {
      guint32 kind;

      g_variant_get_child (disks, i, "(&sum&s&sbbu)", &read[i].target, &kind, &read[i].source,
                           &read[i].format, &read[i].is_read_only, &read[i].is_excluded,
                           &read[i].next_index);
      read[i].kind = kind;
    }

  return read;
}

StmDomain *
stm_domain_from_variant (GVariant *variant)
{
  g_autoptr (GVariant) disks = NULL;
  g_autofree StmDisk *disks_read = NULL;
  g_autofree const char **roots = NULL;
  StmDomain init = { 0 };

  if (!stm_sound_variant (variant, STM_DOMAIN_TYPE))
    return NULL;

  g_variant_get (variant, "(&s&s&s&s&s@a" DISK_FORMAT "^a&s)", &init.id, &init.name, &init.title,
                 &init.description, &init.definition, &disks, &roots);
  init.n_disks = g_variant_n_children (disks);
  if (init.n_disks > STM_DISKS_MAX)
    return NULL;
  init.disks = disks_read = read_disks (disks);
  init.roots = roots;

  return stm_domain_is_sound (&init, NULL) ? stm_domain_new (&init) : NULL;
}
