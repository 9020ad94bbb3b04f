/* StmMoment: makes, varies and serializes one snapshot or checkpoint, and knows its words.
 *
 * Called by everybody, on any thread: the value never changes once made.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment.h"

#include "stemma-error.h"
#include "stm-sound.h"

#include <string.h>

#define FEW_DISKS 16
#define DISK_FORMAT "(sumsmsmsmsms)"

/* Indexed by their enums. */
static const char *const state_words[] = { "creating", "running",   "paused",
                                           "shutoff",  "disk-only", "deleting" };
static const char *const health_words[] = { "ok",           "creating", "unreachable", "missing",
                                            "inconsistent", "orphan",   "unknown" };
static const char *const mode_words[] = { "none", "external", "internal", "bitmap" };
static const char *const memory_words[] = { "none", "internal", "external" };

G_STATIC_ASSERT (G_N_ELEMENTS (state_words) == STM_STATE_DELETING + 1);
G_STATIC_ASSERT (G_N_ELEMENTS (health_words) == STM_HEALTH_UNKNOWN + 1);
G_STATIC_ASSERT (G_N_ELEMENTS (mode_words) == STM_MODE_BITMAP + 1);
G_STATIC_ASSERT (G_N_ELEMENTS (memory_words) == STM_MEMORY_EXTERNAL + 1);

static gsize
bytes_of (const char *text)
{
  return text != NULL ? strlen (text) + 1 : 0;
}

/* What the texts and the disks take up behind the value. */
static gsize
bytes_behind (const StmMoment *init)
{
  gsize n = init->n_disks * sizeof (StmMomentDisk) + bytes_of (init->id) + bytes_of (init->name)
            + bytes_of (init->parent) + bytes_of (init->description) + bytes_of (init->definition)
            + bytes_of (init->memory_file) + bytes_of (init->inactive) + bytes_of (init->cookie);

  for (gsize i = 0; i < init->n_disks; i++)
    {
      const StmMomentDisk *disk = &init->disks[i];

      n += bytes_of (disk->target) + bytes_of (disk->frozen) + bytes_of (disk->overlay)
           + bytes_of (disk->format) + bytes_of (disk->tag) + bytes_of (disk->bitmap);
    }

  return n;
}

/* Copies a text to the free end of what is being filled. */
static const char *
pack (char **inout_end, const char *text)
{
  gsize n = bytes_of (text);

  if (n == 0)
    return NULL;

  char *copy = memcpy (*inout_end, text, n);

  *inout_end += n;
  return copy;
}

static void
pack_disks (StmMoment *self, char **inout_end)
{
  StmMomentDisk *disks = (StmMomentDisk *) (gpointer) *inout_end;

  *inout_end += self->n_disks * sizeof (StmMomentDisk);
  for (gsize i = 0; i < self->n_disks; i++)
    {
      const StmMomentDisk *disk = &self->disks[i];

      disks[i] = (StmMomentDisk){
        .target = pack (inout_end, disk->target),
        .mode = disk->mode,
        .frozen = pack (inout_end, disk->frozen),
        .overlay = pack (inout_end, disk->overlay),
        .format = pack (inout_end, disk->format),
        .tag = pack (inout_end, disk->tag),
        .bitmap = pack (inout_end, disk->bitmap),
      };
    }
  self->disks = disks;
}

/* One allocation for all: there may be very many of them. */
StmMoment *
stm_moment_new (const StmMoment *init)
{
  g_return_val_if_fail (init != NULL && init->id != NULL && init->name != NULL, NULL);

  StmMoment whole = *init;

  if (whole.description == NULL)
    whole.description = "";

  StmMoment *self = g_atomic_rc_box_alloc (sizeof whole + bytes_behind (&whole));
  char *end = (char *) (self + 1);

  *self = whole;
  pack_disks (self, &end);
  self->id = pack (&end, whole.id);
  self->name = pack (&end, whole.name);
  self->parent = pack (&end, whole.parent);
  self->description = pack (&end, whole.description);
  self->definition = pack (&end, whole.definition);
  self->memory_file = pack (&end, whole.memory_file);
  self->inactive = pack (&end, whole.inactive);
  self->cookie = pack (&end, whole.cookie);

  return self;
}

StmMoment *
stm_moment_ref (const StmMoment *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  return g_atomic_rc_box_acquire ((StmMoment *) self);
}

void
stm_moment_unref (StmMoment *self)
{
  if (self != NULL)
    g_atomic_rc_box_release (self);
}

const StmMomentDisk *
stm_moment_find_disk (const StmMoment *self, const char *target)
{
  for (gsize i = 0; i < self->n_disks; i++)
    if (g_strcmp0 (self->disks[i].target, target) == 0)
      return &self->disks[i];

  return NULL;
}

static gboolean
refuse_disk (const StmMomentDisk *disk, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT, "disk %s of a moment %s",
               disk->target, why);
  return FALSE;
}

static gboolean
disk_is_sound (const StmMomentDisk *disk, GError **error)
{
  if (!stm_sound_word ("target of a moment's disk", disk->target, error)
      || !stm_sound_path_or_null ("frozen image of a moment", disk->frozen, error)
      || !stm_sound_path_or_null ("overlay of a moment", disk->overlay, error)
      || !stm_sound_word_or_null ("tag of a moment", disk->tag, error)
      || !stm_sound_word_or_null ("bitmap of a moment", disk->bitmap, error))
    return FALSE;
  if (disk->format != NULL && !stm_sound_image_format ("format of a moment", disk->format, error))
    return FALSE;

  if ((guint) disk->mode > STM_MODE_BITMAP)
    return refuse_disk (disk, "has an unknown mode", error);
  /* That of a checkpoint may have gone; that of an external snapshot see below. */
  if ((disk->mode == STM_MODE_NONE && disk->frozen != NULL)
      || (disk->mode == STM_MODE_INTERNAL && disk->frozen == NULL))
    return refuse_disk (disk, "has a frozen image that does not go with its mode", error);
  if (disk->mode == STM_MODE_INTERNAL && disk->tag == NULL)
    return refuse_disk (disk, "is internal and has no tag", error);
  if ((disk->mode == STM_MODE_BITMAP) != (disk->bitmap != NULL))
    return refuse_disk (disk, "has a bitmap that does not go with its mode", error);

  return TRUE;
}

/* Of a snapshot that was redefined it may be unknown which image it froze: then it cannot be in
 * order. */
static gboolean
frozen_are_known (const StmMoment *self, GError **error)
{
  if (self->health != STM_HEALTH_OK)
    return TRUE;
  for (gsize i = 0; i < self->n_disks; i++)
    if (self->disks[i].mode == STM_MODE_EXTERNAL && self->disks[i].frozen == NULL)
      return refuse_disk (&self->disks[i], "is external and has no frozen image", error);

  return TRUE;
}

/* Whether one of the disks before it has the same target. For a few disks, as nearly all moments
 * have, a table would cost more than it saves. */
static gboolean
is_there_before (const StmMomentDisk *disks, gsize i, GHashTable *targets)
{
  if (targets != NULL)
    return !g_hash_table_add (targets, (char *) disks[i].target);
  for (gsize j = 0; j < i; j++)
    if (g_str_equal (disks[i].target, disks[j].target))
      return TRUE;

  return FALSE;
}

static gboolean
disks_are_sound (const StmMomentDisk *disks, gsize n_disks, GError **error)
{
  g_autoptr (GHashTable) targets = n_disks > FEW_DISKS ? g_hash_table_new (g_str_hash, g_str_equal)
                                                       : NULL;

  if (n_disks > STM_DISKS_MAX)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "a moment of %" G_GSIZE_FORMAT " disks is over the limit of %d", n_disks,
                   STM_DISKS_MAX);
      return FALSE;
    }
  for (gsize i = 0; i < n_disks; i++)
    {
      if (!disk_is_sound (&disks[i], error))
        return FALSE;
      if (is_there_before (disks, i, targets))
        return refuse_disk (&disks[i], "is there twice", error);
    }

  return TRUE;
}

gboolean
stm_moment_is_sound (const StmMoment *self, GError **error)
{
  if (!stm_sound_id ("id of a moment", self->id, error)
      || !stm_sound_word ("name of a moment", self->name, error)
      || (self->parent != NULL && !stm_sound_id ("parent of a moment", self->parent, error))
      || !stm_sound_text ("description of a moment", self->description, error)
      || !stm_sound_word_or_null ("definition hash of a moment", self->definition, error)
      || !stm_sound_path_or_null ("memory file of a moment", self->memory_file, error)
      || !stm_sound_word_or_null ("inactive definition of a moment", self->inactive, error)
      || !stm_sound_word_or_null ("cookie of a moment", self->cookie, error))
    return FALSE;
  if ((self->memory == STM_MEMORY_EXTERNAL) != (self->memory_file != NULL))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "moment %s has a memory file that does not go with its memory", self->name);
      return FALSE;
    }
  if ((guint) self->kind > STM_MOMENT_CHECKPOINT || (guint) self->state > STM_STATE_DELETING
      || (guint) self->health > STM_HEALTH_UNKNOWN || (guint) self->memory > STM_MEMORY_EXTERNAL
      || self->created < 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "kind, state, health, memory or time of moment %s is out of range", self->name);
      return FALSE;
    }

  return disks_are_sound (self->disks, self->n_disks, error) && frozen_are_known (self, error);
}

StmMoment *
stm_moment_with_parent (const StmMoment *self, const char *parent)
{
  StmMoment init = *self;

  init.parent = parent;
  return stm_moment_new (&init);
}

StmMoment *
stm_moment_with_state (const StmMoment *self, StmMomentState state, StmHealth health)
{
  StmMoment init = *self;

  init.state = state;
  init.health = health;
  return stm_moment_new (&init);
}

StmMoment *
stm_moment_with_disks (const StmMoment *self, const StmMomentDisk *disks, gsize n_disks)
{
  StmMoment init = *self;

  init.disks = disks;
  init.n_disks = n_disks;
  return stm_moment_new (&init);
}

StmMoment *
stm_moment_with_name (const StmMoment *self, const char *name)
{
  StmMoment init = *self;

  init.name = name;
  return stm_moment_new (&init);
}

StmMoment *
stm_moment_with_description (const StmMoment *self, const char *description)
{
  StmMoment init = *self;

  init.description = description;
  return stm_moment_new (&init);
}

GVariant *
stm_moment_to_variant (const StmMoment *self)
{
  g_auto (GVariantBuilder) disks = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a" DISK_FORMAT));

  for (gsize i = 0; i < self->n_disks; i++)
    {
      const StmMomentDisk *disk = &self->disks[i];

      g_variant_builder_add (&disks, DISK_FORMAT, disk->target, (guint32) disk->mode, disk->frozen,
                             disk->overlay, disk->format, disk->tag, disk->bitmap);
    }

  return g_variant_new ("(ussmssxuumsumsmsmsa" DISK_FORMAT ")", (guint32) self->kind, self->id,
                        self->name, self->parent, self->description, self->created,
                        (guint32) self->state, (guint32) self->health, self->definition,
                        (guint32) self->memory, self->memory_file, self->inactive, self->cookie,
                        &disks);
}

/* Texts stay those of `disks`. */
static StmMomentDisk *
read_disks (GVariant *disks)
{
  gsize n_disks = g_variant_n_children (disks);
  StmMomentDisk *read = g_new0 (StmMomentDisk, n_disks);

  for (gsize i = 0; i < n_disks; i++)
    {
      guint32 mode;

      g_variant_get_child (disks, i, "(&sum&sm&sm&sm&sm&s)", &read[i].target, &mode,
                           &read[i].frozen, &read[i].overlay, &read[i].format, &read[i].tag,
                           &read[i].bitmap);
      read[i].mode = mode;
    }

  return read;
}

StmMoment *
stm_moment_from_variant (GVariant *variant)
{
  g_autoptr (GVariant) disks = NULL;
  g_autofree StmMomentDisk *disks_read = NULL;
  StmMoment init = { 0 };
  guint32 kind, state, health, memory;

  if (!stm_sound_variant (variant, STM_MOMENT_TYPE))
    return NULL;

  g_variant_get (variant, "(u&s&sm&s&sxuum&sum&sm&sm&s@a" DISK_FORMAT ")", &kind, &init.id,
                 &init.name, &init.parent, &init.description, &init.created, &state, &health,
                 &init.definition, &memory, &init.memory_file, &init.inactive, &init.cookie,
                 &disks);
  init.kind = kind;
  init.state = state;
  init.health = health;
  init.memory = memory;
  init.n_disks = g_variant_n_children (disks);
  if (init.n_disks > STM_DISKS_MAX)
    return NULL;
  init.disks = disks_read = read_disks (disks);

  return stm_moment_is_sound (&init, NULL) ? stm_moment_new (&init) : NULL;
}

const char *
stm_moment_state_to_word (StmMomentState state)
{
  g_return_val_if_fail ((guint) state < G_N_ELEMENTS (state_words), NULL);

  return state_words[state];
}

gboolean
stm_moment_state_from_word (const char *word, StmMomentState *out_state)
{
  guint i;

  if (!stm_word_find (state_words, G_N_ELEMENTS (state_words), word, &i))
    return FALSE;
  if (out_state != NULL)
    *out_state = i;

  return TRUE;
}

const char *
stm_health_to_word (StmHealth health)
{
  g_return_val_if_fail ((guint) health < G_N_ELEMENTS (health_words), NULL);

  return health_words[health];
}

gboolean
stm_health_from_word (const char *word, StmHealth *out_health)
{
  guint i;

  if (!stm_word_find (health_words, G_N_ELEMENTS (health_words), word, &i))
    return FALSE;
  if (out_health != NULL)
    *out_health = i;

  return TRUE;
}

const char *
stm_memory_to_word (StmMemory memory)
{
  g_return_val_if_fail ((guint) memory < G_N_ELEMENTS (memory_words), NULL);

  return memory_words[memory];
}

gboolean
stm_memory_from_word (const char *word, StmMemory *out_memory)
{
  guint i;

  if (!stm_word_find (memory_words, G_N_ELEMENTS (memory_words), word, &i))
    return FALSE;
  if (out_memory != NULL)
    *out_memory = i;

  return TRUE;
}

const char *
stm_disk_mode_to_word (StmDiskMode mode)
{
  g_return_val_if_fail ((guint) mode < G_N_ELEMENTS (mode_words), NULL);

  return mode_words[mode];
}

gboolean
stm_disk_mode_from_word (const char *word, StmDiskMode *out_mode)
{
  guint i;

  if (!stm_word_find (mode_words, G_N_ELEMENTS (mode_words), word, &i))
    return FALSE;
  if (out_mode != NULL)
    *out_mode = i;

  return TRUE;
}
