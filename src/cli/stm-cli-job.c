/* stemmactl job list, show, cancel.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-json.h"
#include "stm-cli-nouns.h"
#include "stm-cli-object.h"
#include "stm-cli-output.h"
#include "stm-cli-wait.h"

#include <stdlib.h>
#include <string.h>

static const char *
number_of (const char *path)
{
  return strrchr (path, '/') + 1;
}

static int
compare_numbers (gconstpointer left, gconstpointer right)
{
  g_autofree const char *a = NULL;
  g_autofree const char *b = NULL;
  guint64 first = 0;
  guint64 second = 0;

  g_variant_get_child (*(GVariant *const *) left, 0, "s", &a);
  g_variant_get_child (*(GVariant *const *) right, 0, "s", &b);
  first = g_ascii_strtoull (number_of (a), NULL, 10);
  second = g_ascii_strtoull (number_of (b), NULL, 10);
  return (first > second) - (first < second);
}

/* {sa{sv}} of each job, by number. */
static GPtrArray *
read_jobs (StemmaClient *client, GError **error)
{
  g_autoptr (GVariant) objects = stemma_client_get_objects_sync (client, STEMMA_PATH_ROOT,
                                                                 /* cancellable= */ NULL, error);
  GPtrArray *jobs = NULL;
  GVariantIter iter;
  const char *path = NULL;
  GVariant *interfaces = NULL;

  if (objects == NULL)
    return NULL;

  jobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_variant_unref);
  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_loop (&iter, "{&o@a{sa{sv}}}", &path, &interfaces))
    {
      g_autoptr (GVariant)
          job = g_variant_lookup_value (interfaces, STEMMA_BUS_NAME ".Job", G_VARIANT_TYPE_VARDICT);

      if (job != NULL)
        g_ptr_array_add (jobs, g_variant_ref_sink (g_variant_new ("{s@a{sv}}", path, job)));
    }
  g_ptr_array_sort (jobs, compare_numbers);
  return jobs;
}

/* What it is about; the last of its objects is the one within the others. */
static char *
object_text (StemmaClient *client, GHashTable *names, GVariant *job)
{
  g_autofree const char **paths = NULL;
  guint n_paths = 0;

  if (g_variant_lookup (job, "Objects", "^a&o", &paths))
    n_paths = g_strv_length ((char **) paths);
  return n_paths > 0 ? stm_cli_object_title (names, client, paths[n_paths - 1]) : NULL;
}

static char *
progress_text (GVariant *job)
{
  double progress = -1;

  g_variant_lookup (job, "Progress", "d", &progress);
  return progress < 0 ? NULL : g_strdup_printf ("%.0f %%", progress * 100);
}

static void
print_list (StemmaClient *client, GPtrArray *jobs)
{
  g_autoptr (StmCliTable)
      table = stm_cli_table_new ("JOB", "OPERATION", "OBJECT", "STATE", "PROGRESS", "PHASE", NULL);
  g_autoptr (GHashTable) names = stm_cli_object_names_new ();

  for (guint i = 0; i < jobs->len; i++)
    {
      g_autofree const char *path = NULL;
      g_autoptr (GVariant) job = NULL;
      g_autofree char *object = NULL;
      g_autofree char *progress = NULL;

      g_variant_get (jobs->pdata[i], "{s@a{sv}}", &path, &job);
      object = object_text (client, names, job);
      progress = progress_text (job);
      stm_cli_table_add (
          table, (const char *const[]){ number_of (path), stm_cli_get_string (job, "Operation"),
                                        object, stm_cli_get_string (job, "State"), progress,
                                        stm_cli_get_string (job, "Phase") });
    }
  stm_cli_table_print (table);
}

static void
print_json_list (GPtrArray *jobs)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < jobs->len; i++)
    {
      g_autofree const char *path = NULL;
      g_autoptr (GVariant) job = NULL;

      g_variant_get (jobs->pdata[i], "{s@a{sv}}", &path, &job);
      stm_cli_json_begin_object (builder, path, job);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  stm_cli_json_print (builder);
}

static gboolean
run_list (StmCliCall *call, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  g_autoptr (GPtrArray) jobs = client != NULL ? read_jobs (client, error) : NULL;

  if (jobs == NULL)
    return FALSE;

  if (call->settings->json)
    print_json_list (jobs);
  else
    print_list (client, jobs);
  return TRUE;
}

/* From a number or a path. */
static char *
job_path (const char *text, GError **error)
{
  g_autofree char *path = g_str_has_prefix (text, STEMMA_PATH_JOBS "/")
                              ? g_strdup (text)
                              : g_strconcat (STEMMA_PATH_JOBS "/", text, NULL);

  if (g_variant_is_object_path (path))
    return g_steal_pointer (&path);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "'%s' is neither the number nor the path of a job", text);
  return NULL;
}

static GVariant *
read_job (StmCliCall *call, const char *path, GError **error)
{
  StemmaClient *client = stm_cli_call_get_client (call, error);
  GError *problem = NULL;
  GVariant *job = NULL;

  if (client == NULL)
    return NULL;
  job = stemma_client_get_properties_sync (client, path, "Job", /* cancellable= */ NULL, &problem);
  if (g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                   "there is no job %s; an ended one is kept for some minutes", number_of (path));
      stm_cli_call_note_listing (call, "job list", /* word= */ NULL);
      g_error_free (problem);
    }
  else if (problem != NULL)
    g_propagate_error (error, problem);
  return job;
}

static void
print_bytes (GVariant *job)
{
  g_autofree char *done = stm_cli_format_size (stm_cli_get_number (job, "BytesDone"));
  g_autofree char *total = stm_cli_format_size (stm_cli_get_number (job, "BytesTotal"));
  g_autofree char *text = g_strdup_printf ("%s of %s", done, total);

  if (stm_cli_get_number (job, "BytesTotal") > 0)
    stm_cli_print_field ("Moved:", text);
}

static void
print_job (StemmaClient *client, const char *path, GVariant *job)
{
  g_autoptr (GHashTable) names = stm_cli_object_names_new ();
  g_autofree char *object = object_text (client, names, job);
  g_autofree char *progress = progress_text (job);
  guint64 start = stm_cli_get_number (job, "StartTime") / G_USEC_PER_SEC;
  g_autofree char *started = stm_cli_format_time (start);
  g_autofree char *uid = g_strdup_printf ("%" G_GUINT64_FORMAT,
                                          stm_cli_get_number (job, "StartedByUid"));

  stm_cli_print_field ("Job:", number_of (path));
  stm_cli_print_field ("Operation:", stm_cli_get_string (job, "Operation"));
  stm_cli_print_field ("Object:", object != NULL ? object : "");
  stm_cli_print_field ("State:", stm_cli_get_string (job, "State"));
  stm_cli_print_field ("Phase:", stm_cli_get_string (job, "Phase"));
  stm_cli_print_field ("Progress:", progress != NULL ? progress : "");
  print_bytes (job);
  stm_cli_print_field ("Started:", start > 0 ? started : "");
  stm_cli_print_field ("By user:", uid);
  stm_cli_print_field ("Error:", stm_cli_get_string (job, "ErrorName"));
  stm_cli_print_field ("Message:", stm_cli_get_string (job, "ErrorMessage"));
}

static gboolean
run_show (StmCliCall *call, GError **error)
{
  g_autofree char *path = job_path (call->words[0], error);
  g_autoptr (GVariant) job = path != NULL ? read_job (call, path, error) : NULL;
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (job == NULL)
    return FALSE;

  if (call->settings->json)
    {
      stm_cli_json_begin_object (builder, path, job);
      json_builder_end_object (builder);
      stm_cli_json_print (builder);
    }
  else
    print_job (call->client, path, job);
  return TRUE;
}

static gboolean
run_wait (StmCliCall *call, GError **error)
{
  g_autofree char *path = job_path (call->words[0], error);
  g_autoptr (GVariant) job = path != NULL ? read_job (call, path, error) : NULL;
  g_auto (StmCliOutcome) outcome = { 0 };

  if (job == NULL || !stm_cli_follow (call, path, &outcome.result, error))
    return FALSE;
  outcome.job = g_strdup (path);
  stm_cli_tell (call, path, number_of (path), &outcome, "Job %s succeeded", number_of (path));
  return TRUE;
}

static gboolean
run_cancel (StmCliCall *call, GError **error)
{
  g_autofree char *path = job_path (call->words[0], error);
  g_autoptr (GVariant) job = path != NULL ? read_job (call, path, error) : NULL;
  g_autoptr (GVariant) reply = NULL;

  if (job == NULL)
    return FALSE;
  reply = stemma_client_call_sync (call->client, path, "Job", "Cancel",
                                   g_variant_new ("(@a{sv})", stm_cli_no_options ()),
                                   /* reply_type= */ NULL, /* cancellable= */ NULL, error);
  if (reply == NULL)
    return FALSE;
  stm_cli_tell (call, path, number_of (path), /* outcome= */ NULL, "Asked job %s to end",
                number_of (path));
  return TRUE;
}

const StmCliCommand stm_cli_job_commands[] = {
  { "job", "list", "", "List the jobs at work and those that ended lately", NULL, run_list },
  { "job", "show", "JOB", "Show a job", NULL, run_show },
  { "job", "wait", "JOB", "Wait for the end of a job", NULL, run_wait },
  { "job", "cancel", "JOB", "Ask a job to end", NULL, run_cancel },
  { NULL, NULL },
};
