/* Copies of the requests of clients, for the operations that keep them until they are carried out.
 *
 * Any thread. Checks nothing: that is for the planners.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-request.h"

static const char *const *
copy_texts (const char *const *texts)
{
  return (const char *const *) g_strdupv ((GStrv) texts);
}

static void
free_texts (const char *const *texts)
{
  g_strfreev ((GStrv) texts);
}

static StmDiskChoice *
copy_choices (const StmDiskChoice *choices, gsize n_choices)
{
  StmDiskChoice *copies = g_new0 (StmDiskChoice, n_choices);

  for (gsize i = 0; i < n_choices; i++)
    copies[i] = (StmDiskChoice){ .target = g_strdup (choices[i].target),
                                 .mode = choices[i].mode,
                                 .file = g_strdup (choices[i].file) };

  return copies;
}

StmCreateRequest *
stm_create_request_copy (const StmCreateRequest *self)
{
  StmCreateRequest *copy = g_memdup2 (self, sizeof *self);

  copy->name = g_strdup (self->name);
  copy->description = g_strdup (self->description);
  copy->disks = copy_texts (self->disks);
  copy->choices = copy_choices (self->choices, self->n_choices);
  copy->checkpoint = g_strdup (self->checkpoint);

  return copy;
}

void
stm_create_request_free (StmCreateRequest *self)
{
  for (gsize i = 0; i < self->n_choices; i++)
    {
      g_free ((char *) self->choices[i].target);
      g_free ((char *) self->choices[i].file);
    }
  g_free ((StmDiskChoice *) self->choices);
  g_free ((char *) self->name);
  g_free ((char *) self->description);
  g_free ((char *) self->checkpoint);
  free_texts (self->disks);
  g_free (self);
}

StmCreateCheckpointRequest *
stm_create_checkpoint_request_copy (const StmCreateCheckpointRequest *self)
{
  StmCreateCheckpointRequest *copy = g_new0 (StmCreateCheckpointRequest, 1);

  copy->name = g_strdup (self->name);
  copy->description = g_strdup (self->description);
  copy->disks = copy_texts (self->disks);
  copy->parent_id = g_strdup (self->parent_id);

  return copy;
}

void
stm_create_checkpoint_request_free (StmCreateCheckpointRequest *self)
{
  g_free ((char *) self->name);
  g_free ((char *) self->description);
  g_free ((char *) self->parent_id);
  free_texts (self->disks);
  g_free (self);
}

StmRevertRequest *
stm_revert_request_copy (const StmRevertRequest *self)
{
  StmRevertRequest *copy = g_memdup2 (self, sizeof *self);

  copy->moment_id = g_strdup (self->moment_id);
  copy->keep = g_strdup (self->keep);

  return copy;
}

void
stm_revert_request_free (StmRevertRequest *self)
{
  g_free ((char *) self->moment_id);
  g_free ((char *) self->keep);
  g_free (self);
}

StmDeleteRequest *
stm_delete_request_copy (const StmDeleteRequest *self)
{
  StmDeleteRequest *copy = g_memdup2 (self, sizeof *self);

  copy->moment_id = g_strdup (self->moment_id);

  return copy;
}

void
stm_delete_request_free (StmDeleteRequest *self)
{
  g_free ((char *) self->moment_id);
  g_free (self);
}
