/* Bytes from a QMP socket to messages.
 *
 * Pure: no socket, no clock. What comes from QEMU is hostile, for a guest may own it: the length of
 * a line, the depth of its JSON and the number of events kept are limited. One thread at a time.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <json-glib/json-glib.h>

#define STM_QMP_MAX_LINE (8 * 1024 * 1024)
#define STM_QMP_MAX_DEPTH 64

typedef enum
{
  STM_QMP_GREETING,
  STM_QMP_RETURN,
  STM_QMP_FAILURE,
  STM_QMP_EVENT,
} StmQmpKind;

typedef struct
{
  StmQmpKind kind;
  char *id;       /* of a RETURN or FAILURE; NULL when it has none */
  char *name;     /* the event, or the class of the FAILURE */
  char *words;    /* of the FAILURE */
  JsonNode *data; /* GREETING: the value of "QMP"; RETURN: the value; EVENT: its data or NULL */
} StmQmpMessage;

void stm_qmp_message_free (StmQmpMessage *self);

typedef struct _StmQmpParser StmQmpParser;

StmQmpParser *stm_qmp_parser_new (void);
void stm_qmp_parser_free (StmQmpParser *self);

/* Any piece of the stream. TOO_LARGE when a line goes over the limit. */
gboolean stm_qmp_parser_feed (StmQmpParser *self, const char *bytes, gsize n_bytes, GError **error);

/* The next whole message; NULL without error when there is none yet. HYPERVISOR when a line is not
 * a message; nothing sensible can be read after it. */
StmQmpMessage *stm_qmp_parser_next (StmQmpParser *self, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmQmpMessage, stm_qmp_message_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmQmpParser, stm_qmp_parser_free)
