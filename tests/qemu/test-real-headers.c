/* What our reading says of images, against what QEMU made and says.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-chain-walk.h"
#include "stm-image-survey.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"
#include "test-images.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MIB (G_GUINT64_CONSTANT (1) << 20)
#define CLUSTER 65536

/* A program whose output does not matter. */
#define RUN(...) g_free (test_run (__VA_ARGS__, NULL))

typedef struct
{
  char *directory;
  char *base;
  char *disk;
  StmPathPolicy *policy;
} Fixture;

static void
set_up (Fixture *self, gconstpointer unused)
{
  const char *none[] = { NULL };

  self->directory = test_directory_new ();
  self->base = g_build_filename (self->directory, "base", NULL);
  self->disk = g_build_filename (self->directory, "disk", NULL);

  const char *roots[] = { self->directory, NULL };

  self->policy = stm_path_policy_new (roots, none);
}

static void
tear_down (Fixture *self, gconstpointer unused)
{
  test_directory_remove (self->directory);
  g_free (self->directory);
  g_free (self->base);
  g_free (self->disk);
  stm_path_policy_unref (self->policy);
}

static StmSurvey *
survey (Fixture *self, const char *path)
{
  g_autoptr (StmImage)
      image = stm_image_new (&(StmImage){ .path = path, .target = "vda", .format = "qcow2" });
  const StmImage *images[] = { image };
  const StmSurveyRequest request = {
    .images = images, .n_images = 1, .scans_directories = TRUE, .policy = self->policy
  };
  g_autoptr (GError) error = NULL;
  StmSurvey *result = stm_image_survey (&request, NULL, &error);

  g_assert_no_error (error);
  return result;
}

static guint64
count (Fixture *self, const char *path)
{
  g_autoptr (StmSurvey) result = survey (self, path);
  const StmFacts *facts = stm_survey_get (result, path);

  g_assert_no_error (facts->problem);
  return facts->data_bytes;
}

static void
test_chain (Fixture *self, gconstpointer unused)
{
  const StmDeclaredImage declared[] = { { self->disk, "qcow2" } };
  const StmChainRequest request = {
    .target = "vda", .declared = declared, .n_declared = 1, .policy = self->policy
  };
  g_autoptr (GError) error = NULL;

  if (!test_images_have_tools ())
    return;
  test_image_create (self->base, "raw", 3 * MIB, NULL, NULL);
  test_image_create (self->disk, "qcow2", 0, self->base, "raw");

  g_autoptr (GPtrArray) chain = stm_chain_walk (&request, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (chain->len, ==, 2);
  g_assert_cmpstr (((StmImage *) chain->pdata[0])->backing, ==, self->base);
  g_assert_cmpuint (((StmImage *) chain->pdata[0])->capacity, ==, 3 * MIB);
  g_assert_cmpuint (((StmImage *) chain->pdata[1])->capacity, ==, 3 * MIB);

  g_autoptr (StmSurvey) result = survey (self, self->base);

  g_assert_cmpstr (stm_survey_get (result, self->base)->children[0], ==, self->disk);
}

/* Every kind of image that QEMU makes is sound to us, and new ones are empty. */
static void
test_kinds (Fixture *self, gconstpointer unused)
{
  static const char *const kinds[] = {
    "compat=0.10",     "compat=1.1",       "cluster_size=512",
    "cluster_size=2M", "extended_l2=on",   "lazy_refcounts=on",
    "refcount_bits=1", "refcount_bits=64", "compression_type=zstd",
  };

  if (!test_images_have_tools ())
    return;
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    {
      RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", kinds[i], self->disk, "64M");

      g_test_message ("%s", kinds[i]);
      g_assert_cmpuint (count (self, self->disk), ==, 0);
      test_image_write (self->disk, "qcow2", 7, 1 * MIB, 3 * MIB);
      /* Whole clusters: from the first that is touched to the end of the last. */
      g_assert_cmpuint (count (self, self->disk), >=, 3 * MIB);
      g_assert_cmpuint (count (self, self->disk), <=, 6 * MIB);
    }
}

static void
test_exact_count (Fixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;
  test_image_create (self->base, "qcow2", 16 * MIB, NULL, NULL);
  test_image_write (self->base, "qcow2", 1, 0, 16 * MIB);
  test_image_create (self->disk, "qcow2", 0, self->base, "qcow2");
  g_assert_cmpuint (count (self, self->base), ==, 16 * MIB);
  g_assert_cmpuint (count (self, self->disk), ==, 0);

  test_image_write (self->disk, "qcow2", 2, 10, 1);
  g_assert_cmpuint (count (self, self->disk), ==, CLUSTER);

  /* Zeros hide the base: they are data of this layer, though they take no space. */
  RUN ("qemu-io", "-f", "qcow2", "-c", "write -z 1M 1M", self->disk);

  g_assert_cmpuint (count (self, self->disk), ==, CLUSTER + MIB);

  g_autofree char *packed = g_build_filename (self->directory, "packed", NULL);
  RUN ("qemu-img", "convert", "-c", "-f", "qcow2", "-O", "qcow2", self->base, packed);

  g_assert_cmpuint (count (self, packed), ==, 16 * MIB);
}

static void
test_tags_and_bitmaps (Fixture *self, gconstpointer unused)
{
  if (!test_images_have_tools ())
    return;
  test_image_create (self->disk, "qcow2", 16 * MIB, NULL, NULL);
  RUN ("qemu-img", "snapshot", "-c", "one", self->disk);
  RUN ("qemu-img", "bitmap", "--add", self->disk, "b0");

  g_autoptr (StmSurvey) result = survey (self, self->disk);
  const StmFacts *facts = stm_survey_get (result, self->disk);

  g_assert_no_error (facts->problem);
  g_assert_cmpuint (facts->tags->len, ==, 1);
  g_assert_cmpuint (facts->bitmaps->len, ==, 1);
  g_assert_cmpuint (facts->data_bytes, ==, 0);
}

static void
test_refused_kinds (Fixture *self, gconstpointer unused)
{
  g_autofree char *data = NULL;
  g_autofree char *option = NULL;

  if (!test_images_have_tools ())
    return;
  data = g_build_filename (self->directory, "data", NULL);
  option = g_strconcat ("data_file=", data, NULL);
  RUN ("qemu-img", "create", "-q", "-f", "qcow2", "-o", option, self->disk, "16M");

  g_autoptr (StmSurvey) result = survey (self, self->disk);

  g_assert_error (stm_survey_get (result, self->disk)->problem, STEMMA_ERROR,
                  STEMMA_ERROR_NOT_ALLOWED);

  /* Not LUKS: to create one measures the machine's speed, which can fail on a busy one. */
  RUN ("qemu-img", "create", "-q", "-f", "qcow2", "--object", "secret,id=s,data=geheim", "-o",
       "encrypt.format=aes,encrypt.key-secret=s", self->base, "16M");
  g_autoptr (StmSurvey) other = survey (self, self->base);

  g_assert_error (stm_survey_get (other, self->base)->problem, STEMMA_ERROR,
                  STEMMA_ERROR_NOT_SUPPORTED);
}

int
main (int argc, char **argv)
{
  static const struct
  {
    const char *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
    { "/qemu/real/a-chain-is-walked-as-qemu-made-it", test_chain },
    { "/qemu/real/every-kind-of-image-is-read", test_kinds },
    { "/qemu/real/data-is-counted-to-the-cluster", test_exact_count },
    { "/qemu/real/tags-and-bitmaps-are-seen", test_tags_and_bitmaps },
    { "/qemu/real/data-files-and-encryption-are-refused", test_refused_kinds },
  };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);

  return g_test_run ();
}
