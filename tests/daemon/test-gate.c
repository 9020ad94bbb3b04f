/* The gate in front of a small interface of its own, with the real authorities and the mock of
 * polkit. Service and clients share this process, each with its own connection.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "bus-client.h"
#include "stemma-error.h"
#include "stm-gate.h"
#include "stm-polkit-authority.h"
#include "stm-session-authority.h"
#include "test-gated.h"

#include <unistd.h>

#define PATH "/org/stemma1/test/gated"
#define INTERFACE "org.stemma1.test.Gated"
#define N_PROMPTS 40

/* The exported object. */
#define TYPE_GATED gated_get_type ()
G_DECLARE_FINAL_TYPE (Gated, gated, TEST, GATED_OBJECT, TestGatedSkeleton)

struct _Gated
{
  TestGatedSkeleton parent_instance;

  guint n_calls;
  GPtrArray *jobs; /* StmGateJob, owned; NULL: calls begin none */
};

static void gated_iface_init (TestGatedIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (Gated, gated, TEST_TYPE_GATED_SKELETON,
                               G_IMPLEMENT_INTERFACE (TEST_TYPE_GATED, gated_iface_init))

typedef struct
{
  GDBusConnection *service;
  GDBusConnection *client;
  Gated *object;
} Fixture;

static gboolean
handle_open (TestGated *object, GDBusMethodInvocation *invocation)
{
  TEST_GATED_OBJECT (object)->n_calls++;
  test_gated_complete_open (object, invocation, stm_gate_get_caller (invocation)->uid);
  return TRUE;
}

static gboolean
handle_guarded (TestGated *object, GDBusMethodInvocation *invocation)
{
  Gated *self = TEST_GATED_OBJECT (object);
  g_autoptr (GError) error = NULL;
  StmGateJob *job = self->jobs == NULL ? NULL : stm_gate_begin_job (invocation, &error);

  self->n_calls++;
  if (job != NULL)
    g_ptr_array_add (self->jobs, job);
  if (error != NULL)
    g_dbus_method_invocation_return_gerror (invocation, error);
  else
    test_gated_complete_guarded (object, invocation, stm_gate_get_caller (invocation)->uid);
  return TRUE;
}

static gboolean
handle_forgotten (TestGated *object, GDBusMethodInvocation *invocation)
{
  TEST_GATED_OBJECT (object)->n_calls++;
  test_gated_complete_forgotten (object, invocation);
  return TRUE;
}

static void
gated_iface_init (TestGatedIface *iface)
{
  iface->handle_open = handle_open;
  iface->handle_guarded = handle_guarded;
  iface->handle_forgotten = handle_forgotten;
}

static void
gated_class_init (GatedClass *klass)
{
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
gated_init (Gated *self)
{
}

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  g_hash_table_insert (details, g_strdup ("domain"), g_strdup ("mail"));
}

static void
export_with (Fixture *fixture, StmAuthority *authority)
{
  g_autoptr (StmGate) gate = stm_gate_new (authority);
  g_autoptr (GError) error = NULL;

  fixture->object = g_object_new (TYPE_GATED, "word", "hello", NULL);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (fixture->object), describe);
  g_dbus_interface_skeleton_export (G_DBUS_INTERFACE_SKELETON (fixture->object), fixture->service,
                                    PATH, &error);
  g_assert_no_error (error);
}

static void
set_up_bare (Fixture *fixture, gconstpointer unused)
{
  mock_polkit_reset ();
  fixture->service = bus_client_new ();
  fixture->client = bus_client_new ();
}

static void
set_up (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (StmAuthority) authority = stm_polkit_authority_new ();

  set_up_bare (fixture, NULL);
  export_with (fixture, authority);
}

static void
tear_down (Fixture *fixture, gconstpointer unused)
{
  g_object_unref (fixture->object);
  if (fixture->client != NULL)
    bus_client_leave (fixture->client);
  bus_client_leave (fixture->service);
}

static BusCall *
begin (Fixture *fixture, const char *method, GDBusCallFlags flags)
{
  return bus_call_begin (fixture->client, g_dbus_connection_get_unique_name (fixture->service),
                         PATH, INTERFACE, method, /* arguments= */ NULL, flags);
}

static GVariant *
call (Fixture *fixture, const char *method, GError **error)
{
  return bus_call_end (begin (fixture, method, G_DBUS_CALL_FLAGS_NONE), error);
}

static void
assert_refused (Fixture *fixture, const char *method, StemmaError code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (fixture, method, &error);

  g_assert_null (reply);
  g_assert_error (error, STEMMA_ERROR, (int) code);
  g_assert_cmpuint (fixture->object->n_calls, ==, 0);
}

static void
assert_n_questions (guint n_questions)
{
  g_autoptr (GVariant) questions = mock_polkit_questions ();

  g_assert_cmpuint (g_variant_n_children (questions), ==, n_questions);
}

static void
test_allowed (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (fixture, "Guarded", &error);
  guint uid = 0;

  g_assert_no_error (error);
  g_variant_get (reply, "(u)", &uid);
  g_assert_cmpuint (uid, ==, getuid ());
  g_assert_cmpuint (fixture->object->n_calls, ==, 1);
  assert_n_questions (1);
}

static void
test_shades (Fixture *fixture, gconstpointer unused)
{
  const struct
  {
    const char *answer;
    StemmaError code;
  } vectors[] = {
    { "deny", STEMMA_ERROR_NOT_AUTHORIZED },
    { "challenge", STEMMA_ERROR_NOT_AUTHORIZED_CAN_OBTAIN },
    { "dismissed", STEMMA_ERROR_NOT_AUTHORIZED_DISMISSED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_test_message ("answer %s", vectors[i].answer);
      mock_polkit_answer ("", vectors[i].answer);
      assert_refused (fixture, "Guarded", vectors[i].code);
    }
  assert_n_questions (G_N_ELEMENTS (vectors));
}

static void
test_not_annotated (Fixture *fixture, gconstpointer unused)
{
  assert_refused (fixture, "Forgotten", STEMMA_ERROR_NOT_AUTHORIZED);
  assert_n_questions (0);
}

static void
test_open (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  mock_polkit_answer ("", "deny");
  reply = call (fixture, "Open", &error);
  g_assert_no_error (error);
  g_assert_nonnull (reply);
  assert_n_questions (0);
}

static void
test_details (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) quiet = call (fixture, "Guarded", &error);
  g_autoptr (GVariant) loud = NULL;
  const char *client = g_dbus_connection_get_unique_name (fixture->client);

  g_assert_no_error (error);
  g_assert_nonnull (quiet);
  loud = bus_call_end (
      begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_ALLOW_INTERACTIVE_AUTHORIZATION), &error);
  g_assert_no_error (error);

  for (guint i = 0; i < 2; i++)
    {
      g_autoptr (GVariant) all = mock_polkit_questions ();
      g_autoptr (GVariant) question = g_variant_get_child_value (all, i);
      g_autoptr (GVariant) details = g_variant_get_child_value (question, 2);
      const char *sender = NULL;
      const char *action = NULL;
      const char *value = NULL;
      guint flags = 0;

      g_variant_get (question, "(&s&s@a{ss}u)", &sender, &action, NULL, &flags);
      g_assert_cmpstr (sender, ==, client);
      g_assert_cmpstr (action, ==, "org.stemma1.test.guarded");
      g_assert_cmpuint (flags, ==, i);
      g_assert_true (g_variant_lookup (details, "domain", "&s", &value));
      g_assert_cmpstr (value, ==, "mail");
      g_assert_true (g_variant_lookup (details, "destructive", "&s", &value));
      g_assert_cmpstr (value, ==, "true");
    }
}

static void
test_object_gone (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;
  BusCall *pending = NULL;

  mock_polkit_answer ("", "hold");
  pending = begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_NONE);
  mock_polkit_wait_held (1);
  g_dbus_interface_skeleton_unexport (G_DBUS_INTERFACE_SKELETON (fixture->object));
  mock_polkit_release ("allow");
  reply = bus_call_end (pending, &error);
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND);
  g_assert_cmpuint (fixture->object->n_calls, ==, 0);
}

static void
test_forty_prompts (Fixture *fixture, gconstpointer unused)
{
  BusCall *pending[N_PROMPTS] = { NULL };
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) open = NULL;
  g_autoptr (GVariant) word = NULL;

  mock_polkit_answer ("", "hold");
  for (guint i = 0; i < N_PROMPTS; i++)
    pending[i] = begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_NONE);
  mock_polkit_wait_held (N_PROMPTS);

  open = call (fixture, "Open", &error);
  g_assert_no_error (error);
  word = bus_call_name (fixture->client, g_dbus_connection_get_unique_name (fixture->service), PATH,
                        "org.freedesktop.DBus.Properties", "Get",
                        g_variant_new ("(ss)", INTERFACE, "Word"), G_DBUS_CALL_FLAGS_NONE, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_PROMPTS; i++)
    g_assert_false (bus_call_is_done (pending[i]));

  mock_polkit_release ("allow");
  for (guint i = 0; i < N_PROMPTS; i++)
    {
      g_autoptr (GVariant) reply = bus_call_end (pending[i], &error);

      g_assert_no_error (error);
      g_assert_nonnull (reply);
    }
  g_assert_cmpuint (fixture->object->n_calls, ==, N_PROMPTS + 1);
}

static void
test_too_many (Fixture *fixture, gconstpointer unused)
{
  BusCall *pending[STM_GATE_MAX_PENDING_PER_SENDER] = { NULL };
  GDBusConnection *first = fixture->client;
  GDBusConnection *second = bus_client_new ();
  BusCall *of_second = NULL;

  mock_polkit_answer ("", "hold");
  for (guint i = 0; i < STM_GATE_MAX_PENDING_PER_SENDER; i++)
    pending[i] = begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_NONE);
  mock_polkit_wait_held (STM_GATE_MAX_PENDING_PER_SENDER);
  assert_refused (fixture, "Guarded", STEMMA_ERROR_TOO_MANY);

  /* The limit is of one client, not of all. */
  fixture->client = second;
  of_second = begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_NONE);
  mock_polkit_wait_held (STM_GATE_MAX_PENDING_PER_SENDER + 1);
  fixture->client = first;

  mock_polkit_answer ("", "allow");
  mock_polkit_release ("allow");
  for (guint i = 0; i < STM_GATE_MAX_PENDING_PER_SENDER; i++)
    {
      g_autoptr (GVariant) reply = bus_call_end (pending[i], NULL);

      g_assert_nonnull (reply);
    }
  g_variant_unref (bus_call_end (of_second, NULL));
  g_variant_unref (call (fixture, "Guarded", NULL));
  bus_client_leave (second);
}

static void
assert_job (Fixture *fixture, gboolean is_taken_on)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = call (fixture, "Guarded", &error);

  g_assert_cmpint (reply != NULL, ==, is_taken_on);
  if (is_taken_on)
    g_assert_no_error (error);
  else
    g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY);
}

static void
test_jobs (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GPtrArray) jobs = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_gate_end_job);
  GDBusConnection *first = fixture->client;
  GDBusConnection *second = bus_client_new ();

  fixture->object->jobs = jobs;
  for (guint i = 0; i < STM_GATE_MAX_JOBS_PER_SENDER; i++)
    assert_job (fixture, TRUE);
  assert_job (fixture, FALSE);

  /* The limit is of one client, not of all, and a job that ends makes room. */
  fixture->client = second;
  assert_job (fixture, TRUE);
  fixture->client = first;
  g_ptr_array_remove_index (jobs, 0);
  assert_job (fixture, TRUE);
  assert_job (fixture, FALSE);

  /* Who leaves leaves his jobs behind. */
  bus_client_leave (second);
  g_ptr_array_set_size (jobs, 0);
  assert_job (fixture, TRUE);
  g_ptr_array_set_size (jobs, 0);
}

static void
test_client_leaves (Fixture *fixture, gconstpointer unused)
{
  BusCall *pending = NULL;
  g_autoptr (GVariant) reply = NULL;
  g_autoptr (GError) error = NULL;

  mock_polkit_answer ("", "hold");
  pending = begin (fixture, "Guarded", G_DBUS_CALL_FLAGS_NONE);
  mock_polkit_wait_held (1);
  bus_client_leave (g_steal_pointer (&fixture->client));
  mock_polkit_wait_cancelled (1);
  mock_polkit_wait_held (0);
  reply = bus_call_end (pending, &error);
  g_assert_null (reply);
  g_assert_cmpuint (fixture->object->n_calls, ==, 0);

  /* Nothing is left of it: the next client is served. */
  mock_polkit_answer ("", "allow");
  fixture->client = bus_client_new ();
  g_clear_error (&error);
  reply = call (fixture, "Guarded", &error);
  g_assert_no_error (error);
}

static void
test_no_polkit (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = NULL;

  mock_polkit_show (FALSE);
  assert_refused (fixture, "Guarded", STEMMA_ERROR_NOT_AUTHORIZED);
  mock_polkit_show (TRUE);
  reply = call (fixture, "Guarded", &error);
  g_assert_no_error (error);
}

static void
test_session (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (StmAuthority) ours = stm_session_authority_new (getuid ());
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) guarded = NULL;
  g_autoptr (GVariant) open = NULL;

  export_with (fixture, ours);
  guarded = call (fixture, "Guarded", &error);
  g_assert_no_error (error);
  open = call (fixture, "Open", &error);
  g_assert_no_error (error);
  assert_n_questions (0);
}

static void
test_session_of_another (Fixture *fixture, gconstpointer unused)
{
  g_autoptr (StmAuthority) another = stm_session_authority_new (getuid () + 1);

  export_with (fixture, another);
  assert_refused (fixture, "Guarded", STEMMA_ERROR_NOT_AUTHORIZED);
  assert_refused (fixture, "Open", STEMMA_ERROR_NOT_AUTHORIZED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* So that error names are known before the first one comes. */
  stemma_error_quark ();

#define TEST(path, set_up_function, function)                                                      \
  g_test_add ("/daemon/gate/" path, Fixture, NULL, set_up_function, function, tear_down)
  TEST ("an-allowed-call-reaches-its-handler-with-the-uid-of-the-caller", set_up, test_allowed);
  TEST ("each-answer-of-polkit-has-its-own-error", set_up, test_shades);
  TEST ("a-method-without-annotation-is-denied", set_up, test_not_annotated);
  TEST ("an-open-method-asks-nobody", set_up, test_open);
  TEST ("rules-are-told-the-object-and-prompts-need-the-flag", set_up, test_details);
  TEST ("an-object-that-goes-under-the-prompt-is-not-found", set_up, test_object_gone);
  TEST ("forty-pending-prompts-hold-up-no-read", set_up, test_forty_prompts);
  TEST ("one-client-cannot-hold-more-than-its-share-of-prompts", set_up, test_too_many);
  TEST ("one-client-cannot-have-more-than-its-share-of-jobs", set_up, test_jobs);
  TEST ("a-client-that-leaves-takes-its-question-back", set_up, test_client_leaves);
  TEST ("without-polkit-calls-are-denied-until-it-is-back", set_up, test_no_polkit);
  TEST ("session-mode-serves-its-user-and-asks-nobody", set_up_bare, test_session);
  TEST ("session-mode-serves-nobody-else", set_up_bare, test_session_of_another);
#undef TEST
  return g_test_run ();
}
