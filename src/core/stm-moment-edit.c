/* Plans the renaming and describing of snapshots, and the describing of checkpoints.
 *
 * Called by the operation of that name, main loop. A checkpoint keeps its name for life: libvirt
 * and the tools around it take it for the name of the bitmap.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stm-moment-edit.h"

#include "stemma-error.h"
#include "stm-planner-shared.h"
#include "stm-xml.h"

#include <string.h>

/* What a document of it may hold, so that what is printed can be read back. */
#define MAX_DESCRIPTION 65536

const char *
stm_moment_kind_to_text (StmMomentKind kind)
{
  return kind == STM_MOMENT_SNAPSHOT ? "snapshot" : "checkpoint";
}

static const StmMoment *
find_moment (const StmModel *model, const char *domain_id, const StmMomentEdit *edit,
             GError **error)
{
  const StmDomain *domain = stm_planner_get_domain (model, domain_id, error);

  if (domain == NULL)
    return NULL;

  const StmMoment *moment = stm_tree_get (stm_model_tree (model, domain_id, edit->kind),
                                          edit->moment_id);
  if (moment == NULL)
    g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_FOUND,
                 "domain '%s' has no %s with the id %s", domain->name,
                 stm_moment_kind_to_text (edit->kind), edit->moment_id);

  return moment;
}

static gboolean
check_name (const StmModel *model, const char *domain_id, const StmMoment *moment, const char *name,
            GError **error)
{
  if (name == NULL || g_str_equal (name, moment->name))
    return TRUE;
  if (moment->kind == STM_MOMENT_CHECKPOINT)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_NOT_SUPPORTED,
                   "checkpoint '%s' cannot be renamed: its name stands for its bitmaps; change its "
                   "description instead",
                   moment->name);
      return FALSE;
    }
  if (!stm_moment_name_check (name, error))
    return FALSE;
  if (stm_tree_find (stm_model_tree (model, domain_id, moment->kind), name) == NULL)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_ALREADY_EXISTS,
               "snapshot '%s' cannot be named '%s': another snapshot of the domain has this name; "
               "choose another one",
               moment->name, name);
  return FALSE;
}

static gboolean
check_description (const StmMoment *moment, const char *description, GError **error)
{
  if (description == NULL)
    return TRUE;
  if (strnlen (description, MAX_DESCRIPTION + 1) > MAX_DESCRIPTION)
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_TOO_LARGE,
                   "the description of %s '%s' is longer than %d bytes: give a shorter one",
                   stm_moment_kind_to_text (moment->kind), moment->name, MAX_DESCRIPTION);
      return FALSE;
    }
  if (stm_xml_is_representable (description))
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
               "the description of %s '%s' holds characters that XML does not have: leave them out",
               stm_moment_kind_to_text (moment->kind), moment->name);
  return FALSE;
}

StmPlan *
stm_plan_moment_edit (const StmModel *model, const char *domain_id, const StmMomentEdit *edit,
                      const StmPlanContext *context, GError **error)
{
  const StmMoment *moment = find_moment (model, domain_id, edit, error);

  if (moment == NULL || !check_name (model, domain_id, moment, edit->name, error)
      || !check_description (moment, edit->description, error))
    return NULL;

  g_autoptr (StmPlan)
      plan = stm_plan_new (edit->name != NULL ? STM_OPERATION_RENAME : STM_OPERATION_DESCRIBE,
                           context->plan_id, domain_id);
  StmMoment init = *moment;
  init.name = edit->name != NULL ? edit->name : moment->name;
  init.description = edit->description != NULL ? edit->description : moment->description;
  plan->object_id = g_strdup (moment->id);
  if (!g_str_equal (init.name, moment->name)
      || !g_str_equal (init.description, moment->description))
    {
      g_autoptr (StmMoment) edited = stm_moment_new (&init);

      stm_change_put_moment (plan->finish, edited);
    }

  return g_steal_pointer (&plan);
}
