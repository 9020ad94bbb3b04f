/* A machine "vm" with two real disks, vda and vdb, in a service without a bus, for tests of the
 * catalogue of faults: short ways to operations, to what somebody does behind the service's back,
 * and to what it then shows.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-registry.h"
#include "test-images.h"

#define CATALOGUE_UUID "d0000000-0000-0000-0000-000000000001"
#define CATALOGUE_ID "d0000000000000000000000000000001"

typedef struct
{
  char *directory; /* NULL: QEMU's tools are not there, and the test is skipped */
  char *images;    /* the directory of the images, a.qcow2 and b.qcow2 at first */
  StmDriver *driver;
  StmRegistry *registry;
  GPtrArray *findings;
  GError *error;
  gboolean is_over;
} Catalogue;

void catalogue_set_up (Catalogue *self, gconstpointer unused);
void catalogue_tear_down (Catalogue *self, gconstpointer unused);
/* A restart of the service, settled. */
void catalogue_restart (Catalogue *self);

/* The document of the machine with the sources of its disks as they are now. */
char *catalogue_domain (Catalogue *self);
/* Defines it with its first images. */
void catalogue_define (Catalogue *self);

/* Take the operation and wait for its end: gives the refusal or NULL; it must succeed; it must be
 * refused with a code and a message that has `part`. */
GError *catalogue_submit (Catalogue *self, StmOp *op);
void catalogue_do (Catalogue *self, StmOp *op);
void catalogue_refuse (Catalogue *self, StmOp *op, int code, const char *part);

/* Operations; moments by name, which must be there. */
StmOp *catalogue_create (const char *name, StmDiskMode mode);
StmOp *catalogue_checkpoint (const char *name);
StmOp *catalogue_revert (Catalogue *self, const char *name); /* discards what is newer */
StmOp *
catalogue_delete (Catalogue *self, StmMomentKind kind, const char *name, StmDeleteScope scope);
StmOp *catalogue_redefine (StmMomentKind kind, const char *const *documents);
/* A snapshot record of nothing but its place in the tree. */
char *catalogue_document (const char *name, const char *parent);

/* What the service knows. */
const StmMoment *catalogue_find (Catalogue *self, StmMomentKind kind, const char *name);
/* The tree as text, children by name: "a(b c(d*)) e". */
char *catalogue_tree (Catalogue *self, StmMomentKind kind);
void catalogue_assert_tree (Catalogue *self, StmMomentKind kind, const char *expected);
void
catalogue_assert_health (Catalogue *self, StmMomentKind kind, const char *name, StmHealth health);
/* Paths: of the active image of a disk, 'a' or 'b'; of a file among the images. */
char *catalogue_active (Catalogue *self, char disk);
char *catalogue_path (Catalogue *self, const char *file_name);
/* Kinds of what a check finds, blank-separated, sorted; each moment's health is then as found. */
char *catalogue_check (Catalogue *self);

/* The guest: writes a block of 64 KiB on a disk; what it sees on both disks, as a checksum. */
void catalogue_write (Catalogue *self, char disk, guint block, guint pattern);
char *catalogue_see (Catalogue *self);
