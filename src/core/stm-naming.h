/* Names for what an operation makes: snapshots, overlay files and tags. Pure, main loop (reads the
 * model).
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"
#include "stm-survey.h"

/* The name of a new moment: what was wanted when it is a legal name that is free (INVALID_ARGUMENT,
 * ALREADY_EXISTS), or when that is empty the time in decimal seconds, made unique. */
char *stm_naming_moment (const StmTree *tree, const char *wanted, gint64 now, GError **error);

/* The paths that an operation gives out, so that it gives out none twice. */
typedef struct _StmNaming StmNaming;

/* Borrows both for its life. */
StmNaming *stm_naming_new (const StmModel *model, const StmSurvey *survey);
void stm_naming_free (StmNaming *self);

/* The path of a new overlay over `below`: libvirt's `<stem>.<moment>` in the same directory, made
 * unique against files, records of all domains and what was given out before. */
char *
stm_naming_overlay (StmNaming *self, const char *below, const char *moment_name, GError **error);

/* Gives out a path that the client chose for an overlay. NOT_ALLOWED by the policy; ALREADY_EXISTS
 * when a file or a record has it, or it was given out before. */
gboolean
stm_naming_chosen (StmNaming *self, const char *path, const StmPathPolicy *policy, GError **error);

/* The tag of a new internal snapshot in the image: the name of the moment, or one made of its id
 * when the image has that as the name or id of another, or when it could be taken for an id.
 * TOO_MANY when the image can hold no more. */
char *stm_naming_tag (const StmFacts *facts, const char *moment_name, const char *moment_id,
                      GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmNaming, stm_naming_free)
