/* The check of a change: what it refuses, and with which error.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-invariants.h"
#include "stm-samples.h"

#define ALPHA STM_SAMPLE_ALPHA
#define GAMMA "d0000000000000000000000000000003"

static void
fill_nothing (StmChange *change)
{
}

static void
fill_removal (StmChange *change)
{
  change->removes_domain = TRUE;
}

static void
fill_taken_domain_name (StmChange *change)
{
  stm_sample_set_domain (change, "beta", 3);
}

static void
fill_record_of_another (StmChange *change)
{
  g_autoptr (StmDomain) domain = stm_sample_domain (GAMMA, "gamma", 0);

  stm_change_set_domain (change, domain);
}

static void
fill_unsound_record (StmChange *change)
{
  stm_sample_set_domain (change, "al/pha", 3);
}

static void
fill_text_without_record (StmChange *change)
{
  change->definition_text = g_strdup ("<domain/>");
}

static void
fill_huge_definition (StmChange *change)
{
  stm_sample_set_domain (change, "alpha", 3);
  change->definition_text = g_strnfill (16 * 1024 * 1024 + 1, ' ');
}

static void
fill_disk_not_recorded (StmChange *change)
{
  stm_sample_set_domain (change, "alpha", 99);
}

static void
fill_taken_name (StmChange *change)
{
  stm_sample_put_named (change, 4, 1, 0, "s3");
}

static void
fill_name_twice (StmChange *change)
{
  stm_sample_put_named (change, 4, 1, 0, "new");
  stm_sample_put_named (change, 5, 1, 0, "new");
}

static void
fill_name_of_unmoved (StmChange *change)
{
  /* s3 is put as well, but keeps its name. */
  stm_sample_put_named (change, 2, 1, 2, "s3");
  stm_sample_put_snapshot (change, 3, 2, 0);
}

static void
fill_unknown_parent (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 99, 0);
}

static void
fill_parent_of_other_kind (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 9, 0);
}

static void
fill_removed_parent (StmChange *change)
{
  stm_sample_remove_moment (change, 3);
  stm_sample_put_snapshot (change, 4, 3, 0);
}

static void
fill_other_kind (StmChange *change)
{
  stm_sample_put_snapshot (change, 9, 0, 0);
}

static void
fill_on_itself (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 4, 0);
}

static void
fill_root_on_its_leaf (StmChange *change)
{
  stm_sample_put_snapshot (change, 1, 2, 1);
}

static void
fill_ring_of_new (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 6, 0);
  stm_sample_put_snapshot (change, 5, 4, 0);
  stm_sample_put_snapshot (change, 6, 5, 0);
}

static void
fill_ring_through_new (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 3, 0);
  stm_sample_put_snapshot (change, 1, 4, 1);
}

static void
fill_unsound_moment (StmChange *change)
{
  stm_sample_put_named (change, 4, 1, 0, "a/b");
}

static void
fill_parent_goes_alone (StmChange *change)
{
  stm_sample_remove_moment (change, 1);
}

static void
fill_parent_goes_with_one_child (StmChange *change)
{
  stm_sample_remove_moment (change, 1);
  stm_sample_remove_moment (change, 3);
}

static void
fill_unknown_moment (StmChange *change)
{
  stm_sample_remove_moment (change, 99);
}

static void
fill_current_goes (StmChange *change)
{
  stm_sample_remove_moment (change, 2);
}

static void
fill_unknown_current (StmChange *change)
{
  stm_sample_set_current (change, 99);
}

static void
fill_removed_current (StmChange *change)
{
  stm_sample_remove_moment (change, 3);
  stm_sample_set_current (change, 3);
}

static void
fill_checkpoint_current (StmChange *change)
{
  stm_sample_set_current (change, 9);
}

static void
fill_frozen_not_recorded (StmChange *change)
{
  stm_sample_put_snapshot (change, 4, 1, 99);
}

static void
fill_frozen_goes (StmChange *change)
{
  stm_sample_put_image (change, 3, 1);
  stm_sample_remove_image (change, 2);
}

static void
fill_frozen_by_new_goes (StmChange *change)
{
  stm_sample_put_image (change, 3, 1);
  stm_sample_put_snapshot (change, 2, 1, 1);
  stm_sample_put_snapshot (change, 4, 1, 2);
  stm_sample_remove_image (change, 2);
}

static void
fill_active_goes (StmChange *change)
{
  stm_sample_remove_image (change, 3);
}

static void
fill_backing_goes (StmChange *change)
{
  stm_sample_put_snapshot (change, 2, 1, 1);
  stm_sample_remove_image (change, 2);
}

static void
fill_backing_of_new_goes (StmChange *change)
{
  stm_sample_put_snapshot (change, 2, 1, 1);
  stm_sample_put_image (change, 3, 1);
  stm_sample_put_image (change, 4, 2);
  stm_sample_remove_image (change, 2);
}

static void
fill_unknown_image (StmChange *change)
{
  stm_sample_remove_image (change, 99);
}

static void
fill_image_of_another_domain (StmChange *change)
{
  stm_sample_remove_image (change, 10);
}

static void
fill_image_on_itself (StmChange *change)
{
  stm_sample_put_image (change, 4, 4);
}

static void
fill_image_ring (StmChange *change)
{
  stm_sample_put_image (change, 1, 3);
}

static void
fill_image_ring_through_new (StmChange *change)
{
  stm_sample_put_image (change, 4, 3);
  stm_sample_put_image (change, 1, 4);
}

static void
fill_unsound_image (StmChange *change)
{
  g_autoptr (StmImage) image = stm_image_new (
      &(StmImage){ .path = "nbd:x", .target = "vda", .index = 1, .format = "raw" });

  stm_change_put_image (change, image);
}

static void
fill_moment_twice_by_hand (StmChange *change)
{
  g_ptr_array_add (change->put_moments, stm_sample_snapshot (4, 0, 0));
  g_ptr_array_add (change->put_moments, stm_sample_snapshot (4, 0, 0));
}

static void
fill_put_and_removed_by_hand (StmChange *change)
{
  g_ptr_array_add (change->put_moments, stm_sample_snapshot (3, 0, 0));
  g_ptr_array_add (change->removed_moments, stm_sample_id (3));
}

typedef struct
{
  const char *name;
  const char *domain_id;
  void (*fill) (StmChange *change);
  StemmaError code;
} Refusal;

static const Refusal refusals[] = {
  { "change of an unknown domain", GAMMA, fill_nothing, STEMMA_ERROR_NOT_FOUND },
  { "removal of an unknown domain", GAMMA, fill_removal, STEMMA_ERROR_NOT_FOUND },
  { "domain name of another", ALPHA, fill_taken_domain_name, STEMMA_ERROR_ALREADY_EXISTS },
  { "record of another domain", ALPHA, fill_record_of_another, STEMMA_ERROR_INVALID_ARGUMENT },
  { "unsound record", ALPHA, fill_unsound_record, STEMMA_ERROR_INVALID_ARGUMENT },
  { "text without record", ALPHA, fill_text_without_record, STEMMA_ERROR_INVALID_ARGUMENT },
  { "huge definition", ALPHA, fill_huge_definition, STEMMA_ERROR_TOO_LARGE },
  { "disk on an image not recorded", ALPHA, fill_disk_not_recorded, STEMMA_ERROR_NOT_FOUND },
  { "name of another snapshot", ALPHA, fill_taken_name, STEMMA_ERROR_ALREADY_EXISTS },
  { "one new name twice", ALPHA, fill_name_twice, STEMMA_ERROR_ALREADY_EXISTS },
  { "name that its holder keeps", ALPHA, fill_name_of_unmoved, STEMMA_ERROR_ALREADY_EXISTS },
  { "unknown parent", ALPHA, fill_unknown_parent, STEMMA_ERROR_NOT_FOUND },
  { "parent of the other kind", ALPHA, fill_parent_of_other_kind, STEMMA_ERROR_NOT_FOUND },
  { "parent that goes", ALPHA, fill_removed_parent, STEMMA_ERROR_NOT_FOUND },
  { "checkpoint as snapshot", ALPHA, fill_other_kind, STEMMA_ERROR_INVALID_ARGUMENT },
  { "new one on itself", ALPHA, fill_on_itself, STEMMA_ERROR_INVALID_ARGUMENT },
  { "root on its leaf", ALPHA, fill_root_on_its_leaf, STEMMA_ERROR_INVALID_ARGUMENT },
  { "ring of new ones", ALPHA, fill_ring_of_new, STEMMA_ERROR_INVALID_ARGUMENT },
  { "ring through a new one", ALPHA, fill_ring_through_new, STEMMA_ERROR_INVALID_ARGUMENT },
  { "unsound moment", ALPHA, fill_unsound_moment, STEMMA_ERROR_INVALID_ARGUMENT },
  { "parent goes alone", ALPHA, fill_parent_goes_alone, STEMMA_ERROR_HAS_CHILDREN },
  { "parent goes with one child", ALPHA, fill_parent_goes_with_one_child,
    STEMMA_ERROR_HAS_CHILDREN },
  { "unknown moment goes", ALPHA, fill_unknown_moment, STEMMA_ERROR_NOT_FOUND },
  { "current one goes", ALPHA, fill_current_goes, STEMMA_ERROR_WRONG_STATE },
  { "unknown current", ALPHA, fill_unknown_current, STEMMA_ERROR_NOT_FOUND },
  { "current that goes", ALPHA, fill_removed_current, STEMMA_ERROR_NOT_FOUND },
  { "checkpoint as current", ALPHA, fill_checkpoint_current, STEMMA_ERROR_NOT_FOUND },
  { "frozen image not recorded", ALPHA, fill_frozen_not_recorded, STEMMA_ERROR_NOT_FOUND },
  { "frozen image goes", ALPHA, fill_frozen_goes, STEMMA_ERROR_IN_USE },
  { "image frozen by a new one goes", ALPHA, fill_frozen_by_new_goes, STEMMA_ERROR_IN_USE },
  { "active image goes", ALPHA, fill_active_goes, STEMMA_ERROR_IN_USE },
  { "backing image goes", ALPHA, fill_backing_goes, STEMMA_ERROR_HAS_CHILDREN },
  { "backing image of a new one goes", ALPHA, fill_backing_of_new_goes, STEMMA_ERROR_HAS_CHILDREN },
  { "unknown image goes", ALPHA, fill_unknown_image, STEMMA_ERROR_NOT_FOUND },
  { "image of another domain goes", ALPHA, fill_image_of_another_domain, STEMMA_ERROR_NOT_FOUND },
  { "image on itself", ALPHA, fill_image_on_itself, STEMMA_ERROR_CHAIN_BROKEN },
  { "ring of images", ALPHA, fill_image_ring, STEMMA_ERROR_CHAIN_BROKEN },
  { "ring of images through a new one", ALPHA, fill_image_ring_through_new,
    STEMMA_ERROR_CHAIN_BROKEN },
  { "unsound image", ALPHA, fill_unsound_image, STEMMA_ERROR_INVALID_ARGUMENT },
  { "moment twice", ALPHA, fill_moment_twice_by_hand, STEMMA_ERROR_INVALID_ARGUMENT },
  { "moment put and removed", ALPHA, fill_put_and_removed_by_hand, STEMMA_ERROR_INVALID_ARGUMENT },
};

static void
test_refusals (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();

  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      const Refusal *refusal = &refusals[i];
      g_autoptr (StmChange) change = stm_change_new (refusal->domain_id);
      g_autoptr (GError) error = NULL;

      refusal->fill (change);
      if (stm_model_check (model, change, &error))
        g_test_fail_printf ("%s: taken", refusal->name);
      else if (!g_error_matches (error, STEMMA_ERROR, refusal->code))
        g_test_fail_printf ("%s: %s", refusal->name, error->message);
      g_assert_nonnull (error);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/model-check/refuses-with-a-type", test_refusals);

  return g_test_run ();
}
