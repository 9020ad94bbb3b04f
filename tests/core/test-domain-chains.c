/* Domain documents that name the images below a disk: after its source has changed they name the
 * recorded chain, so that they can be defined again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-domain-xml.h"
#include "stm-image.h"

#include <string.h>

#define SCHEMA "/usr/share/libvirt/schemas/domain.rng"
#define MOST_LAYERS 200

#define GOLDEN                                                                                     \
  "<backingStore type='block'><format type='raw'/><source dev='/dev/golden'/></backingStore>"

/* The recorded chain of each disk, and how often it was asked for. */
typedef struct
{
  GPtrArray *images;
  guint n_asked;
} Chains;

static GPtrArray *
chain_of (const char *target, gpointer data)
{
  Chains *self = data;

  g_assert_nonnull (target);
  self->n_asked++;
  return self->images != NULL ? g_ptr_array_ref (self->images) : NULL;
}

/* "/images/l0" on "/images/l1" … on the device, `n_images` in all. */
static GPtrArray *
make_chain (guint n_images)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  for (guint i = 0; i < n_images; i++)
    {
      gboolean is_last = i + 1 == n_images;
      g_autofree char *path = is_last ? g_strdup ("/dev/golden")
                                      : g_strdup_printf ("/images/l%u & co", i);
      g_autofree char *below = i + 2 >= n_images ? g_strdup ("/dev/golden")
                                                 : g_strdup_printf ("/images/l%u & co", i + 1);

      g_ptr_array_add (chain, stm_image_new (&(StmImage){ .path = path,
                                                          .target = "vda",
                                                          .index = i + 1,
                                                          .format = is_last ? "raw" : "qcow2",
                                                          .backing = is_last ? NULL : below,
                                                          .origin = STM_IMAGE_MADE,
                                                          .capacity = 1024 }));
    }
  return chain;
}

/* A document of `n_disks` disks on /images/own, each with `below` under it. */
static char *
make_document (guint n_disks, const char *below)
{
  GString *text = g_string_new ("<domain type='kvm'><name>x</name>"
                                "<uuid>01234567-89ab-cdef-0123-456789abcdef</uuid>"
                                "<memory unit='MiB'>64</memory>"
                                "<os><type arch='x86_64'>hvm</type></os><devices>");

  for (guint i = 0; i < n_disks; i++)
    g_string_append_printf (text,
                            "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/>"
                            "<source file='/images/own'/>%s<target dev='vd%u'/></disk>",
                            below, i);
  return g_string_free (g_string_append (text, "</devices></domain>"), FALSE);
}

/* With the recorded source of each of its disks. */
static char *
print (const char *text, const char *source, Chains *chains)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, &error);
  g_autofree StmDisk *disks = NULL;
  g_autoptr (StmDomain) domain = NULL;
  char *printed = NULL;

  g_assert_no_error (error);
  disks = g_new0 (StmDisk, view->disks->len);
  for (guint i = 0; i < view->disks->len; i++)
    disks[i] = (StmDisk){ .target = ((StmXmlDisk *) view->disks->pdata[i])->target,
                          .kind = STM_SOURCE_FILE,
                          .source = source,
                          .format = "qcow2" };
  domain = stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                         .name = "x",
                                         .title = "",
                                         .description = "",
                                         .definition = "0",
                                         .disks = disks,
                                         .n_disks = view->disks->len,
                                         .roots = (const char *const[]){ NULL } });
  printed = stm_domain_xml_print_chains (text, domain, chain_of, chains, STM_XML_PUBLIC, &error);
  g_assert_no_error (error);
  return printed;
}

static void
assert_declares (const char *printed, guint at, GPtrArray *chain, gboolean is_complete)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (printed, &error);
  const StmXmlDisk *disk = NULL;

  g_assert_no_error (error);
  disk = g_ptr_array_index (view->disks, at);
  g_assert_cmpuint (disk->declared->len, ==, chain->len);
  g_assert_cmpint (disk->is_complete, ==, is_complete);
  for (guint i = 0; i < chain->len; i++)
    {
      const StmXmlImage *image = g_ptr_array_index (disk->declared, i);
      const StmImage *recorded = g_ptr_array_index (chain, i);

      g_assert_cmpstr (image->path, ==, recorded->path);
      g_assert_cmpstr (image->format, ==, recorded->format);
      g_assert_cmpint (image->kind, ==,
                       g_str_equal (image->path, "/dev/golden") ? STM_SOURCE_BLOCK
                                                                : STM_SOURCE_FILE);
    }
}

static void
assert_valid (const char *document)
{
  g_autofree char *xmllint = g_find_program_in_path ("xmllint");
  g_autoptr (GSubprocess) process = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *problems = NULL;

  if (xmllint == NULL || !g_file_test (SCHEMA, G_FILE_TEST_EXISTS))
    {
      g_test_message ("not validated: xmllint or " SCHEMA " is not installed");
      return;
    }
  process = g_subprocess_new (G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE,
                              &error, xmllint, "--nonet", "--noout", "--relaxng", SCHEMA, "-",
                              NULL);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, document, NULL, NULL, &problems, &error);
  g_assert_no_error (error);
  g_test_message ("%s", problems);
  g_assert_true (g_subprocess_get_successful (process));
}

static void
test_recorded_chain (void)
{
  g_autoptr (GPtrArray) chain = make_chain (3);
  Chains chains = { .images = chain };
  g_autofree char *text = make_document (1, GOLDEN);
  g_autofree char *printed = print (text, "/images/l0 & co", &chains);
  g_autofree char *again = NULL;

  g_assert_nonnull (strstr (
      printed, "<source file=\"/images/l0 &amp; co\"/>"
               "<backingStore type=\"file\"><format type=\"qcow2\"/>"
               "<source file=\"/images/l1 &amp; co\"/>"
               "<backingStore type=\"block\"><format type=\"raw\"/><source dev=\"/dev/golden\"/>"
               "<backingStore/></backingStore></backingStore><target dev=\"vd0\"/>"));
  assert_declares (printed, 0, chain, /* is_complete= */ TRUE);
  assert_valid (printed);
  /* It is as recorded now. */
  again = print (printed, "/images/l0 & co", &chains);
  g_assert_cmpstr (again, ==, printed);
  g_assert_cmpuint (chains.n_asked, ==, 1);
}

/* What follows the recorded part is not denied. */
static void
test_chain_without_end (void)
{
  g_autoptr (GPtrArray) chain = make_chain (4);
  Chains chains = { .images = chain };
  g_autofree char *text = make_document (1, GOLDEN);
  g_autofree char *printed = NULL;

  g_ptr_array_remove_index (chain, 3);
  printed = print (text, "/images/l0 & co", &chains);
  assert_declares (printed, 0, chain, /* is_complete= */ FALSE);
}

static void
test_nothing_named (void)
{
  static const char *const belows[] = { "", "<backingStore/>" };
  g_autoptr (GPtrArray) chain = make_chain (3);

  for (gsize i = 0; i < G_N_ELEMENTS (belows); i++)
    {
      Chains chains = { .images = chain };
      g_autofree char *text = make_document (1, belows[i]);
      g_autofree char *printed = print (text, "/images/l0 & co", &chains);

      g_assert_null (strstr (printed, "<backingStore"));
      g_assert_cmpuint (chains.n_asked, ==, 0);
    }
}

static void
test_source_unchanged (void)
{
  g_autoptr (GPtrArray) chain = make_chain (3);
  Chains chains = { .images = chain };
  g_autofree char *text = make_document (1, GOLDEN);
  g_autofree char *printed = print (text, "/images/own", &chains);

  g_assert_nonnull (strstr (printed, "<source dev=\"/dev/golden\"/></backingStore><target"));
  g_assert_cmpuint (chains.n_asked, ==, 0);
}

static void
test_no_chain (void)
{
  g_autoptr (GPtrArray) none = g_ptr_array_new ();
  Chains chains[] = { { .images = none }, { .images = NULL } };
  g_autofree char *text = make_document (1, GOLDEN);

  for (gsize i = 0; i < G_N_ELEMENTS (chains); i++)
    {
      g_autofree char *printed = print (text, "/images/l0 & co", &chains[i]);

      g_assert_cmpuint (chains[i].n_asked, ==, 1);
      g_assert_null (strstr (printed, "<backingStore"));
    }
}

static void
test_longest_chain (void)
{
  g_autoptr (GPtrArray) most = make_chain (MOST_LAYERS);
  g_autoptr (GPtrArray) over = make_chain (MOST_LAYERS + 1);
  Chains with_most = { .images = most }, with_over = { .images = over };
  g_autofree char *text = make_document (1, GOLDEN);
  g_autofree char *printed = print (text, "/images/l0 & co", &with_most);
  g_autofree char *without = print (text, "/images/l0 & co", &with_over);

  assert_declares (printed, 0, most, /* is_complete= */ TRUE);
  g_assert_null (strstr (without, "<backingStore"));
}

/* Each chain is one that can be read, all of them together are not. */
static void
test_too_many_chains (void)
{
  g_autoptr (GPtrArray) chain = make_chain (MOST_LAYERS);
  Chains chains = { .images = chain };
  g_autofree char *few = make_document (20, GOLDEN);
  g_autofree char *many = make_document (400, GOLDEN);
  g_autofree char *printed = print (few, "/images/l0 & co", &chains);
  g_autofree char *without = print (many, "/images/l0 & co", &chains);
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (without, NULL);

  for (guint i = 0; i < 20; i++)
    assert_declares (printed, i, chain, /* is_complete= */ TRUE);
  g_assert_nonnull (view);
  g_assert_cmpuint (view->disks->len, ==, 400);
  g_assert_null (strstr (without, "<backingStore"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(path, function) g_test_add_func ("/core/domain-chains/" path, function)
  TEST ("what-was-named-below-a-changed-source-is-the-recorded-chain", test_recorded_chain);
  TEST ("a-chain-that-is-recorded-in-part-is-left-open", test_chain_without_end);
  TEST ("where-no-image-was-named-none-is", test_nothing_named);
  TEST ("below-an-unchanged-source-nothing-changes", test_source_unchanged);
  TEST ("without-a-recorded-chain-none-is-named", test_no_chain);
  TEST ("the-longest-chain-can-be-read-and-a-longer-one-is-left-out", test_longest_chain);
  TEST ("chains-that-make-the-document-too-large-are-left-out", test_too_many_chains);
#undef TEST
  return g_test_run ();
}
