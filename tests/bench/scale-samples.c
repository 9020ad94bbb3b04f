/* Makes the values of the benchmarks.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "scale-samples.h"

#define DEFINITION_BYTES 4096
#define ACTIVE "/var/lib/libvirt/images/machine-01/root.qcow2"
#define HASH "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
#define SPREAD                                                                                     \
  0x9e3779b97f4a7c15u /* makes ids of small numbers that are as mixed as random ones               \
                       */

const char *
shape_to_word (Shape shape)
{
  return shape == SHAPE_CHAIN ? "chain" : "fan";
}

StmChange *
scale_define (void)
{
  const char *const roots[] = { "/var/lib/libvirt/images", NULL };
  const StmDisk disk = {
    .target = "vda", .kind = STM_SOURCE_FILE, .source = ACTIVE, .format = "qcow2", .next_index = 2
  };
  g_autoptr (StmDomain) domain = stm_domain_new (&(StmDomain){ .id = SCALE_DOMAIN,
                                                               .name = "machine-01",
                                                               .definition = HASH,
                                                               .disks = &disk,
                                                               .n_disks = 1,
                                                               .roots = roots });
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = ACTIVE,
                                                           .target = "vda",
                                                           .index = 1,
                                                           .format = "qcow2",
                                                           .origin = STM_IMAGE_DISK,
                                                           .capacity = 1 << 30 });
  StmChange *change = stm_change_new (SCALE_DOMAIN);

  stm_change_set_domain (change, domain);
  stm_change_put_image (change, image);
  change->definition_text = g_strnfill (DEFINITION_BYTES, 'x');
  change->generation = 1;
  return change;
}

static char *
id_of (guint number)
{
  guint64 mixed = (number + 1) * SPREAD;

  return g_strdup_printf ("%016" G_GINT64_MODIFIER "x%016" G_GINT64_MODIFIER "x", mixed,
                          mixed ^ SPREAD);
}

StmMoment *
scale_moment (Shape shape, guint number)
{
  g_autofree char *id = id_of (number);
  g_autofree char *name = g_strdup_printf ("snapshot-%07u", number);
  g_autofree char *overlay = g_strdup_printf (ACTIVE ".snapshot-%07u", number);
  g_autofree char *parent = number == 0 ? NULL : id_of (shape == SHAPE_CHAIN ? number - 1 : 0);
  const StmMomentDisk disk = { .target = "vda",
                               .mode = STM_MODE_EXTERNAL,
                               .frozen = ACTIVE,
                               .overlay = overlay,
                               .format = "qcow2" };

  return stm_moment_new (&(StmMoment){ .kind = STM_MOMENT_SNAPSHOT,
                                       .id = id,
                                       .name = name,
                                       .parent = parent,
                                       .created = 1700000000 + number,
                                       .state = STM_STATE_SHUTOFF,
                                       .definition = HASH,
                                       .disks = &disk,
                                       .n_disks = 1 });
}

StmChange *
scale_bulk (Shape shape, guint n)
{
  StmChange *change = stm_change_new (SCALE_DOMAIN);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (StmMoment) moment = scale_moment (shape, i);

      stm_change_put_moment (change, moment);
      if (i + 1 == n)
        stm_change_set_current (change, moment->id);
    }
  change->generation = 2;
  return change;
}
