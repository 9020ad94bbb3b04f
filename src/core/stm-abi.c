/* The comparison of two domain definitions, field by field, in a fixed order.
 *
 * Called where a definition on record is to be replaced by a client's. Looks only at what this
 * service must answer for; libvirt compares every device when it starts the machine.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-abi.h"

#include "stemma-error.h"
#include "stm-xml.h"

#include <string.h>

#define NONE "nothing"

/* What a definition says, as text that is equal when the meaning is. */
typedef struct
{
  const char *field;
  char *(*read) (const xmlNode *root);
} Field;

static const xmlNode *
find_os_type (const xmlNode *root)
{
  const xmlNode *os = stm_xml_find (root, "os");

  return os != NULL ? stm_xml_find (os, "type") : NULL;
}

static char *
attribute_of (const xmlNode *node, const char *name)
{
  return node != NULL ? stm_xml_attribute (node, name) : NULL;
}

static char *
stripped_text (const xmlNode *node)
{
  g_autofree char *text = node != NULL ? stm_xml_text (node) : NULL;

  return text != NULL ? g_strdup (g_strstrip (text)) : NULL;
}

static char *
read_virtualization (const xmlNode *root)
{
  return stripped_text (find_os_type (root));
}

static char *
read_architecture (const xmlNode *root)
{
  return attribute_of (find_os_type (root), "arch");
}

static char *
read_machine (const xmlNode *root)
{
  return attribute_of (find_os_type (root), "machine");
}

/* libvirt takes a machine without <vcpu> for one of one. */
static char *
read_vcpus (const xmlNode *root)
{
  char *vcpus = stripped_text (stm_xml_find (root, "vcpu"));

  return vcpus != NULL ? vcpus : g_strdup ("1");
}

/* The words that libvirt takes for the unit of an amount of memory. */
static const struct
{
  const char *word;
  guint64 bytes;
} units[] = {
  { "b", 1 },
  { "bytes", 1 },
  { "KB", G_GUINT64_CONSTANT (1000) },
  { "k", G_GUINT64_CONSTANT (1) << 10 },
  { "KiB", G_GUINT64_CONSTANT (1) << 10 },
  { "MB", G_GUINT64_CONSTANT (1000000) },
  { "M", G_GUINT64_CONSTANT (1) << 20 },
  { "MiB", G_GUINT64_CONSTANT (1) << 20 },
  { "GB", G_GUINT64_CONSTANT (1000000000) },
  { "G", G_GUINT64_CONSTANT (1) << 30 },
  { "GiB", G_GUINT64_CONSTANT (1) << 30 },
  { "TB", G_GUINT64_CONSTANT (1000000000000) },
  { "T", G_GUINT64_CONSTANT (1) << 40 },
  { "TiB", G_GUINT64_CONSTANT (1) << 40 },
};

/* In KiB, as libvirt counts it; as it is written when it is no amount. */
static char *
read_memory (const xmlNode *root)
{
  const xmlNode *node = stm_xml_find (root, "memory");
  g_autofree char *text = stripped_text (node);
  g_autofree char *unit = attribute_of (node, "unit");
  guint64 number, bytes;

  if (text == NULL || !g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT64, &number, NULL))
    return g_steal_pointer (&text);
  for (gsize i = 0; i < G_N_ELEMENTS (units); i++)
    if (g_ascii_strcasecmp (unit != NULL ? unit : "KiB", units[i].word) == 0)
      return g_uint64_checked_mul (&bytes, number, units[i].bytes)
                 ? g_strdup_printf ("%" G_GUINT64_FORMAT " KiB", bytes / 1024 + (bytes % 1024 != 0))
                 : g_steal_pointer (&text);

  return g_steal_pointer (&text);
}

static const Field fields[] = {
  { "the kind of virtualization (<os><type>)", read_virtualization },
  { "the architecture (<os><type arch=…>)", read_architecture },
  { "the machine type (<os><type machine=…>)", read_machine },
  { "the number of vcpus (<vcpu>)", read_vcpus },
  { "the memory (<memory>)", read_memory },
};

static gboolean
refuse (const char *field, const char *recorded, const char *given, GError **error)
{
  g_autofree char *text = g_strdup_printf (
      "%s is %.100s in the <domain> of the document and %.100s in the one on record", field,
      given != NULL ? given : NONE, recorded != NULL ? recorded : NONE);
  g_autofree char *clean = stm_xml_clean_message (text);

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "%s: it is not the same machine; leave <domain> out to keep the one on record",
               clean);
  return FALSE;
}

static gboolean
check_fields (const xmlNode *recorded, const xmlNode *given, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (fields); i++)
    {
      g_autofree char *then = fields[i].read (recorded);
      g_autofree char *now = fields[i].read (given);

      if (g_strcmp0 (then, now) != 0)
        return refuse (fields[i].field, then, now, error);
    }

  return TRUE;
}

/* "device on bus" of each disk by target. */
static GHashTable *
read_disks (const xmlNode *root)
{
  GHashTable *disks = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  const xmlNode *devices = stm_xml_find (root, "devices");
  const xmlNode *node = devices != NULL ? stm_xml_first_element (devices) : NULL;

  for (; node != NULL; node = stm_xml_next_element (node))
    {
      const xmlNode *target = stm_xml_is (node, "disk") ? stm_xml_find (node, "target") : NULL;
      g_autofree char *name = attribute_of (target, "dev");
      g_autofree char *bus = attribute_of (target, "bus");
      g_autofree char *device = stm_xml_attribute (node, "device");

      if (name != NULL)
        g_hash_table_replace (disks, g_steal_pointer (&name),
                              g_strdup_printf ("a %s%s%s", device != NULL ? device : "disk",
                                               bus != NULL ? " on the bus " : "",
                                               bus != NULL ? bus : ""));
    }

  return disks;
}

/* Each disk of `ours` is in `theirs` too. `is_given`: ours are those of the document. */
static gboolean
check_contained (GHashTable *ours, GHashTable *theirs, gboolean is_given, GError **error)
{
  GHashTableIter iter;
  gpointer target, what;

  g_hash_table_iter_init (&iter, ours);
  while (g_hash_table_iter_next (&iter, &target, &what))
    {
      const char *other = g_hash_table_lookup (theirs, target);

      if (g_strcmp0 (what, other) == 0)
        continue;

      g_autofree char *field = g_strdup_printf ("disk '%s'", (const char *) target);
      return refuse (field, is_given ? other : what, is_given ? what : other, error);
    }

  return TRUE;
}

gboolean
stm_abi_check (const char *recorded, const char *given, GError **error)
{
  g_autoptr (xmlDoc) then = stm_xml_parse (recorded, "domain", error);
  g_autoptr (xmlDoc) now = then != NULL ? stm_xml_parse (given, "domain", error) : NULL;

  if (now == NULL)
    return FALSE;

  const xmlNode *root_then = xmlDocGetRootElement (then);
  const xmlNode *root_now = xmlDocGetRootElement (now);
  g_autoptr (GHashTable) disks_then = read_disks (root_then);
  g_autoptr (GHashTable) disks_now = read_disks (root_now);

  return check_fields (root_then, root_now, error)
         && check_contained (disks_now, disks_then, /* is_given= */ TRUE, error)
         && check_contained (disks_then, disks_now, /* is_given= */ FALSE, error);
}
