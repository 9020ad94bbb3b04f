/* From documents, in a message or behind a file descriptor, to one operation that takes them all.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-records.h"

#include "stemma-error.h"
#include "stm-call.h"
#include "stm-export.h"
#include "stm-object-path.h"
#include "stm-options.h"

#include <fcntl.h>
#include <unistd.h>

static GVariant *
reply_path (const StmDone *done)
{
  const char *const *ids = stm_op_redefine_get_ids (done->op);
  g_autofree char *path = stm_object_path_of_moment (stm_job_get_domain_id (done->job), done->kind,
                                                     ids[0]);

  return g_variant_new ("(o)", path);
}

static GVariant *
reply_paths (const StmDone *done)
{
  const char *const *ids = stm_op_redefine_get_ids (done->op);
  GVariantBuilder paths;

  g_variant_builder_init (&paths, G_VARIANT_TYPE_OBJECT_PATH_ARRAY);
  for (gsize i = 0; ids[i] != NULL; i++)
    {
      g_autofree char *path = stm_object_path_of_moment (stm_job_get_domain_id (done->job),
                                                         done->kind, ids[i]);

      g_variant_builder_add (&paths, "o", path);
    }
  return g_variant_new ("(ao)", &paths);
}

static GVariant *
reply_count (const StmDone *done)
{
  const char *const *ids = stm_op_redefine_get_ids (done->op);

  return g_variant_new ("(u)", g_strv_length ((char **) ids));
}

static gboolean
submit (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
        const StmRedefineRequest *request, StmMakeReply make)
{
  g_autoptr (StmOp) op = stm_op_redefine_new (scope->domain_id, request);

  stm_call_submit (scope->registry, invocation, op,
                   &(StmReply){ .make = make, .kind = scope->kind, .wait = STM_WAIT_FOR_END });
  return TRUE;
}

gboolean
stm_moments_redefine (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                      const char *xml, GVariant *arg_options)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  const char *const documents[] = { xml, NULL };
  StmRedefineRequest request = {
    .kind = scope->kind,
    .documents = documents,
    .fd = -1,
    .validates = stm_options_take_boolean (options, "validate"),
  };
  g_autoptr (GError) error = NULL;

  /* No checkpoint is a current one. */
  if (scope->kind == STM_MOMENT_SNAPSHOT)
    request.sets_current = stm_options_take_boolean (options, "current");
  if (!stm_options_end (options, &error))
    return stm_export_refuse (invocation, error);

  return submit (scope, invocation, &request, reply_path);
}

/* What RedefineAll and RedefineFrom take. */
static void
take_bulk (const StmMomentScope *scope, StmOptions *options, StmRedefineRequest *request)
{
  request->kind = scope->kind;
  request->validates = stm_options_take_boolean (options, "validate");
  if (scope->kind == STM_MOMENT_SNAPSHOT)
    request->current = stm_options_take_string (options, "current", STM_MAX_NAME_BYTES);
}

gboolean
stm_moments_redefine_all (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                          const char *const *xmls, GVariant *arg_options)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  guint n_documents = g_strv_length ((char **) xmls);
  StmRedefineRequest request = { .documents = xmls, .fd = -1 };
  g_autoptr (GError) error = NULL;

  take_bulk (scope, options, &request);
  if (!stm_options_end (options, &error))
    return stm_export_refuse (invocation, error);
  if (n_documents > STM_MAX_REDEFINED_BY_MESSAGE)
    {
      g_set_error (&error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "%u documents are more than the %d that a message may bring; RedefineFrom takes "
                   "more",
                   n_documents, STM_MAX_REDEFINED_BY_MESSAGE);
      return stm_export_refuse (invocation, error);
    }

  return submit (scope, invocation, &request, reply_paths);
}

/* The descriptor that the argument names, the caller's; -1 with an error. */
static int
take_descriptor (GUnixFDList *descriptors, GVariant *handle, GError **error)
{
  g_autoptr (GError) problem = NULL;
  gint32 index = g_variant_get_handle (handle);
  int fd = -1;
  int flags = 0;

  if (descriptors == NULL || index < 0 || index >= g_unix_fd_list_get_length (descriptors))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "argument 'documents' names no file descriptor of this message");
      return -1;
    }
  fd = g_unix_fd_list_get (descriptors, index, &problem);
  if (fd < 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "the file descriptor of argument 'documents' cannot be taken: %s",
                   problem->message);
      return -1;
    }

  flags = fcntl (fd, F_GETFL);
  if (flags >= 0 && (flags & O_PATH) == 0 && (flags & O_ACCMODE) != O_WRONLY)
    return fd;

  close (fd);
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "argument 'documents' is not open for reading");
  return -1;
}

gboolean
stm_moments_redefine_from (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                           GUnixFDList *descriptors, GVariant *documents, GVariant *arg_options)
{
  g_autoptr (StmOptions) options = stm_options_new (arg_options);
  StmRedefineRequest request = { .fd = -1 };
  g_autoptr (GError) error = NULL;

  take_bulk (scope, options, &request);
  if (!stm_options_end (options, &error))
    return stm_export_refuse (invocation, error);
  request.fd = take_descriptor (descriptors, documents, &error);
  if (request.fd < 0)
    return stm_export_refuse (invocation, error);

  return submit (scope, invocation, &request, reply_count);
}

gboolean
stm_moments_forget_all (const StmMomentScope *scope, GDBusMethodInvocation *invocation,
                        GVariant *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmOp) op = NULL;

  if (!stm_options_expect_none (options, &error))
    return stm_export_refuse (invocation, error);

  op = stm_op_forget_all_new (scope->domain_id, scope->kind);
  stm_call_submit (scope->registry, invocation, op,
                   &(StmReply){ .make = stm_reply_nothing, .wait = STM_WAIT_FOR_END });
  return TRUE;
}
