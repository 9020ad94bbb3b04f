/* stm-moment-xml: libvirt's <domainsnapshot> and <domaincheckpoint> as typed values.
 *
 * Called by what creates moments from documents and by what redefines them, on any thread. Here
 * stands what holds whatever a document is for; what is required or refused for a purpose is in
 * stm-moment-xml-check. An element or an attribute of a <disk> that libvirt does not know is
 * refused. The name is the planners' to judge.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-xml-private.h"

#include "stemma-error.h"
#include "stm-sound.h"

#include <string.h>

#define MAX_NAME 1024
#define MAX_DESCRIPTION 65536
#define MAX_WORD 64
#define MAX_PATH 4096
/* Of QEMU's: no image has a longer one. */
#define MAX_TAG_BYTES 255
#define MAX_COOKIE (256 * 1024)

static const char *const snapshot_elements[] = {
  "name",   "description", "state",          "creationTime", "parent",      "memory", "disks",
  "domain", "cookie",      "inactiveDomain", "active",       "revertDisks", NULL
};
static const char *const checkpoint_elements[] = { "name",   "description", "creationTime",
                                                   "parent", "disks",       "domain",
                                                   NULL };
static const char *const snapshot_disk_elements[] = { "source", "driver",
                                                      "snapshotDeleteInProgress", NULL };
static const char *const checkpoint_disk_elements[] = { NULL };
static const char *const snapshot_disk_attributes[] = { "name", "snapshot", "type", NULL };
static const char *const checkpoint_disk_attributes[] = { "name", "checkpoint", "bitmap", "size",
                                                          NULL };

/* Those of a document in; pmsuspended, which libvirt's schema refuses as well, is none. */
static const struct
{
  const char *word;
  StmMomentState state;
} states[] = {
  { "running", STM_STATE_RUNNING },         { "blocked", STM_STATE_RUNNING },
  { "paused", STM_STATE_PAUSED },           { "shutoff", STM_STATE_SHUTOFF },
  { "shutdown", STM_STATE_SHUTOFF },        { "crashed", STM_STATE_SHUTOFF },
  { "disk-snapshot", STM_STATE_DISK_ONLY },
};

static const struct
{
  const char *word;
  StmWrittenMode mode;
} snapshot_modes[] = { { "no", STM_WRITTEN_NO },
                       { "internal", STM_WRITTEN_INTERNAL },
                       { "external", STM_WRITTEN_EXTERNAL },
                       { "manual", STM_WRITTEN_MANUAL } };

static gboolean
    G_GNUC_PRINTF (3, 4) refuse (const xmlNode *node, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  g_autofree char *clean = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  clean = stm_xml_clean_message (text);
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "line %ld of the document: %s",
               xmlGetLineNo ((xmlNode *) node), clean);
  return FALSE;
}

/* Only known elements among the children, each at most once. */
static gboolean
check_children (const xmlNode *parent, const char *const *known, GError **error)
{
  for (const xmlNode *node = stm_xml_first_element (parent); node != NULL;
       node = stm_xml_next_element (node))
    if (node->ns != NULL || !g_strv_contains (known, (const char *) node->name))
      return refuse (node, error, "unknown element <%.64s> within <%s>", (const char *) node->name,
                     (const char *) parent->name);
  return stm_xml_check_single (parent, known, error);
}

static gboolean
check_attributes (const xmlNode *node, const char *const *known, GError **error)
{
  for (const xmlAttr *attribute = node->properties; attribute != NULL; attribute = attribute->next)
    if (attribute->ns != NULL || !g_strv_contains (known, (const char *) attribute->name))
      return refuse (node, error, "unknown attribute '%.64s' of <%s>",
                     (const char *) attribute->name, (const char *) node->name);
  return TRUE;
}

/* The text of a child that holds nothing else; left as it is without the child. */
static gboolean
read_text (const xmlNode *parent, const char *name, gsize limit, char **out_text, GError **error)
{
  const xmlNode *node = stm_xml_find (parent, name);
  g_autofree char *text = NULL;

  if (node == NULL)
    return TRUE;
  if (stm_xml_first_element (node) != NULL)
    return refuse (node, error, "<%s> must hold text only", name);
  text = stm_xml_text (node);
  if (strlen (text) > limit)
    return refuse (node, error, "<%s> is longer than %" G_GSIZE_FORMAT " bytes", name, limit);
  *out_text = g_steal_pointer (&text);
  return TRUE;
}

static gboolean
read_identity (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  static const char *const parent_elements[] = { "name", NULL };
  const xmlNode *parent = stm_xml_find (root, "parent");

  if (!read_text (root, "name", MAX_NAME, &self->name, error)
      || !read_text (root, "description", MAX_DESCRIPTION, &self->description, error))
    return FALSE;
  if (self->name == NULL)
    self->name = g_strdup ("");
  if (self->description == NULL)
    self->description = g_strdup ("");
  if (parent == NULL)
    return TRUE;
  if (!check_children (parent, parent_elements, error)
      || !read_text (parent, "name", MAX_NAME, &self->parent, error))
    return FALSE;
  return self->parent != NULL && *self->parent != '\0'
             ? TRUE
             : refuse (parent, error, "<parent> has no <name>");
}

static gboolean
read_created (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  g_autofree char *text = NULL;
  guint64 seconds = 0;

  self->created = -1;
  if (!read_text (root, "creationTime", MAX_WORD, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (g_strstrip (text), /* base= */ 10, 0, G_MAXINT64, &seconds,
                                   NULL))
    return refuse (stm_xml_find (root, "creationTime"), error,
                   "<creationTime> must be a number of seconds since 1970");
  self->created = (gint64) seconds;
  return TRUE;
}

static gboolean
read_state (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  g_autofree char *text = NULL;

  if (!read_text (root, "state", MAX_WORD, &text, error))
    return FALSE;
  if (text == NULL)
    return TRUE;
  g_strstrip (text);
  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    if (strcmp (text, states[i].word) == 0)
      {
        self->has_state = TRUE;
        self->state = states[i].state;
        return TRUE;
      }
  return refuse (stm_xml_find (root, "state"), error,
                 "<state> must be running, blocked, paused, shutoff, shutdown, crashed or "
                 "disk-snapshot, not '%.32s'",
                 text);
}

static gboolean
check_path (const xmlNode *node, const char *path, const char *what, GError **error)
{
  if (*path != '/')
    return refuse (node, error, "the path of %s must be absolute", what);
  if (strlen (path) > MAX_PATH)
    return refuse (node, error, "the path of %s is longer than %d bytes", what, MAX_PATH);
  return TRUE;
}

static gboolean
read_memory_mode (StmMomentDocument *self, const xmlNode *node, GError **error)
{
  g_autofree char *mode = stm_xml_attribute (node, "snapshot");

  self->memory = self->memory_file != NULL ? STM_MEMORY_EXTERNAL : STM_MEMORY_NONE;
  self->has_memory = mode != NULL || self->memory_file != NULL;
  if (mode == NULL)
    return TRUE;
  if (strcmp (mode, "no") == 0)
    self->memory = STM_MEMORY_NONE;
  else if (strcmp (mode, "internal") == 0)
    self->memory = STM_MEMORY_INTERNAL;
  else if (strcmp (mode, "external") == 0)
    self->memory = STM_MEMORY_EXTERNAL;
  else
    return refuse (node, error, "<memory> must say snapshot='no', 'internal' or 'external'");
  if (self->memory_file != NULL && self->memory != STM_MEMORY_EXTERNAL)
    return refuse (node, error, "<memory> names a file and says snapshot='%s'", mode);
  return TRUE;
}

static gboolean
read_memory (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  static const char *const attributes[] = { "snapshot", "file", NULL };
  const xmlNode *node = stm_xml_find (root, "memory");

  if (node == NULL)
    return TRUE;
  if (!check_attributes (node, attributes, error))
    return FALSE;
  self->memory_file = stm_xml_attribute (node, "file");
  if (self->memory_file != NULL && !check_path (node, self->memory_file, "<memory>", error))
    return FALSE;
  return read_memory_mode (self, node, error);
}

/* --- disks --- */

static void
document_disk_free (StmDocumentDisk *self)
{
  g_free (self->name);
  g_free (self->file);
  g_free (self->format);
  g_free (self->bitmap);
  g_free (self->tag);
  g_free (self->type);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmDocumentDisk, document_disk_free)

/* Whether the node has anything besides this attribute. */
static gboolean
has_more_than (const xmlNode *node, const char *attribute)
{
  if (stm_xml_first_element (node) != NULL)
    return TRUE;
  for (const xmlAttr *at = node->properties; at != NULL; at = at->next)
    if (at->ns != NULL || strcmp ((const char *) at->name, attribute) != 0)
      return TRUE;
  return FALSE;
}

static gboolean
read_overlay (StmDocumentDisk *disk, const xmlNode *element, GError **error)
{
  const xmlNode *source = stm_xml_find (element, "source");
  const xmlNode *driver = stm_xml_find (element, "driver");
  const char *attribute = g_strcmp0 (disk->type, "block") == 0 ? "dev" : "file";

  if (source != NULL)
    {
      disk->file = stm_xml_attribute (source, attribute);
      disk->has_settings = has_more_than (source, attribute);
    }
  if (driver != NULL)
    {
      disk->format = stm_xml_attribute (driver, "type");
      disk->has_settings = disk->has_settings || has_more_than (driver, "type");
    }
  if (disk->file != NULL && !check_path (source, disk->file, "a <disk>'s <source>", error))
    return FALSE;
  if (disk->mode != STM_WRITTEN_ABSENT && disk->mode != STM_WRITTEN_EXTERNAL
      && (source != NULL || driver != NULL))
    return refuse (element, error,
                   "disk %.128s: describes an overlay, which only snapshot='external' has",
                   disk->name);
  if (disk->mode == STM_WRITTEN_ABSENT && (source != NULL || driver != NULL))
    disk->mode = STM_WRITTEN_EXTERNAL;
  return TRUE;
}

static const xmlNode *
find_tag (const xmlNode *element)
{
  for (const xmlNode *node = element->children; node != NULL; node = node->next)
    if (node->type == XML_PI_NODE && strcmp ((const char *) node->name, STM_TAG_INSTRUCTION) == 0)
      return node;
  return NULL;
}

static gboolean
read_tag (StmDocumentDisk *disk, const xmlNode *element, GError **error)
{
  const xmlNode *instruction = find_tag (element);
  const char *escaped = instruction == NULL ? NULL : (const char *) instruction->content;

  if (instruction == NULL)
    return TRUE;
  if (disk->mode != STM_WRITTEN_INTERNAL)
    return refuse (element, error, "disk %.128s: names a tag, which only snapshot='internal' has",
                   disk->name);

  disk->tag = escaped == NULL ? NULL : g_uri_unescape_string (escaped, /* illegal= */ NULL);
  if (disk->tag != NULL && disk->tag[0] != '\0' && strlen (disk->tag) <= MAX_TAG_BYTES
      && g_utf8_validate (disk->tag, -1, NULL))
    return TRUE;

  return refuse (element, error,
                 "disk %.128s: the tag in <?" STM_TAG_INSTRUCTION "?> is to be a text of 1 to %d "
                 "bytes, escaped as in a URI",
                 disk->name, MAX_TAG_BYTES);
}

static gboolean
read_snapshot_disk (StmDocumentDisk *disk, const xmlNode *element, GError **error)
{
  g_autofree char *mode = stm_xml_attribute (element, "snapshot");

  disk->type = stm_xml_attribute (element, "type");
  for (gsize i = 0; mode != NULL && i < G_N_ELEMENTS (snapshot_modes); i++)
    if (strcmp (mode, snapshot_modes[i].word) == 0)
      disk->mode = snapshot_modes[i].mode;
  if (mode != NULL && disk->mode == STM_WRITTEN_ABSENT)
    return refuse (element, error,
                   "disk %.128s: snapshot must be 'no', 'internal', 'external' or 'manual'",
                   disk->name);
  return read_overlay (disk, element, error) && read_tag (disk, element, error);
}

static gboolean
read_checkpoint_disk (StmDocumentDisk *disk, const xmlNode *element, GError **error)
{
  g_autofree char *mode = stm_xml_attribute (element, "checkpoint");

  disk->mode = STM_WRITTEN_BITMAP;
  disk->bitmap = stm_xml_attribute (element, "bitmap");
  if (g_strcmp0 (mode, "no") == 0)
    disk->mode = STM_WRITTEN_NO;
  else if (mode != NULL && strcmp (mode, "bitmap") != 0)
    return refuse (element, error, "disk %.128s: checkpoint must be 'no' or 'bitmap'", disk->name);
  if (disk->bitmap == NULL)
    return TRUE;
  if (disk->mode == STM_WRITTEN_NO)
    return refuse (element, error, "disk %.128s: says checkpoint='no' and names a bitmap",
                   disk->name);
  return stm_sound_word ("bitmap of a <disk>", disk->bitmap, NULL)
             ? TRUE
             : refuse (element, error,
                       "disk %.128s: the bitmap's name is empty, longer than %d bytes, or has a "
                       "'/' or a control character",
                       disk->name, STM_WORD_MAX);
}

static StmDocumentDisk *
read_disk (const xmlNode *element, StmMomentKind kind, GError **error)
{
  gboolean is_snapshot = kind == STM_MOMENT_SNAPSHOT;
  g_autoptr (StmDocumentDisk) disk = g_new0 (StmDocumentDisk, 1);

  disk->line = (guint) xmlGetLineNo ((xmlNode *) element);
  disk->name = stm_xml_attribute (element, "name");
  if (disk->name == NULL || *disk->name == '\0')
    {
      refuse (element, error, "a <disk> has no name");
      return NULL;
    }
  if (!check_children (element, is_snapshot ? snapshot_disk_elements : checkpoint_disk_elements,
                       error)
      || !check_attributes (
          element, is_snapshot ? snapshot_disk_attributes : checkpoint_disk_attributes, error))
    return NULL;
  return (is_snapshot ? read_snapshot_disk (disk, element, error)
                      : read_checkpoint_disk (disk, element, error))
             ? g_steal_pointer (&disk)
             : NULL;
}

static gboolean
read_disks (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  const xmlNode *disks = stm_xml_find (root, "disks");
  g_autoptr (GHashTable) names = g_hash_table_new (g_str_hash, g_str_equal);

  if (disks == NULL)
    return TRUE;
  self->disks = g_ptr_array_new_with_free_func ((GDestroyNotify) document_disk_free);
  for (const xmlNode *node = stm_xml_first_element (disks); node != NULL;
       node = stm_xml_next_element (node))
    {
      StmDocumentDisk *disk;

      if (!stm_xml_is (node, "disk"))
        return refuse (node, error, "<disks> must hold <disk> only");
      if (self->disks->len >= STM_DISKS_MAX)
        return refuse (node, error, "more than %d disks", STM_DISKS_MAX);
      disk = read_disk (node, self->kind, error);
      if (disk == NULL)
        return FALSE;
      g_ptr_array_add (self->disks, disk);
      if (!g_hash_table_add (names, disk->name))
        return refuse (node, error, "disk %.128s is named twice", disk->name);
    }
  return TRUE;
}

/* --- the whole --- */

static gboolean
read_cookie (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  const xmlNode *node = stm_xml_find (root, "cookie");

  if (node == NULL)
    return TRUE;
  self->cookie = stm_xml_print_element (node, error);
  if (self->cookie == NULL)
    return FALSE;
  if (strlen (self->cookie) > MAX_COOKIE)
    return refuse (node, error, "<cookie> is longer than %d bytes", MAX_COOKIE);
  return TRUE;
}

static gboolean
read_document (StmMomentDocument *self, const xmlNode *root, GError **error)
{
  gboolean is_snapshot = self->kind == STM_MOMENT_SNAPSHOT;

  if (!check_children (root, is_snapshot ? snapshot_elements : checkpoint_elements, error)
      || !read_identity (self, root, error) || !read_created (self, root, error)
      || !read_disks (self, root, error))
    return FALSE;
  return !is_snapshot
         || (read_state (self, root, error) && read_memory (self, root, error)
             && read_cookie (self, root, error));
}

void
stm_moment_document_free (StmMomentDocument *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->description);
  g_free (self->parent);
  g_free (self->memory_file);
  g_clear_pointer (&self->disks, g_ptr_array_unref);
  stm_nested_domain_unref (self->domain);
  stm_nested_domain_unref (self->inactive);
  g_free (self->cookie);
  g_free (self);
}

StmMomentDocument *
stm_moment_reader_read (StmMomentReader *reader, const char *text, StmMomentKind kind,
                        GError **error)
{
  g_auto (StmDocumentCut) cut = { 0 };
  g_autoptr (StmMomentDocument) self = NULL;

  if (!stm_moment_reader_cut (reader, text, kind, &cut, error))
    return NULL;
  self = g_new0 (StmMomentDocument, 1);
  self->kind = kind;
  if (!read_document (self, xmlDocGetRootElement (cut.rest), error))
    return NULL;
  self->domain = g_steal_pointer (&cut.domain);
  self->inactive = g_steal_pointer (&cut.inactive);
  return g_steal_pointer (&self);
}

StmMomentDocument *
stm_moment_document_parse (const char *text, StmMomentKind kind, GError **error)
{
  g_autoptr (StmMomentReader) reader = stm_moment_reader_new ();

  return stm_moment_reader_read (reader, text, kind, error);
}
