/* StmPointerSet: one pointer, or a table of them.
 *
 * Called by the indexes of the model, on the main loop; knows nothing of what the members are.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-pointer-set.h"

void
stm_pointer_set_clear (StmPointerSet *self)
{
  self->only = NULL;
  g_clear_pointer (&self->many, g_hash_table_unref);
}

guint
stm_pointer_set_size (const StmPointerSet *self)
{
  return self->many != NULL ? g_hash_table_size (self->many) : self->only != NULL;
}

void
stm_pointer_set_add (StmPointerSet *self, gpointer member)
{
  g_return_if_fail (member != NULL);

  if (self->many == NULL && (self->only == NULL || self->only == member))
    {
      self->only = member;
      return;
    }
  if (self->many == NULL)
    {
      self->many = g_hash_table_new (NULL, NULL);
      g_hash_table_add (self->many, g_steal_pointer (&self->only));
    }
  g_hash_table_add (self->many, member);
}

void
stm_pointer_set_remove (StmPointerSet *self, gconstpointer member)
{
  if (self->many == NULL)
    {
      if (self->only == member)
        self->only = NULL;
      return;
    }

  g_hash_table_remove (self->many, member);
  if (g_hash_table_size (self->many) == 0)
    g_clear_pointer (&self->many, g_hash_table_unref);
}

void
stm_pointer_set_iter_init (StmPointerSetIter *iter, const StmPointerSet *self)
{
  iter->is_many = self->many != NULL;
  iter->only = self->only;
  if (iter->is_many)
    g_hash_table_iter_init (&iter->iter, self->many);
}

gpointer
stm_pointer_set_iter_next (StmPointerSetIter *iter)
{
  gpointer member = NULL;

  if (!iter->is_many)
    return g_steal_pointer (&iter->only);

  return g_hash_table_iter_next (&iter->iter, &member, NULL) ? member : NULL;
}
