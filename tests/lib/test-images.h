/* Images for tests, made and read with QEMU's own tools, so that what they show does not depend on
 * the code under test.
 *
 * All of it fails the test when a tool does.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Whether QEMU's tools are there; else the test is marked as skipped. */
gboolean test_images_have_tools (void);

/* A fresh directory, canonical; and its end with all that is in it. */
char *test_directory_new (void);
void test_directory_remove (const char *directory);

/* Runs a program and gives its output; the list ends with NULL. */
char *test_run (const char *program, ...) G_GNUC_NULL_TERMINATED;

/* `backing` may be NULL; `size` 0 takes that of the backing. */
void test_image_create (const char *path, const char *format, guint64 size, const char *backing,
                        const char *backing_format);
void test_image_write (const char *path, const char *format, guint pattern, guint64 offset,
                       guint64 length);
/* What a guest would see on it: a checksum of all its bytes. */
char *test_image_digest (const char *path, const char *format);
void test_image_assert_sound (const char *path);
/* As its header says: NULL for none. */
char *test_image_get_backing (const char *path, char **out_backing_format);
guint64 test_image_get_capacity (const char *path);

/* A QEMU that has the image open as its disk; and its end. */
GSubprocess *test_image_hold (const char *path, const char *format, gboolean is_read_only);
void test_image_let_go (GSubprocess *holder);

/* Names of the files in a directory, sorted, blank-separated. */
char *test_directory_list (const char *directory);
