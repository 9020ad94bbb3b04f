/* Images with internal snapshots, and plans on them, for tests with a real driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "image-fixture.h"
#include "stemma-error.h"

#define MIB (G_GUINT64_CONSTANT (1) << 20)
#define CAPACITY (8 * MIB)

StmPlan *tag_plan_new (void);
void tag_plan_add (StmPlan *plan, StmStepKind kind, StmImage *image, const char *name,
                   const char *fallback);
const StmStep *tag_plan_get (const StmPlan *plan, guint place);

/* An image over a base of 9s, with 1s in its first megabyte, and its record. */
StmImage *tag_image_new (ImageFixture *fixture, const char *name);
void tag_image_write (const StmImage *image, guint pattern, guint64 place);
/* What the first megabytes are full of, as digits. */
void tag_image_assert_content (const StmImage *image, const char *expected);
StmSurvey *tag_image_survey (ImageFixture *fixture, const StmImage *image);
/* Names in the order of the file, each with a '*' when its content is proven to be there. */
void tag_image_assert_tags (ImageFixture *fixture, const StmImage *image, const char *expected);
void tag_image_make_tag (ImageFixture *fixture, StmImage *image, const char *name);

/* That the driver's verbs do it, or refuse it so. */
void tag_plan_assert_made (ImageFixture *fixture, const StmPlan *plan);
void tag_plan_assert_refused (ImageFixture *fixture, const StmPlan *plan, StemmaError code,
                              const char *words);
void tag_step_assert_went (ImageFixture *fixture, const StmStep *step);
void tag_plan_assert_abandoned (ImageFixture *fixture, const StmPlan *plan);
