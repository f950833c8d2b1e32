/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "wires-fixture.h"
#include "server-loops.h"

#include "rpc/error.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ------------------------------------------------------------ handlers --- */

static gboolean
handle_same (ReeveCall *call,
             const wires_value *args,
             wires_value *ret,
             GError **error)
{
  wires_value copy = *args;

  /* The arguments are freed with the call. */
  copy.text = g_strdup (args->text);
  copy.bytes.data = g_memdup2 (args->bytes.data, args->bytes.size);
  copy.maybe = g_strdup (args->maybe);
  copy.items.items =
      g_memdup2 (args->items.items, args->items.n_items * sizeof (int32_t));
  if (copy.choice.kind == 1)
    copy.choice.u.text = g_strdup (args->choice.u.text);
  *ret = copy;
  return TRUE;
}

static gboolean
handle_nothing (ReeveCall *call, GError **error)
{
  WiresFixture *fixture = reeve_call_get_user_data (call);
  uint64_t id = reeve_server_client_get_id (reeve_call_get_client (call));

  REEVE_LOCK_SCOPE (&fixture->lock);

  g_string_append_c (fixture->callers, (char) ('0' + id % 10));
  return TRUE;
}

static gboolean
handle_fail (ReeveCall *call, const wires_name *args, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN,
               "there is no machine “%s”", args->name);
  return FALSE;
}

static gboolean
handle_wait (ReeveCall *call,
             const wires_name *args,
             wires_name *ret,
             GError **error)
{
  WiresFixture *fixture = reeve_call_get_user_data (call);

  REEVE_LOCK_SCOPE (&fixture->lock);

  g_queue_push_tail (&fixture->waiting, reeve_call_defer (call));
  return TRUE;
}

static gboolean
handle_fill (ReeveCall *call,
             const wires_fill_args *args,
             wires_fill_ret *ret,
             GError **error)
{
  ret->text = g_strnfill (args->size, 'x');
  return TRUE;
}

/* Whoever still uses it sees another text. */
static void
free_lent (gpointer text)
{
  memset (text, 'y', strlen (text));
  g_free (text);
}

static gboolean
handle_lend (ReeveCall *call,
             const wires_fill_args *args,
             wires_fill_ret *ret,
             GError **error)
{
  ret->text = g_strnfill (args->size, 'x');
  reeve_call_lend_ret (call, ret->text, free_lent);
  return TRUE;
}

static gboolean
handle_send (ReeveCall *call, const wires_name *args, GError **error)
{
  WiresFixture *fixture = reeve_call_get_user_data (call);

  if (!reeve_server_client_send_event (
          reeve_call_get_client (call), &wires_program,
          reeve_program_find (&wires_program, WIRES_PROC_HAPPENED), args))
    atomic_fetch_add (&fixture->n_events_refused, 1);
  return TRUE;
}

static gboolean
handle_count (ReeveCall *call,
              const wires_words *args,
              wires_words *ret,
              GError **error)
{
  ret->first = g_strdup (args->first);
  ret->count = args->count + args->words.n_items;
  return TRUE;
}

static const wires_handlers handlers = {
  .same = handle_same,
  .nothing = handle_nothing,
  .fail = handle_fail,
  .wait = handle_wait,
  .fill = handle_fill,
  .lend = handle_lend,
  .send = handle_send,
  .count = handle_count,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

typedef struct {
  WiresFixture *fixture;
  int fd;
  ReeveServiceOptions options;
} NewClient;

static void
add_client (ReeveLoop *loop, gpointer data)
{
  NewClient *self = data;

  reeve_server_add_fd_client (self->fixture->server, self->fd, &self->options);
  g_free (self);
}

int
wires_fixture_connect (WiresFixture *self, const ReeveServiceOptions *options)
{
  const struct timeval patience = { .tv_sec = 20 };
  NewClient *client = g_new0 (NewClient, 1);
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  setsockopt (ends[0], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  client->fixture = self;
  client->fd = ends[1];
  if (options != NULL)
    client->options = *options;
  reeve_loop_invoke (self->loop, add_client, client);
  return ends[0];
}

void
wires_fixture_init (WiresFixture *self,
                    const ReeveServerLimits *limits,
                    const ReeveServiceOptions *options) REEVE_UNCHECKED
{
  memset (self, 0, sizeof *self);
  self->input = g_string_new (NULL);
  self->callers = g_string_new (NULL);
  reeve_mutex_init (&self->lock);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, limits);
  reeve_server_add_program (self->server, &wires_program, &handlers, self);
  g_assert_cmpint (pthread_create (&self->thread, NULL, run_loop, self->loop),
                   ==, 0);
  self->fd = wires_fixture_connect (self, options);
}

static ReeveCall *
pop (WiresFixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_queue_pop_head (&self->waiting);
}

static void
answer (ReeveCall *call)
{
  char name[] = "go";
  const wires_name ret = { .name = name };

  reeve_call_reply (call, &ret);
}

void
wires_fixture_let_go (WiresFixture *self)
{
  ReeveCall *call;

  while ((call = pop (self)) == NULL)
    g_usleep (100);
  answer (call);
}

char *
wires_fixture_dup_callers (WiresFixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return g_strdup (self->callers->str);
}

void
wires_fixture_clear (WiresFixture *self) REEVE_UNCHECKED
{
  ReeveCall *call;

  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  while ((call = pop (self)) != NULL)
    answer (call);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  reeve_mutex_clear (&self->lock);
  g_string_free (self->input, TRUE);
  g_string_free (self->callers, TRUE);
  close (self->fd);
}

void
wires_fixture_send (WiresFixture *self, const char *text)
{
  size_t size = strlen (text);

  g_assert_cmpint (send (self->fd, text, size, MSG_NOSIGNAL), ==, size);
}

char *
wires_fixture_receive (WiresFixture *self, const char *end)
{
  char buffer[65536];
  gssize size = 1;
  char *found;

  while (end == NULL || strstr (self->input->str, end) == NULL) {
    size = recv (self->fd, buffer, sizeof buffer, 0);
    if (size <= 0)
      break;
    g_string_append_len (self->input, buffer, size);
  }
  if (end == NULL) {
    g_assert_cmpint (size, ==, 0);
  } else if (size <= 0) {
    g_test_message ("no “%s” in “%s”", end, self->input->str);
    g_test_fail ();
  }

  found = end == NULL ? NULL : strstr (self->input->str, end);
  size = found == NULL ? (gssize) self->input->len
                       : found - self->input->str + (gssize) strlen (end);
  found = g_strndup (self->input->str, (gsize) size);
  g_string_erase (self->input, 0, size);
  return found;
}
