/* Full disks and I/O errors at every single write of the store, and at every place of a start.
 *
 * A crash is a copy of the files as they are. After it the store holds what was answered, and of a
 * write that failed nothing; where the fault lasted and the failed write could not be taken out of
 * the log, all of it or nothing.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fault-vfs.h"
#include "store-fixture.h"

#include "stemma-error.h"

#include <string.h>

#define N_WRITES 2
#define FAULTS_MAX 5000 /* of one scenario: more means that the fault never came */

typedef struct
{
  FaultKind kind;
  FaultDuration duration;
  StemmaError code;
} Fault;

static const Fault faults[] = {
  { FAULT_FULL, FAULT_ONCE, STEMMA_ERROR_NO_SPACE },
  { FAULT_FULL, FAULT_FROM_THEN_ON, STEMMA_ERROR_NO_SPACE },
  { FAULT_NO_SPACE, FAULT_FROM_THEN_ON, STEMMA_ERROR_NO_SPACE },
  { FAULT_IO, FAULT_ONCE, STEMMA_ERROR_FAILED },
};

/* The nth write of the scenario: a snapshot over the one before it, an image, and each second time
 * a domain of its own. Each can be made whether or not those before it were. */
static StmChange *
nth_change (guint n)
{
  g_autofree char *name = g_strdup_printf ("s%u", n);
  g_autofree char *path = g_strdup_printf ("/images/a.s%u", n);
  g_autoptr (StmMoment) moment = sample_moment (100 + n, name, NULL);
  g_autoptr (StmImage) image = sample_image (path, "/images/a.qcow2");
  StmChange *change = n % 2 == 1 ? sample_define (10 + n, 2 + n) : sample_change (1, 2 + n);

  stm_change_put_moment (change, moment);
  stm_change_put_image (change, image);
  return change;
}

static void
write_base (const char *directory)
{
  StmStore *store = open_store (directory, NULL);
  g_autoptr (StmChange) change = sample_define (1, 1);

  write_ok (store, change);
  close_store (store);
}

static StmModel *
base_model (void)
{
  g_autoptr (StmChange) change = sample_define (1, 1);
  StmModel *model = stm_model_new ();

  stm_model_apply (model, change);
  return model;
}

static void
apply_nth (StmModel *model, guint n)
{
  g_autoptr (StmChange) change = nth_change (n);

  stm_model_apply (model, change);
}

static gboolean
models_agree (const StmModel *model, const StmModel *read)
{
  g_autofree char *id = sample_id (1);
  g_autoptr (GPtrArray) of_model = stm_model_domain_ids (model);
  g_autoptr (GPtrArray) of_read = stm_model_domain_ids (read);

  return of_model->len == of_read->len
         && stm_model_generation (model, id) == stm_model_generation (read, id);
}

/* What a crash now would leave. */
static void
check_crash (const char *directory, guint done, guint failed, FaultDuration duration)
{
  g_autoptr (StoreDirectory) crashed = store_directory_new ();
  g_autoptr (StmModel) model = base_model ();
  g_autoptr (StmModel) read = NULL;

  copy_store (directory, crashed);
  read = reload (crashed, NULL);
  for (guint n = 0; n < done; n++)
    apply_nth (model, n);
  if (failed < N_WRITES && duration == FAULT_FROM_THEN_ON && !models_agree (model, read))
    apply_nth (model, failed);
  assert_models_equal (model, read);
  assert_models_equal (read, model);
}

/* Makes the writes; the number of the first that failed, N_WRITES when none did. */
static guint
run_writes (StmStore *store, StemmaError code)
{
  for (guint n = 0; n < N_WRITES; n++)
    {
      g_autoptr (StmChange) change = nth_change (n);
      g_autoptr (GError) error = NULL;

      if (!write_and_wait (store, change, STM_JOURNAL_NONE, /* entry= */ NULL, &error))
        {
          g_assert_error (error, STEMMA_ERROR, (int) code);
          return n;
        }
      g_assert_no_error (error);
    }

  return N_WRITES;
}

/* One life of the store with the fault at its nth write call; whether the fault came. */
static gboolean
live_with_fault (FaultVfs *vfs, const Fault *fault, const char *base, guint nth)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmModel) model = base_model ();
  g_autoptr (StmModel) read = NULL;
  StmStore *store;

  copy_store (base, directory);
  store = open_store (directory, NULL);
  fault_vfs_arm (vfs, nth, fault->kind, fault->duration);

  guint failed = run_writes (store, fault->code);

  check_crash (directory, failed, failed, fault->duration);
  gboolean has_fired = fault_vfs_disarm (vfs);

  /* The trouble is over: the same store goes on. */
  for (guint n = failed; n < N_WRITES; n++)
    {
      g_autoptr (StmChange) change = nth_change (n);

      write_ok (store, change);
    }
  check_crash (directory, N_WRITES, N_WRITES, fault->duration);
  close_store (store);

  for (guint n = 0; n < N_WRITES; n++)
    apply_nth (model, n);
  read = reload (directory, NULL);
  assert_models_equal (model, read);
  return has_fired;
}

static void
test_write_faults (gconstpointer data)
{
  g_autoptr (StoreDirectory) base = store_directory_new ();
  g_autoptr (FaultVfs) vfs = fault_vfs_new ();
  guint nth = 1;

  write_base (base);
  while (live_with_fault (vfs, data, base, nth))
    g_assert_cmpuint (++nth, <, FAULTS_MAX);
  /* Each write is several pages and a sync. */
  g_assert_cmpuint (nth, >, 5 * N_WRITES);
}

/* Making a store: after any fault there is a sound one or none at all, and the next start makes it.
 */
static gboolean
make_with_fault (FaultVfs *vfs, const Fault *fault, guint nth)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmStoreContent) content = NULL;
  StmStore *store;

  fault_vfs_arm (vfs, nth, fault->kind, fault->duration);
  store = stm_store_open_sync (directory, &content, &error);
  gboolean has_fired = fault_vfs_disarm (vfs);

  if (store != NULL)
    close_store (store);
  else
    g_assert_error (error, STEMMA_ERROR, (int) fault->code);
  g_assert_true (has_fired || store != NULL);

  stm_model_free (reload (directory, NULL));
  return has_fired;
}

static void
test_make_faults (gconstpointer data)
{
  g_autoptr (FaultVfs) vfs = fault_vfs_new ();
  guint nth = 1;

  while (make_with_fault (vfs, data, nth))
    g_assert_cmpuint (++nth, <, FAULTS_MAX);
  g_assert_cmpuint (nth, >, 5);
}

/* A start after a crash, which reads the log and removes an unused definition, and the end, which
 * moves the log into the database. */
static gboolean
restart_with_fault (FaultVfs *vfs, const Fault *fault, const char *crashed, const StmModel *model,
                    guint nth)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmStoreContent) content = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (StmModel) read = NULL;
  StmStore *store;

  copy_store (crashed, directory);
  fault_vfs_arm (vfs, nth, fault->kind, fault->duration);
  store = stm_store_open_sync (directory, &content, &error);
  g_assert_no_error (error);
  close_store (store);
  gboolean has_fired = fault_vfs_disarm (vfs);

  read = model_of_content (content);
  assert_models_equal (model, read);
  g_clear_pointer (&read, stm_model_free);
  read = reload (directory, NULL);
  assert_models_equal (model, read);
  return has_fired;
}

static void
test_restart_faults (gconstpointer data)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StoreDirectory) crashed = store_directory_new ();
  g_autoptr (FaultVfs) vfs = fault_vfs_new ();
  g_autoptr (StmModel) model = stm_model_new ();
  g_autoptr (StmChange) define = sample_define (1, 1);
  g_autoptr (StmDomain) domain = sample_domain (1, "domain-1", "other");
  g_autoptr (StmChange) redefine = sample_change (1, 2);
  StmStore *store = open_store (directory, NULL);
  guint nth = 1;

  stm_change_set_domain (redefine, domain);
  redefine->definition_text = g_strdup ("<domain/>");
  write_ok (store, define);
  write_ok (store, redefine);
  stm_model_apply (model, define);
  stm_model_apply (model, redefine);
  copy_store (directory, crashed);
  close_store (store);

  while (restart_with_fault (vfs, data, crashed, model, nth))
    g_assert_cmpuint (++nth, <, FAULTS_MAX);
  g_assert_cmpuint (nth, >, 5);
}

typedef struct
{
  FaultVfs *vfs;
  const Fault *fault;
  guint nth;
} ArmedHook;

/* Store thread, after the commit that makes the log large: what comes next is the checkpoint. */
static void
arm_in_hook (const StmJournalEntry *entry, StmJournalAction action, gpointer user_data)
{
  const ArmedHook *hook = user_data;

  fault_vfs_arm (hook->vfs, hook->nth, hook->fault->kind, hook->fault->duration);
}

static StmChange *
large_change (guint generation)
{
  g_autofree char *description = g_strnfill (1040 * 1000, 'x');
  g_autoptr (StmMoment) plain = sample_moment (100 + generation, "large", NULL);
  g_autoptr (StmMoment) moment = stm_moment_with_description (plain, description);
  g_autofree char *name = g_strdup_printf ("large-%u", generation);
  g_autoptr (StmMoment) named = stm_moment_with_name (moment, name);
  StmChange *change = sample_change (1, generation);

  stm_change_put_moment (change, named);
  return change;
}

static void
checkpoint_with_fault (FaultVfs *vfs, const Fault *fault, guint nth)
{
  enum
  {
    N_LARGE = 4 /* together just over a thousand pages */
  };
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StoreDirectory) crashed = store_directory_new ();
  g_autoptr (StmModel) model = base_model ();
  ArmedHook hook = { vfs, fault, nth };
  StmStore *store;

  write_base (directory);
  store = open_store (directory, NULL);
  for (guint i = 0; i < N_LARGE; i++)
    {
      g_autoptr (StmChange) change = large_change (2 + i);

      if (i == N_LARGE - 1)
        stm_store_set_hook (store, arm_in_hook, &hook);
      write_ok (store, change);
      stm_model_apply (model, change);
    }

  /* Waits until the checkpoint is over, with or without success. */
  g_autofree char *text = read_definition_and_wait (store, "hash-1", NULL);

  g_assert_nonnull (text);
  g_assert_true (fault_vfs_disarm (vfs));
  copy_store (directory, crashed);
  close_store (store);

  g_autoptr (StmModel) after_crash = reload (crashed, NULL);
  g_autoptr (StmModel) after_close = reload (directory, NULL);

  assert_models_equal (model, after_crash);
  assert_models_equal (model, after_close);
}

static void
test_checkpoint_faults (gconstpointer data)
{
  const guint places[] = { 1, 2, 900 };
  g_autoptr (FaultVfs) vfs = fault_vfs_new ();

  for (gsize i = 0; i < G_N_ELEMENTS (places); i++)
    checkpoint_with_fault (vfs, data, places[i]);
}

/* A failed group is answered whole, and nothing of it stays. */
static void
note_failure (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;
  guint *n_failed = user_data;

  g_assert_false (stm_store_write_finish (STM_STORE (source), result, &error));
  g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_NO_SPACE);
  (*n_failed)++;
}

static void
test_failed_commit_fails_its_group (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (FaultVfs) vfs = fault_vfs_new ();
  g_autoptr (StmModel) model = base_model ();
  guint n_failed = 0;
  StmStore *store;

  write_base (directory);
  store = open_store (directory, NULL);
  fault_vfs_arm (vfs, 1, FAULT_FULL, FAULT_FROM_THEN_ON);
  for (guint n = 0; n < N_WRITES; n++)
    {
      g_autoptr (StmChange) change = nth_change (n);

      stm_store_write_async (store, change, STM_JOURNAL_NONE, NULL, note_failure, &n_failed);
    }
  while (n_failed < N_WRITES)
    g_main_context_iteration (NULL, TRUE);
  fault_vfs_disarm (vfs);
  close_store (store);

  g_autoptr (StmModel) read = reload (directory, NULL);

  assert_models_equal (model, read);
}

typedef struct
{
  const char *name;
  GTestDataFunc function;
} Scenario;

static const Scenario scenarios[] = {
  { "write", test_write_faults },
  { "make", test_make_faults },
  { "restart", test_restart_faults },
  { "checkpoint", test_checkpoint_faults },
};

static const char *const kind_names[] = {
  [FAULT_FULL] = "disk-full",
  [FAULT_NO_SPACE] = "io-error-no-space",
  [FAULT_IO] = "io-error",
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (scenarios); i++)
    for (gsize j = 0; j < G_N_ELEMENTS (faults); j++)
      {
        g_autofree char *path = g_strdup_printf (
            "/store/faults/%s/%s-%s-leaves-before-or-after", scenarios[i].name,
            kind_names[faults[j].kind], faults[j].duration == FAULT_ONCE ? "once" : "lasting");

        g_test_add_data_func (path, &faults[j], scenarios[i].function);
      }
  g_test_add_func ("/store/faults/failed-commit-fails-its-group",
                   test_failed_commit_fails_its_group);

  return g_test_run ();
}
