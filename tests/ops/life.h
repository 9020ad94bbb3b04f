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
  LIFE_CREATE_CHECKPOINT,
  LIFE_DELETE_CHECKPOINT,
  LIFE_FORGET,   /* all moments of the kind `scope` */
  LIFE_REDEFINE, /* forget all of the kind `scope`, then all of them again from their documents */
} LifeVerb;

typedef enum
{
  FAULT_NONE,
  FAULT_KILL_AT_PHASE, /* the service, right after the journal write `phase` */
  FAULT_KILL_SERVICE,  /* the service, `delay` microseconds after the intent */
  FAULT_KILL_ENDPOINT, /* its QEMU, `delay` microseconds after the intent or as soon as it has one
                        */
  FAULT_HURT,          /* hurt (data) is called right after the journal write `phase`, NULL: before
                        * the command */
} Fault;

/* Called in the service's process. */
typedef void (*LifeCall) (gpointer data);
typedef gboolean (*LifeQuestion) (gpointer data);

typedef struct LifeCommand
{
  LifeVerb verb;
  const char *name;       /* of the snapshot; the XML for define */
  const char *disk;       /* create: only this disk; NULL: all */
  int mode;               /* create: StmDiskMode of all disks, 0 for the default */
  const char *internal;   /* create: this disk internal, the other by `mode` */
  const char *checkpoint; /* create: made with it */
  const char *keep;       /* revert */
  gboolean discards;      /* revert */
  int scope;              /* delete: StmDeleteScope; undefine: StmMomentsChoice */
  Fault fault;
  const char *phase; /* "delete:intent" */
  guint delay;
  LifeQuestion is_due; /* (data): FAULT_KILL_SERVICE and _ENDPOINT not before; NULL: by the delay
                        * alone. Called on a thread of its own */
  LifeCall hurt;
  LifeCall mend;        /* called when the command has ended */
  gboolean tries_again; /* then what is not settled is tried again by Resolve */
  gboolean gives_up;    /* then what is not settled is abandoned by Resolve */
  gpointer data;
  const struct LifeCommand *beside; /* submitted in the same moment; without a fault of its own */
} LifeCommand;

typedef struct
{
  gboolean was_killed;
  int code; /* StemmaError of the command, -1 for success, -2 when it was not answered */
  char *message;
  int beside_code; /* as `code` */
  GKeyFile *seen;  /* what the service showed at its end; NULL when it was killed. Groups "domain"
                    * (current, source.<target>, findings), "result" (health of the service), one per
                    * snapshot by name (parent, state, <target> = frozen image, tag.<target>), and
                    * one per checkpoint as "checkpoint <name>" (parent, health, <target> = home,
                    * bitmap.<target>) */
} LifeResult;

LifeResult *life_run (const char *directory, const LifeCommand *command);
void life_result_free (LifeResult *result);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (LifeResult, life_result_free)
