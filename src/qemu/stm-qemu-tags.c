/* Makes and removes internal snapshots of the disk alone.
 *
 * Called on workers by the driver. The content of an image is never changed, nor that of any other
 * of its tags; so an image is opened without what it stands on. QEMU writes in an order in which an
 * end at any moment leaves clusters unused at the most.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qemu-tags.h"

#include "stm-block-transaction.h"
#include "stm-image-bitmaps.h"
#include "stm-image-repair.h"
#include "stm-image-tags.h"

#include "stemma-error.h"

#include <string.h>

/* Longer names are no moment's tag, though QEMU would take them. */
#define MAX_NAME_LENGTH 127

/* An image that gets tags. */
typedef struct
{
  const StmImage *image; /* borrowed from the plan, as the names are */
  GPtrArray *names;
  StmImageTags tags;
  StmBlockNode node;
} Tagged;

static void
tagged_free (Tagged *self)
{
  g_ptr_array_unref (self->names);
  stm_image_tags_clear (&self->tags);
  g_free (self);
}

/* --- making ----------------------------------------------------------------------------------- */

static Tagged *
get_tagged (GPtrArray *all, const StmImage *image)
{
  for (guint i = 0; i < all->len; i++)
    {
      Tagged *tagged = g_ptr_array_index (all, i);

      if (strcmp (tagged->image->path, image->path) == 0)
        return tagged;
    }

  Tagged *tagged = g_new0 (Tagged, 1);

  tagged->image = image;
  tagged->names = g_ptr_array_new ();
  g_ptr_array_add (all, tagged);

  return tagged;
}

static GPtrArray *
collect (const StmPlan *plan)
{
  GPtrArray *all = g_ptr_array_new_with_free_func ((GDestroyNotify) tagged_free);

  for (guint i = 0; i < plan->steps->len; i++)
    {
      const StmStep *step = g_ptr_array_index (plan->steps, i);

      if (step->kind == STM_STEP_TAG)
        g_ptr_array_add (get_tagged (all, step->image)->names, (char *) step->name);
    }

  return all;
}

/* One of digits alone would be taken for an id. */
static gboolean
check_name (const Tagged *tagged, const char *name, GError **error)
{
  if (*name != '\0' && strlen (name) <= MAX_NAME_LENGTH
      && strspn (name, "0123456789") != strlen (name))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "image %s: \"%s\" cannot be the name of an internal snapshot: it is empty, longer "
               "than %d bytes or a number; take another one",
               tagged->image->path, name, MAX_NAME_LENGTH);
  return FALSE;
}

static gboolean
prepare (Tagged *self, const StmPathPolicy *policy, GCancellable *cancellable, GError **error)
{
  if (!stm_image_tags_open (self->image, policy, cancellable, &self->tags, error))
    return FALSE;
  for (guint i = 0; i < self->names->len; i++)
    {
      const char *name = g_ptr_array_index (self->names, i);

      if (!check_name (self, name, error) || !stm_image_tags_check_free (&self->tags, name, error))
        return FALSE;
    }

  /* They are written anew when the image is closed. */
  return self->tags.facts->bitmaps->len == 0
         || stm_image_bitmaps_check_space (&(StmImageBitmaps){ .facts = self->tags.facts },
                                           self->tags.fd, 0, error);
}

static gboolean
add_to (Tagged *self, StmBlockEndpoint *endpoint, GCancellable *cancellable, GError **error)
{
  const StmBlockImage image = { .path = self->image->path,
                                .format = self->image->format,
                                .access = STM_IMAGE_WRITE,
                                .initial = STM_IMAGE_WRITE };

  self->node = stm_block_endpoint_add_image_sync (endpoint, &image, g_steal_fd (&self->tags.fd),
                                                  cancellable, error);
  return self->node != 0;
}

static gboolean
run_transaction (GPtrArray *all, StmBlockEndpoint *endpoint, GCancellable *cancellable,
                 GError **error)
{
  g_autoptr (StmBlockTransaction) transaction = stm_block_transaction_new ();

  for (guint i = 0; i < all->len; i++)
    {
      const Tagged *tagged = g_ptr_array_index (all, i);

      for (guint k = 0; k < tagged->names->len; k++)
        stm_block_transaction_add_tag (transaction, tagged->node,
                                       g_ptr_array_index (tagged->names, k));
    }

  return stm_block_transaction_run_sync (transaction, endpoint, "making internal snapshots",
                                         cancellable, error);
}

static gboolean
seal (const Tagged *self, const StmPathPolicy *policy, GError **error)
{
  g_auto (StmImageTags) tags = { 0 };

  if (!stm_image_tags_open (self->image, policy, /* cancellable= */ NULL, &tags, error))
    return FALSE;
  for (guint i = 0; i < self->names->len; i++)
    {
      const char *name = g_ptr_array_index (self->names, i);
      const StmTagFacts *tag = stm_facts_find_tag (tags.facts, name);

      if (tag != NULL && tag->is_present)
        continue;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
                   "making internal snapshot \"%s\" of image %s: QEMU said that it was done, and "
                   "it is not in the file",
                   name, self->image->path);
      return FALSE;
    }

  return stm_image_tags_sync (&tags, policy, error);
}

/* *out_has_begun: something may be in the files. */
static gboolean
make_all (const StmQemuSetup *setup, GPtrArray *all, const StmPathPolicy *policy,
          gboolean *out_has_begun, GCancellable *cancellable, GError **error)
{
  g_autoptr (StmBlockEndpoint) endpoint = stm_block_endpoint_start (setup, error);

  if (endpoint == NULL)
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    if (!prepare (g_ptr_array_index (all, i), policy, cancellable, error))
      return FALSE;
  for (guint i = 0; i < all->len; i++)
    if (!add_to (g_ptr_array_index (all, i), endpoint, cancellable, error))
      return FALSE;

  *out_has_begun = TRUE;
  if (!run_transaction (all, endpoint, cancellable, error)
      || !stm_block_endpoint_quit_sync (endpoint, error))
    return FALSE;
  for (guint i = 0; i < all->len; i++)
    if (!seal (g_ptr_array_index (all, i), policy, error))
      return FALSE;

  return TRUE;
}

/* --- removing --------------------------------------------------------------------------------- */

typedef struct
{
  const char *path;
  const StmTagFacts *tag;
} Deletion;

static gboolean
tell_to_delete (StmBlockEndpoint *endpoint, StmBlockNode node, gconstpointer data, GError **error)
{
  const Deletion *deletion = data;
  const StmTagFacts *tag = deletion->tag;
  g_autofree char *attempt = g_strdup_printf ("removing internal snapshot \"%s\" of image %s",
                                              tag->name, deletion->path);
  g_autoptr (JsonObject) arguments = json_object_new ();

  stm_block_endpoint_set_node (arguments, "device", node);
  json_object_set_string_member (arguments, "id", tag->id);
  json_object_set_string_member (arguments, "name", tag->name);

  g_autoptr (JsonNode) result = stm_block_endpoint_execute_sync (
      endpoint, "blockdev-snapshot-delete-internal-sync", arguments, attempt,
      /* cancellable= */ NULL, error);

  return result != NULL;
}

static gboolean
delete_tag (StmEndpointSeries *series, StmImageTags *tags, const StmTagFacts *tag, GError **error)
{
  const Deletion deletion = { .path = tags->facts->path, .tag = tag };

  return stm_endpoint_series_run_sync (series, deletion.path, g_steal_fd (&tags->fd),
                                       tell_to_delete, &deletion, error);
}

static gboolean
check_gone (const StmImageTags *tags, const char *name, GError **error)
{
  if (stm_facts_find_tag (tags->facts, name) == NULL)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_HYPERVISOR,
               "removing internal snapshot \"%s\" of image %s: QEMU said that it was done, and it "
               "is still in the file",
               name, tags->facts->path);
  return FALSE;
}

/* The making or the removing of it was cut off, it may be. What that left harms nobody, so that it
 * is no failure when it stays. */
static gboolean
settle_gone (StmEndpointSeries *series, StmImageTags *tags, const StmImage *image,
             const StmPathPolicy *policy, GError **error)
{
  if (!stm_image_tags_sync (tags, policy, error))
    return FALSE;
  stm_image_tags_clear (tags);
  (void) stm_image_repair_leaks (stm_endpoint_series_get_setup (series), image, policy, NULL);

  return TRUE;
}

/* What is to be removed, and whether it may be. */
typedef struct
{
  const StmImage *image;
  const char *name;
  gboolean is_proven; /* to be ours, whatever it shows */
} Removal;

/* Nobody writes to an image from when an operation made a tag until it is taken back. */
static gboolean
check_ours (const Removal *removal, const StmTagFacts *tag, GError **error)
{
  if (removal->is_proven || tag->is_present)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s was written since its internal snapshot \"%s\" was made, or another "
               "program made that; it stays: delete it with qemu-img snapshot -d if it is not "
               "needed",
               removal->image->path, tag->name);
  return FALSE;
}

static gboolean
remove_tag (StmEndpointSeries *series, const Removal *removal, const StmPathPolicy *policy,
            GError **error)
{
  const StmImage *image = removal->image;
  g_auto (StmImageTags) before = { 0 };
  g_auto (StmImageTags) after = { 0 };
  const StmTagFacts *tag = NULL;

  if (!stm_image_tags_open (image, policy, /* cancellable= */ NULL, &before, error)
      || !stm_image_tags_find (&before, removal->name, &tag, error))
    return FALSE;
  if (tag == NULL)
    return settle_gone (series, &before, image, policy, error);

  return check_ours (removal, tag, error) && delete_tag (series, &before, tag, error)
         && stm_image_tags_open (image, policy, /* cancellable= */ NULL, &after, error)
         && check_gone (&after, removal->name, error)
         && stm_image_tags_sync (&after, policy, error);
}

/* What cannot be removed now is found again when the operation is taken back. */
static void
roll_back (const StmQemuSetup *setup, GPtrArray *all, const StmPathPolicy *policy)
{
  g_autoptr (StmEndpointSeries) series = stm_endpoint_series_new (setup);

  for (guint i = 0; i < all->len; i++)
    {
      const Tagged *tagged = g_ptr_array_index (all, i);

      for (guint k = 0; k < tagged->names->len; k++)
        {
          const Removal removal = { .image = tagged->image,
                                    .name = g_ptr_array_index (tagged->names, k),
                                    .is_proven = TRUE };

          (void) remove_tag (series, &removal, policy, NULL);
        }
    }
}

/* --- public ----------------------------------------------------------------------------------- */

gboolean
stm_qemu_tags_make (const StmQemuSetup *setup, const StmPlan *plan, const StmPathPolicy *policy,
                    GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (setup != NULL && plan != NULL && policy != NULL, FALSE);

  g_autoptr (GPtrArray) all = collect (plan);
  gboolean has_begun = FALSE;

  if (all->len == 0)
    return TRUE;
  /* The endpoint is gone when this returns. None of the names was there before it began. */
  if (!make_all (setup, all, policy, &has_begun, cancellable, error))
    {
      if (has_begun)
        roll_back (setup, all, policy);
      return FALSE;
    }

  return TRUE;
}

gboolean
stm_qemu_tags_abandon (StmEndpointSeries *series, const StmPlan *plan, const StmStep *step,
                       const StmPathPolicy *policy, GError **error)
{
  g_return_val_if_fail (series != NULL && plan != NULL && step != NULL && policy != NULL, FALSE);

  /* A name that has the plan's id tells by itself. */
  const Removal removal = { .image = step->image,
                            .name = step->name,
                            .is_proven = strstr (step->name, plan->id) != NULL };

  return remove_tag (series, &removal, policy, error);
}

gboolean
stm_qemu_tags_remove (StmEndpointSeries *series, const StmStep *step, const StmPathPolicy *policy,
                      GError **error)
{
  g_return_val_if_fail (series != NULL && step != NULL && policy != NULL, FALSE);

  const Removal removal = { .image = step->image, .name = step->name, .is_proven = TRUE };

  return remove_tag (series, &removal, policy, error);
}
