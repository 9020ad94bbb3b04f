/* StmMoment: one snapshot or checkpoint. The kind is data; both live in the same kind of tree.
 *
 * Immutable, reference counted. Files, tags and bitmaps are stored apart from the name, so that a
 * rename touches no image.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

typedef enum
{
  STM_MOMENT_SNAPSHOT,
  STM_MOMENT_CHECKPOINT,
} StmMomentKind;
#define STM_N_MOMENT_KINDS (STM_MOMENT_CHECKPOINT + 1)

typedef enum
{
  STM_STATE_CREATING,
  STM_STATE_RUNNING,
  STM_STATE_PAUSED,
  STM_STATE_SHUTOFF,
  STM_STATE_DISK_ONLY,
  STM_STATE_DELETING,
} StmMomentState;

typedef enum
{
  STM_HEALTH_OK,
  STM_HEALTH_CREATING,
  STM_HEALTH_UNREACHABLE,
  STM_HEALTH_MISSING,
  STM_HEALTH_INCONSISTENT,
  STM_HEALTH_ORPHAN,
  STM_HEALTH_UNKNOWN,
} StmHealth;

typedef enum
{
  STM_MODE_NONE, /* the disk is not part of the moment */
  STM_MODE_EXTERNAL,
  STM_MODE_INTERNAL,
  STM_MODE_BITMAP, /* of a checkpoint */
} StmDiskMode;

typedef enum
{
  STM_MEMORY_NONE,
  STM_MEMORY_INTERNAL,
  STM_MEMORY_EXTERNAL,
} StmMemory;

typedef struct
{
  const char *target;
  StmDiskMode mode;
  const char *frozen; /* the image that holds the state, of a checkpoint the one in which its bitmap
                       * was begun (recorded as that, but not held by it); NULL when mode is none,
                       * when the image of a checkpoint is gone, and its record with it, and when
                       * it is not known which one an external snapshot froze: then, and when it is
                       * not on record, the health is not ok */
  const char *overlay; /* the image made over it, NULL when there is none any more */
  const char *format;  /* of the frozen image; NULL when mode is none */
  const char *tag;     /* the name in the image of an internal snapshot, else NULL */
  const char *bitmap;  /* the name in the images of a checkpoint's bitmap, else NULL */
} StmMomentDisk;

typedef struct _StmMoment
{
  StmMomentKind kind;
  const char *id;
  const char *name;
  const char *parent; /* id, NULL for a root */
  const char *description;
  gint64 created; /* seconds since the epoch */
  StmMomentState state;
  StmHealth health;
  const char *definition; /* content hash of the domain's definition then; NULL when unknown */
  /* Only of snapshots that were redefined with it: */
  StmMemory memory;
  const char *memory_file; /* of external memory, else NULL */
  const char *inactive;    /* content hash of the definition for the next boot then, or NULL */
  const char *cookie;      /* content hash of the element <cookie>, kept as it was given, or NULL */
  const StmMomentDisk *disks;
  gsize n_disks;
} StmMoment;

StmMoment *stm_moment_new (const StmMoment *init);
StmMoment *stm_moment_ref (const StmMoment *self);
void stm_moment_unref (StmMoment *self);
const StmMomentDisk *stm_moment_find_disk (const StmMoment *self, const char *target);

/* Whether the texts are such as can be stored and read back. INVALID_ARGUMENT. */
gboolean stm_moment_is_sound (const StmMoment *self, GError **error);

/* Variations, each a new value. */
StmMoment *stm_moment_with_parent (const StmMoment *self, const char *parent);
StmMoment *stm_moment_with_state (const StmMoment *self, StmMomentState state, StmHealth health);
StmMoment *stm_moment_with_disks (const StmMoment *self, const StmMomentDisk *disks, gsize n_disks);
StmMoment *stm_moment_with_name (const StmMoment *self, const char *name);
StmMoment *stm_moment_with_description (const StmMoment *self, const char *description);

GVariant *stm_moment_to_variant (const StmMoment *self); /* floating */
StmMoment *stm_moment_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_MOMENT_TYPE G_VARIANT_TYPE ("(ussmssxuumsumsmsmsa(sumsmsmsmsms))")

/* The words of the bus contract. */
const char *stm_moment_state_to_word (StmMomentState state);
gboolean stm_moment_state_from_word (const char *word, StmMomentState *out_state);
const char *stm_health_to_word (StmHealth health);
gboolean stm_health_from_word (const char *word, StmHealth *out_health);
const char *stm_memory_to_word (StmMemory memory);
gboolean stm_memory_from_word (const char *word, StmMemory *out_memory);
const char *stm_disk_mode_to_word (StmDiskMode mode);
gboolean stm_disk_mode_from_word (const char *word, StmDiskMode *out_mode);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmMoment, stm_moment_unref)
