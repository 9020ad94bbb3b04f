/* Reads snapshots or checkpoints of a domain with all their properties, however many there are. One
 * thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stemma-client.h"

G_BEGIN_DECLS

/**
 * stemma_moments_read_sync:
 * @client: a client
 * @kind: which moments
 * @domain: the object path of their domain
 * @options: (nullable): `a{sv}`, what the method List takes; a floating reference is consumed
 * @cancellable: (nullable): a #GCancellable
 * @error: return location for an error
 *
 * Reads moments, in the order that the options ask for. They are read in pages: what changes
 * meanwhile may be seen or not.
 *
 * Returns: (transfer full) (element-type GVariant): `(oa{sv})` of each, or %NULL with @error set
 */
GPtrArray *stemma_moments_read_sync (StemmaClient *client, StemmaKind kind, const char *domain,
                                     GVariant *options, GCancellable *cancellable, GError **error);

G_END_DECLS
