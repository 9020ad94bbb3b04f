/* The content of the golden databases. It is never changed: what a version has written must be read
 * by all that come after it.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "golden.h"

#include "store-fixture.h"

/* What came with version 2: a snapshot that was redefined with all that there can be. */
static void
add_redefined (StmChange *change)
{
  g_autofree char *id = sample_id (300);
  g_autofree char *parent = sample_id (101);
  const StmMomentDisk disk = { .target = "vda",
                               .mode = STM_MODE_INTERNAL,
                               .frozen = "/images/a.qcow2",
                               .format = "qcow2",
                               .tag = "tag-2" };
  g_autoptr (StmMoment) redefined = stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_SNAPSHOT,
                                                                  .id = id,
                                                                  .name = "redefined",
                                                                  .parent = parent,
                                                                  .created = 1700000001,
                                                                  .state = STM_STATE_RUNNING,
                                                                  .health = STM_HEALTH_UNKNOWN,
                                                                  .definition = "hash-active",
                                                                  .memory = STM_MEMORY_EXTERNAL,
                                                                  .memory_file = "/images/a.memory",
                                                                  .inactive = "hash-inactive",
                                                                  .cookie = "hash-cookie",
                                                                  .disks = &disk,
                                                                  .n_disks = 1 });

  stm_change_add_text (change, "hash-active", "<domain type='kvm'/>");
  stm_change_add_text (change, "hash-inactive", "<domain type='qemu'/>");
  stm_change_add_text (change, "hash-cookie", "<cookie>ü</cookie>");
  stm_change_put_moment (change, redefined);
}

/* Every field of every value, and what may be NULL. */
StmChange *
golden_change (guint version)
{
  StmChange *change = sample_define (1, 7);
  g_autofree char *root = sample_id (100);
  g_autoptr (StmMoment) first = sample_moment (100, "first", NULL);
  g_autoptr (StmMoment) second = sample_moment (101, "zweites · 二", root);
  g_autofree char *id = sample_id (200);
  const StmMomentDisk disk = { .target = "vda",
                               .mode = STM_MODE_BITMAP,
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
  if (version >= 2)
    add_redefined (change);
  return change;
}

/* A step on a name in the image that is the plan's first overlay. */
static void
add_mark (StmPlan *plan, StmStepKind kind, const char *name)
{
  const StmStep *overlay = g_ptr_array_index (plan->steps, 0);

  stm_plan_add_step (
      plan, &(StmStep){ .kind = kind, .target = "vda", .image = overlay->image, .name = name });
}

/* Steps in the order that a plan must have, without those of sample_plan() but the first. */
static StmPlan *
plan_of_version_2 (void)
{
  g_autoptr (StmPlan) first = sample_plan (500, 1);
  g_autoptr (StmChange) change = golden_change (2);
  char *bitmaps[] = { (char *) "bitmap-1", (char *) "bitmap-2", NULL };
  StmPlan *plan = stm_plan_new (first->operation, first->id, first->domain_id);
  StmStep overlay = *(const StmStep *) g_ptr_array_index (first->steps, 0);

  overlay.bitmaps = bitmaps;
  stm_plan_add_step (plan, &overlay);
  add_mark (plan, STM_STEP_BITMAP, "bitmap-3");
  add_mark (plan, STM_STEP_UNTAG, "tag-1");
  add_mark (plan, STM_STEP_UNBITMAP, "bitmap-4");
  stm_plan_add_step (plan, g_ptr_array_index (first->steps, 1));
  stm_change_unref (plan->finish);
  plan->finish = g_steal_pointer (&change);
  return plan;
}

StmJournalEntry *
golden_entry (guint version)
{
  g_autoptr (StmPlan) plan = version >= 2 ? plan_of_version_2 () : sample_plan (500, 1);
  StmJournalEntry *entry = stm_journal_entry_new (plan, 1000, 1700000000);

  entry->n_done = 1;
  entry->finding = g_strdup ("image /images/a.old is not there");
  return entry;
}
