/* Facts on image files, from headers and the file system.
 *
 * Implements the verb survey of StmDriver. Changes nothing, starts nothing. Worker threads only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-survey.h"

/* As stm_driver_survey(). */
StmSurvey *
stm_image_survey (const StmSurveyRequest *request, GCancellable *cancellable, GError **error);
