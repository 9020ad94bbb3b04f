/* Short ways to values for tests: numbers in, sound values out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-model.h"

#define STM_SAMPLE_ALPHA "d0000000000000000000000000000001"
#define STM_SAMPLE_BETA "d0000000000000000000000000000002"

/* 32 hexadecimal digits that end in the number. */
char *stm_sample_id (guint number);
/* "/v/<number>.qcow2" */
char *stm_sample_path (guint number);

/* Snapshot "s<number>" on another one, 0 for a root; created in the order of the numbers. It
 * freezes the image `frozen` as vda, 0 for no disk. */
StmMoment *stm_sample_snapshot (guint number, guint parent, guint frozen);
StmMoment *stm_sample_checkpoint (guint number, guint parent);
/* Image of disk vda, made by the service, over another one, 0 for none. */
StmImage *stm_sample_image (guint number, guint backing);
/* A domain of one disk vda with the image as its source, 0 for no medium. */
StmDomain *stm_sample_domain (const char *id, const char *name, guint active);

/* The same, put into a change. */
void stm_sample_put_snapshot (StmChange *change, guint number, guint parent, guint frozen);
void stm_sample_put_named (StmChange *change, guint number, guint parent, guint frozen,
                           const char *name);
void stm_sample_put_image (StmChange *change, guint number, guint backing);
void stm_sample_set_domain (StmChange *change, const char *name, guint active);
void stm_sample_remove_moment (StmChange *change, guint number);
void stm_sample_remove_image (StmChange *change, guint number);
void stm_sample_set_current (StmChange *change, guint number);

/* alpha: images 1 <- 2 <- 3 (active); snapshots s1 (frozen 1) <- s2 (frozen 2, current), s3 on s1
 * without a disk; checkpoint c9. beta: a clone, image 10 (active) over 1. */
StmModel *stm_sample_model (void);
