/* Reads the properties of many objects at a time: of a chosen few, or of a tree whose objects do
 * not fit one message.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

G_BEGIN_DECLS

/**
 * stemma_bulk_read_sync:
 * @client: a client
 * @paths: (array zero-terminated=1): object paths
 * @interface: an interface, without the prefix `org.stemma1.`
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Reads all properties of objects. Those that are not there any more are left out.
 *
 * Returns: (transfer full) (element-type utf8 GVariant): properties, `a{sv}`, by path; or %NULL
 * with
 *   @error set
 */
GHashTable *
stemma_bulk_read_sync (StemmaClient *client, const char *const *paths, const char *interface,
                       GCancellable *cancellable, GError **error);

G_END_DECLS
