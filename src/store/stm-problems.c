/* Collects what is wrong, all counted, the first few kept: a damaged table can have a million bad
 * rows, and the text goes into a property on the bus.
 *
 * Any one thread. Texts from rows are cut and made valid UTF-8.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-problems.h"

#include <string.h>

#define MAX_KEPT 8
#define MAX_LENGTH 300 /* bytes of one text */

struct _StmProblems
{
  GPtrArray *kept;
  guint n;
};

StmProblems *
stm_problems_new (void)
{
  StmProblems *self = g_new0 (StmProblems, 1);

  self->kept = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
stm_problems_free (StmProblems *self)
{
  if (self == NULL)
    return;

  g_ptr_array_unref (self->kept);
  g_free (self);
}

void
stm_problems_add (StmProblems *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list arguments;

  self->n++;
  if (self->kept->len == MAX_KEPT)
    return;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_ptr_array_add (self->kept, g_utf8_make_valid (text, (gssize) MIN (strlen (text), MAX_LENGTH)));
}

guint
stm_problems_count (const StmProblems *self)
{
  return self->n;
}

char *
stm_problems_to_text (const StmProblems *self)
{
  g_autoptr (GString) text = g_string_new (NULL);

  if (self->n == 0)
    return NULL;

  for (guint i = 0; i < self->kept->len; i++)
    g_string_append_printf (text, "%s%s", i == 0 ? "" : "; ",
                            (const char *) g_ptr_array_index (self->kept, i));
  if (self->n > self->kept->len)
    g_string_append_printf (text, "; and %u more", self->n - self->kept->len);

  return g_string_free (g_steal_pointer (&text), FALSE);
}
