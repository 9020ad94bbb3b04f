/* stm-domain-xml: the typed view of a libvirt domain document.
 *
 * Called by the define operation and by the printer beside it (stm-domain-xml-print), on any
 * thread. Reads only what the service needs, and refuses what two readers could understand in two
 * ways, such as a second <source>; it does not judge paths, which is the path policy's, nor
 * formats, which is the driver's.
 *
 * What the service cannot handle as images (network disks and volumes, SCSI passthrough, a slice of
 * a file, an encrypted image) becomes STM_SOURCE_OTHER: it is kept and shown, and refused where an
 * image is needed. SCSI passthrough and snapshot='manual' leave a disk out of snapshots like 'no':
 * the first cannot stand on a file, the second is the administrator's to snapshot.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain-xml.h"

#include "stemma-error.h"
#include "stm-id.h"
#include "stm-xml.h"

#include <string.h>

#define MAX_NAME 255
#define MAX_TITLE 1024
#define MAX_DESCRIPTION 65536
#define MAX_DISKS 1024
#define MAX_TARGET 32
#define MAX_FORMAT 32
#define MAX_PATH 4096
/* libvirt's own limit on the layers of a chain. */
#define MAX_LAYERS 200

#define DEFAULT_FORMAT "raw"

static void
xml_image_free (StmXmlImage *self)
{
  g_free ((char *) self->path);
  g_free ((char *) self->format);
  g_free (self);
}

static void
xml_disk_free (StmXmlDisk *self)
{
  g_free ((char *) self->target);
  g_free ((char *) self->format);
  g_clear_pointer (&self->declared, g_ptr_array_unref);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmXmlDisk, xml_disk_free)

void
stm_domain_xml_free (StmDomainXml *self)
{
  if (self == NULL)
    return;
  g_free ((char *) self->uuid);
  g_free ((char *) self->name);
  g_free ((char *) self->title);
  g_free ((char *) self->description);
  g_clear_pointer (&self->disks, g_ptr_array_unref);
  g_free (self);
}

static gboolean
    G_GNUC_PRINTF (3, 4) refuse (const xmlNode *node, GError **error, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "line %ld of the document: %s",
               xmlGetLineNo ((xmlNode *) node), text);
  return FALSE;
}

static gboolean
has_control (const char *text)
{
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    if (g_unichar_iscntrl (g_utf8_get_char (at)))
      return TRUE;
  return FALSE;
}

static gboolean
is_blank (const char *text)
{
  return text[strspn (text, " \t\r\n")] == '\0';
}

/* The text of a child that holds nothing but text; "" when there is none. */
static char *
read_text (const xmlNode *parent, const char *name, gsize limit, GError **error)
{
  const xmlNode *node = stm_xml_find (parent, name);
  g_autofree char *text = NULL;

  if (node == NULL)
    return g_strdup ("");
  if (stm_xml_first_element (node) != NULL)
    {
      refuse (node, error, "<%s> must hold text only", name);
      return NULL;
    }
  text = stm_xml_text (node);
  if (strlen (text) > limit)
    {
      refuse (node, error, "<%s> is longer than %" G_GSIZE_FORMAT " bytes", name, limit);
      return NULL;
    }
  return g_steal_pointer (&text);
}

static gboolean
read_name (StmDomainXml *self, const xmlNode *root, GError **error)
{
  self->name = read_text (root, "name", MAX_NAME, error);
  if (self->name == NULL)
    return FALSE;
  if (is_blank (self->name))
    return refuse (root, error, "the domain has no <name>");
  if (strchr (self->name, '/') != NULL)
    return refuse (root, error, "the <name> of the domain must not hold '/'");
  if (has_control (self->name))
    return refuse (root, error, "the <name> of the domain must not hold control characters");
  return TRUE;
}

static gboolean
read_uuid (StmDomainXml *self, const xmlNode *root, GError **error)
{
  g_autofree char *text = read_text (root, "uuid", /* limit= */ 128, error);
  g_autofree char *id = NULL;

  if (text == NULL)
    return FALSE;
  if (stm_xml_find (root, "uuid") == NULL)
    return TRUE;
  id = stm_id_from_uuid (text);
  if (id == NULL)
    return refuse (root, error,
                   "the <uuid> of the domain is none: 32 hexadecimal digits, with or "
                   "without dashes, are one; a new domain may be without the element");
  self->uuid = stm_id_to_uuid (id);
  return TRUE;
}

static gboolean
read_identity (StmDomainXml *self, const xmlNode *root, GError **error)
{
  static const char *const single[] = { "name",    "uuid", "title",    "description",
                                        "devices", "os",   "metadata", NULL };

  if (!stm_xml_check_single (root, single, error) || !read_name (self, root, error)
      || !read_uuid (self, root, error))
    return FALSE;
  self->title = read_text (root, "title", MAX_TITLE, error);
  if (self->title == NULL)
    return FALSE;
  if (has_control (self->title))
    return refuse (root, error,
                   "the <title> of the domain must be one line without control "
                   "characters");
  self->description = read_text (root, "description", MAX_DESCRIPTION, error);
  return self->description != NULL;
}

/* A format as written, or NULL with an error. It goes to other programs as a word. */
static char *
read_format (const xmlNode *node, const char *target, GError **error)
{
  g_autofree char *format = node != NULL ? stm_xml_attribute (node, "type") : NULL;

  if (format == NULL)
    return g_strdup (DEFAULT_FORMAT);
  if (*format == '\0' || strlen (format) > MAX_FORMAT
      || format[strspn (format, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "-_")] != '\0')
    {
      refuse (node, error, "disk %s: the format is not a word of at most %d letters and digits",
              target, MAX_FORMAT);
      return NULL;
    }
  return g_steal_pointer (&format);
}

static StmSourceKind
kind_of_type (const char *type)
{
  if (type == NULL || strcmp (type, "file") == 0)
    return STM_SOURCE_FILE;
  return strcmp (type, "block") == 0 ? STM_SOURCE_BLOCK : STM_SOURCE_OTHER;
}

/* Whether the bytes of the image are not simply the bytes of the file or device. */
static gboolean
is_wrapped (const xmlNode *source)
{
  return stm_xml_find (source, "slices") != NULL || stm_xml_find (source, "encryption") != NULL;
}

/* The path of a <source>, and what kind of source the element (a <disk> or <backingStore>) has. */
static gboolean
read_source (const xmlNode *element, const char *target, StmSourceKind *out_kind, char **out_path,
             GError **error)
{
  const xmlNode *source = stm_xml_find (element, "source");
  g_autofree char *type = stm_xml_attribute (element, "type");
  g_autofree char *path = NULL;
  StmSourceKind kind = kind_of_type (type);

  if (kind == STM_SOURCE_OTHER || source == NULL)
    {
      *out_kind = source == NULL && kind != STM_SOURCE_OTHER ? STM_SOURCE_NONE : STM_SOURCE_OTHER;
      return TRUE;
    }
  path = stm_xml_attribute (source, kind == STM_SOURCE_FILE ? "file" : "dev");
  if (path != NULL && strlen (path) > MAX_PATH)
    return refuse (source, error, "disk %s: the path of the source is longer than %d bytes", target,
                   MAX_PATH);
  if (path == NULL || *path == '\0')
    kind = STM_SOURCE_NONE;
  else if (is_wrapped (source))
    kind = STM_SOURCE_OTHER;
  *out_kind = kind;
  if (kind == STM_SOURCE_FILE || kind == STM_SOURCE_BLOCK)
    *out_path = g_steal_pointer (&path);
  return TRUE;
}

static void
declare (StmXmlDisk *disk, StmSourceKind kind, char *path, char *format)
{
  StmXmlImage *image = g_new0 (StmXmlImage, 1);

  image->path = path;
  image->format = format;
  image->kind = kind;
  g_ptr_array_add (disk->declared, image);
}

/* A disk whose chain does not consist of images alone is not one whose images we know. */
static void
become_other (StmXmlDisk *disk)
{
  disk->kind = STM_SOURCE_OTHER;
  disk->is_complete = FALSE;
  g_ptr_array_set_size (disk->declared, 0);
}

static gboolean
read_layer (StmXmlDisk *disk, const xmlNode *layer, GError **error)
{
  static const char *const single[] = { "source", "format", "backingStore", NULL };
  const xmlNode *format_node = stm_xml_find (layer, "format");
  g_autofree char *path = NULL;
  g_autofree char *format = NULL;
  StmSourceKind kind = STM_SOURCE_NONE;

  if (!stm_xml_check_single (layer, single, error))
    return FALSE;
  /* Never guessed: whoever wrote the guest's disk could make "raw" look like anything. */
  if (format_node == NULL)
    return refuse (layer, error, "disk %s: a <backingStore> does not say its <format>",
                   disk->target);
  format = read_format (format_node, disk->target, error);
  if (format == NULL || !read_source (layer, disk->target, &kind, &path, error))
    return FALSE;
  if (kind == STM_SOURCE_NONE)
    return refuse (layer, error, "disk %s: a <backingStore> has no <source>", disk->target);
  if (kind == STM_SOURCE_OTHER)
    become_other (disk);
  else
    declare (disk, kind, g_steal_pointer (&path), g_steal_pointer (&format));
  return TRUE;
}

/* The declared chain below the source. */
static gboolean
read_layers (StmXmlDisk *disk, const xmlNode *element, GError **error)
{
  for (const xmlNode *layer = stm_xml_find (element, "backingStore"); layer != NULL;
       layer = stm_xml_find (layer, "backingStore"))
    {
      if (stm_xml_first_element (layer) == NULL)
        {
          disk->is_complete = TRUE;
          return TRUE;
        }
      if (disk->declared->len >= MAX_LAYERS)
        return refuse (layer, error, "disk %s: more than %d layers", disk->target, MAX_LAYERS);
      if (!read_layer (disk, layer, error))
        return FALSE;
      if (disk->kind == STM_SOURCE_OTHER)
        return TRUE;
    }
  return TRUE;
}

static gboolean
read_target (StmXmlDisk *disk, const xmlNode *element, GError **error)
{
  const xmlNode *node = stm_xml_find (element, "target");
  g_autofree char *target = node != NULL ? stm_xml_attribute (node, "dev") : NULL;

  if (target == NULL || *target == '\0')
    return refuse (element, error, "a <disk> has no <target dev='…'/>");
  if (strlen (target) > MAX_TARGET
      || target[strspn (target, G_CSET_a_2_z G_CSET_A_2_Z G_CSET_DIGITS "_.-")] != '\0')
    return refuse (element, error,
                   "the target of a <disk> must be at most %d of letters, digits, '_', '.', '-'",
                   MAX_TARGET);
  disk->target = g_steal_pointer (&target);
  return TRUE;
}

static gboolean
read_device (StmXmlDisk *disk, const xmlNode *element, gboolean *out_is_passthrough, GError **error)
{
  static const char *const devices[] = { "disk", "cdrom", "floppy", "lun", NULL };
  static const char *const modes[] = { "no", "internal", "external", "manual", NULL };
  g_autofree char *device = stm_xml_attribute (element, "device");
  g_autofree char *mode = stm_xml_attribute (element, "snapshot");
  gboolean is_cdrom = g_strcmp0 (device, "cdrom") == 0;

  if (device != NULL && !g_strv_contains (devices, device))
    return refuse (element, error, "disk %s: an unknown device", disk->target);
  if (mode != NULL && !g_strv_contains (modes, mode))
    return refuse (element, error, "disk %s: an unknown snapshot mode", disk->target);
  *out_is_passthrough = g_strcmp0 (device, "lun") == 0;
  disk->is_read_only = is_cdrom || stm_xml_find (element, "readonly") != NULL;
  disk->is_transient = stm_xml_find (element, "transient") != NULL;
  disk->is_excluded = is_cdrom || *out_is_passthrough || g_strcmp0 (device, "floppy") == 0
                      || g_strcmp0 (mode, "no") == 0 || g_strcmp0 (mode, "manual") == 0;
  return TRUE;
}

static StmXmlDisk *
read_disk (const xmlNode *element, GError **error)
{
  static const char *const single[] = { "source",   "target",    "driver", "backingStore",
                                        "readonly", "transient", NULL };
  g_autoptr (StmXmlDisk) disk = g_new0 (StmXmlDisk, 1);
  g_autofree char *path = NULL;
  gboolean is_passthrough = FALSE;

  disk->declared = g_ptr_array_new_with_free_func ((GDestroyNotify) xml_image_free);
  if (!stm_xml_check_single (element, single, error) || !read_target (disk, element, error)
      || !read_device (disk, element, &is_passthrough, error))
    return NULL;
  disk->format = read_format (stm_xml_find (element, "driver"), disk->target, error);
  if (disk->format == NULL || !read_source (element, disk->target, &disk->kind, &path, error))
    return NULL;
  if (is_passthrough || (disk->kind != STM_SOURCE_NONE && is_wrapped (element)))
    become_other (disk);
  if (disk->kind == STM_SOURCE_NONE || disk->kind == STM_SOURCE_OTHER)
    return g_steal_pointer (&disk);
  declare (disk, disk->kind, g_steal_pointer (&path), g_strdup (disk->format));
  if (!read_layers (disk, element, error))
    return NULL;
  return g_steal_pointer (&disk);
}

static gboolean
read_disks (StmDomainXml *self, const xmlNode *root, GError **error)
{
  g_autoptr (GHashTable) targets = g_hash_table_new (g_str_hash, g_str_equal);
  const xmlNode *devices = stm_xml_find (root, "devices");

  for (const xmlNode *node = devices != NULL ? stm_xml_first_element (devices) : NULL; node != NULL;
       node = stm_xml_next_element (node))
    {
      StmXmlDisk *disk;

      if (!stm_xml_is (node, "disk"))
        continue;
      if (self->disks->len >= MAX_DISKS)
        return refuse (node, error, "more than %d disks", MAX_DISKS);
      disk = read_disk (node, error);
      if (disk == NULL)
        return FALSE;
      g_ptr_array_add (self->disks, disk);
      if (!g_hash_table_add (targets, (char *) disk->target))
        return refuse (node, error, "two disks have the target %s", disk->target);
    }
  return TRUE;
}

static gboolean
looks_into (const char *parent, const char *name)
{
  static const char *const of_domain[] = {
    "name", "uuid", "title", "description", "devices", NULL
  };

  if (strcmp (parent, "devices") == 0)
    return strcmp (name, "disk") == 0;
  return strcmp (parent, "domain") != 0 || g_strv_contains (of_domain, name);
}

StmDomainXml *
stm_domain_xml_parse (const char *text, GError **error)
{
  g_autoptr (xmlDoc) doc = stm_xml_parse_parts (text, "domain", looks_into, error);
  g_autoptr (StmDomainXml) self = NULL;
  const xmlNode *root;

  if (doc == NULL)
    return NULL;
  root = xmlDocGetRootElement (doc);
  self = g_new0 (StmDomainXml, 1);
  self->disks = g_ptr_array_new_with_free_func ((GDestroyNotify) xml_disk_free);
  if (!read_identity (self, root, error) || !read_disks (self, root, error))
    return NULL;
  return g_steal_pointer (&self);
}
