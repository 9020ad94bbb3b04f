/* Whether an image is what the record says, judged by what the survey saw. Pure, any thread.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-survey.h"

typedef enum
{
  /* It can be read, and its header proves format and backing. For an image that the guest writes:
   * its size may have been changed since it was recorded. */
  STM_CHECK_MEMBER,
  /* And its size is the recorded one. For an image that holds a state that must not change. */
  STM_CHECK_UNCHANGED,
} StmImageCheck;

/* CHAIN_BROKEN, or what the survey found (NOT_ALLOWED, IN_USE …); names the image. */
gboolean stm_image_check (const StmImage *image, const StmSurvey *survey, StmImageCheck check,
                          GError **error);

/* The same for a chain, top first, that must reach its end; images below the top are held to be
 * unchanged, but for the size of those that are not the service's. Also refuses two images of the
 * chain that are one file. */
gboolean stm_image_check_chain (const GPtrArray *chain, const StmSurvey *survey,
                                StmImageCheck top_check, GError **error);

/* IN_USE when another process writes to it. Part of the checks above, and needed alone where an
 * image may be anything else. */
gboolean stm_image_check_unused (const StmImage *image, const StmSurvey *survey, GError **error);

/* Whether the file is known to be gone. */
gboolean stm_image_is_missing (const StmImage *image, const StmSurvey *survey);
