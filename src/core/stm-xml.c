/* stm-xml: looks at, edits and prints the documents that stm-xml-parse made.
 *
 * Used by the document readers of this folder, on any thread. Thin: what libvirt's elements mean is
 * theirs to know. Never parses, never prints to a stream.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-xml.h"

#include "stemma-error.h"

#include <libxml/xmlsave.h>
#include <string.h>

char *
stm_xml_print (xmlDoc *doc, GError **error)
{
  xmlBuffer *buffer = xmlBufferCreate ();
  xmlSaveCtxt *save = xmlSaveToBuffer (buffer, "UTF-8", XML_SAVE_NO_DECL);
  gboolean is_done = save != NULL && xmlSaveDoc (save, doc) >= 0;
  g_autofree char *text = NULL;

  if (save != NULL && xmlSaveClose (save) < 0)
    is_done = FALSE;
  if (is_done)
    text = g_strdup ((const char *) xmlBufferContent (buffer));
  xmlBufferFree (buffer);
  if (text == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "printing the document failed");
  return g_steal_pointer (&text);
}

char *
stm_xml_print_element (const xmlNode *element, GError **error)
{
  xmlBuffer *buffer = xmlBufferCreate ();
  int n_bytes = xmlNodeDump (buffer, element->doc, (xmlNode *) element, /* level= */ 0,
                             /* format= */ 0);
  g_autofree char *text = n_bytes >= 0 ? g_strdup ((const char *) xmlBufferContent (buffer)) : NULL;

  xmlBufferFree (buffer);
  if (text == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED, "printing <%s> failed",
                 (const char *) element->name);
  return g_steal_pointer (&text);
}

gboolean
stm_xml_is (const xmlNode *node, const char *name)
{
  return node != NULL && node->type == XML_ELEMENT_NODE && node->ns == NULL
         && strcmp ((const char *) node->name, name) == 0;
}

xmlNode *
stm_xml_first_element (const xmlNode *parent)
{
  return xmlFirstElementChild ((xmlNode *) parent);
}

xmlNode *
stm_xml_next_element (const xmlNode *node)
{
  return xmlNextElementSibling ((xmlNode *) node);
}

xmlNode *
stm_xml_find (const xmlNode *parent, const char *name)
{
  for (xmlNode *node = stm_xml_first_element (parent); node != NULL;
       node = stm_xml_next_element (node))
    if (stm_xml_is (node, name))
      return node;
  return NULL;
}

static char *
take_string (xmlChar *string)
{
  char *copy = g_strdup ((const char *) string);

  if (string != NULL)
    xmlFree (string);
  return copy;
}

char *
stm_xml_attribute (const xmlNode *node, const char *name)
{
  return take_string (xmlGetNoNsProp (node, (const xmlChar *) name));
}

char *
stm_xml_text (const xmlNode *node)
{
  char *text = take_string (xmlNodeGetContent (node));

  return text != NULL ? text : g_strdup ("");
}

xmlNode *
stm_xml_skip (const xmlNode *top, xmlNode *node)
{
  while (node != top && node->next == NULL)
    node = node->parent;
  return node != top ? node->next : NULL;
}

xmlNode *
stm_xml_walk (const xmlNode *top, xmlNode *node)
{
  return node->type == XML_ELEMENT_NODE && node->children != NULL ? node->children
                                                                  : stm_xml_skip (top, node);
}

gboolean
stm_xml_check_single (const xmlNode *parent, const char *const *names, GError **error)
{
  for (gsize i = 0; names[i] != NULL; i++)
    {
      guint count = 0;

      for (xmlNode *node = stm_xml_first_element (parent); node != NULL;
           node = stm_xml_next_element (node))
        if (stm_xml_is (node, names[i]) && ++count > 1)
          {
            g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                         "line %ld of the document: a second <%s> within <%s>", xmlGetLineNo (node),
                         names[i], (const char *) parent->name);
            return FALSE;
          }
    }
  return TRUE;
}

gboolean
stm_xml_is_representable (const char *text)
{
  if (!g_utf8_validate (text, -1, NULL))
    return FALSE;
  for (const char *at = text; *at != '\0'; at = g_utf8_next_char (at))
    {
      gunichar c = g_utf8_get_char (at);

      if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xfffe || c == 0xffff)
        return FALSE;
    }
  return TRUE;
}

void
stm_xml_set_attribute (xmlNode *node, const char *name, const char *value)
{
  xmlSetProp (node, (const xmlChar *) name, (const xmlChar *) value);
}

void
stm_xml_remove_attribute (xmlNode *node, const char *name)
{
  xmlAttr *attribute = xmlHasNsProp (node, (const xmlChar *) name, /* nameSpace= */ NULL);

  if (attribute != NULL)
    xmlRemoveProp (attribute);
}

void
stm_xml_set_text (xmlNode *node, const char *text)
{
  /* Not with the text at once: that would read "&" as the begin of an entity. */
  xmlNodeSetContent (node, NULL);
  xmlNodeAddContent (node, (const xmlChar *) text);
}

static gboolean
is_blank (const xmlNode *node)
{
  return node != NULL && node->type == XML_TEXT_NODE && xmlIsBlankNode (node);
}

xmlNode *
stm_xml_add_first (xmlNode *parent, const char *name)
{
  xmlNode *node = xmlNewDocNode (parent->doc, /* ns= */ NULL, (const xmlChar *) name, NULL);
  xmlNode *first = parent->children;

  if (first == NULL)
    return xmlAddChild (parent, node);
  if (!is_blank (first))
    return xmlAddPrevSibling (first, node);
  xmlAddNextSibling (first, node);
  xmlAddNextSibling (node, xmlNewDocText (parent->doc, first->content));
  return node;
}

xmlNode *
stm_xml_add_after (xmlNode *sibling, const char *name)
{
  xmlNode *node = xmlNewDocNode (sibling->doc, /* ns= */ NULL, (const xmlChar *) name, NULL);
  xmlNode *indentation = is_blank (sibling->prev) ? sibling->prev : NULL;

  xmlAddNextSibling (sibling, node);
  if (indentation != NULL)
    xmlAddNextSibling (sibling, xmlNewDocText (sibling->doc, indentation->content));
  return node;
}

static void
drop (xmlNode *node)
{
  xmlUnlinkNode (node);
  xmlFreeNode (node);
}

void
stm_xml_remove (xmlNode *node)
{
  xmlNode *parent = node->parent;

  if (is_blank (node->prev))
    drop (node->prev);
  drop (node);
  /* The indentation of the closing tag, when nothing is left to close. */
  if (is_blank (parent->children) && parent->children->next == NULL)
    drop (parent->children);
}

void
stm_xml_remove_all (xmlNode *parent, const char *name)
{
  for (xmlNode *node = stm_xml_first_element (parent), *next; node != NULL; node = next)
    {
      next = stm_xml_next_element (node);
      if (stm_xml_is (node, name))
        stm_xml_remove (node);
    }
}
