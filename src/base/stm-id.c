/* Makes and converts ids. Pure but for stm_id_new(), which draws 128 bits from the kernel: GLib's
 * own generator is a sequence that two processes can share after a fork.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-id.h"

#include <string.h>
#include <sys/random.h>

char *
stm_id_new (void)
{
  static const char digits[] = "0123456789abcdef";
  guint8 bytes[STM_ID_LENGTH / 2];
  char *id = g_malloc (STM_ID_LENGTH + 1);

  /* Up to 256 bytes come whole, and nothing but a signal before the pool is ready interrupts. */
  while (getrandom (bytes, sizeof bytes, 0) != (ssize_t) sizeof bytes)
    ;
  /* By hand: a bulk of documents takes an id for each. */
  for (gsize i = 0; i < sizeof bytes; i++)
    {
      id[2 * i] = digits[bytes[i] >> 4];
      id[2 * i + 1] = digits[bytes[i] & 0xf];
    }
  id[STM_ID_LENGTH] = '\0';

  return id;
}

gboolean
stm_id_is_valid (const char *text)
{
  if (text == NULL || strlen (text) != STM_ID_LENGTH)
    return FALSE;

  return strspn (text, "0123456789abcdef") == STM_ID_LENGTH;
}

char *
stm_id_from_uuid (const char *uuid)
{
  g_autoptr (GString) id = g_string_sized_new (STM_ID_LENGTH);

  while (g_ascii_isspace (*uuid))
    uuid++;
  for (; *uuid != '\0' && id->len <= STM_ID_LENGTH; uuid++)
    {
      if (g_ascii_isxdigit (*uuid))
        g_string_append_c (id, g_ascii_tolower (*uuid));
      else if (*uuid != '-')
        break;
    }
  while (g_ascii_isspace (*uuid))
    uuid++;
  if (*uuid != '\0' || id->len != STM_ID_LENGTH)
    return NULL;

  return g_string_free (g_steal_pointer (&id), FALSE);
}

char *
stm_id_to_uuid (const char *id)
{
  g_return_val_if_fail (stm_id_is_valid (id), NULL);

  return g_strdup_printf ("%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16, id + 20);
}
