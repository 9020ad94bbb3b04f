/* Reads qcow2 headers.
 *
 * Any thread that may wait for the disk. Each field is checked where it is read, and a header is
 * either handed out whole and sound, or refused. Never follows the references that it finds.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-qcow2-header.h"

#include "stm-image-file.h"
#include "stm-qcow2-tables.h"

#include "stemma-error.h"
#include "stm-survey.h"

#include <string.h>

/* Limits, as the format or QEMU has them where nothing else is said. */
#define MIN_CLUSTER_BITS 9
#define MAX_CLUSTER_BITS 21
#define MIN_SUBCLUSTER_BITS 14 /* of an image with subclusters */
#define MAX_L1_BYTES (G_GUINT64_CONSTANT (32) << 20)
#define MAX_SNAPSHOTS 65536
#define MAX_BITMAPS 65535
#define MAX_REFCOUNT_ORDER 6
#define MAX_FORMAT_LENGTH 15
#define MAX_EXTENSIONS 64 /* ours; real headers have up to five */

#define MAGIC 0x514649fbu /* "QFI\xfb" */
#define LENGTH_V2 72
#define LENGTH_V3 104

#define INCOMPATIBLE_DIRTY (G_GUINT64_CONSTANT (1) << 0)
#define INCOMPATIBLE_CORRUPT (G_GUINT64_CONSTANT (1) << 1)
#define INCOMPATIBLE_DATA_FILE (G_GUINT64_CONSTANT (1) << 2)
#define INCOMPATIBLE_COMPRESSION (G_GUINT64_CONSTANT (1) << 3)
#define INCOMPATIBLE_EXTENDED_L2 (G_GUINT64_CONSTANT (1) << 4)
#define INCOMPATIBLE_KNOWN                                                                         \
  (INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT | INCOMPATIBLE_DATA_FILE | INCOMPATIBLE_COMPRESSION   \
   | INCOMPATIBLE_EXTENDED_L2)
#define COMPATIBLE_LAZY_REFCOUNTS (G_GUINT64_CONSTANT (1) << 0)
#define AUTOCLEAR_BITMAPS (G_GUINT64_CONSTANT (1) << 0)

#define EXTENSION_END 0u
#define EXTENSION_BACKING_FORMAT 0xe2792acau
#define EXTENSION_BITMAPS 0x23852875u
#define EXTENSION_BITMAPS_LENGTH 24

/* What only the parsing needs. */
typedef struct
{
  int fd;
  const char *path;
  guint8 raw[LENGTH_V3];
  guint64 cluster_size;
  guint64 autoclear;
  guint64 extensions_begin;
  guint64 extensions_end;
  StmQcow2Header *header; /* being filled */
} Parser;

static guint32
get32 (const guint8 *bytes)
{
  guint32 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT32_FROM_BE (value);
}

static guint64
get64 (const guint8 *bytes)
{
  guint64 value;

  memcpy (&value, bytes, sizeof value);
  return GUINT64_FROM_BE (value);
}

static gboolean
fail (const Parser *parser, const char *what, GError **error)
{
  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
               "image %s: its qcow2 header is not sound: %s; restore it from a copy", parser->path,
               what);
  return FALSE;
}

/* A table that begins in the file and ends in it, in whole clusters from its beginning. */
static gboolean
lies_in_file (const Parser *parser, guint64 offset, guint64 length)
{
  guint64 file_size = parser->header->file_size;

  return offset % parser->cluster_size == 0 && offset <= file_size && length <= file_size - offset;
}

/* --- the fixed part --------------------------------------------------------------------------- */

static gboolean
read_version (Parser *parser, GError **error)
{
  StmQcow2Header *header = parser->header;

  memset (parser->raw, 0, sizeof parser->raw);
  if (!stm_image_file_get_length (parser->fd, parser->path, &header->file_size, error)
      || !stm_image_file_read_at (parser->fd, parser->path, parser->raw, LENGTH_V2, 0, error))
    return FALSE;
  if (get32 (parser->raw) != MAGIC)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_CHAIN_BROKEN,
                   "image %s: it is not in qcow2 format; give its true format in the definition",
                   parser->path);
      return FALSE;
    }
  header->version = get32 (parser->raw + 4);
  if (header->version != 2 && header->version != 3)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "image %s: version %u of the qcow2 format is not supported; convert it with "
                   "qemu-img",
                   parser->path, header->version);
      return FALSE;
    }

  return header->version == 2
         || stm_image_file_read_at (parser->fd, parser->path, parser->raw + LENGTH_V2,
                                    LENGTH_V3 - LENGTH_V2, LENGTH_V2, error);
}

static gboolean
read_features (Parser *parser, GError **error)
{
  StmQcow2Header *header = parser->header;
  guint64 incompatible = get64 (parser->raw + 72);

  if ((incompatible & ~INCOMPATIBLE_KNOWN) != 0)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "image %s: it uses features of the qcow2 format that are not known here (bits "
                   "%#" G_GINT64_MODIFIER "x); convert it with qemu-img",
                   parser->path, incompatible & ~INCOMPATIBLE_KNOWN);
      return FALSE;
    }
  header->is_dirty = (incompatible & INCOMPATIBLE_DIRTY) != 0;
  header->is_corrupt = (incompatible & INCOMPATIBLE_CORRUPT) != 0;
  header->has_data_file = (incompatible & INCOMPATIBLE_DATA_FILE) != 0;
  header->has_extended_l2 = (incompatible & INCOMPATIBLE_EXTENDED_L2) != 0;
  header->has_lazy_refcounts = (get64 (parser->raw + 80) & COMPATIBLE_LAZY_REFCOUNTS) != 0;
  parser->autoclear = get64 (parser->raw + 88);

  return TRUE;
}

static gboolean
read_sizes (Parser *parser, GError **error)
{
  StmQcow2Header *header = parser->header;
  guint least = header->has_extended_l2 ? MIN_SUBCLUSTER_BITS : MIN_CLUSTER_BITS;

  header->cluster_bits = get32 (parser->raw + 20);
  if (header->cluster_bits < least || header->cluster_bits > MAX_CLUSTER_BITS)
    return fail (parser, "the size of its clusters is out of range", error);
  parser->cluster_size = G_GUINT64_CONSTANT (1) << header->cluster_bits;

  header->capacity = get64 (parser->raw + 24);
  if (header->capacity > STM_MAX_CAPACITY)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "image %s: its virtual size of %" G_GUINT64_FORMAT " bytes is over the limit of "
                   "%" G_GUINT64_FORMAT,
                   parser->path, header->capacity, STM_MAX_CAPACITY);
      return FALSE;
    }

  guint64 length = header->version == 2 ? LENGTH_V2 : get32 (parser->raw + 100);

  if (header->version == 3 && (length < LENGTH_V3 || length > parser->cluster_size))
    return fail (parser, "its length is out of range", error);
  if (header->version == 3 && get32 (parser->raw + 96) > MAX_REFCOUNT_ORDER)
    return fail (parser, "the width of its reference counts is out of range", error);
  parser->extensions_begin = length;
  parser->extensions_end = parser->cluster_size;
  header->is_encrypted = get32 (parser->raw + 32) != 0;

  return TRUE;
}

guint64
stm_qcow2_header_count_l1 (const StmQcow2Header *header)
{
  guint entry_bits = header->has_extended_l2 ? 4 : 3;
  guint covered_bits = header->cluster_bits + header->cluster_bits - entry_bits;
  guint64 covered = G_GUINT64_CONSTANT (1) << covered_bits;

  return header->capacity / covered + (header->capacity % covered != 0 ? 1 : 0);
}

static gboolean
read_tables (Parser *parser, GError **error)
{
  StmQcow2Header *header = parser->header;
  guint64 refcount_offset = get64 (parser->raw + 48);

  header->l1_entries = get32 (parser->raw + 36);
  header->l1_offset = get64 (parser->raw + 40);
  header->n_snapshots = get32 (parser->raw + 60);
  header->snapshots_offset = get64 (parser->raw + 64);
  if (header->l1_entries * G_GUINT64_CONSTANT (8) > MAX_L1_BYTES)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "image %s: its table of %u entries is over the limit", parser->path,
                   header->l1_entries);
      return FALSE;
    }
  if (header->l1_entries < stm_qcow2_header_count_l1 (header))
    return fail (parser, "its table is too small for its virtual size", error);
  if (!lies_in_file (parser, header->l1_offset, header->l1_entries * G_GUINT64_CONSTANT (8))
      || (header->l1_entries > 0 && header->l1_offset == 0))
    return fail (parser, "its table is not in the file, which may be cut off", error);
  if (refcount_offset == 0 || !lies_in_file (parser, refcount_offset, 1))
    return fail (parser, "its reference counts are not in the file, which may be cut off", error);
  if (header->n_snapshots > MAX_SNAPSHOTS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "image %s: its header says that it has %u internal snapshots, over the limit "
                   "of %d",
                   parser->path, header->n_snapshots, MAX_SNAPSHOTS);
      return FALSE;
    }
  if (header->n_snapshots > 0 && !lies_in_file (parser, header->snapshots_offset, 1))
    return fail (parser, "its table of snapshots is not in the file", error);

  return TRUE;
}

/* --- the backing reference and the extensions ------------------------------------------------- */

static char *
read_text (const Parser *parser, guint64 offset, gsize length, GError **error)
{
  g_autofree char *text = g_malloc0 (length + 1);

  if (!stm_image_file_read_at (parser->fd, parser->path, text, length, offset, error))
    return NULL;
  /* One reader would stop at the NUL, another would not. */
  if (strlen (text) != length)
    {
      fail (parser, "a name in it has a NUL byte", error);
      return NULL;
    }

  return g_steal_pointer (&text);
}

static gboolean
read_backing (Parser *parser, GError **error)
{
  guint64 offset = get64 (parser->raw + 8);
  guint32 length = get32 (parser->raw + 16);

  if (offset == 0)
    return TRUE;
  if (offset < parser->extensions_begin || offset > parser->cluster_size
      || length > parser->cluster_size - offset || length > STM_QCOW2_MAX_BACKING_LENGTH)
    return fail (parser, "the name of its backing image is out of range", error);
  parser->extensions_end = offset;
  if (length == 0)
    return TRUE;
  parser->header->backing = read_text (parser, offset, length, error);

  return parser->header->backing != NULL;
}

static gboolean
read_bitmaps (Parser *parser, guint64 offset, guint32 length, GError **error)
{
  guint8 raw[EXTENSION_BITMAPS_LENGTH];

  if (length != sizeof raw)
    return fail (parser, "the extension for bitmaps has a wrong length", error);
  /* A program that does not know bitmaps wrote to the image: they are void, and QEMU drops them. */
  parser->header->has_void_bitmaps = (parser->autoclear & AUTOCLEAR_BITMAPS) == 0;
  if (parser->header->has_void_bitmaps)
    return TRUE;
  if (!stm_image_file_read_at (parser->fd, parser->path, raw, sizeof raw, offset, error))
    return FALSE;
  parser->header->n_bitmaps = get32 (raw);
  parser->header->bitmaps_length = get64 (raw + 8);
  parser->header->bitmaps_offset = get64 (raw + 16);
  if (parser->header->n_bitmaps > MAX_BITMAPS)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_MANY,
                   "image %s: its header says that it has %u bitmaps, over the limit of %d",
                   parser->path, parser->header->n_bitmaps, MAX_BITMAPS);
      return FALSE;
    }

  return TRUE;
}

static gboolean
read_backing_format (Parser *parser, guint64 offset, guint32 length, GError **error)
{
  if (length > MAX_FORMAT_LENGTH)
    return fail (parser, "the name of its backing format is too long", error);
  if (length == 0)
    return TRUE;
  g_clear_pointer (&parser->header->backing_format, g_free);
  parser->header->backing_format = read_text (parser, offset, length, error);

  return parser->header->backing_format != NULL;
}

static gboolean
read_extension (Parser *parser, guint32 kind, guint64 offset, guint32 length, GError **error)
{
  if (kind == EXTENSION_BACKING_FORMAT)
    return read_backing_format (parser, offset, length, error);
  if (kind == EXTENSION_BITMAPS)
    return read_bitmaps (parser, offset, length, error);

  return TRUE; /* the incompatible bits say what must be understood */
}

static gboolean
read_extensions (Parser *parser, GError **error)
{
  guint64 offset = parser->extensions_begin;

  for (guint n = 0; offset + 8 <= parser->extensions_end; n++)
    {
      guint8 raw[8];

      if (n == MAX_EXTENSIONS)
        return fail (parser, "it has too many extensions", error);
      if (!stm_image_file_read_at (parser->fd, parser->path, raw, sizeof raw, offset, error))
        return FALSE;

      guint32 kind = get32 (raw);
      guint32 length = get32 (raw + 4);

      if (kind == EXTENSION_END)
        return TRUE;
      offset += sizeof raw;
      if (length > parser->extensions_end - offset)
        return fail (parser, "an extension is longer than the header", error);
      if (!read_extension (parser, kind, offset, length, error))
        return FALSE;
      offset += ((guint64) length + 7) & ~G_GUINT64_CONSTANT (7);
    }

  return TRUE;
}

/* --- public ----------------------------------------------------------------------------------- */

gboolean
stm_qcow2_has_magic (int fd, const char *path, gboolean *out_has_magic, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL && out_has_magic != NULL, FALSE);

  guint8 raw[4] = { 0 };
  guint64 size = 0;

  if (!stm_image_file_get_length (fd, path, &size, error)
      || (size >= sizeof raw && !stm_image_file_read_at (fd, path, raw, sizeof raw, 0, error)))
    return FALSE;
  *out_has_magic = get32 (raw) == MAGIC;

  return TRUE;
}

StmQcow2Header *
stm_qcow2_header_read (int fd, const char *path, GError **error)
{
  g_return_val_if_fail (fd >= 0 && path != NULL, NULL);

  g_autoptr (StmQcow2Header) header = g_new0 (StmQcow2Header, 1);
  Parser parser = { .fd = fd, .path = path, .header = header };

  if (!read_version (&parser, error) || !read_features (&parser, error)
      || !read_sizes (&parser, error) || !read_tables (&parser, error)
      || !read_backing (&parser, error) || !read_extensions (&parser, error))
    return NULL;

  return g_steal_pointer (&header);
}

void
stm_qcow2_header_free (StmQcow2Header *self)
{
  if (self == NULL)
    return;
  g_free (self->backing);
  g_free (self->backing_format);
  g_free (self);
}

gboolean
stm_qcow2_header_check_usable (const StmQcow2Header *self, const char *path, GError **error)
{
  g_return_val_if_fail (self != NULL && path != NULL, FALSE);

  StemmaError code = STEMMA_ERROR_CHAIN_BROKEN;
  const char *why = NULL;

  if (self->has_data_file)
    {
      code = STEMMA_ERROR_NOT_ALLOWED;
      why = "it keeps its data in another file; convert it to a whole image with qemu-img convert";
    }
  else if (self->is_encrypted)
    {
      code = STEMMA_ERROR_NOT_SUPPORTED;
      why = "it is encrypted; only plain images can be used";
    }
  else if (self->is_corrupt)
    why = "it is marked as corrupt; look at it with qemu-img check, or restore it from a copy";
  else if (self->is_dirty)
    why = "it was not closed cleanly; see that nothing uses it and repair it with qemu-img check "
          "-r all";

  if (why == NULL)
    return TRUE;
  g_set_error (error, STEMMA_ERROR, code, "image %s: %s", path, why);
  return FALSE;
}

guint64
stm_qcow2_count_data (int fd, const StmQcow2Header *header, GCancellable *cancellable)
{
  g_return_val_if_fail (fd >= 0 && header != NULL, STM_BYTES_UNKNOWN);

  guint64 bytes = STM_BYTES_UNKNOWN;

  return stm_qcow2_tables_count (fd, header, "", cancellable, &bytes, NULL) ? bytes
                                                                            : STM_BYTES_UNKNOWN;
}
