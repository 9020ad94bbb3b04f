/* Makes the golden database of the present version: make-golden DIRECTORY
 *
 * Run by hand when the version of the tables has gone up and is about to be released; the file is
 * then kept as tests/data/store/v<version>.db and never made again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"
#include "store-fixture.h"

int
main (int argc, char **argv)
{
  if (argc != 2)
    {
      g_printerr ("usage: make-golden DIRECTORY\n");
      return 2;
    }

  StmStore *store = open_store (argv[1], NULL);
  g_autoptr (StmChange) first = golden_change (GOLDEN_VERSION);
  g_autoptr (StmChange) second = sample_define (2, 8);
  g_autoptr (StmJournalEntry) entry = golden_entry (GOLDEN_VERSION);

  write_ok (store, first);
  write_ok (store, second);
  g_assert_true (stm_store_write_journal_sync (store, entry, NULL));
  g_assert_true (stm_store_reserve_jobs_sync (store, GOLDEN_LAST_JOB, NULL));
  close_store (store);
  return 0;
}
