/* Which disks a new snapshot takes, and how.
 *
 * Only the planner of snapshots includes it. Pure, main loop.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-planner.h"

/* A disk that is taken. Borrowed from the domain and the request. */
typedef struct
{
  const StmDisk *disk;
  StmDiskMode mode; /* EXTERNAL or INTERNAL */
  const char *file; /* the overlay's path when the client chose it, else NULL */
} StmPick;

/* StmPick, in the order of the domain's disks, one at least. NOT_FOUND, INVALID_ARGUMENT, or
 * NOT_SUPPORTED with the way out for what cannot be taken like that. */
GArray *
stm_create_pick_disks (const StmDomain *domain, const StmCreateRequest *request, GError **error);
