/* What the tests of the store share: a directory that goes again, sample values, calls that wait,
 * and the comparison of two models.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-store.h"

#define WAIT_SECONDS 120

/* A new directory, and its removal with the files in it. */
char *store_directory_new (void);
void store_directory_free (char *directory);
char *store_file (const char *directory, const char *suffix); /* stemma.db and a suffix */
void copy_store (const char *from, const char *to);

/* Opens, and fails the test when it cannot. */
StmStore *open_store (const char *directory, StmStoreContent **out_content);
void close_store (StmStore *store);
/* Opens, takes the content as a model, and closes. The store must be sound. */
StmModel *reload (const char *directory, guint *out_n_journal);
StmModel *model_of_content (const StmStoreContent *content);

/* Async calls, waited for. */
gboolean write_and_wait (StmStore *store, StmChange *change, StmJournalAction action,
                         const StmJournalEntry *entry, GError **error);
void write_ok (StmStore *store, StmChange *change);
char *read_definition_and_wait (StmStore *store, const char *hash, GError **error);

/* Sample values; ids are made of the number. */
char *sample_id (guint number);
StmDomain *sample_domain (guint number, const char *name, const char *definition);
StmMoment *sample_moment (guint number, const char *name, const char *parent);
StmImage *sample_image (const char *path, const char *backing);
StmPlan *sample_plan (guint number, guint domain);

/* A change of the domain with that number. */
StmChange *sample_change (guint domain, guint64 generation);
/* The change that brings a domain named "domain-<n>", with its definition and one image. */
StmChange *sample_define (guint domain, guint64 generation);

/* A store with domain 1 and, one on the other, the snapshots "s0", "s1" …, ids from 100. */
StmStore *store_with_snapshots (const char *directory, guint n_snapshots);

void assert_models_equal (const StmModel *a, const StmModel *b);

typedef char StoreDirectory;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StoreDirectory, store_directory_free)
