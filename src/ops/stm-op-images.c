/* The operations that work on images: each is a request that is kept, and the pair of planners in
 * core/ that decides what it means. Main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

/* The planners of one kind of operation, by way of an untyped request. */
typedef struct
{
  StmOperation operation;
  GPtrArray *(*prepare) (const StmModel *model, const char *domain_id, gconstpointer request,
                         GError **error);
  StmPlan *(*plan) (const StmModel *model, const StmSurvey *survey, const char *domain_id,
                    gconstpointer request, const StmPlanContext *context, GError **error);
  gpointer (*copy_request) (gconstpointer request);
  void (*free_request) (gpointer request);
} Planners;

#define STM_TYPE_OP_IMAGES stm_op_images_get_type ()
G_DECLARE_FINAL_TYPE (StmOpImages, stm_op_images, STM, OP_IMAGES, StmOp)

struct _StmOpImages
{
  StmOp parent_instance;

  const Planners *planners;
  gpointer request;
  StmSpellings *spellings; /* of the files that overlays are to be; NULL until they are listed */
};

G_DEFINE_FINAL_TYPE (StmOpImages, stm_op_images, STM_TYPE_OP)

static StmSpellings *
list_paths (StmOp *op, const StmModel *model)
{
  StmOpImages *self = STM_OP_IMAGES (op);
  const StmCreateRequest *request = self->request;

  if (self->planners->operation != STM_OPERATION_CREATE || request->n_choices == 0)
    return NULL;
  if (self->spellings == NULL)
    self->spellings = stm_spellings_new ();
  for (gsize i = 0; i < request->n_choices; i++)
    stm_spellings_add (self->spellings, model, stm_op_get_domain_id (op), request->choices[i].file);
  return self->spellings;
}

static void
take_paths (StmOpImages *self)
{
  const StmCreateRequest *request = self->request;

  for (gsize i = 0; i < request->n_choices; i++)
    {
      StmDiskChoice *choice = (StmDiskChoice *) &request->choices[i];
      char *real = g_strdup (stm_spellings_get (self->spellings, choice->file));

      g_free ((char *) choice->file);
      choice->file = real;
    }
}

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  StmOpImages *self = STM_OP_IMAGES (op);

  if (self->spellings != NULL)
    take_paths (self);
  *out_images = self->planners->prepare (model, stm_op_get_domain_id (op), self->request, error);
  return *out_images != NULL;
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  StmOpImages *self = STM_OP_IMAGES (op);

  return self->planners->plan (model, survey, stm_op_get_domain_id (op), self->request, context,
                               error);
}

static StmOp *
op_images_new (const Planners *planners, const char *domain_id, gconstpointer request)
{
  StmOpImages *self = g_object_new (STM_TYPE_OP_IMAGES, NULL);

  stm_op_init_base (STM_OP (self), planners->operation, domain_id);
  self->planners = planners;
  self->request = planners->copy_request (request);
  return STM_OP (self);
}

static void
stm_op_images_finalize (GObject *object)
{
  StmOpImages *self = STM_OP_IMAGES (object);

  self->planners->free_request (self->request);
  stm_spellings_free (self->spellings);
  G_OBJECT_CLASS (stm_op_images_parent_class)->finalize (object);
}

static void
stm_op_images_class_init (StmOpImagesClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_images_finalize;
  STM_OP_CLASS (class)->list_paths = list_paths;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_images_init (StmOpImages *self)
{
}

static StmUndefineRequest *
stm_undefine_request_copy (const StmUndefineRequest *request)
{
  return g_memdup2 (request, sizeof *request);
}

static void
stm_undefine_request_free (StmUndefineRequest *request)
{
  g_free (request);
}

/* stm_op_<verb>_new(): the planners stm_plan_<verb>(), stm_plan_<verb>_prepare(), and the copy
 * functions stm_<request>_copy(), _free(). */
#define DEFINE_OP(verb, OPERATION, Request, request)                                               \
  static GPtrArray *prepare_##verb (const StmModel *model, const char *domain_id,                  \
                                    gconstpointer wanted, GError **error)                          \
  {                                                                                                \
    return stm_plan_##verb##_prepare (model, domain_id, wanted, error);                            \
  }                                                                                                \
  static StmPlan *plan_##verb (const StmModel *model, const StmSurvey *survey,                     \
                               const char *domain_id, gconstpointer wanted,                        \
                               const StmPlanContext *context, GError **error)                      \
  {                                                                                                \
    return stm_plan_##verb (model, survey, domain_id, wanted, context, error);                     \
  }                                                                                                \
  static gpointer copy_for_##verb (gconstpointer wanted)                                           \
  {                                                                                                \
    return stm_##request##_copy (wanted);                                                          \
  }                                                                                                \
  static void free_for_##verb (gpointer wanted)                                                    \
  {                                                                                                \
    stm_##request##_free (wanted);                                                                 \
  }                                                                                                \
  StmOp *stm_op_##verb##_new (const char *domain_id, const Request *wanted)                        \
  {                                                                                                \
    static const Planners planners = { STM_OPERATION_##OPERATION, prepare_##verb, plan_##verb,     \
                                       copy_for_##verb, free_for_##verb };                         \
                                                                                                   \
    return op_images_new (&planners, domain_id, wanted);                                           \
  }

/* clang-format off */
DEFINE_OP (create, CREATE, StmCreateRequest, create_request)
DEFINE_OP (revert, REVERT, StmRevertRequest, revert_request)
DEFINE_OP (delete, DELETE, StmDeleteRequest, delete_request)
DEFINE_OP (undefine, UNDEFINE, StmUndefineRequest, undefine_request)
DEFINE_OP (create_checkpoint, CREATE_CHECKPOINT, StmCreateCheckpointRequest, create_checkpoint_request)
DEFINE_OP (delete_checkpoint, DELETE_CHECKPOINT, StmDeleteRequest, delete_request)
/* clang-format on */
