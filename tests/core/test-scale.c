/* The cost of an operation on a tree does not grow with it, whether it is deep or wide; counted in
 * look-ups, allocations and references taken, never in time.
 *
 * Moments are numbered from 1; in a chain each stands on the one before, in a fan all on the first.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "count-work.h"
#include "stm-invariants.h"
#include "stm-samples.h"

#include "stemma-error.h"
#include "stm-planner.h"

#define SMALL 100
#define LARGE 10000
#define VERY_DEEP 100000
#define VERY_WIDE 1000000
#define MANY_EDITS 2000

typedef enum
{
  CHAIN,
  FAN,
} Shape;

static StmMoment *
make_moment (StmMomentKind kind, guint number, guint parent)
{
  return kind == STM_MOMENT_SNAPSHOT ? stm_sample_snapshot (number, parent, /* frozen= */ 1)
                                     : stm_sample_checkpoint (number, parent);
}

static guint
parent_in (Shape shape, guint number)
{
  return shape == CHAIN || number == 1 ? number - 1 : 1;
}

static StmChange *
new_change (void)
{
  return stm_change_new (STM_SAMPLE_ALPHA);
}

static void
put (StmChange *change, StmMomentKind kind, guint number, guint parent)
{
  g_autoptr (StmMoment) moment = make_moment (kind, number, parent);

  stm_change_put_moment (change, moment);
}

static void
apply (StmModel *model, StmChange *change)
{
  g_autoptr (GError) error = NULL;

  stm_model_check (model, change, &error);
  g_assert_no_error (error);
  stm_model_apply (model, change);
}

/* In the order of the documents that nobody sorted: every parent after its children. */
static StmModel *
model_new (StmMomentKind kind, Shape shape, guint n)
{
  StmModel *model = stm_model_new ();
  g_autoptr (StmChange) change = new_change ();

  stm_sample_set_domain (change, "alpha", 1);
  stm_sample_put_image (change, 1, 0);
  for (guint i = n; i > 0; i--)
    put (change, kind, i, parent_in (shape, i));
  apply (model, change);

  return model;
}

/* Each fills a change that is made when there are `n` moments in the tree. */
typedef void (*Fill) (StmChange *change, StmMomentKind kind, Shape shape, guint n);

static void
add_at_end (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  put (change, kind, n + 1, parent_in (shape, n + 1));
}

static void
add_at_root (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  put (change, kind, n + 1, 0);
}

static void
rename_in_middle (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  g_autoptr (StmMoment) moment = make_moment (kind, n / 2, parent_in (shape, n / 2));
  g_autoptr (StmMoment) renamed = stm_moment_with_name (moment, "renamed");

  stm_change_put_moment (change, renamed);
}

/* With all that stands on it, which in a chain is half of the tree. */
static void
move_from_middle (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  put (change, kind, n / 2, 2);
}

static void
remove_from_middle (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  stm_sample_remove_moment (change, n / 2);
  if (shape == CHAIN)
    put (change, kind, n / 2 + 1, n / 2 - 1);
}

static void
remove_last (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  stm_sample_remove_moment (change, n);
}

static const struct
{
  const char *name;
  Fill fill;
} edits[] = {
  { "add-at-end", add_at_end },
  { "add-at-root", add_at_root },
  { "rename-in-middle", rename_in_middle },
  { "move-from-middle", move_from_middle },
  { "remove-from-middle", remove_from_middle },
  { "remove-last", remove_last },
};

static guint64
work_of_edit (StmMomentKind kind, Shape shape, guint n, Fill fill)
{
  g_autoptr (StmModel) model = model_new (kind, shape, n);
  g_autoptr (StmChange) change = new_change ();
  guint64 before;

  fill (change, kind, shape, n);
  before = work_done ();
  apply (model, change);

  return work_done () - before;
}

static void
test_edits (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (edits); i++)
    for (StmMomentKind kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
      for (Shape shape = CHAIN; shape <= FAN; shape++)
        {
          guint64 small = work_of_edit (kind, shape, SMALL, edits[i].fill);
          guint64 large = work_of_edit (kind, shape, LARGE, edits[i].fill);

          g_test_message ("%s, kind %u, shape %u: %" G_GUINT64_FORMAT, edits[i].name, kind, shape,
                          small);
          g_assert_cmpuint (small, >, 0);
          g_assert_cmpuint (large, ==, small);
        }
}

/* Each is refused, and so leaves the model as it is. */
static void
ring_over_all (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  put (change, kind, 1, n);
}

static void
ring_through_new (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  put (change, kind, n + 1, n);
  put (change, kind, n + 2, n + 1);
  put (change, kind, 1, n + 2);
}

static void
name_taken (StmChange *change, StmMomentKind kind, Shape shape, guint n)
{
  g_autoptr (StmMoment) moment = make_moment (kind, n + 1, n);
  g_autoptr (StmMoment) other = make_moment (kind, n / 2, 0);
  g_autoptr (StmMoment) taken = stm_moment_with_name (moment, other->name);

  stm_change_put_moment (change, taken);
}

static guint64
work_of_refusal (StmMomentKind kind, Shape shape, guint n, Fill fill, StemmaError code)
{
  g_autoptr (StmModel) model = model_new (kind, shape, n);
  g_autoptr (StmChange) change = new_change ();
  g_autoptr (GError) error = NULL;
  guint64 before, work;

  fill (change, kind, shape, n);
  /* Once before, since the first error of a program registers its domain; it changes nothing. */
  g_assert_false (stm_model_check (model, change, NULL));
  before = work_done ();
  g_assert_false (stm_model_check (model, change, &error));
  work = work_done () - before;
  g_assert_error (error, STEMMA_ERROR, (gint) code);
  g_clear_error (&error);
  stm_model_validate (model, &error);
  g_assert_no_error (error);

  return work;
}

static void
test_refusals (void)
{
  static const struct
  {
    Fill fill;
    StemmaError code;
  } refusals[] = {
    { ring_over_all, STEMMA_ERROR_INVALID_ARGUMENT },
    { ring_through_new, STEMMA_ERROR_INVALID_ARGUMENT },
    { name_taken, STEMMA_ERROR_ALREADY_EXISTS },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    for (Shape shape = CHAIN; shape <= FAN; shape++)
      {
        guint64 small = work_of_refusal (STM_MOMENT_SNAPSHOT, shape, SMALL, refusals[i].fill,
                                         refusals[i].code);
        guint64 large = work_of_refusal (STM_MOMENT_SNAPSHOT, shape, LARGE, refusals[i].fill,
                                         refusals[i].code);

        g_assert_cmpuint (small, >, 0);
        g_assert_cmpuint (large, ==, small);
      }
}

static guint64
work_of_bulk (StmMomentKind kind, Shape shape, guint n)
{
  guint64 before = work_done ();

  stm_model_free (model_new (kind, shape, n));

  return work_done () - before;
}

static void
test_bulk (void)
{
  for (StmMomentKind kind = 0; kind < STM_N_MOMENT_KINDS; kind++)
    for (Shape shape = CHAIN; shape <= FAN; shape++)
      {
        guint64 small = work_of_bulk (kind, shape, LARGE / 10);
        guint64 large = work_of_bulk (kind, shape, LARGE);

        g_assert_cmpuint (large, <=, small * 10);
      }
}

/* Half of the chain is moved back and forth, moments come out of the middle, all without a walk. */
static void
test_very_deep (void)
{
  g_autoptr (StmModel) model = model_new (STM_MOMENT_SNAPSHOT, CHAIN, VERY_DEEP);
  const StmTree *tree = stm_model_tree (model, STM_SAMPLE_ALPHA, STM_MOMENT_SNAPSHOT);
  g_autofree char *first = stm_sample_id (1);
  g_autofree char *last = stm_sample_id (VERY_DEEP);
  guint middle = VERY_DEEP / 2;

  for (guint i = 0; i < MANY_EDITS; i++)
    {
      g_autoptr (StmChange) there = new_change ();
      g_autoptr (StmChange) back = new_change ();
      g_autoptr (StmChange) removal = new_change ();

      put (there, STM_MOMENT_SNAPSHOT, middle + 1, 1 + i);
      apply (model, there);
      put (back, STM_MOMENT_SNAPSHOT, middle + 1, middle - i);
      apply (model, back);
      g_assert_true (stm_tree_is_ancestor (tree, first, last));
      stm_sample_remove_moment (removal, middle - i);
      put (removal, STM_MOMENT_SNAPSHOT, middle + 1, middle - i - 1);
      apply (model, removal);
    }
  g_assert_cmpuint (stm_tree_count (tree), ==, VERY_DEEP - MANY_EDITS);

  g_autoptr (GPtrArray) all = stm_tree_subtree (tree, NULL);
  g_autoptr (StmChange) removal = new_change ();

  g_assert_cmpuint (all->len, ==, VERY_DEEP - MANY_EDITS);
  for (guint i = 0; i < all->len; i++)
    stm_change_remove_moment (removal, ((const StmMoment *) all->pdata[i])->id);
  apply (model, removal);
  g_assert_cmpuint (stm_tree_count (tree), ==, 0);
}

/* The youngest come first, so that each goes before all the others of its parent. */
static void
test_very_wide (void)
{
  g_autoptr (StmTree) tree = stm_tree_new ();
  g_autofree char *first = stm_sample_id (1);
  g_autoptr (StmMoment) root = stm_sample_snapshot (1, 0, 0);
  guint n = 0;

  stm_tree_put (tree, root);
  for (guint i = VERY_WIDE; i > 1; i--)
    {
      g_autoptr (StmMoment) moment = stm_sample_snapshot (i, 1, 0);

      stm_tree_put (tree, moment);
    }
  g_assert_cmpuint (stm_tree_n_children (tree, first), ==, VERY_WIDE - 1);
  for (const StmMoment *child = stm_tree_first_child (tree, first); child != NULL;
       child = stm_tree_next_sibling (tree, child->id))
    g_assert_cmpint (child->created, ==, 1000 + 2 + n++);
  g_assert_cmpuint (n, ==, VERY_WIDE - 1);
  for (guint i = 2; i <= VERY_WIDE; i++)
    {
      g_autofree char *id = stm_sample_id (i);

      stm_tree_remove (tree, id);
    }
  g_assert_cmpuint (stm_tree_count (tree), ==, 1);
}

/* --- images and health --- */

/* Each snapshot froze the image of its number, and each image stands on the one before. */
static StmModel *
model_of_images (guint n)
{
  StmModel *model = stm_model_new ();
  g_autoptr (StmChange) change = new_change ();

  stm_sample_set_domain (change, "alpha", n + 1);
  stm_sample_put_image (change, n + 1, n);
  for (guint i = n; i > 0; i--)
    {
      stm_sample_put_image (change, i, i - 1);
      stm_sample_put_snapshot (change, i, i - 1, i);
    }
  apply (model, change);

  return model;
}

/* A snapshot with an image of its own is made, and it is asked what uses that image. */
static guint64
work_of_image (guint n)
{
  g_autoptr (StmModel) model = model_of_images (n);
  g_autoptr (StmChange) change = new_change ();
  g_autofree char *path = stm_sample_path (n + 2);
  guint64 before = work_done ();

  stm_sample_put_image (change, n + 2, 10);
  stm_sample_put_snapshot (change, n + 2, n, n + 2);
  apply (model, change);

  g_autoptr (GArray) users = stm_model_image_users (model, path);
  g_autoptr (GPtrArray) children = stm_model_image_children (model, path);

  g_assert_cmpuint (users->len, ==, 1);
  g_assert_cmpuint (children->len, ==, 0);

  return work_done () - before;
}

static void
test_images (void)
{
  guint64 small = work_of_image (SMALL);
  guint64 large = work_of_image (LARGE);

  g_assert_cmpuint (small, >, 0);
  g_assert_cmpuint (large, ==, small);
}

/* A look at the images from the first to the last; the lowest of all may be missing. */
static StmSurvey *
survey_images (guint first, guint last, gboolean is_base_missing)
{
  StmSurvey *survey = stm_survey_new ();

  for (guint i = first; i <= last; i++)
    {
      g_autofree char *path = stm_sample_path (i);
      StmFacts *facts = stm_facts_new (path);

      if (i == 1 && is_base_missing)
        facts->problem = g_error_new (STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "missing");
      stm_survey_take_facts (survey, facts);
    }

  return survey;
}

/* Plans what the look shows, and puts that on record; the work is that of the planning alone. */
static guint64
work_of_look (StmModel *model, guint first, guint last, gboolean is_base_missing, guint n_changed)
{
  g_autoptr (StmSurvey) survey = survey_images (first, last, is_base_missing);
  guint64 before = work_done ();
  g_autoptr (StmChange) change = stm_plan_health (model, survey, STM_SAMPLE_ALPHA);
  guint64 work = work_done () - before;

  g_assert_cmpuint (change != NULL ? change->put_moments->len : 0, ==, n_changed);
  if (change != NULL)
    apply (model, change);

  return work;
}

/* From the base of the chain, that being all that was looked at, to all that stands on it and back;
 * and when all was looked at, whatever is known of it. */
static void
test_health_of_all (void)
{
  g_autoptr (StmModel) small = model_of_images (LARGE / 10);
  g_autoptr (StmModel) large = model_of_images (LARGE);
  static const struct
  {
    gboolean is_base_alone;
    gboolean is_base_missing;
    gboolean is_news;
  } looks[] = {
    { TRUE, TRUE, TRUE },    { FALSE, TRUE, FALSE }, { FALSE, FALSE, TRUE },
    { FALSE, FALSE, FALSE }, { FALSE, TRUE, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (looks); i++)
    {
      guint64 work[2];
      StmModel *const models[] = { small, large };
      const guint sizes[] = { LARGE / 10, LARGE };

      for (guint j = 0; j < 2; j++)
        work[j] = work_of_look (models[j], 1, looks[i].is_base_alone ? 1 : sizes[j] + 1,
                                looks[i].is_base_missing, looks[i].is_news ? sizes[j] : 0);
      /* Tables grow by doubling. */
      g_assert_cmpuint (work[1], <=, work[0] * 11);
    }
}

/* What an operation looks at is little of the tree, and costs as little in each; also when all is
 * missing. */
static void
test_health_of_few (void)
{
  for (guint is_missing = 0; is_missing < 2; is_missing++)
    {
      guint64 work[2];
      const guint sizes[] = { SMALL, LARGE };

      for (guint i = 0; i < 2; i++)
        {
          g_autoptr (StmModel) model = model_of_images (sizes[i]);

          if (is_missing)
            work_of_look (model, 1, 1, /* is_base_missing= */ TRUE, sizes[i]);
          work[i] = work_of_look (model, sizes[i] / 2, sizes[i] / 2 + 3,
                                  /* is_base_missing= */ FALSE, /* n_changed= */ 0);
        }
      g_assert_cmpuint (work[1], ==, work[0]);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/scale/work-of-an-edit-does-not-grow-with-the-tree", test_edits);
  g_test_add_func ("/core/scale/work-of-a-refusal-does-not-grow-with-the-tree", test_refusals);
  g_test_add_func ("/core/scale/work-of-a-bulk-grows-with-it-alone", test_bulk);
  g_test_add_func ("/core/scale/chain-of-100000-is-edited-in-its-middle", test_very_deep);
  g_test_add_func ("/core/scale/million-children-come-youngest-first", test_very_wide);
  g_test_add_func ("/core/scale/work-of-an-image-does-not-grow-with-the-others", test_images);
  g_test_add_func ("/core/scale/work-of-what-a-look-shows-grows-with-that-alone",
                   test_health_of_all);
  g_test_add_func ("/core/scale/work-of-a-look-at-few-images-does-not-grow-with-the-tree",
                   test_health_of_few);

  return g_test_run ();
}
