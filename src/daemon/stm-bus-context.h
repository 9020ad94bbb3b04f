/* What all objects of the service on the bus share. The publisher owns what it points to, and
 * outlives whoever borrows it. Main loop only.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "stm-gate.h"
#include "stm-registry.h"
#include "stm-shown-images.h"

typedef struct
{
  StmRegistry *registry;
  StmGate *gate;
  GDBusConnection *connection;
  GDBusObjectManagerServer *root;
  StmShownImages *shown_images;
  GDBusNodeInfo *standard; /* of stm_standard_interfaces_new() */
} StmBusContext;

typedef enum
{
  STM_ANNOUNCE_EACH, /* InterfacesAdded for each object */
  STM_ANNOUNCE_NONE, /* before the service has its name: nobody can have listened */
} StmAnnounce;
