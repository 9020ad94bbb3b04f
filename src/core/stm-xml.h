/* Hardened XML for the documents of core/: parse, look, edit, print.
 *
 * Included by the stm-*-xml files of this folder only, so that no other folder sees libxml2.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>
#include <libxml/tree.h>

/* The document, whose root must be <root> in no namespace. INVALID_XML, with the line, for anything
 * else: malformed, over a limit, a DTD, XInclude. */
xmlDoc *stm_xml_parse (const char *text, const char *root, GError **error);

/* Which elements below the root, and below those, the reader of a document looks into: the document
 * has the others without attributes and content. They are parsed all the same, under the same
 * limits, but cost less than half. */
typedef gboolean (*StmXmlLooksInto) (const char *parent, const char *name);

xmlDoc *stm_xml_parse_parts (const char *text, const char *root, StmXmlLooksInto looks_into,
                             GError **error);

/* The document as UTF-8 without XML declaration, nothing reformatted. */
char *stm_xml_print (xmlDoc *doc, GError **error);
char *stm_xml_print_element (const xmlNode *element, GError **error);

/* Looking. Names are of elements and attributes in no namespace, as libvirt's are. */
gboolean stm_xml_is (const xmlNode *node, const char *name);
xmlNode *stm_xml_first_element (const xmlNode *parent);
xmlNode *stm_xml_next_element (const xmlNode *node);
xmlNode *stm_xml_find (const xmlNode *parent, const char *name); /* the first; NULL without */
char *stm_xml_attribute (const xmlNode *node, const char *name); /* NULL when absent */
char *stm_xml_text (const xmlNode *node);
/* The next node within `top` in the order of the document: first the children of `node`, or, with
 * stm_xml_skip(), what follows after them. */
xmlNode *stm_xml_walk (const xmlNode *top, xmlNode *node);
xmlNode *stm_xml_skip (const xmlNode *top, xmlNode *node);

/* Refuses a second element of one of `names` (NULL-terminated) among the children: a document that
 * two readers may understand in two ways. */
gboolean stm_xml_check_single (const xmlNode *parent, const char *const *names, GError **error);

/* A message that may quote from the document, fit to be shown: capped, without control characters,
 * and UTF-8 even when a quotation was cut. */
char *stm_xml_clean_message (const char *message);

/* Whether a text can stand in a document: UTF-8 of characters that XML 1.0 has. */
gboolean stm_xml_is_representable (const char *text);

/* Editing. Texts must be representable. New elements get the indentation of their siblings, removed
 * ones take theirs with them. */
void stm_xml_set_attribute (xmlNode *node, const char *name, const char *value);
void stm_xml_remove_attribute (xmlNode *node, const char *name);
void stm_xml_set_text (xmlNode *node, const char *text);
xmlNode *stm_xml_add_first (xmlNode *parent, const char *name);
xmlNode *stm_xml_add_after (xmlNode *sibling, const char *name);
void stm_xml_remove (xmlNode *node);
void stm_xml_remove_all (xmlNode *parent, const char *name); /* children of that name */

/* For g_autoptr on documents. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (xmlDoc, xmlFreeDoc)
