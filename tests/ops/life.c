/* Forks a process in which the registry lives with the real driver and store. The parent stays
 * without threads, so that it can fork again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "life.h"

#include "stemma-error.h"
#include "stm-qemu-driver.h"
#include "stm-registry.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LIFE_SECONDS 60

typedef struct
{
  const LifeCommand *command;
  StmRegistry *registry;
  GMainLoop *loop;
  GKeyFile *out;
  GError *error;
} Life;

static void
kill_children (void)
{
  g_autofree char *path = NULL;
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
        if (g_ascii_isdigit (*pids[i]))
          kill ((pid_t) g_ascii_strtoll (pids[i], NULL, 10), SIGKILL);
    }
}

static void
kill_children_later (union sigval value)
{
  kill_children ();
}

static void
arm_timer (const LifeCommand *command)
{
  struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };
  struct itimerspec when = { .it_value = { .tv_sec = command->delay / G_USEC_PER_SEC,
                                           .tv_nsec = command->delay % G_USEC_PER_SEC * 1000
                                                      + 1 } };
  timer_t timer;

  if (command->fault == FAULT_KILL_ENDPOINT)
    {
      event.sigev_notify = SIGEV_THREAD;
      event.sigev_notify_function = kill_children_later;
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
  if ((command->fault == FAULT_KILL_SERVICE || command->fault == FAULT_KILL_ENDPOINT)
      && g_str_has_suffix (phase, ":intent"))
    arm_timer (command);
}

static void
on_waited (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Life *life = user_data;

  stm_registry_wait_finish (STM_REGISTRY (source), result, &life->error);
  g_main_loop_quit (life->loop);
}

static void
on_submitted (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Life *life = user_data;
  g_autoptr (StmJob)
      job = stm_registry_submit_finish (STM_REGISTRY (source), result, NULL, &life->error);

  if (job == NULL)
    g_main_loop_quit (life->loop);
  else
    stm_registry_wait_async (life->registry, job, on_waited, life);
}

static const char *
only_domain (Life *life)
{
  g_autoptr (GPtrArray) ids = stm_model_domain_ids (stm_registry_get_model (life->registry));

  return ids->len > 0 ? g_ptr_array_index (ids, 0) : NULL;
}

static const char *
id_of (Life *life, const char *name)
{
  const StmTree *tree = stm_model_tree (stm_registry_get_model (life->registry), only_domain (life),
                                        STM_MOMENT_SNAPSHOT);
  const StmMoment *moment = stm_tree_find (tree, name);

  return moment != NULL ? moment->id : "00000000000000000000000000000000";
}

static StmOp *
make_op (Life *life)
{
  const LifeCommand *command = life->command;
  const char *domain = only_domain (life);
  const char *disks[] = { command->disk, NULL };

  switch (command->verb)
    {
    case LIFE_DEFINE:
      return stm_op_define_new (command->name, &life->error);
    case LIFE_CREATE:
      return stm_op_create_new (domain,
                                &(StmCreateRequest){ .name = command->name,
                                                     .description = "",
                                                     .disks = command->disk ? disks : NULL });
    case LIFE_REVERT:
      return stm_op_revert_new (domain,
                                &(StmRevertRequest){ .moment_id = id_of (life, command->name),
                                                     .keep = command->keep,
                                                     .discards = command->discards });
    case LIFE_DELETE:
      return stm_op_delete_new (
          domain,
          &(StmDeleteRequest){ .moment_id = id_of (life, command->name), .scope = command->scope });
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
tell_moment (Life *life, const StmTree *tree, const StmMoment *moment)
{
  const StmMoment *parent = moment->parent != NULL ? stm_tree_get (tree, moment->parent) : NULL;

  g_key_file_set_string (life->out, moment->name, "parent", parent != NULL ? parent->name : "");
  g_key_file_set_string (life->out, moment->name, "state",
                         stm_moment_state_to_word (moment->state));
  for (gsize i = 0; i < moment->n_disks; i++)
    if (moment->disks[i].frozen != NULL)
      g_key_file_set_string (life->out, moment->name, moment->disks[i].target,
                             moment->disks[i].frozen);
}

static void
on_checked (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Life *life = user_data;
  g_autoptr (GPtrArray) findings = stm_registry_check_finish (STM_REGISTRY (source), result, NULL);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; i < findings->len; i++)
    {
      const StmFinding *finding = g_ptr_array_index (findings, i);

      g_string_append_printf (text, "%s: %s; ", finding->kind, finding->text);
    }
  g_key_file_set_string (life->out, "domain", "findings", text->str);
  g_main_loop_quit (life->loop);
}

static void
tell (Life *life)
{
  const StmModel *model = stm_registry_get_model (life->registry);
  const char *id = only_domain (life);
  const StmTree *tree;
  const StmMoment *current;
  g_autoptr (GPtrArray) moments = NULL;

  stm_registry_check_async (life->registry, on_checked, life);
  g_main_loop_run (life->loop);
  if (id == NULL)
    return;
  tree = stm_model_tree (model, id, STM_MOMENT_SNAPSHOT);
  current = stm_tree_current (tree) != NULL ? stm_tree_get (tree, stm_tree_current (tree)) : NULL;
  g_key_file_set_string (life->out, "domain", "current", current != NULL ? current->name : "");
  for (gsize i = 0; i < stm_model_get_domain (model, id)->n_disks; i++)
    {
      const StmDisk *disk = &stm_model_get_domain (model, id)->disks[i];
      g_autofree char *key = g_strconcat ("source.", disk->target, NULL);

      g_key_file_set_string (life->out, "domain", key, disk->source);
    }
  moments = stm_tree_subtree (tree, NULL);
  for (guint i = 0; i < moments->len; i++)
    tell_moment (life, tree, g_ptr_array_index (moments, i));
}

static void
live (const char *directory, const LifeCommand *command, const char *report)
{
  g_autofree char *run = g_build_filename (directory, "run", NULL);
  g_autofree char *state = g_build_filename (directory, "state", NULL);
  g_autoptr (StmDriver) driver = STM_DRIVER (stm_qemu_driver_new (NULL, NULL, run));
  Life life = { .command = command,
                .loop = g_main_loop_new (NULL, FALSE),
                .out = g_key_file_new () };
  g_autoptr (StmOp) op = NULL;

  alarm (LIFE_SECONDS);
  /* What an operation leaves unsettled is warned of, rightly. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  life.registry = stm_registry_open_sync (driver, state, NULL, &life.error);
  g_assert_no_error (life.error);
  while (is_any_job_running (&life))
    g_main_context_iteration (NULL, TRUE);
  stm_registry_set_phase_hook (life.registry, on_phase, (gpointer) command);
  op = make_op (&life);
  if (op != NULL)
    {
      stm_registry_submit_async (life.registry, op, &(StmCaller){ 0 }, on_submitted, &life);
      g_main_loop_run (life.loop);
    }
  tell (&life);
  g_key_file_set_integer (life.out, "result", "code", life.error != NULL ? life.error->code : -1);
  g_key_file_set_string (life.out, "result", "message",
                         life.error != NULL ? life.error->message : "");
  g_assert_true (g_key_file_save_to_file (life.out, report, NULL));
  stm_registry_close_sync (life.registry);
  g_clear_object (&life.registry);
  g_key_file_unref (life.out);
  g_main_loop_unref (life.loop);
  g_clear_error (&life.error);
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
  return result;
}

void
life_result_free (LifeResult *result)
{
  g_clear_pointer (&result->seen, g_key_file_unref);
  g_free (result->message);
  g_free (result);
}
