/* One life of the service without a bus, in a process of its own: opens the state, settles what is
 * left, does what it is told, tells what it sees, and ends or is killed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef enum
{
  LIFE_LOOK, /* only open, settle and tell */
  LIFE_DEFINE,
  LIFE_CREATE,
  LIFE_REVERT,
  LIFE_DELETE,
  LIFE_UNDEFINE,
} LifeVerb;

typedef enum
{
  FAULT_NONE,
  FAULT_KILL_AT_PHASE, /* the service, right after the journal write `phase` */
  FAULT_KILL_SERVICE,  /* the service, `delay` microseconds after the intent */
  FAULT_KILL_ENDPOINT, /* its QEMU, `delay` microseconds after the intent */
} Fault;

typedef struct
{
  LifeVerb verb;
  const char *name;  /* of the snapshot; the XML for define */
  const char *disk;  /* create: only this disk; NULL: all */
  const char *keep;  /* revert */
  gboolean discards; /* revert */
  int scope;         /* delete: StmDeleteScope; undefine: StmMomentsChoice */
  Fault fault;
  const char *phase; /* "delete:intent" */
  guint delay;
} LifeCommand;

typedef struct
{
  gboolean was_killed;
  int code; /* StemmaError of the command, -1 for success, -2 when it was not answered */
  char *message;
  GKeyFile *seen; /* what the service showed at its end; NULL when it was killed. Groups "domain"
                   * (current, source.<target>, findings, health) and one per snapshot by name
                   * (parent, state, <target> = frozen image) */
} LifeResult;

LifeResult *life_run (const char *directory, const LifeCommand *command);
void life_result_free (LifeResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LifeResult, life_result_free)
