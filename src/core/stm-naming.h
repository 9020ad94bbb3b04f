/* Names for what an operation makes: snapshots and overlay files. Pure, main loop (reads the
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

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmNaming, stm_naming_free)
