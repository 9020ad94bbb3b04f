/* StmRedefinition: records of moments from libvirt's documents, all documents of a call as one
 * change of the model.
 *
 * Its acts, in this order: filled (one thread), its paths listed (main loop) and perhaps resolved
 * (worker), prepared (main loop), perhaps looked (worker), planned (main loop). Between preparing
 * and planning nothing of the domain changes but the health of its moments: the operation is at the
 * head of its queue. No image is changed.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "stm-moment-xml.h"
#include "stm-planner.h"
#include "stm-spellings.h"

typedef struct _StmRedefinition StmRedefinition;

/* The documents and the descriptor of the request are not read, only whether they are many. */
StmRedefinition *stm_redefinition_new (const StmRedefineRequest *request);
void stm_redefinition_free (StmRedefinition *self);

/* --- filled --- */

/* Reads one document. INVALID_XML, NOT_SUPPORTED, TOO_MANY, TOO_LARGE; names the document. */
gboolean stm_redefinition_add (StmRedefinition *self, const char *text, GError **error);
/* The same with a reader that has seen the documents of other calls. */
gboolean stm_redefinition_add_with (StmRedefinition *self, StmMomentReader *reader,
                                    const char *text, GError **error);

/* The paths of the documents that are not on record, to be resolved by the caller; borrowed. As
 * they were given where nobody resolves them. */
StmSpellings *
stm_redefinition_list_paths (StmRedefinition *self, const StmModel *model, const char *domain_id);

/* --- prepared --- */

/* Finds what the documents are about, in the model: the moments of their names, parents, disks,
 * images. Refuses what the model alone shows not to be possible, naming the first document that it
 * is wrong with. Gives the images to survey (StmImage), NULL for none. */
gboolean stm_redefinition_prepare (StmRedefinition *self, const StmModel *model,
                                   const char *domain_id, GPtrArray **out_images, GError **error);

/* Content hashes of the definitions on record that are to be compared with those of documents;
 * NULL for none. What is not handed over is not compared. */
GPtrArray *stm_redefinition_list_definitions (const StmRedefinition *self);
void stm_redefinition_take_definition (StmRedefinition *self, const char *hash, const char *text);

/* --- looked --- */

/* Whether images are named that are not on record: their headers tell what they stand on. */
gboolean stm_redefinition_needs_look (const StmRedefinition *self);
/* What cannot be read is refused only when the request validates. */
gboolean
stm_redefinition_look (StmRedefinition *self, StmDriver *driver, const StmPathPolicy *policy,
                       GCancellable *cancellable, GError **error);

/* --- planned --- */

/* A plan without steps. `survey`: of the images that prepare gave, NULL when it gave none. */
StmPlan *
stm_redefinition_plan (StmRedefinition *self, const StmModel *model, const StmSurvey *survey,
                       const StmPlanContext *context, GError **error);

/* The ids of the moments in the order of the documents, NULL-terminated; NULL before they are
 * prepared. */
const char *const *stm_redefinition_get_ids (const StmRedefinition *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmRedefinition, stm_redefinition_free)
