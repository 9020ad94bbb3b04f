/* Redefinition: the images that documents name, on record, in headers or nowhere.
 *
 * The model is that of the samples: images 1 <- 2 <- 3 (active), snapshots s1(s2* s3), checkpoint
 * c9.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "redefine-kit.h"
#include "stemma-error.h"

#include <string.h>

#define SNAPSHOT STM_MOMENT_SNAPSHOT
#define CHECKPOINT STM_MOMENT_CHECKPOINT
#define DISK "<disk name='vda' snapshot='external'><source file='/v/3.qcow2'/></disk>"

static void
assert_tree (const StmModel *model, StmMomentKind kind, const char *expected)
{
  g_autofree char *tree = kit_tree (model, kind);

  g_assert_cmpstr (tree, ==, expected);
}

static void
assert_refused (GError *taken_error, StemmaError code, const char *part)
{
  g_autoptr (GError) error = taken_error;

  g_assert_error (error, STEMMA_ERROR, (int) code);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' does not say '%s'", error->message, part);
}

static void
redefine (StmModel *model, StmMomentKind kind, const char *document)
{
  g_autoptr (GError) error = kit_redefine_one (model, kind, document);

  g_assert_no_error (error);
}

static void
test_without_definition (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *recorded = kit_snapshot ("a", NULL, "shutoff", DISK, NULL);
  g_autofree char *header = kit_snapshot (
      "b", NULL, "shutoff",
      "<disk name='vda' snapshot='external'><source file='/v/own.qcow2'/></disk>", NULL);
  g_autofree char *gone = kit_snapshot (
      "c", NULL, "shutoff",
      "<disk name='vda' snapshot='external'><source file='/v/gone.qcow2'/></disk>", NULL);
  g_autofree char *silent = kit_snapshot ("d", NULL, "shutoff",
                                          "<disk name='vda' snapshot='external'/>", NULL);
  const char *const documents[] = { recorded, header, gone, silent, NULL };
  const StmMoment *moment;

  kit_driver_add (driver, "/v/own.qcow2", "qcow2", "/v/1.qcow2");
  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  g_autoptr (GError)
      error = kit_redefine (model, &(StmRedefineRequest){ .fd = -1 }, documents, driver, NULL);
  g_assert_no_error (error);

  moment = kit_find (model, SNAPSHOT, "a");
  g_assert_null (moment->definition);
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/v/2.qcow2");
  g_assert_cmpint (moment->health, ==, STM_HEALTH_OK);
  moment = kit_find (model, SNAPSHOT, "b");
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/v/1.qcow2");
  g_assert_null (stm_model_get_image (model, KIT_DOMAIN, "/v/own.qcow2"));
  moment = kit_find (model, SNAPSHOT, "c");
  g_assert_null (moment->disks[0].frozen);
  g_assert_cmpstr (moment->disks[0].overlay, ==, "/v/gone.qcow2");
  g_assert_cmpint (moment->health, ==, STM_HEALTH_MISSING);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "d")->health, ==, STM_HEALTH_UNKNOWN);
}

static void
test_new_images (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *top_domain = kit_domain ("/v/x2.qcow2", "qcow2", NULL);
  g_autofree char *low_domain = kit_domain ("/v/x1.qcow2", "qcow2", NULL);
  g_autofree char *gone_domain = kit_domain ("/v/gone.qcow2", "qcow2", NULL);
  g_autofree char *top = kit_snapshot ("top", "low", "shutoff", DISK, top_domain);
  g_autofree char *low = kit_snapshot ("low", NULL, "shutoff", DISK, low_domain);
  g_autofree char *gone = kit_snapshot ("gone", NULL, "shutoff", DISK, gone_domain);
  const char *const documents[] = { top, low, gone, NULL };
  const StmImage *image;

  kit_driver_add (driver, "/v/x2.qcow2", "qcow2", "/v/x1.qcow2");
  kit_driver_add (driver, "/v/x1.qcow2", "qcow2", "/v/1.qcow2");
  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  g_autoptr (GError)
      error = kit_redefine (model, &(StmRedefineRequest){ .fd = -1 }, documents, driver, NULL);
  g_assert_no_error (error);

  image = stm_model_get_image (model, KIT_DOMAIN, "/v/x2.qcow2");
  g_assert_cmpint (image->origin, ==, STM_IMAGE_BACKING);
  g_assert_cmpstr (image->backing, ==, "/v/x1.qcow2");
  g_assert_cmpuint (image->index, ==, 4);
  g_assert_cmpuint (stm_model_get_image (model, KIT_DOMAIN, "/v/x1.qcow2")->index, ==, 5);
  g_assert_cmpuint (stm_model_get_domain (model, KIT_DOMAIN)->disks[0].next_index, ==, 6);
  /* Made by the service: what a header says of it changes nothing. */
  g_assert_cmpint (stm_model_get_image (model, KIT_DOMAIN, "/v/1.qcow2")->origin, ==,
                   STM_IMAGE_MADE);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "gone")->health, ==, STM_HEALTH_MISSING);
  g_assert_cmpuint (kit_driver_n_walks (driver), <=, 3);
}

/* Refused whole, by documents of which the second alone is wrong. */
static void
assert_external_refused (StmModel *model, KitDriver *driver, const char *overlay,
                         const char *source, StemmaError code, const char *part)
{
  g_autofree char *disk = g_strdup_printf (
      "<disk name='vda' snapshot='external'><source file='%s'/></disk>", overlay);
  g_autofree char *domain = source != NULL ? kit_domain (source, "qcow2", NULL) : NULL;
  g_autofree char *good_domain = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *good = kit_snapshot ("good", NULL, "shutoff", DISK, good_domain);
  g_autofree char *bad = kit_snapshot ("bad", "good", "shutoff", disk, domain);
  const char *const documents[] = { good, bad, NULL };

  assert_refused (kit_redefine (model, &(StmRedefineRequest){ .fd = -1 }, documents, driver, NULL),
                  code, part);
  assert_tree (model, SNAPSHOT, "s1(s2* s3)");
}

static void
test_other_machines_image (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();

  /* Also when it cannot be read. */
  assert_external_refused (model, driver, "/v/x.qcow2", "/v/10.qcow2", STEMMA_ERROR_IN_USE, "beta");
  kit_driver_add (driver, "/v/10.qcow2", "qcow2", "/v/1.qcow2");
  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  assert_external_refused (model, driver, "/v/x.qcow2", "/v/10.qcow2", STEMMA_ERROR_IN_USE, "beta");
}

/* The definition is that of before the snapshot: the machine would write into what was frozen. */
static void
test_own_active_image (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();

  kit_driver_add (driver, "/v/3.qcow2", "qcow2", "/v/2.qcow2");
  kit_driver_add (driver, "/v/2.qcow2", "qcow2", "/v/1.qcow2");
  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  kit_driver_add (driver, "/v/over.qcow2", "qcow2", "/v/3.qcow2");
  assert_external_refused (model, driver, "/v/over.qcow2", "/v/3.qcow2", STEMMA_ERROR_IN_USE,
                           "the overlay /v/over.qcow2");
  /* Told by the header of the overlay. */
  assert_external_refused (model, driver, "/v/over.qcow2", NULL, STEMMA_ERROR_IN_USE,
                           "disk 'vda' of domain 'alpha' writes to image /v/3.qcow2");
  /* What stands on it changes with it. */
  assert_external_refused (model, driver, "/v/over2.qcow2", "/v/over.qcow2", STEMMA_ERROR_IN_USE,
                           "writes to image /v/3.qcow2");
  g_assert_null (stm_model_get_image (model, KIT_DOMAIN, "/v/over.qcow2"));
}

/* An internal snapshot is in the image that is written to; a state on a read-only disk stays. */
static void
test_active_image_that_holds (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/3.qcow2", "qcow2", NULL);
  g_autofree char *internal = kit_snapshot ("i", NULL, "shutoff", NULL, domain);
  g_autofree char *external = kit_snapshot (
      "e", NULL, "shutoff",
      "<disk name='vda' snapshot='external'><source file='/v/x.qcow2'/></disk>", domain);
  StmDisk disk = stm_model_get_domain (model, KIT_DOMAIN)->disks[0];
  g_autoptr (StmChange) change = stm_change_new (KIT_DOMAIN);

  redefine (model, SNAPSHOT, internal);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "i")->health, ==, STM_HEALTH_UNKNOWN);
  disk.is_read_only = TRUE;
  StmDomain init = *stm_model_get_domain (model, KIT_DOMAIN);
  init.disks = &disk;
  init.n_disks = 1;
  g_autoptr (StmDomain) domain_now = stm_domain_new (&init);
  stm_change_set_domain (change, domain_now);
  stm_model_apply (model, change);
  redefine (model, SNAPSHOT, external);
  g_assert_cmpstr (kit_find (model, SNAPSHOT, "e")->disks[0].frozen, ==, "/v/3.qcow2");
}

/* As DefineDomain does. */
static void
test_outside (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();

  kit_driver_add (driver, "/far/x.qcow2", "qcow2", NULL);
  kit_driver_add (driver, "/v/leads-out.qcow2", "qcow2", "/far/x.qcow2");
  assert_external_refused (model, driver, "/v/x.qcow2", "/far/x.qcow2", STEMMA_ERROR_NOT_ALLOWED,
                           "/far/x.qcow2");
  assert_external_refused (model, driver, "/far/gone.qcow2", NULL, STEMMA_ERROR_NOT_ALLOWED,
                           "/far/gone.qcow2");
  assert_external_refused (model, driver, "/v/x.qcow2", "/v/leads-out.qcow2",
                           STEMMA_ERROR_NOT_ALLOWED, "/far/x.qcow2");
}

/* A snapshot of `source`, whose definition may say what that stands on. */
static char *
snapshot_over (const char *name, const char *source, const char *backing_stores)
{
  g_autofree char *domain = kit_domain (source, "qcow2", NULL);
  g_auto (GStrv) parts = g_strsplit (domain, "<target", 2);
  g_autofree char *target = g_strconcat (backing_stores, "<target", NULL);
  g_autofree char *whole = g_strjoinv (target, parts);

  return kit_snapshot (name, NULL, "shutoff", DISK, whole);
}

#define OVER(path)                                                                                 \
  "<backingStore type='file'><format type='qcow2'/><source file='" path "'/></backingStore>"

/* As when each comes in a call of its own. */
static void
test_approved_by_another (void)
{
  const guint n = 12;
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autoptr (GPtrArray) documents = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  const StmRedefineRequest request = { .fd = -1 };

  kit_driver_add (driver, "/far/golden.qcow2", "qcow2", NULL);
  for (guint i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("n%u", i);
      char *path = g_strdup_printf ("/v/on%u.qcow2", i);

      g_ptr_array_add (paths, path);
      kit_driver_add (driver, path, "qcow2", "/far/golden.qcow2");
      g_ptr_array_add (documents, snapshot_over (name, path, ""));
    }
  g_ptr_array_add (documents, snapshot_over ("base", "/far/golden.qcow2", ""));
  g_ptr_array_add (documents, NULL);
  assert_refused (kit_redefine (model, &request, (gpointer) documents->pdata, driver, NULL),
                  STEMMA_ERROR_NOT_ALLOWED, "/far/golden.qcow2");

  g_free (documents->pdata[n / 2]);
  documents->pdata[n / 2] = snapshot_over ("n6", paths->pdata[n / 2], OVER ("/far/golden.qcow2"));
  g_autoptr (GError)
      error = kit_redefine (model, &request, (gpointer) documents->pdata, driver, NULL);
  g_assert_no_error (error);
  for (guint i = 0; i < n; i++)
    g_assert_cmpstr (stm_model_get_image (model, KIT_DOMAIN, paths->pdata[i])->backing, ==,
                     "/far/golden.qcow2");
  g_assert_cmpint (stm_model_get_image (model, KIT_DOMAIN, "/far/golden.qcow2")->origin, ==,
                   STM_IMAGE_BACKING);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "base")->health, ==, STM_HEALTH_OK);
}

/* That one document says what its image stands on makes nobody read that for itself: no header has
 * borne it out. */
static void
test_declared_is_not_seen (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *claim = snapshot_over ("claim", "/v/gone.qcow2", OVER ("/far/secret.qcow2"));
  g_autofree char *use = snapshot_over ("use", "/far/secret.qcow2", "");
  const char *const documents[] = { claim, use, NULL };

  kit_driver_add (driver, "/far/secret.qcow2", "qcow2", NULL);
  assert_refused (kit_redefine (model, &(StmRedefineRequest){ .fd = -1 }, documents, driver, NULL),
                  STEMMA_ERROR_NOT_ALLOWED, "/far/secret.qcow2");
  assert_tree (model, SNAPSHOT, "s1(s2* s3)");
}

/* As many chains as it takes, each of a hundred images. */
static GPtrArray *
declare_images (guint n, const char *directory)
{
  GPtrArray *documents = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < n;)
    {
      g_autofree char *name = g_strdup_printf ("n%u", i);
      g_autofree char *source = g_strdup_printf ("/v/gone%u.qcow2", i);
      g_autoptr (GString) stores = g_string_new (NULL);
      guint depth = 0;

      for (; depth < 100 && i < n; depth++, i++)
        g_string_append_printf (stores,
                                "<backingStore type='file'><format type='qcow2'/>"
                                "<source file='%s/%u.qcow2'/>",
                                directory, i);
      for (; depth > 0; depth--)
        g_string_append (stores, "</backingStore>");
      g_ptr_array_add (documents, snapshot_over (name, source, stores->str));
    }
  g_ptr_array_add (documents, NULL);

  return documents;
}

static void
test_many_approved (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autoptr (GPtrArray) over = declare_images (10001, "/far");
  g_autoptr (GPtrArray) full = declare_images (10000, "/far");
  g_autoptr (GPtrArray) inside = declare_images (10001, "/v");
  const StmRedefineRequest request = { .fd = -1 };

  assert_refused (kit_redefine (model, &request, (gpointer) over->pdata, driver, NULL),
                  STEMMA_ERROR_TOO_MANY, "10000");
  assert_tree (model, SNAPSHOT, "s1(s2* s3)");
  g_assert_null (kit_redefine (model, &request, (gpointer) inside->pdata, driver, NULL));
  g_assert_null (kit_redefine (model, &request, (gpointer) full->pdata, driver, NULL));
}

static void
test_validate_snapshots (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *domain = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *gone_domain = kit_domain ("/v/gone.qcow2", "qcow2", NULL);
  g_autofree char *external = kit_snapshot ("e", NULL, "shutoff", DISK, domain);
  g_autofree char *internal = kit_snapshot ("i", NULL, "shutoff", NULL, domain);
  g_autofree char *gone = kit_snapshot ("g", NULL, "shutoff", DISK, gone_domain);
  const char *const externals[] = { external, NULL };
  const char *const internals[] = { internal, NULL };
  const char *const gones[] = { gone, NULL };
  StmRedefineRequest request = { .fd = -1, .validates = TRUE };

  kit_driver_add (driver, "/v/2.qcow2", "qcow2", "/v/1.qcow2");
  assert_refused (kit_redefine (model, &request, externals, driver, NULL),
                  STEMMA_ERROR_CHAIN_BROKEN, "/v/1.qcow2");
  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  g_assert_null (kit_redefine (model, &request, externals, driver, NULL));
  assert_refused (kit_redefine (model, &request, internals, driver, NULL),
                  STEMMA_ERROR_CHAIN_BROKEN, "no internal snapshot named 'i'");
  kit_driver_add_tag (driver, "/v/2.qcow2", "i");
  g_assert_null (kit_redefine (model, &request, internals, driver, NULL));
  assert_refused (kit_redefine (model, &request, gones, driver, NULL), STEMMA_ERROR_NOT_FOUND,
                  "/v/gone.qcow2");
  assert_tree (model, SNAPSHOT, "e i s1(s2* s3)");
}

static void
test_validate_new_internal (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *domain = kit_domain ("/v/x.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_snapshot ("i", NULL, "shutoff", NULL, domain);
  const char *const documents[] = { document, NULL };
  StmRedefineRequest request = { .fd = -1, .validates = TRUE };

  kit_driver_add (driver, "/v/x.qcow2", "qcow2", NULL);
  assert_refused (kit_redefine (model, &request, documents, driver, NULL),
                  STEMMA_ERROR_CHAIN_BROKEN, "no internal snapshot named 'i'");
  kit_driver_add_tag (driver, "/v/x.qcow2", "i");
  g_assert_null (kit_redefine (model, &request, documents, driver, NULL));
  g_assert_cmpint (kit_find (model, SNAPSHOT, "i")->health, ==, STM_HEALTH_OK);
}

static void
set_health (StmModel *model, const char *name, StmHealth health)
{
  g_autoptr (StmChange) change = stm_change_new (KIT_DOMAIN);
  g_autoptr (StmMoment)
      moment = stm_moment_with_state (kit_find (model, SNAPSHOT, name), STM_STATE_SHUTOFF, health);

  stm_change_put_moment (change, moment);
  stm_model_apply (model, change);
}

/* A document shows nothing of the images: what is known of them stays as long as it is about the
 * same ones, and who has them looked at knows better. */
static void
test_health_stays (void)
{
  static const StmHealth known[] = { STM_HEALTH_OK, STM_HEALTH_MISSING, STM_HEALTH_INCONSISTENT };
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *low = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *high = kit_domain ("/v/2.qcow2", "qcow2", NULL);
  g_autofree char *internal = kit_snapshot ("i", NULL, "shutoff", NULL, high);
  g_autofree char *external = kit_snapshot ("e", NULL, "shutoff", DISK, high);
  g_autofree char *moved = kit_snapshot ("e", NULL, "shutoff", DISK, low);
  const char *const documents[] = { internal, external, NULL };
  StmRedefineRequest request = { .fd = -1, .validates = TRUE };

  redefine (model, SNAPSHOT, internal);
  redefine (model, SNAPSHOT, external);
  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    {
      set_health (model, "i", known[i]);
      set_health (model, "e", known[i]);
      redefine (model, SNAPSHOT, internal);
      redefine (model, SNAPSHOT, external);
      g_assert_cmpint (kit_find (model, SNAPSHOT, "i")->health, ==, known[i]);
      g_assert_cmpint (kit_find (model, SNAPSHOT, "e")->health, ==, known[i]);
    }

  set_health (model, "e", STM_HEALTH_MISSING);
  redefine (model, SNAPSHOT, moved);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "e")->health, ==, STM_HEALTH_OK);

  kit_driver_add (driver, "/v/1.qcow2", "qcow2", NULL);
  kit_driver_add (driver, "/v/2.qcow2", "qcow2", "/v/1.qcow2");
  kit_driver_add_tag (driver, "/v/2.qcow2", "i");
  set_health (model, "e", STM_HEALTH_MISSING);
  g_assert_null (kit_redefine (model, &request, documents, driver, NULL));
  g_assert_cmpint (kit_find (model, SNAPSHOT, "i")->health, ==, STM_HEALTH_OK);
  g_assert_cmpint (kit_find (model, SNAPSHOT, "e")->health, ==, STM_HEALTH_OK);
}

static void
test_checkpoint (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autofree char *domain = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *plain = kit_checkpoint ("c1", NULL, NULL, domain);
  g_autofree char *named = kit_checkpoint ("c2", "c1", "<disk name='vda' bitmap='b'/>", domain);
  g_autofree char *left_out = kit_checkpoint ("c3", "c1", "<disk name='vda' checkpoint='no'/>",
                                              domain);
  const StmMoment *moment;

  redefine (model, CHECKPOINT, plain);
  redefine (model, CHECKPOINT, named);
  redefine (model, CHECKPOINT, left_out);
  assert_tree (model, CHECKPOINT, "c1(c2 c3) c9");
  moment = kit_find (model, CHECKPOINT, "c1");
  /* Nobody has looked: where its bitmap begins, and whether it is in order, the next survey tells.
   */
  g_assert_cmpint (moment->health, ==, STM_HEALTH_UNKNOWN);
  g_assert_cmpstr (moment->disks[0].bitmap, ==, "c1");
  g_assert_cmpstr (moment->disks[0].frozen, ==, "/v/3.qcow2");
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c2")->disks[0].bitmap, ==, "b");
  g_assert_cmpint (kit_find (model, CHECKPOINT, "c3")->disks[0].mode, ==, STM_MODE_NONE);
}

/* The record is all that knows of the bitmap. */
static void
test_another_bitmap (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *domain = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *first = kit_checkpoint ("c1", NULL, "<disk name='vda' bitmap='old'/>", domain);
  g_autofree char *other = kit_checkpoint ("c1", NULL, "<disk name='vda' bitmap='new'/>", domain);
  g_autofree char *silent = kit_checkpoint ("c1", "c9", NULL, domain);
  const char *const others[] = { other, NULL };
  const StmRedefineRequest request = { .kind = CHECKPOINT, .fd = -1 };
  const StmRedefineRequest validating = { .kind = CHECKPOINT, .fd = -1, .validates = TRUE };

  for (guint i = 1; i <= 3; i++)
    {
      g_autofree char *path = stm_sample_path (i);
      g_autofree char *below = i > 1 ? stm_sample_path (i - 1) : NULL;

      kit_driver_add (driver, path, "qcow2", below);
    }
  redefine (model, CHECKPOINT, first);
  assert_refused (kit_redefine (model, &request, others, driver, NULL),
                  STEMMA_ERROR_INVALID_ARGUMENT, "'old' by the record, and 'new' by the document");
  assert_refused (kit_redefine (model, &validating, others, driver, NULL),
                  STEMMA_ERROR_BITMAP_MISSING, "'new'");
  redefine (model, CHECKPOINT, silent);
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c1")->disks[0].bitmap, ==, "old");
  assert_tree (model, CHECKPOINT, "c9(c1)");
  kit_driver_add_bitmap (driver, "/v/3.qcow2", "new", FALSE);
  g_assert_null (kit_redefine (model, &validating, others, driver, NULL));
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c1")->disks[0].bitmap, ==, "new");
}

static char *
checkpoint_of_two (const char *disks, const char *second)
{
  g_autofree char *domain = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *more = second != NULL
                              ? g_strdup_printf ("</disk><disk type='file' device='disk'>"
                                                 "<driver name='qemu' type='qcow2'/><source "
                                                 "file='/v/old.qcow2'/><target dev='%s'/></disk>",
                                                 second)
                              : g_strdup ("</disk>");
  g_auto (GStrv) parts = g_strsplit (domain, "</disk>", 2);
  g_autofree char *whole = g_strjoinv (more, parts);

  return kit_checkpoint ("c1", NULL, disks, whole);
}

/* It would go on recording in the images, and no delete would ever take it out of them. */
static void
test_bitmap_left_out (void)
{
  g_autofree char *both = checkpoint_of_two ("<disk name='vda' bitmap='a'/>"
                                             "<disk name='vdb' bitmap='b'/>",
                                             "vdb");
  g_autofree char *without = checkpoint_of_two ("<disk name='vda' bitmap='a'/>"
                                                "<disk name='vdb' checkpoint='no'/>",
                                                "vdb");
  g_autofree char *silent = checkpoint_of_two ("<disk name='vda' bitmap='a'/>", "vdb");
  g_autofree char *absent = checkpoint_of_two ("<disk name='vda' bitmap='a'/>", NULL);
  g_autofree char *renamed = checkpoint_of_two ("<disk name='vda' bitmap='a'/>"
                                                "<disk name='vdc' bitmap='b'/>",
                                                "vdc");
  const char *const losers[] = { without, silent, absent, renamed };
  const StmRedefineRequest validating = { .kind = CHECKPOINT, .fd = -1, .validates = TRUE };

  for (gsize i = 0; i < G_N_ELEMENTS (losers); i++)
    {
      const char *const documents[] = { losers[i], NULL };
      g_autoptr (StmModel) fresh = stm_sample_model ();
      g_autoptr (StmModel) model = stm_sample_model ();
      g_autoptr (KitDriver) driver = kit_driver_new ();

      /* Nothing is lost where the checkpoint is not on record. */
      redefine (fresh, CHECKPOINT, losers[i]);
      redefine (model, CHECKPOINT, both);
      assert_refused (kit_redefine_one (model, CHECKPOINT, losers[i]),
                      STEMMA_ERROR_INVALID_ARGUMENT, "disk vdb: its bitmap is 'b' by the record");
      assert_refused (kit_redefine (model, &validating, documents, driver, NULL),
                      STEMMA_ERROR_INVALID_ARGUMENT, "metadata-only");
      g_assert_cmpuint (kit_find (model, CHECKPOINT, "c1")->n_disks, ==, 2);
      redefine (model, CHECKPOINT, both);
    }
}

static void
test_validate_checkpoints (void)
{
  g_autoptr (StmModel) model = stm_sample_model ();
  g_autoptr (KitDriver) driver = kit_driver_new ();
  g_autofree char *domain = kit_domain ("/v/1.qcow2", "qcow2", NULL);
  g_autofree char *document = kit_checkpoint ("c1", NULL, NULL, domain);
  g_autofree char *again = kit_checkpoint ("c1", "c9", NULL, domain);
  const char *const documents[] = { document, NULL };
  StmRedefineRequest request = { .kind = CHECKPOINT, .fd = -1, .validates = TRUE };

  for (guint i = 1; i <= 3; i++)
    {
      g_autofree char *path = stm_sample_path (i);
      g_autofree char *below = i > 1 ? stm_sample_path (i - 1) : NULL;

      kit_driver_add (driver, path, "qcow2", below);
    }
  assert_refused (kit_redefine (model, &request, documents, driver, NULL),
                  STEMMA_ERROR_BITMAP_MISSING, "/v/3.qcow2");
  kit_driver_add_bitmap (driver, "/v/3.qcow2", "c1", FALSE);
  g_assert_null (kit_redefine (model, &request, documents, driver, NULL));
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c1")->disks[0].frozen, ==, "/v/3.qcow2");
  kit_driver_add_bitmap (driver, "/v/2.qcow2", "c1", FALSE);
  g_assert_null (kit_redefine (model, &request, documents, driver, NULL));
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c1")->disks[0].frozen, ==, "/v/2.qcow2");
  /* Where it began is not forgotten by a redefinition that does not look. */
  redefine (model, CHECKPOINT, again);
  g_assert_cmpstr (kit_find (model, CHECKPOINT, "c1")->disks[0].frozen, ==, "/v/2.qcow2");
  assert_tree (model, CHECKPOINT, "c9(c1)");
  kit_driver_add_bitmap (driver, "/v/1.qcow2", "c1", TRUE);
  assert_refused (kit_redefine (model, &request, documents, driver, NULL),
                  STEMMA_ERROR_BITMAP_INCONSISTENT, "/v/1.qcow2");
  assert_tree (model, CHECKPOINT, "c9(c1)");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core/redefine/without-a-domain-the-overlay-tells-what-was-frozen",
                   test_without_definition);
  g_test_add_func ("/core/redefine/an-image-that-was-not-on-record-is-recorded-as-backing",
                   test_new_images);
  g_test_add_func ("/core/redefine/an-image-that-another-machine-writes-holds-no-state",
                   test_other_machines_image);
  g_test_add_func ("/core/redefine/the-active-image-holds-no-external-snapshot",
                   test_own_active_image);
  g_test_add_func ("/core/redefine/the-active-image-holds-tags-and-what-is-read-only",
                   test_active_image_that_holds);
  g_test_add_func ("/core/redefine/a-path-outside-the-policy-is-refused", test_outside);
  g_test_add_func ("/core/redefine/what-one-document-declares-the-headers-of-others-may-name",
                   test_approved_by_another);
  g_test_add_func ("/core/redefine/what-is-declared-alone-is-not-read-for-itself",
                   test_declared_is_not_seen);
  g_test_add_func ("/core/redefine/declared-images-outside-the-directories-are-limited",
                   test_many_approved);
  g_test_add_func ("/core/redefine/validate-refuses-snapshots-that-the-images-do-not-bear-out",
                   test_validate_snapshots);
  g_test_add_func ("/core/redefine/validate-looks-for-tags-in-images-not-on-record",
                   test_validate_new_internal);
  g_test_add_func ("/core/redefine/what-is-known-of-the-images-stays-known", test_health_stays);
  g_test_add_func ("/core/redefine/a-checkpoint-has-its-bitmap-in-the-active-image",
                   test_checkpoint);
  g_test_add_func ("/core/redefine/a-bitmap-on-record-is-not-replaced-by-one-that-nobody-saw",
                   test_another_bitmap);
  g_test_add_func ("/core/redefine/a-bitmap-on-record-is-not-left-out", test_bitmap_left_out);
  g_test_add_func ("/core/redefine/validate-finds-where-a-bitmap-began", test_validate_checkpoints);
  return g_test_run ();
}
