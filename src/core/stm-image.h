/* StmImage: what is recorded of one image file in the history of one disk of one domain.
 *
 * Immutable, reference counted. The record is the authority on a chain from the moment that the
 * domain was defined; a header that disagrees with it is a finding, never an instruction.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <gio/gio.h>

/* Why an image is in the record, and so what may happen to it. */
typedef enum
{
  STM_IMAGE_BACKING, /* below the disk when the domain was defined: never written, never removed */
  STM_IMAGE_DISK,    /* the disk's own image when it was defined: may be merged into, not removed */
  STM_IMAGE_MADE,    /* made by the service: may be merged and removed */
} StmImageOrigin;

typedef struct _StmImage
{
  const char *path;    /* absolute, canonical */
  const char *target;  /* the disk: "vda" */
  guint index;         /* its own for as long as it is in a chain of this disk; from 1 */
  const char *format;  /* "qcow2" or "raw" */
  const char *backing; /* path of the image below, NULL at the end of the chain */
  StmImageOrigin origin;
  guint64 capacity; /* virtual size in bytes */
} StmImage;

/* A copy of a value built on the stack. */
StmImage *stm_image_new (const StmImage *init);
StmImage *stm_image_ref (const StmImage *self);
void stm_image_unref (StmImage *self);
gboolean stm_image_equal (const StmImage *a, const StmImage *b);

/* Whether the texts and numbers are such as can be stored and read back. INVALID_ARGUMENT. */
gboolean stm_image_is_sound (const StmImage *self, GError **error);

/* The same image over another backing image. */
StmImage *stm_image_with_backing (const StmImage *self, const char *backing);

GVariant *stm_image_to_variant (const StmImage *self); /* floating; type STM_IMAGE_TYPE */
StmImage *stm_image_from_variant (GVariant *variant);  /* NULL when the content is not sound */
#define STM_IMAGE_TYPE G_VARIANT_TYPE ("(ssusmsut)")

const char *stm_image_origin_to_word (StmImageOrigin origin);
gboolean stm_image_origin_from_word (const char *word, StmImageOrigin *out_origin);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (StmImage, stm_image_unref)
