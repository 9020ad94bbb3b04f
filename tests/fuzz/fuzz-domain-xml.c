/* Domain documents: what is read can be printed in both forms, and reads the same again.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"

#include "stemma-error.h"
#include "stm-domain-xml.h"
#include "stm-image.h"

static StmDomain *
record (const StmDomainXml *view)
{
  g_autofree StmDisk *disks = g_new0 (StmDisk, view->disks->len + 1);

  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *written = g_ptr_array_index (view->disks, i);

      disks[i].target = written->target;
      disks[i].kind = written->kind;
      disks[i].format = written->format;
      if (written->declared->len == 0)
        continue;
      disks[i].source = i % 2 == 0 ? "/images/a & b" : "/dev/new";
      disks[i].kind = i % 2 == 0 ? STM_SOURCE_FILE : STM_SOURCE_BLOCK;
      disks[i].format = "qcow2";
    }
  return stm_domain_new (&(StmDomain){ .id = "0123456789abcdef0123456789abcdef",
                                       .name = view->name,
                                       .title = "a < b",
                                       .description = view->description,
                                       .definition = "0",
                                       .disks = disks,
                                       .n_disks = view->disks->len,
                                       .roots = (const char *const[]){ NULL } });
}

/* Below whatever source. */
static GPtrArray *
chain_of (const char *target, gpointer unused)
{
  GPtrArray *chain = g_ptr_array_new_with_free_func ((GDestroyNotify) stm_image_unref);
  StmImage image = { .target = target, .format = "qcow2", .capacity = 1 };

  image.path = "/images/new";
  image.backing = "/images/a & b";
  g_ptr_array_add (chain, stm_image_new (&image));
  image.path = "/images/a & b";
  image.backing = NULL;
  g_ptr_array_add (chain, stm_image_new (&image));
  return chain;
}

static void
check_print (const char *text, const StmDomain *domain, StmXmlSecrecy secrecy)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *printed = stm_domain_xml_print_chains (text, domain, chain_of, NULL, secrecy,
                                                          &error);
  g_autofree char *reprinted = NULL;
  g_autoptr (StmDomainXml) again = NULL;

  g_assert_no_error (error);
  again = stm_domain_xml_parse (printed, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (again->name, ==, domain->name);
  g_assert_cmpstr (again->title, ==, domain->title);
  g_assert_cmpstr (again->description, ==, domain->description);
  g_assert_cmpuint (again->disks->len, ==, domain->n_disks);
  /* Nothing is left to put in or to take out. */
  reprinted = stm_domain_xml_print_chains (printed, domain, chain_of, NULL, secrecy, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (reprinted, ==, printed);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autofree char *text = g_strndup ((const char *) data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, &error);
  g_autoptr (StmDomain) domain = NULL;
  g_autofree char *with_uuid = NULL;

  if (view == NULL)
    {
      g_assert_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_XML);
      g_assert_true (g_utf8_validate (error->message, -1, NULL));
      return 0;
    }
  domain = record (view);
  check_print (text, domain, STM_XML_SECURE);
  check_print (text, domain, STM_XML_PUBLIC);
  with_uuid = stm_domain_xml_with_uuid (text, "01234567-89ab-cdef-0123-456789abcdef", &error);
  g_assert_no_error (error);
  return 0;
}
