/* One reading of what both kinds of moments are created with.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-create-options.h"

#include "stemma-error.h"

/* In the order of StmQuiesce. */
static const char *const quiesce_words[] = { "no", "try", "require", NULL };

StmQuiesce
stm_options_take_quiesce (StmOptions *options)
{
  return (StmQuiesce) stm_options_take_word (options, "quiesce", quiesce_words);
}

gboolean
stm_quiesce_check (StmQuiesce quiesce, GError **error)
{
  if (quiesce != STM_QUIESCE_REQUIRE)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
               "option 'quiesce': a machine that is off has nothing to bring to rest; leave the "
               "option out");
  return FALSE;
}
