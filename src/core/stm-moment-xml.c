/* stm-moment-xml: libvirt's <domainsnapshot> as a request for a snapshot.
 *
 * Called by the operation that creates snapshots, on any thread. A document that `virsh
 * snapshot-dumpxml` printed is a legal request: elements that libvirt ignores on create (state,
 * creationTime, parent, domain, inactiveDomain, cookie, active, revertDisks) are ignored here too;
 * an element that neither knows is refused. A choice that would not be honoured is refused, never
 * dropped. The name is the planner's to judge.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-xml.h"

#include "stemma-error.h"
#include "stm-xml.h"

#include <string.h>

#define MAX_NAME 1024
#define MAX_DESCRIPTION 65536

static const char *const known_elements[] = { "name",   "description",    "state",  "creationTime",
                                              "parent", "memory",         "disks",  "domain",
                                              "cookie", "inactiveDomain", "active", "revertDisks",
                                              NULL };
static const char *const known_disk_elements[] = { "source", "driver", "snapshotDeleteInProgress",
                                                   NULL };

/* What a document says of one disk. */
typedef enum
{
  CHOICE_DEFAULT,
  CHOICE_NO,
  CHOICE_EXTERNAL,
} Choice;

static gboolean G_GNUC_PRINTF (4, 5)
    refuse (const xmlNode *node, StemmaError code, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *clean = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  clean = stm_xml_clean_message (text);
  g_set_error (error, STEMMA_ERROR, code, "line %ld of the snapshot document: %s",
               xmlGetLineNo ((xmlNode *) node), clean);
  return FALSE;
}

/* Only known elements among the children, each at most once but <disk>. */
static gboolean
check_children (const xmlNode *parent, const char *const *known, GError **error)
{
  for (const xmlNode *node = stm_xml_first_element (parent); node != NULL;
       node = stm_xml_next_element (node))
    if (node->ns != NULL || !g_strv_contains (known, (const char *) node->name))
      return refuse (node, STEMMA_ERROR_INVALID_XML, error, "unknown element <%.64s> within <%s>",
                     (const char *) node->name, (const char *) parent->name);
  return stm_xml_check_single (parent, known, error);
}

static char *
read_text (const xmlNode *parent, const char *name, gsize limit, GError **error)
{
  const xmlNode *node = stm_xml_find (parent, name);
  g_autofree char *text = node != NULL ? stm_xml_text (node) : g_strdup ("");

  if (node != NULL && stm_xml_first_element (node) != NULL)
    {
      refuse (node, STEMMA_ERROR_INVALID_XML, error, "<%s> must hold text only", name);
      return NULL;
    }
  if (strlen (text) > limit)
    {
      refuse (node, STEMMA_ERROR_INVALID_XML, error,
              "<%s> is longer than %" G_GSIZE_FORMAT " bytes", name, limit);
      return NULL;
    }
  return g_steal_pointer (&text);
}

static gboolean
check_memory (const xmlNode *root, GError **error)
{
  const xmlNode *node = stm_xml_find (root, "memory");
  g_autofree char *mode = node != NULL ? stm_xml_attribute (node, "snapshot") : NULL;
  g_autofree char *file = node != NULL ? stm_xml_attribute (node, "file") : NULL;

  if (node == NULL || (mode == NULL && file == NULL))
    return TRUE;
  if (mode == NULL || strcmp (mode, "internal") == 0 || strcmp (mode, "external") == 0)
    return refuse (node, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "snapshots with memory are not supported; shut the machine down and leave "
                   "<memory> out, or say snapshot='no'");
  if (strcmp (mode, "no") != 0)
    return refuse (node, STEMMA_ERROR_INVALID_XML, error,
                   "<memory> must say snapshot='no', 'internal' or 'external'");
  if (file != NULL)
    return refuse (node, STEMMA_ERROR_INVALID_XML, error,
                   "<memory> names a file and says snapshot='no'");
  return TRUE;
}

/* The disk by target, else by the path of its active image. */
static const StmDisk *
find_disk (const StmDomain *domain, const char *name)
{
  const StmDisk *disk = stm_domain_find_disk (domain, name);

  if (disk != NULL || *name != '/')
    return disk;
  for (gsize i = 0; i < domain->n_disks; i++)
    if (g_strcmp0 (domain->disks[i].source, name) == 0)
      return &domain->disks[i];
  return NULL;
}

static gboolean
check_source (const xmlNode *element, const char *target, GError **error)
{
  const xmlNode *source = stm_xml_find (element, "source");
  g_autofree char *type = stm_xml_attribute (element, "type");

  if (type != NULL && strcmp (type, "file") != 0)
    return refuse (element, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "disk %s: an overlay can only be a file; leave the type out", target);
  if (source != NULL && (source->properties != NULL || stm_xml_first_element (source) != NULL))
    return refuse (source, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "disk %s: the overlay's file cannot be chosen; leave <source> out and it is "
                   "made beside the disk's image",
                   target);
  return TRUE;
}

static gboolean
check_driver (const xmlNode *element, const char *target, GError **error)
{
  const xmlNode *driver = stm_xml_find (element, "driver");
  g_autofree char *format = driver != NULL ? stm_xml_attribute (driver, "type") : NULL;

  if (format != NULL && strcmp (format, "qcow2") != 0)
    return refuse (driver, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "disk %s: an overlay can only be qcow2; leave <driver> out", target);
  if (driver != NULL && stm_xml_first_element (driver) != NULL)
    return refuse (driver, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "disk %s: settings of the overlay's driver are not supported; leave <driver> "
                   "out",
                   target);
  return TRUE;
}

static gboolean
read_choice (const xmlNode *element, const char *target, Choice *out_choice, GError **error)
{
  g_autofree char *mode = stm_xml_attribute (element, "snapshot");
  gboolean is_described = stm_xml_find (element, "source") != NULL
                          || stm_xml_find (element, "driver") != NULL;

  if (g_strcmp0 (mode, "internal") == 0 || g_strcmp0 (mode, "manual") == 0)
    return refuse (element, STEMMA_ERROR_NOT_SUPPORTED, error,
                   "disk %s: %s snapshots are not supported; say snapshot='external' or 'no'",
                   target, mode);
  if (mode != NULL && strcmp (mode, "no") != 0 && strcmp (mode, "external") != 0)
    return refuse (element, STEMMA_ERROR_INVALID_XML, error,
                   "disk %s: snapshot must be 'no', 'internal', 'external' or 'manual'", target);
  if (g_strcmp0 (mode, "no") == 0)
    {
      if (is_described)
        return refuse (element, STEMMA_ERROR_INVALID_XML, error,
                       "disk %s: says snapshot='no' and describes an overlay", target);
      *out_choice = CHOICE_NO;
      return TRUE;
    }
  if (!check_source (element, target, error) || !check_driver (element, target, error))
    return FALSE;
  *out_choice = mode != NULL || is_described ? CHOICE_EXTERNAL : CHOICE_DEFAULT;
  return TRUE;
}

static gboolean
read_disk (const xmlNode *element, const StmDomain *domain, GHashTable *choices, GError **error)
{
  g_autofree char *name = stm_xml_attribute (element, "name");
  const StmDisk *disk = name != NULL ? find_disk (domain, name) : NULL;
  Choice choice = CHOICE_DEFAULT;

  if (name == NULL || *name == '\0')
    return refuse (element, STEMMA_ERROR_INVALID_XML, error, "a <disk> has no name");
  if (disk == NULL)
    return refuse (element, STEMMA_ERROR_NOT_FOUND, error,
                   "domain %s has no disk '%.128s'; its disks go by target or by the path of their "
                   "image",
                   domain->name, name);
  if (!check_children (element, known_disk_elements, error)
      || !read_choice (element, disk->target, &choice, error))
    return FALSE;
  if (!g_hash_table_insert (choices, (char *) disk->target, GINT_TO_POINTER (choice)))
    return refuse (element, STEMMA_ERROR_INVALID_XML, error, "disk %s is named twice",
                   disk->target);
  return TRUE;
}

static gboolean
is_taken (const StmDisk *disk, GHashTable *choices)
{
  /* A disk that is not listed is looked up as CHOICE_DEFAULT: it is included like one that is. */
  Choice choice = GPOINTER_TO_INT (g_hash_table_lookup (choices, disk->target));

  if (choice != CHOICE_DEFAULT)
    return choice == CHOICE_EXTERNAL;
  return !disk->is_excluded && !disk->is_read_only && disk->kind != STM_SOURCE_NONE;
}

static gboolean
read_disks (StmSnapshotXml *self, const xmlNode *root, const StmDomain *domain, GError **error)
{
  const xmlNode *disks = stm_xml_find (root, "disks");
  g_autoptr (GHashTable) choices = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GStrvBuilder) taken = g_strv_builder_new ();

  if (disks == NULL)
    return TRUE;
  for (const xmlNode *node = stm_xml_first_element (disks); node != NULL;
       node = stm_xml_next_element (node))
    {
      if (!stm_xml_is (node, "disk"))
        return refuse (node, STEMMA_ERROR_INVALID_XML, error, "<disks> must hold <disk> only");
      if (!read_disk (node, domain, choices, error))
        return FALSE;
    }
  for (gsize i = 0; i < domain->n_disks; i++)
    if (is_taken (&domain->disks[i], choices))
      g_strv_builder_add (taken, domain->disks[i].target);
  self->disks = g_strv_builder_end (taken);
  return TRUE;
}

void
stm_snapshot_xml_free (StmSnapshotXml *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->description);
  g_strfreev (self->disks);
  g_free (self);
}

StmSnapshotXml *
stm_snapshot_xml_parse (const char *text, const StmDomain *domain, GError **error)
{
  g_autoptr (xmlDoc) doc = stm_xml_parse (text, "domainsnapshot", error);
  g_autoptr (StmSnapshotXml) self = NULL;
  const xmlNode *root;

  if (doc == NULL)
    return NULL;
  root = xmlDocGetRootElement (doc);
  self = g_new0 (StmSnapshotXml, 1);
  if (!check_children (root, known_elements, error))
    return NULL;
  self->name = read_text (root, "name", MAX_NAME, error);
  if (self->name == NULL)
    return NULL;
  self->description = read_text (root, "description", MAX_DESCRIPTION, error);
  if (self->description == NULL || !check_memory (root, error)
      || !read_disks (self, root, domain, error))
    return NULL;
  return g_steal_pointer (&self);
}
