/* Snapshot documents: what is asked for by them, and all that is refused.
 *
 * Files as xml-files.h says, with STEMMA_REGENERATE=1 to write out/ anew. All are read against the
 * domain of make_domain().
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "xml-files.h"

#include "stemma-error.h"
#include "stm-moment-xml.h"

#include <locale.h>

#define KIND "snapshot"

typedef struct
{
  const char *file;
  StemmaError code;
  const char *words; /* part of the message */
} Refusal;

static const Refusal refusals[] = {
  { "block-overlay", STEMMA_ERROR_NOT_SUPPORTED, "leave the type out" },
  { "broken-domain", STEMMA_ERROR_INVALID_XML, "line 4 of the document" },
  { "disk-twice", STEMMA_ERROR_INVALID_XML, "vda is named twice" },
  { "disk-twice-by-path", STEMMA_ERROR_INVALID_XML, "vda is named twice" },
  { "domain-ends-in-comment", STEMMA_ERROR_INVALID_XML, "of the document" },
  { "driver-setting", STEMMA_ERROR_NOT_SUPPORTED, "only the file and the format" },
  { "dtd-in-domain", STEMMA_ERROR_INVALID_XML, "of the document" },
  { "element-in-name", STEMMA_ERROR_INVALID_XML, "text only" },
  { "empty-name", STEMMA_ERROR_INVALID_XML, "has no name" },
  { "entity", STEMMA_ERROR_INVALID_XML, "document type declaration" },
  { "external-memory", STEMMA_ERROR_NOT_SUPPORTED, "snapshot='no'" },
  { "foreign-element", STEMMA_ERROR_INVALID_XML, "unknown element <name>" },
  { "huge-time", STEMMA_ERROR_INVALID_XML, "number of seconds" },
  { "internal-described", STEMMA_ERROR_INVALID_XML, "describes an overlay" },
  { "internal-memory", STEMMA_ERROR_NOT_SUPPORTED, "shut the machine down" },
  { "labelled-source", STEMMA_ERROR_NOT_SUPPORTED, "only the file and the format" },
  { "long-name", STEMMA_ERROR_INVALID_XML, "longer than 1024 bytes" },
  { "manual-disk", STEMMA_ERROR_NOT_SUPPORTED, "manual snapshots" },
  { "manual-memory", STEMMA_ERROR_INVALID_XML, "<memory> must say" },
  { "memory-file", STEMMA_ERROR_NOT_SUPPORTED, "snapshot='no'" },
  { "nameless-parent", STEMMA_ERROR_INVALID_XML, "has no <name>" },
  { "negative-time", STEMMA_ERROR_INVALID_XML, "number of seconds" },
  { "network-overlay", STEMMA_ERROR_NOT_SUPPORTED, "leave the type out" },
  { "no-and-described", STEMMA_ERROR_INVALID_XML, "describes an overlay" },
  { "no-memory-with-file", STEMMA_ERROR_INVALID_XML, "names a file" },
  { "no-name", STEMMA_ERROR_INVALID_XML, "has no name" },
  { "no-state", STEMMA_ERROR_INVALID_XML, "<state> must be" },
  { "not-a-disk", STEMMA_ERROR_INVALID_XML, "<disk> only" },
  { "other-format", STEMMA_ERROR_NOT_SUPPORTED, "only be qcow2" },
  { "other-root", STEMMA_ERROR_INVALID_XML, "<domainsnapshot>" },
  { "outer-prefix", STEMMA_ERROR_INVALID_XML, "declare the namespace prefixes" },
  { "relative-memory", STEMMA_ERROR_INVALID_XML, "must be absolute" },
  { "relative-source", STEMMA_ERROR_INVALID_XML, "must be absolute" },
  { "suspended", STEMMA_ERROR_INVALID_XML, "not 'pmsuspended'" },
  { "two-disks", STEMMA_ERROR_INVALID_XML, "a second <disks>" },
  { "two-domains", STEMMA_ERROR_INVALID_XML, "line 3 of the document: a second <domain>" },
  { "two-names", STEMMA_ERROR_INVALID_XML, "a second <name>" },
  { "two-sources", STEMMA_ERROR_INVALID_XML, "a second <source>" },
  { "unbalanced", STEMMA_ERROR_INVALID_XML, "line 3 of the document" },
  { "unended-domain", STEMMA_ERROR_INVALID_XML, "line 4 of the document" },
  { "unknown-disk", STEMMA_ERROR_NOT_FOUND, "disk vdz: domain web has none" },
  { "unknown-disk-attribute", STEMMA_ERROR_INVALID_XML, "unknown attribute 'snapsht'" },
  { "unknown-disk-cut-in-a-character", STEMMA_ERROR_NOT_FOUND, "domain web has none" },
  { "unknown-disk-element", STEMMA_ERROR_INVALID_XML, "unknown element <overlay>" },
  { "unknown-element", STEMMA_ERROR_INVALID_XML, "unknown element <nam>" },
  { "unknown-element-cut-in-a-character", STEMMA_ERROR_INVALID_XML, "unknown element <" },
  { "unknown-memory-attribute", STEMMA_ERROR_INVALID_XML, "unknown attribute 'mode'" },
  { "unknown-mode", STEMMA_ERROR_INVALID_XML, "snapshot must be" },
  { "unknown-path", STEMMA_ERROR_NOT_FOUND, "/images/other.qcow2" },
  { "unknown-path-perhaps-a-link", STEMMA_ERROR_NOT_FOUND, "a link to /images/web.qcow2" },
};

/* By default vda, vdb and vde are taken. */
static StmDomain *
make_domain (void)
{
  static const StmDisk disks[] = {
    { .target = "vda", .kind = STM_SOURCE_FILE, .source = "/images/web.qcow2", .format = "qcow2" },
    { .target = "vdb", .kind = STM_SOURCE_BLOCK, .source = "/dev/vg/data", .format = "raw" },
    { .target = "vdc",
      .kind = STM_SOURCE_FILE,
      .source = "/images/shared.qcow2",
      .format = "qcow2",
      .is_read_only = TRUE },
    { .target = "vdd",
      .kind = STM_SOURCE_FILE,
      .source = "/images/scratch.qcow2",
      .format = "qcow2",
      .is_excluded = TRUE },
    { .target = "vde", .kind = STM_SOURCE_OTHER, .format = "raw" },
    { .target = "vdf", .kind = STM_SOURCE_NONE, .format = "qcow2" },
    { .target = "sda",
      .kind = STM_SOURCE_FILE,
      .source = "/iso/debian.iso",
      .format = "raw",
      .is_read_only = TRUE,
      .is_excluded = TRUE },
  };

  return stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                       .name = "web",
                                       .title = "",
                                       .description = "",
                                       .definition = "0",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = (const char *const[]){ NULL } });
}

static char *
dump_request (const StmSnapshotXml *request)
{
  g_autoptr (GString) dump = g_string_new (NULL);

  g_string_append_printf (dump, "name: %s\ndescription: %s\n", request->name, request->description);
  for (gsize i = 0; i < request->n_choices; i++)
    g_string_append_printf (dump, "disk: %s %s%s%s\n", request->choices[i].target,
                            stm_disk_mode_to_word (request->choices[i].mode),
                            request->choices[i].file != NULL ? " " : "",
                            request->choices[i].file != NULL ? request->choices[i].file : "");
  return g_string_free (g_steal_pointer (&dump), FALSE);
}

static void
test_requests (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GPtrArray) files = xml_files_list ("in", KIND);

  for (guint i = 0; i < files->len; i++)
    {
      g_autofree char *text = xml_files_read ("in", KIND, files->pdata[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmSnapshotXml) request = stm_snapshot_xml_parse (text, domain, &error);
      g_autofree char *dump = NULL;

      g_test_message ("%s", (const char *) files->pdata[i]);
      g_assert_no_error (error);
      dump = dump_request (request);
      xml_files_expect (KIND, files->pdata[i], "request", dump);
    }
}

static void
test_refusals (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GPtrArray) files = xml_files_list ("invalid", KIND);

  /* No file without a row, no row without a file. */
  g_assert_cmpuint (files->len, ==, G_N_ELEMENTS (refusals));
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *name = g_strconcat (refusals[i].file, ".xml", NULL);
      g_autofree char *text = xml_files_read ("invalid", KIND, name);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmSnapshotXml) request = stm_snapshot_xml_parse (text, domain, &error);

      g_test_message ("%s: %s", name, error != NULL ? error->message : "accepted");
      g_assert_null (request);
      g_assert_error (error, STEMMA_ERROR, (int) refusals[i].code);
      g_assert_nonnull (strstr (error->message, refusals[i].words));
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      g_assert_null (strpbrk (error->message, "\n\r\t"));
    }
}

static void
test_domain_without_disks (void)
{
  g_autoptr (StmDomain)
      domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                             .name = "bare",
                                             .title = "",
                                             .description = "",
                                             .definition = "0",
                                             .roots = (const char *const[]){ NULL } });
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSnapshotXml) request = stm_snapshot_xml_parse (
      "<domainsnapshot><disks/></domainsnapshot>", domain, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (request->n_choices, ==, 0);
}

static void
test_huge_document (void)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autofree char *filler = g_strnfill (4 * 1024 * 1024, 'x');
  g_autofree char *text = g_strdup_printf ("<domainsnapshot><cookie>%s</cookie></domainsnapshot>",
                                           filler);
  g_autoptr (GError) error = NULL;

  g_assert_null (stm_snapshot_xml_parse (text, domain, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/moment-xml/requests-are-as-expected", test_requests);
  g_test_add_func ("/core/moment-xml/bad-documents-are-refused-with-reason", test_refusals);
  g_test_add_func ("/core/moment-xml/empty-disks-of-a-domain-without-disks-are-no-choices",
                   test_domain_without_disks);
  g_test_add_func ("/core/moment-xml/huge-document-is-refused", test_huge_document);
  return g_test_run ();
}
