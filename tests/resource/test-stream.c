/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/stream.h"

#include "replies.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static int
read_nonblock (ReeveResourceHandle *handle)
{
  Reply reply = { 0 };

  g_assert_null (
      reeve_resource_handle_read (handle, 0, 100, TRUE, take_reply, &reply));
  return reply.errnum;
}

static void
test_one_record_for_each_read (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_stream_new (0444, 8);
  g_autoptr (ReeveResourceHandle) handle = NULL;

  reeve_resource_stream_push (node, "before\n");
  handle = open_node (node, O_RDONLY);
  g_assert_cmpint (read_nonblock (handle), ==, EAGAIN);
  g_assert_cmpuint (reeve_resource_handle_poll (handle), ==, 0);

  reeve_resource_stream_push (node, "one\n");
  reeve_resource_stream_push (node, "two\n");
  g_assert_cmpuint (reeve_resource_handle_poll (handle) & POLLIN, ==, POLLIN);
  assert_read (handle, 0, 100, "one\n");
  /* A small buffer loses nothing. */
  assert_read (handle, 9, 1, "t");
  assert_read (handle, 9, 100, "wo\n");
  g_assert_cmpint (read_nonblock (handle), ==, EAGAIN);
}

static void
test_wakes_readers (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_stream_new (0444, 8);
  g_autoptr (ReeveResourceHandle) a = open_node (node, O_RDONLY);
  g_autoptr (ReeveResourceHandle) b = open_node (node, O_RDONLY);
  Reply replies[3] = { 0 };
  ReeveResourceRequest *request = NULL;

  reeve_resource_handle_read (a, 0, 100, FALSE, take_reply, &replies[0]);
  reeve_resource_handle_read (b, 0, 100, FALSE, take_reply, &replies[1]);
  request =
      reeve_resource_handle_read (b, 0, 100, FALSE, take_reply, &replies[2]);
  g_assert_nonnull (request);
  reeve_resource_stream_push (node, "one\n");
  g_assert_cmpstr (replies[0].text, ==, "one\n");
  g_assert_cmpstr (replies[1].text, ==, "one\n");
  g_assert_cmpint (replies[2].n_replies, ==, 0);

  /* One that gave up takes no record away. */
  reeve_resource_request_cancel (request, EINTR);
  g_assert_cmpint (replies[2].errnum, ==, EINTR);
  reeve_resource_stream_push (node, "two\n");
  assert_read (b, 0, 100, "two\n");
}

static void
test_slow_reader_is_told (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_stream_new (0444, 3);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);

  for (int i = 0; i < 10; i++) {
    g_autofree char *record = g_strdup_printf ("%d\n", i);

    reeve_resource_stream_push (node, record);
  }
  assert_read (handle, 0, 100, "lost 7\n");
  assert_read (handle, 0, 100, "7\n");
  assert_read (handle, 0, 100, "8\n");
  assert_read (handle, 0, 100, "9\n");
  g_assert_cmpint (read_nonblock (handle), ==, EAGAIN);
}

static void
test_end (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_stream_new (0444, 3);
  g_autoptr (ReeveResourceHandle) late = open_node (node, O_RDONLY);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };

  reeve_resource_stream_push (node, "last\n");
  assert_read (handle, 0, 100, "last\n");
  reeve_resource_handle_read (handle, 0, 100, FALSE, take_reply, &reply);
  reeve_resource_stream_end (node);
  g_assert_cmpint (reply.n_replies, ==, 1);
  g_assert_cmpint (reply.errnum, ==, 0);
  g_assert_cmpuint (reply.size, ==, 0);
  assert_read (late, 0, 100, "last\n");
  assert_read (late, 0, 100, "");
  g_assert_cmpuint (reeve_resource_handle_poll (late) & POLLHUP, ==, POLLHUP);
}

static gboolean
is_public (const char *record, const ReeveResourceCaller *caller, gpointer data)
{
  return caller->uid == 0 || !g_str_has_prefix (record, "secret");
}

static void
test_filter (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_stream_new (0444, 8);
  const ReeveResourceCaller other = { .uid = 1, .gid = 1 };
  g_autoptr (ReeveResourceHandle) all = open_node (node, O_RDONLY);
  ReeveResourceHandle *handle = NULL;
  g_autoptr (ReeveResourceHandle) some = NULL;
  Reply reply = { 0 };

  reeve_resource_stream_set_filter (node, is_public, NULL);
  g_assert_cmpint (reeve_resource_handle_open (node, &other, O_RDONLY, &handle),
                   ==, 0);
  some = handle;
  /* One that waits goes on waiting, and nothing is ready. */
  reeve_resource_handle_read (some, 0, 100, FALSE, take_reply, &reply);
  reeve_resource_stream_push (node, "secret one\n");
  g_assert_cmpint (reply.n_replies, ==, 0);
  g_assert_cmpuint (reeve_resource_handle_poll (some), ==, 0);
  reeve_resource_stream_push (node, "one\n");
  g_assert_cmpstr (reply.text, ==, "one\n");
  reeve_resource_stream_push (node, "secret two\n");
  g_assert_cmpint (read_nonblock (some), ==, EAGAIN);
  reeve_resource_stream_push (node, "two\n");
  assert_read (some, 0, 100, "two\n");
  assert_read (all, 0, 100, "secret one\n");
  assert_read (all, 0, 100, "one\n");
  assert_read (all, 0, 100, "secret two\n");
}

static void
test_log_grows (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_log_new (0644, 16);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDWR);

  reeve_resource_log_append (node, "one\ntwo\n", 8);
  g_assert_cmpuint (reeve_resource_node_get_size (node), ==, 8);
  assert_read (handle, 4, 2, "tw");
  g_assert_cmpint (write_text (handle, "three\n"), ==, 0);
  assert_read (handle, 0, 100, "one\ntwo\nthree\n");
  assert_read (handle, 100, 100, "");

  /* Full: the older half goes. */
  reeve_resource_log_append (node, "four\n", 5);
  assert_read (handle, 0, 100, "three\nfour\n");
  g_assert_cmpint (reeve_resource_node_truncate (node, 12), ==, EINVAL);
  g_assert_cmpint (reeve_resource_node_truncate (node, 5), ==, 0);
  assert_read (handle, 0, 100, "three");
  reeve_resource_log_append (node, "0123456789abcdefghij", 20);
  assert_read (handle, 0, 100, "456789abcdefghij");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resource/stream/one-record-for-each-read",
                   test_one_record_for_each_read);
  g_test_add_func ("/resource/stream/wakes-readers", test_wakes_readers);
  g_test_add_func ("/resource/stream/slow-reader-is-told",
                   test_slow_reader_is_told);
  g_test_add_func ("/resource/stream/end", test_end);
  g_test_add_func ("/resource/stream/filter", test_filter);
  g_test_add_func ("/resource/stream/log-grows", test_log_grows);
  return g_test_run ();
}
