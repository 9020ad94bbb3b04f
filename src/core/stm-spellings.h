/* StmSpellings: the paths that a request gives, and by which path records know the same file.
 *
 * A path may lead through symbolic links, as the definition of a machine may; records have none, so
 * that no file is on record twice. Filled on the main loop, resolved on a worker, then asked; by
 * one thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-model.h"

typedef struct _StmSpellings StmSpellings;

StmSpellings *stm_spellings_new (void);
void stm_spellings_free (StmSpellings *self);

/* Notes a path; nothing to do for one that is on record or is no plain path. */
void stm_spellings_add (StmSpellings *self, const StmModel *model, const char *domain_id,
                        const char *path);
/* Whether some path is noted and not resolved. */
gboolean stm_spellings_is_due (const StmSpellings *self);

/* Worker. CANCELLED. */
gboolean stm_spellings_resolve (StmSpellings *self, StmDriver *driver, const StmPathPolicy *policy,
                                GCancellable *cancellable, GError **error);

/* The path to use instead, which the policy allows, or `path` itself. Borrowed from either; NULL
 * for NULL. */
const char *stm_spellings_get (const StmSpellings *self, const char *path);
/* The same whatever the policy says: for what is not opened on the word of the path alone. Never to
 * be shown, for the client may not know where the link leads. */
const char *stm_spellings_get_real (const StmSpellings *self, const char *path);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmSpellings, stm_spellings_free)
