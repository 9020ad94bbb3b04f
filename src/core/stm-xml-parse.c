/* stm-xml-parse: the one place that parses XML, and the limits that hold for every document.
 *
 * Used by the document readers of this folder, on any thread. Parses hostile text: everything is
 * capped, no DTD is taken at all, so there is no entity to expand and nothing to fetch, and a
 * document is either well-formed or refused. It never opens a file or a socket and never prints:
 * libxml2's errors become STEMMA_ERROR_INVALID_XML with the line.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-xml.h"

#include "stemma-error.h"

#include <libxml/parser.h>
#include <string.h>

/* A domain of a thousand devices takes a few hundred KiB. */
#define MAX_BYTES (4 * 1024 * 1024)
/* <backingStore> nests once per layer and libvirt allows 200 layers; libxml2 itself stops at 256.
 */
#define MAX_DEPTH 240
#define MAX_NODES 100000
/* libxml2 compares the attributes of an element pairwise, before any hook of ours is called. */
#define MAX_ATTRIBUTES 128
/* Each look-up of a prefix walks all declarations in scope. */
#define MAX_NAMESPACES 64
/* Of libxml2's message: it quotes names from the document. */
#define MAX_MESSAGE 200

#define XINCLUDE_NAMESPACE "http://www.w3.org/2001/XInclude"

typedef struct
{
  guint depth;
  guint nodes;
  guint namespaces;
  char *refusal; /* what is wrong, the first thing found; NULL while all is well */
  int line;
} Guard;

static Guard *
guard_of (void *context)
{
  return ((xmlParserCtxt *) context)->_private;
}

static void
refuse (void *context, char *refusal)
{
  Guard *guard = guard_of (context);

  if (guard->refusal == NULL)
    {
      guard->refusal = refusal;
      guard->line = xmlSAX2GetLineNumber (context);
    }
  else
    {
      g_free (refusal);
    }
  xmlStopParser (context);
}

static gboolean
count_node (void *context)
{
  if (++guard_of (context)->nodes <= MAX_NODES)
    return TRUE;
  refuse (context, g_strdup_printf ("more than %d elements and comments", MAX_NODES));
  return FALSE;
}

static void
on_start_element (void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                  int n_namespaces, const xmlChar **namespaces, int n_attributes, int n_defaulted,
                  const xmlChar **attributes)
{
  Guard *guard = guard_of (context);

  if (!count_node (context))
    return;
  guard->namespaces += (guint) n_namespaces;
  if (++guard->depth > MAX_DEPTH)
    refuse (context, g_strdup_printf ("elements nested deeper than %d", MAX_DEPTH));
  else if (guard->namespaces > MAX_NAMESPACES)
    refuse (context, g_strdup_printf ("more than %d namespace declarations", MAX_NAMESPACES));
  else if (g_strcmp0 ((const char *) uri, XINCLUDE_NAMESPACE) == 0)
    refuse (context, g_strdup ("XInclude is not allowed"));
  else
    xmlSAX2StartElementNs (context, name, prefix, uri, n_namespaces, namespaces, n_attributes,
                           n_defaulted, attributes);
}

static void
on_end_element (void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
  guard_of (context)->depth--;
  xmlSAX2EndElementNs (context, name, prefix, uri);
}

/* Called at the "<!DOCTYPE name", before anything inside is read. */
static void
on_doctype (void *context, const xmlChar *name, const xmlChar *external_id,
            const xmlChar *system_id)
{
  refuse (context, g_strdup ("a document type declaration is not allowed"));
}

static void
on_comment (void *context, const xmlChar *value)
{
  if (count_node (context))
    xmlSAX2Comment (context, value);
}

static void
on_instruction (void *context, const xmlChar *target, const xmlChar *data)
{
  if (count_node (context))
    xmlSAX2ProcessingInstruction (context, target, data);
}

static void
on_cdata (void *context, const xmlChar *value, int length)
{
  if (count_node (context))
    xmlSAX2CDataBlock (context, value, length);
}

static char *
clean_message (const char *message)
{
  g_autofree char *valid = g_utf8_make_valid (message, (gssize) strnlen (message, MAX_MESSAGE));

  for (char *at = valid; *at != '\0'; at++)
    if (g_ascii_iscntrl (*at))
      *at = ' ';
  return g_strdup (g_strstrip (valid));
}

static void
on_error (void *context, xmlError *error)
{
  Guard *guard = guard_of (context);

  /* What follows the first error is noise that comes from it. */
  if (error->level < XML_ERR_ERROR || guard->refusal != NULL)
    return;
  guard->refusal = error->message != NULL ? clean_message (error->message) : g_strdup ("not XML");
  guard->line = error->line;
}

/* Past the construct that begins at a '<' which opens no tag: comment, CDATA, instruction. NULL
 * when it does open a tag, or when the construct never ends; libxml2 says what is wrong there. */
static const char *
skip_non_tag (const char *at)
{
  static const struct
  {
    const char *begin;
    const char *end;
  } constructs[] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" } };

  for (gsize i = 0; i < G_N_ELEMENTS (constructs); i++)
    if (g_str_has_prefix (at, constructs[i].begin))
      {
        const char *end = strstr (at + strlen (constructs[i].begin), constructs[i].end);

        return end != NULL ? end + strlen (constructs[i].end) : NULL;
      }
  return NULL;
}

/* The '=' of one tag that stand outside of quotes; `*inout_at` goes past the tag. A '<' ends it as
 * well: it cannot stand in one, so quotes that do not match mislead no further than that. */
static guint
count_attributes (const char **inout_at)
{
  const char *at = *inout_at;
  char quote = '\0';
  guint count = 0;

  for (; *at != '\0' && *at != '<'; at++)
    {
      if (quote != '\0')
        quote = *at == quote ? '\0' : quote;
      else if (*at == '"' || *at == '\'')
        quote = *at;
      else if (*at == '>')
        break;
      else if (*at == '=')
        count++;
    }
  *inout_at = at;
  return count;
}

static gboolean
check_attribute_counts (const char *text)
{
  const char *at = strchr (text, '<');

  while (at != NULL)
    {
      const char *past = skip_non_tag (at);

      if (past == NULL)
        {
          past = at + 1;
          if (count_attributes (&past) > MAX_ATTRIBUTES)
            return FALSE;
        }
      at = strchr (past, '<');
    }
  return TRUE;
}

static gboolean
check_text (const char *text, GError **error)
{
  gsize length = strnlen (text, MAX_BYTES + 1);
  const char *end = text;

  if (length > MAX_BYTES)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                   "the document is larger than %d bytes", MAX_BYTES);
      return FALSE;
    }
  if (!g_utf8_validate_len (text, length, &end))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                   "the document is not UTF-8 at byte %" G_GSIZE_FORMAT, (gsize) (end - text));
      return FALSE;
    }
  if (!check_attribute_counts (text))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                   "an element of the document has more than %d attributes", MAX_ATTRIBUTES);
      return FALSE;
    }
  return TRUE;
}

static void
install_guard (xmlParserCtxt *context, Guard *guard)
{
  context->_private = guard;
  context->sax->startElementNs = on_start_element;
  context->sax->endElementNs = on_end_element;
  context->sax->internalSubset = on_doctype;
  context->sax->comment = on_comment;
  context->sax->processingInstruction = on_instruction;
  context->sax->cdataBlock = on_cdata;
  context->sax->serror = on_error;
}

static xmlDoc *
parse_guarded (const char *text, GError **error)
{
  Guard guard = { 0 };
  xmlParserCtxt *context = xmlNewParserCtxt ();
  g_autoptr (xmlDoc) doc = NULL;
  g_autofree char *refusal = NULL;
  gboolean is_sound;

  if (context == NULL)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
                   "parsing the document failed: no XML parser could be made");
      return NULL;
    }
  install_guard (context, &guard);
  /* The text has come as characters already: what encoding it declares says nothing any more. */
  doc = xmlCtxtReadMemory (context, text, (int) strlen (text), /* url= */ NULL, "UTF-8",
                           XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                               | XML_PARSE_IGNORE_ENC);
  is_sound = context->wellFormed && context->nsWellFormed;
  xmlFreeParserCtxt (context);
  refusal = guard.refusal;
  /* A parser that was stopped takes what it had for a document. */
  if (doc != NULL && is_sound && refusal == NULL)
    return g_steal_pointer (&doc);
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "line %d of the document: %s",
               MAX (guard.line, 1), refusal != NULL ? refusal : "not XML");
  return NULL;
}

xmlDoc *
stm_xml_parse (const char *text, const char *root, GError **error)
{
  g_autoptr (xmlDoc) doc = NULL;

  if (!check_text (text, error))
    return NULL;
  doc = parse_guarded (text, error);
  if (doc == NULL)
    return NULL;
  if (!stm_xml_is (xmlDocGetRootElement (doc), root))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                   "the root element of the document must be <%s>, in no namespace", root);
      return NULL;
    }
  return g_steal_pointer (&doc);
}
