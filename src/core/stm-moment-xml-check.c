/* stm-moment-xml-check: whether the document of a moment fits what it is for, and what it asks for.
 *
 * Called by what creates moments from documents and by what redefines them, on any thread. A
 * document that `virsh snapshot-dumpxml` printed is a legal request: elements that libvirt ignores
 * on create (state, creationTime, parent, domain, inactiveDomain, cookie, active, revertDisks) are
 * ignored here too. A choice that would not be honoured is refused, never dropped.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-xml.h"

#include "stemma-error.h"
#include "stm-xml.h"

#include <string.h>

static gboolean G_GNUC_PRINTF (4, 5) refuse_disk (const StmDocumentDisk *disk, StemmaError code,
                                                  GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *whole = NULL;
  g_autofree char *clean = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  whole = g_strdup_printf ("disk %.128s: %s", disk->name, text);
  clean = stm_xml_clean_message (whole);
  g_set_error (error, STEMMA_ERROR, code, "line %u of the document: %s", disk->line, clean);
  return FALSE;
}

static gboolean
refuse_element (const StmMomentDocument *self, StemmaError code, const char *why, GError **error)
{
  g_set_error (error, STEMMA_ERROR, code, "the document of a %s: %s",
               self->kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint", why);
  return FALSE;
}

/* --- on create --- */

static gboolean
check_new_disk (const StmDocumentDisk *disk, GError **error)
{
  if (disk->mode == STM_WRITTEN_MANUAL)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "manual snapshots are not supported; say snapshot='external', 'internal' "
                        "or 'no'");
  if (disk->type != NULL && strcmp (disk->type, "file") != 0)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "an overlay can only be a file; leave the type out");
  if (disk->format != NULL && strcmp (disk->format, "qcow2") != 0)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "an overlay can only be qcow2; leave <driver> out");
  if (disk->has_settings)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "of an overlay only the file and the format can be chosen; leave the "
                        "other settings in <source> and <driver> out");
  return TRUE;
}

static gboolean
check_new_bitmap (const StmMomentDocument *self, const StmDocumentDisk *disk, GError **error)
{
  if (disk->bitmap == NULL || strcmp (disk->bitmap, self->name) == 0)
    return TRUE;
  return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                      "the bitmap has the checkpoint's name; leave 'bitmap' out");
}

gboolean
stm_moment_document_check_create (const StmMomentDocument *self, GError **error)
{
  if (self->has_memory && self->memory != STM_MEMORY_NONE)
    return refuse_element (self, STEMMA_ERROR_NOT_SUPPORTED,
                           "snapshots with memory are not supported; shut the machine down and "
                           "leave <memory> out, or say snapshot='no'",
                           error);
  for (guint i = 0; self->disks != NULL && i < self->disks->len; i++)
    {
      const StmDocumentDisk *disk = self->disks->pdata[i];

      if (!(self->kind == STM_MOMENT_SNAPSHOT ? check_new_disk (disk, error)
                                              : check_new_bitmap (self, disk, error)))
        return FALSE;
    }
  return TRUE;
}

/* --- on redefine --- */

static gboolean
is_off (const StmMomentDocument *self)
{
  return self->state != STM_STATE_RUNNING && self->state != STM_STATE_PAUSED;
}

StmMemory
stm_moment_document_memory (const StmMomentDocument *self)
{
  if (self->has_memory)
    return self->memory;
  return self->kind == STM_MOMENT_CHECKPOINT || is_off (self) ? STM_MEMORY_NONE
                                                              : STM_MEMORY_INTERNAL;
}

static gboolean
check_recorded_memory (const StmMomentDocument *self, GError **error)
{
  StmMemory memory = stm_moment_document_memory (self);

  if (memory != STM_MEMORY_NONE && is_off (self))
    return refuse_element (self, STEMMA_ERROR_INVALID_XML,
                           "<memory> goes with the states running and paused only; say "
                           "snapshot='no'",
                           error);
  if (memory == STM_MEMORY_EXTERNAL && self->memory_file == NULL)
    return refuse_element (self, STEMMA_ERROR_INVALID_XML,
                           "<memory> says snapshot='external' and names no file", error);
  return TRUE;
}

static gboolean
check_recorded_disk (const StmDocumentDisk *disk, GError **error)
{
  if (disk->mode == STM_WRITTEN_MANUAL)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "a manual snapshot's state is in no image that is known; say "
                        "snapshot='no'");
  if (disk->type != NULL && strcmp (disk->type, "file") != 0 && strcmp (disk->type, "block") != 0)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "an overlay of a type that is neither 'file' nor 'block' cannot be "
                        "recorded; say snapshot='no'");
  if (disk->format != NULL && strcmp (disk->format, "qcow2") != 0)
    return refuse_disk (disk, STEMMA_ERROR_NOT_SUPPORTED, error,
                        "an overlay of another format than qcow2 cannot be recorded; say "
                        "snapshot='no'");
  return TRUE;
}

static gboolean
check_nested (const StmMomentDocument *self, const StmNestedDomain *nested, const char *element,
              GError **error)
{
  g_autofree char *why = NULL;

  if (nested == NULL)
    return TRUE;
  if (nested->problem != NULL)
    why = g_strdup_printf ("its <%s> cannot be read: %s", element, nested->problem->message);
  else if (nested->id == NULL)
    why = g_strdup_printf ("its <%s> has no <uuid>", element);
  return why == NULL || refuse_element (self, STEMMA_ERROR_INVALID_XML, why, error);
}

static gboolean
check_required (const StmMomentDocument *self, GError **error)
{
  const char *missing = NULL;

  if (*self->name == '\0')
    missing = "a redefinition needs <name>";
  else if (self->created < 0)
    missing = "a redefinition needs <creationTime>";
  else if (self->kind == STM_MOMENT_SNAPSHOT && !self->has_state)
    missing = "a redefinition needs <state>";
  else if (self->kind == STM_MOMENT_CHECKPOINT
           && (self->domain == NULL || self->domain->text == NULL))
    missing = "a redefinition needs <domain>";
  return missing == NULL || refuse_element (self, STEMMA_ERROR_INVALID_XML, missing, error);
}

gboolean
stm_moment_document_check_redefine (const StmMomentDocument *self, GError **error)
{
  if (!check_nested (self, self->domain, "domain", error)
      || !check_nested (self, self->inactive, "inactiveDomain", error)
      || !check_required (self, error) || !check_recorded_memory (self, error))
    return FALSE;
  for (guint i = 0;
       self->kind == STM_MOMENT_SNAPSHOT && self->disks != NULL && i < self->disks->len; i++)
    if (!check_recorded_disk (self->disks->pdata[i], error))
      return FALSE;
  return TRUE;
}

/* --- disks --- */

static const char *
target_in_view (const StmDomainXml *view, const StmDocumentDisk *disk)
{
  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *written = view->disks->pdata[i];
      const StmXmlImage *image = written->declared->len > 0 ? written->declared->pdata[0] : NULL;

      if (strcmp (written->target, disk->name) == 0
          || (image != NULL && strcmp (image->path, disk->name) == 0))
        return written->target;
    }
  return NULL;
}

static const char *
target_in_domain (const StmDomain *domain, const StmDocumentDisk *disk)
{
  const StmDisk *found = stm_domain_find_disk (domain, disk->name);

  if (found != NULL)
    return found->target;
  for (gsize i = 0; i < domain->n_disks; i++)
    if (g_strcmp0 (domain->disks[i].source, disk->name) == 0)
      return domain->disks[i].target;
  return NULL;
}

const char *
stm_moment_document_target (const StmMomentDocument *self, const StmDocumentDisk *disk,
                            const StmDomain *domain)
{
  const char *target = NULL;

  if (self->domain != NULL && self->domain->view != NULL)
    target = target_in_view (self->domain->view, disk);
  if (target == NULL && domain != NULL)
    target = target_in_domain (domain, disk);
  return target;
}

/* --- requests --- */

/* Perhaps it is the path of an image by a link; records have the real ones. */
static gboolean
refuse_unknown (const StmDocumentDisk *disk, const StmDomain *domain, GError **error)
{
  g_autofree char *name = g_path_get_basename (disk->name);

  for (gsize i = 0; *disk->name == '/' && i < domain->n_disks; i++)
    {
      const char *source = domain->disks[i].source;
      g_autofree char *other = source != NULL ? g_path_get_basename (source) : NULL;

      if (g_strcmp0 (name, other) == 0)
        return refuse_disk (disk, STEMMA_ERROR_NOT_FOUND, error,
                            "domain %s has no disk with this image; if it is a link to %s, say "
                            "that, or the target '%s'",
                            domain->name, source, domain->disks[i].target);
    }

  return refuse_disk (disk, STEMMA_ERROR_NOT_FOUND, error,
                      "domain %s has none of this name; its disks go by target or by the path of "
                      "their image",
                      domain->name);
}

/* The targets of the document's disks, in its order, each once and of the domain. */
static GPtrArray *
align (const StmMomentDocument *document, const StmDomain *domain, GError **error)
{
  g_autoptr (GPtrArray) targets = g_ptr_array_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; document->disks != NULL && i < document->disks->len; i++)
    {
      const StmDocumentDisk *disk = document->disks->pdata[i];
      const char *target = target_in_domain (domain, disk);

      if (target == NULL)
        {
          refuse_unknown (disk, domain, error);
          return NULL;
        }
      if (!g_hash_table_add (seen, (char *) target))
        {
          refuse_disk (disk, STEMMA_ERROR_INVALID_XML, error, "disk %s is named twice", target);
          return NULL;
        }
      g_ptr_array_add (targets, (char *) target);
    }
  return g_steal_pointer (&targets);
}

void
stm_snapshot_xml_free (StmSnapshotXml *self)
{
  if (self == NULL)
    return;
  for (gsize i = 0; i < self->n_choices; i++)
    {
      g_free ((char *) self->choices[i].target);
      g_free ((char *) self->choices[i].file);
    }
  g_free (self->choices);
  g_free (self->name);
  g_free (self->description);
  g_free (self);
}

static void
choose (StmSnapshotXml *self, const StmDocumentDisk *disk, const char *target)
{
  StmDiskMode mode;

  switch (disk->mode)
    {
    case STM_WRITTEN_NO:
      mode = STM_MODE_NONE;
      break;
    case STM_WRITTEN_INTERNAL:
      mode = STM_MODE_INTERNAL;
      break;
    case STM_WRITTEN_EXTERNAL:
      mode = STM_MODE_EXTERNAL;
      break;
    default:
      /* A disk that is listed without a word follows the same rule as one that is not listed. */
      return;
    }
  self->choices[self->n_choices++] = (StmDiskChoice){ .target = g_strdup (target),
                                                      .mode = mode,
                                                      .file = g_strdup (disk->file) };
}

StmSnapshotXml *
stm_snapshot_xml_parse (const char *text, const StmDomain *domain, GError **error)
{
  g_autoptr (StmMomentDocument)
      document = stm_moment_document_parse (text, STM_MOMENT_SNAPSHOT, error);
  g_autoptr (GPtrArray) targets = NULL;
  StmSnapshotXml *self;

  if (document == NULL || !stm_moment_document_check_create (document, error))
    return NULL;
  targets = align (document, domain, error);
  if (targets == NULL)
    return NULL;
  self = g_new0 (StmSnapshotXml, 1);
  self->name = g_strdup (document->name);
  self->description = g_strdup (document->description);
  self->choices = g_new0 (StmDiskChoice, targets->len);
  for (guint i = 0; i < targets->len; i++)
    choose (self, document->disks->pdata[i], targets->pdata[i]);
  return self;
}

void
stm_checkpoint_xml_free (StmCheckpointXml *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->description);
  g_strfreev (self->disks);
  g_free (self);
}

StmCheckpointXml *
stm_checkpoint_xml_parse (const char *text, const StmDomain *domain, GError **error)
{
  g_autoptr (StmMomentDocument)
      document = stm_moment_document_parse (text, STM_MOMENT_CHECKPOINT, error);
  g_autoptr (GPtrArray) targets = NULL;
  g_autoptr (GStrvBuilder) taken = g_strv_builder_new ();
  StmCheckpointXml *self;

  if (document == NULL || !stm_moment_document_check_create (document, error))
    return NULL;
  targets = align (document, domain, error);
  if (targets == NULL)
    return NULL;
  for (guint i = 0; i < targets->len; i++)
    if (((StmDocumentDisk *) document->disks->pdata[i])->mode == STM_WRITTEN_BITMAP)
      g_strv_builder_add (taken, targets->pdata[i]);
  self = g_new0 (StmCheckpointXml, 1);
  self->name = g_strdup (document->name);
  self->description = g_strdup (document->description);
  if (document->disks != NULL)
    self->disks = g_strv_builder_end (taken);
  return self;
}
