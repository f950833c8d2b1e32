/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/mount.h"
#include "resource/pool.h"
#include "resource/program.h"
#include "resource/property.h"
#include "resource/stream.h"
#include "resource/tree.h"

#include "../resource/scratch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * resource-daemon MOUNT SOCKET: a daemon with one resource of each kind, for
 * tests of mounts and of the program; one of both may be "-". It prints "ready"
 * and serves until SIGTERM.
 */

#define N_WATCHED 1000
#define DOUBLE_NUMBER _IOWR ('q', 4, int64_t)

typedef struct {
  ReeveLoop *loop;
  ReeveResourceTree *tree;
  ReeveResourceMount *mount;     /* (nullable) */
  ReeveServer *server;           /* (nullable) */
  ReeveResourceProgram *program; /* (nullable) */
  ReeveResourcePool *pool;
  int gate; /* (owned): an eventfd, as high as many may pass */
  int64_t pulses;
  ReeveResourceNode *log;
  ReeveResourceNode *events;
  ReeveResourceNode *watched[N_WATCHED];
  GQueue many; /* (element-type guint64) (owned): ids of /many, oldest first */
  unsigned n_made;
  unsigned n_churned; /* each millisecond */
  int churn;
} Daemon;

/* (transfer full): @node. */
static uint64_t
attach (Daemon *self,
        const char *path,
        ReeveResourceAttachFlags flags,
        ReeveResourceNode *node)
{
  uint64_t id = 0;
  int result = reeve_resource_tree_attach (self->tree, path, flags, node, &id);

  g_assert_cmpint (result, ==, 0);
  reeve_resource_node_unref (node);
  return id;
}

/* ----------------------------------------------------------- properties --- */

/* A word, of which "bad" is none. */
static void
show_word (ReeveResourceRequest *request, gpointer data)
{
  const GString *word = data;

  reeve_resource_request_show_text (request,
                                    g_strdup_printf ("%s\n", word->str));
}

static void
set_word (ReeveResourceRequest *request, const char *text, gpointer data)
{
  if (g_str_equal (text, "bad")) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  g_string_assign (data, text);
  reeve_resource_node_notify (reeve_resource_handle_get_node (
      reeve_resource_request_get_handle (request)));
  reeve_resource_request_take (request);
}

static const ReeveResourceTextFuncs word_funcs = { show_word, set_word };

static void
free_word (gpointer data)
{
  g_string_free (data, TRUE);
}

static ReeveResourceNode *
word_new (mode_t mode, const char *word)
{
  return reeve_resource_property_new (mode, &word_funcs, g_string_new (word),
                                      free_word);
}

static void
show_stats (ReeveResourceRequest *request, gpointer data)
{
  const Daemon *self = data;

  /* The reader's own file and call are none of the others. */
  reeve_resource_request_show_text (
      request,
      g_strdup_printf ("open %u\nwaiting %u\n",
                       reeve_resource_mount_count_open (self->mount) - 1,
                       reeve_resource_mount_count_waiting (self->mount) - 1));
}

static void
show_clients (ReeveResourceRequest *request, gpointer data)
{
  const Daemon *self = data;

  reeve_resource_request_show_text (
      request,
      g_strdup_printf ("open %u\nwaiting %u\npulses %" PRId64 "\n",
                       reeve_resource_program_count_open (self->program),
                       reeve_resource_program_count_waiting (self->program),
                       self->pulses));
}

static void
give_slowly (ReeveLoop *loop, int watch, gpointer data)
{
  reeve_loop_remove (loop, watch);
  reeve_resource_request_show_text (data, g_strdup ("slow\n"));
}

static void
show_slowly (ReeveResourceRequest *request, gpointer data)
{
  reeve_loop_add_timeout (((Daemon *) data)->loop, 200, give_slowly, request,
                          NULL);
}

static void
show_pool (ReeveResourceRequest *request, gpointer data)
{
  const Daemon *self = data;
  ReeveJobPoolStats stats;

  reeve_job_pool_get_stats (reeve_resource_pool_get_jobs (self->pool), &stats);
  reeve_resource_request_show_text (
      request,
      g_strdup_printf ("threads %u\nwaiting %u\nqueued %u\n", stats.n_threads,
                       stats.n_waiting, stats.n_queued));
}

/* On a thread of the pool: waits until it may pass the gate. */
static gboolean
pass_gate (const Daemon *self, GCancellable *cancellable)
{
  GPollFD cancelled;
  struct pollfd files[2] = { { .fd = self->gate, .events = POLLIN } };
  uint64_t one;
  gboolean passed = FALSE;

  if (!g_cancellable_make_pollfd (cancellable, &cancelled))
    return FALSE;
  files[1].fd = cancelled.fd;
  files[1].events = POLLIN;
  while (!passed && !g_cancellable_is_cancelled (cancellable)) {
    poll (files, 2, -1);
    passed = read (self->gate, &one, sizeof one) == sizeof one;
  }
  g_cancellable_release_fd (cancellable);
  return passed;
}

static void
show_gate (ReeveResourceRequest *request,
           GCancellable *cancellable,
           gpointer data)
{
  if (pass_gate (data, cancellable))
    reeve_resource_request_show_text (request, g_strdup ("passed\n"));
  else
    reeve_resource_request_fail (request, EINTR);
}

static void
run_show_gate (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_run (request, ((Daemon *) data)->pool, show_gate,
                              data);
}

static void
answer (ReeveResourceRequest *request, const char *text, gpointer data)
{
  g_autofree char *line = g_ascii_strup (text, -1);
  g_autofree char *reply = g_strconcat (line, "\n", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new (reply, strlen (reply));

  reeve_resource_request_return (request, bytes);
}

static void
double_number (ReeveResourceRequest *request, gpointer data)
{
  int64_t number;

  if (reeve_resource_request_get_code (request) != DOUBLE_NUMBER ||
      reeve_resource_request_get_size (request) != sizeof number) {
    reeve_resource_request_fail (request, ENOTTY);
    return;
  }
  memcpy (&number, reeve_resource_request_get_bytes (request), sizeof number);
  number *= 2;
  reeve_resource_request_answer (request, 5, &number, sizeof number);
}

/* ------------------------------------------------------------- commands --- */

static void
make_one (Daemon *self)
{
  g_autofree char *path = g_strdup_printf ("/many/%06u", self->n_made++);
  uint64_t *id = g_new (uint64_t, 1);

  *id = attach (self, path, 0, reeve_resource_text_new (0444, "one\n"));
  g_queue_push_tail (&self->many, id);
}

/* Some come, and as many go that have been there for a while. */
static void
churn (ReeveLoop *loop, int watch, gpointer data)
{
  Daemon *self = data;

  for (unsigned i = 0; i < self->n_churned; i++) {
    make_one (self);
    g_autofree uint64_t *id =
        g_queue_pop_nth (&self->many, self->many.length - 50);

    reeve_resource_tree_detach (self->tree, *id);
  }
}

static void
start_churn (Daemon *self, unsigned number)
{
  self->n_churned = number;
  if (self->churn == 0)
    self->churn = reeve_loop_add_timeout (self->loop, 1, churn, self, NULL);
}

/* "interrupt" is what a daemon does that is taken over. */
static gboolean
run_other_command (Daemon *self, const char *verb, uint64_t number)
{
  if (g_str_equal (verb, "interrupt"))
    reeve_resource_program_interrupt (self->program);
  else if (g_str_equal (verb, "churn"))
    start_churn (self, (unsigned) number);
  else if (g_str_equal (verb, "pass"))
    return write (self->gate, &number, sizeof number) == sizeof number;
  else
    return FALSE;
  return TRUE;
}

static gboolean
run_command (Daemon *self, const char *verb, const char *rest)
{
  g_autofree char *line = g_strconcat (rest, "\n", NULL);
  unsigned number = (unsigned) strtoul (rest, NULL, 10);

  if (g_str_equal (verb, "event"))
    reeve_resource_stream_push (self->events, line);
  else if (g_str_equal (verb, "log"))
    reeve_resource_log_append (self->log, line, strlen (line));
  else if (g_str_equal (verb, "end"))
    reeve_resource_stream_end (self->events);
  else if (g_str_equal (verb, "touch") && number < N_WATCHED)
    reeve_resource_node_notify (self->watched[number]);
  else if (g_str_equal (verb, "many"))
    for (unsigned i = 0; i < number; i++)
      make_one (self);
  else
    return run_other_command (self, verb, number);
  return TRUE;
}

static void
command (ReeveResourceRequest *request, const char *text, gpointer data)
{
  g_auto (GStrv) words = g_strsplit (text, " ", 2);

  if (words[0] != NULL &&
      run_command (data, words[0], words[1] == NULL ? "" : words[1]))
    reeve_resource_request_take (request);
  else
    reeve_resource_request_fail (request, EINVAL);
}

/* -------------------------------------------------- messages and pulses --- */

static void
take_message (ReeveResourceMessage *message, gpointer data)
{
  size_t size;
  const char *bytes = reeve_resource_message_get_bytes (message, &size);
  g_autofree char *reply = g_ascii_strup (bytes, (gssize) size);

  if (size == 0)
    reeve_resource_message_fail (message, EINVAL);
  else
    reeve_resource_message_reply (
        message, (int) reeve_resource_message_get_type (message), reply, size);
}

static void
take_pulse (int code, int64_t value, gpointer data)
{
  ((Daemon *) data)->pulses += value;
}

static gboolean
serve (Daemon *self, const char *path, GError **error)
{
  g_autofree char *name = g_strconcat ("punix:", path, NULL);
  const ReeveServerLimits limits = { .call_timeout_ms = 20000 };

  self->server = reeve_server_new ("resource-test", self->loop, &limits);
  self->program = reeve_resource_program_new (self->server, self->tree);
  reeve_resource_program_attach_messages (self->program, 1000, 1010,
                                          take_message, self);
  reeve_resource_program_attach_pulse (self->program, 7, take_pulse, self);
  return reeve_server_listen (
             self->server, name,
             &(ReeveServiceOptions){ .mode = 0666, .wires = REEVE_WIRE_ALL },
             error) != NULL;
}

/* ------------------------------------------------------------- providers -- */

/* Has every path of up to three names, whose text tells its own name and the
 * path; but those that begin with "no". */
typedef struct {
  const char *name;
  GHashTable *nodes; /* (element-type utf8 ReeveResourceNode) (owned) */
} Provider;

static ReeveResourceNode *
provider_find (ReeveResourceNode *node, const char *rest, gpointer data)
{
  Provider *self = data;
  g_autofree char *text = g_strdup_printf ("%s %s\n", self->name, rest);
  g_auto (GStrv) names = g_strsplit (rest, "/", -1);
  unsigned n_names = g_strv_length (names);
  ReeveResourceNode *found = g_hash_table_lookup (self->nodes, rest);

  if (n_names > 3 || g_str_has_prefix (rest, "no") ||
      (g_str_has_prefix (rest, "only-in-") &&
       !g_str_has_suffix (rest, self->name)))
    return NULL;
  if (found == NULL) {
    found = n_names == 3 || strchr (rest, '-') != NULL
                ? reeve_resource_text_new (0444, text)
                : reeve_resource_node_new_directory (0755);
    g_hash_table_insert (self->nodes, g_strdup (rest), found);
  }
  return reeve_resource_node_ref (found);
}

static void
provider_list (ReeveResourceNode *node,
               const char *rest,
               ReeveResourceListing *listing,
               gpointer data)
{
  const Provider *self = data;
  g_autofree char *only = g_strconcat ("only-in-", self->name, NULL);

  if (*rest != '\0')
    return;
  reeve_resource_listing_add (listing, only, S_IFREG);
  reeve_resource_listing_add (listing, "in-both", S_IFREG);
}

static void
provider_free (gpointer data)
{
  Provider *self = data;

  g_hash_table_unref (self->nodes);
  g_free (self);
}

static ReeveResourceNode *
provider_new (const char *name)
{
  static const ReeveResourceOps ops = {
    .find = provider_find,
    .list = provider_list,
  };
  Provider *self = g_new0 (Provider, 1);

  self->name = name;
  self->nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                             (GDestroyNotify) reeve_resource_node_unref);
  return reeve_resource_node_new (S_IFDIR | 0755, &ops, self, provider_free);
}

/* ------------------------------------------------------------------ main -- */

static void
make_tree (Daemon *self)
{
  static const ReeveResourceTextFuncs stats_funcs = { show_stats, NULL };
  static const ReeveResourceTextFuncs clients_funcs = { show_clients, NULL };
  static const ReeveResourceTextFuncs slow_funcs = { show_slowly, NULL };
  static const ReeveResourceTextFuncs pool_funcs = { show_pool, NULL };
  static const ReeveResourceTextFuncs gate_funcs = { run_show_gate, NULL };
  static const ReeveResourceTextFuncs command_funcs = { NULL, command };
  static const ReeveResourceTextFuncs answer_funcs = { NULL, answer };
  static const ReeveResourceOps ioctl_ops = { .devctl = double_number };
  const ReeveResourceAttachFlags directory = REEVE_RESOURCE_ATTACH_DIRECTORY;

  attach (self, "name", 0, word_new (0644, "value"));
  attach (self, "secret", 0, word_new (0600, "secret"));
  attach (self, "null", 0, reeve_resource_node_new (0666, NULL, NULL, NULL));
  attach (self, ".stats", 0,
          reeve_resource_property_new (0444, &stats_funcs, self, NULL));
  attach (self, ".clients", 0,
          reeve_resource_property_new (0444, &clients_funcs, self, NULL));
  attach (self, "slow", 0,
          reeve_resource_property_new (0444, &slow_funcs, self, NULL));
  attach (self, ".pool", 0,
          reeve_resource_property_new (0444, &pool_funcs, self, NULL));
  attach (self, "gate", 0,
          reeve_resource_property_new (0444, &gate_funcs, self, NULL));
  attach (self, "ctl", 0,
          reeve_resource_property_new (0200, &command_funcs, self, NULL));
  attach (self, "rpc", 0,
          reeve_resource_transaction_new (0600, &answer_funcs, self, NULL));
  attach (self, "ioctl", 0,
          reeve_resource_node_new (0644, &ioctl_ops, NULL, NULL));
  attach (self, "cur", 0, reeve_resource_node_new_symlink ("name"));
  attach (self, "root-cur", 0, reeve_resource_node_new_symlink ("/d/sub"));
  attach (self, "d", directory, provider_new ("one"));
  attach (self, "d/sub", directory, provider_new ("sub"));
  attach (self, "d", directory | REEVE_RESOURCE_ATTACH_AFTER,
          provider_new ("two"));
  attach (self, "turned", directory, provider_new ("one"));
  attach (self, "turned", directory | REEVE_RESOURCE_ATTACH_BEFORE,
          provider_new ("two"));
  /* The newest of those that do not ask for a place. */
  attach (self, "turned", directory, provider_new ("one"));

  attach (self, "scratch", directory, scratch_new (01777));

  self->log = reeve_resource_log_new (0644, 65536);
  attach (self, "log", 0, reeve_resource_node_ref (self->log));
  self->events = reeve_resource_stream_new (0444, 16);
  attach (self, "events", 0, reeve_resource_node_ref (self->events));
  for (int i = 0; i < N_WATCHED; i++) {
    g_autofree char *path = g_strdup_printf ("watched/%d", i);

    self->watched[i] = word_new (0644, "same");
    attach (self, path, 0, reeve_resource_node_ref (self->watched[i]));
  }
}

static void
clear (Daemon *self)
{
  reeve_resource_mount_free (self->mount);
  if (self->server != NULL)
    reeve_server_stop (self->server);
  reeve_resource_program_free (self->program);
  reeve_resource_pool_free (self->pool);
  close (self->gate);
  reeve_server_unref (self->server);
  reeve_resource_node_unref (self->log);
  reeve_resource_node_unref (self->events);
  for (int i = 0; i < N_WATCHED; i++)
    reeve_resource_node_unref (self->watched[i]);
  g_queue_clear_full (&self->many, g_free);
  reeve_resource_tree_free (self->tree);
  reeve_loop_unref (self->loop);
}

static void
stop (ReeveLoop *loop, int watch, int signum, gpointer data)
{
  reeve_loop_quit (loop);
}

int
main (int argc, char **argv)
{
  Daemon self = { 0 };
  g_autoptr (GError) error = NULL;

  if (argc != 3)
    return 2;
  /* GLib's own thread wakes it for signals and must find it at all times. */
  self.loop = reeve_loop_new (g_main_context_default ());
  self.tree = reeve_resource_tree_new ();
  self.pool = reeve_resource_pool_new (self.loop, &reeve_resource_pool_size);
  self.gate = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
  make_tree (&self);
  reeve_loop_add_signal (self.loop, SIGTERM, stop, NULL, NULL);
  if (!g_str_equal (argv[1], "-"))
    self.mount = reeve_resource_mount_new (self.loop, self.tree,
                                           "resource-test", argv[1], &error);
  if (self.mount != NULL && g_getenv ("TELL_INOTIFY") != NULL)
    reeve_resource_mount_tell_inotify (self.mount, self.pool);
  if (error == NULL && !g_str_equal (argv[2], "-"))
    serve (&self, argv[2], &error);
  if (error != NULL)
    fprintf (stderr, "%s\n", error->message);
  else {
    puts ("ready");
    fflush (stdout);
    reeve_loop_run (self.loop);
  }
  clear (&self);
  return error == NULL ? 0 : 1;
}
