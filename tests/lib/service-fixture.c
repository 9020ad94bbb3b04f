/* Starts, calls and stops stemmad. Its messages go where those of the test go, so that they stand
 * beside the failure.
 *
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "service-fixture.h"

#include "stemma-error.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#define IMAGE_SIZE (1024 * 1024)

static void
write_config (Service *self)
{
  g_autofree char *path = g_build_filename (self->directory, "stemma.conf", NULL);
  g_autofree char *text = g_strdup_printf ("[qemu]\nuser=%s\n", getuid () == 0 ? "nobody" : "");
  g_autoptr (GError) error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
}

/* A test that dies takes the service with it. */
static void
die_with_parent (gpointer unused)
{
  prctl (PR_SET_PDEATHSIG, SIGKILL);
}

GSubprocess *
service_spawn (Service *self, ServiceMode mode, const char *option)
{
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_NONE);
  g_autofree char *state = g_build_filename (self->directory, "state", NULL);
  g_autofree char *run = g_build_filename (self->directory, "run", NULL);
  g_autofree char *config = g_build_filename (self->directory, "stemma.conf", NULL);
  const char *argv[] = { self->program, "--verbose", "--state-dir", state, "--run-dir", run,
                         "--config",    config,      NULL,          NULL,  NULL };
  guint n_arguments = 8;
  g_autoptr (GError) error = NULL;
  GSubprocess *process = NULL;

  if (mode == SERVICE_SESSION)
    {
      argv[n_arguments++] = "--session";
      g_subprocess_launcher_setenv (launcher, "DBUS_SESSION_BUS_ADDRESS",
                                    g_getenv ("DBUS_SYSTEM_BUS_ADDRESS"), TRUE);
      /* It must not need the system bus. */
      g_subprocess_launcher_unsetenv (launcher, "DBUS_SYSTEM_BUS_ADDRESS");
    }
  argv[n_arguments] = option;
  g_subprocess_launcher_set_child_setup (launcher, die_with_parent, NULL, NULL);
  process = g_subprocess_launcher_spawnv (launcher, argv, &error);
  g_assert_no_error (error);
  return process;
}

static gboolean
has_name (gpointer user_data)
{
  Service *self = user_data;
  g_autoptr (GVariant) reply = bus_call_name (
      self->client, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
      "NameHasOwner", g_variant_new ("(s)", SERVICE_NAME), G_DBUS_CALL_FLAGS_NONE, NULL);
  gboolean has_owner = FALSE;

  g_variant_get (reply, "(b)", &has_owner);
  return has_owner;
}

void
service_wait_name (Service *self)
{
  bus_wait_until (has_name, self, "stemmad to own its name");
}

void
service_start (Service *self, ServiceMode mode)
{
  self->process = service_spawn (self, mode, /* option= */ NULL);
  service_wait_name (self);
}

void
service_stop (Service *self)
{
  g_autoptr (GSubprocess) process = g_steal_pointer (&self->process);
  g_autoptr (GError) error = NULL;

  if (process == NULL)
    return;
  g_subprocess_send_signal (process, SIGTERM);
  g_subprocess_wait_check (process, NULL, &error);
  g_assert_no_error (error);
}

void
service_set_up (Service *self, gconstpointer program)
{
  mock_polkit_reset ();
  self->program = program;
  self->directory = test_directory_new ();
  self->client = bus_client_new ();
  write_config (self);
  service_start (self, SERVICE_SYSTEM);
}

void
service_tear_down (Service *self, gconstpointer program)
{
  service_stop (self);
  bus_client_leave (self->client);
  test_directory_remove (self->directory);
  g_free (self->directory);
}

char *
service_image_path (Service *self, const char *file_name)
{
  return g_build_filename (self->directory, file_name, NULL);
}

char *
service_document (Service *self, const char *name, const char *uuid, const char *const *images)
{
  g_autoptr (GString) text = g_string_new ("<domain type='kvm'>");

  g_string_append_printf (text, "<name>%s</name>", name);
  if (uuid != NULL)
    g_string_append_printf (text, "<uuid>%s</uuid>", uuid);
  g_string_append (text, "<memory unit='MiB'>64</memory>"
                         "<os><type arch='x86_64'>hvm</type><cmdline>secret=1</cmdline></os>"
                         "<devices>");
  for (guint i = 0; images[i] != NULL; i++)
    g_string_append_printf (text,
                            "<disk type='file' device='disk'>"
                            "<driver name='qemu' type='qcow2'/><source file='%s/%s'/>"
                            "<target dev='vd%c' bus='virtio'/></disk>",
                            self->directory, images[i], 'a' + i);
  g_string_append (text, "</devices></domain>");
  return g_string_free (g_steal_pointer (&text), FALSE);
}

static GVariant *
no_options (void)
{
  return g_variant_new_parsed ("(@a{sv} {},)");
}

BusCall *
service_call_begin (Service *self, GDBusConnection *client, const char *path, const char *interface,
                    const char *method, GVariant *arguments)
{
  g_autofree char *full = g_strconcat (SERVICE_NAME ".", interface, NULL);

  return bus_call_begin (client, SERVICE_NAME, path, full, method,
                         arguments != NULL ? arguments : no_options (), G_DBUS_CALL_FLAGS_NONE);
}

GVariant *
service_call (Service *self, const char *path, const char *interface, const char *method,
              GVariant *arguments, GError **error)
{
  return bus_call_end (service_call_begin (self, self->client, path, interface, method, arguments),
                       error);
}

char *
service_call_well (Service *self, const char *path, const char *interface, const char *method,
                   GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (self, path, interface, method, arguments, &error);
  g_autoptr (GVariant) first = NULL;

  if (error != NULL)
    g_test_message ("%s.%s: %s", interface, method, error->message);
  g_assert_no_error (error);
  if (!g_str_has_prefix (g_variant_get_type_string (reply), "(o"))
    return NULL;

  first = g_variant_get_child_value (reply, 0);
  return g_variant_dup_string (first, NULL);
}

void
service_call_ill (Service *self, const char *path, const char *interface, const char *method,
                  GVariant *arguments, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = service_call (self, path, interface, method, arguments, &error);

  g_assert_null (reply);
  g_test_message ("%s.%s: %s", interface, method, error->message);
  g_assert_error (error, STEMMA_ERROR, code);
}

GVariant *
service_get (Service *self, const char *path, const char *interface, const char *property)
{
  g_autofree char *full = g_strconcat (SERVICE_NAME ".", interface, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant) reply = bus_call_name (
      self->client, SERVICE_NAME, path, "org.freedesktop.DBus.Properties", "Get",
      g_variant_new ("(ss)", full, property), G_DBUS_CALL_FLAGS_NONE, &error);
  GVariant *value = NULL;

  g_assert_no_error (error);
  g_variant_get (reply, "(v)", &value);
  return value;
}

char *
service_get_string (Service *self, const char *path, const char *interface, const char *property)
{
  g_autoptr (GVariant) value = service_get (self, path, interface, property);

  return g_variant_dup_string (value, NULL);
}

guint64
service_get_generation (Service *self, const char *path, const char *interface)
{
  g_autoptr (GVariant) value = service_get (self, path, interface, "Generation");

  return g_variant_get_uint64 (value);
}

char *
service_define (Service *self, const char *name, const char *const *images)
{
  g_autofree char *document = service_document (self, name, /* uuid= */ NULL, images);

  for (guint i = 0; images[i] != NULL; i++)
    {
      g_autofree char *path = service_image_path (self, images[i]);

      test_image_create (path, "qcow2", IMAGE_SIZE, /* backing= */ NULL,
                         /* backing_format= */ NULL);
    }
  return service_call_well (self, SERVICE_MANAGER, "Manager", "DefineDomain",
                            g_variant_new ("(s@a{sv})", document,
                                           g_variant_new_array (G_VARIANT_TYPE ("{sv}"), NULL, 0)));
}

char *
service_snapshot (Service *self, const char *domain, const char *name)
{
  return service_call_well (self, domain, "Snapshots", "Create",
                            g_variant_new_parsed ("(%s, {'wait': <true>})", name));
}
