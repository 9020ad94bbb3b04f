/* StmQemuDriver: the driver for real machines on real images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-driver.h"

#define STM_QEMU_DEFAULT_BINARY "qemu-system-x86_64"
/* The unprivileged user that a service which runs as root names for its endpoints. */
#define STM_QEMU_DEFAULT_USER "stemma-qemu"

#define STM_TYPE_QEMU_DRIVER stm_qemu_driver_get_type ()
G_DECLARE_FINAL_TYPE (StmQemuDriver, stm_qemu_driver, STM, QEMU_DRIVER, GObject)

/* `binary`: a name to be found in PATH, or a path; NULL for the default. `endpoint_user`: whom to
 * run QEMU as, NULL for our own user; another than our own needs root, and one that does not exist
 * is NOT_SUPPORTED when an endpoint is first needed. `run_directory`: for the records of endpoints,
 * made when missing, private to the service. */
StmQemuDriver *
stm_qemu_driver_new (const char *binary, const char *endpoint_user, const char *run_directory);

/* Keeps one endpoint that is up ahead of the next verb, from the first verb that used one on; when
 * none was used for `idle_ms` it is ended. Called before any verb. */
void stm_qemu_driver_keep_spare (StmQemuDriver *self, guint idle_ms);
