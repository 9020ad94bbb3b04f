/* Keeps model and store in step. Owns the model; lives on the main loop; knows no image and no job.
 * Changes of different domains may be under way in the store at once: what such a pair could get
 * wrong together (a name, an image) is refused here, before the second is written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-ledger.h"

#include "stemma-error.h"

struct _StmLedger
{
  GObject parent_instance;

  StmStore *store;
  StmModel *model;
  GPtrArray *in_flight; /* StmChange: written but not yet applied */
  guint64 last_generation;
};

G_DEFINE_FINAL_TYPE (StmLedger, stm_ledger, G_TYPE_OBJECT)

enum
{
  SIGNAL_CHANGED,
  N_SIGNALS
};

static guint signals[N_SIGNALS];

/* The first of the images of `a` that `b` records too, unless both have it as a backing image. */
static gboolean
images_conflict (const StmChange *a, const StmChange *b, const char **out_path)
{
  g_autoptr (GHashTable) others = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < b->put_images->len && a->put_images->len > 0; i++)
    {
      StmImage *other = g_ptr_array_index (b->put_images, i);

      g_hash_table_insert (others, (char *) other->path, other);
    }
  for (guint i = 0; i < a->put_images->len; i++)
    {
      const StmImage *mine = g_ptr_array_index (a->put_images, i);
      const StmImage *other = g_hash_table_lookup (others, mine->path);

      if (other == NULL
          || (mine->origin == STM_IMAGE_BACKING && other->origin == STM_IMAGE_BACKING))
        continue;
      *out_path = mine->path;
      return TRUE;
    }

  return FALSE;
}

/* Two changes of one domain are never under way together, its queue sees to that; two domains can
 * still reach for one name or one image. */
static gboolean
check_in_flight (StmLedger *self, const StmChange *change, GError **error)
{
  for (guint i = 0; i < self->in_flight->len; i++)
    {
      const StmChange *other = g_ptr_array_index (self->in_flight, i);
      const char *path = NULL;

      if (g_str_equal (other->domain_id, change->domain_id))
        continue;
      if (change->domain != NULL && other->domain != NULL
          && g_str_equal (change->domain->name, other->domain->name))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
                       "a domain named '%s' is being recorded: choose another name",
                       change->domain->name);
          return FALSE;
        }
      if (images_conflict (change, other, &path))
        {
          g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_BUSY,
                       "image '%s' is being recorded for another domain: try again", path);
          return FALSE;
        }
    }
  return TRUE;
}

static void
on_written (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  StmLedger *self = g_task_get_source_object (task);
  StmChange *change = g_task_get_task_data (task);
  g_autoptr (GError) error = NULL;
  gboolean is_durable = stm_store_write_finish (STM_STORE (source), result, &error);

  if (change != NULL)
    {
      if (is_durable)
        {
          stm_model_apply (self->model, change);
          g_signal_emit (self, signals[SIGNAL_CHANGED], 0, change);
        }
      g_ptr_array_remove (self->in_flight, change);
    }
  if (is_durable)
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, g_steal_pointer (&error));
}

void
stm_ledger_commit_async (StmLedger *self, StmChange *change, StmJournalAction action,
                         const StmJournalEntry *entry, GAsyncReadyCallback callback,
                         gpointer user_data)
{
  g_autoptr (GTask) task = g_task_new (self, NULL, callback, user_data);
  g_autoptr (GError) error = NULL;

  g_task_set_source_tag (task, stm_ledger_commit_async);
  if (change != NULL && stm_change_is_empty (change))
    change = NULL;
  if (change != NULL)
    {
      if (!stm_model_check (self->model, change, &error) || !check_in_flight (self, change, &error))
        {
          g_task_return_error (task, g_steal_pointer (&error));
          return;
        }
      /* One counter for the service and all domains: a domain that is removed and defined again
       * never shows a number that a client has seen. */
      change->service_generation = ++self->last_generation;
      change->generation = change->service_generation;
      g_ptr_array_add (self->in_flight, stm_change_ref (change));
      g_task_set_task_data (task, stm_change_ref (change), (GDestroyNotify) stm_change_unref);
    }
  stm_store_write_async (self->store, change, action, entry, on_written, g_steal_pointer (&task));
}

gboolean
stm_ledger_commit_finish (StmLedger *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

const StmModel *
stm_ledger_get_model (StmLedger *self)
{
  return self->model;
}

StmStore *
stm_ledger_get_store (StmLedger *self)
{
  return self->store;
}

StmLedger *
stm_ledger_new (StmStore *store, StmStoreContent *content, GError **error)
{
  StmLedger *self = g_object_new (STM_TYPE_LEDGER, NULL);

  self->store = g_object_ref (store);
  self->model = g_steal_pointer (&content->model);
  /* A service whose last domain is gone has no change that carries it. */
  self->last_generation = MAX (stm_model_service_generation (self->model),
                               content->service_generation);
  return self;
}

static void
stm_ledger_finalize (GObject *object)
{
  StmLedger *self = STM_LEDGER (object);

  g_clear_pointer (&self->model, stm_model_free);
  g_clear_pointer (&self->in_flight, g_ptr_array_unref);
  g_clear_object (&self->store);
  G_OBJECT_CLASS (stm_ledger_parent_class)->finalize (object);
}

static void
stm_ledger_class_init (StmLedgerClass *class)
{
  G_OBJECT_CLASS (class)->finalize = stm_ledger_finalize;
  signals[SIGNAL_CHANGED] = g_signal_new ("changed", STM_TYPE_LEDGER, G_SIGNAL_RUN_LAST, 0, NULL,
                                          NULL, NULL, G_TYPE_NONE, 1, G_TYPE_POINTER);
}

static void
stm_ledger_init (StmLedger *self)
{
  self->in_flight = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_change_unref);
}
