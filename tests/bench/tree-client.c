/* A client of both services, for figures that are made in one run: it redefines snapshots of one
 * domain, and reads the whole tree, over Stemma's bus interface or over libvirt-dbus.
 *
 *   tree-client stemma|libvirt define DOCUMENT-FILE       prints the object path
 *   tree-client stemma|libvirt chain|fan N DOMAIN-PATH    one call each; prints three rates
 *   tree-client stemma bulk N DOMAIN-PATH                 one RedefineFrom
 *   tree-client stemma|libvirt read DOMAIN-PATH           the whole tree with all properties
 *   tree-client stemma|libvirt read-least DOMAIN-PATH     by the fewest calls: GetManagedObjects,
 * or the documents alone tree-client stemma|libvirt first DOMAIN-PATH          waits for the
 * service and asks for the list
 *
 * Both sides get the same documents. SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <gio/gio.h>
#include <gio/gunixfdlist.h>
#include <glib/gstdio.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT (600 * 1000) /* milliseconds */
#define WAIT_FOR_SERVICE 60  /* seconds */
#define ASK_AGAIN 2          /* milliseconds */
#define DEFINITION_SIZE 4096 /* bytes, about */
#define PAGE 500             /* snapshots */
#define REDEFINE 1           /* VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE */
#define TOPOLOGICAL 1024     /* VIR_DOMAIN_SNAPSHOT_LIST_TOPOLOGICAL */

typedef struct
{
  GDBusConnection *bus;
  gboolean is_libvirt;
  const char *service;
  char *definition; /* the <domain> that each document has */
} Client;

static GVariant *
call (Client *client, const char *path, const char *interface, const char *method,
      GVariant *arguments)
{
  g_autoptr (GError) error = NULL;
  GVariant *reply = g_dbus_connection_call_sync (client->bus, client->service, path, interface,
                                                 method, arguments, NULL, G_DBUS_CALL_FLAGS_NONE,
                                                 TIMEOUT, NULL, &error);

  if (reply == NULL)
    g_error ("%s: %s", method, error->message);
  return reply;
}

static GVariant *
no_options (void)
{
  return g_variant_new ("a{sv}", NULL);
}

static double
seconds_since (gint64 start)
{
  return (g_get_monotonic_time () - start) / (double) G_USEC_PER_SEC;
}

/* A domain of about DEFINITION_SIZE bytes, the description as padding. */
static char *
make_definition (const char *document)
{
  g_autofree char *text = g_strdup (document);
  char *rest = strstr (text, "<os>");
  g_autofree char *padding = NULL;

  g_assert (rest != NULL && strlen (text) < DEFINITION_SIZE);
  padding = g_strnfill (DEFINITION_SIZE - strlen (text) - 27, 'x');
  return g_strdup_printf ("%.*s<description>%s</description>%s", (int) (rest - text), text, padding,
                          rest);
}

static char *
make_document (Client *client, guint number, gboolean is_chain)
{
  g_autofree char *parent = NULL;

  if (number > 0)
    parent = g_strdup_printf ("<parent><name>s%u</name></parent>", is_chain ? number - 1 : 0);
  return g_strdup_printf (
      "<domainsnapshot><name>s%u</name><state>shutoff</state>%s"
      "<creationTime>%u</creationTime><memory snapshot='no'/>"
      "<disks><disk name='vda' snapshot='internal'/></disks>%s</domainsnapshot>",
      number, parent != NULL ? parent : "", 1700000000 + number, client->definition);
}

static void
define (Client *client, const char *file)
{
  g_autofree char *document = NULL;
  g_autoptr (GVariant) reply = NULL;
  const char *path;

  g_assert (g_file_get_contents (file, &document, NULL, NULL));
  g_autofree char *definition = make_definition (document);
  if (client->is_libvirt)
    reply = call (client, "/org/libvirt/QEMU", "org.libvirt.Connect", "DomainDefineXML",
                  g_variant_new ("(s)", definition));
  else
    reply = call (client, "/org/stemma1/Manager", "org.stemma1.Manager", "DefineDomain",
                  g_variant_new ("(s@a{sv})", definition, no_options ()));
  g_variant_get (reply, "(&o)", &path);
  g_print ("%s\n", path);
}

static void
redefine (Client *client, const char *domain, guint number, gboolean is_chain)
{
  g_autofree char *document = make_document (client, number, is_chain);
  g_autoptr (GVariant) reply = NULL;

  if (client->is_libvirt)
    reply = call (client, domain, "org.libvirt.Domain", "SnapshotCreateXML",
                  g_variant_new ("(su)", document, REDEFINE));
  else
    reply = call (client, domain, "org.stemma1.Snapshots", "Redefine",
                  g_variant_new ("(s@a{sv})", document, no_options ()));
}

static void
redefine_all (Client *client, const char *domain, guint n, gboolean is_chain)
{
  gint64 start = g_get_monotonic_time ();
  guint part = MIN (n, 1000);
  double first = 0;
  gint64 last_start = start;

  for (guint i = 0; i < n; i++)
    {
      if (i == n - part)
        last_start = g_get_monotonic_time ();
      redefine (client, domain, i, is_chain);
      if (i == part - 1)
        first = seconds_since (start);
    }
  g_print ("%.1f %.1f %.1f\n", n / seconds_since (start), part / first,
           part / seconds_since (last_start));
}

/* A file for the documents, each ended by a NUL byte; gone already. */
static int
write_documents (Client *client, guint n)
{
  g_autofree char *name = NULL;
  int fd = g_file_open_tmp ("stemma-bench-XXXXXX", &name, NULL);
  g_autoptr (GString) all = g_string_new (NULL);

  for (guint i = 0; i < n; i++)
    {
      g_autofree char *document = make_document (client, i, TRUE);

      g_string_append_len (all, document, strlen (document) + 1);
    }
  for (gsize done = 0; done < all->len;)
    {
      gssize written = write (fd, all->str + done, all->len - done);

      g_assert (written > 0);
      done += written;
    }
  g_assert (lseek (fd, 0, SEEK_SET) == 0 && g_unlink (name) == 0);
  return fd;
}

static void
redefine_bulk (Client *client, const char *domain, guint n)
{
  int fd = write_documents (client, n);
  g_autoptr (GUnixFDList) fds = g_unix_fd_list_new_from_array (&fd, 1);
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  g_autoptr (GVariant) reply = g_dbus_connection_call_with_unix_fd_list_sync (
      client->bus, client->service, domain, "org.stemma1.Snapshots", "RedefineFrom",
      g_variant_new ("(h@a{sv})", 0, no_options ()), NULL, G_DBUS_CALL_FLAGS_NONE, TIMEOUT, fds,
      NULL, NULL, &error);

  if (reply == NULL)
    g_error ("RedefineFrom: %s", error->message);
  g_print ("%.1f\n", n / seconds_since (start));
}

/* Every value of every object, as a client that keeps them has to look at them. */
static guint
count_values (GVariant *properties)
{
  GVariantIter values;
  const char *name;
  GVariant *value;
  guint n = 0;

  g_variant_iter_init (&values, properties);
  while (g_variant_iter_next (&values, "{&sv}", &name, &value))
    {
      n += name[0] != '\0';
      g_variant_unref (value);
    }
  return n;
}

/* A tree that is read in pages, all asked for at once. */
typedef struct
{
  guint n_awaited;
  guint n_objects;
  guint n_values;
} Reading;

static void
on_page (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Reading *reading = user_data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GVariant)
      reply = g_dbus_connection_call_finish (G_DBUS_CONNECTION (source), result, &error);
  g_autoptr (GVariant) items = NULL;
  GVariantIter iter;
  GVariant *properties;

  if (reply == NULL)
    g_error ("ListProperties: %s", error->message);
  items = g_variant_get_child_value (reply, 0);
  g_variant_iter_init (&iter, items);
  while (g_variant_iter_next (&iter, "(o@a{sv})", NULL, &properties))
    {
      reading->n_objects++;
      reading->n_values += count_values (properties);
      g_variant_unref (properties);
    }
  reading->n_awaited--;
}

/* The page behind the path, or the first. */
static void
ask_for_page (Client *client, const char *domain, const char *after, Reading *reading)
{
  GVariantBuilder options;

  g_variant_builder_init (&options, G_VARIANT_TYPE_VARDICT);
  g_variant_builder_add (&options, "{sv}", "limit", g_variant_new_uint32 (PAGE));
  if (after != NULL)
    g_variant_builder_add (&options, "{sv}", "after", g_variant_new_object_path (after));
  reading->n_awaited++;
  g_dbus_connection_call (client->bus, client->service, domain, "org.stemma1.Snapshots",
                          "ListProperties", g_variant_new ("(a{sv})", &options), NULL,
                          G_DBUS_CALL_FLAGS_NONE, TIMEOUT, NULL, on_page, reading);
}

/* All paths first, so that nobody has to wait for a page to know where the next begins. */
static guint
read_stemma (Client *client, const char *domain)
{
  g_autoptr (GVariant) reply = call (client, domain, "org.stemma1.Snapshots", "List",
                                     g_variant_new ("(@a{sv})", no_options ()));
  g_autoptr (GVariant) paths = g_variant_get_child_value (reply, 0);
  gsize n = g_variant_n_children (paths);
  Reading reading = { 0 };

  for (gsize i = 0; i < n; i += PAGE)
    {
      const char *after = NULL;

      if (i > 0)
        g_variant_get_child (paths, i - 1, "&o", &after);
      ask_for_page (client, domain, after, &reading);
    }
  while (reading.n_awaited > 0)
    g_main_context_iteration (NULL, TRUE);
  g_assert (reading.n_objects == n && reading.n_values > n);
  return n;
}

/* The same in one call. */
static guint
read_stemma_at_once (Client *client, const char *domain)
{
  g_autoptr (GVariant) reply = call (client, domain, "org.freedesktop.DBus.ObjectManager",
                                     "GetManagedObjects", NULL);
  g_autoptr (GVariant) objects = g_variant_get_child_value (reply, 0);
  GVariantIter iter;
  GVariant *interfaces;
  guint n_values = 0;

  g_variant_iter_init (&iter, objects);
  while (g_variant_iter_next (&iter, "{o@a{sa{sv}}}", NULL, &interfaces))
    {
      GVariantIter each;
      GVariant *properties;

      g_variant_iter_init (&each, interfaces);
      while (g_variant_iter_next (&each, "{s@a{sv}}", NULL, &properties))
        {
          n_values += count_values (properties);
          g_variant_unref (properties);
        }
      g_variant_unref (interfaces);
    }
  g_assert (n_values > 0);
  return g_variant_n_children (objects);
}

static guint
count_elements (xmlNode *node)
{
  guint n = 0;

  for (; node != NULL; node = node->next)
    n += node->type == XML_ELEMENT_NODE ? 1 + count_elements (node->children) : 0;
  return n;
}

static void
read_document (Client *client, const char *path)
{
  g_autoptr (GVariant) reply = call (client, path, "org.libvirt.DomainSnapshot", "GetXMLDesc",
                                     g_variant_new ("(u)", 0));
  const char *text;
  xmlDoc *document;

  g_variant_get (reply, "(&s)", &text);
  document = xmlReadMemory (text, strlen (text), NULL, NULL, XML_PARSE_NONET);
  g_assert (document != NULL && count_elements (document->children) > 1);
  xmlFreeDoc (document);
}

/* Name, times, state, disks and parent stand in the document; what else Stemma's properties tell,
 * the peer's objects are asked for: their place in the tree. The first has no parent to be asked
 * for. */
static void
read_place (Client *client, const char *path, gboolean has_parent)
{
  const char *interface = "org.libvirt.DomainSnapshot";

  if (has_parent)
    g_variant_unref (call (client, path, interface, "GetParent", g_variant_new ("(u)", 0)));
  g_variant_unref (call (client, path, interface, "IsCurrent", g_variant_new ("(u)", 0)));
  g_variant_unref (call (client, path, interface, "ListChildren", g_variant_new ("(u)", 0)));
}

static guint
read_libvirt (Client *client, const char *domain, gboolean wants_places)
{
  g_autoptr (GVariant) reply = call (client, domain, "org.libvirt.Domain", "ListDomainSnapshots",
                                     g_variant_new ("(u)", TOPOLOGICAL));
  g_autoptr (GVariant) paths = g_variant_get_child_value (reply, 0);
  gsize n = g_variant_n_children (paths);

  for (gsize i = 0; i < n; i++)
    {
      const char *path;

      g_variant_get_child (paths, i, "&o", &path);
      read_document (client, path);
      if (wants_places)
        read_place (client, path, i > 0);
    }
  return n;
}

static void
read_tree (Client *client, const char *domain, gboolean is_least)
{
  gint64 start = g_get_monotonic_time ();
  guint n = client->is_libvirt ? read_libvirt (client, domain, !is_least)
            : is_least         ? read_stemma_at_once (client, domain)
                               : read_stemma (client, domain);

  g_print ("%.4f %u\n", seconds_since (start), n);
}

static GVariant *
try_list (Client *client, const char *domain)
{
  return g_dbus_connection_call_sync (
      client->bus, client->service, domain,
      client->is_libvirt ? "org.libvirt.Domain" : "org.stemma1.Snapshots",
      client->is_libvirt ? "ListDomainSnapshots" : "List",
      client->is_libvirt ? g_variant_new ("(u)", 0) : g_variant_new ("(@a{sv})", no_options ()),
      NULL, G_DBUS_CALL_FLAGS_NO_AUTO_START, TIMEOUT, NULL, NULL);
}

typedef struct
{
  Client *client;
  const char *domain;
  GVariant *reply;
} FirstAnswer;

static gboolean
ask_again (gpointer data)
{
  FirstAnswer *first = data;

  first->reply = try_list (first->client, first->domain);
  return first->reply == NULL;
}

/* Asks until there is an answer; the time is taken by who started the service. */
static void
wait_for_first (Client *client, const char *domain)
{
  gint64 start = g_get_monotonic_time ();
  FirstAnswer first = { .client = client, .domain = domain };

  g_timeout_add (ASK_AGAIN, ask_again, &first);
  while (first.reply == NULL && seconds_since (start) < WAIT_FOR_SERVICE)
    g_main_context_iteration (NULL, TRUE);
  g_assert (first.reply != NULL);
  g_autoptr (GVariant) reply = first.reply;
  g_autoptr (GVariant) paths = g_variant_get_child_value (reply, 0);
  g_print ("%" G_GSIZE_FORMAT "\n", g_variant_n_children (paths));
}

static void
prepare_definition (Client *client)
{
  const char *file = g_getenv ("BENCH_DOMAIN");
  g_autofree char *document = NULL;

  g_assert (file != NULL && g_file_get_contents (file, &document, NULL, NULL));
  client->definition = make_definition (document);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDBusConnection) bus = g_bus_get_sync (G_BUS_TYPE_SESSION, NULL, &error);
  Client client = { .bus = bus };

  g_assert_no_error (error);
  g_assert (argc >= 4);
  client.is_libvirt = g_str_equal (argv[1], "libvirt");
  client.service = client.is_libvirt ? "org.libvirt" : "org.stemma1";
  if (g_str_equal (argv[2], "define"))
    define (&client, argv[3]);
  else if (g_str_equal (argv[2], "read"))
    read_tree (&client, argv[3], /* is_least= */ FALSE);
  else if (g_str_equal (argv[2], "read-least"))
    read_tree (&client, argv[3], /* is_least= */ TRUE);
  else if (g_str_equal (argv[2], "first"))
    wait_for_first (&client, argv[3]);
  else
    {
      g_assert (argc == 5);
      prepare_definition (&client);
      if (g_str_equal (argv[2], "bulk"))
        redefine_bulk (&client, argv[4], atoi (argv[3]));
      else
        redefine_all (&client, argv[4], atoi (argv[3]), g_str_equal (argv[2], "chain"));
      g_free (client.definition);
    }
  return EXIT_SUCCESS;
}
