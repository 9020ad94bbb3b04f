/* stemmactl snapshot|checkpoint redefine: picks the method by the number and size of the documents.
 *
 * One document is one change of the tree, and so are many: whatever the method, all of them are
 * taken or none.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-cli-file.h"
#include "stm-cli-json.h"
#include "stm-cli-moment.h"
#include "stm-cli-output.h"
#include "stm-cli-wait.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

/* A message of the system bus may have 32 MiB; from here on documents go through a descriptor. */
#define MAX_IN_MESSAGE (8 * 1024 * 1024)

typedef struct
{
  StmCliCall *call;
  char *domain;
  const char *interface;
  GPtrArray *documents;
  GVariant *options;
} Redefine;

static void
redefine_clear (Redefine *self)
{
  g_clear_pointer (&self->domain, g_free);
  g_clear_pointer (&self->documents, g_ptr_array_unref);
  g_clear_pointer (&self->options, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Redefine, redefine_clear)

static gboolean
send_one (Redefine *self, guint *out_count, GError **error)
{
  g_autoptr (GVariant) reply = stemma_client_call_sync (
      self->call->client, self->domain, self->interface, "Redefine",
      g_variant_new ("(s@a{sv})", self->documents->pdata[0], self->options), G_VARIANT_TYPE ("(o)"),
      /* cancellable= */ NULL, error);

  *out_count = 1;
  return reply != NULL;
}

static gboolean
send_all (Redefine *self, guint *out_count, GError **error)
{
  GVariant *texts = g_variant_new_strv ((const char *const *) self->documents->pdata,
                                        self->documents->len);
  g_autoptr (GVariant) reply = stemma_client_call_sync (
      self->call->client, self->domain, self->interface, "RedefineAll",
      g_variant_new ("(@as@a{sv})", texts, self->options), G_VARIANT_TYPE ("(ao)"),
      /* cancellable= */ NULL, error);
  g_autoptr (GVariant) paths = NULL;

  if (reply == NULL)
    return FALSE;
  paths = g_variant_get_child_value (reply, 0);
  *out_count = (guint) g_variant_n_children (paths);
  return TRUE;
}

static gboolean
write_all (int fd, const char *bytes, gsize length)
{
  while (length > 0)
    {
      gssize n_written = write (fd, bytes, length);

      if (n_written < 0 && errno != EINTR)
        return FALSE;
      if (n_written > 0)
        {
          bytes += n_written;
          length -= (gsize) n_written;
        }
    }
  return TRUE;
}

/* Documents one after another, each ended by a NUL byte; -1 with error. */
static int
pack (GPtrArray *documents, GError **error)
{
  int fd = memfd_create ("stemmactl-documents", MFD_CLOEXEC);
  gboolean is_written = fd >= 0;

  for (guint i = 0; is_written && i < documents->len; i++)
    is_written = write_all (fd, documents->pdata[i], strlen (documents->pdata[i]) + 1);
  if (is_written && lseek (fd, 0, SEEK_SET) == 0)
    return fd;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_FAILED,
               "the documents cannot be packed for the service: %s", g_strerror (errno));
  if (fd >= 0)
    close (fd);
  return -1;
}

static gboolean
send_from (Redefine *self, guint *out_count, GError **error)
{
  int fd = pack (self->documents, error);
  g_autoptr (GVariant) reply = NULL;

  if (fd < 0)
    return FALSE;

  reply = stemma_client_call_with_fd_sync (self->call->client, self->domain, self->interface,
                                           "RedefineFrom", fd,
                                           g_variant_new ("(h@a{sv})", 0, self->options),
                                           G_VARIANT_TYPE ("(u)"), /* cancellable= */ NULL, error);
  close (fd);
  if (reply == NULL)
    return FALSE;
  g_variant_get (reply, "(u)", out_count);
  return TRUE;
}

static void
tell (Redefine *self, guint count)
{
  const char *word = stemma_kind_to_word (self->call->command->kind);
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  if (!self->call->settings->json)
    {
      stm_cli_tell (self->call, self->domain, self->call->words[0], /* outcome= */ NULL,
                    "Redefined %u %s%s of '%s'", count, word, count == 1 ? "" : "s",
                    self->call->words[0]);
      return;
    }

  json_builder_begin_object (builder);
  stm_cli_json_add_string (builder, "object", self->domain);
  stm_cli_json_add_string (builder, "name", self->call->words[0]);
  stm_cli_json_add_number (builder, "count", count);
  json_builder_end_object (builder);
  stm_cli_json_print (builder);
}

gboolean
stm_cli_moment_run_redefine (StmCliCall *call, GError **error)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_auto (Redefine) self = {
    .call = call,
    .interface = stemma_kind_to_list_interface (call->command->kind),
  };
  guint64 size = 0;
  guint count = 0;
  gboolean is_done = FALSE;

  self.domain = stm_cli_call_find_domain (call, 0, error);
  if (self.domain == NULL || !stm_cli_call_add_options (call, self.domain, &builder, error))
    return FALSE;
  self.options = g_variant_ref_sink (g_variant_builder_end (&builder));
  self.documents = stm_cli_file_read_documents (call->words + 1, call->n_words - 1, &size, error);
  if (self.documents == NULL)
    return FALSE;

  if (size > MAX_IN_MESSAGE)
    is_done = send_from (&self, &count, error);
  /* The option `current` is a name only where there are several. */
  else if (self.documents->len > 1 || stm_cli_call_text (call, "current") != NULL)
    is_done = send_all (&self, &count, error);
  else
    is_done = send_one (&self, &count, error);
  if (is_done)
    tell (&self, count);
  else if (call->n_words == 2)
    stm_cli_file_blame (call->words[1], error);
  return is_done;
}
