/* What every driver must do, as tests on the verbs of StmDriver alone.
 *
 * A driver's own test program gives the ways to make, write and read an image behind the driver's
 * back, and adds the tests under its name.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"

#define SUITE_BLOCK ((guint64) 64 * 1024)

typedef struct
{
  /* A fresh driver and directory; NULL when it cannot run here, and the test is skipped. */
  gpointer (*set_up) (void);
  void (*tear_down) (gpointer world);
  StmDriver *(*get_driver) (gpointer world);
  const char *(*get_directory) (gpointer world);

  void (*make_image) (gpointer world, const char *path, const char *format, guint64 capacity,
                      const char *backing, const char *backing_format);
  /* Content of a block of an image, through its chain; values 1 to 255, 0 for nothing written. */
  void (*write) (gpointer world, const char *path, guint64 block, guint value);
  guint (*read) (gpointer world, const char *path, guint64 block);
  gboolean (*exists) (gpointer world, const char *path);
  void (*resize) (gpointer world, const char *path, guint64 capacity);
} DriverHarness;

/* Adds "/<name>/…"; `harness` is static. */
void driver_suite_add (const char *name, const DriverHarness *harness);
