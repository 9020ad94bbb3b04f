/* Short ways to redefinitions for tests: documents from a few words, a driver that knows headers
 * only, and all acts in one call.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-model.h"
#include "stm-redefine.h"
#include "stm-samples.h"

#define KIT_DOMAIN STM_SAMPLE_ALPHA
#define KIT_UUID "d0000000-0000-0000-0000-000000000001"

/* A <domain> of one disk vda with this source; `extra` goes beside <devices>. */
char *kit_domain (const char *source, const char *format, const char *extra);

/* A document. `disks` is the content of <disks>, NULL: none; so are parent and domain. */
char *kit_snapshot (const char *name, const char *parent, const char *state, const char *disks,
                    const char *domain);
char *kit_checkpoint (const char *name, const char *parent, const char *disks, const char *domain);

/* Images as a driver would find them. */
#define KIT_TYPE_DRIVER kit_driver_get_type ()
G_DECLARE_FINAL_TYPE (KitDriver, kit_driver, KIT, DRIVER, GObject)

KitDriver *kit_driver_new (void);
void kit_driver_add (KitDriver *self, const char *path, const char *format, const char *backing);
void kit_driver_add_tag (KitDriver *self, const char *path, const char *tag);
void
kit_driver_add_bitmap (KitDriver *self, const char *path, const char *bitmap, gboolean is_broken);
guint kit_driver_n_walks (const KitDriver *self);

/* Redefines, through all acts, and applies what came of it; the model is then validated. NULL when
 * all went well, else the refusal, after which the model must be as before. `driver` may be NULL
 * when none is to be asked; `stored` is what the store would know: hash -> text, may be NULL. */
GError *kit_redefine (StmModel *model, const StmRedefineRequest *request,
                      const char *const *documents, KitDriver *driver, GHashTable *stored);
/* The same for one document without options. */
GError *kit_redefine_one (StmModel *model, StmMomentKind kind, const char *document);

const StmMoment *kit_find (const StmModel *model, StmMomentKind kind, const char *name);
/* The tree as text: "a(b c(d)) e", children by name; the current one with a star. */
char *kit_tree (const StmModel *model, StmMomentKind kind);

/* The store's part of a change: what it would know afterwards. */
void kit_store_definition (GHashTable *stored, const char *text);
