/* StmEndpointSeries: small works on many images, one after the other, through as few endpoints as
 * can be: to start one takes longer than the work.
 *
 * One worker at a time; for one verb of the driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-block-endpoint.h"

/* Images that one endpoint is given. */
#define STM_ENDPOINT_SERIES_MAX_IMAGES 256

typedef struct _StmEndpointSeries StmEndpointSeries;

/* Starts nothing yet; `setup` is borrowed. */
StmEndpointSeries *stm_endpoint_series_new (const StmQemuSetup *setup);
/* Ends what still runs. */
void stm_endpoint_series_free (StmEndpointSeries *self);
const StmQemuSetup *stm_endpoint_series_get_setup (const StmEndpointSeries *self);

/* What is done to an image while it is open for writing. */
typedef gboolean (*StmEndpointWork) (StmBlockEndpoint *endpoint, StmBlockNode node,
                                     gconstpointer data, GError **error);

/* Opens a qcow2 image for writing, alone, without what it stands on, does the work, and closes it:
 * when this returns, nothing of the image is held back and no lock is left, whether it went well or
 * not. The descriptor as for stm_block_endpoint_add_image_sync(); `path` is for messages. A failure
 * has no bearing on the images that follow. */
gboolean stm_endpoint_series_run_sync (StmEndpointSeries *self, const char *path, int fd,
                                       StmEndpointWork work, gconstpointer data, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmEndpointSeries, stm_endpoint_series_free)
