/* stm-moment-xml-print: a moment as libvirt's document.
 *
 * The other half of stm-moment-xml.h, called when a client asks for the document, on any thread.
 * What it prints validates against libvirt's schemas as far as the definition in it does, and is
 * read back by stm_moment_document_parse() as the same. libvirt's documents have no place for the
 * tag of an internal snapshot, which libvirt takes to be its name: one that differs is given in a
 * processing instruction, which schemas and libvirt pass over.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-xml-private.h"

#include "stemma-error.h"
#include "stm-id.h"

#include <string.h>

/* What cannot stand as it is in a text; and in an attribute, where line breaks become blanks. */
#define SPECIAL_IN_TEXT "&<>\r"
#define SPECIAL_IN_ATTRIBUTE "&<>'\"\t\n\r"

static void
append_special (GString *out, char c)
{
  switch (c)
    {
    case '&':
      g_string_append (out, "&amp;");
      break;
    case '<':
      g_string_append (out, "&lt;");
      break;
    case '>':
      g_string_append (out, "&gt;");
      break;
    default:
      g_string_append_printf (out, "&#%d;", c);
    }
}

static void
append_escaped (GString *out, const char *text, const char *special)
{
  while (*text != '\0')
    {
      gsize length = strcspn (text, special);

      g_string_append_len (out, text, (gssize) length);
      text += length;
      if (*text != '\0')
        append_special (out, *text++);
    }
}

static void
append_element (GString *out, const char *name, const char *text)
{
  g_string_append_printf (out, "<%s>", name);
  append_escaped (out, text, SPECIAL_IN_TEXT);
  g_string_append_printf (out, "</%s>\n", name);
}

static void
append_attribute (GString *out, const char *name, const char *value)
{
  g_string_append_printf (out, " %s='", name);
  append_escaped (out, value, SPECIAL_IN_ATTRIBUTE);
  g_string_append_c (out, '\'');
}

static gboolean
is_representable (const char *text)
{
  return text == NULL || stm_xml_is_representable (text);
}

static gboolean
check_texts (const StmMomentPrint *init, GError **error)
{
  const StmMoment *moment = init->moment;
  gboolean is_fine = is_representable (moment->name) && is_representable (moment->description)
                     && is_representable (moment->memory_file) && is_representable (init->parent);

  for (gsize i = 0; is_fine && i < moment->n_disks; i++)
    is_fine = is_representable (moment->disks[i].target)
              && is_representable (moment->disks[i].overlay)
              && is_representable (moment->disks[i].frozen)
              && is_representable (moment->disks[i].bitmap);
  if (!is_fine)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                 "printing the document of %s: its name, description, parent or a path holds "
                 "characters that XML does not have; change it",
                 moment->id);
  return is_fine;
}

/* --- of a snapshot --- */

/* What is being made or deleted is of a machine that is off. */
static const char *
state_word (StmMomentState state)
{
  switch (state)
    {
    case STM_STATE_RUNNING:
      return "running";
    case STM_STATE_PAUSED:
      return "paused";
    case STM_STATE_DISK_ONLY:
      return "disk-snapshot";
    case STM_STATE_CREATING:
    case STM_STATE_DELETING:
    case STM_STATE_SHUTOFF:
      break;
    }
  return "shutoff";
}

static void
append_memory (GString *out, const StmMoment *moment)
{
  g_string_append_printf (out, "  <memory snapshot='%s'",
                          moment->memory == STM_MEMORY_NONE ? "no"
                                                            : stm_memory_to_word (moment->memory));
  if (moment->memory_file != NULL)
    append_attribute (out, "file", moment->memory_file);
  g_string_append (out, "/>\n");
}

static void
append_internal_disk (GString *out, const StmMomentDisk *disk, const char *name)
{
  /* Escaped, it has no end of an instruction in it. */
  g_autofree char *tag = g_uri_escape_string (disk->tag, /* allowed= */ NULL,
                                              /* allow_utf8= */ FALSE);

  g_string_append (out, " snapshot='internal'");
  if (g_str_equal (disk->tag, name))
    g_string_append (out, "/>\n");
  else
    g_string_append_printf (out, "><?%s %s?></disk>\n", STM_TAG_INSTRUCTION, tag);
}

static void
append_snapshot_disk (GString *out, const StmMomentDisk *disk, const char *name)
{
  StmDiskMode mode = disk != NULL ? disk->mode : STM_MODE_NONE;

  if (mode == STM_MODE_INTERNAL)
    {
      append_internal_disk (out, disk, name);
      return;
    }
  if (mode != STM_MODE_EXTERNAL)
    {
      g_string_append (out, " snapshot='no'/>\n");
      return;
    }
  g_string_append (out, " snapshot='external' type='file'");
  if (disk->overlay == NULL)
    {
      g_string_append (out, "/>\n");
      return;
    }
  g_string_append (out, ">\n      <driver type='qcow2'/>\n      <source");
  append_attribute (out, "file", disk->overlay);
  g_string_append (out, "/>\n    </disk>\n");
}

/* --- of a checkpoint --- */

static void
append_checkpoint_disk (GString *out, const StmMomentDisk *disk, GHashTable *sizes)
{
  const guint64 *size = NULL;

  if (disk == NULL || disk->mode != STM_MODE_BITMAP)
    {
      g_string_append (out, " checkpoint='no'/>\n");
      return;
    }
  g_string_append (out, " checkpoint='bitmap'");
  append_attribute (out, "bitmap", disk->bitmap);
  if (sizes != NULL)
    size = g_hash_table_lookup (sizes, disk->target);
  if (size != NULL)
    g_string_append_printf (out, " size='%" G_GUINT64_FORMAT "'", *size);
  g_string_append (out, "/>\n");
}

/* --- disks --- */

static void
append_disk (GString *out, const StmMomentPrint *init, const char *target)
{
  const StmMomentDisk *disk = stm_moment_find_disk (init->moment, target);

  g_string_append (out, "    <disk");
  append_attribute (out, "name", target);
  if (init->moment->kind == STM_MOMENT_SNAPSHOT)
    append_snapshot_disk (out, disk, init->moment->name);
  else
    append_checkpoint_disk (out, disk, init->sizes);
}

/* All disks of the machine of then, in its order; those that its definition does not know last. */
static void
append_disks (GString *out, const StmMomentPrint *init, const StmDomainXml *view)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  gsize before = out->len;

  g_string_append (out, "  <disks>\n");
  for (guint i = 0; view != NULL && i < view->disks->len; i++)
    {
      const StmXmlDisk *disk = view->disks->pdata[i];

      g_hash_table_add (seen, (char *) disk->target);
      append_disk (out, init, disk->target);
    }
  for (gsize i = 0; i < init->moment->n_disks; i++)
    if (!g_hash_table_contains (seen, init->moment->disks[i].target))
      append_disk (out, init, init->moment->disks[i].target);
  /* The schema wants at least one disk of a checkpoint, or no element. */
  if (g_str_has_suffix (out->str, "<disks>\n"))
    g_string_truncate (out, before);
  else
    g_string_append (out, "  </disks>\n");
}

/* --- definitions --- */

/* The disks of the definition, each with the image that holds its state as its source. Texts stay
 * those of the view and of the moment. */
static StmDisk *
disks_of_then (const StmDomainXml *view, const StmMoment *moment)
{
  StmDisk *disks = g_new0 (StmDisk, view->disks->len);

  for (guint i = 0; i < view->disks->len; i++)
    {
      const StmXmlDisk *written = view->disks->pdata[i];
      const StmMomentDisk *taken = moment != NULL ? stm_moment_find_disk (moment, written->target)
                                                  : NULL;

      disks[i] = (StmDisk){ .target = written->target,
                            .kind = written->kind,
                            .format = written->format };
      if (written->declared->len == 0)
        continue;
      disks[i].source = ((StmXmlImage *) written->declared->pdata[0])->path;
      if (taken == NULL || taken->frozen == NULL)
        continue;
      disks[i].source = taken->frozen;
      disks[i].format = taken->format != NULL ? taken->format : written->format;
    }
  return disks;
}

/* Of the machine then with a moment, else as it is written. */
static char *
print_nested (const StmMomentPrint *init, const char *text, const StmMoment *moment, GError **error)
{
  g_autoptr (StmDomainXml) view = stm_domain_xml_parse (text, error);
  g_autofree StmDisk *disks = NULL;
  g_autoptr (StmDomain) domain = NULL;

  if (view == NULL)
    return NULL;
  disks = disks_of_then (view, moment);
  domain = stm_domain_new (&(StmDomain){ .id = "",
                                         .name = view->name,
                                         .title = view->title,
                                         .description = view->description,
                                         .definition = "",
                                         .disks = disks,
                                         .n_disks = view->disks->len,
                                         .roots = (const char *const[]){ NULL } });
  return stm_domain_xml_print_chains (text, domain, moment != NULL ? init->chain_of : NULL,
                                      init->chain_data, init->secrecy, error);
}

static gboolean
append_domain (GString *out, const StmMomentPrint *init, GError **error)
{
  g_autofree char *text = NULL;

  if (init->omits_domain)
    return TRUE;
  if (init->definition != NULL)
    {
      text = print_nested (init, init->definition, init->moment, error);
      if (text == NULL)
        return FALSE;
      g_string_append_printf (out, "  %s\n", g_strstrip (text));
    }
  else if (init->moment->kind == STM_MOMENT_SNAPSHOT)
    {
      text = stm_id_to_uuid (init->domain_id);
      g_string_append_printf (out, "  <domain>\n    <uuid>%s</uuid>\n  </domain>\n", text);
    }
  return TRUE;
}

static gboolean
append_inactive (GString *out, const StmMomentPrint *init, GError **error)
{
  g_autofree char *text = NULL;
  g_autofree char *renamed = NULL;
  g_autoptr (xmlDoc) doc = NULL;

  if (init->omits_domain || init->inactive == NULL)
    return TRUE;
  text = print_nested (init, init->inactive, /* moment= */ NULL, error);
  doc = text != NULL ? stm_xml_parse (text, "domain", error) : NULL;
  if (doc == NULL)
    return FALSE;
  xmlNodeSetName (xmlDocGetRootElement (doc), (const xmlChar *) "inactiveDomain");
  renamed = stm_xml_print (doc, error);
  if (renamed == NULL)
    return FALSE;
  g_string_append_printf (out, "  %s\n", g_strstrip (renamed));
  return TRUE;
}

/* --- the whole --- */

static void
append_head (GString *out, const StmMomentPrint *init)
{
  const StmMoment *moment = init->moment;

  g_string_append (out, "  ");
  append_element (out, "name", moment->name);
  if (*moment->description != '\0')
    {
      g_string_append (out, "  ");
      append_element (out, "description", moment->description);
    }
  if (moment->kind == STM_MOMENT_SNAPSHOT)
    g_string_append_printf (out, "  <state>%s</state>\n", state_word (moment->state));
  if (init->parent != NULL)
    {
      g_string_append (out, "  <parent>\n    ");
      append_element (out, "name", init->parent);
      g_string_append (out, "  </parent>\n");
    }
  g_string_append_printf (out, "  <creationTime>%" G_GINT64_FORMAT "</creationTime>\n",
                          moment->created);
  if (moment->kind == STM_MOMENT_SNAPSHOT)
    append_memory (out, moment);
}

char *
stm_moment_document_print (const StmMomentPrint *init, GError **error)
{
  const char *root = stm_moment_document_root (init->moment->kind);
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (StmDomainXml) view = NULL;

  if (!check_texts (init, error))
    return NULL;
  if (init->definition != NULL)
    {
      view = stm_domain_xml_parse (init->definition, error);
      if (view == NULL)
        return NULL;
    }
  g_string_append_printf (out, "<%s>\n", root);
  append_head (out, init);
  append_disks (out, init, view);
  if (!append_domain (out, init, error) || !append_inactive (out, init, error))
    return NULL;
  if (init->cookie != NULL)
    g_string_append_printf (out, "  %s\n", init->cookie);
  g_string_append_printf (out, "</%s>\n", root);
  return g_string_free (g_steal_pointer (&out), FALSE);
}
