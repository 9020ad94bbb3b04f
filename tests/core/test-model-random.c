/* Random changes, sound and not, against a model that is nothing but arrays and loops.
 *
 * The numbers are few, so that names, parents and images clash often. The seed stands in the first
 * line of the output; --seed runs the same again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-invariants.h"
#include "stm-samples.h"

#include <string.h>

#define N_DOMAINS 3
#define N_MOMENTS 10
#define N_IMAGES 7
#define N_NAMES 8
#define N_STEPS 20000

/* Numbers from 1; 0 is none. */
typedef struct
{
  gboolean exists;
  StmMomentKind kind;
  guint name;
  guint parent;
  guint frozen;
  guint created;
  StmMomentState state;
  StmHealth health;
} PlainMoment;

typedef struct
{
  gboolean exists;
  guint backing;
} PlainImage;

typedef struct
{
  gboolean exists;
  guint name;
  guint active;
  guint current;
  PlainMoment moments[N_MOMENTS + 1];
  PlainImage images[N_IMAGES + 1];
} PlainDomain;

typedef struct
{
  PlainDomain domains[N_DOMAINS];
  StmModel *model;
  guint n_taken;
  guint n_refused;
} World;

/* A change in both forms. */
typedef struct
{
  guint domain;
  StmChange *change;
  PlainDomain before;
  PlainDomain after;
  gboolean removed_image[N_IMAGES + 1];
  gboolean removes_unknown;
} Edit;

static guint
pick (guint n)
{
  return g_test_rand_int_range (0, n);
}

static gboolean
one_in (guint n)
{
  return pick (n) == 0;
}

static StmMoment *
make_moment (guint number, const PlainMoment *plain)
{
  g_autoptr (StmMoment) sample = stm_sample_snapshot (number, plain->parent, plain->frozen);
  g_autofree char *name = g_strdup_printf ("n%u", plain->name);
  StmMoment init = *sample;
  StmMomentDisk disk = { 0 };

  if (init.n_disks > 0)
    disk = init.disks[0];
  if (plain->kind == STM_MOMENT_CHECKPOINT)
    {
      disk.mode = STM_MODE_BITMAP;
      disk.bitmap = "b";
    }
  init.disks = &disk;
  init.kind = plain->kind;
  init.state = plain->state;
  init.health = plain->health;
  init.name = name;
  init.created = plain->created;

  return stm_moment_new (&init);
}

static void
put_moment (Edit *edit, guint number)
{
  PlainMoment *plain = &edit->after.moments[number];
  StmMomentKind kind = number > N_MOMENTS / 2 ? STM_MOMENT_CHECKPOINT : STM_MOMENT_SNAPSHOT;
  /* Mostly a variation of what is there, as operations make them. */
  gboolean varies = plain->exists && !one_in (3);

  if (one_in (50))
    kind = STM_MOMENT_CHECKPOINT - kind;
  if (!varies || one_in (3))
    plain->parent = one_in (3) ? 0 : pick (N_MOMENTS + 1);
  if (!varies || one_in (3))
    plain->name = pick (N_NAMES);
  if (!varies || one_in (3))
    plain->frozen = one_in (2) ? 0 : pick (N_IMAGES + 1);
  plain->exists = TRUE;
  plain->kind = kind;
  plain->created = pick (5);
  plain->state = one_in (6) ? STM_STATE_CREATING : STM_STATE_SHUTOFF;
  plain->health = one_in (3) ? (StmHealth) pick (STM_HEALTH_UNKNOWN + 1) : STM_HEALTH_OK;

  g_autoptr (StmMoment) moment = make_moment (number, plain);

  stm_change_put_moment (edit->change, moment);
}

static void
remove_moment (Edit *edit, guint number)
{
  PlainMoment *plain = &edit->after.moments[number];

  if (!plain->exists && !one_in (20))
    return;
  edit->removes_unknown |= !plain->exists;
  plain->exists = FALSE;
  stm_sample_remove_moment (edit->change, number);
}

static void
put_image (Edit *edit, guint number)
{
  PlainImage *plain = &edit->after.images[number];

  plain->exists = TRUE;
  plain->backing = one_in (3) ? 0 : pick (N_IMAGES + 1);
  stm_sample_put_image (edit->change, number, plain->backing);
}

static void
remove_image (Edit *edit, guint number)
{
  PlainImage *plain = &edit->after.images[number];

  if (!plain->exists && !one_in (20))
    return;
  edit->removes_unknown |= !plain->exists;
  plain->exists = FALSE;
  edit->removed_image[number] = TRUE;
  stm_sample_remove_image (edit->change, number);
}

static void
put_domain (Edit *edit)
{
  PlainDomain *plain = &edit->after;
  g_autofree char *name = NULL;

  plain->exists = TRUE;
  plain->name = pick (N_DOMAINS + 1);
  plain->active = pick (N_IMAGES + 1);
  name = g_strdup_printf ("domain%u", plain->name);
  stm_sample_set_domain (edit->change, name, plain->active);
}

static void
set_current (Edit *edit)
{
  edit->after.current = one_in (4) ? 0 : pick (N_MOMENTS + 1);
  stm_sample_set_current (edit->change, edit->after.current);
}

static void
make_edit (Edit *edit, const World *world)
{
  guint domain = pick (N_DOMAINS);
  g_autofree char *id = stm_sample_id (1000 + domain);

  *edit = (Edit){
    .domain = domain,
    .change = stm_change_new (id),
    .before = world->domains[domain],
    .after = world->domains[domain],
  };
  for (guint n = pick (3); n > 0; n--)
    put_image (edit, 1 + pick (N_IMAGES));
  for (guint n = pick (4); n > 0; n--)
    put_moment (edit, 1 + pick (N_MOMENTS));
  /* Each number once: what several calls for one make of it is told by the tests of the change. */
  for (guint i = 1; i <= N_MOMENTS; i++)
    if (one_in (12)
        && memcmp (&edit->before.moments[i], &edit->after.moments[i], sizeof (PlainMoment)) == 0)
      remove_moment (edit, i);
  for (guint i = 1; i <= N_IMAGES; i++)
    if (one_in (12)
        && memcmp (&edit->before.images[i], &edit->after.images[i], sizeof (PlainImage)) == 0)
      remove_image (edit, i);
  if (edit->before.exists ? one_in (4) : !one_in (4))
    put_domain (edit);
  if (one_in (3))
    set_current (edit);
  if (one_in (60))
    edit->change->removes_domain = TRUE;
}

static gboolean
parents_lead_to_root (const PlainDomain *domain, guint number)
{
  guint parent = domain->moments[number].parent;

  for (guint n = 0; parent != 0 && n <= N_MOMENTS; n++)
    parent = domain->moments[parent].parent;

  return parent == 0;
}

static gboolean
may_be_unrecorded (const Edit *edit, const PlainMoment *moment)
{
  if (edit->removed_image[moment->frozen])
    return moment->kind == STM_MOMENT_CHECKPOINT && moment->health == STM_HEALTH_MISSING;

  return moment->health != STM_HEALTH_OK && moment->health != STM_HEALTH_CREATING;
}

static gboolean
moment_fits (const Edit *edit, const PlainDomain *domain, guint number)
{
  const PlainMoment *moment = &domain->moments[number];
  const PlainMoment *parent = &domain->moments[moment->parent];

  if (moment->parent != 0 && (!parent->exists || parent->kind != moment->kind))
    return FALSE;
  if (moment->frozen != 0 && !domain->images[moment->frozen].exists
      && !may_be_unrecorded (edit, moment))
    return FALSE;
  for (guint i = 1; i <= N_MOMENTS; i++)
    if (i != number && domain->moments[i].exists && domain->moments[i].kind == moment->kind
        && domain->moments[i].name == moment->name)
      return FALSE;

  return TRUE;
}

static gboolean
moments_fit (const Edit *edit)
{
  const PlainDomain *domain = &edit->after;
  const PlainMoment *current = &domain->moments[domain->current];

  for (guint i = 1; i <= N_MOMENTS; i++)
    if (domain->moments[i].exists && !moment_fits (edit, domain, i))
      return FALSE;
  for (guint i = 1; i <= N_MOMENTS; i++)
    if (domain->moments[i].exists && !parents_lead_to_root (domain, i))
      return FALSE;

  return domain->current == 0 || (current->exists && current->kind == STM_MOMENT_SNAPSHOT);
}

static gboolean
backing_ends (const PlainDomain *domain, guint number)
{
  guint n = 0;

  while (number != 0 && domain->images[number].exists && n++ <= N_IMAGES)
    number = domain->images[number].backing;

  return n <= N_IMAGES;
}

static gboolean
images_fit (const Edit *edit)
{
  const PlainDomain *domain = &edit->after;

  for (guint i = 1; i <= N_IMAGES; i++)
    if (domain->images[i].exists
        && (edit->removed_image[domain->images[i].backing] || !backing_ends (domain, i)))
      return FALSE;

  return domain->active == 0 || domain->images[domain->active].exists;
}

static gboolean
changes_kind (const Edit *edit)
{
  for (guint i = 1; i <= N_MOMENTS; i++)
    if (edit->before.moments[i].exists && edit->after.moments[i].exists
        && edit->before.moments[i].kind != edit->after.moments[i].kind)
      return TRUE;

  return FALSE;
}

static gboolean
should_be_taken (const World *world, const Edit *edit)
{
  if (edit->change->removes_domain)
    return edit->before.exists;
  if (!edit->after.exists || edit->removes_unknown || changes_kind (edit))
    return FALSE;
  for (guint i = 0; i < N_DOMAINS; i++)
    if (i != edit->domain && world->domains[i].exists && world->domains[i].name == edit->after.name)
      return FALSE;

  return moments_fit (edit) && images_fit (edit);
}

static void
compare_moment (const StmTree *tree, guint number, const PlainMoment *plain)
{
  g_autofree char *id = stm_sample_id (number);
  const StmMoment *moment = stm_tree_get (tree, id);
  g_autoptr (StmMoment) expected = make_moment (number, plain);

  g_assert_nonnull (moment);

  g_autoptr (GVariant) a = g_variant_ref_sink (stm_moment_to_variant (moment));
  g_autoptr (GVariant) b = g_variant_ref_sink (stm_moment_to_variant (expected));

  g_assert_true (g_variant_equal (a, b));
}

static void
compare_moments (const World *world, const char *id, const PlainDomain *plain)
{
  guint counts[STM_N_MOMENT_KINDS] = { 0 };
  const StmTree *snapshots = stm_model_tree (world->model, id, STM_MOMENT_SNAPSHOT);
  g_autofree char *current = plain->current != 0 ? stm_sample_id (plain->current) : NULL;

  for (guint i = 1; i <= N_MOMENTS; i++)
    if (plain->moments[i].exists)
      {
        StmMomentKind kind = plain->moments[i].kind;

        counts[kind]++;
        compare_moment (stm_model_tree (world->model, id, kind), i, &plain->moments[i]);
      }
  for (guint kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    g_assert_cmpuint (stm_tree_count (stm_model_tree (world->model, id, kind)), ==, counts[kind]);
  g_assert_cmpstr (stm_tree_current (snapshots), ==, current);
}

static void
compare_images (const World *world, const char *id, const PlainDomain *plain)
{
  g_autoptr (GPtrArray) images = stm_model_images (world->model, id);
  guint n_images = 0;

  for (guint i = 1; i <= N_IMAGES; i++)
    {
      g_autofree char *path = stm_sample_path (i);
      const StmImage *image = stm_model_get_image (world->model, id, path);
      g_autoptr (StmImage) expected = plain->images[i].exists
                                          ? stm_sample_image (i, plain->images[i].backing)
                                          : NULL;

      g_assert_true (stm_image_equal (image, expected));
      n_images += image != NULL;
    }
  g_assert_cmpuint (images->len, ==, n_images);
}

/* Who holds an image, and what is begun in it: counted over all domains and in one. */
static void
compare_holders (const World *world, const char *id, const PlainDomain *plain)
{
  for (guint image = 1; image <= N_IMAGES; image++)
    {
      g_autofree char *path = stm_sample_path (image);
      g_autoptr (GArray) users = stm_model_image_users (world->model, path);
      g_autoptr (GArray) disks = stm_model_image_disks (world->model, path);
      g_autoptr (GPtrArray) homes = stm_model_checkpoints_at (world->model, id, path);
      guint n_moments = 0, n_disks = 0, n_homes = 0;

      for (guint i = 0; i < N_DOMAINS; i++)
        {
          const PlainDomain *domain = &world->domains[i];

          n_disks += domain->exists && domain->active == image;
          for (guint m = 1; m <= N_MOMENTS; m++)
            {
              const PlainMoment *moment = &domain->moments[m];
              gboolean is_there = moment->exists && moment->frozen == image;

              n_moments += is_there && moment->kind == STM_MOMENT_SNAPSHOT;
              n_homes += is_there && moment->kind == STM_MOMENT_CHECKPOINT && domain == plain;
            }
        }
      g_assert_cmpuint (users->len, ==, n_moments + n_disks);
      g_assert_cmpuint (disks->len, ==, n_disks);
      g_assert_cmpuint (homes->len, ==, n_homes);
    }
}

static void
compare_busy (const World *world, const char *id, const PlainDomain *plain)
{
  g_autoptr (GPtrArray) busy = stm_model_busy_moments (world->model, id);
  guint n_busy = 0;

  for (guint i = 1; i <= N_MOMENTS; i++)
    n_busy += plain->moments[i].exists && plain->moments[i].state == STM_STATE_CREATING;
  g_assert_cmpuint (busy->len, ==, n_busy);
  for (guint i = 0; i < busy->len; i++)
    g_assert_cmpint (((const StmMoment *) busy->pdata[i])->state, ==, STM_STATE_CREATING);
}

static void
compare_domain (const World *world, guint number)
{
  const PlainDomain *plain = &world->domains[number];
  g_autofree char *id = stm_sample_id (1000 + number);
  g_autofree char *name = g_strdup_printf ("domain%u", plain->name);
  g_autofree char *source = plain->active != 0 ? stm_sample_path (plain->active) : NULL;
  const StmDomain *domain = stm_model_get_domain (world->model, id);

  g_assert_true ((domain != NULL) == plain->exists);
  if (domain == NULL)
    return;
  g_assert_cmpstr (domain->name, ==, name);
  g_assert_cmpstr (domain->disks[0].source, ==, source);
  compare_moments (world, id, plain);
  compare_images (world, id, plain);
  compare_holders (world, id, plain);
  compare_busy (world, id, plain);
}

static void
take (World *world, const Edit *edit)
{
  g_autoptr (GError) error = NULL;

  world->n_taken++;
  world->domains[edit->domain] = edit->change->removes_domain ? (PlainDomain){ 0 } : edit->after;
  stm_model_apply (world->model, edit->change);
  stm_model_validate (world->model, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < N_DOMAINS; i++)
    compare_domain (world, i);
}

static void
step (World *world, guint number)
{
  g_autoptr (GError) error = NULL;
  Edit edit;

  make_edit (&edit, world);

  gboolean expected = should_be_taken (world, &edit);

  if (stm_model_check (world->model, edit.change, &error) != expected)
    {
      g_autoptr (GVariant) variant = g_variant_ref_sink (stm_change_to_variant (edit.change));
      g_autofree char *text = g_variant_print (variant, FALSE);

      g_error ("step %u: should be %s (%s): %s", number, expected ? "taken" : "refused",
               error != NULL ? error->message : "taken", text);
    }
  if (expected)
    take (world, &edit);
  else
    world->n_refused++;
  stm_change_unref (edit.change);
}

static void
test_random (void)
{
  World world = { .model = stm_model_new () };

  for (guint i = 0; i < N_STEPS; i++)
    step (&world, i);
  g_test_message ("%u taken, %u refused", world.n_taken, world.n_refused);
  /* Else the numbers above are such that the test says little. */
  g_assert_cmpuint (world.n_taken, >, N_STEPS / 20);
  g_assert_cmpuint (world.n_refused, >, N_STEPS / 20);
  stm_model_free (world.model);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/model-random/judges-and-answers-like-plain-arrays", test_random);

  return g_test_run ();
}
