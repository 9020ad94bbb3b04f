/* The requests of clients as typed values, made by daemon/ from options and by core/ from XML.
 * Plain structs on the caller's side; all pointers borrowed for the time of the call, copied by the
 * operation that keeps them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"

typedef struct
{
  const char *name; /* may be empty: then the time in decimal seconds, made unique */
  const char *description;
  const char *const *disks; /* targets; NULL: all writable disks with media */
} StmCreateRequest;

typedef struct
{
  const char *moment_id;
  const char *keep; /* name of the snapshot that the state being left becomes; NULL: none */
  gboolean discards;
  gboolean forces;
} StmRevertRequest;

typedef enum
{
  STM_DELETE_ONE,
  STM_DELETE_SUBTREE,
  STM_DELETE_CHILDREN, /* the descendants, not itself */
} StmDeleteScope;

typedef struct
{
  const char *moment_id;
  StmDeleteScope scope;
  gboolean metadata_only; /* forgets the moments, touches no image */
} StmDeleteRequest;

typedef enum
{
  STM_MOMENTS_REFUSE,
  STM_MOMENTS_FORGET,
  STM_MOMENTS_DELETE,
} StmMomentsChoice;

typedef struct
{
  StmMomentsChoice moments;
} StmUndefineRequest;
