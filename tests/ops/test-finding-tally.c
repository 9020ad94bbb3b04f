/* That a check lists no more findings of a kind than somebody would read, and says what it left
 * out.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-finding-tally.h"

/* A finding of an image that is not there any more, or that is shorter than recorded. */
static StmFinding *
make_finding (const char *domain_id, guint number, gboolean is_there)
{
  g_autofree char *path = g_strdup_printf ("/images/%u.qcow2", number);
  StmImage image = { .target = "vda", .path = path, .format = "qcow2", .capacity = 1024 };
  g_autoptr (StmFacts) facts = stm_facts_new (path);

  facts->format = g_strdup ("qcow2");
  facts->capacity = 512;
  if (!is_there)
    facts->problem = g_error_new_literal (STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND, "gone");

  return stm_finding_new_image (domain_id, &image, facts);
}

static GPtrArray *
find (const char *domain_id, guint n_missing, guint n_differing)
{
  g_autoptr (StmFindingTally) tally = stm_finding_tally_new (domain_id);
  GPtrArray *found = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_finding_free);

  for (guint i = 0; i < n_missing; i++)
    stm_finding_tally_take (tally, make_finding (domain_id, i, FALSE));
  for (guint i = 0; i < n_differing; i++)
    stm_finding_tally_take (tally, make_finding (domain_id, i, TRUE));
  stm_finding_tally_take (tally, NULL);
  stm_finding_tally_end (tally, found);

  return found;
}

static guint
count_kind (GPtrArray *found, const char *kind)
{
  guint n_found = 0;

  for (guint i = 0; i < found->len; i++)
    n_found += g_str_equal (((const StmFinding *) found->pdata[i])->kind, kind);
  return n_found;
}

static void
test_few_are_all_listed (void)
{
  g_autoptr (GPtrArray) found = find ("d", STM_MAX_FINDINGS_OF_KIND, 2);

  g_assert_cmpuint (count_kind (found, "image-missing"), ==, STM_MAX_FINDINGS_OF_KIND);
  g_assert_cmpuint (count_kind (found, "image-differs"), ==, 2);
  g_assert_cmpuint (found->len, ==, STM_MAX_FINDINGS_OF_KIND + 2);
}

static void
test_what_is_left_out_is_counted (void)
{
  g_autoptr (GPtrArray) found = find ("d", STM_MAX_FINDINGS_OF_KIND + 40, 2);
  g_autoptr (GPtrArray) again = find ("d", STM_MAX_FINDINGS_OF_KIND + 7, 0);
  g_autoptr (GPtrArray) elsewhere = find ("e", STM_MAX_FINDINGS_OF_KIND + 7, 0);
  const StmFinding *more = found->pdata[found->len - 1];
  const StmFinding *more_again = again->pdata[again->len - 1];
  const StmFinding *more_elsewhere = elsewhere->pdata[elsewhere->len - 1];

  g_assert_cmpuint (count_kind (found, "image-missing"), ==, STM_MAX_FINDINGS_OF_KIND + 1);
  g_assert_cmpuint (count_kind (found, "image-differs"), ==, 2);
  g_assert_cmpstr (more->kind, ==, "image-missing");
  g_assert_true (g_str_has_prefix (more->text, "40 more "));
  g_assert_cmpstr (more->domain_id, ==, "d");
  g_assert_null (more->choices[0]);
  g_assert_cmpint (stm_findings_health_of (found, "d"), ==, STM_HEALTH_MISSING);

  /* The id stays, whatever the number. */
  g_assert_cmpstr (more_again->id, ==, more->id);
  g_assert_cmpstr (more_elsewhere->id, !=, more->id);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ops/finding-tally/few-are-all-listed", test_few_are_all_listed);
  g_test_add_func ("/ops/finding-tally/what-is-left-out-is-counted",
                   test_what_is_left_out_is_counted);

  return g_test_run ();
}
