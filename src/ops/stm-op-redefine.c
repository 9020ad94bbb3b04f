/* Records moments from libvirt's documents, all of a call as one change: decided in
 * core/stm-redefine.c. The documents are read and parsed on a worker, be they given or in a
 * descriptor; images are looked at only when they are not on record, or when that is asked for.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-op-private.h"

#include "stemma-error.h"
#include "stm-redefine.h"

#include "stm-documents.h"

#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

/* Documents of a call, beyond which their memory is worth giving back to the system: it is as much
 * again as what stays of them. */
#define MANY_DOCUMENTS 1000

#define STM_TYPE_OP_REDEFINE stm_op_redefine_get_type ()
G_DECLARE_FINAL_TYPE (StmOpRedefine, stm_op_redefine, STM, OP_REDEFINE, StmOp)

/* Documents up to this size together take less time than the way to a worker and back. */
#define LITTLE 65536 /* bytes */

struct _StmOpRedefine
{
  StmOp parent_instance;

  StmRedefinition *redefinition;
  GStrv documents; /* NULL: from the descriptor */
  int fd;          /* -1: none, or read already */
};

G_DEFINE_FINAL_TYPE (StmOpRedefine, stm_op_redefine, STM_TYPE_OP)

static gboolean
add_document (const char *text, gsize length, gpointer user_data, GError **error)
{
  return stm_redefinition_add (user_data, text, error);
}

static gboolean
read_descriptor (StmOpRedefine *self, GCancellable *cancellable, GError **error)
{
  gboolean is_read = stm_documents_read_sync (self->fd, STM_DOCUMENTS_SILENCE, add_document,
                                              self->redefinition, cancellable, error);

  close (self->fd);
  self->fd = -1;
  return is_read;
}

/* `reader` may be NULL. */
static gboolean
add_given (StmOpRedefine *self, StmMomentReader *reader, GCancellable *cancellable, GError **error)
{
  for (guint i = 0; self->documents != NULL && self->documents[i] != NULL; i++)
    {
      if (g_cancellable_is_cancelled (cancellable))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CANCELLED,
                       "the redefinition was cancelled");
          return FALSE;
        }
      if (reader != NULL
              ? !stm_redefinition_add_with (self->redefinition, reader, self->documents[i], error)
              : !stm_redefinition_add (self->redefinition, self->documents[i], error))
        return FALSE;
    }
  g_clear_pointer (&self->documents, g_strfreev);
  return TRUE;
}

static gboolean
read_documents (StmOp *op, GCancellable *cancellable, GError **error)
{
  StmOpRedefine *self = STM_OP_REDEFINE (op);

  if (self->fd >= 0)
    return read_descriptor (self, cancellable, error);
  return add_given (self, /* reader= */ NULL, cancellable, error);
}

static gboolean
read_little (StmOp *op, StmMomentReader *reader, GError **error)
{
  return add_given (STM_OP_REDEFINE (op), reader, /* cancellable= */ NULL, error);
}

static gboolean
reads_little (StmOp *op)
{
  StmOpRedefine *self = STM_OP_REDEFINE (op);
  gsize length = 0;

  for (guint i = 0; self->documents != NULL && self->documents[i] != NULL && length <= LITTLE; i++)
    length += strlen (self->documents[i]);
  return self->documents != NULL && length <= LITTLE;
}

static StmSpellings *
list_paths (StmOp *op, const StmModel *model)
{
  return stm_redefinition_list_paths (STM_OP_REDEFINE (op)->redefinition, model,
                                      stm_op_get_domain_id (op));
}

static gboolean
prepare (StmOp *op, const StmModel *model, GPtrArray **out_images, GError **error)
{
  return stm_redefinition_prepare (STM_OP_REDEFINE (op)->redefinition, model,
                                   stm_op_get_domain_id (op), out_images, error);
}

static GPtrArray *
list_texts (StmOp *op, const StmModel *model)
{
  return stm_redefinition_list_definitions (STM_OP_REDEFINE (op)->redefinition);
}

static void
take_text (StmOp *op, const char *hash, const char *text)
{
  stm_redefinition_take_definition (STM_OP_REDEFINE (op)->redefinition, hash, text);
}

static gboolean
needs_look (StmOp *op)
{
  return stm_redefinition_needs_look (STM_OP_REDEFINE (op)->redefinition);
}

static gboolean
look (StmOp *op, StmDriver *driver, const StmPathPolicy *policy, GCancellable *cancellable,
      GError **error)
{
  StmRedefinition *redefinition = STM_OP_REDEFINE (op)->redefinition;

  return !stm_redefinition_needs_look (redefinition)
         || stm_redefinition_look (redefinition, driver, policy, cancellable, error);
}

static StmPlan *
plan (StmOp *op, const StmModel *model, const StmSurvey *survey, const StmPlanContext *context,
      GError **error)
{
  return stm_redefinition_plan (STM_OP_REDEFINE (op)->redefinition, model, survey, context, error);
}

StmOp *
stm_op_redefine_new (const char *domain_id, const StmRedefineRequest *request)
{
  StmOpRedefine *self = g_object_new (STM_TYPE_OP_REDEFINE, NULL);

  stm_op_init_base (STM_OP (self), STM_OPERATION_REDEFINE, domain_id);
  self->redefinition = stm_redefinition_new (request);
  self->fd = request->fd;
  if (request->fd < 0)
    self->documents = g_strdupv ((GStrv) request->documents);
  return STM_OP (self);
}

const char *const *
stm_op_redefine_get_ids (StmOp *op)
{
  return stm_redefinition_get_ids (STM_OP_REDEFINE (op)->redefinition);
}

static void
give_memory_back (void)
{
#ifdef __GLIBC__
  malloc_trim (0);
#endif
}

static guint
count_documents (const StmOpRedefine *self)
{
  const char *const *ids = stm_redefinition_get_ids (self->redefinition);

  return ids != NULL ? g_strv_length ((GStrv) ids) : 0;
}

static void
stm_op_redefine_finalize (GObject *object)
{
  StmOpRedefine *self = STM_OP_REDEFINE (object);
  gboolean is_large = count_documents (self) > MANY_DOCUMENTS;

  if (self->fd >= 0)
    close (self->fd);
  g_strfreev (self->documents);
  stm_redefinition_free (self->redefinition);
  if (is_large)
    give_memory_back ();
  G_OBJECT_CLASS (stm_op_redefine_parent_class)->finalize (object);
}

static void
stm_op_redefine_class_init (StmOpRedefineClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_op_redefine_finalize;
  STM_OP_CLASS (class)->read = read_documents;
  STM_OP_CLASS (class)->reads_little = reads_little;
  STM_OP_CLASS (class)->read_little = read_little;
  STM_OP_CLASS (class)->list_paths = list_paths;
  STM_OP_CLASS (class)->prepare = prepare;
  STM_OP_CLASS (class)->list_texts = list_texts;
  STM_OP_CLASS (class)->take_text = take_text;
  STM_OP_CLASS (class)->needs_look = needs_look;
  STM_OP_CLASS (class)->look = look;
  STM_OP_CLASS (class)->plan = plan;
}

static void
stm_op_redefine_init (StmOpRedefine *self)
{
  self->fd = -1;
}
