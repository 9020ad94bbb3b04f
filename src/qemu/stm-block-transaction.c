/* Builds the one command that QEMU does wholly or not at all.
 *
 * Called on the endpoint's worker. Holds no state on images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-block-transaction.h"

struct _StmBlockTransaction
{
  JsonArray *actions;
};

StmBlockTransaction *
stm_block_transaction_new (void)
{
  StmBlockTransaction *self = g_new0 (StmBlockTransaction, 1);

  self->actions = json_array_new ();
  return self;
}

void
stm_block_transaction_free (StmBlockTransaction *self)
{
  if (self == NULL)
    return;
  json_array_unref (self->actions);
  g_free (self);
}

/* Takes the data. */
static void
add_action (StmBlockTransaction *self, const char *type, JsonObject *data)
{
  JsonObject *action = json_object_new ();

  json_object_set_string_member (action, "type", type);
  json_object_set_object_member (action, "data", data);
  json_array_add_object_element (self->actions, action);
}

void
stm_block_transaction_add_snapshot (StmBlockTransaction *self, StmBlockNode base,
                                    StmBlockNode overlay)
{
  JsonObject *data = json_object_new ();

  stm_block_endpoint_set_node (data, "node", base);
  stm_block_endpoint_set_node (data, "overlay", overlay);
  add_action (self, "blockdev-snapshot", data);
}

void
stm_block_transaction_add_bitmap (StmBlockTransaction *self, StmBlockNode node, const char *name,
                                  guint granularity, StmBlockBitmapState state)
{
  JsonObject *data = json_object_new ();

  stm_block_endpoint_set_node (data, "node", node);
  json_object_set_string_member (data, "name", name);
  json_object_set_boolean_member (data, "persistent", TRUE);
  json_object_set_boolean_member (data, "disabled", state == STM_BLOCK_BITMAP_RESTING);
  if (granularity != 0)
    json_object_set_int_member (data, "granularity", granularity);
  add_action (self, "block-dirty-bitmap-add", data);
}

void
stm_block_transaction_merge_bitmap (StmBlockTransaction *self, StmBlockNode from, StmBlockNode into,
                                    const char *name)
{
  JsonObject *data = json_object_new ();
  JsonObject *source = json_object_new ();
  JsonArray *sources = json_array_new ();

  stm_block_endpoint_set_node (source, "node", from);
  json_object_set_string_member (source, "name", name);
  json_array_add_object_element (sources, source);
  stm_block_endpoint_set_node (data, "node", into);
  json_object_set_string_member (data, "target", name);
  json_object_set_array_member (data, "bitmaps", sources);
  add_action (self, "block-dirty-bitmap-merge", data);
}

void
stm_block_transaction_add_tag (StmBlockTransaction *self, StmBlockNode node, const char *name)
{
  JsonObject *data = json_object_new ();

  stm_block_endpoint_set_node (data, "device", node);
  json_object_set_string_member (data, "name", name);
  add_action (self, "blockdev-snapshot-internal-sync", data);
}

gboolean
stm_block_transaction_run_sync (const StmBlockTransaction *self, StmBlockEndpoint *endpoint,
                                const char *attempt, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (self != NULL && endpoint != NULL, FALSE);

  if (json_array_get_length (self->actions) == 0)
    return TRUE;

  g_autoptr (JsonObject) arguments = json_object_new ();

  json_object_set_array_member (arguments, "actions", json_array_ref (self->actions));

  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (endpoint, "transaction", arguments,
                                                                 attempt, cancellable, error);

  return result != NULL;
}
