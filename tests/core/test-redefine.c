/* Redefinition: what documents become of, and what is refused.
 *
 * The model is that of the samples: images 1 <- 2 <- 3 (active), snapshots s1(s2* s3), checkpoint
 * c9.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-kit.h"
#include "stemma-error.h"

#include <string.h>

#define SNAPSHOT STM_MOMENT_SNAPSHOT
#define CHECKPOINT STM_MOMENT_CHECKPOINT
#define DISK "<disk name='vda' snapshot='external'><source file='/v/3.qcow2'/></disk>"

static void
assert_tree (const StmModel *model, StmMomentKind kind, const char *expected)
{
  g_autofree char *tree = kit_tree (model, kind);

  g_assert_cmpstr (tree, ==, expected);
}

static void
assert_refused (GError *taken_error, StemmaError code, const char *part)
{
  g_autoptr (GError) error = taken_error;

  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
}

static void
redefine (StmModel *model, StmMomentKind kind, const char *document)
{
  g_autoptr (GError) error = kit_redefine_one (model, kind, document);

  g_assert_no_error (error);
}

static void
test_external (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_snapshot ("new", "s1", "shutoff", DISK, domain);
  const StmMoment *moment;

  redefine (model, SNAPSHOT, document);
  assert_tree (model, SNAPSHOT, "s1(new s2* s3)");
  moment = kit_find (model, SNAPSHOT, "new");
  g_assert_cmpint (moment->created, ==, 1700000000);
  g_assert_cmpint (moment->state, ==, STM_STATE_SHUTOFF);
  g_assert_cmpint (moment->health, ==, STM_HEALTH_OK);
  g_assert_nonnull (moment->definition);
  g_assert_cmpuint (moment->n_disks, ==, 1);
  g_assert_cmpint (moment->disks[0].mode, ==, STM_MODE_EXTERNAL);
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/v/2.qcow2");
  g_assert_cmpstr (moment->disks[0].format, ==, "qcow2");
  g_assert_cmpstr (moment->disks[0].overlay, ==, "/v/3.qcow2");
}

static void
test_internal (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/3.qcow2", "qcow2", NULL);
  g_autofree char *raw = kit_domain ("/v/3.qcow2", "raw", NULL);
  g_autofree char *document = kit_snapshot ("20240101", NULL, "shutoff", NULL, domain);
  g_autofree char *raw_document = kit_snapshot ("r", NULL, "shutoff", NULL, raw);
  const StmMomentDisk *disk;

  redefine (model, SNAPSHOT, document);
  assert_tree (model, SNAPSHOT, "20240101 s1(s2* s3)");
  disk = &kit_find (model, SNAPSHOT, "20240101")->disks[0];
  g_assert_cmpint (disk->mode, ==, STM_MODE_INTERNAL);
  g_assert_cmpstr (disk->frozen, ==, "/v/3.qcow2");
  g_assert_cmpstr (disk->tag, ==, "20240101");
  assert_refused (kit_redefine_one (model, SNAPSHOT, raw_document), STEMMA_ERROR_INVALID_XML,
                  "only a qcow2 image");
}

/* As our own documents tell of a snapshot that was renamed, or whose name was taken in the image.
 */
static void
test_tags (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/3.qcow2", "qcow2", NULL);
  g_autofree char *tagged = kit_snapshot (
      "new", NULL, "shutoff",
      "<disk name='vda' snapshot='internal'><?stemma-tag old%20%3F%3E?></disk>", domain);
  g_autofree char *untagged = kit_snapshot ("new", NULL, "shutoff",
                                            "<disk name='vda' snapshot='internal'/>", domain);
  g_autofree char *other = kit_snapshot (
      "new", NULL, "shutoff", "<disk name='vda' snapshot='internal'><?stemma-tag other?></disk>",
      domain);
  const char *const bad[] = { "<?stemma-tag?>", "<?stemma-tag %00?>", "<?stemma-tag %zz?>",
                              "<?stemma-tag %ff?>" };

  redefine (model, SNAPSHOT, tagged);
  g_assert_cmpstr (kit_find (model, SNAPSHOT, "new")->disks[0].tag, ==, "old ?>");
  redefine (model, SNAPSHOT, untagged);
  g_assert_cmpstr (kit_find (model, SNAPSHOT, "new")->disks[0].tag, ==, "old ?>");
  assert_refused (kit_redefine_one (model, SNAPSHOT, other), STEMMA_ERROR_INVALID_ARGUMENT,
                  "its tag is 'old ?>' by the record, and 'other' by the document");

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *disk = g_strdup_printf ("<disk name='vda' snapshot='internal'>%s</disk>",
                                               bad[i]);
      g_autofree char *document = kit_snapshot ("n", NULL, "shutoff", disk, domain);

      assert_refused (kit_redefine_one (model, SNAPSHOT, document), STEMMA_ERROR_INVALID_XML,
                      "tag");
    }
}

static void
test_disk_names (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  const struct
  {
    const char *disks;
    StemmaError code;
    const char *part;
  } vectors[] = {
    { "<disk name='vdb' snapshot='external'/>", STEMMA_ERROR_NOT_FOUND, "vdb" },
    { "<disk name='vda'/><disk name='/v/2.qcow2'/>", STEMMA_ERROR_INVALID_XML, "named twice" },
    { "<disk name='vda' snapshot='manual'/>", STEMMA_ERROR_NOT_SUPPORTED, "manual" },
    { "<disk name='vda' snapshot='external'><source file='/v/2.qcow2'/></disk>",
      STEMMA_ERROR_INVALID_XML, "very image" },
    { "<disk name='vda' snapshot='external'><source file='/v/../x'/></disk>",
      STEMMA_ERROR_NOT_ALLOWED, "vda" },
    { "<disk name='vda' snapshot='internal'><source file='/v/x'/></disk>", STEMMA_ERROR_INVALID_XML,
      "overlay" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autofree char *document = kit_snapshot ("n", NULL, "shutoff", vectors[i].disks, domain);

      g_test_message ("%s", vectors[i].disks);
      assert_refused (kit_redefine_one (model, SNAPSHOT, document), vectors[i].code,
                      vectors[i].part);
    }

  g_autofree char *by_path = kit_snapshot ("p", NULL, "shutoff",
                                           "<disk name='/v/2.qcow2' snapshot='external'/>", domain);
  redefine (model, SNAPSHOT, by_path);
  g_assert_cmpstr (kit_find (model, SNAPSHOT, "p")->disks[0].frozen, ==, "/v/2.qcow2");
}

static void
test_required (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *no_name = kit_snapshot (NULL, NULL, "shutoff", NULL, domain);
  g_autofree char *no_state = kit_snapshot ("n", NULL, NULL, NULL, domain);
  g_autofree char *no_domain = kit_checkpoint ("n", NULL, NULL, NULL);
  g_autofree char *odd_name = kit_checkpoint ("a b", NULL, NULL, domain);
  g_autofree char *hidden_name = kit_snapshot (".n", NULL, "shutoff", NULL, domain);
  const char *no_time = "<domainsnapshot><name>n</name><state>shutoff</state></domainsnapshot>";
  const char *unknown = "<domainsnapshot><name>n</name><state>shutoff</state><creationTime>1"
                        "</creationTime><bogus/></domainsnapshot>";

  assert_refused (kit_redefine_one (model, SNAPSHOT, no_name), STEMMA_ERROR_INVALID_XML, "<name>");
  assert_refused (kit_redefine_one (model, SNAPSHOT, no_state), STEMMA_ERROR_INVALID_XML,
                  "<state>");
  assert_refused (kit_redefine_one (model, SNAPSHOT, no_time), STEMMA_ERROR_INVALID_XML,
                  "<creationTime>");
  assert_refused (kit_redefine_one (model, SNAPSHOT, unknown), STEMMA_ERROR_INVALID_XML, "bogus");
  assert_refused (kit_redefine_one (model, SNAPSHOT, hidden_name), STEMMA_ERROR_INVALID_ARGUMENT,
                  "begins with a '.'");
  assert_refused (kit_redefine_one (model, CHECKPOINT, no_domain), STEMMA_ERROR_INVALID_XML,
                  "<domain>");
  assert_refused (kit_redefine_one (model, CHECKPOINT, odd_name), STEMMA_ERROR_INVALID_ARGUMENT,
                  "letters, digits");
}

static void
test_uuid (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *document = kit_snapshot (
      "n", NULL, "shutoff", NULL,
      "<domain type='kvm'><name>alpha</name><uuid>d0000000-0000-0000-0000-0000000000ff</uuid>"
      "</domain>");
  g_autofree char *lone = kit_snapshot (
      "n", NULL, "shutoff", NULL,
      "<domain><uuid>d0000000-0000-0000-0000-0000000000ff</uuid></domain>");

  assert_refused (kit_redefine_one (model, SNAPSHOT, document), STEMMA_ERROR_INVALID_ARGUMENT,
                  "d0000000-0000-0000-0000-0000000000ff");
  assert_refused (kit_redefine_one (model, SNAPSHOT, lone), STEMMA_ERROR_INVALID_ARGUMENT,
                  "another machine");
}

static void
test_parents (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *self = kit_snapshot ("n", "n", "shutoff", DISK, domain);
  g_autofree char *orphan = kit_snapshot ("n", "nobody", "shutoff", DISK, domain);
  g_autofree char *ring = kit_snapshot ("s1", "s2", "shutoff", DISK, domain);

  assert_refused (kit_redefine_one (model, SNAPSHOT, self), STEMMA_ERROR_INVALID_ARGUMENT,
                  "itself");
  assert_refused (kit_redefine_one (model, SNAPSHOT, orphan), STEMMA_ERROR_INVALID_ARGUMENT,
                  "RedefineAll");
  assert_refused (kit_redefine_one (model, SNAPSHOT, ring), STEMMA_ERROR_INVALID_ARGUMENT,
                  "'s1' on 's1'");
  assert_tree (model, SNAPSHOT, "s1(s2* s3)");
}

static void
test_moves (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_snapshot ("s2", "s3", "shutoff", DISK, domain);
  g_autofree char *id = g_strdup (kit_find (model, SNAPSHOT, "s2")->id);

  redefine (model, SNAPSHOT, document);
  assert_tree (model, SNAPSHOT, "s1(s3(s2*))");
  g_assert_cmpstr (kit_find (model, SNAPSHOT, "s2")->id, ==, id);
}

static void
test_transitions (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *running = kit_snapshot ("s2", "s1", "running", DISK, domain);
  g_autofree char *disk_only = kit_snapshot ("s2", "s1", "disk-snapshot", DISK, domain);
  g_autofree char *new_running = kit_snapshot ("n", NULL, "running", DISK, domain);
  g_autofree char *paused = kit_snapshot ("n", NULL, "paused", DISK, domain);

  assert_refused (kit_redefine_one (model, SNAPSHOT, running), STEMMA_ERROR_INVALID_ARGUMENT,
                  "was off");
  assert_refused (kit_redefine_one (model, SNAPSHOT, disk_only), STEMMA_ERROR_INVALID_ARGUMENT,
                  "disks only");
  redefine (model, SNAPSHOT, new_running);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "n")->memory, ==, STM_MEMORY_INTERNAL);
  redefine (model, SNAPSHOT, paused);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "n")->state, ==, STM_STATE_PAUSED);
}

static void
test_machine (void)
{
  const struct
  {
    const char *from;
    const char *to;
    const char *part;
  } vectors[] = {
    { "<vcpu>2</vcpu>", "<vcpu>3</vcpu>", "<vcpu>" },  { ">1048576<", ">2097152<", "<memory>" },
    { "pc-q35-7.2", "pc-i440fx-7.2", "machine type" }, { "x86_64", "aarch64", "architecture" },
    { "bus='virtio'", "bus='scsi'", "vda" },
  };
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (GHashTable) stored = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *first = kit_snapshot ("n", NULL, "shutoff", DISK, domain);
  StmRedefineRequest request = { .fd = -1 };

  redefine (model, SNAPSHOT, first);
  kit_store_definition (stored, domain);
  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_auto (GStrv) parts = g_strsplit (domain, vectors[i].from, 2);
      g_autofree char *other = g_strjoinv (vectors[i].to, parts);
      g_autofree char *document = kit_snapshot ("n", NULL, "shutoff", DISK, other);
      const char *const documents[] = { document, NULL };

      assert_refused (kit_redefine (model, &request, documents, NULL, stored),
                      STEMMA_ERROR_INVALID_ARGUMENT, vectors[i].part);
    }

  /* The same amount in another unit, and what no guest sees. */
  g_autofree char *same = kit_domain ("/v/2.qcow2", "qcow2", "<title>t</title>");
  g_auto (GStrv) parts = g_strsplit (same, "unit='KiB'>1048576<", 2);
  g_autofree char *in_gib = g_strjoinv ("unit='GiB'>1<", parts);
  g_autofree char *document = kit_snapshot ("n", NULL, "shutoff", DISK, in_gib);
  const char *const documents[] = { document, NULL };
  g_autoptr (GError) error = kit_redefine (model, &request, documents, NULL, stored);
  g_assert_no_error (error);
}

static void
test_kept_definition (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *first = kit_snapshot ("n", NULL, "shutoff", DISK, domain);
  g_autofree char *again = kit_snapshot ("n", "s1", "shutoff", NULL, NULL);
  g_autofree char *hash = NULL;
  const StmMoment *moment;

  redefine (model, SNAPSHOT, first);
  hash = g_strdup (kit_find (model, SNAPSHOT, "n")->definition);
  redefine (model, SNAPSHOT, again);
  moment = kit_find (model, SNAPSHOT, "n");
  g_assert_cmpstr (moment->definition, ==, hash);
  g_assert_cmpint (moment->disks[0].mode, ==, STM_MODE_EXTERNAL);
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/v/2.qcow2");
  g_assert_cmpstr (moment->disks[0].overlay, ==, "/v/3.qcow2");
  assert_tree (model, SNAPSHOT, "s1(n s2* s3)");
}

static void
test_bulk (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *leaf = kit_snapshot ("leaf", "middle", "shutoff", DISK, domain);
  g_autofree char *middle = kit_snapshot ("middle", "s3", "shutoff", DISK, domain);
  g_autofree char *moved = kit_snapshot ("s3", NULL, "shutoff", DISK, domain);
  g_autofree char *under = kit_snapshot ("s1", "leaf", "shutoff", DISK, domain);
  g_autofree char *ring = kit_snapshot ("s3", "s2", "shutoff", DISK, domain);
  const char *const all[] = { leaf, middle, moved, under, NULL };
  const char *const with_ring[] = { leaf, middle, under, ring, NULL };
  const char *const twice[] = { leaf, middle, leaf, NULL };
  const char *const broken[] = { middle, leaf, "<domainsnapshot>", NULL };
  const char *const begin_broken[] = { "<domainsnapshot>", leaf, NULL };
  const char *const alone[] = { "<domainsnapshot>", NULL };
  StmRedefineRequest request = { .fd = -1, .current = "leaf" };

  assert_refused (kit_redefine (model, &request, with_ring, NULL, NULL),
                  STEMMA_ERROR_INVALID_ARGUMENT, "would stand on itself");
  assert_refused (kit_redefine (model, &request, twice, NULL, NULL), STEMMA_ERROR_INVALID_ARGUMENT,
                  "document 3, snapshot 'leaf'");
  assert_refused (kit_redefine (model, &request, broken, NULL, NULL), STEMMA_ERROR_INVALID_XML,
                  "document 3");
  assert_refused (kit_redefine (model, &request, begin_broken, NULL, NULL),
                  STEMMA_ERROR_INVALID_XML, "document 1");
  g_autoptr (GError) refusal = kit_redefine (model, &request, alone, NULL, NULL);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
  g_assert_null (strstr (refusal->message, "document 1"));
  assert_tree (model, SNAPSHOT, "s1(s2* s3)");
  g_autoptr (GError) error = kit_redefine (model, &request, all, NULL, NULL);
  g_assert_no_error (error);
  assert_tree (model, SNAPSHOT, "s3(middle(leaf*(s1(s2))))");
}

static void
test_current (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_snapshot ("n", "s2", "shutoff", DISK, domain);
  const char *const documents[] = { document, NULL };
  const char *const none[] = { NULL };

  assert_refused (kit_redefine (model, &(StmRedefineRequest){ .fd = -1, .current = "nobody" },
                                documents, NULL, NULL),
                  STEMMA_ERROR_NOT_FOUND, "nobody");
  g_assert_null (
      kit_redefine (model, &(StmRedefineRequest){ .fd = -1, .current = "s3" }, none, NULL, NULL));
  assert_tree (model, SNAPSHOT, "s1(s2 s3*)");
  g_assert_null (kit_redefine (model, &(StmRedefineRequest){ .fd = -1, .sets_current = TRUE },
                               documents, NULL, NULL));
  assert_tree (model, SNAPSHOT, "s1(s2(n*) s3)");

  g_autofree char *checkpoint = kit_checkpoint ("c1", NULL, NULL, domain);
  const char *const checkpoints[] = { checkpoint, NULL };
  assert_refused (
      kit_redefine (model,
                    &(StmRedefineRequest){ .kind = CHECKPOINT, .fd = -1, .sets_current = TRUE },
                    checkpoints, NULL, NULL),
      STEMMA_ERROR_INVALID_ARGUMENT, "ever current");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/redefine/an-external-snapshot-froze-the-source-in-its-own-domain",
                   test_external);
  g_test_add_func ("/core/redefine/an-internal-snapshot-is-in-the-source-under-its-name",
                   test_internal);
  g_test_add_func ("/core/redefine/a-tag-that-is-not-the-name-comes-with-the-document", test_tags);
  g_test_add_func ("/core/redefine/disks-go-by-target-or-by-path-and-once", test_disk_names);
  g_test_add_func ("/core/redefine/what-a-record-needs-is-asked-for-by-name", test_required);
  g_test_add_func ("/core/redefine/the-uuid-must-be-that-of-the-domain", test_uuid);
  g_test_add_func ("/core/redefine/a-parent-must-exist-and-not-stand-on-its-child", test_parents);
  g_test_add_func ("/core/redefine/a-snapshot-moves-and-keeps-its-id", test_moves);
  g_test_add_func ("/core/redefine/online-and-offline-disks-and-full-do-not-mix", test_transitions);
  g_test_add_func ("/core/redefine/another-machine-is-refused-naming-the-field", test_machine);
  g_test_add_func ("/core/redefine/an-omitted-domain-keeps-the-one-on-record",
                   test_kept_definition);
  g_test_add_func ("/core/redefine/all-documents-of-a-call-or-none", test_bulk);
  g_test_add_func ("/core/redefine/only-the-option-makes-a-snapshot-current", test_current);
  return g_test_run ();
}
