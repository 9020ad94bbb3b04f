/* Forks a process in which the registry lives with the real driver and store. The parent stays
 * without threads, so that it can fork again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "life-private.h"

#include "stemma-error.h"
#include "stm-qemu-driver.h"
#include "stm-registry.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIFE_SECONDS 180

#define KILL_AGAIN_NANOSECONDS 500000

typedef struct
{
  const LifeCommand *command;
  StmRegistry *registry;
  GKeyFile *out;
  GPtrArray *findings; /* of the last check */
} Life;

/* One call and how it came out. */
typedef struct
{
  Life *life;
  GError *error;
  gboolean is_over;
} Call;

static guint
kill_children (void)
{
  guint n_killed = 0;
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *task;

  while (tasks != NULL && (task = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *file = g_build_filename ("/proc/self/task", task, "children", NULL);
      g_autofree char *text = NULL;
      g_auto (GStrv) pids = NULL;

      if (!g_file_get_contents (file, &text, NULL, NULL))
        continue;
      pids = g_strsplit (text, " ", -1);
      for (guint i = 0; pids[i] != NULL; i++)
        if (g_ascii_isdigit (*pids[i])
            && kill ((pid_t) g_ascii_strtoll (pids[i], NULL, 10), SIGKILL) == 0)
          n_killed++;
    }
  return n_killed;
}

typedef struct
{
  const LifeCommand *command;
  int is_over;
} Killing;

/* Comes again until there was one to be killed. */
static void
kill_later (union sigval value)
{
  Killing *killing = value.sival_ptr;
  const LifeCommand *command = killing->command;

  if (g_atomic_int_get (&killing->is_over)
      || (command->is_due != NULL && !command->is_due (command->data)))
    return;
  if (command->fault == FAULT_KILL_SERVICE)
    raise (SIGKILL);
  if (kill_children () > 0)
    g_atomic_int_set (&killing->is_over, TRUE);
}

static void
arm_timer (const LifeCommand *command)
{
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
  struct itimerspec when = { .it_value = { .tv_sec = command->delay / G_USEC_PER_SEC,
                                           .tv_nsec = command->delay % G_USEC_PER_SEC * 1000
                                                      + 1 } };
  timer_t timer;

  if (command->fault == FAULT_KILL_ENDPOINT || command->is_due != NULL)
    {
      Killing *killing = g_new0 (Killing, 1);

      killing->command = command;
      event.sigev_notify = SIGEV_THREAD;
      event.sigev_notify_function = kill_later;
      event.sigev_value.sival_ptr = killing;
      when.it_interval.tv_nsec = KILL_AGAIN_NANOSECONDS;
    }
  g_assert_cmpint (timer_create (CLOCK_MONOTONIC, &event, &timer), ==, 0);
  g_assert_cmpint (timer_settime (timer, 0, &when, NULL), ==, 0);
}

/* On the store's thread. */
static void
on_phase (const char *phase, gpointer user_data)
{
  const LifeCommand *command = user_data;

  if (command->fault == FAULT_KILL_AT_PHASE && g_str_equal (phase, command->phase))
    raise (SIGKILL);
  if (command->fault == FAULT_HURT && g_strcmp0 (phase, command->phase) == 0)
    command->hurt (command->data);
  if ((command->fault == FAULT_KILL_SERVICE || command->fault == FAULT_KILL_ENDPOINT)
      && g_str_has_suffix (phase, ":intent"))
    arm_timer (command);
}

static void
wait_for (Call *call)
{
  while (!call->is_over)
    g_main_context_iteration (NULL, TRUE);
}

static void
on_waited (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  stm_registry_wait_finish (STM_REGISTRY (source), result, &call->error);
  call->is_over = TRUE;
}

static void
wait_for_job (Call *call, StmJob *job)
{
  if (job == NULL)
    call->is_over = TRUE;
  else
    stm_registry_wait_async (call->life->registry, job, on_waited, call);
}

static void
on_submitted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (StmJob)
      job = stm_registry_submit_finish (STM_REGISTRY (source), result, NULL, &call->error);

  wait_for_job (call, job);
}

static void
on_resolving (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  g_autoptr (StmJob)
      job = stm_registry_resolve_finish (STM_REGISTRY (source), result, &call->error);

  wait_for_job (call, job);
}

static const char *
id_of (Life *life, const char *name, StmMomentKind kind)
{
  const char *domain = life_domain_id (life->registry);
  const StmTree *tree;
  const StmMoment *moment = NULL;

  if (domain != NULL)
    {
      tree = stm_model_tree (stm_registry_get_model (life->registry), domain, kind);
      moment = stm_tree_find (tree, name);
    }
  return moment != NULL ? moment->id : "00000000000000000000000000000000";
}

static StmOp *
make_create (const char *domain, const LifeCommand *command)
{
  const char *disks[] = { command->disk, NULL };
  const StmDiskChoice choice = { .target = command->internal, .mode = STM_MODE_INTERNAL };

  return stm_op_create_new (domain, &(StmCreateRequest){ .name = command->name,
                                                         .description = "",
                                                         .disks = command->disk ? disks : NULL,
                                                         .mode = command->mode,
                                                         .choices = &choice,
                                                         .n_choices = command->internal != NULL,
                                                         .checkpoint = command->checkpoint });
}

static StmOp *
make_op (Life *life, const LifeCommand *command, GError **error)
{
  const char *known = life_domain_id (life->registry);
  const char *domain = known != NULL ? known : "00000000000000000000000000000000";
  const char *disks[] = { command->disk, NULL };

  switch (command->verb)
    {
    case LIFE_DEFINE:
      return stm_op_define_new (command->name, error);
    case LIFE_CREATE:
      return make_create (domain, command);
    case LIFE_CREATE_CHECKPOINT:
      return stm_op_create_checkpoint_new (
          domain, &(StmCreateCheckpointRequest){ .name = command->name,
                                                 .description = "",
                                                 .disks = command->disk ? disks : NULL });
    case LIFE_DELETE_CHECKPOINT:
      return stm_op_delete_checkpoint_new (
          domain,
          &(StmDeleteRequest){ .moment_id = id_of (life, command->name, STM_MOMENT_CHECKPOINT),
                               .scope = command->scope });
    case LIFE_FORGET:
    case LIFE_REDEFINE:
      return stm_op_forget_all_new (domain, command->scope);
    case LIFE_REVERT:
      return stm_op_revert_new (
          domain,
          &(StmRevertRequest){ .moment_id = id_of (life, command->name, STM_MOMENT_SNAPSHOT),
                               .keep = command->keep,
                               .discards = command->discards });
    case LIFE_DELETE:
      return stm_op_delete_new (
          domain,
          &(StmDeleteRequest){ .moment_id = id_of (life, command->name, STM_MOMENT_SNAPSHOT),
                               .scope = command->scope });
    case LIFE_UNDEFINE:
      return stm_op_undefine_new (domain, &(StmUndefineRequest){ .moments = command->scope });
    case LIFE_LOOK:
    default:
      return NULL;
    }
}

static gboolean
is_any_job_running (Life *life)
{
  g_autoptr (GPtrArray) jobs = stm_registry_get_jobs (life->registry);

  for (guint i = 0; i < jobs->len; i++)
    if (!stm_job_is_ended (g_ptr_array_index (jobs, i)))
      return TRUE;
  return FALSE;
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  g_clear_pointer (&call->life->findings, g_ptr_array_unref);
  call->life->findings = stm_registry_check_finish (STM_REGISTRY (source), result, &call->error);
  call->is_over = TRUE;
}

static void
check (Life *life)
{
  Call call = { .life = life };

  stm_registry_check_async (life->registry, on_checked, &call);
  wait_for (&call);
  g_assert_no_error (call.error);
}

/* What came of it; only codes of ours, whatever went wrong. */
static void
tell_call (Life *life, const Call *call, const char *code, const char *message)
{
  g_assert_true (call->error == NULL || call->error->domain == STEMMA_ERROR);
  g_key_file_set_integer (life->out, "result", code, call->error != NULL ? call->error->code : -1);
  g_key_file_set_string (life->out, "result", message,
                         call->error != NULL ? call->error->message : "");
}

static void
submit (const LifeCommand *command, Call *call)
{
  g_autoptr (StmOp) op = make_op (call->life, command, &call->error);

  if (op == NULL)
    call->is_over = TRUE;
  else
    stm_registry_submit_async (call->life->registry, op, &(StmCaller){ 0 }, on_submitted, call);
}

/* After everything of the kind was forgotten. */
static void
redefine (Life *life, const char *const *documents, const char *current)
{
  Call call = { .life = life };
  g_autoptr (StmOp) op = stm_op_redefine_new (
      life_domain_id (life->registry),
      &(StmRedefineRequest){
          .kind = life->command->scope, .documents = documents, .fd = -1, .current = current });

  stm_registry_submit_async (life->registry, op, &(StmCaller){ 0 }, on_submitted, &call);
  wait_for (&call);
  tell_call (life, &call, "code", "message");
  g_clear_error (&call.error);
}

static void
forget_and_redefine (Life *life)
{
  const char *id = life_domain_id (life->registry);
  g_auto (GStrv) documents = life_print_documents (life->registry, id, life->command->scope);
  const StmTree *tree = stm_model_tree (stm_registry_get_model (life->registry), id,
                                        life->command->scope);
  const char *current_id = stm_tree_current (tree);
  const StmMoment *current = current_id != NULL ? stm_tree_get (tree, current_id) : NULL;
  g_autofree char *name = current != NULL ? g_strdup (current->name) : NULL;
  Call call = { .life = life };

  submit (life->command, &call);
  wait_for (&call);
  tell_call (life, &call, "code", "message");
  if (call.error == NULL && documents[0] != NULL)
    redefine (life, (const char *const *) documents, name);
  g_clear_error (&call.error);
}

static void
run_commands (Life *life)
{
  Call call = { .life = life };
  Call beside = { .life = life, .is_over = life->command->beside == NULL };

  if (life->command->fault == FAULT_HURT && life->command->phase == NULL)
    life->command->hurt (life->command->data);
  submit (life->command, &call);
  if (life->command->beside != NULL)
    submit (life->command->beside, &beside);
  wait_for (&call);
  wait_for (&beside);
  tell_call (life, &call, "code", "message");
  tell_call (life, &beside, "beside-code", "beside-message");
  g_clear_error (&call.error);
  g_clear_error (&beside.error);
}

static void
resolve_unsettled (Life *life, const char *choice)
{
  check (life);
  for (guint i = 0; i < life->findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (life->findings, i);
      Call call = { .life = life };

      if (finding->choices[0] == NULL)
        continue;
      stm_registry_resolve_async (life->registry, finding->id, choice, &(StmCaller){ 0 },
                                  on_resolving, &call);
      wait_for (&call);
      tell_call (life, &call, "retry-code", "retry-message");
      g_clear_error (&call.error);
    }
}

static void
live (const char *directory, const LifeCommand *command, const char *report)
{
  g_autofree char *run = g_build_filename (directory, "run", NULL);
  g_autofree char *state = g_build_filename (directory, "state", NULL);
  g_autoptr (StmDriver) driver = STM_DRIVER (stm_qemu_driver_new (NULL, NULL, run));
  g_autoptr (GError) error = NULL;
  Life life = { .command = command, .out = g_key_file_new () };

  alarm (LIFE_SECONDS);
  /* What an operation leaves unsettled is warned of, rightly. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  life.registry = stm_registry_open_sync (driver, state, NULL, &error);
  g_assert_no_error (error);
  while (is_any_job_running (&life))
    g_main_context_iteration (NULL, TRUE);
  stm_registry_set_phase_hook (life.registry, on_phase, (gpointer) command);
  if (command->verb == LIFE_REDEFINE)
    forget_and_redefine (&life);
  else
    run_commands (&life);
  if (command->mend != NULL)
    command->mend (command->data);
  if (command->tries_again)
    resolve_unsettled (&life, "retry");
  else if (command->gives_up)
    resolve_unsettled (&life, "abandon");
  check (&life);
  life_tell (life.registry, life.findings, life.out);
  g_assert_true (g_key_file_save_to_file (life.out, report, NULL));
  stm_registry_close_sync (life.registry);
  g_clear_object (&life.registry);
  g_key_file_unref (life.out);
  g_ptr_array_unref (life.findings);
}

LifeResult *
life_run (const char *directory, const LifeCommand *command)
{
  g_autofree char *report = g_build_filename (directory, "report", NULL);
  LifeResult *result = g_new0 (LifeResult, 1);
  int status = 0;
  pid_t pid;

  unlink (report);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      live (directory, command, report);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  result->was_killed = WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL;
  if (result->was_killed)
    {
      g_assert_cmpint (command->fault, !=, FAULT_NONE);
      result->code = -2;
      return result;
    }
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
  result->seen = g_key_file_new ();
  g_assert_true (g_key_file_load_from_file (result->seen, report, 0, NULL));
  result->code = g_key_file_get_integer (result->seen, "result", "code", NULL);
  result->message = g_key_file_get_string (result->seen, "result", "message", NULL);
  result->beside_code = g_key_file_get_integer (result->seen, "result", "beside-code", NULL);
  return result;
}

void
life_result_free (LifeResult *result)
{
  g_clear_pointer (&result->seen, g_key_file_unref);
  g_free (result->message);
  g_free (result);
}
