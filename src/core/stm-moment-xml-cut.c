/* StmMomentReader: cuts the nested definitions out of the documents of moments, and remembers them.
 *
 * Used by the parser of moments, by one thread at a time. Most documents of a bulk hold one and the
 * same definition of several kilobytes: it is parsed once, and found again by comparing its bytes.
 *
 * Safe whatever the document is: the definition by itself and the rest with an empty element in its
 * place are each parsed with all limits, and only what was parsed is used. When both are
 * well-formed and the empty element stands where it must, so is the whole. The search for the cut
 * may be misled by a document that is not XML; then one of the two is not, or the element is not
 * there.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-xml-private.h"

#include "stemma-error.h"
#include "stm-id.h"

#include <string.h>

/* As in stm-xml-parse: of the whole. */
#define MAX_BYTES (4 * 1024 * 1024)
/* Of all definitions that are remembered; then it starts anew. */
#define MAX_REMEMBERED (32 * 1024 * 1024)

#define DOMAIN "domain"
#define INACTIVE "inactiveDomain"

struct _StmMomentReader
{
  GHashTable *nested;    /* text -> StmNestedDomain */
  gsize bytes;           /* of their texts */
  gsize max_bytes;       /* of the same */
  StmNestedDomain *last; /* the <domain> that was found last, borrowed from the table, or NULL */
  gsize last_length;     /* of its text */
};

static void
clear_nested (gpointer data)
{
  StmNestedDomain *self = data;

  g_free ((char *) self->text);
  g_free ((char *) self->hash);
  g_free ((char *) self->id);
  stm_domain_xml_free ((StmDomainXml *) self->view);
  g_clear_error (&self->problem);
}

StmNestedDomain *
stm_nested_domain_ref (const StmNestedDomain *self)
{
  return g_atomic_rc_box_acquire ((StmNestedDomain *) self);
}

void
stm_nested_domain_unref (StmNestedDomain *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, clear_nested);
}

StmMomentReader *
stm_moment_reader_new (void)
{
  return stm_moment_reader_new_limited (MAX_REMEMBERED);
}

StmMomentReader *
stm_moment_reader_new_limited (gsize max_bytes)
{
  StmMomentReader *self = g_new0 (StmMomentReader, 1);

  self->max_bytes = max_bytes;

  self->nested = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                        (GDestroyNotify) stm_nested_domain_unref);
  return self;
}

void
stm_moment_reader_free (StmMomentReader *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->nested);
  g_free (self);
}

void
stm_document_cut_clear (StmDocumentCut *self)
{
  g_clear_pointer (&self->rest, xmlFreeDoc);
  g_clear_pointer (&self->domain, stm_nested_domain_unref);
  g_clear_pointer (&self->inactive, stm_nested_domain_unref);
}

/* --- where to cut --- */

/* A nested element in the text; nothing when `begin` is NULL. */
typedef struct
{
  const char *begin;
  const char *end;
} Span;

typedef struct
{
  const StmMomentReader *reader;
  const char *at; /* a '<' */
  guint depth;    /* of elements that are open */
  Span domain;
  Span inactive;
  Span *open; /* the one of the two that was begun and not ended */
} Search;

/* Past the end of what begins here, or NULL when it does not end. */
static const char *
past (const char *at, const char *end)
{
  const char *found = strstr (at, end);

  return found != NULL ? found + strlen (end) : NULL;
}

/* Past the '>' of a tag, in which quotes may hold another one. */
static const char *
past_tag (const char *at)
{
  while (at != NULL && *at != '\0')
    {
      at += strcspn (at, ">\"'");
      if (*at == '>')
        return at + 1;
      if (*at != '\0')
        at = strchr (at + 1, *at);
      if (at != NULL && *at != '\0')
        at++;
    }
  return NULL;
}

static gboolean
is_tag_of (const char *at, const char *name)
{
  gsize length = strlen (name);

  return strncmp (at + 1, name, length) == 0 && strchr (" \t\r\n/>", at[1 + length]) != NULL
         && at[1 + length] != '\0';
}

/* Below the root: the start of one of the two, unless that was there before. */
static void
note_start (Search *self)
{
  Span *span = is_tag_of (self->at, DOMAIN)     ? &self->domain
               : is_tag_of (self->at, INACTIVE) ? &self->inactive
                                                : NULL;

  if (span == NULL || span->begin != NULL)
    return;
  span->begin = self->at;
  self->open = span;
}

static void
note_end (Search *self, const char *end)
{
  if (self->open != NULL && self->depth == 1)
    {
      self->open->end = end;
      self->open = NULL;
    }
}

/* The definition that was found last stands here: its end is known. */
static const char *
past_known (Search *self)
{
  const StmMomentReader *reader = self->reader;

  if (reader->last == NULL || self->open != &self->domain
      || strncmp (self->at, reader->last->text, reader->last_length) != 0)
    return NULL;
  note_end (self, self->at + reader->last_length);
  return self->at + reader->last_length;
}

static const char *
past_start (Search *self)
{
  const char *end = NULL;

  if (self->depth == 1)
    {
      note_start (self);
      end = past_known (self);
      if (end != NULL)
        return end;
    }
  end = past_tag (self->at);
  if (end == NULL)
    return NULL;
  if (end[-2] == '/')
    note_end (self, end);
  else
    self->depth++;
  return end;
}

static const char *
past_end (Search *self)
{
  const char *end = past_tag (self->at);

  if (end == NULL || self->depth == 0)
    return NULL;
  self->depth--;
  note_end (self, end);
  return end;
}

static const char *
past_markup (Search *self)
{
  if (g_str_has_prefix (self->at, "<!--"))
    return past (self->at + strlen ("<!--"), "-->");
  if (g_str_has_prefix (self->at, "<![CDATA["))
    return past (self->at, "]]>");
  if (self->at[1] == '?')
    return past (self->at, "?>");
  if (self->at[1] == '!')
    return NULL;
  return self->at[1] == '/' ? past_end (self) : past_start (self);
}

static void
search (Search *self, const char *text)
{
  const char *next = strchr (text, '<');

  while (next != NULL)
    {
      self->at = next;
      next = past_markup (self);
      if (next != NULL)
        next = strchr (next, '<');
    }
}

/* --- the pieces --- */

/* Of a <domain> that holds nothing but a <uuid>: the id of that, else NULL. */
static char *
read_lone_uuid (xmlDoc *doc)
{
  const xmlNode *root = xmlDocGetRootElement (doc);
  const xmlNode *uuid = stm_xml_first_element (root);
  g_autofree char *text = NULL;

  if (root->properties != NULL || !stm_xml_is (uuid, "uuid") || stm_xml_next_element (uuid) != NULL)
    return NULL;
  text = stm_xml_text (uuid);
  return stm_id_from_uuid (text);
}

/* NULL when the text is not XML. */
static StmNestedDomain *
nested_new (const char *text)
{
  g_autoptr (GError) problem = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, &problem);
  g_autoptr (xmlDoc) doc = view == NULL ? stm_xml_parse (text, DOMAIN, NULL) : NULL;
  g_autofree char *lone_id = doc != NULL ? read_lone_uuid (doc) : NULL;
  StmNestedDomain *self;

  if (view == NULL && doc == NULL)
    return NULL;
  self = g_atomic_rc_box_new0 (StmNestedDomain);
  if (lone_id != NULL)
    {
      self->id = g_steal_pointer (&lone_id);
      return self;
    }
  if (view != NULL && view->uuid != NULL)
    self->id = stm_id_from_uuid (view->uuid);
  self->text = g_strdup (text);
  self->hash = g_compute_checksum_for_string (G_CHECKSUM_SHA256, text, -1);
  self->view = g_steal_pointer (&view);
  self->problem = g_steal_pointer (&problem);
  return self;
}

static void
remember (StmMomentReader *self, const StmNestedDomain *nested)
{
  gsize length = strlen (nested->text);

  if (length > self->max_bytes - MIN (self->bytes, self->max_bytes))
    {
      self->last = NULL;
      g_hash_table_remove_all (self->nested);
      self->bytes = 0;
    }
  self->bytes += length;
  g_hash_table_insert (self->nested, (char *) nested->text, stm_nested_domain_ref (nested));
}

static StmNestedDomain *
get_nested (StmMomentReader *self, const char *text)
{
  StmNestedDomain *nested = g_hash_table_lookup (self->nested, text);

  if (nested != NULL)
    return stm_nested_domain_ref (nested);
  nested = nested_new (text);
  if (nested != NULL && nested->text != NULL)
    remember (self, nested);
  return nested;
}

static StmNestedDomain *
read_domain (StmMomentReader *self, const Span *span)
{
  gsize length = (gsize) (span->end - span->begin);
  g_autofree char *text = NULL;
  StmNestedDomain *nested;

  if (self->last != NULL && self->last_length == length
      && memcmp (self->last->text, span->begin, length) == 0)
    return stm_nested_domain_ref (self->last);
  text = g_strndup (span->begin, length);
  nested = get_nested (self, text);
  if (nested != NULL && nested->text != NULL)
    {
      self->last = nested;
      self->last_length = length;
    }
  return nested;
}

/* The element is kept under the name that definitions have everywhere else. */
static StmNestedDomain *
read_inactive (StmMomentReader *self, const Span *span)
{
  g_autoptr (GString) text = g_string_new ("<" DOMAIN);
  const char *content = span->begin + strlen ("<" INACTIVE);
  const char *last_tag = span->end - 1;

  while (*last_tag != '<')
    last_tag--;
  if (last_tag == span->begin)
    last_tag = span->end;
  g_string_append_len (text, content, last_tag - content);
  if (last_tag != span->end)
    {
      if (!g_str_has_prefix (last_tag, "</" INACTIVE))
        return NULL;
      last_tag += strlen ("</" INACTIVE);
      g_string_append (text, "</" DOMAIN);
      g_string_append_len (text, last_tag, span->end - last_tag);
    }
  return get_nested (self, text->str);
}

/* --- the rest --- */

/* An empty element with the line breaks of what was there. */
static void
append_hole (GString *rest, const Span *span, const char *name)
{
  g_string_append_printf (rest, "<%s", name);
  for (const char *at = span->begin; at < span->end; at++)
    {
      at = memchr (at, '\n', (gsize) (span->end - at));
      if (at == NULL)
        break;
      g_string_append_c (rest, '\n');
    }
  g_string_append (rest, "/>");
}

static char *
cut_out (const char *text, const Span *domain, const Span *inactive)
{
  g_autoptr (GString) rest = g_string_new (NULL);
  gboolean is_domain_first = inactive->begin == NULL || domain->begin == NULL
                             || domain->begin < inactive->begin;
  const Span *const spans[] = { is_domain_first ? domain : inactive,
                                is_domain_first ? inactive : domain };

  for (gsize i = 0; i < G_N_ELEMENTS (spans); i++)
    if (spans[i]->begin != NULL)
      {
        g_string_append_len (rest, text, spans[i]->begin - text);
        append_hole (rest, spans[i], spans[i] == domain ? DOMAIN : INACTIVE);
        text = spans[i]->end;
      }
  g_string_append (rest, text);
  return g_string_free (g_steal_pointer (&rest), FALSE);
}

/* Whether what was cut out, and only that, was a child of the root of this name. */
static gboolean
is_hole (xmlDoc *rest, const char *name, const Span *span)
{
  const xmlNode *node = stm_xml_find (xmlDocGetRootElement (rest), name);

  return node == NULL ? span->begin == NULL
                      : span->begin != NULL && node->children == NULL && node->properties == NULL;
}

const char *
stm_moment_document_root (StmMomentKind kind)
{
  return kind == STM_MOMENT_SNAPSHOT ? "domainsnapshot" : "domaincheckpoint";
}

/* What is wrong with the document as a whole, which shows the pieces not to be right. */
static gboolean
refuse_whole (const char *text, StmMomentKind kind, GError **error)
{
  g_autoptr (xmlDoc) whole = stm_xml_parse (text, stm_moment_document_root (kind), error);

  if (whole != NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML,
                 "the <domain> or <inactiveDomain> of the document cannot be read by itself: "
                 "declare the namespace prefixes that it uses in its own first tag");
  return FALSE;
}

static gboolean
read_pieces (StmMomentReader *self, const Search *found, StmDocumentCut *cut)
{
  if (found->open != NULL)
    return FALSE;
  if (found->domain.begin != NULL)
    cut->domain = read_domain (self, &found->domain);
  if (found->inactive.begin != NULL)
    cut->inactive = read_inactive (self, &found->inactive);
  return (found->domain.begin == NULL || cut->domain != NULL)
         && (found->inactive.begin == NULL || cut->inactive != NULL);
}

gboolean
stm_moment_reader_cut (StmMomentReader *self, const char *text, StmMomentKind kind,
                       StmDocumentCut *out_cut, GError **error)
{
  g_auto (StmDocumentCut) cut = { 0 };
  Search found = { .reader = self };
  g_autofree char *rest = NULL;

  if (strnlen (text, MAX_BYTES + 1) > MAX_BYTES)
    return refuse_whole (text, kind, error);
  search (&found, text);
  if (!read_pieces (self, &found, &cut))
    return refuse_whole (text, kind, error);
  rest = cut_out (text, &found.domain, &found.inactive);
  cut.rest = stm_xml_parse (rest, stm_moment_document_root (kind), error);
  if (cut.rest == NULL)
    return FALSE;
  if (!is_hole (cut.rest, DOMAIN, &found.domain) || !is_hole (cut.rest, INACTIVE, &found.inactive))
    return refuse_whole (text, kind, error);
  *out_cut = cut;
  cut = (StmDocumentCut){ 0 };
  return TRUE;
}
