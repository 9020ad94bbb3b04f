/* StmSimDriver: a hypervisor and images that are only thought of, so that an application can be
 * developed and shown without a machine and without a disk.
 *
 * An image that a definition names and that is not known yet comes to be when it is first looked
 * at. Held to the same tests as the real driver.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"

#define STM_TYPE_SIM_DRIVER stm_sim_driver_get_type ()
G_DECLARE_FINAL_TYPE (StmSimDriver, stm_sim_driver, STM, SIM_DRIVER, GObject)

/* How the simulated world behaves. */
typedef struct
{
  guint64 bytes_per_second; /* of merges; 0: they take no time */
  guint64 writes_per_image; /* blocks that the guest writes to each new active image, so that there
                             * is something to lose; 0: none */
} StmSimBehaviour;

/* `file`: where the images are kept between two lives; NULL: nowhere. */
StmSimDriver *
stm_sim_driver_new (const char *file, const StmSimBehaviour *behaviour, GError **error);

/* What somebody outside the service does. A block is 64 KiB; a value stands for its content, 0 is
 * that of what was never written. The image must be there. */
void stm_sim_driver_make_image (StmSimDriver *self, const char *path, const char *format,
                                guint64 capacity, const char *backing);
void stm_sim_driver_write (StmSimDriver *self, const char *path, guint64 block, guint64 value);
void stm_sim_driver_resize (StmSimDriver *self, const char *path, guint64 capacity);
guint64 stm_sim_driver_read (StmSimDriver *self, const char *path, guint64 block);
gboolean stm_sim_driver_has_image (StmSimDriver *self, const char *path);
void stm_sim_driver_lose_image (StmSimDriver *self, const char *path);
/* What QEMU does to a bitmap when it is killed. */
void stm_sim_driver_break_bitmap (StmSimDriver *self, const char *path, const char *bitmap);
