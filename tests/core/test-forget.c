/* Forgetting all moments of a kind, renaming and describing single ones.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-kit.h"
#include "stemma-error.h"
#include "stm-forget.h"
#include "stm-invariants.h"
#include "stm-moment-edit.h"

#define N_MANY 100000

static const StmPlanContext context = { .plan_id = "e0000000000000000000000000000001" };

static void
apply (StmModel *model, const StmPlan *plan)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (plan->steps->len, ==, 0);
  stm_model_check (model, plan->finish, &error);
  g_assert_no_error (error);
  stm_model_apply (model, plan->finish);
  stm_model_validate (model, &error);
  g_assert_no_error (error);
}

static void
forget (StmModel *model, StmMomentKind kind)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan) plan = stm_plan_forget_all (model, KIT_DOMAIN, kind, &context, &error);

  g_assert_no_error (error);
  apply (model, plan);
}

static void
test_forget (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *snapshots = NULL;
  g_autofree char *checkpoints = NULL;

  forget (model, STM_MOMENT_SNAPSHOT);
  snapshots = kit_tree (model, STM_MOMENT_SNAPSHOT);
  checkpoints = kit_tree (model, STM_MOMENT_CHECKPOINT);
  g_assert_cmpstr (snapshots, ==, "");
  g_assert_cmpstr (checkpoints, ==, "c9");
  g_assert_null (stm_tree_current (stm_model_tree (model, KIT_DOMAIN, STM_MOMENT_SNAPSHOT)));
  /* What the service made stays on record, so that it can be merged one day. */
  g_assert_nonnull (stm_model_get_image (model, KIT_DOMAIN, "/v/1.qcow2"));
  g_assert_nonnull (stm_model_get_image (model, KIT_DOMAIN, "/v/2.qcow2"));
  forget (model, STM_MOMENT_CHECKPOINT);
  forget (model, STM_MOMENT_CHECKPOINT);
  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, KIT_DOMAIN, STM_MOMENT_CHECKPOINT)), ==,
                    0);
}

static void
test_usable_at_once (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_snapshot ("s1", NULL, "shutoff", NULL, domain);

  forget (model, STM_MOMENT_SNAPSHOT);
  g_assert_null (kit_redefine_one (model, STM_MOMENT_SNAPSHOT, document));
  g_assert_nonnull (kit_find (model, STM_MOMENT_SNAPSHOT, "s1"));
}

/* Whatever state the tree is in. */
static void
test_broken (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (KIT_DOMAIN);
  g_autoptr (StmMoment) creating = stm_moment_with_state (
      kit_find (model, STM_MOMENT_SNAPSHOT, "s3"), STM_STATE_CREATING, STM_HEALTH_CREATING);
  g_autoptr (StmMoment) missing = stm_moment_with_state (
      kit_find (model, STM_MOMENT_SNAPSHOT, "s1"), STM_STATE_DELETING, STM_HEALTH_MISSING);

  stm_change_put_moment (change, creating);
  stm_change_put_moment (change, missing);
  stm_model_apply (model, change);
  forget (model, STM_MOMENT_SNAPSHOT);
  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, KIT_DOMAIN, STM_MOMENT_SNAPSHOT)), ==,
                    0);
}

static void
put_image (StmChange *change, const char *path, const char *backing)
{
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = path,
                                                           .target = "vda",
                                                           .index = 90,
                                                           .format = "qcow2",
                                                           .backing = backing,
                                                           .origin = STM_IMAGE_BACKING });

  stm_change_put_image (change, image);
}

static void
test_foreign_images (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (KIT_DOMAIN);
  g_autoptr (StmImage) based = stm_image_with_backing (
      stm_model_get_image (model, KIT_DOMAIN, "/v/1.qcow2"), "/v/base");

  put_image (change, "/v/base", NULL);
  put_image (change, "/v/f1", NULL);
  put_image (change, "/v/f2", "/v/f1");
  stm_change_put_image (change, based);
  stm_model_apply (model, change);
  forget (model, STM_MOMENT_SNAPSHOT);
  g_assert_null (stm_model_get_image (model, KIT_DOMAIN, "/v/f1"));
  g_assert_null (stm_model_get_image (model, KIT_DOMAIN, "/v/f2"));
  g_assert_nonnull (stm_model_get_image (model, KIT_DOMAIN, "/v/base"));
}

static StmModel *
make_chain (guint n)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (KIT_DOMAIN);

  for (guint i = 100; i < 100 + n; i++)
    stm_sample_put_snapshot (change, i, i > 100 ? i - 1 : 0, 1);
  stm_model_apply (model, change);

  return g_steal_pointer (&model);
}

static void
test_many (void)
{
  g_autoptr (StmModel) model = make_chain (N_MANY);
  gint64 begin = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmPlan)
      plan = stm_plan_forget_all (model, KIT_DOMAIN, STM_MOMENT_SNAPSHOT, &context, &error);

  g_assert_no_error (error);
  g_assert_true (stm_model_check (model, plan->finish, &error));
  stm_model_apply (model, plan->finish);
  g_test_message ("%u in %.3f s", N_MANY,
                  (double) (g_get_monotonic_time () - begin) / G_USEC_PER_SEC);
  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, KIT_DOMAIN, STM_MOMENT_SNAPSHOT)), ==,
                    0);
}

/* --- names and descriptions --- */

static GError *
edit (StmModel *model, StmMomentKind kind, const char *moment, const char *name,
      const char *description)
{
  GError *error = NULL;
  const StmMoment *found = kit_find (model, kind, moment);
  StmMomentEdit wanted = { .kind = kind,
                           .moment_id = found != NULL ? found->id : context.plan_id,
                           .name = name,
                           .description = description };
  g_autoptr (StmPlan) plan = stm_plan_moment_edit (model, KIT_DOMAIN, &wanted, &context, &error);

  if (plan != NULL)
    apply (model, plan);
  return error;
}

static void
test_rename (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *id = g_strdup (kit_find (model, STM_MOMENT_SNAPSHOT, "s2")->id);
  const struct
  {
    StmMomentKind kind;
    const char *moment;
    const char *name;
    StemmaError code;
  } vectors[] = {
    { STM_MOMENT_SNAPSHOT, "s2", "s1", STEMMA_ERROR_ALREADY_EXISTS },
    { STM_MOMENT_SNAPSHOT, "s2", "", STEMMA_ERROR_INVALID_ARGUMENT },
    { STM_MOMENT_SNAPSHOT, "s2", "a/b", STEMMA_ERROR_INVALID_ARGUMENT },
    { STM_MOMENT_SNAPSHOT, "s2", ".hidden", STEMMA_ERROR_INVALID_ARGUMENT },
    { STM_MOMENT_SNAPSHOT, "nobody", "x", STEMMA_ERROR_NOT_FOUND },
    { STM_MOMENT_CHECKPOINT, "c9", "c8", STEMMA_ERROR_NOT_SUPPORTED },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (vectors); i++)
    {
      g_autoptr (GError)
          error = edit (model, vectors[i].kind, vectors[i].moment, vectors[i].name, NULL);

      g_test_message ("%s -> '%s'", vectors[i].moment, vectors[i].name);
      g_assert_error (error, STEMMA_ERROR, (int) vectors[i].code);
    }
  g_assert_null (edit (model, STM_MOMENT_SNAPSHOT, "s2", "20240101", NULL));
  g_assert_null (kit_find (model, STM_MOMENT_SNAPSHOT, "s2"));
  g_assert_cmpstr (kit_find (model, STM_MOMENT_SNAPSHOT, "20240101")->id, ==, id);
  g_assert_null (edit (model, STM_MOMENT_SNAPSHOT, "20240101", "20240101", NULL));
}

static void
test_describe (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *long_text = g_strnfill (65537, 'x');
  g_autoptr (GError) too_long = edit (model, STM_MOMENT_SNAPSHOT, "s1", NULL, long_text);
  g_autoptr (GError) not_xml = edit (model, STM_MOMENT_SNAPSHOT, "s1", NULL, "a\001b");

  g_assert_error (too_long, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE);
  g_assert_error (not_xml, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
  g_assert_null (edit (model, STM_MOMENT_SNAPSHOT, "s1", NULL, "zwei\nZeilen"));
  g_assert_null (edit (model, STM_MOMENT_CHECKPOINT, "c9", NULL, "weekly"));
  g_assert_cmpstr (kit_find (model, STM_MOMENT_SNAPSHOT, "s1")->description, ==, "zwei\nZeilen");
  g_assert_cmpstr (kit_find (model, STM_MOMENT_CHECKPOINT, "c9")->description, ==, "weekly");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/forget/one-kind-goes-and-no-image-of-the-service-does", test_forget);
  g_test_add_func ("/core/forget/the-tree-is-usable-at-once", test_usable_at_once);
  g_test_add_func ("/core/forget/a-tree-in-any-state-is-forgotten", test_broken);
  g_test_add_func ("/core/forget/records-of-foreign-images-that-nothing-needs-go",
                   test_foreign_images);
  g_test_add_func ("/core/forget/a-chain-of-a-hundred-thousand", test_many);
  g_test_add_func ("/core/edit/a-name-is-legal-and-free", test_rename);
  g_test_add_func ("/core/edit/a-description-is-what-xml-can-bear", test_describe);
  return g_test_run ();
}
