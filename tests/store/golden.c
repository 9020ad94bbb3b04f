/* The content of the golden databases. It is never changed: what a version has written must be read
 * by all that come after it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"

#include "store-fixture.h"

/* Every field of every value, and what may be NULL. */
StmChange *
golden_change (void)
{
  StmChange *change = sample_define (1, 7);
  g_autofree char *root = sample_id (100);
  g_autoptr (StmMoment) first = sample_moment (100, "first", NULL);
  g_autoptr (StmMoment) second = sample_moment (101, "zweites · 二", root);
  g_autofree char *id = sample_id (200);
  const StmMomentDisk disk = { .target = "vda",
                               .mode = STM_MODE_INTERNAL,
                               .frozen = "/images/a.qcow2",
                               .format = "qcow2",
                               .tag = "tag-1",
                               .bitmap = "bitmap-1" };
  g_autoptr (StmMoment)
      checkpoint = stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_CHECKPOINT,
                                                 .id = id,
                                                 .name = "first",
                                                 .description = "With\ttab and 'quotes'",
                                                 .created = G_MAXINT64,
                                                 .state = STM_STATE_DISK_ONLY,
                                                 .health = STM_HEALTH_UNREACHABLE,
                                                 .definition = "hash-1",
                                                 .disks = &disk,
                                                 .n_disks = 1 });
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = "/images/a.s",
                                                           .target = "vda",
                                                           .index = G_MAXUINT32,
                                                           .format = "qcow2",
                                                           .backing = "/images/a.qcow2",
                                                           .origin = STM_IMAGE_MADE,
                                                           .capacity = G_MAXINT64 });

  stm_change_put_moment (change, first);
  stm_change_put_moment (change, second);
  stm_change_put_moment (change, checkpoint);
  stm_change_put_image (change, image);
  stm_change_set_current (change, root);
  return change;
}

StmJournalEntry *
golden_entry (void)
{
  g_autoptr (StmPlan) plan = sample_plan (500, 1);
  StmJournalEntry *entry = stm_journal_entry_new (plan, 1000, 1700000000);

  entry->n_done = 1;
  entry->finding = g_strdup ("image /images/a.old is not there");
  return entry;
}
