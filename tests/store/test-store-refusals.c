/* Writes that the store must not take: nothing of them is there afterwards.
 *
 * stm_model_check() refuses most of them before; the store does not count on that.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "store-fixture.h"

#include "stemma-error.h"

/* A change that the rows refuse, and why. */
typedef void (*Spoil) (StmChange *change);

static void
spoil_domain (StmChange *change)
{
  g_free (change->domain_id);
  change->domain_id = sample_id (77);
}

static void
spoil_parent (StmChange *change)
{
  g_autofree char *unknown = sample_id (99999);
  g_autoptr (StmMoment) moment = sample_moment (300, "orphan", unknown);

  stm_change_put_moment (change, moment);
}

static void
spoil_definition (StmChange *change)
{
  g_autoptr (StmDomain) domain = sample_domain (1, "domain-1", "no-such-hash");

  stm_change_set_domain (change, domain);
}

static void
spoil_name (StmChange *change)
{
  g_autoptr (StmDomain) domain = sample_domain (1, "domain-2", "hash-1");

  stm_change_set_domain (change, domain);
}

static void
spoil_removal (StmChange *change)
{
  g_autofree char *parent = sample_id (100);

  stm_change_remove_moment (change, parent);
}

static void
spoil_current_removal (StmChange *change)
{
  g_autofree char *current = sample_id (102);

  stm_change_remove_moment (change, current);
}

static void
spoil_unknown_removal (StmChange *change)
{
  g_autofree char *unknown = sample_id (99999);

  stm_change_remove_moment (change, unknown);
}

static void
spoil_unknown_image (StmChange *change)
{
  stm_change_remove_image (change, "/images/unknown");
}

static void
spoil_current (StmChange *change)
{
  g_autofree char *unknown = sample_id (99999);

  stm_change_set_current (change, unknown);
}

static void
spoil_owner (StmChange *change)
{
  g_autoptr (StmMoment) of_domain_2 = sample_moment (900, "stolen", NULL);

  stm_change_put_moment (change, of_domain_2);
}

static void
spoil_size (StmChange *change)
{
  g_autoptr (StmImage) image = stm_image_new (&(StmImage){ .path = "/images/huge",
                                                           .target = "vda",
                                                           .index = 9,
                                                           .format = "raw",
                                                           .origin = STM_IMAGE_MADE,
                                                           .capacity = G_MAXUINT64 });

  stm_change_put_image (change, image);
}

static void
spoil_generation (StmChange *change)
{
  change->service_generation = G_MAXUINT64;
}

typedef struct
{
  const char *name;
  Spoil spoil;
  StemmaError code;
} Refusal;

static const Refusal refusals[] = {
  { "domain unknown", spoil_domain, STEMMA_ERROR_FAILED },
  { "parent unknown", spoil_parent, STEMMA_ERROR_FAILED },
  { "definition unknown", spoil_definition, STEMMA_ERROR_FAILED },
  { "name of another domain", spoil_name, STEMMA_ERROR_FAILED },
  { "removal of a parent", spoil_removal, STEMMA_ERROR_FAILED },
  { "removal of the current moment", spoil_current_removal, STEMMA_ERROR_FAILED },
  { "removal of an unknown moment", spoil_unknown_removal, STEMMA_ERROR_FAILED },
  { "removal of an unknown image", spoil_unknown_image, STEMMA_ERROR_FAILED },
  { "current unknown", spoil_current, STEMMA_ERROR_FAILED },
  { "moment of another domain", spoil_owner, STEMMA_ERROR_FAILED },
  { "size out of range", spoil_size, STEMMA_ERROR_TOO_LARGE },
  { "generation out of range", spoil_generation, STEMMA_ERROR_TOO_LARGE },
};

static void
test_refused_write_leaves_nothing (gconstpointer data)
{
  const Refusal *refusal = data;
  g_autoptr (StoreDirectory) directory = store_directory_new ();
  StmStore *store = store_with_snapshots (directory, 3);
  g_autoptr (StmChange) other = sample_define (2, 2);
  g_autoptr (StmChange) current = sample_change (1, 3);
  g_autofree char *leaf = sample_id (102);
  g_autoptr (StmMoment) of_other = sample_moment (900, "theirs", NULL);
  g_autoptr (StmChange) change = sample_change (1, 50);
  g_autoptr (StmMoment) added = sample_moment (250, "added", NULL);
  g_autoptr (StmImage) image = sample_image ("/images/added", NULL);
  g_autoptr (StmPlan) plan = sample_plan (500, 1);
  g_autoptr (StmJournalEntry) entry = stm_journal_entry_new (plan, 0, 1);
  g_autoptr (GError) error = NULL;
  guint n_journal;

  stm_change_put_moment (other, of_other);
  stm_change_set_current (current, leaf);
  write_ok (store, other);
  write_ok (store, current);
  close_store (store);

  g_autoptr (StmModel) before = reload (directory, NULL);

  store = open_store (directory, NULL);
  stm_change_put_moment (change, added);
  stm_change_put_image (change, image);
  refusal->spoil (change);
  g_assert_false (write_and_wait (store, change, STM_JOURNAL_PUT, entry, &error));
  g_assert_error (error, STEMMA_ERROR, (int) refusal->code);
  close_store (store);

  g_autoptr (StmModel) after = reload (directory, &n_journal);

  assert_models_equal (before, after);
  g_assert_cmpuint (n_journal, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    {
      g_autofree char *name = g_strdelimit (g_strdup (refusals[i].name), " ", '-');
      g_autofree char *path = g_strconcat ("/store/refused-write-leaves-nothing/", name, NULL);

      g_test_add_data_func (path, &refusals[i], test_refused_write_leaves_nothing);
    }

  return g_test_run ();
}
