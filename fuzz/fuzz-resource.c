/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/fuzz.h"
#include "fuzz/piece.h"
#include "fuzz/turn.h"
#include "resource/program-private.h"
#include "resource/property.h"
#include "resource/request.h"
#include "resource/stream.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

/*
 * What a client of the program `resource` sends: pieces, each of one byte for
 * its size, one for what the daemon does before, and its bytes, of any wire.
 * The tree has a resource of each kind, and handles have the numbers from 1;
 * whatever comes, nothing of the client is left afterwards.
 */

/* What the daemon does. */
typedef enum {
  DO_NOTHING,
  DO_SEND_FILE, /* an eventfd comes with the piece */
  DO_RECORD,
  DO_CHANGE,
  DO_INTERRUPT,
  DO_ANSWER, /* what it kept */
  N_DEEDS,
} Deed;

static ReeveServer *server;
static ReeveLoop *loop;
static ReeveResourceTree *tree;
static ReeveResourceProgram *program;
static ReeveResourceNode *events;
static ReeveResourceNode *log_node;
static ReeveResourceNode *name;
static GString *value;
static GQueue kept; /* (element-type ReeveResourceMessage) (owned) */
static int event_fd;

/* -------------------------------------------------------------- the tree -- */

static void
show_value (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_show_text (request, g_strdup (value->str));
}

static void
set_value (ReeveResourceRequest *request, const char *text, gpointer data)
{
  if (strchr (text, '!') != NULL) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  g_string_assign (value, text);
  reeve_resource_node_notify (name);
  reeve_resource_request_take (request);
}

static void
answer_reversed (ReeveResourceRequest *request, const char *text, gpointer data)
{
  g_autofree char *reply = g_utf8_strreverse (text, -1);
  g_autoptr (GBytes) bytes = g_bytes_new (reply, strlen (reply));

  reeve_resource_request_return (request, bytes);
}

static void
give_back (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_answer (
      request, (int) (reeve_resource_request_get_code (request) % 100),
      reeve_resource_request_get_bytes (request),
      reeve_resource_request_get_size (request));
}

static ReeveResourceNode *
find_any (ReeveResourceNode *node, const char *rest, gpointer data)
{
  return *rest == 'n' ? NULL : reeve_resource_node_ref (name);
}

static void
list_some (ReeveResourceNode *node,
           const char *rest,
           ReeveResourceListing *listing,
           gpointer data)
{
  reeve_resource_listing_add (listing, "some", S_IFREG);
  reeve_resource_listing_add (listing, rest, S_IFDIR);
}

static void
attach (const char *path,
        ReeveResourceAttachFlags flags,
        ReeveResourceNode *node)
{
  int result = reeve_resource_tree_attach (tree, path, flags, node, NULL);

  g_assert_cmpint (result, ==, 0);
}

static void
make_tree (void)
{
  static const ReeveResourceTextFuncs value_funcs = { show_value, set_value };
  static const ReeveResourceTextFuncs reply_funcs = { NULL, answer_reversed };
  static const ReeveResourceOps ioctl_ops = { .devctl = give_back };
  static const ReeveResourceOps dir_ops = {
    .find = find_any,
    .list = list_some,
  };

  tree = reeve_resource_tree_new ();
  value = g_string_new ("value");
  name = reeve_resource_property_new (0666, &value_funcs, NULL, NULL);
  events = reeve_resource_stream_new (0444, 4);
  log_node = reeve_resource_log_new (0666, 4096);
  attach ("/name", 0, name);
  attach ("/events", 0, events);
  attach ("/log", 0, log_node);
  attach ("/null", 0, reeve_resource_node_new (0666, NULL, NULL, NULL));
  attach ("/secret", 0, reeve_resource_text_new (0, "secret"));
  attach ("/rpc", 0,
          reeve_resource_transaction_new (0666, &reply_funcs, NULL, NULL));
  attach ("/ioctl", 0, reeve_resource_node_new (0666, &ioctl_ops, NULL, NULL));
  attach ("/link", 0, reeve_resource_node_new_symlink ("../loop/x"));
  attach ("/loop", 0, reeve_resource_node_new_symlink ("link"));
  attach ("/d", REEVE_RESOURCE_ATTACH_DIRECTORY,
          reeve_resource_node_new (S_IFDIR | 0755, &dir_ops, NULL, NULL));
}

/* ------------------------------------------------------------ the server -- */

static void
take_message (ReeveResourceMessage *message, gpointer data)
{
  size_t size;
  const char *bytes = reeve_resource_message_get_bytes (message, &size);

  if (size == 0)
    reeve_resource_message_fail (message, EINVAL);
  else if (*bytes == 'k')
    g_queue_push_tail (&kept, message);
  else
    reeve_resource_message_reply (message, 1, bytes, size);
}

static void
take_pulse (int code, int64_t number, gpointer data)
{
  g_assert_cmpint (code, ==, 7);
}

static void
start_server (void)
{
  const ReeveServerLimits limits = {
    .max_client_calls = 8,
    .max_client_fds = 16,
    .max_message_bytes = 8192,
    .workers = { .lo_water = 1, .hi_water = 1, .maximum = 1, .n_priority = 1 },
  };

  g_log_set_writer_func (fuzz_write_log, NULL, NULL);
  loop = reeve_loop_new (NULL);
  make_tree ();
  server = reeve_server_new ("fuzz", loop, &limits);
  program = reeve_resource_program_new (server, tree);
  reeve_resource_program_attach_messages (program, 1000, 1010, take_message,
                                          NULL);
  reeve_resource_program_attach_pulse (program, 7, take_pulse, NULL);
  event_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_assert_cmpint (event_fd, >=, 0);
}

static void
answer_kept (void)
{
  ReeveResourceMessage *message;

  while ((message = g_queue_pop_head (&kept)) != NULL)
    reeve_resource_message_reply (message, 2, "kept", 4);
}

static void
do_deed (Deed deed)
{
  switch (deed) {
  case DO_RECORD:
    reeve_resource_stream_push (events, "record\n");
    reeve_resource_log_append (log_node, "line\n", 5);
    break;
  case DO_CHANGE:
    reeve_resource_node_notify (name);
    break;
  case DO_INTERRUPT:
    reeve_resource_program_interrupt (program);
    break;
  case DO_ANSWER:
    answer_kept ();
    break;
  default:
    break;
  }
}

static void
assert_clean (void)
{
  ReeveServerStats stats;

  reeve_server_get_stats (server, &stats);
  g_assert_cmpuint (stats.n_clients, ==, 0);
  g_assert_cmpuint (reeve_resource_program_count_open (program), ==, 0);
  g_assert_cmpuint (reeve_resource_program_count_waiting (program), ==, 0);
  fuzz_assert_few_fds ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  const ReeveServiceOptions options = { .wires = REEVE_WIRE_ALL };
  int ends[2];

  if (server == NULL)
    start_server ();
  program->last_handle = 0;
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  reeve_server_add_fd_client (server, ends[1], &options);
  while (size > 2) {
    size_t length = MIN (data[0] + 1u, size - 2);
    Deed deed = data[1] % N_DEEDS;

    do_deed (deed);
    if (!fuzz_send_piece (ends[0], data + 2, length, deed == DO_SEND_FILE,
                          event_fd, MSG_DONTWAIT))
      break;
    fuzz_turn (loop, ends[0]);
    data += 2 + length;
    size -= 2 + length;
  }
  close (ends[0]);
  fuzz_turn (loop, -1);
  answer_kept ();
  fuzz_turn (loop, -1);
  assert_clean ();
  return 0;
}
