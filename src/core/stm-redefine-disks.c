/* Aligns the disks of a document with those of the machine of its time, as libvirt does, and says
 * for each which image holds its state.
 *
 * libvirt names the overlay of an external snapshot in <disks>; what the snapshot froze is the
 * source of that disk in the snapshot's own <domain>. Without a <domain> only the overlay can tell,
 * by its record or by its header. An internal snapshot, or the bitmap of a checkpoint, is in the
 * image that was, or is, the source itself.
 *
 * Part of StmRedefinition, main loop, pure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-redefine-private.h"
#include "stm-xml.h"

#include <string.h>

/* A disk of the machine that the document is of. */
typedef struct
{
  const char *target;
  const char *path;              /* of its image then; NULL when it has none that is known */
  const char *format;            /* of that */
  gboolean is_excluded;          /* left out unless the document says otherwise */
  gboolean is_empty;             /* no medium */
  gboolean is_known;             /* `path` is that of then, not of today */
  const StmMomentDisk *recorded; /* in the snapshot that is replaced and keeps its definition */
  const StmXmlDisk *declared;
} View;

typedef struct
{
  const StmRedefinition *redefinition;
  StmRedefined *redefined;
  GArray *views;                   /* View */
  const StmDocumentDisk **written; /* by the place of the view; NULL: not listed */
  StmDiskMode by_default;
} Alignment;

static gboolean
refuse (const char *target, StemmaError code, const char *why, GError **error)
{
  g_autofree char *text = g_strdup_printf ("disk %.128s: %s", target, why);
  g_autofree char *clean = stm_xml_clean_message (text);

  g_set_error_literal (error, STEMMA_ERROR, (int) code, clean);
  return FALSE;
}

/* --- the machine --- */

static const char *
path_of (const StmXmlDisk *disk)
{
  return disk->declared->len > 0 ? ((StmXmlImage *) disk->declared->pdata[0])->path : NULL;
}

static void
view_definition (const StmRedefinition *self, GArray *views, const StmDomainXml *definition)
{
  for (guint i = 0; i < definition->disks->len; i++)
    {
      const StmXmlDisk *disk = definition->disks->pdata[i];
      View view = { .target = disk->target,
                    .path = stm_spellings_get (self->spellings, path_of (disk)),
                    .format = disk->format,
                    .is_excluded = disk->is_excluded || disk->is_read_only || disk->is_transient,
                    .is_empty = disk->kind == STM_SOURCE_NONE,
                    .is_known = TRUE,
                    .declared = disk };

      g_array_append_val (views, view);
    }
}

static void
view_record (GArray *views, const StmMoment *existing)
{
  for (gsize i = 0; i < existing->n_disks; i++)
    {
      const StmMomentDisk *disk = &existing->disks[i];
      View view = { .target = disk->target,
                    .path = disk->frozen,
                    .format = disk->format,
                    .is_excluded = disk->mode == STM_MODE_NONE,
                    .is_known = disk->frozen != NULL,
                    .recorded = disk };

      g_array_append_val (views, view);
    }
}

static void
view_domain (GArray *views, const StmDomain *domain)
{
  for (gsize i = 0; i < domain->n_disks; i++)
    {
      const StmDisk *disk = &domain->disks[i];
      View view = { .target = disk->target,
                    .path = disk->source,
                    .format = disk->format,
                    .is_excluded = disk->is_excluded || disk->is_read_only,
                    .is_empty = disk->kind == STM_SOURCE_NONE };

      g_array_append_val (views, view);
    }
}

static GArray *
view_machine (const StmRedefinition *self, const StmRedefined *redefined)
{
  GArray *views = g_array_new (FALSE, TRUE, sizeof (View));
  const StmNestedDomain *given = redefined->document->domain;

  if (given != NULL && given->view != NULL)
    view_definition (self, views, given->view);
  else if (redefined->existing != NULL)
    view_record (views, redefined->existing);
  else
    view_domain (views, self->domain);

  return views;
}

/* --- what is written of each --- */

static gboolean
is_named (const Alignment *self, guint place, const char *name, const char *path)
{
  const View *view = &g_array_index (self->views, View, place);

  return strcmp (view->target, name) == 0 || g_strcmp0 (view->path, path) == 0;
}

/* Mostly the disks are listed in the order of the machine. */
static gssize
find_view (const Alignment *self, const StmDocumentDisk *disk, guint guess)
{
  const char *name = disk->name;
  const char *path = stm_spellings_get (self->redefinition->spellings, name);

  if (guess < self->views->len && is_named (self, guess, name, path))
    return guess;
  for (guint i = 0; i < self->views->len; i++)
    if (is_named (self, i, name, path))
      return i;
  /* Perhaps by the path of its image of today. */
  name = stm_moment_document_target (self->redefined->document, disk, self->redefinition->domain);
  for (guint i = 0; name != NULL && i < self->views->len; i++)
    if (strcmp (g_array_index (self->views, View, i).target, name) == 0)
      return i;

  return -1;
}

static gboolean
match_written (Alignment *self, GError **error)
{
  const GPtrArray *disks = self->redefined->document->disks;

  for (guint i = 0; disks != NULL && i < disks->len; i++)
    {
      const StmDocumentDisk *disk = disks->pdata[i];
      gssize place = find_view (self, disk, i);

      if (place < 0)
        return refuse (disk->name, STEMMA_ERROR_NOT_FOUND,
                       "the machine that the document is of has none of this name; its disks go by "
                       "target or by the path of their image",
                       error);
      if (self->written[place] != NULL)
        return refuse (disk->name, STEMMA_ERROR_INVALID_XML,
                       "it is named twice, by its target and by the path of its image", error);
      self->written[place] = disk;
    }

  return TRUE;
}

/* libvirt's: external when anything is, or when it is of disks only. */
static StmDiskMode
choose_default (const StmMomentDocument *document)
{
  if (document->state == STM_STATE_DISK_ONLY
      || stm_moment_document_memory (document) == STM_MEMORY_EXTERNAL)
    return STM_MODE_EXTERNAL;
  for (guint i = 0; document->disks != NULL && i < document->disks->len; i++)
    if (((StmDocumentDisk *) document->disks->pdata[i])->mode == STM_WRITTEN_EXTERNAL)
      return STM_MODE_EXTERNAL;

  return STM_MODE_INTERNAL;
}

static StmDiskMode
choose_mode (const Alignment *self, const View *view, const StmDocumentDisk *written)
{
  switch (written != NULL ? written->mode : STM_WRITTEN_ABSENT)
    {
    case STM_WRITTEN_INTERNAL:
      return STM_MODE_INTERNAL;
    case STM_WRITTEN_EXTERNAL:
      return STM_MODE_EXTERNAL;
    case STM_WRITTEN_NO:
    case STM_WRITTEN_MANUAL:
    case STM_WRITTEN_BITMAP:
      return STM_MODE_NONE;
    case STM_WRITTEN_ABSENT:
      break;
    }
  /* A document that says nothing of the disks of a snapshot on record leaves them as they are. */
  if (view->recorded != NULL && self->redefined->document->disks == NULL)
    return view->recorded->mode;

  return view->is_excluded || view->is_empty ? STM_MODE_NONE : self->by_default;
}

/* --- which image --- */

static gboolean
check_image (const char *target, const char *path, const char *format, GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (!stm_path_is_plain (path, &problem))
    return refuse (target, problem->code, problem->message, error);
  if (g_strcmp0 (format, "qcow2") == 0 || g_strcmp0 (format, "raw") == 0)
    return TRUE;

  return refuse (target, STEMMA_ERROR_NOT_SUPPORTED,
                 "its image is neither qcow2 nor raw: say snapshot='no'", error);
}

/* The disk in the moment that is replaced, when it has the same image there; what a document does
 * not tell of it stays. */
static const StmMomentDisk *
find_recorded (const Alignment *self, const char *target, StmDiskMode mode, const char *frozen)
{
  const StmMoment *existing = self->redefined->existing;
  const StmMomentDisk *disk = existing != NULL ? stm_moment_find_disk (existing, target) : NULL;

  return disk != NULL && disk->mode == mode && g_strcmp0 (disk->frozen, frozen) == 0 ? disk : NULL;
}

/* Another tag instead of the one on record would lose that, and the state that it holds; only who
 * has seen the other in the image takes it instead. */
static gboolean
choose_tag (const Alignment *self, const StmDocumentDisk *written, const StmMomentDisk *recorded,
            StmRedefinedDisk *disk, GError **error)
{
  g_autofree char *why = NULL;

  disk->tag = written != NULL && written->tag != NULL ? written->tag
              : recorded != NULL                      ? recorded->tag
                                                      : self->redefined->document->name;
  if (recorded == NULL || strcmp (recorded->tag, disk->tag) == 0 || self->redefinition->validates)
    return TRUE;

  why = g_strdup_printf ("its tag is '%s' by the record, and '%s' by the document: leave the tag "
                         "out, forget the snapshot first, or ask with validate for a look at the "
                         "image",
                         recorded->tag, disk->tag);
  return refuse (disk->target, STEMMA_ERROR_INVALID_ARGUMENT, why, error);
}

static gboolean
take_internal (const Alignment *self, const View *view, const StmDocumentDisk *written,
               StmRedefinedDisk *disk, GError **error)
{
  const StmMomentDisk *recorded = find_recorded (self, view->target, STM_MODE_INTERNAL, view->path);

  if (view->path == NULL)
    return refuse (view->target, STEMMA_ERROR_INVALID_XML,
                   view->is_empty ? "it has no medium, and so no internal snapshot: say "
                                    "snapshot='no'"
                                  : "it has no image that is a file or a block device, and so no "
                                    "internal snapshot: say snapshot='no'",
                   error);
  if (!check_image (view->target, view->path, view->format, error))
    return FALSE;
  if (strcmp (view->format, "qcow2") != 0)
    return refuse (view->target, STEMMA_ERROR_INVALID_XML,
                   "its image is raw, and only a qcow2 image holds internal snapshots: say "
                   "snapshot='external' or 'no'",
                   error);

  disk->frozen = view->path;
  disk->format = view->format;
  return choose_tag (self, written, recorded, disk, error);
}

static const char *
choose_overlay (const Alignment *self, const View *view, const StmDocumentDisk *written)
{
  const StmMomentDisk *recorded = view->recorded;

  if (written != NULL && written->file != NULL)
    return stm_spellings_get (self->redefinition->spellings, written->file);
  if (recorded == NULL && view->path != NULL)
    recorded = find_recorded (self, view->target, STM_MODE_EXTERNAL, view->path);

  return recorded != NULL ? recorded->overlay : NULL;
}

static gboolean
take_external (const Alignment *self, const View *view, const StmDocumentDisk *written,
               StmRedefinedDisk *disk, GError **error)
{
  g_autoptr (GError) problem = NULL;

  disk->overlay = choose_overlay (self, view, written);
  if (disk->overlay != NULL && !stm_path_is_plain (disk->overlay, &problem))
    return refuse (view->target, problem->code, problem->message, error);
  if (view->is_empty)
    return refuse (view->target, STEMMA_ERROR_INVALID_XML,
                   "it has no medium, and so no external snapshot: say snapshot='no'", error);
  /* Only the overlay can tell what it stands on. */
  if (!view->is_known || view->path == NULL)
    return TRUE;
  if (!check_image (view->target, view->path, view->format, error))
    return FALSE;
  if (g_strcmp0 (view->path, disk->overlay) == 0)
    return refuse (view->target, STEMMA_ERROR_INVALID_XML,
                   "its overlay is the very image that the snapshot froze, the source of the disk "
                   "in its <domain>",
                   error);

  disk->frozen = view->path;
  disk->format = view->format;
  return TRUE;
}

static gboolean
add_snapshot_disk (Alignment *self, const View *view, const StmDocumentDisk *written,
                   GError **error)
{
  StmRedefinedDisk disk = { .target = view->target,
                            .mode = choose_mode (self, view, written),
                            .declared = view->declared };

  if (disk.mode == STM_MODE_INTERNAL && !take_internal (self, view, written, &disk, error))
    return FALSE;
  if (disk.mode == STM_MODE_EXTERNAL && !take_external (self, view, written, &disk, error))
    return FALSE;
  g_array_append_val (self->redefined->disks, disk);

  return TRUE;
}

static gboolean
has_bitmap (const View *view, const StmMomentDocument *document, const StmDocumentDisk *written)
{
  const StmXmlDisk *disk = view->declared;

  if (document->disks != NULL)
    return written != NULL && written->mode == STM_WRITTEN_BITMAP;

  return !view->is_empty && !disk->is_read_only && !disk->is_transient;
}

/* The disk in the checkpoint that is replaced, when it has a bitmap there. */
static const StmMomentDisk *
find_recorded_bitmap (const Alignment *self, const char *target)
{
  const StmMoment *existing = self->redefined->existing;
  const StmMomentDisk *disk = existing != NULL ? stm_moment_find_disk (existing, target) : NULL;

  return disk != NULL && disk->mode == STM_MODE_BITMAP && disk->bitmap != NULL ? disk : NULL;
}

/* libvirt names a bitmap after its checkpoint; the service may have had to choose another name, and
 * a document that tells of none leaves that as it is. */
static const char *
choose_bitmap (const Alignment *self, const StmDocumentDisk *written, const StmMomentDisk *recorded)
{
  if (written != NULL && written->bitmap != NULL)
    return written->bitmap;

  return recorded != NULL ? recorded->bitmap : self->redefined->document->name;
}

/* With another bitmap on record nobody would know of the old one, which goes on recording in the
 * images; only who has seen the other there takes it instead. */
static gboolean
check_bitmap (const Alignment *self, const StmMomentDisk *recorded, const char *bitmap,
              gboolean is_present, GError **error)
{
  g_autofree char *why = NULL;

  if (recorded == NULL || strcmp (recorded->bitmap, bitmap) == 0
      || (self->redefinition->validates && is_present))
    return TRUE;

  why = g_strdup_printf ("its bitmap is '%s' by the record, and '%s' by the document: say "
                         "bitmap='%s', or delete the checkpoint with metadata-only first%s",
                         recorded->bitmap, bitmap, recorded->bitmap,
                         is_present ? ", or ask with validate for a look at the images" : "");
  return refuse (recorded->target, STEMMA_ERROR_INVALID_ARGUMENT, why, error);
}

/* A bitmap begins in the image of today, where the record has not seen it begin in one before; that
 * of a disk that is not there any more is gone with it. */
static gboolean
take_bitmap (const Alignment *self, const StmDocumentDisk *written, StmRedefinedDisk *disk,
             GError **error)
{
  const StmMomentDisk *recorded = find_recorded_bitmap (self, disk->target);
  const StmDisk *present = stm_domain_find_disk (self->redefinition->domain, disk->target);
  gboolean is_present = present != NULL && present->source != NULL;

  disk->mode = STM_MODE_BITMAP;
  disk->bitmap = choose_bitmap (self, written, recorded);
  if (!check_bitmap (self, recorded, disk->bitmap, is_present, error))
    return FALSE;
  if (recorded != NULL && recorded->frozen != NULL && strcmp (recorded->bitmap, disk->bitmap) == 0)
    {
      disk->frozen = recorded->frozen;
      disk->format = recorded->format;
      disk->health = self->redefined->existing->health;
      return TRUE;
    }
  disk->frozen = is_present ? present->source : NULL;
  disk->format = is_present ? present->format : NULL;
  disk->health = is_present ? STM_HEALTH_UNKNOWN : STM_HEALTH_MISSING;
  return TRUE;
}

/* A bitmap that the document leaves out goes on recording in the images all the same; without it on
 * record nobody would know of it, nor ever remove it. */
static gboolean
check_left_out (const Alignment *self, const char *target, GError **error)
{
  const StmMomentDisk *recorded = find_recorded_bitmap (self, target);
  g_autofree char *why = NULL;

  if (recorded == NULL)
    return TRUE;

  why = g_strdup_printf ("its bitmap is '%s' by the record, and the document leaves it out: name "
                         "the disk in <disks> with checkpoint='bitmap' and in the <domain>, or "
                         "delete the checkpoint with metadata-only first",
                         recorded->bitmap);
  return refuse (target, STEMMA_ERROR_INVALID_ARGUMENT, why, error);
}

/* The disks of the record that the machine of the document does not have. */
static gboolean
check_absent (const Alignment *self, GError **error)
{
  const StmMoment *existing = self->redefined->existing;
  g_autoptr (GHashTable) present = g_hash_table_new (g_str_hash, g_str_equal);

  if (existing == NULL)
    return TRUE;
  for (guint i = 0; i < self->views->len; i++)
    g_hash_table_add (present, (char *) g_array_index (self->views, View, i).target);
  for (gsize i = 0; i < existing->n_disks; i++)
    if (!g_hash_table_contains (present, existing->disks[i].target)
        && !check_left_out (self, existing->disks[i].target, error))
      return FALSE;

  return TRUE;
}

static gboolean
add_checkpoint_disk (Alignment *self, const View *view, const StmDocumentDisk *written,
                     GError **error)
{
  StmRedefinedDisk disk = { .target = view->target, .mode = STM_MODE_NONE };

  if (!(has_bitmap (view, self->redefined->document, written)
            ? take_bitmap (self, written, &disk, error)
            : check_left_out (self, view->target, error)))
    return FALSE;
  if (disk.frozen != NULL && g_strcmp0 (disk.format, "qcow2") != 0)
    return refuse (view->target, STEMMA_ERROR_INVALID_XML,
                   "its image is not qcow2, and so has no bitmap: say checkpoint='no'", error);
  g_array_append_val (self->redefined->disks, disk);

  return TRUE;
}

gboolean
stm_redefine_align (const StmRedefinition *self, StmRedefined *redefined, GError **error)
{
  g_autoptr (GArray) views = view_machine (self, redefined);
  g_autofree const StmDocumentDisk **written = g_new0 (const StmDocumentDisk *, views->len + 1);
  Alignment alignment = { .redefinition = self,
                          .redefined = redefined,
                          .views = views,
                          .written = written,
                          .by_default = choose_default (redefined->document) };

  g_clear_pointer (&redefined->disks, g_array_unref);
  redefined->disks = g_array_sized_new (FALSE, TRUE, sizeof (StmRedefinedDisk), views->len);
  if (!match_written (&alignment, error))
    return FALSE;
  for (guint i = 0; i < views->len; i++)
    {
      const View *view = &g_array_index (views, View, i);

      if (!(self->kind == STM_MOMENT_SNAPSHOT
                ? add_snapshot_disk (&alignment, view, written[i], error)
                : add_checkpoint_disk (&alignment, view, written[i], error)))
        return FALSE;
    }

  return self->kind == STM_MOMENT_SNAPSHOT || check_absent (&alignment, error);
}
