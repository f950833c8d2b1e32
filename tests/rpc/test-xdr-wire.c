/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/message.h"
#include "wires-fixture.h"

#include <string.h>
#include <sys/socket.h>

#define MAX_CALLS 16

/* Calls that are sent together: each asks for a text of a size. */
typedef struct {
  const char *name;
  int32_t procedure;
  unsigned n_calls;
  uint32_t sizes[MAX_CALLS];
} FillCase;

static const FillCase fill_cases[] = {
  { "short-ones", WIRES_PROC_FILL, 4, { 0, 1, 2, 100 } },
  { "around-the-size-that-is-not-copied",
    WIRES_PROC_FILL,
    8,
    { 4062, 4063, 4064, 4095, 4096, 4097, 4098, 4099 } },
  { "long-ones-between-short-ones",
    WIRES_PROC_FILL,
    6,
    { 3, 5000, 4, 65536, 5, 100001 } },
  { "more-than-a-socket-takes",
    WIRES_PROC_FILL,
    5,
    { 300001, 7, 300002, 300003, 1000000 } },
  { "lent-short-ones", WIRES_PROC_LEND, 2, { 0, 100 } },
  { "lent-long-ones", WIRES_PROC_LEND, 4, { 4096, 4097, 3, 20000 } },
  { "lent-more-than-a-socket-takes",
    WIRES_PROC_LEND,
    5,
    { 300001, 7, 300002, 300003, 1000000 } },
};

static void
send_calls (WiresFixture *wires, const FillCase *row)
{
  g_autoptr (GByteArray) bytes = g_byte_array_new ();

  for (unsigned i = 0; i < row->n_calls; i++) {
    const ReeveHeader header = {
      .program = wires_program.number,
      .version = wires_program.version,
      .procedure = row->procedure,
      .serial = i,
    };
    const wires_fill_args args = { row->sizes[i] };
    g_autoptr (GBytes) frame =
        reeve_message_encode (&header, &wires_fill_args_type, &args, NULL);
    gsize size;
    const void *data = g_bytes_get_data (frame, &size);

    g_byte_array_append (bytes, data, (guint) size);
  }
  g_assert_cmpint (send (wires->fd, bytes->data, bytes->len, MSG_NOSIGNAL), ==,
                   bytes->len);
}

/* (transfer full): one whole frame. */
static GBytes *
receive_frame (WiresFixture *wires)
{
  uint8_t length[REEVE_LENGTH_SIZE];
  uint32_t size;
  uint8_t *data;

  g_assert_cmpint (recv (wires->fd, length, sizeof length, MSG_WAITALL), ==,
                   sizeof length);
  size = reeve_length_decode (length);
  g_assert_cmpuint (size, >=, REEVE_PAYLOAD_OFFSET);
  g_assert_cmpuint (size, <=, REEVE_MESSAGE_MAX);
  data = g_malloc (size);
  memcpy (data, length, sizeof length);
  size -= (uint32_t) sizeof length;
  g_assert_cmpint (recv (wires->fd, data + sizeof length, size, MSG_WAITALL),
                   ==, size);
  return g_bytes_new_take (data, size + sizeof length);
}

/* As if it had been encoded all at once. */
static void
assert_reply (const FillCase *row, GBytes *frame, gboolean *is_answered)
{
  ReeveHeader header;
  g_autofree char *text = NULL;
  g_autoptr (GBytes) expected = NULL;

  reeve_header_decode (&header,
                       (const uint8_t *) g_bytes_get_data (frame, NULL) +
                           REEVE_LENGTH_SIZE);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  g_assert_cmpuint (header.status, ==, REEVE_STATUS_OK);
  g_assert_cmpuint (header.serial, <, row->n_calls);
  g_assert_false (is_answered[header.serial]);
  is_answered[header.serial] = TRUE;

  text = g_strnfill (row->sizes[header.serial], 'x');
  expected = reeve_message_encode (&header, &wires_fill_ret_type,
                                   &(wires_fill_ret){ text }, NULL);
  g_assert_true (g_bytes_equal (frame, expected));
}

static void
test_fill (gconstpointer data)
{
  const FillCase *row = data;
  gboolean is_answered[MAX_CALLS] = { FALSE };
  WiresFixture wires;

  wires_fixture_init (&wires, NULL, NULL);
  send_calls (&wires, row);
  for (unsigned i = 0; i < row->n_calls; i++) {
    g_autoptr (GBytes) frame = receive_frame (&wires);

    assert_reply (row, frame, is_answered);
  }
  wires_fixture_clear (&wires);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (fill_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/xdr-wire/reply/", fill_cases[i].name, NULL);

    g_test_add_data_func (path, &fill_cases[i], test_fill);
  }
  return g_test_run ();
}
