/* Files that say they are qcow2: read from a descriptor into a sound header with its tags and
 * bitmaps, or a typed refusal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-qcow2-header.h"
#include "stm-qcow2-marks.h"

#include <sys/mman.h>
#include <unistd.h>

#define PATH "/images/fuzzed.qcow2"

static void
check_marks (int fd, const StmQcow2Header *header)
{
  g_autoptr (StmFacts) facts = stm_facts_new (PATH);
  g_autoptr (GError) error = NULL;

  if (!stm_qcow2_marks_read (fd, header, facts, /* cancellable= */ NULL, &error))
    {
      g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return;
    }
  g_assert_cmpuint (facts->tags->len, ==, header->n_snapshots);
  g_assert_cmpuint (facts->bitmaps->len, ==, header->n_bitmaps);
  for (guint i = 0; i < facts->tags->len; i++)
    g_assert_true (g_utf8_validate (((StmTagFacts *) facts->tags->pdata[i])->name, -1, NULL));
}

static void
check_header (int fd, const StmQcow2Header *header)
{
  g_autoptr (GError) error = NULL;

  g_assert_cmpuint (header->capacity, <=, STM_MAX_CAPACITY);
  if (header->backing != NULL)
    g_assert_cmpuint (strlen (header->backing), <=, STM_QCOW2_MAX_BACKING_LENGTH);
  if (!stm_qcow2_header_check_usable (header, PATH, &error))
    g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
  check_marks (fd, header);
  stm_qcow2_count_data (fd, header, /* cancellable= */ NULL);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  int fd = memfd_create ("fuzzed", MFD_CLOEXEC);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmQcow2Header) header = NULL;
  gboolean has_magic = FALSE;

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, data, size), ==, (gssize) size);
  g_assert_true (stm_qcow2_has_magic (fd, PATH, &has_magic, &error));
  header = stm_qcow2_header_read (fd, PATH, &error);
  if (header != NULL)
    {
      g_assert_true (has_magic);
      check_header (fd, header);
    }
  else
    {
      g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
    }
  close (fd);
  return 0;
}
