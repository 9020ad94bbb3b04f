/* Follows jobs on the terminal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-cli-wait.h"

#include "stemma-error.h"
#include "stm-cli-json.h"
#include "stm-cli-output.h"

#include <gio/gio.h>
#include <glib-unix.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define BAR_WIDTH 24

typedef struct
{
  StemmaJob *job;
  gboolean has_bar;      /* whether this run draws one */
  gboolean is_drawn;     /* whether there is a line to clear */
  gboolean has_asked;    /* Ctrl-C was pressed once */
  GCancellable *waiting; /* cancelled by the second Ctrl-C */
} Watch;

static void
clear_bar (Watch *watch)
{
  if (watch->is_drawn)
    g_printerr ("\r\033[K");
  watch->is_drawn = FALSE;
}

/* "[######------------------]  25 %  copy  3 MiB of 12 MiB" */
static void
draw_bar (Watch *watch, StemmaJob *job)
{
  double progress = stemma_job_get_progress (job);
  g_autofree char *phase = stm_cli_escape (stemma_job_get_phase (job));
  g_autoptr (GString) line = g_string_new ("\r\033[K[");
  guint n_full = progress > 0 ? (guint) lround (MIN (progress, 1.0) * BAR_WIDTH) : 0;

  for (guint i = 0; i < BAR_WIDTH; i++)
    g_string_append_c (line, i < n_full ? '#' : '-');
  if (progress >= 0)
    g_string_append_printf (line, "] %3.0f %%", MIN (progress, 1.0) * 100);
  else
    g_string_append (line, "]   ? %");
  if (*phase != '\0')
    g_string_append_printf (line, "  %s", phase);
  if (stemma_job_get_bytes_total (job) > 0)
    {
      g_autofree char *done = stm_cli_format_size (stemma_job_get_bytes_done (job));
      g_autofree char *total = stm_cli_format_size (stemma_job_get_bytes_total (job));

      g_string_append_printf (line, "  %s of %s", done, total);
    }
  g_printerr ("%s", line->str);
  watch->is_drawn = TRUE;
}

static void
on_change (StemmaJob *job, gpointer user_data)
{
  Watch *watch = user_data;

  watch->job = job;
  if (watch->has_bar)
    draw_bar (watch, job);
}

static void
on_cancel_answer (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  if (stemma_job_call_cancel_finish (STEMMA_JOB (source), result, &error))
    return;

  g_dbus_error_strip_remote_error (error);
  g_printerr ("stemmactl: not cancelled: %s\n", error->message);
}

static gboolean
on_interrupt (gpointer user_data)
{
  Watch *watch = user_data;

  clear_bar (watch);
  if (watch->has_asked || watch->job == NULL)
    {
      g_cancellable_cancel (watch->waiting);
      return G_SOURCE_CONTINUE;
    }

  watch->has_asked = TRUE;
  g_printerr ("stemmactl: asking the job to end; once more, and it goes on alone\n");
  stemma_job_call_cancel (watch->job, stm_cli_no_options (), /* cancellable= */ NULL,
                          on_cancel_answer, /* user_data= */ NULL);
  return G_SOURCE_CONTINUE;
}

gboolean
stm_cli_follow (StmCliCall *call, const char *job, GVariant **out_result, GError **error)
{
  g_autoptr (GCancellable) waiting = g_cancellable_new ();
  Watch watch = {
    .waiting = waiting,
    .has_bar = !call->settings->quiet && !call->settings->json && isatty (STDERR_FILENO),
  };
  StemmaClient *client = stm_cli_call_get_client (call, error);
  GError *problem = NULL;
  GVariant *result = NULL;
  guint interrupt = 0;

  if (client == NULL)
    return FALSE;

  interrupt = g_unix_signal_add (SIGINT, on_interrupt, &watch);
  result = stemma_operation_follow_sync (client, job, on_change, &watch, waiting, &problem);
  g_source_remove (interrupt);
  clear_bar (&watch);
  if (result != NULL)
    {
      *out_result = result;
      return TRUE;
    }
  if (g_error_matches (problem, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                 "job %s goes on; 'stemmactl job show %s' tells of it", strrchr (job, '/') + 1,
                 strrchr (job, '/') + 1);
  else
    g_propagate_error (error, g_steal_pointer (&problem));
  g_clear_error (&problem);
  return FALSE;
}

gboolean
stm_cli_run_operation (StmCliCall *call, const StemmaOperation *operation, StmCliOutcome *outcome,
                       GError **error)
{
  g_autoptr (GVariant) arguments = g_variant_ref_sink (operation->arguments);
  StemmaOperation held = *operation;
  StemmaClient *client = stm_cli_call_get_client (call, error);

  if (client == NULL)
    return FALSE;

  held.arguments = arguments;
  stm_cli_outcome_clear (outcome);
  outcome->job = stemma_operation_start_sync (client, &held, &outcome->reply,
                                              /* cancellable= */ NULL, error);
  if (outcome->job == NULL || call->settings->no_wait)
    return outcome->job != NULL;
  return stm_cli_follow (call, outcome->job, &outcome->result, error);
}

void
stm_cli_outcome_clear (StmCliOutcome *outcome)
{
  g_clear_pointer (&outcome->job, g_free);
  g_clear_pointer (&outcome->reply, g_variant_unref);
  g_clear_pointer (&outcome->result, g_variant_unref);
}

void
stm_cli_outcome_begin_json (JsonBuilder *builder, const char *object, const char *name,
                            const StmCliOutcome *outcome)
{
  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "object", object);
  stm_cli_json_add_string (builder, "name", name);
  stm_cli_json_add_string (builder, "job", outcome != NULL ? outcome->job : NULL);
  json_builder_set_member_name (builder, "result");
  json_builder_begin_object (builder);
  if (outcome != NULL && outcome->result != NULL)
    stm_cli_json_add_members (builder, outcome->result);
  json_builder_end_object (builder);
}

static void
tell_json (const char *object, const char *name, const StmCliOutcome *outcome)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  stm_cli_outcome_begin_json (builder, object, name, outcome);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

void
stm_cli_tell (const StmCliCall *call, const char *object, const char *name,
              const StmCliOutcome *outcome, const char *format, ...)
{
  g_autofree char *sentence = NULL;
  g_autofree char *shown = NULL;
  va_list arguments;

  if (call->settings->json)
    {
      tell_json (object, name, outcome);
      return;
    }
  if (call->settings->quiet)
    return;
  if (outcome != NULL && outcome->result == NULL)
    {
      stm_cli_print_line ("Job %s began", strrchr (outcome->job, '/') + 1);
      return;
    }

  va_start (arguments, format);
  sentence = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  shown = stm_cli_escape (sentence);
  stm_cli_print_line ("%s", shown);
}
