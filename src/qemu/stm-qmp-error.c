/* Converts at the border: the one file that knows QEMU's words.
 *
 * Pure, any thread. QEMU has one class, GenericError, for almost all of its refusals, so that the
 * kinds that a caller must tell apart can only be had from the text; nothing above this file looks
 * at it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qmp-error.h"

#include "stemma-error.h"

#include <string.h>

static const struct
{
  const char *words;
  StemmaError code;
  const char *way_out; /* said between the attempt and QEMU's words; NULL: the words suffice */
} known_words[] = {
  { "another process using the image", STEMMA_ERROR_IN_USE,
    "another process has the image open; end the machine or program that uses it" },
  { "Failed to get \"", STEMMA_ERROR_IN_USE,
    "another process has the image open; end the machine or program that uses it" },
  { "Failed to get shared \"", STEMMA_ERROR_IN_USE,
    "another process has the image open; end the machine or program that uses it" },
  { "No space left on device", STEMMA_ERROR_NO_SPACE, "free space on its file system" },
  { "Disk quota exceeded", STEMMA_ERROR_NO_SPACE, "free space within the quota" },
  { "Read-only file system", STEMMA_ERROR_READ_ONLY, "its file system cannot be written" },
  { "Operation canceled", STEMMA_ERROR_CANCELLED, NULL },
};

GError *
stm_qmp_error_new (const char *attempt, const char *class, const char *words)
{
  g_autofree char *one_line = g_strdelimit (g_strdup (words), "\r\n", ' ');
  const char *prefix = class != NULL ? class : "job";

  for (gsize i = 0; i < G_N_ELEMENTS (known_words); i++)
    {
      if (strstr (words, known_words[i].words) == NULL)
        continue;
      if (known_words[i].way_out == NULL)
        return g_error_new (STEMMA_ERROR, known_words[i].code, "%s: cancelled", attempt);
      return g_error_new (STEMMA_ERROR, known_words[i].code, "%s: %s (QEMU: %s: %s)", attempt,
                          known_words[i].way_out, prefix, one_line);
    }

  return g_error_new (STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR, "%s: QEMU refused: %s: %s", attempt,
                      prefix, one_line);
}
