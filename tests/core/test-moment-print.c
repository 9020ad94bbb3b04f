/* Documents of moments out: what is printed, what is left out, and that libvirt's schemas take it.
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
#define SCHEMAS "/usr/share/libvirt/schemas/"

#define DEFINITION(source)                                                                         \
  "<?xml version='1.0'?>\n"                                                                        \
  "<!-- password: hidden -->\n"                                                                    \
  "<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\n"                  \
  "  <name>web</name>\n"                                                                           \
  "  <uuid>" UUID "</uuid>\n"                                                                      \
  "  <memory unit='KiB'>1024</memory>\n"                                                           \
  "  <os>\n"                                                                                       \
  "    <type>hvm</type>\n"                                                                         \
  "    <kernel>/boot/k</kernel>\n"                                                                 \
  "    <cmdline>token=hidden</cmdline>\n"                                                          \
  "  </os>\n"                                                                                      \
  "  <devices>\n"                                                                                  \
  "    <disk type='file' device='disk'>\n"                                                         \
  "      <driver name='qemu' type='qcow2'/>\n"                                                     \
  "      <source file='" source "'/>\n"                                                            \
  "      <target dev='vda' bus='virtio'/>\n"                                                       \
  "    </disk>\n"                                                                                  \
  "    <disk type='file' device='disk'>\n"                                                         \
  "      <driver name='qemu' type='qcow2'/>\n"                                                     \
  "      <source file='/images/data.qcow2'/>\n"                                                    \
  "      <target dev='vdb' bus='virtio'/>\n"                                                       \
  "    </disk>\n"                                                                                  \
  "    <disk type='file' device='cdrom'>\n"                                                        \
  "      <target dev='sda' bus='sata'/>\n"                                                         \
  "      <readonly/>\n"                                                                            \
  "    </disk>\n"                                                                                  \
  "    <graphics type='vnc' passwd='hidden'/>\n"                                                   \
  "  </devices>\n"                                                                                 \
  "  <qemu:commandline>\n"                                                                         \
  "    <qemu:arg value='hidden'/>\n"                                                               \
  "  </qemu:commandline>\n"                                                                        \
  "</domain>\n"

static const StmMomentDisk external_disks[] = {
  { "vda", STM_MODE_EXTERNAL, "/images/web.qcow2", "/images/a 'b' <c>.s1", "qcow2", NULL, NULL },
  { "vdb", STM_MODE_NONE, NULL, NULL, NULL, NULL, NULL },
  { "sda", STM_MODE_NONE, NULL, NULL, NULL, NULL, NULL },
};
static const StmMomentDisk mixed_disks[] = {
  { "vdb", STM_MODE_INTERNAL, "/images/data.qcow2", NULL, "qcow2", "a 'tag'?> <b> %41 \xc3\xa4",
    NULL },
  { "vda", STM_MODE_EXTERNAL, "/images/web.qcow2", NULL, "raw", NULL, NULL },
};
static const StmMomentDisk bitmap_disks[] = {
  { "vda", STM_MODE_BITMAP, "/images/web.qcow2", NULL, "qcow2", NULL, "chk-2" },
  { "vdb", STM_MODE_NONE, NULL, NULL, NULL, NULL, NULL },
};

static const struct
{
  const char *file;
  StmMoment moment;
  StmMomentPrint print;
} printed[] = {
  { "external.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "a & <b>",
      .description = "two\nlines\r and a ]]>",
      .created = 1700000000,
      .state = STM_STATE_SHUTOFF,
      .disks = external_disks,
      .n_disks = 3 },
    { .parent = "'first'", .definition = DEFINITION ("/images/later.qcow2") } },
  { "secure.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "s",
      .created = 1,
      .state = STM_STATE_DISK_ONLY,
      .disks = external_disks,
      .n_disks = 3 },
    { .definition = DEFINITION ("/images/web.qcow2"), .secrecy = STM_XML_SECURE } },
  { "mixed.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "m",
      .created = 2,
      .state = STM_STATE_SHUTOFF,
      .disks = mixed_disks,
      .n_disks = 2 },
    { .definition = DEFINITION ("/images/web.qcow2") } },
  { "running.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "r",
      .created = 3,
      .state = STM_STATE_RUNNING,
      .memory = STM_MEMORY_EXTERNAL,
      .memory_file = "/images/r.mem",
      .disks = external_disks,
      .n_disks = 3 },
    { .definition = DEFINITION ("/images/web.qcow2"),
      .inactive = DEFINITION ("/images/next.qcow2"),
      .cookie = "<cookie><cpu/></cookie>" } },
  { "unknown-definition.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "u",
      .created = 4,
      .state = STM_STATE_DELETING,
      .disks = mixed_disks,
      .n_disks = 2 },
    { 0 } },
  { "without-domain.xml",
    { .kind = STM_MOMENT_SNAPSHOT,
      .name = "w",
      .created = 5,
      .state = STM_STATE_CREATING,
      .disks = mixed_disks,
      .n_disks = 2 },
    { .definition = DEFINITION ("/images/web.qcow2"), .omits_domain = TRUE } },
  { "checkpoint.xml",
    { .kind = STM_MOMENT_CHECKPOINT,
      .name = "chk",
      .description = "c",
      .created = 6,
      .disks = bitmap_disks,
      .n_disks = 2 },
    { .parent = "chk-0", .definition = DEFINITION ("/images/later.qcow2") } },
  { "checkpoint-alone.xml", { .kind = STM_MOMENT_CHECKPOINT, .name = "chk", .created = 7 }, { 0 } },
};

static char *
print (gsize i)
{
  StmMoment moment = printed[i].moment;
  StmMomentPrint init = printed[i].print;
  g_autoptr (GHashTable) sizes = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GError) error = NULL;
  guint64 size = 65536;
  char *text;

  moment.id = ID;
  g_hash_table_insert (sizes, (char *) "vda", &size);
  init.moment = &moment;
  init.domain_id = ID;
  init.sizes = moment.kind == STM_MOMENT_CHECKPOINT ? sizes : NULL;
  if (moment.description == NULL)
    moment.description = "";
  text = stm_moment_document_print (&init, &error);
  g_assert_no_error (error);
  return text;
}

static void
test_printed (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (printed); i++)
    {
      g_autofree char *text = print (i);

      xml_files_expect ("printed", printed[i].file, "xml", text);
    }
}

static void
assert_same_disks (const StmMomentDocument *document, const StmMoment *moment)
{
  for (gsize i = 0; i < moment->n_disks; i++)
    {
      const StmMomentDisk *disk = &moment->disks[i];
      const StmDocumentDisk *read = NULL;

      for (guint j = 0; read == NULL && j < document->disks->len; j++)
        if (g_str_equal (((StmDocumentDisk *) document->disks->pdata[j])->name, disk->target))
          read = document->disks->pdata[j];
      g_assert_nonnull (read);
      g_assert_true ((read->mode == STM_WRITTEN_NO) == (disk->mode == STM_MODE_NONE));
      g_assert_true ((read->mode == STM_WRITTEN_EXTERNAL) == (disk->mode == STM_MODE_EXTERNAL));
      g_assert_true ((read->mode == STM_WRITTEN_INTERNAL) == (disk->mode == STM_MODE_INTERNAL));
      g_assert_cmpstr (read->file, ==, disk->overlay);
      g_assert_cmpstr (read->bitmap, ==, disk->bitmap);
      g_assert_cmpstr (read->tag, ==, g_strcmp0 (disk->tag, moment->name) == 0 ? NULL : disk->tag);
      if (disk->frozen == NULL || document->domain == NULL || document->domain->view == NULL)
        continue;
      for (guint j = 0; j < document->domain->view->disks->len; j++)
        {
          const StmXmlDisk *then = document->domain->view->disks->pdata[j];

          if (g_str_equal (then->target, disk->target))
            g_assert_cmpstr (((StmXmlImage *) then->declared->pdata[0])->path, ==, disk->frozen);
        }
    }
}

static void
test_printed_is_read_back (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (printed); i++)
    {
      const StmMoment *moment = &printed[i].moment;
      g_autofree char *text = print (i);
      g_autoptr (GError) error = NULL;
      g_autoptr (StmMomentDocument)
          document = stm_moment_document_parse (text, moment->kind, &error);

      g_assert_no_error (error);
      g_assert_cmpstr (document->name, ==, moment->name);
      g_assert_cmpstr (document->description, ==,
                       moment->description != NULL ? moment->description : "");
      g_assert_cmpint (document->created, ==, moment->created);
      g_assert_cmpstr (document->parent, ==, printed[i].print.parent);
      g_assert_cmpint (stm_moment_document_memory (document), ==, moment->memory);
      g_assert_cmpstr (document->memory_file, ==, moment->memory_file);
      g_assert_cmpstr (document->cookie, ==, printed[i].print.cookie);
      if (document->domain != NULL)
        g_assert_cmpstr (document->domain->id, ==, ID);
      g_assert_true ((document->inactive != NULL) == (printed[i].print.inactive != NULL));
      assert_same_disks (document, moment);
      if (moment->kind == STM_MOMENT_SNAPSHOT
          || (document->domain != NULL && document->domain->text != NULL))
        {
          stm_moment_document_check_redefine (document, &error);
          g_assert_no_error (error);
        }
    }
}

static void
test_secrets (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (printed); i++)
    {
      g_autofree char *text = print (i);
      gboolean is_secure = printed[i].print.secrecy == STM_XML_SECURE;

      g_assert_true ((strstr (text, "hidden") != NULL) == is_secure);
    }
}

static void
test_unprintable (void)
{
  const StmMoment moment = {
    .kind = STM_MOMENT_SNAPSHOT, .id = ID, .name = "bell \x07", .description = ""
  };
  g_autoptr (GError) error = NULL;

  g_assert_null (
      stm_moment_document_print (&(StmMomentPrint){ .moment = &moment, .domain_id = ID }, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
}

/* --- libvirt's schemas --- */

static void
add_files (GPtrArray *arguments, const char *folder, const char *kind, const char *prefix)
{
  g_autoptr (GPtrArray) files = xml_files_list (folder, kind);

  for (guint i = 0; i < files->len; i++)
    if (!g_str_has_prefix (files->pdata[i], "loose-")
        && g_str_has_prefix (files->pdata[i], "checkpoint") == (strcmp (prefix, "checkpoint") == 0))
      g_ptr_array_add (arguments, xml_files_path (folder, kind, files->pdata[i]));
}

static void
test_schema (gconstpointer data)
{
  const char *kind = data;
  g_autofree char *schema = g_strconcat (SCHEMAS "domain", kind, ".rng", NULL);
  g_autofree char *xmllint = g_find_program_in_path ("xmllint");
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *messages = NULL;
  g_autoptr (GError) error = NULL;
  int status = -1;

  if (xmllint == NULL || !g_file_test (schema, G_FILE_TEST_EXISTS))
    {
      g_test_skip (xmllint == NULL ? "xmllint is not installed"
                                   : "libvirt's schemas are not installed");
      return;
    }
  g_ptr_array_add (arguments, g_steal_pointer (&xmllint));
  g_ptr_array_add (arguments, g_strdup ("--noout"));
  g_ptr_array_add (arguments, g_strdup ("--nonet"));
  g_ptr_array_add (arguments, g_strdup ("--relaxng"));
  g_ptr_array_add (arguments, g_steal_pointer (&schema));
  add_files (arguments, "in", kind, "");
  add_files (arguments, "out", "printed", kind);
  g_ptr_array_add (arguments, NULL);
  g_spawn_sync (NULL, (char **) arguments->pdata, NULL, G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                NULL, &messages, &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_test_message ("%s", messages);
  g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  setlocale (LC_ALL, "");
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/moment-print/printed-documents-are-as-expected", test_printed);
  g_test_add_func ("/core/moment-print/what-is-printed-is-read-back-the-same",
                   test_printed_is_read_back);
  g_test_add_func ("/core/moment-print/only-the-secure-form-has-secrets", test_secrets);
  g_test_add_func ("/core/moment-print/what-xml-cannot-bear-is-refused", test_unprintable);
  g_test_add_data_func ("/core/moment-print/snapshots-are-valid-by-the-schema", "snapshot",
                        test_schema);
  g_test_add_data_func ("/core/moment-print/checkpoints-are-valid-by-the-schema", "checkpoint",
                        test_schema);
  return g_test_run ();
}
