/* What the files of the driver suite share.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "driver-suite.h"

#define CAPACITY (64 * SUITE_BLOCK)
#define PLAN_ID "00112233445566778899aabbccddeeff"
#define DOMAIN_ID "ffeeddccbbaa99887766554433221100"

typedef struct
{
  const DriverHarness *harness;
  gpointer world;
  StmDriver *driver;
  StmPathPolicy *policy;
  StmProgress *progress;
} DriverSuite;

typedef struct
{
  const char *name;
  void (*test) (DriverSuite *suite);
} DriverSuiteTest;

/* Tests of what is in images: ended by one without a name. */
extern const DriverSuiteTest driver_suite_image_tests[];
extern const DriverSuiteTest driver_suite_mark_tests[];

/* driver-suite-kit.c: images by name in the suite's directory, and plans on them. */
char *driver_suite_path_of (DriverSuite *suite, const char *name);
void driver_suite_make_image (DriverSuite *suite, const char *name, const char *format,
                              const char *backing, const char *backing_format);
void driver_suite_write_block (DriverSuite *suite, const char *name, guint64 block, guint value);
void driver_suite_assert_block (DriverSuite *suite, const char *name, guint64 block, guint value);
void driver_suite_assert_exists (DriverSuite *suite, const char *name, gboolean exists);
StmImage *driver_suite_record (DriverSuite *suite, const char *target, const char *name,
                               const char *format, const char *backing);
void driver_suite_make_chain (DriverSuite *suite);
GPtrArray *driver_suite_record_chain (DriverSuite *suite, gboolean with_top);
StmSurvey *driver_suite_look (DriverSuite *suite, GPtrArray *images);
StmSurvey *driver_suite_look_at (DriverSuite *suite, const char *name, const char *format,
                                 const char *backing);
const StmFacts *driver_suite_facts_of (DriverSuite *suite, StmSurvey *survey, const char *name);
StmPlan *driver_suite_plan_new (void);
void
driver_suite_add_mark (DriverSuite *suite, StmPlan *plan, StmStepKind kind, const char *image_name,
                       const char *format, const char *name, const char *fallback);
void driver_suite_add_overlay (DriverSuite *suite, StmPlan *plan, const char *name,
                               const char *below, const char *format, const char *const *bitmaps);
gboolean driver_suite_make_overlays (DriverSuite *suite, const StmPlan *plan, GError **error);
void driver_suite_mark (DriverSuite *suite, StmStepKind kind, const char *image, const char *name);
const StmStep *driver_suite_first_step (const StmPlan *plan);
void driver_suite_remove_marks (DriverSuite *suite, const StmPlan *plan, GError **failures);
void driver_suite_remove_mark (DriverSuite *suite, StmStepKind kind, const char *image,
                               const char *name);
void driver_suite_merge (DriverSuite *suite, const StmPlan *plan);
StmPlan *driver_suite_plan_commit (DriverSuite *suite, const char *const *bitmaps);
StmPlan *driver_suite_plan_stream (DriverSuite *suite, const char *const *bitmaps);
void driver_suite_assert_top_stands_on_base (DriverSuite *suite);
