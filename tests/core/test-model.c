/* The model: what it answers after changes that it takes.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-invariants.h"
#include "stm-model.h"
#include "stm-samples.h"

#define ALPHA STM_SAMPLE_ALPHA
#define BETA STM_SAMPLE_BETA
#define GAMMA "d0000000000000000000000000000003"

static void
apply (StmModel *model, const StmChange *change)
{
  g_autoptr (GError) error = NULL;

  stm_model_check (model, change, &error);
  g_assert_no_error (error);
  stm_model_apply (model, change);
  stm_model_validate (model, &error);
  g_assert_no_error (error);
}

static void
assert_texts (GPtrArray *texts, const char *expected)
{
  g_autoptr (GString) joined = g_string_new (NULL);

  for (guint i = 0; i < texts->len; i++)
    g_string_append_printf (joined, "%s%s", i > 0 ? " " : "", (char *) texts->pdata[i]);
  g_assert_cmpstr (joined->str, ==, expected);
}

static void
assert_chain (const StmModel *model, const char *domain_id, const char *target,
              const char *expected)
{
  g_autoptr (GPtrArray) chain = stm_model_chain (model, domain_id, target);
  g_autoptr (GPtrArray) paths = g_ptr_array_new ();

  for (guint i = 0; i < chain->len; i++)
    g_ptr_array_add (paths, (char *) ((StmImage *) chain->pdata[i])->path);
  assert_texts (paths, expected);
}

static void
test_chain (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();

  assert_chain (model, ALPHA, "vda", "/v/3.qcow2 /v/2.qcow2 /v/1.qcow2");
  assert_chain (model, BETA, "vda", "/v/10.qcow2 /v/1.qcow2");
  assert_chain (model, ALPHA, "vdb", "");
  assert_chain (model, GAMMA, "vda", "");
}

static void
test_chain_ends_where_the_record_ends (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (GAMMA);

  stm_sample_set_domain (change, "gamma", 20);
  stm_sample_put_image (change, 20, 1);
  apply (model, change);
  assert_chain (model, GAMMA, "vda", "/v/20.qcow2");
}

static void
test_chain_never_loops (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) ring = stm_change_new (ALPHA);

  /* Such a change is refused; the walk does not rely on it. */
  stm_sample_put_image (ring, 1, 3);
  stm_model_apply (model, ring);
  assert_chain (model, ALPHA, "vda", "/v/3.qcow2 /v/2.qcow2 /v/1.qcow2");
}

static void
test_children_over_domains (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) gamma = stm_change_new (GAMMA);
  g_autoptr (StmChange) removal = stm_change_new (BETA);

  /* gamma records the child of beta as well: one file, named once. */
  stm_sample_set_domain (gamma, "gamma", 0);
  stm_sample_put_image (gamma, 10, 1);
  apply (model, gamma);

  g_autoptr (GPtrArray) both = stm_model_image_children (model, "/v/1.qcow2");
  g_autoptr (GPtrArray) none = stm_model_image_children (model, "/v/3.qcow2");
  g_autoptr (GPtrArray) unknown = stm_model_image_children (model, "/elsewhere");

  assert_texts (both, "/v/10.qcow2 /v/2.qcow2");
  assert_texts (none, "");
  assert_texts (unknown, "");

  removal->removes_domain = TRUE;
  apply (model, removal);

  g_autoptr (GPtrArray) still = stm_model_image_children (model, "/v/1.qcow2");

  assert_texts (still, "/v/10.qcow2 /v/2.qcow2");
}

static void
test_users (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) gamma = stm_change_new (GAMMA);

  stm_sample_set_domain (gamma, "gamma", 2);
  stm_sample_put_image (gamma, 2, 0);
  apply (model, gamma);

  g_autoptr (GArray) users = stm_model_image_users (model, "/v/2.qcow2");
  const StmImageUser *snapshot = &g_array_index (users, StmImageUser, 0);
  const StmImageUser *disk = &g_array_index (users, StmImageUser, 1);

  g_assert_cmpuint (users->len, ==, 2);
  g_assert_cmpstr (snapshot->domain_id, ==, ALPHA);
  g_assert_cmpstr (snapshot->moment_id, ==, "00000000000000000000000000000002");
  g_assert_cmpint (snapshot->kind, ==, STM_MOMENT_SNAPSHOT);
  g_assert_cmpstr (snapshot->target, ==, "vda");
  g_assert_cmpstr (disk->domain_id, ==, GAMMA);
  g_assert_null (disk->moment_id);
}

static void
test_find_domain (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();

  g_assert_cmpstr (stm_model_find_domain (model, "alpha")->id, ==, ALPHA);
  g_assert_cmpstr (stm_model_find_domain (model, BETA)->id, ==, BETA);
  g_assert_cmpstr (stm_model_find_domain (model, " D0000000-0000-0000-0000-000000000002 ")->id, ==,
                   BETA);
  g_assert_null (stm_model_find_domain (model, ""));
  g_assert_null (stm_model_find_domain (model, "gamma"));
  g_assert_null (stm_model_find_domain (model, GAMMA));
}

static void
test_name_before_uuid (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) gamma = stm_change_new (GAMMA);

  stm_sample_set_domain (gamma, ALPHA, 0);
  apply (model, gamma);
  g_assert_cmpstr (stm_model_find_domain (model, ALPHA)->id, ==, GAMMA);
}

static void
test_generations (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);

  g_assert_cmpuint (stm_model_generation (model, ALPHA), ==, 5);
  g_assert_cmpuint (stm_model_generation (model, BETA), ==, 1);
  g_assert_cmpuint (stm_model_generation (model, GAMMA), ==, 0);
  g_assert_cmpuint (stm_model_service_generation (model), ==, 8);
  change->generation = 6;
  apply (model, change);
  g_assert_cmpuint (stm_model_generation (model, ALPHA), ==, 6);
  g_assert_cmpuint (stm_model_service_generation (model), ==, 8);
}

static void
test_rename_domain (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);
  g_autoptr (StmChange) other = stm_change_new (BETA);

  stm_sample_set_domain (change, "omega", 3);
  apply (model, change);
  stm_sample_set_domain (other, "alpha", 10);
  apply (model, other);
  g_assert_cmpstr (stm_model_find_domain (model, "omega")->id, ==, ALPHA);
  g_assert_cmpstr (stm_model_find_domain (model, "alpha")->id, ==, BETA);
  g_assert_null (stm_model_find_domain (model, "beta"));
}

static void
test_remove_domain (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);

  change->removes_domain = TRUE;
  /* The rest of such a change does not count, however wrong. */
  stm_sample_put_snapshot (change, 4, 99, 99);
  change->service_generation = 9;
  apply (model, change);

  g_autoptr (GPtrArray) ids = stm_model_domain_ids (model);
  g_autoptr (GPtrArray) images = stm_model_images (model, ALPHA);
  g_autoptr (GArray) users = stm_model_image_users (model, "/v/1.qcow2");

  assert_texts (ids, BETA);
  g_assert_cmpuint (images->len, ==, 0);
  g_assert_cmpuint (users->len, ==, 0);
  g_assert_null (stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT));
  g_assert_null (stm_model_find_domain (model, "alpha"));
  g_assert_cmpuint (stm_model_service_generation (model), ==, 9);
}

static void
test_delete_middle (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);
  const StmTree *tree = stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT);

  /* The removal comes before the moves of its children. */
  stm_sample_remove_moment (change, 1);
  stm_sample_put_snapshot (change, 2, 0, 2);
  stm_sample_put_snapshot (change, 3, 2, 0);
  apply (model, change);
  g_assert_cmpuint (stm_tree_count (tree), ==, 2);
  g_assert_cmpuint (stm_tree_n_children (tree, NULL), ==, 1);
}

static void
test_remove_all_moments (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);

  stm_sample_remove_moment (change, 1);
  stm_sample_remove_moment (change, 3);
  stm_sample_remove_moment (change, 9);
  stm_sample_remove_moment (change, 2);
  stm_sample_set_current (change, 0);
  apply (model, change);
  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT)), ==, 0);
  g_assert_cmpuint (stm_tree_count (stm_model_tree (model, ALPHA, STM_MOMENT_CHECKPOINT)), ==, 0);
}

static void
test_swap_names (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);
  const StmTree *tree = stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT);

  stm_sample_put_named (change, 2, 1, 2, "s3");
  stm_sample_put_named (change, 3, 1, 0, "s2");
  apply (model, change);
  g_assert_cmpstr (stm_tree_find (tree, "s2")->id, ==, "00000000000000000000000000000003");
  g_assert_cmpstr (stm_tree_find (tree, "s3")->id, ==, "00000000000000000000000000000002");
}

static void
test_take_name_of_removed (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);
  const StmTree *tree = stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT);

  stm_sample_put_named (change, 4, 1, 0, "s3");
  stm_sample_remove_moment (change, 3);
  apply (model, change);
  g_assert_cmpstr (stm_tree_find (tree, "s3")->id, ==, "00000000000000000000000000000004");
}

static void
test_turn_branch_round (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);
  const StmTree *tree = stm_model_tree (model, ALPHA, STM_MOMENT_SNAPSHOT);

  /* The root under its child, which becomes the root: on the way there is a ring, after it none. */
  stm_sample_put_snapshot (change, 1, 2, 1);
  stm_sample_put_snapshot (change, 2, 0, 2);
  apply (model, change);
  g_assert_true (stm_tree_is_ancestor (tree, "00000000000000000000000000000002",
                                       "00000000000000000000000000000003"));
}

static void
test_merge_down (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (ALPHA);

  /* What a delete of s2 with a commit of 3 into 2 does: 2 is active, 3 goes. */
  stm_sample_remove_moment (change, 2);
  stm_sample_set_current (change, 1);
  stm_sample_set_domain (change, "alpha", 2);
  stm_sample_remove_image (change, 3);
  apply (model, change);
  assert_chain (model, ALPHA, "vda", "/v/2.qcow2 /v/1.qcow2");
  g_assert_null (stm_model_get_image (model, ALPHA, "/v/3.qcow2"));
}

static void
test_shared_image_leaves_one_domain (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) change = stm_change_new (BETA);

  /* alpha still freezes 1 and stands on it: that is no matter of beta's record. */
  stm_sample_put_image (change, 10, 0);
  stm_sample_remove_image (change, 1);
  apply (model, change);
  g_assert_null (stm_model_get_image (model, BETA, "/v/1.qcow2"));
  g_assert_nonnull (stm_model_get_image (model, ALPHA, "/v/1.qcow2"));
}

static void
test_path_policy (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (StmChange) gamma = stm_change_new (GAMMA);
  g_autoptr (StmImage) golden = stm_image_new (
      &(StmImage){ .path = "/golden/base", .target = "vda", .index = 1, .format = "raw" });
  const char *pools[] = { "/pool", NULL };

  stm_sample_set_domain (gamma, "gamma", 0);
  stm_change_put_image (gamma, golden);
  apply (model, gamma);

  g_autoptr (StmPathPolicy) own = stm_model_path_policy (model, GAMMA, pools);
  g_autoptr (StmPathPolicy) other = stm_model_path_policy (model, ALPHA, NULL);
  g_autoptr (StmPathPolicy) new = stm_model_path_policy (model, "unknown", pools);

  g_assert_true (stm_path_policy_check (own, "/v/new", NULL));
  g_assert_true (stm_path_policy_check (own, "/pool/new", NULL));
  g_assert_true (stm_path_policy_check (own, "/golden/base", NULL));
  g_assert_false (stm_path_policy_check (own, "/golden/other", NULL));
  g_assert_false (stm_path_policy_check (other, "/golden/base", NULL));
  g_assert_false (stm_path_policy_check (other, "/pool/new", NULL));
  g_assert_true (stm_path_policy_check (new, "/v/new", NULL));
  g_assert_true (stm_path_policy_check (new, "/pool/new", NULL));
  g_assert_cmpuint (g_strv_length ((char **) own->roots), ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/model/chain-follows-the-record", test_chain);
  g_test_add_func ("/core/model/chain-ends-where-the-record-ends",
                   test_chain_ends_where_the_record_ends);
  g_test_add_func ("/core/model/chain-never-loops", test_chain_never_loops);
  g_test_add_func ("/core/model/children-are-those-of-all-domains", test_children_over_domains);
  g_test_add_func ("/core/model/users-are-moments-and-disks-of-all-domains", test_users);
  g_test_add_func ("/core/model/domain-is-found-by-name-and-uuid", test_find_domain);
  g_test_add_func ("/core/model/name-comes-before-uuid", test_name_before_uuid);
  g_test_add_func ("/core/model/generations-are-those-of-the-change", test_generations);
  g_test_add_func ("/core/model/renamed-domain-leaves-its-name-to-others", test_rename_domain);
  g_test_add_func ("/core/model/removed-domain-leaves-nothing", test_remove_domain);
  g_test_add_func ("/core/model/middle-goes-and-its-children-move", test_delete_middle);
  g_test_add_func ("/core/model/all-moments-go-in-any-order", test_remove_all_moments);
  g_test_add_func ("/core/model/names-can-be-swapped", test_swap_names);
  g_test_add_func ("/core/model/name-of-a-removed-one-is-free", test_take_name_of_removed);
  g_test_add_func ("/core/model/branch-can-be-turned-round", test_turn_branch_round);
  g_test_add_func ("/core/model/merged-image-goes", test_merge_down);
  g_test_add_func ("/core/model/shared-image-leaves-one-domain",
                   test_shared_image_leaves_one_domain);
  g_test_add_func ("/core/model/path-policy-has-roots-of-all-and-images-of-one", test_path_policy);

  return g_test_run ();
}
