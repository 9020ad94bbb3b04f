/* Cuts the stream of a QMP socket into lines and reads each as one message.
 *
 * Called by StmQmp on its worker, and by the fuzzer. Never touches a socket. Depth is counted
 * before the line is given to the JSON parser, which is recursive and would run out of stack.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qmp-parser.h"

#include "stemma-error.h"

#include <string.h>

/* Bytes of a bad line that a message shows. */
#define SHOWN_BYTES 80

struct _StmQmpParser
{
  GByteArray *buffer;
  gsize start;   /* of the line being read */
  gsize scanned; /* up to here no line end was found */
};

void
stm_qmp_message_free (StmQmpMessage *self)
{
  if (self == NULL)
    return;
  g_free (self->id);
  g_free (self->name);
  g_free (self->words);
  g_clear_pointer (&self->data, json_node_unref);
  g_free (self);
}

StmQmpParser *
stm_qmp_parser_new (void)
{
  StmQmpParser *self = g_new0 (StmQmpParser, 1);

  self->buffer = g_byte_array_new ();
  return self;
}

void
stm_qmp_parser_free (StmQmpParser *self)
{
  if (self == NULL)
    return;
  g_byte_array_unref (self->buffer);
  g_free (self);
}

static gboolean
refuse_line (const char *line, gsize length, const char *why, GError **error)
{
  g_autofree char *shown = g_strndup (line, MIN (length, SHOWN_BYTES));
  g_autofree char *escaped = g_strescape (shown, NULL);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
               "QEMU sent what is not a QMP message (%s): \"%s\"", why, escaped);
  return FALSE;
}

gboolean
stm_qmp_parser_feed (StmQmpParser *self, const char *bytes, gsize n_bytes, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);

  /* What is read already goes, so that the buffer stays as long as the longest line. */
  if (self->start > 0)
    {
      g_byte_array_remove_range (self->buffer, 0, self->start);
      self->scanned -= self->start;
      self->start = 0;
    }
  if (n_bytes > STM_QMP_MAX_LINE || self->buffer->len > STM_QMP_MAX_LINE - n_bytes)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "QEMU sent a QMP message of more than %d bytes", STM_QMP_MAX_LINE);
      return FALSE;
    }
  g_byte_array_append (self->buffer, (const guint8 *) bytes, n_bytes);

  return TRUE;
}

/* Before json-glib sees it: its scanner takes comments and single quotes for granted, recurses with
 * the depth, and leaks all but the last of several values. What QEMU writes has none of that. */
static gboolean
shape_is_sound (const char *line, gsize length)
{
  gboolean in_string = FALSE;
  gboolean is_closed = FALSE;
  guint depth = 0;

  for (gsize i = 0; i < length; i++)
    {
      if (in_string && line[i] == '\\')
        i++;
      else if (line[i] == '"' && !is_closed)
        in_string = !in_string;
      else if (in_string || g_ascii_isspace (line[i]))
        continue;
      else if (is_closed || strchr ("/#'", line[i]) != NULL)
        return FALSE;
      else if (line[i] == '{' || line[i] == '[')
        depth++;
      else if (line[i] == '}' || line[i] == ']')
        is_closed = depth > 0 && --depth == 0;
      if (depth > STM_QMP_MAX_DEPTH)
        return FALSE;
    }

  return TRUE;
}

static const char *
get_string (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node)
      || json_node_get_value_type (node) != G_TYPE_STRING)
    return NULL;

  return json_node_get_string (node);
}

static JsonNode *
ref_member (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node != NULL ? json_node_ref (node) : NULL;
}

static gboolean
read_failure (JsonObject *object, StmQmpMessage *message)
{
  JsonNode *node = json_object_get_member (object, "error");

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return FALSE;

  JsonObject *failure = json_node_get_object (node);

  message->kind = STM_QMP_FAILURE;
  message->name = g_strdup (get_string (failure, "class"));
  message->words = g_strdup (get_string (failure, "desc"));

  return message->name != NULL && message->words != NULL;
}

/* What kind of message an object is; FALSE when it is none. */
static gboolean
read_object (JsonObject *object, StmQmpMessage *message)
{
  message->id = g_strdup (get_string (object, "id"));

  if (json_object_has_member (object, "QMP"))
    {
      message->kind = STM_QMP_GREETING;
      message->data = ref_member (object, "QMP");
      return JSON_NODE_HOLDS_OBJECT (message->data);
    }
  if (json_object_has_member (object, "event"))
    {
      message->kind = STM_QMP_EVENT;
      message->name = g_strdup (get_string (object, "event"));
      message->data = ref_member (object, "data");
      return message->name != NULL;
    }
  if (json_object_has_member (object, "error"))
    return read_failure (object, message);

  message->kind = STM_QMP_RETURN;
  message->data = ref_member (object, "return");
  return message->data != NULL;
}

static StmQmpMessage *
parse_line (const char *line, gsize length, GError **error)
{
  g_autoptr (StmQmpMessage) message = g_new0 (StmQmpMessage, 1);
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  const char *fault = NULL;

  if (!g_utf8_validate (line, length, NULL))
    fault = "not UTF-8";
  else if (!shape_is_sound (line, length))
    fault = "nested too deep, or more than one plain JSON value";
  else if (!json_parser_load_from_data (parser, line, length, NULL))
    fault = "not JSON";
  else if (json_parser_get_root (parser) == NULL
           || !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    fault = "not an object";
  else if (!read_object (json_node_get_object (json_parser_get_root (parser)), message))
    fault = "neither greeting, reply nor event";

  if (fault != NULL)
    {
      refuse_line (line, length, fault, error);
      return NULL;
    }
  return g_steal_pointer (&message);
}

static gboolean
is_blank (const char *line, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isspace (line[i]))
      return FALSE;

  return TRUE;
}

StmQmpMessage *
stm_qmp_parser_next (StmQmpParser *self, GError **error)
{
  g_return_val_if_fail (self != NULL, NULL);

  for (;;)
    {
      const char *data = (const char *) self->buffer->data;
      gsize end = self->buffer->len;
      const char *newline = end > self->scanned
                                ? memchr (data + self->scanned, '\n', end - self->scanned)
                                : NULL;

      self->scanned = end;
      if (newline == NULL)
        return NULL;

      const char *line = data + self->start;
      gsize length = newline - line;

      self->start += length + 1;
      self->scanned = self->start;
      if (!is_blank (line, length))
        return parse_line (line, length, error);
    }
}
