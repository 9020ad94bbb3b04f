/* What comes over a QMP socket, in pieces of any size: messages, or a typed error.
 *
 * The first byte says how large the pieces are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-qmp-parser.h"

static gboolean
take_messages (StmQmpParser *parser)
{
  while (TRUE)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (StmQmpMessage) message = stm_qmp_parser_next (parser, &error);

      if (message == NULL)
        {
          g_assert_true (error == NULL || error->domain == STEMMA_ERROR);
          return error == NULL;
        }
      g_assert_true (message->kind != STM_QMP_EVENT || message->name != NULL);
      g_assert_true (message->kind != STM_QMP_FAILURE || message->words != NULL);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (StmQmpParser) parser = stm_qmp_parser_new ();
  gsize piece = size > 0 ? (gsize) data[0] + 1 : 1;

  for (gsize at = 1; at < size; at += piece)
    {
      g_autoptr (GError) error = NULL;

      if (!stm_qmp_parser_feed (parser, (const char *) data + at, MIN (piece, size - at), &error))
        {
          g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
          return 0;
        }
      if (!take_messages (parser))
        return 0;
    }
  return 0;
}
