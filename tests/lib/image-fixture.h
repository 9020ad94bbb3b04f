/* A directory with images, a driver that works in it, and plans and steps on them.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"
#include "test-images.h"

#define TEST_PLAN_ID "0123456789abcdef0123456789abcdef"

typedef struct
{
  char *directory; /* of the images */
  char *run_directory;
  StmDriver *driver;
  StmPathPolicy *policy;
  StmProgress *progress;
} ImageFixture;

/* As root the endpoints run as "nobody", so that what is tested is the unprivileged way. */
void image_fixture_set_up (ImageFixture *self, gconstpointer unused);
void image_fixture_tear_down (ImageFixture *self, gconstpointer unused);
/* The user for endpoints: "nobody" as root, else NULL. */
const char *image_fixture_get_user (void);

char *image_fixture_path (ImageFixture *self, const char *name);
/* A record: names stand for files in the directory; backing may be NULL. */
StmImage *image_fixture_record (ImageFixture *self, const char *name, const char *format,
                                const char *backing, guint64 capacity);
/* Images of a chain or list; takes them; ends with NULL. */
GPtrArray *image_list (StmImage *first, ...) G_GNUC_NULL_TERMINATED;

/* Does one UNTAG or UNBITMAP step. */
gboolean image_fixture_remove_mark (ImageFixture *self, const StmStep *step, GError **error);

/* Fails the test unless there is no QEMU of the driver's left. */
void image_fixture_assert_no_endpoints (ImageFixture *self);
/* Names of the files, as test_directory_list(). */
void image_fixture_assert_files (ImageFixture *self, const char *names);
