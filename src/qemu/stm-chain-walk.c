/* Walks a chain from the disk's own image down, each image opened under the path policy.
 *
 * Called on workers. The definition is the administrator's word: its paths may lead through links,
 * and its formats hold. A header is anybody's word: what it names must lie under the policy or be
 * named in the definition as well, and where both speak they must agree. A format is never guessed.
 * Each image is opened once and judged by that descriptor; nothing is written.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-chain-walk.h"

#include "stm-image-file.h"
#include "stm-image-place.h"
#include "stm-qcow2-header.h"

#include "stemma-error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct
{
  const StmChainRequest *request;
  StmPathPolicy *policy;
  GPtrArray *declared; /* canonical paths of request->declared */
  GArray *identities;  /* StmFileIdentity of the images so far */
  GPtrArray *chain;    /* StmImage */
} Walk;

static void
walk_clear (Walk *walk)
{
  g_clear_pointer (&walk->policy, stm_path_policy_unref);
  g_clear_pointer (&walk->declared, g_ptr_array_unref);
  g_clear_pointer (&walk->identities, g_array_unref);
  g_clear_pointer (&walk->chain, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Walk, walk_clear)

/* An image to be visited next. */
typedef struct
{
  char *path;
  char *format;
} Link;

static void
link_clear (Link *link)
{
  g_clear_pointer (&link->path, g_free);
  g_clear_pointer (&link->format, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Link, link_clear)

static G_GNUC_PRINTF (3, 4) gboolean
    fail (GError **error, StemmaError code, const char *format, ...)
{
  va_list arguments;
  g_autofree char *text = NULL;

  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  g_set_error_literal (error, STEMMA_ERROR, code, text);

  return FALSE;
}

/* --- what the definition allows --------------------------------------------------------------- */

/* A root may be written with links; images are known by their real paths. */
static void
add_root (GPtrArray *roots, const char *root)
{
  char *real = realpath (root, NULL);

  g_ptr_array_add (roots, g_strdup (root));
  if (real != NULL)
    g_ptr_array_add (roots, g_strdup (real));
  free (real);
}

static StmPathPolicy *
make_policy (const StmChainRequest *request, GPtrArray *declared)
{
  g_autoptr (GPtrArray) roots = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) exact = g_ptr_array_new ();
  const char *own = g_ptr_array_index (declared, 0);

  for (const char *const *root = request->policy->roots; *root != NULL; root++)
    add_root (roots, *root);
  /* The directory of a device holds all other devices of the machine. */
  if (!request->is_block)
    g_ptr_array_add (roots, g_path_get_dirname (own));
  g_ptr_array_add (roots, NULL);

  for (const char *const *path = request->policy->exact; *path != NULL; path++)
    g_ptr_array_add (exact, (char *) *path);
  for (guint i = 0; i < declared->len; i++)
    g_ptr_array_add (exact, g_ptr_array_index (declared, i));
  g_ptr_array_add (exact, NULL);

  return stm_path_policy_new ((const char *const *) roots->pdata,
                              (const char *const *) exact->pdata);
}

/* The disk's own image must be there; what is missing below is found when the walk gets there. */
static GPtrArray *
canonicalise_declared (const StmChainRequest *request, GError **error)
{
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);

  for (gsize i = 0; i < request->n_declared; i++)
    {
      const char *path = request->declared[i].path;
      g_autoptr (GError) local = NULL;
      char *canonical = stm_image_file_canonicalise (path, &local);

      if (canonical == NULL && i > 0
          && g_error_matches (local, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
        canonical = g_strdup (path);
      if (canonical == NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return NULL;
        }
      g_ptr_array_add (paths, canonical);
    }

  return g_steal_pointer (&paths);
}

/* --- from one image to the next --------------------------------------------------------------- */

static gboolean
check_known_format (const char *path, const char *format, GError **error)
{
  if (strcmp (format, "raw") == 0 || strcmp (format, "qcow2") == 0)
    return TRUE;

  g_autofree char *escaped = g_strescape (format, NULL);

  return fail (error, STEMMA_ERROR_NOT_SUPPORTED,
               "image %s: images of format \"%s\" cannot be used; convert it to qcow2 or raw with "
               "qemu-img convert",
               path, escaped);
}

/* The format of the next image: from the header, from the definition, or from both when they agree;
 * never from its content, which a guest may have written. */
static char *
choose_format (const char *path, const char *in_header, const char *declared, GError **error)
{
  if (in_header == NULL && declared == NULL)
    {
      fail (error, STEMMA_ERROR_NOT_ALLOWED,
            "image %s names a backing image without its format, and a format is never guessed: "
            "give it in the definition with <backingStore>, or in the header with qemu-img rebase "
            "-u -F",
            path);
      return NULL;
    }
  if (in_header != NULL && declared != NULL && strcmp (in_header, declared) != 0)
    {
      g_autofree char *escaped = g_strescape (in_header, NULL);

      fail (error, STEMMA_ERROR_CHAIN_BROKEN,
            "image %s says that its backing image has format \"%s\", the definition says %s; "
            "correct the definition, or the header with qemu-img rebase -u -F",
            path, escaped, declared);
      return NULL;
    }

  return g_strdup (in_header != NULL ? in_header : declared);
}

static char *
choose_path (const Walk *walk, const char *path, const char *reference, const char *declared,
             GError **error)
{
  g_autofree char *resolved = stm_image_file_resolve (path, reference, error);

  if (resolved == NULL)
    {
      g_prefix_error (error, "the backing image of %s: ", path);
      return NULL;
    }
  if (declared != NULL && strcmp (resolved, declared) != 0)
    {
      fail (error, STEMMA_ERROR_CHAIN_BROKEN,
            "image %s stands on %s, and the definition says on %s; correct the <backingStore> "
            "there, or the header with qemu-img rebase -u",
            path, resolved, declared);
      return NULL;
    }
  if (!stm_path_policy_check (walk->policy, resolved, error))
    {
      g_prefix_error (error, "the backing image of %s: ", path);
      return NULL;
    }

  return g_steal_pointer (&resolved);
}

/* What the image at `index` stands on; an empty link at the end of the chain. */
static gboolean
find_next (const Walk *walk, gsize index, const char *path, const StmQcow2Header *header,
           Link *out_next, GError **error)
{
  const StmChainRequest *request = walk->request;
  gboolean is_declared = index + 1 < request->n_declared;
  const char *declared = is_declared ? g_ptr_array_index (walk->declared, index + 1) : NULL;
  const char *reference = header != NULL ? header->backing : NULL;
  g_auto (Link) next = { 0 };

  if (reference == NULL && is_declared)
    return fail (error, STEMMA_ERROR_CHAIN_BROKEN,
                 "image %s stands on nothing, and the definition says on %s; correct the "
                 "<backingStore> there",
                 path, declared);
  if (reference == NULL)
    return TRUE;
  if (!is_declared && request->is_complete)
    return fail (error, STEMMA_ERROR_CHAIN_BROKEN,
                 "image %s has a backing image, and the definition says that the chain ends there; "
                 "correct the <backingStore> there",
                 path);

  next.path = choose_path (walk, path, reference, declared, error);
  if (next.path == NULL)
    return FALSE;
  next.format = choose_format (path, header->backing_format,
                               is_declared ? request->declared[index + 1].format : NULL, error);
  if (next.format == NULL)
    return FALSE;
  *out_next = next;
  next = (Link){ 0 };

  return TRUE;
}

/* --- one image -------------------------------------------------------------------------------- */

static int
open_image (const Walk *walk, const Link *link, GError **error)
{
  g_autoptr (GError) local = NULL;
  int fd = stm_image_file_open (walk->policy, link->path, STM_IMAGE_READ, &local);

  if (fd >= 0)
    return fd;
  if (walk->chain->len > 0 && g_error_matches (local, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND))
    {
      const StmImage *above = g_ptr_array_index (walk->chain, walk->chain->len - 1);

      fail (error, STEMMA_ERROR_CHAIN_BROKEN,
            "image %s, on which %s stands, is missing; put the file back", link->path, above->path);
    }
  else
    g_propagate_error (error, g_steal_pointer (&local));

  return -1;
}

static gboolean
check_identity (Walk *walk, int fd, const char *path, GError **error)
{
  struct stat found;

  if (fstat (fd, &found) != 0)
    {
      stm_image_place_set_error (error, errno, "looking at image %s", path);
      return FALSE;
    }

  StmFileIdentity identity = stm_file_identity (&found);

  for (guint i = 0; i < walk->identities->len; i++)
    {
      const StmFileIdentity *other = &g_array_index (walk->identities, StmFileIdentity, i);

      if (other->device == identity.device && other->inode == identity.inode)
        return fail (error, STEMMA_ERROR_CHAIN_BROKEN,
                     "image %s stands on itself: the chain comes back to it; correct its headers "
                     "with qemu-img rebase -u",
                     path);
    }
  if (walk->chain->len == 0 && walk->request->is_block != S_ISBLK (found.st_mode))
    return fail (error, STEMMA_ERROR_CHAIN_BROKEN,
                 "the definition says that %s is a %s, and it is not; correct the type of the disk",
                 path, walk->request->is_block ? "block device" : "file");
  g_array_append_val (walk->identities, identity);

  return TRUE;
}

/* A raw image has no header: nobody looks into it. */
static gboolean
read_header (const Link *link, int fd, StmQcow2Header **out_header, guint64 *out_capacity,
             GError **error)
{
  if (strcmp (link->format, "raw") == 0)
    {
      if (!stm_image_file_get_size (fd, link->path, out_capacity, error))
        return FALSE;
      return *out_capacity <= STM_MAX_CAPACITY
             || fail (error, STEMMA_ERROR_TOO_LARGE,
                      "image %s: its size of %" G_GUINT64_FORMAT " bytes is over the limit of "
                      "%" G_GUINT64_FORMAT,
                      link->path, *out_capacity, STM_MAX_CAPACITY);
    }

  g_autoptr (StmQcow2Header) header = stm_qcow2_header_read (fd, link->path, error);

  if (header == NULL || !stm_qcow2_header_check_usable (header, link->path, error))
    return FALSE;
  *out_capacity = header->capacity;
  *out_header = g_steal_pointer (&header);

  return TRUE;
}

static gboolean
visit (Walk *walk, const Link *link, Link *out_next, GError **error)
{
  gsize index = walk->chain->len;
  g_auto (StmOwnedFd) fd = -1;
  g_autoptr (StmQcow2Header) header = NULL;
  StmImage image = { .path = link->path,
                     .target = walk->request->target,
                     .index = (guint) index + 1,
                     .format = link->format,
                     .origin = index == 0 ? STM_IMAGE_DISK : STM_IMAGE_BACKING };

  if (!check_known_format (link->path, link->format, error))
    return FALSE;
  fd = open_image (walk, link, error);
  if (fd < 0 || !check_identity (walk, fd, link->path, error)
      || !read_header (link, fd, &header, &image.capacity, error)
      || !find_next (walk, index, link->path, header, out_next, error))
    return FALSE;
  image.backing = out_next->path;
  g_ptr_array_add (walk->chain, stm_image_new (&image));

  return TRUE;
}

static gboolean
check_limits (const Walk *walk, GCancellable *cancellable, GError **error)
{
  if (walk->chain->len == STM_MAX_CHAIN_DEPTH)
    return fail (error, STEMMA_ERROR_TOO_MANY,
                 "the chain has more than %d images; shorten it with qemu-img commit or rebase",
                 STM_MAX_CHAIN_DEPTH);
  if (g_cancellable_is_cancelled (cancellable))
    return fail (error, STEMMA_ERROR_CANCELLED, "the operation was cancelled");

  return TRUE;
}

static gboolean
visit_all (Walk *walk, GCancellable *cancellable, GError **error)
{
  g_auto (Link) link = { .path = g_strdup (g_ptr_array_index (walk->declared, 0)),
                         .format = g_strdup (walk->request->declared[0].format) };

  while (link.path != NULL)
    {
      g_auto (Link) next = { 0 };

      if (!check_limits (walk, cancellable, error) || !visit (walk, &link, &next, error))
        return FALSE;
      link_clear (&link);
      link = next;
      next = (Link){ 0 };
    }

  return TRUE;
}

static gboolean
walk_disk (Walk *walk, GCancellable *cancellable, GError **error)
{
  walk->declared = canonicalise_declared (walk->request, error);
  if (walk->declared == NULL)
    return FALSE;
  walk->policy = make_policy (walk->request, walk->declared);

  return visit_all (walk, cancellable, error);
}

GPtrArray *
stm_chain_walk (const StmChainRequest *request, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (request != NULL && request->n_declared > 0, NULL);
  g_return_val_if_fail (request->policy != NULL && request->target != NULL, NULL);

  g_auto (Walk)
      walk = { .request = request,
               .identities = g_array_new (FALSE, FALSE, sizeof (StmFileIdentity)),
               .chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref) };

  if (!walk_disk (&walk, cancellable, error))
    {
      g_prefix_error (error, "disk '%s': ", request->target);
      return NULL;
    }

  return g_steal_pointer (&walk.chain);
}
