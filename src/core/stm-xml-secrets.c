/* stm-xml-secrets: what is secret in a domain document, as one table, and its removal.
 *
 * Called by the printer of domain documents for the public form, on any thread; never decides who
 * gets which form. It would rather take too much than too little: names match in any namespace.
 * What stays is valid by libvirt's schema, for everything that goes is optional there.
 *
 * | Goes                                               | Because                                 |
 * |----------------------------------------------------|-----------------------------------------|
 * | attributes passwd, password, passwdValidTo,        | <graphics passwd='…'> and its like      |
 * |   elements passwd, password                        |                                         |
 * | <os><cmdline>, <os><initarg>, <os><initenv>,       | what boots gets tokens and passwords    |
 * |   <bootloader_args>                                | there                                   |
 * | elements and attributes in a namespace below       | QEMU's arguments, environment and       |
 * |   http://libvirt.org/schemas/domain/               | overrides, and those of bhyve and Xen   |
 * | <source><cookies>, <source query='…'>              | credentials of an HTTP(S) disk          |
 * | <launchSecurity><session>, <dhCert>                | keys of the guest's owner               |
 * | text of <sysinfo type='fwcfg'><entry>              | Ignition configurations with keys       |
 * | text of <oemStrings><entry>                        | systemd credentials come this way       |
 * | comments and processing instructions               | a passwd that was commented out         |
 *
 * What stays on purpose: <secret uuid='…'/usage='…'/> and <auth>, <encryption>: references to
 * secrets, not secrets; <nvram>; the file names of fwcfg entries; <metadata>, which is the
 * applications' own and readable in libvirt as well.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-xml-secrets.h"

#include "stm-xml.h"

#include <string.h>

#define EXTENSION_NAMESPACES "http://libvirt.org/schemas/domain/"

typedef struct
{
  const char *parent; /* NULL: anywhere */
  const char *name;
} Rule;

static const Rule secret_elements[] = {
  { NULL, "passwd" },
  { NULL, "password" },
  { "os", "cmdline" },
  { "os", "initarg" },
  { "os", "initenv" },
  { NULL, "bootloader_args" },
  { "source", "cookies" },
  { "launchSecurity", "session" },
  { "launchSecurity", "dhCert" },
};

static const Rule secret_texts[] = {
  { "sysinfo", "entry" },
  { "oemStrings", "entry" },
};

/* Here the "parent" is the element that has the attribute. */
static const Rule secret_attributes[] = {
  { NULL, "passwd" },
  { NULL, "password" },
  { NULL, "passwdValidTo" },
  { "source", "query" },
};

static gboolean
matches (const Rule *rules, gsize n_rules, const xmlNode *parent, const xmlChar *name)
{
  for (gsize i = 0; i < n_rules; i++)
    if (strcmp ((const char *) name, rules[i].name) == 0
        && (rules[i].parent == NULL
            || (parent != NULL && parent->type == XML_ELEMENT_NODE
                && strcmp ((const char *) parent->name, rules[i].parent) == 0)))
      return TRUE;
  return FALSE;
}

static gboolean
is_extension (const xmlNs *ns)
{
  return ns != NULL && ns->href != NULL
         && g_str_has_prefix ((const char *) ns->href, EXTENSION_NAMESPACES);
}

static void
strip_attributes (xmlNode *element)
{
  for (xmlAttr *attribute = element->properties, *next; attribute != NULL; attribute = next)
    {
      next = attribute->next;
      if (is_extension (attribute->ns)
          || matches (secret_attributes, G_N_ELEMENTS (secret_attributes), element,
                      attribute->name))
        xmlRemoveProp (attribute);
    }
}

static gboolean
is_secret (const xmlNode *node)
{
  if (node->type == XML_COMMENT_NODE || node->type == XML_PI_NODE)
    return TRUE;
  return node->type == XML_ELEMENT_NODE
         && (is_extension (node->ns)
             || matches (secret_elements, G_N_ELEMENTS (secret_elements), node->parent,
                         node->name));
}

/* What goes as a whole is gathered first: a removal takes blank text around it along, on which the
 * walk might stand. */
static void
strip_within (xmlNode *root)
{
  g_autoptr (GPtrArray) secrets = g_ptr_array_new ();

  for (xmlNode *node = root, *next; node != NULL; node = next)
    {
      if (node != root && is_secret (node))
        {
          g_ptr_array_add (secrets, node);
          next = stm_xml_skip (root, node);
          continue;
        }
      if (node->type == XML_ELEMENT_NODE)
        {
          strip_attributes (node);
          if (matches (secret_texts, G_N_ELEMENTS (secret_texts), node->parent, node->name))
            xmlNodeSetContent (node, NULL);
        }
      next = stm_xml_walk (root, node);
    }
  for (guint i = 0; i < secrets->len; i++)
    stm_xml_remove (secrets->pdata[i]);
}

void
stm_xml_strip_secrets (xmlDoc *doc)
{
  xmlNode *root = xmlDocGetRootElement (doc);

  for (xmlNode *node = doc->children, *next; node != NULL; node = next)
    {
      next = node->next;
      if (node != root)
        stm_xml_remove (node);
    }
  if (root != NULL)
    strip_within (root);
}
