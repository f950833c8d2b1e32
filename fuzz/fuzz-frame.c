/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz/frame.h"
#include "fuzz/fuzz.h"
#include "fuzz/piece.h"
#include "fuzz/turn.h"
#include "rpc/data-stream.h"
#include "rpc/error.h"
#include "rpc/server.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * What a client sends: pieces, each of one byte for its size, one for how many
 * files come with it, and its bytes. The server has a program of each kind of
 * call; whatever comes, it is rid of client and files afterwards.
 */

static ReeveServer *server;
static ReeveLoop *loop;
static GQueue waiting; /* (element-type ReeveCall) (owned) */

static gboolean
echo (ReeveCall *call, const frame_text *args, frame_text *ret, GError **error)
{
  for (unsigned i = 0; i < reeve_call_get_n_fds (call); i++)
    if (!reeve_call_add_reply_fd (call, reeve_call_steal_fd (call, i), error))
      return FALSE;
  ret->text = g_strdup (args->text);
  return TRUE;
}

static gboolean
nothing (ReeveCall *call, GError **error)
{
  g_assert_cmpuint (reeve_call_get_n_fds (call), ==, 0);
  return TRUE;
}

static gssize
flow_receive (ReeveDataStream *stream,
              const uint8_t *data,
              size_t size,
              gpointer user_data,
              GError **error)
{
  if (memchr (data, 'f', size) != NULL) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_FAILED,
                         "there is an f");
    return -1;
  }
  reeve_data_stream_wake (stream);
  return (gssize) size;
}

static gboolean
flow_receive_hole (ReeveDataStream *stream,
                   int64_t length,
                   gpointer user_data,
                   GError **error)
{
  g_assert_cmpint (length, >, 0);
  return TRUE;
}

static ReeveDataStreamNext
flow_send (ReeveDataStream *stream, gpointer user_data, GError **error)
{
  unsigned *n_left = user_data;

  if (*n_left == 0)
    return REEVE_DATA_STREAM_END;

  (*n_left)--;
  reeve_data_stream_write (stream, (const uint8_t *) "data", 4);
  return REEVE_DATA_STREAM_WAIT;
}

static gboolean
flow (ReeveCall *call, GError **error)
{
  static const ReeveDataStreamFuncs funcs = {
    .receive = flow_receive,
    .receive_hole = flow_receive_hole,
    .send = flow_send,
  };
  unsigned *n_left = g_new (unsigned, 1);

  *n_left = 2;
  return reeve_data_stream_open (call, &funcs, n_left, g_free, error) != NULL;
}

static gboolean
wait_for_ever (ReeveCall *call, GError **error)
{
  g_queue_push_tail (&waiting, reeve_call_defer (call));
  return TRUE;
}

static const frame_handlers handlers = {
  .echo = echo,
  .nothing = nothing,
  .flow = flow,
  .wait = wait_for_ever,
};

static void
start_server (void)
{
  const ReeveServerLimits limits = {
    .max_client_calls = 8,
    .max_client_fds = 16,
    .max_message_bytes = 4096,
    .workers = { .lo_water = 1, .hi_water = 1, .maximum = 1, .n_priority = 1 },
  };

  g_log_set_writer_func (fuzz_write_log, NULL, NULL);
  loop = reeve_loop_new (NULL);
  server = reeve_server_new ("fuzz", loop, &limits);
  reeve_server_add_program (server, &frame_program, &handlers, NULL);
}

static void
end_waiting (void)
{
  ReeveCall *call;

  while ((call = g_queue_pop_head (&waiting)) != NULL)
    reeve_call_reply (call, NULL);
}

static void
assert_clean (void)
{
  ReeveServerStats stats;

  reeve_server_get_stats (server, &stats);
  g_assert_cmpuint (stats.n_clients, ==, 0);
  fuzz_assert_few_fds ();
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  int ends[2];

  if (server == NULL)
    start_server ();

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends),
                   ==, 0);
  reeve_server_add_fd_client (server, ends[1], NULL);
  while (size > 2) {
    size_t length = MIN (data[0] + 1u, size - 2);

    if (!fuzz_send_piece (ends[0], data + 2, length, data[1] % 5, 0,
                          MSG_DONTWAIT))
      break;
    fuzz_turn (loop, ends[0]);
    data += 2 + length;
    size -= 2 + length;
  }
  if (size > 0)
    end_waiting ();
  fuzz_turn (loop, ends[0]);
  close (ends[0]);
  fuzz_turn (loop, -1);
  end_waiting ();
  fuzz_turn (loop, -1);
  assert_clean ();
  return 0;
}
