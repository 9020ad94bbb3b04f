/* Documents of snapshots and checkpoints: a request whose disks are the domain's, a value that is
 * read back the same when it was printed, or a typed refusal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-moment-xml.h"

#define ID "0123456789abcdef0123456789abcdef"

static StmDomain *
make_domain (void)
{
  static const StmDisk disks[] = {
    { .target = "vda", .kind = STM_SOURCE_FILE, .source = "/images/a.qcow2", .format = "qcow2" },
    { .target = "vdb", .kind = STM_SOURCE_BLOCK, .source = "/dev/vg/b", .format = "raw" },
    { .target = "sda", .kind = STM_SOURCE_NONE, .format = "raw", .is_excluded = TRUE },
  };

  return stm_domain_new (&(StmDomain){ .id = ID,
                                       .name = "fuzzed",
                                       .title = "",
                                       .description = "",
                                       .definition = "0",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = (const char *const[]){ NULL } });
}

static void
assert_refusal (const GError *error)
{
  g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
  g_assert_true (g_utf8_validate (error->message, -1, NULL));
}

static void
try_requests (const char *text)
{
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GError) snapshot_error = NULL;
  g_autoptr (GError) checkpoint_error = NULL;
  g_autoptr (StmSnapshotXml) snapshot = stm_snapshot_xml_parse (text, domain, &snapshot_error);
  g_autoptr (StmCheckpointXml)
      checkpoint = stm_checkpoint_xml_parse (text, domain, &checkpoint_error);

  if (snapshot == NULL)
    assert_refusal (snapshot_error);
  if (checkpoint == NULL)
    assert_refusal (checkpoint_error);
  for (gsize i = 0; snapshot != NULL && i < snapshot->n_choices; i++)
    g_assert_nonnull (stm_domain_find_disk (domain, snapshot->choices[i].target));
  for (gsize i = 0; checkpoint != NULL && checkpoint->disks != NULL && checkpoint->disks[i] != NULL;
       i++)
    g_assert_nonnull (stm_domain_find_disk (domain, checkpoint->disks[i]));
}

static GArray *
disks_of (const StmMomentDocument *document)
{
  GArray *disks = g_array_new (FALSE, TRUE, sizeof (StmMomentDisk));

  for (guint i = 0; document->disks != NULL && i < document->disks->len; i++)
    {
      const StmDocumentDisk *read = document->disks->pdata[i];
      StmMomentDisk disk = { .target = read->name,
                             .mode = STM_MODE_NONE,
                             .overlay = read->file,
                             .tag = read->tag != NULL ? read->tag : "t",
                             .bitmap = read->bitmap != NULL ? read->bitmap : "b" };

      if (read->mode == STM_WRITTEN_EXTERNAL)
        disk.mode = STM_MODE_EXTERNAL;
      else if (read->mode == STM_WRITTEN_INTERNAL)
        disk.mode = STM_MODE_INTERNAL;
      else if (read->mode == STM_WRITTEN_BITMAP)
        disk.mode = STM_MODE_BITMAP;
      g_array_append_val (disks, disk);
    }
  return disks;
}

static char *
print (const StmMomentDocument *document)
{
  gboolean has_view = document->domain != NULL && document->domain->view != NULL;
  gboolean has_next = document->inactive != NULL && document->inactive->view != NULL;
  g_autoptr (GArray) disks = disks_of (document);
  const StmMoment moment = { .kind = document->kind,
                             .id = ID,
                             .name = document->name,
                             .description = document->description,
                             .created = MAX (document->created, 0),
                             .state = document->state,
                             .memory = document->memory,
                             .memory_file = document->memory_file,
                             .disks = (const StmMomentDisk *) (gpointer) disks->data,
                             .n_disks = disks->len };
  g_autoptr (GError) error = NULL;
  char *text = stm_moment_document_print (
      &(StmMomentPrint){ .moment = &moment,
                         .domain_id = ID,
                         .parent = document->parent,
                         .definition = has_view ? document->domain->text : NULL,
                         .inactive = has_next ? document->inactive->text : NULL,
                         .cookie = document->cookie },
      &error);

  g_assert_no_error (error);
  return text;
}

static void
try_document (const char *text, StmMomentKind kind)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmMomentDocument) document = stm_moment_document_parse (text, kind, &error);
  g_autoptr (StmMomentDocument) again = NULL;
  g_autofree char *printed = NULL;

  if (document == NULL)
    {
      assert_refusal (error);
      return;
    }
  if (!stm_moment_document_check_redefine (document, &error))
    assert_refusal (error);
  g_clear_error (&error);
  printed = print (document);
  again = stm_moment_document_parse (printed, kind, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->name, ==, document->name);
  g_assert_cmpstr (again->description, ==, document->description);
  g_assert_cmpstr (again->parent, ==, document->parent);
  g_assert_cmpstr (again->memory_file, ==, document->memory_file);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);

  try_requests (text);
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    try_document (text, kind);
  return 0;
}
