/* Runs the tests that all drivers pass. Each works in a fresh directory on its own images.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "driver-suite-private.h"

typedef struct
{
  const DriverHarness *harness;
  void (*test) (DriverSuite *suite);
} Case;

static void
run_case (gconstpointer data)
{
  const Case *self = data;
  DriverSuite suite = { .harness = self->harness };
  static const char *const none[] = { NULL };

  suite.world = self->harness->set_up ();
  if (suite.world == NULL)
    return;

  const char *const roots[] = { self->harness->get_directory (suite.world), NULL };
  suite.driver = self->harness->get_driver (suite.world);
  suite.policy = stm_path_policy_new (roots, none);
  suite.progress = stm_progress_new ();
  self->test (&suite);
  stm_progress_unref (suite.progress);
  stm_path_policy_unref (suite.policy);
  self->harness->tear_down (suite.world);
}

static void
add_tests (const char *name, const DriverHarness *harness, const DriverSuiteTest *tests)
{
  for (guint i = 0; tests[i].name != NULL; i++)
    {
      Case *added = g_new (Case, 1);
      g_autofree char *path = g_strdup_printf ("/%s/%s", name, tests[i].name);

      *added = (Case){ harness, tests[i].test };
      g_test_add_data_func_full (path, added, run_case, g_free);
    }
}

void
driver_suite_add (const char *name, const DriverHarness *harness)
{
  add_tests (name, harness, driver_suite_image_tests);
  add_tests (name, harness, driver_suite_mark_tests);
}
