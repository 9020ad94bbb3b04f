/* Random changes, applied to a model and to the store: after each reopening the two are equal.
 *
 * The seed is printed by the test framework; --seed repeats a run.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#define N_ROUNDS 12  /* lives of the store */
#define N_CHANGES 60 /* writes in each */
#define N_DOMAINS 3

typedef struct
{
  StmModel *model;
  StmStore *store;
  guint64 generation;
  guint n_made; /* for ids and names */
} World;

static guint
pick (guint n)
{
  return (guint) g_test_rand_int_range (0, (gint32) n);
}

/* A random moment of the domain, or NULL. */
static const StmMoment *
pick_moment (World *world, const char *domain, StmMomentKind kind)
{
  const StmTree *tree = stm_model_tree (world->model, domain, kind);
  g_autoptr (GPtrArray) moments = stm_tree_subtree (tree, NULL);

  return moments->len == 0
             ? NULL
             : stm_tree_get (
                 tree, ((const StmMoment *) g_ptr_array_index (moments, pick (moments->len)))->id);
}

static StmMoment *
random_moment (World *world, StmMomentKind kind, const char *parent)
{
  guint n = world->n_made++;
  g_autofree char *id = sample_id (1000 + n);
  g_autofree char *name = g_strdup_printf ("m%u", n);
  const StmMomentDisk disks[] = {
    { .target = "vda",
      .mode = STM_MODE_EXTERNAL,
      .frozen = "/images/a.qcow2",
      .overlay = pick (2) == 0 ? NULL : "/images/a.x",
      .format = "qcow2" },
    { .target = "vdb", .mode = STM_MODE_NONE },
  };

  return stm_moment_new (&(StmMoment){ .kind = kind,
                                       .id = id,
                                       .name = name,
                                       .parent = parent,
                                       .description = pick (2) == 0 ? "" : "described",
                                       .created = 1700000000 + pick (3),
                                       .state = pick (STM_STATE_DELETING + 1),
                                       .health = pick (STM_HEALTH_UNKNOWN + 1),
                                       .definition = NULL,
                                       .disks = disks,
                                       .n_disks = pick (G_N_ELEMENTS (disks) + 1) });
}

static void
add_moments (World *world, StmChange *change)
{
  StmMomentKind kind = pick (STM_N_MOMENT_KINDS);
  const StmMoment *parent = pick (4) == 0 ? NULL : pick_moment (world, change->domain_id, kind);
  guint n = 1 + pick (4);

  for (guint i = 0; i < n; i++)
    {
      g_autoptr (StmMoment)
          moment = random_moment (world, kind, parent == NULL ? NULL : parent->id);

      stm_change_put_moment (change, moment);
      if (kind == STM_MOMENT_SNAPSHOT && pick (3) == 0)
        stm_change_set_current (change, moment->id);
      /* The next one stands on this one, or beside it. */
      if (pick (2) == 0)
        parent = g_ptr_array_index (change->put_moments, change->put_moments->len - 1);
    }
}

/* Takes one moment out; its children go to its parent. */
static void
remove_moment (World *world, StmChange *change)
{
  StmMomentKind kind = pick (STM_N_MOMENT_KINDS);
  const StmMoment *moment = pick_moment (world, change->domain_id, kind);
  const StmTree *tree = stm_model_tree (world->model, change->domain_id, kind);

  if (moment == NULL)
    return;

  for (const StmMoment *child = stm_tree_first_child (tree, moment->id); child != NULL;
       child = stm_tree_next_sibling (tree, child->id))
    {
      g_autoptr (StmMoment) moved = stm_moment_with_parent (child, moment->parent);

      stm_change_put_moment (change, moved);
    }
  if (g_strcmp0 (stm_tree_current (tree), moment->id) == 0)
    stm_change_set_current (change, moment->parent);
  stm_change_remove_moment (change, moment->id);
}

static void
alter_moment (World *world, StmChange *change)
{
  const StmMoment *moment = pick_moment (world, change->domain_id, pick (STM_N_MOMENT_KINDS));
  g_autofree char *name = g_strdup_printf ("renamed-%u", world->n_made++);

  if (moment == NULL)
    return;

  g_autoptr (StmMoment) altered = stm_moment_with_name (moment, name);

  stm_change_put_moment (change, altered);
}

static void
add_image (World *world, StmChange *change)
{
  g_autofree char *path = g_strdup_printf ("/images/i%u", pick (8));
  g_autoptr (StmImage)
      image = stm_image_new (&(StmImage){ .path = path,
                                          .target = "vda",
                                          .index = 1 + pick (100),
                                          .format = pick (2) == 0 ? "raw" : "qcow2",
                                          .backing = pick (2) == 0 ? NULL : "/images/a.qcow2",
                                          .origin = pick (STM_IMAGE_MADE + 1),
                                          .capacity = pick (1000) });

  stm_change_put_image (change, image);
}

static void
remove_image (World *world, StmChange *change)
{
  g_autofree char *path = g_strdup_printf ("/images/i%u", pick (8));

  if (stm_model_get_image (world->model, change->domain_id, path) != NULL)
    stm_change_remove_image (change, path);
}

static void
redefine (World *world, StmChange *change)
{
  const StmDomain *domain = stm_model_get_domain (world->model, change->domain_id);
  guint n = world->n_made++;
  g_autofree char *name = g_strdup_printf ("domain-%s-%u", domain->id + 30, n);
  g_autofree char *hash = g_strdup_printf ("text-%u", pick (5));
  StmDomain altered = *domain;

  altered.name = name;
  altered.definition = hash;
  change->domain = stm_domain_new (&altered);
  change->definition_text = g_strdup ("<domain/>");
}

typedef void (*Alter) (World *world, StmChange *change);

static StmChange *
random_change (World *world)
{
  static const Alter alters[] = { add_moments,  add_moments, remove_moment, alter_moment,
                                  alter_moment, add_image,   remove_image,  redefine };
  guint number = 1 + pick (N_DOMAINS);
  g_autofree char *id = sample_id (number);

  world->generation++;
  if (stm_model_get_domain (world->model, id) == NULL)
    return sample_define (number, world->generation);

  StmChange *change = sample_change (number, world->generation);

  if (pick (60) == 0)
    change->removes_domain = TRUE;
  else
    alters[pick (G_N_ELEMENTS (alters))](world, change);
  return change;
}

static void
live (World *world)
{
  for (guint i = 0; i < N_CHANGES; i++)
    {
      g_autoptr (StmChange) change = random_change (world);
      g_autoptr (GError) error = NULL;

      /* What does not fit the model is never given to the store. */
      if (!stm_model_check (world->model, change, &error))
        continue;
      write_ok (world->store, change);
      stm_model_apply (world->model, change);
    }
}

static void
test_random (void)
{
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  g_autoptr (StmModel) model = stm_model_new ();
  World world = { .model = model };

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      world.store = open_store (directory, NULL);
      live (&world);
      close_store (world.store);

      g_autoptr (StmModel) read = reload (directory, NULL);

      assert_models_equal (model, read);
      assert_models_equal (read, model);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/store/random/model-and-store-stay-equal", test_random);

  return g_test_run ();
}
