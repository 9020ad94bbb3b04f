/* Snapshot documents: a request whose disks are the domain's, or a typed refusal.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-moment-xml.h"

static StmDomain *
make_domain (void)
{
  static const StmDisk disks[] = {
    { .target = "vda", .kind = STM_SOURCE_FILE, .source = "/images/a.qcow2", .format = "qcow2" },
    { .target = "vdb", .kind = STM_SOURCE_BLOCK, .source = "/dev/vg/b", .format = "raw" },
    { .target = "sda", .kind = STM_SOURCE_NONE, .format = "raw", .is_excluded = TRUE },
  };

  return stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                       .name = "fuzzed",
                                       .title = "",
                                       .description = "",
                                       .definition = "0",
                                       .disks = disks,
                                       .n_disks = G_N_ELEMENTS (disks),
                                       .roots = (const char *const[]){ NULL } });
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (StmDomain) domain = make_domain ();
  g_autoptr (GError) error = NULL;
  g_autoptr (StmSnapshotXml) request = stm_snapshot_xml_parse (text, domain, &error);

  if (request == NULL)
    {
      g_assert_true (error != NULL && error->domain == STEMMA_ERROR);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  g_assert_true (g_utf8_validate (request->name, -1, NULL));
  for (gsize i = 0; i < request->n_choices; i++)
    g_assert_nonnull (stm_domain_find_disk (domain, request->choices[i].target));
  return 0;
}
