/* Builds a tree of layers, and compares it with what it was.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "image-tree.h"

#define KIB ((guint64) 1024)
#define MIB (1024 * KIB)

char *
image_tree_child_name (guint number)
{
  return g_strdup_printf ("k%u", number);
}

static const char *
rest_name (const ImageTree *self)
{
  return self->layout->has_rest ? "rest" : NULL;
}

static guint64
lower_capacity (const ImageTree *self)
{
  return self->layout->lower_capacity != 0 ? self->layout->lower_capacity : TREE_CAPACITY;
}

static guint64
upper_capacity (const ImageTree *self)
{
  return self->layout->upper_capacity != 0 ? self->layout->upper_capacity : TREE_CAPACITY;
}

static char *
add_layer (ImageTree *self, const char *name, const char *format, const char *below,
           const char *below_format, guint64 capacity)
{
  g_autofree char *path = image_fixture_path (self->fixture, name);
  g_autofree char *backing = below != NULL ? image_fixture_path (self->fixture, below) : NULL;

  test_image_create (path, format, capacity, backing, below_format);
  return g_steal_pointer (&path);
}

static void
write_zeros (const char *path, const char *range)
{
  g_autofree char *command = g_strconcat ("write -z ", range, NULL);
  g_autofree char *output = test_run ("qemu-io", "-t", "unsafe", "-f", "qcow2", "-c", command, path,
                                      NULL);

  g_assert_nonnull (output);
}

/* Ranges that overlap, that end within clusters, and zeros over data. */
static void
build_chain (ImageTree *self)
{
  const char *format = self->layout->lower_format;
  g_autofree char *rest = NULL;
  g_autofree char *lower = NULL;
  g_autofree char *upper = NULL;

  if (self->layout->has_rest)
    {
      rest = add_layer (self, "rest", "qcow2", NULL, NULL, lower_capacity (self));
      test_image_write (rest, "qcow2", 1, 0, lower_capacity (self));
      self->rest = test_image_digest (rest, "qcow2");
    }
  lower = add_layer (self, "lower", format, rest_name (self), "qcow2", lower_capacity (self));
  test_image_write (lower, format, 2, 1 * MIB + 4 * KIB, 5 * MIB);
  self->lower = test_image_digest (lower, format);

  upper = add_layer (self, "upper", "qcow2", "lower", format, upper_capacity (self));
  test_image_write (upper, "qcow2", 3, 3 * MIB + 512, 1 * MIB + 512);
  test_image_write (upper, "qcow2", 4, 7 * MIB + 60 * KIB, 8 * KIB);
  write_zeros (upper, "2M 128k");
  if (self->layout->bulk != 0)
    test_image_write (upper, "qcow2", 5, 8 * MIB, self->layout->bulk);
  self->upper = test_image_digest (upper, "qcow2");
}

ImageTree *
image_tree_new (ImageFixture *fixture, const TreeLayout *layout)
{
  ImageTree *self = g_new0 (ImageTree, 1);

  self->fixture = fixture;
  self->layout = layout;
  build_chain (self);
  for (guint i = 0; i < layout->n_children; i++)
    {
      g_autofree char *name = image_tree_child_name (i);
      g_autofree char *path = add_layer (self, name, "qcow2", "upper", "qcow2",
                                         upper_capacity (self));

      test_image_write (path, "qcow2", 10 + i, (2 + i) * MIB + 100 * KIB, 100 * KIB);
      self->children[i] = test_image_digest (path, "qcow2");
    }

  return self;
}

void
image_tree_free (ImageTree *self)
{
  if (self == NULL)
    return;
  g_free (self->upper);
  g_free (self->lower);
  g_free (self->rest);
  for (guint i = 0; i < TREE_MAX_CHILDREN; i++)
    g_free (self->children[i]);
  g_free (self);
}

static StmImage *
record_child (ImageTree *self, guint number)
{
  g_autofree char *name = image_tree_child_name (number);

  return image_fixture_record (self->fixture, name, "qcow2", "upper", upper_capacity (self));
}

/* From the upper image on downwards. */
static void
add_chain (ImageTree *self, GPtrArray *chain)
{
  const char *format = self->layout->lower_format;

  g_ptr_array_add (chain, image_fixture_record (self->fixture, "upper", "qcow2", "lower",
                                                upper_capacity (self)));
  g_ptr_array_add (chain, image_fixture_record (self->fixture, "lower", format, rest_name (self),
                                                lower_capacity (self)));
  if (self->layout->has_rest)
    g_ptr_array_add (
        chain, image_fixture_record (self->fixture, "rest", "qcow2", NULL, lower_capacity (self)));
}

static StmStep *
step_new (StmStepKind kind)
{
  StmStep *step = g_new0 (StmStep, 1);

  step->kind = kind;
  step->target = "vda";
  step->chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  step->children = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  step->bytes = TREE_CAPACITY;
  return step;
}

StmStep *
image_tree_commit_step (ImageTree *self)
{
  StmStep *step = step_new (STM_STEP_COMMIT);

  add_chain (self, step->chain);
  step->image = stm_image_ref (step->chain->pdata[0]);
  for (guint i = 0; i < self->layout->n_children; i++)
    g_ptr_array_add (step->children, record_child (self, i));

  return step;
}

StmStep *
image_tree_stream_step (ImageTree *self)
{
  StmStep *step = step_new (STM_STEP_STREAM);

  g_ptr_array_add (step->chain, record_child (self, 0));
  add_chain (self, step->chain);
  step->image = stm_image_ref (step->chain->pdata[1]);

  return step;
}

void
image_step_free (StmStep *step)
{
  if (step == NULL)
    return;
  stm_image_unref (step->image);
  g_ptr_array_unref (step->chain);
  g_ptr_array_unref (step->children);
  g_free (step);
}

gboolean
image_tree_merge (ImageTree *self, const StmStep *step, GError **error)
{
  return stm_driver_merge (self->fixture->driver, step, self->fixture->policy,
                           self->fixture->progress, NULL, error);
}

void
image_tree_assert_shows (ImageTree *self, const char *name, const char *format, const char *digest)
{
  g_autofree char *path = image_fixture_path (self->fixture, name);
  g_autofree char *shown = test_image_digest (path, format);

  g_test_message ("what %s shows", name);
  g_assert_cmpstr (shown, ==, digest);
}

void
image_tree_assert_children (ImageTree *self, const char *backing, const char *backing_format)
{
  g_autofree char *below = backing != NULL ? image_fixture_path (self->fixture, backing) : NULL;

  for (guint i = 0; i < self->layout->n_children; i++)
    {
      g_autofree char *name = image_tree_child_name (i);
      g_autofree char *path = image_fixture_path (self->fixture, name);
      g_autofree char *found_format = NULL;
      g_autofree char *found = test_image_get_backing (path, &found_format);

      g_assert_cmpstr (found, ==, below);
      g_assert_cmpstr (found_format, ==, backing_format);
      g_assert_cmpuint (test_image_get_capacity (path), ==, upper_capacity (self));
      test_image_assert_sound (path);
      image_tree_assert_shows (self, name, "qcow2", self->children[i]);
    }
}
