/* Documents of moments as values: what is read, and what a redefinition needs.
 *
 * Files as xml-files.h says, with STEMMA_REGENERATE=1 to write out/ anew.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "xml-files.h"

#include "stemma-error.h"
#include "stm-moment-xml.h"

#include <locale.h>

#define ID "0123456789abcdef0123456789abcdef"
#define UUID "01234567-89ab-cdef-0123-456789abcdef"

static const char *const kinds[] = { "snapshot", "checkpoint" };

/* --- reading --- */

static void
dump_nested (GString *out, const char *name, const StmNestedDomain *nested)
{
  if (nested == NULL)
    return;
  g_string_append_printf (out, "%s: %s, %s\n", name, nested->id != NULL ? nested->id : "no uuid",
                          nested->problem != NULL ? nested->problem->message
                          : nested->text != NULL  ? "with a definition"
                                                  : "nothing else");
  if (nested->text == NULL)
    return;
  g_assert_true (g_str_has_prefix (nested->text, "<domain"));
  g_assert_true (g_str_has_suffix (nested->text, "</domain>"));
  g_assert_cmpuint (strlen (nested->hash), ==, 64);
}

static void
dump_disks (GString *out, const StmMomentDocument *document)
{
  static const char *const modes[] = { "absent", "no", "internal", "external", "manual", "bitmap" };

  for (guint i = 0; document->disks != NULL && i < document->disks->len; i++)
    {
      const StmDocumentDisk *disk = document->disks->pdata[i];
      const char *target = stm_moment_document_target (document, disk, NULL);

      g_string_append_printf (
          out, "disk: %s (%s) %s file %s format %s bitmap %s type %s%s\n", disk->name,
          target != NULL ? target : "?", modes[disk->mode], disk->file != NULL ? disk->file : "-",
          disk->format != NULL ? disk->format : "-", disk->bitmap != NULL ? disk->bitmap : "-",
          disk->type != NULL ? disk->type : "-", disk->has_settings ? " with settings" : "");
    }
}

static char *
dump (const StmMomentDocument *document)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  gboolean is_record = stm_moment_document_check_redefine (document, &error);

  g_string_append_printf (out, "name: %s\ndescription: %s\ncreated: %" G_GINT64_FORMAT "\n",
                          document->name, document->description, document->created);
  g_string_append_printf (out, "state: %s\nparent: %s\nmemory: %s%s%s\n",
                          document->has_state ? stm_moment_state_to_word (document->state) : "-",
                          document->parent != NULL ? document->parent : "-",
                          stm_memory_to_word (stm_moment_document_memory (document)),
                          document->memory_file != NULL ? " " : "",
                          document->memory_file != NULL ? document->memory_file : "");
  dump_disks (out, document);
  dump_nested (out, "domain", document->domain);
  dump_nested (out, "inactive", document->inactive);
  if (document->cookie != NULL)
    g_string_append_printf (out, "cookie: %s\n", document->cookie);
  g_string_append_printf (out, "as a record: %s\n", is_record ? "fine" : error->message);
  return g_string_free (g_steal_pointer (&out), FALSE);
}

/* One reader for all, so that each follows upon others that it remembers. */
static void
test_documents (void)
{
  g_autoptr (StmMomentReader) reader = stm_moment_reader_new ();

  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    {
      g_autoptr (GPtrArray) files = xml_files_list ("in", kinds[kind]);

      for (guint i = 0; i < 2 * files->len; i++)
        {
          const char *name = files->pdata[i % files->len];
          g_autofree char *text = xml_files_read ("in", kinds[kind], name);
          g_autoptr (GError) error = NULL;
          g_autoptr (StmMomentDocument)
              document = stm_moment_reader_read (reader, text, kind, &error);
          g_autofree char *dumped = NULL;

          g_test_message ("%s", name);
          g_assert_no_error (error);
          dumped = dump (document);
          xml_files_expect (kinds[kind], name, "document", dumped);
        }
    }
}

typedef struct
{
  const char *file;
  StemmaError code;
  const char *words;
} Refusal;

static const Refusal checkpoint_refusals[] = {
  { "bad-time", STEMMA_ERROR_INVALID_XML, "number of seconds" },
  { "disk-source", STEMMA_ERROR_INVALID_XML, "unknown element <source>" },
  { "disk-twice", STEMMA_ERROR_INVALID_XML, "vda is named twice" },
  { "entities", STEMMA_ERROR_INVALID_XML, "document type declaration" },
  { "no-with-bitmap", STEMMA_ERROR_INVALID_XML, "names a bitmap" },
  { "other-bitmap", STEMMA_ERROR_NOT_SUPPORTED, "leave 'bitmap' out" },
  { "other-mode", STEMMA_ERROR_INVALID_XML, "'no' or 'bitmap'" },
  { "other-root", STEMMA_ERROR_INVALID_XML, "<domaincheckpoint>" },
  { "slash-in-bitmap", STEMMA_ERROR_INVALID_XML, "bitmap's name" },
  { "snapshot-attribute", STEMMA_ERROR_INVALID_XML, "unknown attribute 'snapshot'" },
  { "snapshot-element", STEMMA_ERROR_INVALID_XML, "unknown element <state>" },
  { "unknown-disk", STEMMA_ERROR_NOT_FOUND, "domain web has none" },
};

static StmDomain *
make_domain (void)
{
  static const StmDisk disks[] = {
    { .target = "vda", .kind = STM_SOURCE_FILE, .source = "/images/web.qcow2", .format = "qcow2" },
    { .target = "vdb", .kind = STM_SOURCE_FILE, .source = "/images/data.qcow2", .format = "qcow2" },
    { .target = "vdc",
      .kind = STM_SOURCE_FILE,
      .source = "/images/scratch.qcow2",
      .format = "qcow2" },
  };

  return stm_domain_new (&(StmDomain){ .id = ID,
                                       .name = "web",
                                       .title = "",
                                       .description = "",
                                       .definition = "0",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = (const char *const[]){ NULL } });
}

static void
test_checkpoint_refusals (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GPtrArray) files = xml_files_list ("invalid", "checkpoint");

  g_assert_cmpuint (files->len, ==, G_N_ELEMENTS (checkpoint_refusals));
  for (gsize i = 0; i < G_N_ELEMENTS (checkpoint_refusals); i++)
    {
      const Refusal *refusal = &checkpoint_refusals[i];
      g_autofree char *name = g_strconcat (refusal->file, ".xml", NULL);
      g_autofree char *text = xml_files_read ("invalid", "checkpoint", name);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmCheckpointXml) request = stm_checkpoint_xml_parse (text, domain, &error);

      g_test_message ("%s: %s", name, error != NULL ? error->message : "accepted");
      g_assert_null (request);
      g_assert_error (error, STEMMA_ERROR, (int) refusal->code);
      g_assert_nonnull (strstr (error->message, refusal->words));
    }
}

static void
test_checkpoint_requests (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GPtrArray) files = xml_files_list ("in", "checkpoint");

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", "checkpoint", files->pdata[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmCheckpointXml) request = stm_checkpoint_xml_parse (text, domain, &error);
      g_autofree char *disks = NULL;
      g_autofree char *dumped = NULL;

      g_assert_no_error (error);
      disks = request->disks != NULL ? g_strjoinv (" ", request->disks) : g_strdup ("(default)");
      dumped = g_strdup_printf ("name: %s\ndescription: %s\ndisks: %s\n", request->name,
                                request->description, disks);
      xml_files_expect ("checkpoint", files->pdata[i], "request", dumped);
    }
}

typedef struct
{
  StmMomentKind kind;
  const char *content;
  StemmaError code;
  const char *words;
} BadRecord;

static void
assert_bad_records (const BadRecord *cases, gsize n_cases)
{
  for (gsize i = 0; i < n_cases; i++)
    {
      g_autofree char *text = g_strdup_printf ("<domain%s>%s</domain%s>", kinds[cases[i].kind],
                                               cases[i].content, kinds[cases[i].kind]);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmMomentDocument)
          document = stm_moment_document_parse (text, cases[i].kind, &error);

      g_assert_no_error (error);
      g_assert_false (stm_moment_document_check_redefine (document, &error));
      g_test_message ("%s", error->message);
      g_assert_error (error, STEMMA_ERROR, (int) cases[i].code);
      g_assert_nonnull (strstr (error->message, cases[i].words));
    }
}

/* What a redefinition lacks, or has too much of. */
static void
test_bad_records (void)
{
  const BadRecord cases[] = {
    { 0, "<state>shutoff</state><creationTime>1</creationTime>", STEMMA_ERROR_INVALID_XML,
      "<name>" },
    { 0, "<name>a</name><state>shutoff</state>", STEMMA_ERROR_INVALID_XML, "<creationTime>" },
    { 0, "<name>a</name><creationTime>1</creationTime>", STEMMA_ERROR_INVALID_XML, "<state>" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<memory snapshot='internal'/>",
      STEMMA_ERROR_INVALID_XML, "<memory>" },
    { 0,
      "<name>a</name><state>running</state><creationTime>1</creationTime>"
      "<memory snapshot='external'/>",
      STEMMA_ERROR_INVALID_XML, "names no file" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<disks><disk name='vda' snapshot='manual'/></disks>",
      STEMMA_ERROR_NOT_SUPPORTED, "manual" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<disks><disk name='vda' type='network'><source protocol='nbd'/></disk></disks>",
      STEMMA_ERROR_NOT_SUPPORTED, "neither 'file' nor 'block'" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<disks><disk name='vda'><driver type='raw'/></disk></disks>",
      STEMMA_ERROR_NOT_SUPPORTED, "another format" },
    { 0, "<name>a</name><state>shutoff</state><creationTime>1</creationTime><domain><a/></domain>",
      STEMMA_ERROR_INVALID_XML, "<domain> cannot be read" },
    { 1, "<name>a</name><creationTime>1</creationTime>", STEMMA_ERROR_INVALID_XML, "<domain>" },
    { 1, "<name>a</name><creationTime>1</creationTime><domain><uuid>" UUID "</uuid></domain>",
      STEMMA_ERROR_INVALID_XML, "<domain>" },
  };

  assert_bad_records (cases, G_N_ELEMENTS (cases));
}

static void
test_bad_uuids (void)
{
  const BadRecord cases[] = {
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<domain type='kvm'><name>a</name></domain>",
      STEMMA_ERROR_INVALID_XML, "no <uuid>" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<domain type='kvm'><name>a</name><uuid></uuid></domain>",
      STEMMA_ERROR_INVALID_XML, "<uuid>" },
    { 0,
      "<name>a</name><state>shutoff</state><creationTime>1</creationTime>"
      "<domain type='kvm'><name>a</name><uuid>" UUID "</uuid></domain>"
      "<inactiveDomain type='kvm'><name>a</name><uuid> </uuid></inactiveDomain>",
      STEMMA_ERROR_INVALID_XML, "<inactiveDomain> cannot be read" },
    { 1,
      "<name>a</name><creationTime>1</creationTime>"
      "<domain type='kvm'><name>a</name><uuid/></domain>",
      STEMMA_ERROR_INVALID_XML, "<uuid>" },
    { 1, "<name>a</name><creationTime>1</creationTime><domain><uuid/></domain>",
      STEMMA_ERROR_INVALID_XML, "<domain>" },
  };

  assert_bad_records (cases, G_N_ELEMENTS (cases));
}

static void
test_memory_by_state (void)
{
  const char *const texts[] = { "running", "paused", "shutoff", "disk-snapshot" };
  const StmMemory expected[] = { STM_MEMORY_INTERNAL, STM_MEMORY_INTERNAL, STM_MEMORY_NONE,
                                 STM_MEMORY_NONE };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    {
      g_autofree char *text = g_strdup_printf ("<domainsnapshot><state>%s</state></domainsnapshot>",
                                               texts[i]);
      g_autoptr (StmMomentDocument)
          document = stm_moment_document_parse (text, STM_MOMENT_SNAPSHOT, NULL);

      g_assert_cmpint (stm_moment_document_memory (document), ==, expected[i]);
    }
}

/* --- many documents --- */

static char *
document_with (const char *name, const char *nested)
{
  return g_strdup_printf ("<domainsnapshot>\n<name>%s</name>\n%s\n<creationTime>1</creationTime>\n"
                          "</domainsnapshot>",
                          name, nested);
}

static void
test_definitions_are_shared (void)
{
  g_autoptr (StmMomentReader) reader = stm_moment_reader_new ();
  const char *const nested[] = {
    "<domain type='kvm'><name>a</name></domain>",
    "<domain type='kvm'><name>a</name></domain>",
    "<domain type='kvm'><name>ab</name></domain>",
    "<domain type='kvm'><name>a</name></domain>",
    "<inactiveDomain type='kvm'><name>ab</name></inactiveDomain>",
  };
  StmMomentDocument *documents[G_N_ELEMENTS (nested)];

  for (gsize i = 0; i < G_N_ELEMENTS (nested); i++)
    {
      g_autofree char *text = document_with ("s", nested[i]);
      g_autoptr (GError) error = NULL;

      documents[i] = stm_moment_reader_read (reader, text, STM_MOMENT_SNAPSHOT, &error);
      g_assert_no_error (error);
      g_assert_cmpint (documents[i]->created, ==, 1);
    }
  g_assert_true (documents[0]->domain == documents[1]->domain);
  g_assert_true (documents[0]->domain == documents[3]->domain);
  g_assert_true (documents[0]->domain != documents[2]->domain);
  g_assert_true (documents[2]->domain == documents[4]->inactive);
  g_assert_cmpstr (documents[2]->domain->text, ==, nested[2]);
  for (gsize i = 0; i < G_N_ELEMENTS (nested); i++)
    stm_moment_document_free (documents[i]);
}

/* A definition that begins like the one that was read before is not taken for it. */
static void
test_definition_with_a_known_beginning (void)
{
  g_autoptr (StmMomentReader) reader = stm_moment_reader_new ();
  g_autofree char *first = document_with ("s", "<domain><name>a</name></domain>");
  g_autofree char *second = document_with ("s", "<domain><name>a</name></domain>x</domain>");
  g_autoptr (StmMomentDocument)
      document = stm_moment_reader_read (reader, first, STM_MOMENT_SNAPSHOT, NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (document);
  g_assert_null (stm_moment_reader_read (reader, second, STM_MOMENT_SNAPSHOT, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
}

static void
mutate (GString *text)
{
  static const char *const pieces[] = {
    "<",   ">",  "</domain>", "<domain>",  "'",     "\"", "<!--", "-->",  "<![CDATA[",
    "]]>", "<?", "?>",        "<domain/>", "&amp;", "\n", "\xff", "<x/>", "/"
  };
  gsize at = g_test_rand_int_range (0, text->len);
  gsize length = g_test_rand_int_range (1, 12);

  if (g_test_rand_bit ())
    g_string_erase (text, at, MIN (length, text->len - at));
  else
    g_string_insert (text, at, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
}

/* What is read in pieces is XML as a whole too: it can stand within another document, where nothing
 * is cut out. */
static void
test_cut_misses_nothing (void)
{
  g_autofree char *base = xml_files_read ("in", "snapshot", "complete.xml");
  g_autoptr (StmMomentReader) reader = stm_moment_reader_new ();
  guint n_accepted = 0;

  for (guint i = 0; i < 20000; i++)
    {
      g_autoptr (GString) text = g_string_new (base);
      g_autoptr (StmMomentDocument) document = NULL;
      g_autoptr (StmMomentDocument) fresh = NULL;

      for (int n = g_test_rand_int_range (1, 4); n > 0; n--)
        mutate (text);
      document = stm_moment_reader_read (reader, text->str, STM_MOMENT_SNAPSHOT, NULL);
      fresh = stm_moment_document_parse (text->str, STM_MOMENT_SNAPSHOT, NULL);
      g_assert_true ((document == NULL) == (fresh == NULL));
      if (document == NULL)
        continue;
      n_accepted++;
      g_autofree char *outer = g_strconcat ("<domaincheckpoint><name>", text->str,
                                            "</name></domaincheckpoint>", NULL);
      g_autoptr (GError) error = NULL;
      g_assert_null (stm_moment_document_parse (outer, STM_MOMENT_CHECKPOINT, &error));
      g_assert_nonnull (strstr (error->message, "<name> must hold text only"));
      if (document->domain != NULL && document->domain->text != NULL)
        g_assert_nonnull (strstr (text->str, document->domain->text));
    }
  g_assert_cmpuint (n_accepted, >, 100);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/moment-document/documents-are-read-as-expected", test_documents);
  g_test_add_func ("/core/moment-document/checkpoint-requests-are-as-expected",
                   test_checkpoint_requests);
  g_test_add_func ("/core/moment-document/bad-checkpoints-are-refused-with-reason",
                   test_checkpoint_refusals);
  g_test_add_func ("/core/moment-document/bad-records-are-refused-with-reason", test_bad_records);
  g_test_add_func ("/core/moment-document/a-uuid-that-is-none-is-refused", test_bad_uuids);
  g_test_add_func ("/core/moment-document/memory-goes-by-the-state", test_memory_by_state);
  g_test_add_func ("/core/moment-document/definitions-are-shared", test_definitions_are_shared);
  g_test_add_func ("/core/moment-document/a-known-beginning-is-not-a-known-definition",
                   test_definition_with_a_known_beginning);
  g_test_add_func ("/core/moment-document/no-cut-hides-what-is-no-xml", test_cut_misses_nothing);
  return g_test_run ();
}
