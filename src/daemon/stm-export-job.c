/* One operation as clients see it. Called by the gate with calls that are allowed; the publisher
 * sets the properties. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-export-job.h"

#include "stemma-error.h"
#include "stm-export.h"
#include "stm-object-path.h"
#include "stm-options.h"

struct _StmExportJob
{
  StemmaJobSkeleton parent_instance;

  StmRegistry *registry;
  StmJob *job;
};

static void stm_export_job_iface_init (StemmaJobIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (StmExportJob, stm_export_job, STEMMA_TYPE_JOB_SKELETON,
                               G_IMPLEMENT_INTERFACE (STEMMA_TYPE_JOB, stm_export_job_iface_init))

static void
describe (GDBusInterfaceSkeleton *skeleton, GHashTable *details)
{
  StmExportJob *self = STM_EXPORT_JOB (skeleton);
  const char *domain_id = stm_job_get_domain_id (self->job);

  if (domain_id != NULL)
    stm_export_describe (self->registry, domain_id, stm_job_get_moment_id (self->job), details);
}

StmExportJob *
stm_export_job_new (StmRegistry *registry, StmGate *gate, StmJob *job)
{
  StmExportJob *self = g_object_new (STM_TYPE_EXPORT_JOB, NULL);

  self->registry = g_object_ref (registry);
  self->job = g_object_ref (job);
  stm_gate_attach (gate, G_DBUS_INTERFACE_SKELETON (self), describe);
  stm_export_job_update (self);
  return self;
}

/* For a moment that is gone: what the operation is about. */
static StmMomentKind
kind_of (StmJob *job)
{
  return g_str_has_suffix (stm_job_get_operation (job), "-checkpoint") ? STM_MOMENT_CHECKPOINT
                                                                       : STM_MOMENT_SNAPSHOT;
}

static void
update_objects (StmExportJob *self)
{
  const char *domain_id = stm_job_get_domain_id (self->job);
  const char *moment_id = stm_job_get_moment_id (self->job);
  g_autofree char *domain = domain_id == NULL ? NULL : stm_object_path_of_domain (domain_id);
  g_autofree char *moment = domain_id == NULL || moment_id == NULL
                                ? NULL
                                : stm_export_moment_path (self->registry, domain_id, moment_id,
                                                          kind_of (self->job));
  const char *const objects[] = { domain, moment, NULL };

  stemma_job_set_objects (STEMMA_JOB (self), objects);
}

static void
update_end (StmExportJob *self)
{
  StemmaJob *job = STEMMA_JOB (self);
  const GError *error = stm_job_get_error (self->job);
  gboolean is_ours = error != NULL && error->domain == STEMMA_ERROR;
  const char *name = error == NULL
                         ? ""
                         : stemma_error_to_name (is_ours ? error->code : STEMMA_ERROR_FAILED);

  stemma_job_set_error_name (job, name);
  stemma_job_set_error_message (job, error == NULL ? "" : error->message);
  stemma_job_set_result (job, stm_job_get_result (self->job));
}

void
stm_export_job_update (StmExportJob *self)
{
  StemmaJob *job = STEMMA_JOB (self);
  const char *phase = stm_job_get_phase (self->job);

  update_objects (self);
  stemma_job_set_state (job, stm_job_state_to_word (stm_job_get_state (self->job)));
  stemma_job_set_operation (job, stm_job_get_operation (self->job));
  stemma_job_set_phase (job, phase != NULL ? phase : "");
  stemma_job_set_progress (job, stm_job_get_fraction (self->job));
  stemma_job_set_bytes_done (job, stm_job_get_bytes_done (self->job));
  stemma_job_set_bytes_total (job, stm_job_get_bytes_total (self->job));
  stemma_job_set_rate (job, stm_job_get_rate (self->job));
  stemma_job_set_start_time (job, (guint64) stm_job_get_start_time (self->job));
  stemma_job_set_expected_end_time (job, (guint64) stm_job_get_expected_end_time (self->job));
  stemma_job_set_started_by_uid (job, stm_job_get_uid (self->job));
  stemma_job_set_cancelable (job, stm_job_is_cancelable (self->job));
  update_end (self);
}

void
stm_export_job_complete (StmExportJob *self)
{
  StemmaJob *job = STEMMA_JOB (self);

  stemma_job_emit_completed (job, stm_job_get_state (self->job) == STM_JOB_SUCCEEDED,
                             stemma_job_get_error_name (job), stemma_job_get_error_message (job),
                             stm_job_get_result (self->job));
}

static gboolean
handle_cancel (StemmaJob *job, GDBusMethodInvocation *invocation, GVariant *options)
{
  StmExportJob *self = STM_EXPORT_JOB (job);
  g_autoptr (GError) error = NULL;

  if (!stm_options_expect_none (options, &error) || !stm_job_cancel (self->job, &error))
    return stm_export_refuse (invocation, error);

  stemma_job_complete_cancel (job, invocation);
  return TRUE;
}

static void
stm_export_job_dispose (GObject *object)
{
  StmExportJob *self = STM_EXPORT_JOB (object);

  g_clear_object (&self->registry);
  g_clear_object (&self->job);
  G_OBJECT_CLASS (stm_export_job_parent_class)->dispose (object);
}

static void
stm_export_job_iface_init (StemmaJobIface *iface)
{
  iface->handle_cancel = handle_cancel;
}

static void
stm_export_job_class_init (StmExportJobClass *klass)
{
  G_OBJECT_CLASS (klass)->dispose = stm_export_job_dispose;
  stm_gate_install (G_DBUS_INTERFACE_SKELETON_CLASS (klass));
}

static void
stm_export_job_init (StmExportJob *self)
{
}
