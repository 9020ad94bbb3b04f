/* The composition root: reads options and configuration, makes driver, registry and daemon, and
 * lets them run. The only file that names them together.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "stemma-error.h"
#include "stm-absence.h"
#include "stm-daemon.h"
#include "stm-names.h"
#include "stm-path-policy.h"
#include "stm-polkit-authority.h"
#include "stm-qemu-driver.h"
#include "stm-registry.h"
#include "stm-session-authority.h"
#include "stm-sim-driver.h"
#include "stm-takeover.h"

#include <gio/gio.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An endpoint that nobody needs takes some megabytes; a second operation mostly comes soon. */
#define SPARE_IDLE_MILLISECONDS (60 * 1000)

typedef struct
{
  gboolean session;
  gboolean system;
  gboolean replace;
  gboolean verbose;
  gboolean version;
  char *state_directory;
  char *run_directory;
  char *config_file;
  char *qemu_binary;
  char *qemu_user; /* empty: our own */
  char *driver;
  StmSimBehaviour sim;
  char **pools;
} Settings;

static void
settings_clear (Settings *settings)
{
  g_free (settings->state_directory);
  g_free (settings->run_directory);
  g_free (settings->config_file);
  g_free (settings->qemu_binary);
  g_free (settings->qemu_user);
  g_free (settings->driver);
  g_strfreev (settings->pools);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Settings, settings_clear)

static gboolean
is_simulation (const Settings *settings)
{
  return g_strcmp0 (settings->driver, "sim") == 0;
}

static gboolean
read_command_line (Settings *settings, int *argc, char ***argv, GError **error)
{
  const GOptionEntry entries[] = {
    { "system", 0, 0, G_OPTION_ARG_NONE, &settings->system,
      "Serve the system bus, ask polkit (default)", NULL },
    { "session", 0, 0, G_OPTION_ARG_NONE, &settings->session,
      "Serve the session bus, for this user alone", NULL },
    { "replace", 0, 0, G_OPTION_ARG_NONE, &settings->replace,
      "Take the place of a service that runs", NULL },
    { "state-dir", 0, 0, G_OPTION_ARG_FILENAME, &settings->state_directory, "Where the store is",
      "DIR" },
    { "run-dir", 0, 0, G_OPTION_ARG_FILENAME, &settings->run_directory,
      "Where records of running processes are", "DIR" },
    { "config", 0, 0, G_OPTION_ARG_FILENAME, &settings->config_file, "The configuration", "FILE" },
    { "qemu", 0, 0, G_OPTION_ARG_FILENAME, &settings->qemu_binary,
      "The QEMU program that works on images", "BINARY" },
    { "driver", 0, 0, G_OPTION_ARG_STRING, &settings->driver,
      "The hypervisor: qemu, or sim for images that are only thought of", "NAME" },
    { "verbose", 0, 0, G_OPTION_ARG_NONE, &settings->verbose, "Say more", NULL },
    { "version", 0, 0, G_OPTION_ARG_NONE, &settings->version, "Print the version", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext)
      context = g_option_context_new ("- keep the family tree of virtual machines");

  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, argc, argv, error))
    return FALSE;
  if (*argc > 1 || (settings->session && settings->system)
      || (settings->driver != NULL && !is_simulation (settings)
          && !g_str_equal (settings->driver, "qemu")))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "the command line is not understood; --help lists the options, the drivers are "
                   "qemu and sim, and --system and --session exclude each other");
      return FALSE;
    }
  return TRUE;
}

static char *
default_config_file (const Settings *settings)
{
  if (settings->session)
    return g_build_filename (g_get_user_config_dir (), "stemma.conf", NULL);

  return g_strdup (STM_CONFIG_FILE);
}

static gboolean
check_pools (const Settings *settings, GError **error)
{
  for (gsize i = 0; settings->pools != NULL && settings->pools[i] != NULL; i++)
    {
      if (!stm_path_is_plain (settings->pools[i], error))
        {
          g_prefix_error (error, "[paths] pools: ");
          return FALSE;
        }
    }
  return TRUE;
}

/* A pool may be named by a link; records have the real paths of images. */
static void
add_real_pools (Settings *settings)
{
  g_autoptr (GStrvBuilder) pools = g_strv_builder_new ();

  if (settings->pools == NULL)
    return;
  for (gsize i = 0; settings->pools[i] != NULL; i++)
    {
      char *real = realpath (settings->pools[i], /* resolved= */ NULL);

      g_strv_builder_add (pools, settings->pools[i]);
      if (real != NULL && strcmp (real, settings->pools[i]) != 0)
        g_strv_builder_add (pools, real);
      free (real);
    }
  g_strfreev (settings->pools);
  settings->pools = g_strv_builder_end (pools);
}

/* What the command line says goes before what the file says. */
static gboolean
read_config (Settings *settings, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *path = settings->config_file != NULL ? g_strdup (settings->config_file)
                                                        : default_config_file (settings);
  g_autoptr (GError) problem = NULL;

  if (!g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, &problem))
    {
      if (settings->config_file == NULL
          && g_error_matches (problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_INVALID_ARGUMENT,
                   "the configuration '%s' cannot be read: %s", path, problem->message);
      return FALSE;
    }

  settings->pools = g_key_file_get_string_list (file, "paths", "pools", NULL, NULL);
  settings->qemu_user = g_key_file_get_string (file, "qemu", "user", NULL);
  if (settings->qemu_binary == NULL)
    settings->qemu_binary = g_key_file_get_string (file, "qemu", "binary", NULL);
  settings->sim.bytes_per_second = g_key_file_get_uint64 (file, "sim", "bytes-per-second", NULL);
  settings->sim.writes_per_image = g_key_file_get_uint64 (file, "sim", "writes-per-image", NULL);
  if (!check_pools (settings, error))
    return FALSE;
  add_real_pools (settings);
  return TRUE;
}

static gboolean
fill_in_directories (Settings *settings, GError **error)
{
  /* The store of a simulation must never meet real images, nor that of real ones a simulation. */
  const char *name = is_simulation (settings) ? "stemma-sim" : "stemma";

  if (settings->state_directory == NULL)
    settings->state_directory = g_build_filename (
        settings->session ? g_get_user_data_dir () : STM_STATE_PARENT, name, NULL);
  if (settings->run_directory == NULL)
    settings->run_directory = settings->session
                                  ? g_build_filename (g_get_user_runtime_dir (), "stemma", NULL)
                                  : g_strdup ("/run/stemma");
  if (g_mkdir_with_parents (settings->run_directory, 0700) == 0)
    return TRUE;

  g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_READ_ONLY,
               "the directory '%s' cannot be made: %s; choose another one with --run-dir",
               settings->run_directory, g_strerror (errno));
  return FALSE;
}

/* Whom QEMU runs as: as root another user, unless the configuration says otherwise. */
static const char *
endpoint_user (const Settings *settings)
{
  if (settings->qemu_user != NULL)
    return *settings->qemu_user != '\0' ? settings->qemu_user : NULL;

  return !settings->session && geteuid () == 0 ? STM_QEMU_DEFAULT_USER : NULL;
}

static StmDriver *
make_driver (const Settings *settings, GError **error)
{
  g_autofree char *images = g_build_filename (settings->state_directory, "sim-images", NULL);
  g_autofree char *store = g_build_filename (settings->state_directory, "stemma.db", NULL);
  gboolean is_simulated = g_file_test (images, G_FILE_TEST_EXISTS);
  gboolean is_in_use = is_simulated || g_file_test (store, G_FILE_TEST_EXISTS);

  if (is_in_use && is_simulated != is_simulation (settings))
    {
      g_set_error (error, STEMMA_ERROR, STEMMA_ERROR_WRONG_STATE,
                   "the store in '%s' belongs to %s: give another directory with --state-dir",
                   settings->state_directory,
                   is_simulated ? "a simulation" : "real images, not to a simulation");
      return NULL;
    }
  if (is_simulation (settings))
    return (StmDriver *) stm_sim_driver_new (images, &settings->sim, error);

  StmQemuDriver *driver = stm_qemu_driver_new (settings->qemu_binary, endpoint_user (settings),
                                               settings->run_directory);

  stm_qemu_driver_keep_spare (driver, SPARE_IDLE_MILLISECONDS);
  return STM_DRIVER (driver);
}

/* For tests: dies as by a crash when the phase that STEMMA_STOP_AFTER names is durable. */
static void
on_phase (const char *phase, gpointer user_data)
{
  if (g_str_equal (phase, user_data))
    kill (getpid (), SIGKILL);
}

static GBusType
bus_of (const Settings *settings)
{
  return settings->session ? G_BUS_TYPE_SESSION : G_BUS_TYPE_SYSTEM;
}

/* The driver anew each time: what it keeps of the images is the other service's to change as long
 * as that one has the store. */
static gpointer
open_registry (gpointer user_data, GError **error)
{
  const Settings *settings = user_data;
  g_autoptr (StmDriver) driver = make_driver (settings, error);

  if (driver == NULL)
    return NULL;
  return stm_registry_open_sync (driver, settings->state_directory,
                                 (const char *const *) settings->pools, error);
}

/* The store does not know that there may be a service that can be asked to go. */
static void
tell_of_replace (GError **problem)
{
  g_autoptr (GError) told = g_steal_pointer (problem);

  *problem = g_error_new (told->domain, told->code,
                          "%s; or, if it is a service on this bus, start with --replace to take "
                          "its place",
                          told->message);
}

/* A service that runs is asked to go only when its store is what is missing: not for the sake of
 * one that could not start anyway. `*out_takeover` is NULL when nobody was asked. */
static StmRegistry *
open_or_take_over (const Settings *settings, StmTakeover **out_takeover, GError **error)
{
  g_autoptr (StmTakeover) takeover = NULL;
  g_autoptr (GError) problem = NULL;
  StmRegistry *registry = open_registry ((gpointer) settings, &problem);

  if (registry != NULL)
    return registry;
  if (!settings->replace && g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_BUSY))
    tell_of_replace (&problem);
  if (!settings->replace || !g_error_matches (problem, STEMMA_ERROR, STEMMA_ERROR_BUSY))
    {
      g_propagate_error (error, g_steal_pointer (&problem));
      return NULL;
    }

  takeover = stm_takeover_begin_sync (bus_of (settings), error);
  if (takeover == NULL)
    return NULL;
  registry = stm_takeover_run (takeover, open_registry, (gpointer) settings, error);
  if (registry != NULL)
    *out_takeover = g_steal_pointer (&takeover);
  return registry;
}

static char *
ask_hypervisor_version (StmDriver *driver)
{
  g_autoptr (GError) error = NULL;
  char *version = stm_driver_get_version (driver, &error);

  if (version != NULL)
    return version;

  g_warning ("QEMU does not tell its version: %s", error->message);
  return g_strdup ("");
}

/* The name comes last, when everything can be answered. */
static gboolean
serve (const Settings *settings, StmDaemon *daemon, GError **error)
{
  g_autoptr (StmTakeover) takeover = NULL;
  g_autoptr (StmRegistry) registry = open_or_take_over (settings, &takeover, error);
  g_autofree char *version = NULL;
  const char *stop_after = g_getenv ("STEMMA_STOP_AFTER");
  gboolean is_owner = FALSE;
  gboolean is_stopped = FALSE;

  if (registry == NULL)
    return FALSE;
  if (stop_after != NULL)
    stm_registry_set_phase_hook (registry, on_phase, (gpointer) stop_after);

  version = ask_hypervisor_version (stm_registry_get_driver (registry));
  stm_daemon_publish (daemon, registry, version);
  is_owner = stm_daemon_own_name_sync (daemon, settings->replace ? STM_NAME_REPLACE : STM_NAME_KEEP,
                                       error);
  is_stopped = takeover != NULL && stm_takeover_is_stopped (takeover);
  g_clear_object (&takeover);
  if (is_owner && !is_stopped)
    stm_daemon_run (daemon);
  stm_registry_close_sync (registry);
  return is_owner;
}

static gboolean
run (const Settings *settings, GError **error)
{
  g_autoptr (GDBusConnection) connection = g_bus_get_sync (bus_of (settings), NULL, error);
  g_autoptr (StmAuthority) authority = NULL;
  g_autoptr (StmDaemon) daemon = NULL;
  gboolean is_served = FALSE;

  if (connection == NULL)
    return FALSE;

  /* The end of the bus is an end of ours, but an orderly one. */
  g_dbus_connection_set_exit_on_close (connection, FALSE);
  stm_absence_begin_without_name (connection, STM_BUS_NAME);
  authority = settings->session ? stm_session_authority_new (geteuid ())
                                : stm_polkit_authority_new ();
  daemon = stm_daemon_new (connection, authority);
  is_served = serve (settings, daemon, error);
  /* Replies that are on their way. Without a bus there is nobody to get them. */
  g_dbus_connection_flush_sync (connection, NULL, NULL);
  return is_served;
}

/* Who is asked to stop before he has begun has nothing to complain of. */
static int
report (const GError *error)
{
  if (g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_message ("%s: ends", error->message);
      return 0;
    }
  g_printerr ("stemmad: %s\n", error->message);
  return 1;
}

int
main (int argc, char **argv)
{
  g_auto (Settings) settings = { 0 };
  g_autoptr (GError) error = NULL;

  setlocale (LC_ALL, "");
  umask (077);
  if (!read_command_line (&settings, &argc, &argv, &error))
    {
      g_printerr ("stemmad: %s\n", error->message);
      return 2;
    }
  if (settings.version)
    {
      g_print ("stemmad %s\n", STM_VERSION);
      return 0;
    }

  g_log_set_debug_enabled (settings.verbose);
  if (!read_config (&settings, &error) || !fill_in_directories (&settings, &error)
      || !run (&settings, &error))
    return report (error);
  return 0;
}
