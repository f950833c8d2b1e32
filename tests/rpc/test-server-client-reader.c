/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "../log-capture.h"
#include "reader-fixture.h"

#include "protocol/keepalive.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A client that makes one call after the other, and is read by a worker. */

static void
call_quick (Fixture *self)
{
  send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
  assert_reply (self->fds[0], self->serial);
}

/* Calls until a worker reads the client. */
static void
get_read (Fixture *self)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  while (atomic_load (&self->client->reader) != REEVE_READER_WORKER) {
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
    call_quick (self);
  }
}

/* --------------------------------------------------------------- tests --- */

static void
test_silence (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  get_read (self);
  while (atomic_load (&self->client->reader) == REEVE_READER_WORKER)
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
  call_quick (self);
}

/* Neither the loop nor others wait for a call that lasts, and the same client
 * is read on. */
static void
test_slow (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;
    ReeveHeader header;

    atomic_store (&self->may_end, FALSE);
    get_read (self);
    send_frame (self, self->fds[0], PATIENCE_PROC_SLOW);
    serial = self->serial;
    send_frame (self, self->fds[1], PATIENCE_PROC_NOTED);
    assert_reply (self->fds[1], self->serial);
    send_frame (self, self->fds[0], 0);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.program, ==, keepalive_program.number);
    call_quick (self);
    atomic_store (&self->may_end, TRUE);
    assert_reply (self->fds[0], serial);
  }
}

/* What is no plain call is the loop's to take. */
static void
test_other_messages (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    ReeveHeader header;

    get_read (self);
    send_frame (self, self->fds[0], 0);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.program, ==, keepalive_program.number);

    get_read (self);
    send_frame (self, self->fds[0], 77);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);

    get_read (self);
    send_frame (self, self->fds[0], PATIENCE_PROC_NOTED);
    assert_reply (self->fds[0], self->serial);
  }
}

/* Who is not known yet has each call judged, however fast it calls. */
static void
test_unknown (Fixture *self, gconstpointer data)
{
  atomic_store (&self->client->is_authenticated, FALSE);
  for (unsigned i = 0; i < 50 * N_TRIES; i++) {
    ReeveHeader header;

    send_frame (self, self->fds[0], PATIENCE_PROC_OPEN);
    assert_reply (self->fds[0], self->serial);
    send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
    receive (self->fds[0], &header);
    g_assert_cmpuint (header.status, ==, REEVE_STATUS_ERROR);
  }
}

static void
test_parts (Fixture *self, gconstpointer data)
{
  for (unsigned i = 1; i < REEVE_PAYLOAD_OFFSET; i++) {
    g_autoptr (GBytes) frame = make_frame (PATIENCE_PROC_QUICK, i);

    get_read (self);
    send_bytes (self->fds[0], frame, 0, i);
    g_thread_yield ();
    send_bytes (self->fds[0], frame, i, g_bytes_get_size (frame));
    assert_reply (self->fds[0], i);
  }
}

/* One by one, in one piece, and more than a worker takes. */
static void
test_several (Fixture *self, gconstpointer data)
{
  for (unsigned i = 0; i < N_TRIES; i++) {
    uint32_t serial;

    get_read (self);
    serial = self->serial;
    for (unsigned j = 0; j < 8; j++)
      send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
    g_assert_cmphex (receive_several (self->fds[0], 8, serial), ==, 0x1fe);

    get_read (self);
    serial = self->serial;
    send_frames (self, self->fds[0], PATIENCE_PROC_QUICK, 4);
    send_frames (self, self->fds[0], PATIENCE_PROC_NOTED, 3);
    send_frame (self, self->fds[0], PATIENCE_PROC_QUICK);
    g_assert_cmphex (receive_several (self->fds[0], 8, serial), ==, 0x1fe);

    get_read (self);
    serial = self->serial;
    send_frames (self, self->fds[0], PATIENCE_PROC_QUICK, 40);
    g_assert_cmphex (receive_several (self->fds[0], 40, serial), ==,
                     (UINT64_C (1) << 41) - 2);
  }
}

static void
shorten_messages (Fixture *self, gpointer data)
{
  g_autoptr (GError) error = NULL;
  ReeveServerLimits limits;

  reeve_server_get_limits (self->server, &limits);
  limits.max_message_bytes = REEVE_PAYLOAD_OFFSET;
  reeve_server_set_limits (self->server, &limits, &error);
  g_assert_no_error (error);
}

/* A message that is too long ends the client, whoever reads it. */
static void
test_too_long (Fixture *self, gconstpointer data)
{
  uint8_t frame[REEVE_PAYLOAD_OFFSET + 4] = { 0 };
  const uint32_t length = GUINT32_TO_BE (sizeof frame);
  g_autoptr (GBytes) call = make_frame (PATIENCE_PROC_QUICK, 1);
  char byte;

  in_loop (self, shorten_messages, NULL);
  get_read (self);
  memcpy (frame, g_bytes_get_data (call, NULL), REEVE_PAYLOAD_OFFSET);
  memcpy (frame, &length, sizeof length);
  g_assert_cmpint (send (self->fds[0], frame, sizeof frame, MSG_NOSIGNAL), ==,
                   sizeof frame);
  g_assert_cmpint (recv (self->fds[0], &byte, 1, 0), ==, 0);
}

static void
test_end (Fixture *self, gconstpointer data)
{
  gint64 end_us = g_get_monotonic_time () + PATIENCE_US;

  get_read (self);
  close (self->fds[0]);
  self->fds[0] = -1;
  while (!reeve_server_client_is_closed (self->client))
    g_assert_cmpint (g_get_monotonic_time (), <, end_us);
}

/* The server stops at once. */
static void
test_stop (Fixture *self, gconstpointer data)
{
  get_read (self);
}

#define ADD(path, func)                                                        \
  g_test_add ("/rpc/server-client-reader/" path, Fixture, NULL, set_up, func,  \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  log_capture_begin ();

  ADD ("silence-ends-it", test_silence);
  ADD ("nobody-waits-for-a-slow-call", test_slow);
  ADD ("other-messages-are-answered", test_other_messages);
  ADD ("unknown-clients-are-judged", test_unknown);
  ADD ("parts-of-a-call-are-put-together", test_parts);
  ADD ("several-calls-are-answered", test_several);
  ADD ("too-long-messages-end-it", test_too_long);
  ADD ("client-ends-while-it-is-read", test_end);
  ADD ("server-stops-while-it-is-read", test_stop);

  return g_test_run ();
}
