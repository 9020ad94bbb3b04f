/* The limits of every document, at the unit, and shapes that are dear to parse. Domain documents
 * stand for all: one parser reads them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-domain-xml.h"

#include <string.h>

static StmDomainXml *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  StmDomainXml *view = stm_domain_xml_parse (text, &error);

  g_assert_no_error (error);
  return view;
}

static void
assert_refused (const char *text, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, &error);

  g_assert_null (view);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
  g_assert_nonnull (strstr (error->message, words));
}

static char *
repeat (const char *before, const char *unit, guint count, const char *middle, const char *closing,
        const char *after)
{
  GString *text = g_string_new (before);

  for (guint i = 0; i < count; i++)
    g_string_append (text, unit);
  g_string_append (text, middle);
  for (guint i = 0; i < count; i++)
    g_string_append (text, closing);
  return g_string_free (g_string_append (text, after), FALSE);
}

typedef struct
{
  const char *name;
  const char *before;
  const char *unit;
  const char *middle;
  const char *closing;
  guint most;        /* of the unit that is accepted */
  const char *words; /* when there is one more */
} Limit;

static const Limit limits[] = {
  { "bytes", "<domain><name>x</name>", "0123456789abcdef", "</domain>", "", 262142,
    "larger than 4194304 bytes" },
  { "depth", "<domain><name>x</name>", "<a>", "", "</a>", 239, "nested deeper than 240" },
  { "elements", "<domain><name>x</name>", "<a/>", "</domain>", "", 99998, "more than 100000" },
  { "comments", "<domain><name>x</name>", "<!---->", "</domain>", "", 99998, "more than 100000" },
  { "instructions", "<domain><name>x</name>", "<?a?>", "</domain>", "", 99998, "more than 100000" },
  { "cdata", "<domain><name>x</name>", "<![CDATA[a]]> ", "</domain>", "", 99998,
    "more than 100000" },
  { "disks", "<domain><name>x</name><devices>", "", "</devices></domain>", "", 1024,
    "more than 1024 disks" },
  { "namespaces", "<domain><name>x</name>", "", "</domain>", "", 64, "64 namespace" },
  { "attributes", "<domain><name>x</name><a", "", "/></domain>", "", 128, "128 attributes" },
  { "layers", "<domain><name>x</name><devices><disk><source file='/a'/><target dev='vda'/>",
    "<backingStore><format type='raw'/><source file='/b'/>", "", "</backingStore>", 199,
    "more than 200 layers" },
};

/* The units that must differ from one another. */
static char *
make_numbered (const Limit *limit, guint count)
{
  GString *text = g_string_new (limit->before);

  for (guint i = 0; i < count; i++)
    if (strcmp (limit->name, "disks") == 0)
      g_string_append_printf (text, "<disk><target dev='vd%u'/></disk>", i);
    else if (strcmp (limit->name, "namespaces") == 0)
      g_string_append_printf (text, "<a xmlns:n%u='urn:n'/>", i);
    else
      g_string_append_printf (text, " a%u='='", i);
  return g_string_free (g_string_append (text, limit->middle), FALSE);
}

static char *
make_document (const Limit *limit, guint count)
{
  const char *after = strcmp (limit->name, "layers") == 0  ? "</disk></devices></domain>"
                      : strcmp (limit->name, "depth") == 0 ? "</domain>"
                                                           : "";

  if (*limit->unit == '\0')
    return make_numbered (limit, count);
  return repeat (limit->before, limit->unit, count, limit->middle, limit->closing, after);
}

static void
test_limits (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (limits); i++)
    {
      g_autofree char *most = make_document (&limits[i], limits[i].most);
      g_autofree char *over = make_document (&limits[i], limits[i].most + 1);
      g_autoptr (StmDomainXml) view = NULL;

      g_test_message ("%s", limits[i].name);
      view = parse (most);
      assert_refused (over, limits[i].words);
    }
}

/* Shapes that cost much more than their size in a parser that has only a limit on the size:
 * minutes, which the test is not given. */
static void
test_expensive_shapes_are_refused_at_once (void)
{
  g_autoptr (GString) attributes = g_string_new ("<domain");
  g_autofree char *deep = repeat ("<domain>", "<a>", 1000000, "", "", "");
  g_autofree char *open = repeat ("<domain", " a='", 200000, "", "", "");
  g_autofree char *comments = repeat ("<domain>", "<!--", 1000000, "", "", "");
  g_autofree char *namespaces = repeat ("<domain></x>", "<a xmlns:b='c'>", 200, "", "", "");

  for (guint i = 0; i < 400000; i++)
    g_string_append_printf (attributes, " a%u=''", i);
  attributes->str[MIN (attributes->len, 4000000)] = '\0';
  assert_refused (attributes->str, "128 attributes");
  assert_refused (deep, "nested deeper than 240");
  assert_refused (open, "128 attributes");
  assert_refused (comments, "a comment does not end");
  assert_refused (namespaces, "64 namespace");
}

static void
test_equals_signs_in_text_are_no_attributes (void)
{
  g_autofree char *equals = repeat ("", "= ' \" ", 500, "", "", "");
  g_autofree char *in_value = repeat ("", "=>", 500, "", "", "");
  g_autofree char *text = g_strdup_printf (
      "<domain><!-- don't %s --><?pi %s?><name>x</name><a b='%s'>%s"
      "<![CDATA[<%s]]></a></domain>",
      equals, equals, in_value, equals, equals);
  g_autoptr (StmDomainXml) view = parse (text);

  g_assert_cmpstr (view->name, ==, "x");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/xml-limits/limits-hold-at-the-unit", test_limits);
  g_test_add_func ("/core/xml-limits/expensive-shapes-are-refused-at-once",
                   test_expensive_shapes_are_refused_at_once);
  g_test_add_func ("/core/xml-limits/equals-signs-in-text-are-no-attributes",
                   test_equals_signs_in_text_are_no_attributes);
  return g_test_run ();
}
