/* What the service says, as JSON. Keys are the names of properties in lower case with dashes
 * (CreationTime: creation-time), so they are as stable as the bus contract.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <json-glib/json-glib.h>

/* A value: dictionaries become objects, numbers numbers. */
void stm_cli_json_add_value (JsonBuilder *builder, GVariant *value);
/* Members of an object that is open: all of an a{sv}. */
void stm_cli_json_add_members (JsonBuilder *builder, GVariant *properties);
void stm_cli_json_add_string (JsonBuilder *builder, const char *key, const char *value);
void stm_cli_json_add_number (JsonBuilder *builder, const char *key, guint64 value);
void stm_cli_json_add_boolean (JsonBuilder *builder, const char *key, gboolean value);

/* An object whose first members are `path`, and all properties; open, so that more can be added. */
void stm_cli_json_begin_object (JsonBuilder *builder, const char *path, GVariant *properties);

/* What was built, on stdout: over many lines, or as one. */
void stm_cli_json_print (JsonBuilder *builder);
void stm_cli_json_print_line (JsonBuilder *builder);
