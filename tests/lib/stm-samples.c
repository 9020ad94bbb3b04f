/* Makes values for tests.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-samples.h"

char *
stm_sample_id (guint number)
{
  return g_strdup_printf ("%032x", number);
}

char *
stm_sample_path (guint number)
{
  return g_strdup_printf ("/v/%u.qcow2", number);
}

static char *
id_or_null (guint number)
{
  return number != 0 ? stm_sample_id (number) : NULL;
}

static char *
path_or_null (guint number)
{
  return number != 0 ? stm_sample_path (number) : NULL;
}

static StmMoment *
make_moment (StmMomentKind kind, guint number, guint parent, guint frozen)
{
  g_autofree char *id = stm_sample_id (number);
  g_autofree char *name = g_strdup_printf ("%c%u", kind == STM_MOMENT_SNAPSHOT ? 's' : 'c', number);
  g_autofree char *parent_id = id_or_null (parent);
  g_autofree char *path = path_or_null (frozen);
  const StmMomentDisk disk = {
    .target = "vda",
    .mode = STM_MODE_EXTERNAL,
    .frozen = path,
    .format = "qcow2",
  };

  return stm_moment_new (&(StmMoment){
      .kind = kind,
      .id = id,
      .name = name,
      .parent = parent_id,
      .description = "",
      .created = 1000 + number,
      .state = STM_STATE_SHUTOFF,
      .disks = &disk,
      .n_disks = frozen != 0,
  });
}

StmMoment *
stm_sample_snapshot (guint number, guint parent, guint frozen)
{
  return make_moment (STM_MOMENT_SNAPSHOT, number, parent, frozen);
}

StmMoment *
stm_sample_checkpoint (guint number, guint parent)
{
  return make_moment (STM_MOMENT_CHECKPOINT, number, parent, 0);
}

StmImage *
stm_sample_image (guint number, guint backing)
{
  g_autofree char *path = stm_sample_path (number);
  g_autofree char *below = path_or_null (backing);

  return stm_image_new (&(StmImage){
      .path = path,
      .target = "vda",
      .index = number,
      .format = "qcow2",
      .backing = below,
      .origin = STM_IMAGE_MADE,
      .capacity = 1024 * 1024,
  });
}

StmDomain *
stm_sample_domain (const char *id, const char *name, guint active)
{
  g_autofree char *source = path_or_null (active);
  const char *roots[] = { "/v", NULL };
  const StmDisk disk = {
    .target = "vda",
    .kind = active != 0 ? STM_SOURCE_FILE : STM_SOURCE_NONE,
    .source = source,
    .format = active != 0 ? "qcow2" : "",
    .next_index = active + 1,
  };

  return stm_domain_new (&(StmDomain){
      .id = id,
      .name = name,
      .definition = "5f",
      .disks = &disk,
      .n_disks = 1,
      .roots = roots,
  });
}

void
stm_sample_put_snapshot (StmChange *change, guint number, guint parent, guint frozen)
{
  g_autoptr (StmMoment) moment = stm_sample_snapshot (number, parent, frozen);

  stm_change_put_moment (change, moment);
}

void
stm_sample_put_image (StmChange *change, guint number, guint backing)
{
  g_autoptr (StmImage) image = stm_sample_image (number, backing);

  stm_change_put_image (change, image);
}

void
stm_sample_set_domain (StmChange *change, const char *name, guint active)
{
  g_autoptr (StmDomain) domain = stm_sample_domain (change->domain_id, name, active);

  stm_change_set_domain (change, domain);
}

void
stm_sample_remove_moment (StmChange *change, guint number)
{
  g_autofree char *id = stm_sample_id (number);

  stm_change_remove_moment (change, id);
}

void
stm_sample_remove_image (StmChange *change, guint number)
{
  g_autofree char *path = stm_sample_path (number);

  stm_change_remove_image (change, path);
}

void
stm_sample_set_current (StmChange *change, guint number)
{
  g_autofree char *id = id_or_null (number);

  stm_change_set_current (change, id);
}

void
stm_sample_put_named (StmChange *change, guint number, guint parent, guint frozen, const char *name)
{
  g_autoptr (StmMoment) moment = stm_sample_snapshot (number, parent, frozen);
  g_autoptr (StmMoment) renamed = stm_moment_with_name (moment, name);

  stm_change_put_moment (change, renamed);
}

StmModel *
stm_sample_model (void)
{
  g_autoptr (StmModel) model = stm_model_new ();
  g_autoptr (StmChange) alpha = stm_change_new (STM_SAMPLE_ALPHA);
  g_autoptr (StmChange) beta = stm_change_new (STM_SAMPLE_BETA);
  g_autoptr (StmMoment) checkpoint = stm_sample_checkpoint (9, 0);

  stm_sample_set_domain (alpha, "alpha", 3);
  stm_sample_put_image (alpha, 1, 0);
  stm_sample_put_image (alpha, 2, 1);
  stm_sample_put_image (alpha, 3, 2);
  /* Children before their parents. */
  stm_sample_put_snapshot (alpha, 3, 1, 0);
  stm_sample_put_snapshot (alpha, 2, 1, 2);
  stm_sample_put_snapshot (alpha, 1, 0, 1);
  stm_change_put_moment (alpha, checkpoint);
  stm_sample_set_current (alpha, 2);
  alpha->generation = 5;
  alpha->service_generation = 8;
  stm_model_apply (model, alpha);

  stm_sample_set_domain (beta, "beta", 10);
  stm_sample_put_image (beta, 1, 0);
  stm_sample_put_image (beta, 10, 1);
  beta->generation = 1;
  stm_model_apply (model, beta);

  return g_steal_pointer (&model);
}
