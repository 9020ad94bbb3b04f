/* Domain documents: what is read of them, what is printed, and all that is refused.
 *
 * Files as xml-files.h says, with STEMMA_REGENERATE=1 to write out/ anew. What would be too large
 * as a file is made here.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "xml-files.h"

#include "stemma-error.h"
#include "stm-domain-xml.h"

#include <locale.h>

#define KIND "domain"
#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"

typedef struct
{
  const char *file;
  const char *words; /* part of the message */
} Refusal;

static const Refusal refusals[] = {
  { "attribute-twice", "line 1 of the document" },
  { "backing-with-two-sources", "a second <source>" },
  { "backing-without-format", "does not say its <format>" },
  { "backing-without-source", "has no <source>" },
  { "bad-uuid", "<uuid>" },
  { "billion-laughs", "document type declaration" },
  { "blank-name", "no <name>" },
  { "c1-control-in-name", "control characters" },
  { "control-reference", "line 1 of the document" },
  { "cut-short", "line 1 of the document" },
  { "element-in-name", "text only" },
  { "empty", "line 1 of the document" },
  { "empty-dtd", "document type declaration" },
  { "empty-format", "format is not a word" },
  { "empty-name", "no <name>" },
  { "empty-target", "no <target" },
  { "empty-uuid", "<uuid>" },
  { "external-dtd", "document type declaration" },
  { "external-entity", "document type declaration" },
  { "invalid-utf8", "not UTF-8 at byte 15" },
  { "long-name", "longer than 255 bytes" },
  { "long-path", "longer than 4096 bytes" },
  { "long-target", "at most 32" },
  { "long-title", "longer than 1024 bytes" },
  { "newline-in-name", "control characters" },
  { "no-name", "no <name>" },
  { "no-target", "no <target" },
  { "no-target-dev", "no <target" },
  { "non-ascii-target", "at most 32" },
  { "nul-byte", "line 1 of the document" },
  { "nul-reference", "line 1 of the document" },
  { "option-as-format", "format is not a word" },
  { "other-root", "<domain>" },
  { "overlong-utf8", "not UTF-8 at byte 15" },
  { "parameter-entity", "document type declaration" },
  { "path-as-target", "at most 32" },
  { "root-in-namespace", "in no namespace" },
  { "same-target-twice", "two disks have the target vda" },
  { "short-uuid", "<uuid>" },
  { "slash-in-name", "'/'" },
  { "space-in-target", "at most 32" },
  { "surrogate-utf8", "not UTF-8 at byte 15" },
  { "text", "line 1 of the document" },
  { "two-backing-stores", "a second <backingStore>" },
  { "two-devices", "a second <devices>" },
  { "two-drivers", "a second <driver>" },
  { "two-line-title", "one line" },
  { "two-names", "a second <name>" },
  { "two-roots", "line 1 of the document" },
  { "two-sources", "a second <source>" },
  { "two-targets", "a second <target>" },
  { "unbalanced", "line 4 of the document" },
  { "undeclared-prefix", "line 1 of the document" },
  { "unknown-device", "unknown device" },
  { "unknown-entity", "line 1 of the document" },
  { "unknown-snapshot-mode", "unknown snapshot mode" },
  { "utf16", "not UTF-8 at byte 0" },
  { "xinclude", "XInclude" },
};

static StmDomainXml *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  StmDomainXml *view = stm_domain_xml_parse (text, &error);

  g_assert_no_error (error);
  g_assert_nonnull (view);
  return view;
}

static void
assert_refused (const char *text, const char *words)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, &error);

  g_assert_null (view);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, words));
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
  g_assert_cmpuint (strlen (error->message), <, 512);
}

static const char *
kind_word (StmSourceKind kind)
{
  static const char *const words[] = { "none", "file", "block", "other" };

  return words[kind];
}

static char *
dump_view (const StmDomainXml *view)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (text, "name: %s\nuuid: %s\ntitle: %s\ndescription: %s\n", view->name,
                          view->uuid != NULL ? view->uuid : "(none)", view->title,
                          view->description);
  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *disk = g_ptr_array_index (view->disks, i);

      g_string_append_printf (
          text, "disk %s: %s %s%s%s%s%s\n", disk->target, kind_word (disk->kind), disk->format,
          disk->is_read_only ? " read-only" : "", disk->is_excluded ? " excluded" : "",
          disk->is_transient ? " transient" : "", disk->is_complete ? " complete" : "");
      for (guint j = 0; j < disk->declared->len; j++)
        {
          const StmXmlImage *image = g_ptr_array_index (disk->declared, j);

          g_string_append_printf (text, "  %s %s\n", image->format, image->path);
        }
    }
  return g_string_free (text, FALSE);
}

static gboolean
has_image (const StmXmlDisk *disk)
{
  return disk->kind == STM_SOURCE_FILE || disk->kind == STM_SOURCE_BLOCK;
}

/* What is recorded after the definition, or, when it moved, after a snapshot, a rename and a new
 * description. */
static StmDomain *
record (const StmDomainXml *view, gboolean is_moved)
{
  g_autofree StmDisk *disks = g_new0 (StmDisk, view->disks->len + 1);
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *title = g_strconcat ("New & ", view->title, NULL);

  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *written = g_ptr_array_index (view->disks, i);
      StmDisk *disk = &disks[i];

      disk->target = written->target;
      disk->kind = written->kind;
      disk->format = written->format;
      disk->is_read_only = written->is_read_only;
      disk->is_excluded = written->is_excluded;
      disk->next_index = 2;
      if (!has_image (written))
        continue;
      disk->source = ((StmXmlImage *) g_ptr_array_index (written->declared, 0))->path;
      if (!is_moved || written->is_read_only)
        continue;
      g_ptr_array_add (strings, g_strdup_printf ("/images/%s & co.s1", written->target));
      disk->source = g_ptr_array_index (strings, strings->len - 1);
      disk->kind = STM_SOURCE_FILE;
      disk->format = "qcow2";
    }
  return stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                       .name = is_moved ? "renamed" : view->name,
                                       .title = is_moved ? title : view->title,
                                       .description = is_moved ? "" : view->description,
                                       .definition = "0000",
                                       .disks = disks,
                                       .n_disks = view->disks->len,
                                       .roots = (const char *const[]){ NULL } });
}

static char *
print (const char *text, const StmDomain *domain, StmXmlSecrecy secrecy)
{
  g_autoptr (GError) error = NULL;
  char *printed = stm_domain_xml_print (text, domain, secrecy, &error);

  g_assert_no_error (error);
  return printed;
}

static void
test_views (void)
{
  g_autoptr (GPtrArray) files = xml_files_list ("in", KIND);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", KIND, files->pdata[i]);
      g_autoptr (StmDomainXml) view = parse (text);
      g_autofree char *dump = dump_view (view);

      xml_files_expect (KIND, files->pdata[i], "view", dump);
    }
}

static void
test_prints (void)
{
  g_autoptr (GPtrArray) files = xml_files_list ("in", KIND);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", KIND, files->pdata[i]);
      g_autoptr (StmDomainXml) view = parse (text);
      g_autoptr (StmDomain) same = record (view, FALSE);
      g_autoptr (StmDomain) moved = record (view, TRUE);
      g_autofree char *as_secure = print (text, same, STM_XML_SECURE);
      g_autofree char *as_public = print (text, same, STM_XML_PUBLIC);
      g_autofree char *as_moved = print (text, moved, STM_XML_SECURE);

      xml_files_expect (KIND, files->pdata[i], "secure.xml", as_secure);
      xml_files_expect (KIND, files->pdata[i], "public.xml", as_public);
      xml_files_expect (KIND, files->pdata[i], "moved.xml", as_moved);
      g_assert_null (strstr (as_public, "SECRET"));
      if (strstr (text, "kept") != NULL)
        g_assert_nonnull (strstr (as_public, "kept"));
    }
}

/* Byte for byte but for what a parser does not hand on: how attributes are quoted and spaced, and
 * that namespaces are declared before them. */
static void
test_unchanged_is_verbatim (void)
{
  static const char text[] = "<!-- first -->\n"
                             "<domain xmlns:q=\"urn:q\" type=\"kvm\">\n"
                             "\t<name>a &amp; b</name>\n\n\n"
                             "  <q:x y=\"&lt;1&gt;\"><![CDATA[<raw>]]></q:x><?pi data?>\n"
                             "  <devices>\n"
                             "    <disk type=\"file\"><!-- c -->\n"
                             "      <source file=\"/i\" index=\"3\"/>\n"
                             "      <backingStore/>\n"
                             "      <target dev=\"vda\"/></disk>\n"
                             "  </devices>\n"
                             "</domain>\n"
                             "<!-- last -->\n";
  g_autoptr (StmDomainXml) view = parse (text);
  g_autoptr (StmDomain) same = record (view, FALSE);
  g_autofree char *printed = print (text, same, STM_XML_SECURE);

  g_assert_cmpstr (printed, ==, text);
}

static void
test_what_was_printed_reads_as_recorded (void)
{
  g_autoptr (GPtrArray) files = xml_files_list ("in", KIND);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", KIND, files->pdata[i]);
      g_autoptr (StmDomainXml) view = parse (text);
      g_autoptr (StmDomain) moved = record (view, TRUE);
      g_autofree char *printed = print (text, moved, STM_XML_PUBLIC);
      g_autoptr (StmDomainXml) again = parse (printed);

      g_assert_cmpstr (again->name, ==, moved->name);
      g_assert_cmpstr (again->title, ==, moved->title);
      g_assert_cmpstr (again->description, ==, moved->description);
      g_assert_cmpuint (again->disks->len, ==, moved->n_disks);
      for (guint j = 0; j < again->disks->len; j++)
        {
          const StmXmlDisk *disk = g_ptr_array_index (again->disks, j);

          g_assert_cmpint (disk->kind, ==, moved->disks[j].kind);
          g_assert_cmpstr (disk->format, ==, moved->disks[j].format);
          if (has_image (disk))
            g_assert_cmpstr (((StmXmlImage *) disk->declared->pdata[0])->path, ==,
                             moved->disks[j].source);
        }
    }
}

static void
test_missing_uuid_is_put_in (void)
{
  g_autoptr (GPtrArray) files = xml_files_list ("in", KIND);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", KIND, files->pdata[i]);
      g_autoptr (StmDomainXml) before = parse (text);
      g_autoptr (GError) error = NULL;
      g_autofree char *with = stm_domain_xml_with_uuid (text, UUID, &error);
      g_autoptr (StmDomainXml) after = NULL;

      g_assert_no_error (error);
      after = parse (with);
      g_assert_cmpstr (after->uuid, ==, before->uuid != NULL ? before->uuid : UUID);
      if (before->uuid != NULL)
        g_assert_cmpstr (with, ==, text);
      else
        xml_files_expect (KIND, files->pdata[i], "uuid.xml", with);
    }
}

static void
test_bad_uuid_is_not_put_in (void)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (stm_domain_xml_with_uuid ("<domain><name>x</name></domain>", "x", &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
}

static void
test_uuid_in_any_spelling (void)
{
  static const char *const spellings[] = {
    "01234567-89ab-cdef-0123-456789abcdef",
    "0123456789abcdef0123456789abcdef",
    "01234567-89AB-CDEF-0123-456789ABCDEF",
    "  01234567-89ab-cdef-0123-456789abcdef\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (spellings); i++)
    {
      g_autofree char *text = g_strdup_printf ("<domain><name>x</name><uuid>%s</uuid></domain>",
                                               spellings[i]);
      g_autoptr (StmDomainXml) view = parse (text);

      g_test_message ("'%s'", spellings[i]);
      g_assert_cmpstr (view->uuid, ==, UUID);
    }
}

static void
test_text_that_xml_lacks_is_not_printed (void)
{
  static const char *const texts[] = { "a\x01", "a\x1f", "a\xef\xbf\xbe", "a\xff" };
  static const char text[] = "<domain><name>x</name></domain>";

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StmDomain)
          domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                                 .name = "x",
                                                 .title = "",
                                                 .description = texts[i],
                                                 .definition = "0",
                                                 .roots = (const char *const[]){ NULL } });

      g_assert_null (stm_domain_xml_print (text, domain, STM_XML_SECURE, &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
    }
}

static void
test_markup_in_texts_stays_text (void)
{
  static const char markup[] = "</description><os>&amp;<!-- ]]> '\" \t\n é";
  static const char text[] = "<domain><name>x</name></domain>";
  g_autoptr (StmDomain)
      domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                             .name = "<x>&lt;",
                                             .title = "&",
                                             .description = markup,
                                             .definition = "0",
                                             .roots = (const char *const[]){ NULL } });
  g_autofree char *printed = print (text, domain, STM_XML_SECURE);
  g_autoptr (StmDomainXml) view = parse (printed);

  g_assert_cmpstr (view->name, ==, domain->name);
  g_assert_cmpstr (view->title, ==, domain->title);
  g_assert_cmpstr (view->description, ==, markup);
}

/* Taking the secret takes the blank text around it along. */
static void
test_secret_alone_in_its_element_leaves_it_empty (void)
{
  static const char text[] = "<domain><name>x</name><os>\n  <cmdline>s</cmdline>\n</os>"
                             "<a>\n <!-- s -->\n <!-- s -->\n</a><b> <?s s?> t</b></domain>";
  g_autoptr (StmDomainXml) view = parse (text);
  g_autoptr (StmDomain) same = record (view, FALSE);
  g_autofree char *printed = print (text, same, STM_XML_PUBLIC);

  g_assert_cmpstr (printed, ==, "<domain><name>x</name><os/><a/><b> t</b></domain>\n");
}

static void
test_recorded_disk_that_the_document_lacks_is_an_error (void)
{
  static const char text[] = "<domain><name>x</name></domain>";
  StmDisk disk = { .target = "vda", .kind = STM_SOURCE_FILE, .source = "/a", .format = "raw" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomain)
      domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                             .name = "x",
                                             .title = "",
                                             .description = "",
                                             .definition = "0",
                                             .disks = &disk,
                                             .n_disks = 1,
                                             .roots = (const char *const[]){ NULL } });

  g_assert_null (stm_domain_xml_print (text, domain, STM_XML_SECURE, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED);
}

static void
test_medium_that_went_is_taken_out (void)
{
  static const char text[] =
      "<domain><name>x</name><devices><disk type='file'><source file='/a'/><backingStore/>"
      "<target dev='fda'/></disk></devices></domain>";
  StmDisk disk = { .target = "fda", .kind = STM_SOURCE_NONE, .format = "raw" };
  g_autoptr (StmDomain)
      domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                             .name = "x",
                                             .title = "",
                                             .description = "",
                                             .definition = "0",
                                             .disks = &disk,
                                             .n_disks = 1,
                                             .roots = (const char *const[]){ NULL } });
  g_autofree char *printed = print (text, domain, STM_XML_SECURE);

  g_assert_cmpstr (printed, ==,
                   "<domain><name>x</name><devices><disk type=\"file\">"
                   "<target dev=\"fda\"/></disk></devices></domain>\n");
}

static void
test_refusals (void)
{
  g_autoptr (GPtrArray) files = xml_files_list ("invalid", KIND);

  /* No file without a row, no row without a file. */
  g_assert_cmpuint (files->len, ==, G_N_ELEMENTS (refusals));
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *name = g_strconcat (refusals[i].file, ".xml", NULL);
      g_autofree char *text = xml_files_read ("invalid", KIND, name);

      g_test_message ("%s", name);
      assert_refused (text, refusals[i].words);
    }
}

static void
test_nothing_is_written_to_stderr (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GPtrArray) files = xml_files_list ("invalid", KIND);

      for (guint i = 0; i < files->len; i++)
        {
          g_autofree char *text = xml_files_read ("invalid", KIND, files->pdata[i]);
          g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, NULL);

          g_assert_null (view);
        }
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_assert_stderr ("");
}

/* "xmllint --relaxng" on documents of a folder: those of in/ that are not loose-*, or what is
 * printed of them. */
static void
add_documents (GPtrArray *arguments, const char *folder)
{
  g_autoptr (GPtrArray) files = xml_files_list (folder, KIND);

  for (guint i = 0; i < files->len; i++)
    if (!g_str_has_prefix (files->pdata[i], "loose-"))
      g_ptr_array_add (arguments, xml_files_path (folder, KIND, files->pdata[i]));
}

static void
test_printed_is_valid_by_libvirts_schema (void)
{
  g_autofree char *xmllint = g_find_program_in_path ("xmllint");
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  int status = 0;

  if (xmllint == NULL || !g_file_test (SCHEMA, G_FILE_TEST_EXISTS))
    {
      g_test_skip (xmllint == NULL ? "xmllint is not installed"
                                   : "libvirt's schemas are not installed at " SCHEMA);
      return;
    }
  g_ptr_array_add (arguments, g_steal_pointer (&xmllint));
  g_ptr_array_add (arguments, g_strdup ("--nonet"));
  g_ptr_array_add (arguments, g_strdup ("--noout"));
  g_ptr_array_add (arguments, g_strdup ("--relaxng"));
  g_ptr_array_add (arguments, g_strdup (SCHEMA));
  add_documents (arguments, "in");
  add_documents (arguments, "out");
  g_ptr_array_add (arguments, NULL);
  g_spawn_sync (NULL, (char **) arguments->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                NULL, &output, &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_test_message ("%s", output);
  g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/domain-xml/views-are-as-expected", test_views);
  g_test_add_func ("/core/domain-xml/prints-are-as-expected-and-public-ones-without-secrets",
                   test_prints);
  g_test_add_func ("/core/domain-xml/unchanged-document-is-printed-verbatim",
                   test_unchanged_is_verbatim);
  g_test_add_func ("/core/domain-xml/what-was-printed-reads-as-recorded",
                   test_what_was_printed_reads_as_recorded);
  g_test_add_func ("/core/domain-xml/missing-uuid-is-put-in", test_missing_uuid_is_put_in);
  g_test_add_func ("/core/domain-xml/bad-uuid-is-not-put-in", test_bad_uuid_is_not_put_in);
  g_test_add_func ("/core/domain-xml/uuid-is-taken-in-any-spelling", test_uuid_in_any_spelling);
  g_test_add_func ("/core/domain-xml/text-that-xml-lacks-is-not-printed",
                   test_text_that_xml_lacks_is_not_printed);
  g_test_add_func ("/core/domain-xml/markup-in-texts-stays-text", test_markup_in_texts_stays_text);
  g_test_add_func ("/core/domain-xml/secret-alone-in-its-element-leaves-it-empty",
                   test_secret_alone_in_its_element_leaves_it_empty);
  g_test_add_func ("/core/domain-xml/recorded-disk-that-the-document-lacks-is-an-error",
                   test_recorded_disk_that_the_document_lacks_is_an_error);
  g_test_add_func ("/core/domain-xml/medium-that-went-is-taken-out",
                   test_medium_that_went_is_taken_out);
  g_test_add_func ("/core/domain-xml/bad-documents-are-refused-with-reason", test_refusals);
  g_test_add_func ("/core/domain-xml/nothing-is-written-to-stderr",
                   test_nothing_is_written_to_stderr);
  g_test_add_func ("/core/domain-xml/printed-is-valid-by-libvirts-schema",
                   test_printed_is_valid_by_libvirts_schema);
  return g_test_run ();
}
