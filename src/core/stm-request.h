/* The requests of clients as typed values, made by daemon/ from options and by core/ from XML.
 * Plain structs on the caller's side; all pointers borrowed for the time of the call, copied by the
 * operation that keeps them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-moment.h"

/* What a document says of one disk. */
typedef struct
{
  const char *target;
  StmDiskMode mode; /* NONE: leave it out */
  const char *file; /* of an external one: the new overlay's path; NULL: chosen */
} StmDiskChoice;

typedef struct
{
  const char *name; /* may be empty: then the time in decimal seconds, made unique */
  const char *description;
  const char *const *disks;     /* targets; NULL: all writable disks with media */
  StmDiskMode mode;             /* of the disks that no choice names: NONE is taken as EXTERNAL */
  const StmDiskChoice *choices; /* of a <domainsnapshot>: single disks by target, each once; those
                                 * not named here are taken by the rule above */
  gsize n_choices;
  const char *checkpoint; /* name of a checkpoint made at the same instant; NULL: none */
} StmCreateRequest;

typedef struct
{
  const char *name; /* as above */
  const char *description;
  const char *const *disks; /* as above */
  const char *parent_id;    /* NULL: the lone reachable leaf, if any */
} StmCreateCheckpointRequest;

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

/* Records of moments from documents; no image is changed. Exactly one of `documents` and `fd`. */
typedef struct
{
  StmMomentKind kind;
  const char *const *documents; /* texts, in any order */
  int fd;                /* -1, or to be read to its end: texts, each ended by a NUL byte; taken */
  const char *current;   /* name of the snapshot that becomes current; NULL: as it is */
  gboolean sets_current; /* the only document's snapshot becomes current */
  gboolean validates;    /* look at the images, and refuse what they do not bear out */
} StmRedefineRequest;

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

/* Copies, with all that they point to. */
StmCreateRequest *stm_create_request_copy (const StmCreateRequest *self);
void stm_create_request_free (StmCreateRequest *self);
StmCreateCheckpointRequest *
stm_create_checkpoint_request_copy (const StmCreateCheckpointRequest *self);
void stm_create_checkpoint_request_free (StmCreateCheckpointRequest *self);
StmRevertRequest *stm_revert_request_copy (const StmRevertRequest *self);
void stm_revert_request_free (StmRevertRequest *self);
StmDeleteRequest *stm_delete_request_copy (const StmDeleteRequest *self);
void stm_delete_request_free (StmDeleteRequest *self);
