/* stm-domain-xml-print: a stored domain document, brought up to what is recorded now.
 *
 * The other half of stm-domain-xml.h, called when a client asks for the document and when a
 * definition is to be stored, on any thread. Changes only what differs from the record and leaves
 * every other byte as far as an XML parser gives it back: no reformatting, no reordering.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain-xml.h"

#include "stemma-error.h"
#include "stm-id.h"
#include "stm-image.h"
#include "stm-xml-secrets.h"
#include "stm-xml.h"

#include <string.h>

/* As many images of a chain as the reader takes, the source counted. */
#define MAX_LAYERS 200

/* One go at a document. */
typedef struct
{
  const StmDomainXml *view;
  const StmDomain *domain;
  StmXmlChainOf chain_of; /* NULL: chains are left out */
  gpointer data;
  StmXmlSecrecy secrecy;
  gboolean has_chains; /* one was put in */
} Printing;

/* The first of `names` (NULL-terminated) that is there. */
static xmlNode *
find_first (const xmlNode *parent, const char *const *names)
{
  for (gsize i = 0; names[i] != NULL; i++)
    {
      xmlNode *node = stm_xml_find (parent, names[i]);

      if (node != NULL)
        return node;
    }
  return NULL;
}

static xmlNode *
find_or_add (xmlNode *parent, const char *name, const char *const *after)
{
  xmlNode *node = stm_xml_find (parent, name);
  xmlNode *anchor = node == NULL ? find_first (parent, after) : NULL;

  if (node != NULL)
    return node;
  return anchor != NULL ? stm_xml_add_after (anchor, name) : stm_xml_add_first (parent, name);
}

/* An empty text is no element. */
static void
put_text (xmlNode *root, const char *name, const char *text, const char *const *after)
{
  xmlNode *node = stm_xml_find (root, name);
  g_autofree char *present = node != NULL ? stm_xml_text (node) : g_strdup ("");

  if (strcmp (present, text) == 0)
    return;
  if (*text == '\0')
    stm_xml_remove_all (root, name);
  else
    stm_xml_set_text (find_or_add (root, name, after), text);
}

char *
stm_domain_xml_with_uuid (const char *text, const char *uuid, GError **error)
{
  static const char *const after[] = { "name", NULL };
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, error);
  g_autoptr (xmlDoc) doc = NULL;
  g_autofree char *id = stm_id_from_uuid (uuid);
  g_autofree char *canonical = id != NULL ? stm_id_to_uuid (id) : NULL;

  if (view == NULL)
    return NULL;
  if (view->uuid != NULL)
    return g_strdup (text);
  if (canonical == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "giving the definition of %s a uuid: this is none", view->name);
      return NULL;
    }
  doc = stm_xml_parse (text, "domain", error);
  if (doc == NULL)
    return NULL;
  put_text (xmlDocGetRootElement (doc), "uuid", canonical, after);
  return stm_xml_print (doc, error);
}

static gboolean
check_representable (const StmDomain *domain, GError **error)
{
  gboolean is_fine = stm_xml_is_representable (domain->name)
                     && stm_xml_is_representable (domain->title)
                     && stm_xml_is_representable (domain->description);

  for (gsize i = 0; is_fine && i < domain->n_disks; i++)
    is_fine = (domain->disks[i].source == NULL
               || stm_xml_is_representable (domain->disks[i].source))
              && (domain->disks[i].format == NULL
                  || stm_xml_is_representable (domain->disks[i].format));
  if (!is_fine)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "printing domain %s: its name, title, description or a path holds characters that "
                 "XML does not have; change it",
                 domain->id);
  return is_fine;
}

static void
put_identity (xmlNode *root, const StmDomain *domain)
{
  static const char *const after_name[] = { "uuid", "name", NULL };
  static const char *const after_title[] = { "title", "uuid", "name", NULL };

  put_text (root, "name", domain->name, after_name);
  put_text (root, "title", domain->title, after_name);
  put_text (root, "description", domain->description, after_title);
}

static gboolean
is_as_recorded (const StmXmlDisk *written, const StmDisk *disk)
{
  const StmXmlImage *image;

  if (written->kind == STM_SOURCE_OTHER || disk->kind == STM_SOURCE_OTHER)
    return TRUE;
  if (written->kind != disk->kind || disk->kind == STM_SOURCE_NONE)
    return written->kind == disk->kind;
  image = g_ptr_array_index (written->declared, 0);
  return strcmp (image->path, disk->source) == 0 && strcmp (image->format, disk->format) == 0;
}

static void
put_format (xmlNode *element, const char *format)
{
  static const char *const first[] = { NULL };
  xmlNode *driver = stm_xml_find (element, "driver");

  if (driver == NULL)
    {
      driver = find_or_add (element, "driver", first);
      stm_xml_set_attribute (driver, "name", "qemu");
    }
  stm_xml_set_attribute (driver, "type", format);
  /* A cache for the tables of qcow2, which no other format has. */
  if (strcmp (format, "qcow2") != 0)
    stm_xml_remove_all (driver, "metadata_cache");
}

static void
put_source (xmlNode *element, const StmDisk *disk)
{
  /* What says where the old image is, or which one of a running machine's nodes it is. */
  static const char *const stale[] = { "file", "dev", "index", "fdgroup", NULL };
  static const char *const after[] = { "driver", NULL };
  gboolean is_file = disk->kind == STM_SOURCE_FILE;
  xmlNode *source = find_or_add (element, "source", after);
  g_autofree char *type = stm_xml_attribute (element, "type");

  for (gsize i = 0; stale[i] != NULL; i++)
    stm_xml_remove_attribute (source, stale[i]);
  stm_xml_set_attribute (source, is_file ? "file" : "dev", disk->source);
  if (is_file)
    stm_xml_remove_all (source, "reservations");
  if (g_strcmp0 (type != NULL ? type : "file", is_file ? "file" : "block") != 0)
    stm_xml_set_attribute (element, "type", is_file ? "file" : "block");
}

/* A device is one by what the definition says of it; all else is a file, as overlays are. */
static gboolean
is_block (const StmXmlDisk *written, const char *path)
{
  for (guint i = 0; i < written->declared->len; i++)
    {
      const StmXmlImage *image = g_ptr_array_index (written->declared, i);

      if (strcmp (image->path, path) == 0)
        return image->kind == STM_SOURCE_BLOCK;
    }
  return FALSE;
}

/* On one line: the indentation of a deep chain would outgrow what it indents. */
static void
put_layers (xmlNode *element, const StmXmlDisk *written, GPtrArray *chain)
{
  const StmImage *last = g_ptr_array_index (chain, chain->len - 1);
  xmlNode *layer = stm_xml_add_after (stm_xml_find (element, "source"), "backingStore");

  for (guint i = 1; i < chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (chain, i);
      gboolean is_device = is_block (written, image->path);
      xmlNode *format = stm_xml_add_first (layer, "format");
      xmlNode *source = stm_xml_add_after (format, "source");

      stm_xml_set_attribute (layer, "type", is_device ? "block" : "file");
      stm_xml_set_attribute (format, "type", image->format);
      stm_xml_set_attribute (source, is_device ? "dev" : "file", image->path);
      /* The last one, empty, says that nothing follows. */
      if (image != last || last->backing == NULL)
        layer = stm_xml_add_after (source, "backingStore");
    }
}

static gboolean
is_printable (GPtrArray *chain)
{
  for (guint i = 0; i < chain->len; i++)
    {
      const StmImage *image = g_ptr_array_index (chain, i);

      if (!stm_xml_is_representable (image->path) || !stm_xml_is_representable (image->format))
        return FALSE;
    }
  return chain->len > 1 && chain->len <= MAX_LAYERS;
}

/* Whoever named an image below the source allowed it to be used, wherever it is: without its name a
 * document would be refused that was fine before. */
static void
put_chain (Printing *self, xmlNode *element, const StmXmlDisk *written)
{
  g_autoptr (GPtrArray) chain = NULL;

  if (self->chain_of == NULL || written->declared->len < 2)
    return;
  chain = self->chain_of (written->target, self->data);
  if (chain == NULL || !is_printable (chain))
    return;
  put_layers (element, written, chain);
  self->has_chains = TRUE;
}

static void
put_disk (Printing *self, xmlNode *element, const StmXmlDisk *written, const StmDisk *disk)
{
  if (is_as_recorded (written, disk))
    return;
  stm_xml_remove_all (element, "backingStore");
  stm_xml_remove_all (element, "mirror");
  if (disk->kind == STM_SOURCE_NONE)
    {
      stm_xml_remove_all (element, "source");
      return;
    }
  put_format (element, disk->format);
  put_source (element, disk);
  put_chain (self, element, written);
}

/* The view has the <disk> elements of the document in order. */
static gboolean
put_disks (Printing *self, xmlNode *root, GError **error)
{
  xmlNode *devices = stm_xml_find (root, "devices");
  gsize n_found = 0;
  guint at = 0;

  for (xmlNode *node = devices != NULL ? stm_xml_first_element (devices) : NULL; node != NULL;
       node = stm_xml_next_element (node))
    {
      const StmXmlDisk *written;
      const StmDisk *disk;

      if (!stm_xml_is (node, "disk"))
        continue;
      written = g_ptr_array_index (self->view->disks, at++);
      disk = stm_domain_find_disk (self->domain, written->target);
      if (disk == NULL)
        continue;
      n_found++;
      put_disk (self, node, written, disk);
    }
  if (n_found == self->domain->n_disks)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "printing domain %s: its stored definition lacks a disk that is recorded",
               self->domain->name);
  return FALSE;
}

static char *
print (Printing *self, const char *text, GError **error)
{
  g_autoptr (xmlDoc) doc = stm_xml_parse (text, "domain", error);
  xmlNode *root;

  if (doc == NULL)
    return NULL;
  root = xmlDocGetRootElement (doc);
  put_identity (root, self->domain);
  if (!put_disks (self, root, error))
    return NULL;
  if (self->secrecy == STM_XML_PUBLIC)
    stm_xml_strip_secrets (doc);
  return stm_xml_print (doc, error);
}

/* Many long chains could bring a document over a limit of the reader. */
static gboolean
can_be_read (const char *printed)
{
  g_autoptr (StmDomainXml) again = stm_domain_xml_parse (printed, /* error= */ NULL);

  return again != NULL;
}

char *
stm_domain_xml_print_chains (const char *text, const StmDomain *domain, StmXmlChainOf chain_of,
                             gpointer data, StmXmlSecrecy secrecy, GError **error)
{
  g_autoptr (StmDomainXml) view = NULL;
  g_autofree char *printed = NULL;
  Printing self = { .domain = domain, .chain_of = chain_of, .data = data, .secrecy = secrecy };

  if (!check_representable (domain, error))
    return NULL;
  view = stm_domain_xml_parse (text, error);
  if (view == NULL)
    return NULL;
  self.view = view;
  printed = print (&self, text, error);
  if (printed == NULL || !self.has_chains || can_be_read (printed))
    return g_steal_pointer (&printed);
  self.chain_of = NULL;
  return print (&self, text, error);
}

char *
stm_domain_xml_print (const char *text, const StmDomain *domain, StmXmlSecrecy secrecy,
                      GError **error)
{
  return stm_domain_xml_print_chains (text, domain, /* chain_of= */ NULL, /* data= */ NULL, secrecy,
                                      error);
}
