/* StmPlan: its words, its variant from a hostile journal, its rows, and when it can be taken back.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-plan.h"

#include "stemma-error.h"
#include "stm-planner.h"

#define PLAN_ID "00000000000000000000000000000001"
#define DOMAIN_ID "00000000000000000000000000000002"
#define MOMENT_ID "00000000000000000000000000000003"

static StmImage *
image_new (const char *path, const char *backing, StmImageOrigin origin)
{
  return stm_image_new (&(StmImage){ .path = path,
                                     .target = "vda",
                                     .index = 1,
                                     .format = "qcow2",
                                     .backing = backing,
                                     .origin = origin,
                                     .capacity = 1 << 20 });
}

/* Top first. */
static GPtrArray *
chain_new (const char *const *paths, StmImageOrigin origin)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);

  for (guint i = 0; paths[i] != NULL; i++)
    g_ptr_array_add (chain, image_new (paths[i], paths[i + 1], origin));

  return chain;
}

static void
add_step (StmPlan *plan, StmStepKind kind)
{
  const char *const paths[] = { "/i/c", "/i/b", "/i/a", NULL };
  g_autoptr (GPtrArray) chain = chain_new (paths, STM_IMAGE_MADE);
  g_autoptr (GPtrArray)
      children = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  g_autoptr (StmImage) on_top = image_new ("/i/d", "/i/c", STM_IMAGE_MADE);
  StmStep step = { .kind = kind, .target = "vda", .chain = chain, .bytes = 4096 };

  switch (kind)
    {
    case STM_STEP_TAG:
    case STM_STEP_GOTO:
    case STM_STEP_BITMAP:
    case STM_STEP_UNTAG:
    case STM_STEP_UNBITMAP:
      step.image = on_top;
      step.name = "mark";
      step.fallback = kind == STM_STEP_GOTO ? "before" : NULL;
      step.chain = NULL;
      break;
    case STM_STEP_OVERLAY:
      step.image = on_top;
      break;
    case STM_STEP_COMMIT:
      step.image = chain->pdata[0];
      g_ptr_array_add (children, stm_image_ref (on_top));
      step.children = children;
      break;
    case STM_STEP_STREAM:
      step.image = chain->pdata[1];
      break;
    case STM_STEP_UNLINK:
      step.image = on_top;
      step.chain = NULL;
      break;
    }
  stm_plan_add_step (plan, &step);
}

/* One step of each kind, which so is its place. */
static StmPlan *
plan_new_full (void)
{
  StmPlan *plan = stm_plan_new (STM_OPERATION_DELETE, PLAN_ID, DOMAIN_ID);

  plan->object_id = g_strdup (MOMENT_ID);
  for (guint kind = STM_STEP_TAG; kind <= STM_STEP_UNLINK; kind++)
    add_step (plan, kind);
  stm_plan_add_kept (plan, "/i/e", "2 images stand on it");
  stm_change_remove_moment (plan->finish, MOMENT_ID);
  plan->frees = 8192;
  g_strfreev (plan->unreachable);
  plan->unreachable = g_strsplit ("check1", ",", -1);

  return plan;
}

static void
test_words (void)
{
  for (guint i = STM_OPERATION_CREATE; i < STM_N_OPERATIONS; i++)
    {
      StmOperation operation = STM_OPERATION_RESOLVE;

      g_assert_true (stm_operation_from_word (stm_operation_to_word (i), &operation));
      g_assert_cmpuint (operation, ==, i);
    }
  StmOperation untouched = STM_OPERATION_DEFINE;
  g_assert_false (stm_operation_from_word ("explode", &untouched));
  g_assert_false (stm_operation_from_word (NULL, &untouched));
  g_assert_cmpuint (untouched, ==, STM_OPERATION_DEFINE);
}

static void
test_survives_the_journal (void)
{
  g_autoptr (StmPlan) plan = plan_new_full ();
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));
  g_autoptr (GBytes) bytes = g_variant_get_data_as_bytes (variant);
  g_autoptr (GVariant)
      read = g_variant_ref_sink (g_variant_new_from_bytes (STM_PLAN_TYPE, bytes, FALSE));
  g_autoptr (StmPlan) copy = stm_plan_from_variant (read);

  g_assert_nonnull (copy);
  g_autoptr (GVariant) again = g_variant_ref_sink (stm_plan_to_variant (copy));
  g_assert_true (g_variant_equal (variant, again));
  g_assert_cmpstr (copy->id, ==, PLAN_ID);
  g_assert_cmpstr (copy->domain_id, ==, DOMAIN_ID);
  g_assert_cmpstr (copy->object_id, ==, MOMENT_ID);
  g_assert_cmpuint (copy->steps->len, ==, STM_STEP_UNLINK + 1);
  g_assert_cmpuint (copy->kept->len, ==, 1);
  g_assert_cmpuint (copy->frees, ==, 8192);
  g_assert_cmpstr (copy->unreachable[0], ==, "check1");
  g_assert_cmpuint (copy->finish->removed_moments->len, ==, 1);

  const StmStep *commit = copy->steps->pdata[STM_STEP_COMMIT];
  g_assert_cmpint (commit->kind, ==, STM_STEP_COMMIT);
  g_assert_cmpuint (commit->chain->len, ==, 3);
  g_assert_cmpuint (commit->children->len, ==, 1);
  g_assert_cmpstr (commit->image->path, ==, "/i/c");
}

static void
test_damaged_bytes_never_crash (void)
{
  g_autoptr (StmPlan) plan = plan_new_full ();
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));
  gsize size = g_variant_get_size (variant);

  for (gsize i = 0; i < size; i++)
    {
      guchar *data = g_memdup2 (g_variant_get_data (variant), size);

      data[i] ^= 0x55;
      g_autoptr (GVariant) damaged = g_variant_ref_sink (
          g_variant_new_from_data (STM_PLAN_TYPE, data, size, FALSE, g_free, data));
      g_autoptr (GVariant) aligned = g_variant_byteswap (damaged);
      g_autoptr (GVariant) back = g_variant_byteswap (aligned);
      g_autoptr (StmPlan) read = stm_plan_from_variant (back);

      for (guint j = 0; read != NULL && j < read->steps->len; j++)
        g_assert_nonnull (((StmStep *) read->steps->pdata[j])->image->path);
    }
}

/* Each makes one thing wrong in a plan that is right without it. */
static void
spoil_id (StmPlan *plan)
{
  plan->id[0] = 'X';
}

static void
spoil_domain_id (StmPlan *plan)
{
  plan->domain_id[0] = '/';
}

static void
spoil_object_id (StmPlan *plan)
{
  plan->object_id[31] = '\0';
}

static void
spoil_change (StmPlan *plan)
{
  g_free (plan->undo->domain_id);
  plan->undo->domain_id = g_strdup (MOMENT_ID);
}

static void
spoil_order (StmPlan *plan)
{
  g_ptr_array_add (plan->steps, g_ptr_array_steal_index (plan->steps, 0));
}

static void
spoil_chain_link (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_COMMIT];

  g_ptr_array_remove_index (step->chain, 1);
}

static void
spoil_chain_end (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_OVERLAY];

  g_ptr_array_remove_index (step->chain, step->chain->len - 1);
}

static void
spoil_commit_target (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_COMMIT];

  stm_image_unref (step->chain->pdata[1]);
  step->chain->pdata[1] = image_new ("/i/b", "/i/a", STM_IMAGE_BACKING);
}

static void
spoil_commit_source (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_COMMIT];

  stm_image_unref (step->image);
  step->image = image_new ("/i/other", "/i/b", STM_IMAGE_MADE);
}

static void
spoil_commit_child (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_COMMIT];

  stm_image_unref (step->children->pdata[0]);
  step->children->pdata[0] = image_new ("/i/d", "/i/b", STM_IMAGE_MADE);
}

static void
spoil_unlink (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_UNLINK];

  stm_image_unref (step->image);
  step->image = image_new ("/i/d", "/i/c", STM_IMAGE_DISK);
}

static void
spoil_overlay (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_OVERLAY];

  stm_image_unref (step->image);
  step->image = image_new ("/i/d", "/etc/shadow", STM_IMAGE_MADE);
}

static void
spoil_path (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_UNLINK];

  stm_image_unref (step->image);
  step->image = image_new ("/i/../etc/passwd", NULL, STM_IMAGE_MADE);
}

static void
spoil_tag_name (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_TAG];

  g_clear_pointer ((char **) &step->name, g_free);
}

static void
spoil_tag_image (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_TAG];

  stm_image_unref (step->image);
  step->image = image_new ("/i/d", NULL, STM_IMAGE_BACKING);
}

static void
spoil_goto_fallback (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_GOTO];

  g_free ((char *) step->fallback);
  step->fallback = g_strdup (step->name);
}

static void
spoil_bitmap_format (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_BITMAP];
  StmImage *image = step->image;
  StmImage raw = *image;

  raw.format = "raw";
  step->image = stm_image_new (&raw);
  stm_image_unref (image);
}

static void
spoil_unlink_name (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_UNLINK];

  step->name = g_strdup ("mark");
}

static void
spoil_overlay_name (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_OVERLAY];

  step->name = g_strdup ("mark");
}

static void
spoil_untag_bitmaps (StmPlan *plan)
{
  StmStep *step = plan->steps->pdata[STM_STEP_UNTAG];

  g_strfreev (step->bitmaps);
  step->bitmaps = g_strsplit ("b", ",", -1);
}

static const struct
{
  const char *name;
  void (*spoil) (StmPlan *plan);
} spoilers[] = {
  { "id", spoil_id },
  { "domain id", spoil_domain_id },
  { "object id", spoil_object_id },
  { "change of another domain", spoil_change },
  { "first step after the last", spoil_order },
  { "chain with a gap", spoil_chain_link },
  { "chain without its end", spoil_chain_end },
  { "commit into an image that must not be written", spoil_commit_target },
  { "commit of an image that is not the top", spoil_commit_source },
  { "commit with a child of another image", spoil_commit_child },
  { "unlink of the user's image", spoil_unlink },
  { "overlay over another image than planned", spoil_overlay },
  { "path that is not plain", spoil_path },
  { "tag without a name", spoil_tag_name },
  { "tag in an image that must not be written", spoil_tag_image },
  { "goto with itself to fall back on", spoil_goto_fallback },
  { "bitmap in a raw image", spoil_bitmap_format },
  { "unlink of a tag", spoil_unlink_name },
  { "overlay with the name of a tag", spoil_overlay_name },
  { "untag with bitmaps", spoil_untag_bitmaps },
};

static void
test_unsound_content_is_refused (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (spoilers); i++)
    {
      g_autoptr (StmPlan) plan = plan_new_full ();

      spoilers[i].spoil (plan);
      g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));
      g_autoptr (StmPlan) read = stm_plan_from_variant (variant);

      if (read != NULL)
        g_test_message ("taken though wrong: %s", spoilers[i].name);
      g_assert_null (read);
    }

  g_autoptr (GVariant) other = g_variant_ref_sink (g_variant_new ("(ss)", "a", "b"));
  g_assert_null (stm_plan_from_variant (other));
}

static void
test_unknown_words_are_refused (void)
{
  g_autoptr (StmPlan) plan = plan_new_full ();
  g_autoptr (GVariant) variant = g_variant_ref_sink (stm_plan_to_variant (plan));

  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *printed = g_variant_print (variant, TRUE);
      g_auto (GStrv) parts = g_strsplit (printed, i == 0 ? "'delete'" : "'stream'", 2);
      g_autofree char *text = g_strconcat (parts[0], "'explode'", parts[1], NULL);
      g_autoptr (GError) error = NULL;
      g_autoptr (GVariant) changed = g_variant_parse (STM_PLAN_TYPE, text, NULL, NULL, &error);

      g_assert_no_error (error);
      g_assert_null (stm_plan_from_variant (changed));
    }
}

/* Row i as "step path", and that every row has all keys. */
static char *
row_head (GVariant *rows, gsize i)
{
  g_autoptr (GVariant) row = g_variant_get_child_value (rows, i);
  const char *step = NULL;
  const char *path = NULL;
  const char *text = NULL;
  guint64 bytes = 0;

  g_assert_true (g_variant_lookup (row, "step", "&s", &step));
  g_assert_true (g_variant_lookup (row, "path", "&s", &path));
  g_assert_true (g_variant_lookup (row, "bytes", "t", &bytes));
  g_assert_true (g_variant_lookup (row, "text", "&s", &text));
  g_assert_cmpstr (text, !=, "");

  return g_strdup_printf ("%s %s %" G_GUINT64_FORMAT, step, path, bytes);
}

static void
test_rows_tell_everything (void)
{
  const char *const expected[] = {
    "tag /i/d 4096",    "goto /i/d 4096",     "overlay /i/d 4096", "bitmap /i/d 4096",
    "commit /i/b 4096", "stream /i/c 4096",   "untag /i/d 4096",   "unbitmap /i/d 4096",
    "unlink /i/d 4096", "keep-hidden /i/e 0", "frees  8192",       "unreachable  0",
    "pause-ms  0",
  };
  g_autoptr (StmPlan) plan = plan_new_full ();
  g_autoptr (GVariant) rows = g_variant_ref_sink (stm_plan_to_rows (plan));

  g_assert_cmpstr (g_variant_get_type_string (rows), ==, "aa{sv}");
  g_assert_cmpuint (g_variant_n_children (rows), ==, G_N_ELEMENTS (expected));
  for (gsize i = 0; i < G_N_ELEMENTS (expected); i++)
    {
      g_autofree char *head = row_head (rows, i);

      g_assert_cmpstr (head, ==, expected[i]);
    }
}

static void
test_huge_plans_fit_a_message (void)
{
  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_DELETE, PLAN_ID, DOMAIN_ID);

  for (guint i = 0; i < 60000; i++)
    add_step (plan, STM_STEP_UNLINK);
  g_autoptr (GVariant) rows = g_variant_ref_sink (stm_plan_to_rows (plan));
  g_assert_cmpuint (g_variant_n_children (rows), ==, 50000 + 3);
  g_assert_cmpuint (g_variant_get_size (rows), <, 32 * 1024 * 1024);

  g_autofree char *more = row_head (rows, 50000);
  g_assert_cmpstr (more, ==, "more  0");
}

/* As long as the paths of images may be, and the names of checkpoints. */
static void
test_long_paths_fit_a_message (void)
{
  g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_DELETE, PLAN_ID, DOMAIN_ID);
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  g_autofree char *name = g_strnfill (255, 'n');
  g_autofree char *path = g_strnfill (4000, 'x');

  path[0] = '/';
  g_autoptr (StmImage) image = image_new (path, NULL, STM_IMAGE_MADE);
  const StmStep step = { .kind = STM_STEP_UNLINK, .target = "vda", .image = image };
  for (guint i = 0; i < 20000; i++)
    stm_plan_add_step (plan, &step);
  for (guint i = 0; i < 60000; i++)
    g_strv_builder_add (names, name);
  g_strfreev (plan->unreachable);
  plan->unreachable = g_strv_builder_end (names);

  g_autoptr (GVariant) rows = g_variant_ref_sink (stm_plan_to_rows (plan));
  g_assert_cmpuint (g_variant_get_size (rows), <, 30 * 1024 * 1024);
  g_assert_cmpuint (g_variant_n_children (rows), >, 1000);
}

static void
test_refusal_is_one_row (void)
{
  g_autoptr (GError)
      refusal = g_error_new (STEMMA_ERROR, STEMMA_ERROR_UNSAVED_STATE, "give keep or discard");
  g_autoptr (GVariant) rows = g_variant_ref_sink (stm_plan_refusal_to_rows (refusal));
  g_autofree char *head = row_head (rows, 0);
  g_autoptr (GVariant) row = g_variant_get_child_value (rows, 0);
  const char *name = NULL;

  g_assert_cmpuint (g_variant_n_children (rows), ==, 1);
  g_assert_cmpstr (head, ==, "blocked  0");
  g_assert_true (g_variant_lookup (row, "error", "&s", &name));
  g_assert_cmpstr (name, ==, "org.stemma1.Error.UnsavedState");
}

/* Merges as letters: what can be taken back after how many of them are done. */
static void
test_forward_only (void)
{
  const struct
  {
    const char *merges;
    guint n_done;
    gboolean is_forward_only;
  } cases[] = {
    { "", 0, FALSE },  { "c", 0, TRUE },   { "c", 1, TRUE },    { "s", 0, FALSE },
    { "s", 1, TRUE },  { "sc", 0, FALSE }, { "sc", 1, TRUE },   { "ss", 0, FALSE },
    { "ss", 1, TRUE }, { "cs", 0, TRUE },  { "ssc", 0, FALSE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (StmPlan) plan = stm_plan_new (STM_OPERATION_DELETE, PLAN_ID, DOMAIN_ID);

      for (const char *p = cases[i].merges; *p != '\0'; p++)
        add_step (plan, *p == 'c' ? STM_STEP_COMMIT : STM_STEP_STREAM);
      add_step (plan, STM_STEP_UNLINK);
      g_test_message ("'%s' with %u done", cases[i].merges, cases[i].n_done);
      g_assert_cmpint (stm_plan_is_forward_only (plan, cases[i].n_done), ==,
                       cases[i].is_forward_only);
    }

  g_autoptr (StmPlan) overlays = stm_plan_new (STM_OPERATION_CREATE, PLAN_ID, DOMAIN_ID);
  add_step (overlays, STM_STEP_OVERLAY);
  g_assert_false (stm_plan_is_forward_only (overlays, 0));
  g_assert_cmpuint (stm_plan_n_steps_of (overlays, STM_STEP_OVERLAY), ==, 1);
  g_assert_cmpuint (stm_plan_n_steps_of (overlays, STM_STEP_UNLINK), ==, 0);
}

static void
test_names_of_moments (void)
{
  g_autofree char *longest = g_strnfill (255, 'x');
  g_autofree char *too_long = g_strnfill (10000, 'x');
  const char *const good[] = { "before update", "a", "1700000000", "ümlaut", "a.b", longest };
  const char *const bad[] = { "",     "a/b",  "/",          ".hidden",  "..",    "tab\there",
                              "nl\n", "\x7f", "c1\xc2\x85", "\xff\xfe", too_long };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GError) error = NULL;

      stm_moment_name_check (good[i], &error);
      g_assert_no_error (error);
    }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (stm_moment_name_check (bad[i], &error));
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT);
    }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/plan/operations-have-one-word-each", test_words);
  g_test_add_func ("/core/plan/a-plan-survives-the-journal", test_survives_the_journal);
  g_test_add_func ("/core/plan/damaged-bytes-never-crash", test_damaged_bytes_never_crash);
  g_test_add_func ("/core/plan/unsound-content-is-refused", test_unsound_content_is_refused);
  g_test_add_func ("/core/plan/unknown-words-are-refused", test_unknown_words_are_refused);
  g_test_add_func ("/core/plan/rows-tell-everything-in-order", test_rows_tell_everything);
  g_test_add_func ("/core/plan/rows-of-a-huge-plan-fit-a-message", test_huge_plans_fit_a_message);
  g_test_add_func ("/core/plan/rows-of-long-paths-fit-a-message", test_long_paths_fit_a_message);
  g_test_add_func ("/core/plan/a-refusal-is-one-blocked-row", test_refusal_is_one_row);
  g_test_add_func ("/core/plan/what-is-done-cannot-be-taken-back", test_forward_only);
  g_test_add_func ("/core/plan/names-of-moments-are-checked", test_names_of_moments);

  return g_test_run ();
}
