/* Short ways to redefinitions over the bus.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "service-fixture.h"

#define REDEFINE_UUID "5eed0000-0000-4000-8000-000000000009"

/* A domain with that uuid, of one disk vda with the image a.qcow2; its path. */
char *redefine_set_up (Service *service);
/* The document of an internal snapshot of it. */
char *
redefine_snapshot (Service *service, const char *name, const char *parent, const char *description);

void redefine_assert_string (Service *service, const char *path, const char *interface,
                             const char *property, const char *expected);
/* Of moments, by the interface that has them. */
void
redefine_assert_count (Service *service, const char *domain, const char *interface, guint expected);
