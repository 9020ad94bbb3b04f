/* Names that are part of the bus contract, each written once.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#define STM_BUS_NAME "org.stemma1"
#define STM_ERROR_PREFIX "org.stemma1.Error."
#define STM_ACTION_PREFIX "org.stemma1."

#define STM_PATH_ROOT "/org/stemma1"
#define STM_PATH_MANAGER STM_PATH_ROOT "/Manager"
#define STM_PATH_DOMAINS STM_PATH_ROOT "/domains"
#define STM_PATH_JOBS STM_PATH_ROOT "/jobs"

/* Annotation in the introspection XML that names the polkit action of a method. */
#define STM_ANNOTATION_AUTHORIZE "org.stemma1.Authorize"
