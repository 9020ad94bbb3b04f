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
/* libxml2 compares the attributes of an element pairwise. */
#define MAX_ATTRIBUTES 128
/* Each look-up of a prefix walks all declarations in scope. */
#define MAX_NAMESPACES 64
/* Of a message that quotes from the document. */
#define MAX_MESSAGE 300

#define XINCLUDE_NAMESPACE "http://www.w3.org/2001/XInclude"

/* The depths of elements that can be left without content: below the root, and below those. */
#define FIRST_PRUNED 2
#define LAST_PRUNED 3

typedef struct
{
  StmXmlLooksInto looks_into; /* NULL: into everything */
  guint depth;
  guint pruned; /* the depth of the element whose content is left out; 0: none */
  guint nodes;
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

/* Whether what comes now is to be built. */
static gboolean
is_wanted (void *context)
{
  return guard_of (context)->pruned == 0;
}

/* Whether the element that begins, at a depth that is counted already, is to be left empty. */
static gboolean
is_to_prune (void *context, const xmlChar *name)
{
  const Guard *guard = guard_of (context);
  const xmlNode *parent = ((xmlParserCtxt *) context)->node;

  return guard->looks_into != NULL && guard->depth >= FIRST_PRUNED && guard->depth <= LAST_PRUNED
         && parent != NULL && !guard->looks_into ((const char *) parent->name, (const char *) name);
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
  if (++guard->depth > MAX_DEPTH)
    refuse (context, g_strdup_printf ("elements nested deeper than %d", MAX_DEPTH));
  else if (g_strcmp0 ((const char *) uri, XINCLUDE_NAMESPACE) == 0)
    refuse (context, g_strdup ("XInclude is not allowed"));
  else if (!is_wanted (context))
    return;
  else if (is_to_prune (context, name))
    {
      guard->pruned = guard->depth;
      xmlSAX2StartElementNs (context, name, prefix, uri, n_namespaces, namespaces,
                             /* nb_attributes= */ 0, /* nb_defaulted= */ 0, /* attributes= */ NULL);
    }
  else
    xmlSAX2StartElementNs (context, name, prefix, uri, n_namespaces, namespaces, n_attributes,
                           n_defaulted, attributes);
}

static void
on_end_element (void *context, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
  Guard *guard = guard_of (context);

  if (guard->pruned == guard->depth)
    guard->pruned = 0;
  guard->depth--;
  if (is_wanted (context))
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
  if (count_node (context) && is_wanted (context))
    xmlSAX2Comment (context, value);
}

static void
on_instruction (void *context, const xmlChar *target, const xmlChar *data)
{
  if (count_node (context) && is_wanted (context))
    xmlSAX2ProcessingInstruction (context, target, data);
}

static void
on_cdata (void *context, const xmlChar *value, int length)
{
  if (count_node (context) && is_wanted (context))
    xmlSAX2CDataBlock (context, value, length);
}

static void
on_characters (void *context, const xmlChar *value, int length)
{
  if (is_wanted (context))
    xmlSAX2Characters (context, value, length);
}

char *
stm_xml_clean_message (const char *message)
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
  guard->refusal = error->message != NULL ? stm_xml_clean_message (error->message)
                                          : g_strdup ("not XML");
  guard->line = error->line;
}

/* What begins with a '<' and opens no tag. */
static const struct
{
  const char *begin;
  const char *end;
} constructs[] = { { "<!--", "-->" }, { "<![CDATA[", "]]>" }, { "<?", "?>" } };

typedef struct
{
  const char *at;
  const char *end;
  guint attributes;                               /* of the tag that was read last */
  guint namespaces;                               /* of all tags; more than there are, at most */
  gboolean is_unended[G_N_ELEMENTS (constructs)]; /* no end of this construct follows any more */
} Scan;

static const char *
find (const Scan *scan, gsize from, const char *what)
{
  const char *begin = MIN (scan->at + from, scan->end);

  return memmem (begin, (gsize) (scan->end - begin), what, strlen (what));
}

/* Past the comment, CDATA or instruction at the '<'. FALSE when it is a tag, or when the construct
 * never ends; what is wrong there libxml2 says. */
static gboolean
skip_construct (Scan *scan)
{
  for (gsize i = 0; i < G_N_ELEMENTS (constructs); i++)
    {
      const char *end;

      if (scan->is_unended[i] || !g_str_has_prefix (scan->at, constructs[i].begin))
        continue;
      end = find (scan, strlen (constructs[i].begin), constructs[i].end);
      scan->is_unended[i] = end == NULL;
      if (end == NULL)
        return FALSE;
      scan->at = end + strlen (constructs[i].end);
      return TRUE;
    }
  return FALSE;
}

/* Past the tag at the '<', counting the '=' outside of quotes. The next '<' ends it as well: it
 * cannot stand in one, so quotes that do not match mislead no further than that. */
static void
scan_tag (Scan *scan)
{
  const char *at = scan->at + 1;
  char quote = '\0';

  scan->attributes = 0;
  for (; *at != '\0' && *at != '<'; at++)
    {
      if (quote != '\0')
        quote = *at == quote ? '\0' : quote;
      else if (*at == '"' || *at == '\'')
        quote = *at;
      else if (*at == '>')
        break;
      else if (*at == '=')
        scan->attributes++;
      else if (*at == 'x' && g_str_has_prefix (at, "xmlns"))
        scan->namespaces++;
    }
  scan->at = at;
}

/* Of the tag or construct at the '<': what makes libxml2 work in the square of the size, before a
 * hook of ours is called, or behind an error, where none is called any more. NULL when nothing. */
static char *
scan_one (Scan *scan)
{
  /* libxml2 reports each "--" in a comment, and each time copies the comment up to there. */
  if (g_str_has_prefix (scan->at, "<!--"))
    {
      const char *dashes = find (scan, strlen ("<!--"), "--");

      if (dashes == NULL || dashes[2] != '>')
        return g_strdup ("a comment does not end, or holds '--'");
    }
  if (!skip_construct (scan))
    scan_tag (scan);
  if (scan->attributes > MAX_ATTRIBUTES)
    return g_strdup_printf ("an element has more than %d attributes", MAX_ATTRIBUTES);
  if (scan->namespaces > MAX_NAMESPACES)
    return g_strdup_printf ("more than %d namespace declarations", MAX_NAMESPACES);
  return NULL;
}

static guint
line_of (const char *text, const char *at)
{
  guint line = 1;

  for (; text < at; text++)
    if (*text == '\n')
      line++;
  return line;
}

static gboolean
check_tags (const char *text, GError **error)
{
  Scan scan = { .at = strchr (text, '<'), .end = text + strlen (text) };

  while (scan.at != NULL)
    {
      const char *begin = scan.at;
      g_autofree char *refusal = scan_one (&scan);

      if (refusal != NULL)
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML, "line %u of the document: %s",
                       line_of (text, begin), refusal);
          return FALSE;
        }
      scan.at = strchr (scan.at, '<');
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
  return check_tags (text, error);
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
  context->sax->characters = on_characters;
  context->sax->ignorableWhitespace = on_characters;
  context->sax->serror = on_error;
}

static xmlDoc *
parse_guarded (const char *text, StmXmlLooksInto looks_into, GError **error)
{
  Guard guard = { .looks_into = looks_into };
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
  /* The text has come as characters already: what encoding it declares says nothing any more. Nor
   * is one named here, though it is UTF-8: libxml2 would convert it piece by piece. */
  doc = xmlCtxtReadMemory (context, text, (int) strlen (text), /* url= */ NULL,
                           /* encoding= */ NULL,
                           XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING
                               | XML_PARSE_IGNORE_ENC);
  if (doc != NULL && doc->encoding == NULL)
    doc->encoding = xmlStrdup (BAD_CAST "UTF-8");
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
  return stm_xml_parse_parts (text, root, /* looks_into= */ NULL, error);
}

xmlDoc *
stm_xml_parse_parts (const char *text, const char *root, StmXmlLooksInto looks_into, GError **error)
{
  g_autoptr (xmlDoc) doc = NULL;

  if (!check_text (text, error))
    return NULL;
  doc = parse_guarded (text, looks_into, error);
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
