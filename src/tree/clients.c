/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"
#include "tree/module.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

/* /clients: a directory for each that is connected, with what virt-admin shows
 * of it. Names of users are looked up by whoever wants them. */

/* What is kept of a client, with it. */
typedef struct {
  ReeveResourceNode *directory; /* (owned) (nullable): until it has gone */
  GHashTable
      *files; /* (element-type utf8 ReeveResourceNode) (owned), as well */
} Entry;

typedef struct {
  const char *name;
  /* FALSE: it has none */
  gboolean (*show) (ReeveServerClient *client, GString *text);
} File;

/* Behind a node. */
typedef struct {
  ReeveTreeSource common;
  ReeveServerClient *client; /* (owned) */
  const File *file;          /* (nullable): of ctl */
} Source;

#define CONTROL "ctl"
/* Those of other servers than the daemon's first have its name before the
 * number. */
#define SEPARATOR '-'

static const char entry_key;

static const ReeveTreeAccess rule = {
  .read_tag = "connect:write",
  .write_tag = "connect:write",
  .is_admin = TRUE,
};

/* ---------------------------------------------------------------- values -- */

static gboolean
show_text (GString *text, const char *value)
{
  if (value == NULL)
    return FALSE;
  g_string_append_printf (text, "%s\n", value);
  return TRUE;
}

static gboolean
show_address (ReeveServerClient *client, GString *text)
{
  return show_text (text, reeve_server_client_get_address (client));
}

static gboolean
show_calls (ReeveServerClient *client, GString *text)
{
  g_string_append_printf (text, "%u\n",
                          reeve_server_client_count_calls (client));
  return TRUE;
}

static gboolean
show_readonly (ReeveServerClient *client, GString *text)
{
  return show_text (text,
                    reeve_server_client_is_read_only (client) ? "1" : "0");
}

static gboolean
show_sasl_name (ReeveServerClient *client, GString *text)
{
  return show_text (text, reeve_server_client_get_sasl_name (client));
}

static gboolean
show_x509_name (ReeveServerClient *client, GString *text)
{
  return show_text (text, reeve_server_client_get_x509_name (client));
}

static gboolean
show_since (ReeveServerClient *client, GString *text)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (
      reeve_server_client_get_connect_time (client));
  g_autofree char *words =
      time == NULL ? NULL : g_date_time_format_iso8601 (time);

  return show_text (text, words);
}

static gboolean
show_transport (ReeveServerClient *client, GString *text)
{
  static const char *const names[] = {
    [REEVE_TRANSPORT_UNIX] = "unix",
    [REEVE_TRANSPORT_TCP] = "tcp",
    [REEVE_TRANSPORT_TLS] = "tls",
  };

  return show_text (text, names[reeve_server_client_get_transport (client)]);
}

static gboolean
show_peer (ReeveServerClient *client, GString *text, int which)
{
  uid_t uid;
  gid_t gid;
  pid_t pid;

  if (!reeve_server_client_get_unix_peer (client, &uid, &gid, &pid))
    return FALSE;
  g_string_append_printf (text, "%u\n",
                          (unsigned) (which == 0   ? uid
                                      : which == 1 ? gid
                                                   : (unsigned) pid));
  return TRUE;
}

static gboolean
show_uid (ReeveServerClient *client, GString *text)
{
  return show_peer (client, text, 0);
}

static gboolean
show_gid (ReeveServerClient *client, GString *text)
{
  return show_peer (client, text, 1);
}

static gboolean
show_pid (ReeveServerClient *client, GString *text)
{
  return show_peer (client, text, 2);
}

/* As virt-admin names them, where it has them. */
static const File files[] = {
  { "calls", show_calls },
  { "readonly", show_readonly },
  { "sasl_user_name", show_sasl_name },
  { "since", show_since },
  { "sock_addr", show_address },
  { "tls_x509_dname", show_x509_name },
  { "transport", show_transport },
  { "unix_group_id", show_gid },
  { "unix_process_id", show_pid },
  { "unix_user_id", show_uid },
};

/* ----------------------------------------------------------------- files -- */

static void
show (ReeveResourceRequest *request, gpointer data)
{
  const Source *self = data;
  g_autoptr (GString) text = g_string_new (NULL);

  if (reeve_server_client_is_closed (self->client))
    reeve_resource_request_fail (request, ENODEV);
  else if (!self->file->show (self->client, text))
    reeve_resource_request_fail (request, ENODATA);
  else
    reeve_resource_request_show_text (
        request, g_string_free (g_steal_pointer (&text), FALSE));
}

/* (transfer full) */
static char *
make_name (ReeveDaemon *daemon, ReeveServerClient *client)
{
  ReeveServer *server = reeve_server_client_get_server (client);
  uint64_t id = reeve_server_client_get_id (client);

  return server == reeve_daemon_get_server (daemon)
             ? g_strdup_printf ("%" PRIu64, id)
             : g_strdup_printf ("%s%c%" PRIu64, reeve_server_get_name (server),
                                SEPARATOR, id);
}

static void
control (ReeveResourceRequest *request, const char *text, gpointer data)
{
  const Source *self = data;
  ReeveTreeWrite *write = NULL;

  if (!g_str_equal (text, "close")) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  write = reeve_tree_write_begin (&self->common, request, text, rule.write_tag);
  if (reeve_server_client_is_closed (self->client)) {
    reeve_tree_write_end (write, ENODEV);
    return;
  }
  reeve_server_client_close (self->client);
  reeve_tree_write_end (write, 0);
}

static gboolean
guard_directory (ReeveResourceNode *node,
                 const ReeveResourceCaller *caller,
                 int want,
                 gpointer data)
{
  return reeve_tree_check (data, node, caller, want, &rule, "/clients", NULL);
}

static void
source_free (gpointer data)
{
  Source *self = data;

  reeve_server_client_unref (self->client);
  reeve_tree_source_free (self);
}

/* @file: (nullable): for ctl */
static ReeveResourceNode *
make_node (ReeveTreeBase *base, ReeveServerClient *client, const File *file)
{
  static const ReeveResourceTextFuncs reads = { .read = show };
  static const ReeveResourceTextFuncs writes = { .write = control };
  g_autofree char *name = make_name (base->daemon, client);
  g_autofree char *path = g_strconcat (
      "/clients/", name, "/", file == NULL ? CONTROL : file->name, NULL);
  Source *source =
      reeve_tree_source_new (sizeof *source, base, &rule, path, NULL);
  ReeveResourceNode *node = reeve_resource_property_new (
      file == NULL ? 0200 : 0400, file == NULL ? &writes : &reads, source,
      source_free);

  source->client = reeve_server_client_ref (client);
  source->file = file;
  reeve_resource_node_set_guard (node, reeve_tree_guard, source);
  return node;
}

/* --------------------------------------------------------------- entries -- */

/* The connection has ended: in the loop's thread. */
static void
entry_close (gpointer data)
{
  Entry *self = data;

  g_clear_pointer (&self->files, g_hash_table_unref);
  g_clear_pointer (&self->directory, reeve_resource_node_unref);
}

/* (transfer none): made if it is not there. */
static Entry *
get_entry (ReeveTreeBase *base, ReeveServerClient *client)
{
  Entry *self = reeve_server_client_get_data (client, &entry_key);

  if (self != NULL)
    return self;

  self = g_new0 (Entry, 1);
  self->directory = reeve_resource_node_new_directory (0700);
  reeve_resource_node_set_guard (self->directory, guard_directory, base);
  self->files =
      g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                             (GDestroyNotify) reeve_resource_node_unref);
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    g_hash_table_insert (self->files, (gpointer) files[i].name,
                         make_node (base, client, &files[i]));
  g_hash_table_insert (self->files, (gpointer) CONTROL,
                       make_node (base, client, NULL));
  return reeve_server_client_attach (client, &entry_key, self, entry_close,
                                     g_free);
}

/* (transfer full) (nullable): of a name as make_name() makes it. */
static ReeveServerClient *
find_client (ReeveDaemon *daemon, const char *name)
{
  const char *last = strrchr (name, SEPARATOR);
  const char *number = last == NULL ? name : last + 1;
  g_autofree char *server_name = g_strndup (name, (size_t) (number - name));
  ReeveServer *server = reeve_daemon_get_server (daemon);
  g_autoptr (ReeveServerClient) client = NULL;
  g_autofree char *whole = NULL;
  guint64 id;

  if (!g_ascii_string_to_unsigned (number, 10, 1, G_MAXUINT64, &id, NULL))
    return NULL;
  if (last != NULL) {
    server_name[last - name] = '\0';
    server = reeve_daemon_find_server (daemon, server_name, NULL);
  }
  if (server != NULL)
    client = reeve_server_find_client (server, id);
  if (client == NULL)
    return NULL;
  /* There is one name for each. */
  whole = make_name (daemon, client);
  return g_str_equal (whole, name) ? g_steal_pointer (&client) : NULL;
}

/* @rest: ID, or ID/FILE. */
static ReeveResourceNode *
find (ReeveResourceNode *node, const char *rest, gpointer data)
{
  ReeveTreeBase *base = data;
  g_auto (GStrv) names = g_strsplit (rest, "/", 2);
  g_autoptr (ReeveServerClient) client = find_client (base->daemon, names[0]);
  const Entry *entry = client == NULL ? NULL : get_entry (base, client);
  ReeveResourceNode *found = NULL;

  if (entry == NULL || entry->files == NULL)
    return NULL;
  found = names[1] == NULL ? entry->directory
                           : g_hash_table_lookup (entry->files, names[1]);
  return found == NULL ? NULL : reeve_resource_node_ref (found);
}

typedef struct {
  ReeveDaemon *daemon;
  ReeveResourceListing *listing;
} Names;

static void
add_name (ReeveServerClient *client, gpointer data)
{
  const Names *self = data;
  g_autofree char *name = make_name (self->daemon, client);

  reeve_resource_listing_add (self->listing, name, S_IFDIR);
}

static void
list (ReeveResourceNode *node,
      const char *rest,
      ReeveResourceListing *listing,
      gpointer data)
{
  const ReeveTreeBase *base = data;
  Names names = { base->daemon, listing };
  ReeveServer *const *servers = reeve_daemon_get_servers (base->daemon);

  if (*rest == '\0') {
    for (size_t i = 0; servers[i] != NULL; i++)
      reeve_server_foreach_client (servers[i], add_name, &names);
    return;
  }
  for (size_t i = 0; i < G_N_ELEMENTS (files); i++)
    reeve_resource_listing_add (listing, files[i].name, S_IFREG);
  reeve_resource_listing_add (listing, CONTROL, S_IFREG);
}

void
reeve_tree_add_clients (ReeveResourceTree *tree, ReeveTreeBase *base)
{
  static const ReeveResourceOps ops = { .find = find, .list = list };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (S_IFDIR | 0700, &ops, base, NULL);

  reeve_resource_node_set_guard (node, guard_directory, base);
  reeve_resource_tree_attach (tree, "/clients", REEVE_RESOURCE_ATTACH_DIRECTORY,
                              node, NULL);
}
