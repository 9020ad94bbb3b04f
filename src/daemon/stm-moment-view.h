/* StmMomentView: what the bus shows of one moment, as D-Bus values.
 *
 * The one place where properties of snapshots and checkpoints are made: for Properties.Get and
 * GetAll, for GetManagedObjects, and for the signals, so that they cannot differ. Pure; a view
 * lives on the stack and borrows what it shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-entry-cache.h"
#include "stm-tree.h"

#include <gio/gio.h>

typedef struct
{
  StmEntryCache *cache;    /* of this domain path */
  const char *domain_path; /* must outlive the cache */
  const StmMoment *moment;
  guint n_children;
  gboolean is_current;
} StmMomentView;

/* As the tree, which has the moment, shows it. */
void stm_moment_view_init (StmMomentView *self, StmEntryCache *cache, const char *domain_path,
                           const StmTree *tree, const StmMoment *moment);

/* What gdbus-codegen made of the introspection XML; static. */
GDBusInterfaceInfo *stm_moment_interface (StmMomentKind kind);

/* The caller owns it; NULL when the interface has no such property. */
GVariant *stm_moment_view_get (const StmMomentView *self, const char *property);
/* All properties, a{sv}, floating. */
GVariant *stm_moment_view_get_all (const StmMomentView *self);
/* Those of `now` that differ, a{sv}, floating; NULL when none does. */
GVariant *stm_moment_view_compare (const StmMomentView *before, const StmMomentView *now);
