/* stemmad of the build tree on the private bus, with a state directory of its own, and a client.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "bus-client.h"
#include "test-images.h"

#define SERVICE_NAME "org.stemma1"
#define SERVICE_ROOT "/org/stemma1"
#define SERVICE_MANAGER "/org/stemma1/Manager"

typedef struct
{
  const char *program; /* path of stemmad */
  char *directory;     /* of images, state and run directory */
  GSubprocess *process;
  GDBusConnection *client;
} Service;

typedef enum
{
  SERVICE_SYSTEM,
  SERVICE_SESSION, /* told that the private bus is that of the session */
} ServiceMode;

/* For g_test_add(): the test data is the path of stemmad. Polkit allows everything at first. */
void service_set_up (Service *self, gconstpointer program);
void service_tear_down (Service *self, gconstpointer program);

/* A further process with the same directories, `option` NULL or one more option. */
GSubprocess *service_spawn (Service *self, ServiceMode mode, const char *option);
/* Starts the service and waits until it has its name. */
void service_start (Service *self, ServiceMode mode);
/* Asks it to stop, and fails the test unless it ends well: a critical message would have ended it
 * before. */
void service_stop (Service *self);
void service_wait_name (Service *self);

char *service_image_path (Service *self, const char *file_name);
/* A libvirt document with a qcow2 disk for each image name: vda, vdb … `uuid` may be NULL. */
char *
service_document (Service *self, const char *name, const char *uuid, const char *const *images);

/* Interfaces are named without the prefix. The arguments may be floating, NULL for only options
 * that are empty. */
GVariant *service_call (Service *self, const char *path, const char *interface, const char *method,
                        GVariant *arguments, GError **error);
BusCall *service_call_begin (Service *self, GDBusConnection *client, const char *path,
                             const char *interface, const char *method, GVariant *arguments);
/* The same, and the call must succeed: the object path that the reply begins with, or NULL. */
char *service_call_well (Service *self, const char *path, const char *interface, const char *method,
                         GVariant *arguments);
/* The call must fail, with this code. */
void service_call_ill (Service *self, const char *path, const char *interface, const char *method,
                       GVariant *arguments, int code);

GVariant *
service_get (Service *self, const char *path, const char *interface, const char *property);
char *
service_get_string (Service *self, const char *path, const char *interface, const char *property);
guint64 service_get_generation (Service *self, const char *path, const char *interface);

/* A domain of small qcow2 images that are made for it; its path. */
char *service_define (Service *self, const char *name, const char *const *images);
/* A snapshot that is made when this returns; its path. */
char *service_snapshot (Service *self, const char *domain, const char *name);
