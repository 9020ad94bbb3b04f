/* The catalogue of what is known to go wrong in libvirt at redefinition, case by case: what a
 * snapshot or a checkpoint may become, and on what it may stand. What test-redefine.c has is not
 * here again.
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
#define OTHER_UUID "d0000000-0000-0000-0000-0000000000ff"

typedef struct
{
  StmModel *model;
  char *domain;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->model = stm_sample_model ();
  self->domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  stm_model_free (self->model);
  g_free (self->domain);
}

static void
assert_tree (Fixture *self, StmMomentKind kind, const char *expected)
{
  g_autofree char *tree = kit_tree (self->model, kind);

  g_assert_cmpstr (tree, ==, expected);
}

static GError *
redefine_owned (Fixture *self, StmMomentKind kind, char *taken_document)
{
  g_autofree char *document = taken_document;

  return kit_redefine_one (self->model, kind, document);
}

static void
redefine (Fixture *self, StmMomentKind kind, char *taken_document)
{
  g_autoptr (GError) error = redefine_owned (self, kind, taken_document);

  g_assert_no_error (error);
}

/* Refused with a message that says `part`, and nothing has changed: the kit holds the model to what
 * it was. */
static void
refuse (Fixture *self, StmMomentKind kind, char *taken_document, StemmaError code, const char *part)
{
  g_autoptr (GError) error = redefine_owned (self, kind, taken_document);

  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
}

/* ---- snapshots: each state to each other ---- */

static gboolean
may_become (const char *from, const char *to)
{
  gboolean was_online = g_str_equal (from, "running") || g_str_equal (from, "paused");
  gboolean is_online = g_str_equal (to, "running") || g_str_equal (to, "paused");

  return was_online == is_online
         && g_str_equal (from, "disk-snapshot") == g_str_equal (to, "disk-snapshot");
}

static void
test_states (Fixture *self, gconstpointer data)
{
  const char *const states[] = { "running", "paused", "shutoff", "disk-snapshot" };

  for (gsize i = 0; i < G_N_ELEMENTS (states); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (states); j++)
      {
        g_autofree char *name = g_strdup_printf ("%zu%zu", i, j);
        char *document = kit_snapshot (name, "s1", states[j], DISK, self->domain);

        g_test_message ("%s to %s", states[i], states[j]);
        redefine (self, SNAPSHOT, kit_snapshot (name, "s1", states[i], DISK, self->domain));
        if (may_become (states[i], states[j]))
          redefine (self, SNAPSHOT, document);
        else
          refuse (self, SNAPSHOT, document, STEMMA_ERROR_INVALID_ARGUMENT, "<state>");
      }
}

/* All that may change does, and what nobody named stays. */
static void
test_changes (Fixture *self, gconstpointer data)
{
  g_autofree char *id = NULL;
  const StmMoment *moment;

  redefine (self, SNAPSHOT,
            g_strdup_printf ("<domainsnapshot><name>n</name><description>one</description>"
                             "<state>running</state><creationTime>1</creationTime>"
                             "<memory snapshot='external' file='/v/one.mem'/>"
                             "<disks>" DISK "</disks>%s</domainsnapshot>",
                             self->domain));
  id = g_strdup (kit_find (self->model, SNAPSHOT, "n")->id);
  redefine (self, SNAPSHOT,
            g_strdup_printf ("<domainsnapshot><name>n</name><description>two</description>"
                             "<state>paused</state><creationTime>2</creationTime>"
                             "<parent><name>s3</name></parent>"
                             "<memory snapshot='external' file='/v/two.mem'/>"
                             "<disks><disk name='vda' snapshot='external'>"
                             "<source file='/v/4.qcow2'/></disk></disks>%s</domainsnapshot>",
                             self->domain));
  moment = kit_find (self->model, SNAPSHOT, "n");
  g_assert_cmpstr (moment->id, ==, id);
  g_assert_cmpstr (moment->description, ==, "two");
  g_assert_cmpint (moment->created, ==, 2);
  g_assert_cmpint (moment->state, ==, STM_STATE_PAUSED);
  g_assert_cmpstr (moment->memory_file, ==, "/v/two.mem");
  g_assert_cmpstr (moment->disks[0].overlay, ==, "/v/4.qcow2");
  assert_tree (self, SNAPSHOT, "s1(s2* s3(n))");
}

/* Another name is another snapshot, and the first stays as it is; so for digits only. */
static void
test_names (Fixture *self, gconstpointer data)
{
  g_autofree char *id = NULL;

  redefine (self, SNAPSHOT, kit_snapshot ("1700000000", "s1", "shutoff", DISK, self->domain));
  id = g_strdup (kit_find (self->model, SNAPSHOT, "1700000000")->id);
  redefine (self, SNAPSHOT, kit_snapshot ("1700000001", "s1", "shutoff", DISK, self->domain));
  assert_tree (self, SNAPSHOT, "s1(1700000000 1700000001 s2* s3)");
  g_assert_cmpstr (kit_find (self->model, SNAPSHOT, "1700000000")->id, ==, id);
  g_assert_cmpstr (kit_find (self->model, SNAPSHOT, "1700000001")->id, !=, id);
  redefine (self, CHECKPOINT, kit_checkpoint ("1700000000", "c9", NULL, self->domain));
  assert_tree (self, CHECKPOINT, "c9(1700000000)");
}

static void
test_without_definition (Fixture *self, gconstpointer data)
{
  redefine (self, SNAPSHOT, kit_snapshot ("n", "s1", "shutoff", DISK, NULL));
  g_assert_null (kit_find (self->model, SNAPSHOT, "n")->definition);
  g_assert_cmpstr (kit_find (self->model, SNAPSHOT, "n")->disks[0].frozen, ==, "/v/2.qcow2");
}

/* ---- checkpoints ---- */

static void
test_checkpoint_parts (Fixture *self, gconstpointer data)
{
  const char *no_time = "<domaincheckpoint><name>n</name></domaincheckpoint>";

  refuse (self, CHECKPOINT, kit_checkpoint (NULL, NULL, NULL, self->domain),
          STEMMA_ERROR_INVALID_XML, "<name>");
  refuse (self, CHECKPOINT, g_strdup (no_time), STEMMA_ERROR_INVALID_XML, "<creationTime>");
  assert_tree (self, CHECKPOINT, "c9");
}

static void
test_checkpoint_parents (Fixture *self, gconstpointer data)
{
  g_autofree char *a = kit_checkpoint ("a", "c", NULL, self->domain);
  g_autofree char *b = kit_checkpoint ("b", "a", NULL, self->domain);
  g_autofree char *c = kit_checkpoint ("c", "b", NULL, self->domain);
  g_autofree char *top = kit_checkpoint ("a", NULL, NULL, self->domain);
  const char *const ring[] = { a, b, c, NULL };
  const char *const line[] = { c, b, top, NULL };
  const StmRedefineRequest request = { .kind = CHECKPOINT, .fd = -1 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) none = NULL;

  refuse (self, CHECKPOINT, kit_checkpoint ("n", "n", NULL, self->domain),
          STEMMA_ERROR_INVALID_ARGUMENT, "itself");
  refuse (self, CHECKPOINT, kit_checkpoint ("n", "nobody", NULL, self->domain),
          STEMMA_ERROR_INVALID_ARGUMENT, "nobody");
  error = kit_redefine (self->model, &request, ring, NULL, NULL);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  assert_tree (self, CHECKPOINT, "c9");
  none = kit_redefine (self->model, &request, line, NULL, NULL);
  g_assert_no_error (none);
  /* A ring with those on record. */
  refuse (self, CHECKPOINT, g_steal_pointer (&a), STEMMA_ERROR_INVALID_ARGUMENT, "on itself");
  assert_tree (self, CHECKPOINT, "a(b(c)) c9");
}

static void
test_checkpoint_uuid (Fixture *self, gconstpointer data)
{
  g_auto (GStrv) parts = g_strsplit (self->domain, KIT_UUID, 2);
  g_autofree char *other = g_strjoinv (OTHER_UUID, parts);

  refuse (self, CHECKPOINT, kit_checkpoint ("n", NULL, NULL, other), STEMMA_ERROR_INVALID_ARGUMENT,
          "another machine");
  assert_tree (self, CHECKPOINT, "c9");
}

/* libvirt erases the stored definition. */
static void
test_checkpoint_definition (Fixture *self, gconstpointer data)
{
  g_autofree char *hash = NULL;

  redefine (self, CHECKPOINT, kit_checkpoint ("n", "c9", NULL, self->domain));
  hash = g_strdup (kit_find (self->model, CHECKPOINT, "n")->definition);
  g_assert_nonnull (hash);
  refuse (self, CHECKPOINT, kit_checkpoint ("n", NULL, NULL, NULL), STEMMA_ERROR_INVALID_XML,
          "<domain>");
  g_assert_cmpstr (kit_find (self->model, CHECKPOINT, "n")->definition, ==, hash);
  assert_tree (self, CHECKPOINT, "c9(n)");
}

/* libvirt looks for a bitmap of the checkpoint's name, whatever the document says. */
static void
test_checkpoint_validate (Fixture *self, gconstpointer data)
{
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *domain = kit_domain ("/v/3.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_checkpoint ("n", NULL, "<disk name='vda' bitmap='other'/>",
                                              domain);
  const char *const documents[] = { document, NULL };
  const StmRedefineRequest request = { .kind = CHECKPOINT, .fd = -1, .validates = TRUE };
  g_autoptr (GError) refusal = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 1; i <= 3; i++)
    {
      g_autofree char *path = stm_sample_path (i);
      g_autofree char *below = i > 1 ? stm_sample_path (i - 1) : NULL;

      kit_driver_add (driver, path, "qcow2", below);
    }
  kit_driver_add_bitmap (driver, "/v/3.qcow2", "n", FALSE);
  refusal = kit_redefine (self->model, &request, documents, driver, NULL);
  g_assert_error (refusal, STEMMA_ERROR, STEMMA_ERROR_BITMAP_MISSING);
  g_assert_nonnull (strstr (refusal->message, "other"));
  kit_driver_add_bitmap (driver, "/v/3.qcow2", "other", FALSE);
  error = kit_redefine (self->model, &request, documents, driver, NULL);
  g_assert_no_error (error);
}

/* A fan has no lone leaf, and says so; nobody becomes a root unasked. */
static void
test_checkpoint_fan (Fixture *self, gconstpointer data)
{
  const StmPlanContext context = { .plan_id = "e0000000000000000000000000000002" };
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = NULL;
  guint n_leaves = 0;

  redefine (self, CHECKPOINT, kit_checkpoint ("a", "c9", NULL, self->domain));
  redefine (self, CHECKPOINT, kit_checkpoint ("b", "c9", NULL, self->domain));
  assert_tree (self, CHECKPOINT, "c9(a b)");
  g_assert_null (stm_model_lone_leaf (self->model, KIT_DOMAIN, &n_leaves));
  g_assert_cmpuint (n_leaves, ==, 2);
  g_autoptr (StmSurvey) survey = stm_survey_new ();
  plan = stm_plan_create_checkpoint (self->model, survey, KIT_DOMAIN,
                                     &(StmCreateCheckpointRequest){ .name = "next" }, &context,
                                     &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_AMBIGUOUS_PARENT);
  g_assert_nonnull (strstr (error->message, "'a'"));
  g_assert_nonnull (strstr (error->message, "'b'"));
}

#define ADD(path, test) g_test_add ("/core/catalogue/" path, Fixture, NULL, set_up, test, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("snapshots/each-state-becomes-what-it-may", test_states);
  ADD ("snapshots/all-that-may-change-does", test_changes);
  ADD ("snapshots/another-name-is-another-snapshot", test_names);
  ADD ("snapshots/one-without-a-domain-is-taken", test_without_definition);
  ADD ("checkpoints/name-and-time-are-asked-for", test_checkpoint_parts);
  ADD ("checkpoints/parents-exist-and-make-no-ring", test_checkpoint_parents);
  ADD ("checkpoints/the-uuid-must-be-that-of-the-domain", test_checkpoint_uuid);
  ADD ("checkpoints/an-omitted-domain-erases-nothing", test_checkpoint_definition);
  ADD ("checkpoints/validate-looks-for-the-bitmap-that-is-named", test_checkpoint_validate);
  ADD ("checkpoints/two-leaves-are-no-root", test_checkpoint_fan);
  return g_test_run ();
}
