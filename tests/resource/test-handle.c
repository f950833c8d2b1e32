/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/handle.h"

#include "replies.h"
#include "resource/request.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
  const char *name;
  mode_t mode;
  uid_t uid;
  int flags;
  int result;
} OpenCase;

static const OpenCase open_cases[] = {
  { "reads", 0444, 1, O_RDONLY, 0 },
  { "writes-not", 0444, 1, O_WRONLY, EACCES },
  { "needs-both", 0444, 1, O_RDWR, EACCES },
  { "root-does-both", 0000, 0, O_RDWR, 0 },
  { "directory-reads", S_IFDIR | 0755, 1, O_RDONLY, 0 },
  { "directory-writes-not", S_IFDIR | 0777, 0, O_RDWR, EISDIR },
  { "no-such-mode", 0666, 0, O_ACCMODE, EINVAL },
};

static void
test_open (gconstpointer data)
{
  const OpenCase *c = data;
  const ReeveResourceCaller caller = { c->uid, c->uid, NULL, 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (c->mode, NULL, NULL, NULL);
  g_autoptr (ReeveResourceHandle) handle = NULL;

  reeve_resource_node_chown (node, &replies_root, 7, 7, 1);
  g_assert_cmpint (
      reeve_resource_handle_open (node, &caller, c->flags, &handle), ==,
      c->result);
  g_assert_true ((handle != NULL) == (c->result == 0));
}

static void
test_null_device (void)
{
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0666, NULL, NULL, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDWR);
  Reply reply = { 0 };

  assert_read (handle, 0, 100, "");
  g_assert_cmpint (write_text (handle, "gone"), ==, 0);
  assert_read (handle, 0, 100, "");
  g_assert_cmpuint (reeve_resource_handle_poll (handle) & POLLIN, !=, 0);
  reeve_resource_handle_devctl (handle, 1, NULL, 0, 0, take_reply, &reply);
  g_assert_cmpint (reply.errnum, ==, ENOTTY);
}

static void
test_mode_is_kept (void)
{
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0666, NULL, NULL, NULL);
  g_autoptr (ReeveResourceHandle) reader = open_node (node, O_RDONLY);
  g_autoptr (ReeveResourceHandle) writer = open_node (node, O_WRONLY);
  g_autofree char *large = g_strnfill (REEVE_RESOURCE_MAX_BYTES + 1, 'x');
  Reply reply = { 0 };

  g_assert_cmpint (write_text (reader, "x"), ==, EBADF);
  reeve_resource_handle_read (writer, 0, 1, FALSE, take_reply, &reply);
  g_assert_cmpint (reply.errnum, ==, EBADF);
  g_assert_cmpint (write_text (writer, large), ==, EMSGSIZE);
  large[REEVE_RESOURCE_MAX_BYTES] = '\0';
  g_assert_cmpint (write_text (writer, large), ==, 0);
}

/* A node that answers when the test says so, and counts. */
typedef struct {
  ReeveResourceRequest *waiting;
  gboolean can_cancel;
  int n_cancelled;
  int n_closed;
  int n_freed;
} Slow;

static void
cancel_slow (ReeveResourceRequest *request, gpointer data)
{
  Slow *self = data;

  g_assert_true (self->waiting == request);
  self->waiting = NULL;
  self->n_cancelled++;
  reeve_resource_request_drop (request);
}

static void
read_slow (ReeveResourceRequest *request, gpointer data)
{
  Slow *self = data;

  self->waiting = request;
  if (self->can_cancel)
    reeve_resource_request_set_cancel (request, cancel_slow, self);
}

static void
count_freed (gpointer data)
{
  ((Slow *) data)->n_freed++;
}

static int
open_slow (ReeveResourceHandle *handle, gpointer data)
{
  reeve_resource_handle_set_data (handle, data, count_freed);
  return ((Slow *) data)->n_closed > 0 ? EBUSY : 0;
}

static void
close_slow (ReeveResourceHandle *handle, gpointer data)
{
  ((Slow *) data)->n_closed++;
}

static void
devctl_slow (ReeveResourceRequest *request, gpointer data)
{
  unsigned code = reeve_resource_request_get_code (request);

  if (code == 7)
    reeve_resource_request_answer (request, 42,
                                   reeve_resource_request_get_bytes (request),
                                   reeve_resource_request_get_size (request));
  else
    reeve_resource_request_fail (request, ENOTTY);
}

static const ReeveResourceOps slow_ops = {
  .open = open_slow,
  .close = close_slow,
  .read = read_slow,
  .devctl = devctl_slow,
};

static void
test_answers_later (void)
{
  Slow slow = { 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0644, &slow_ops, &slow, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };

  g_assert_true (reeve_resource_handle_read (handle, 0, 3, FALSE, take_reply,
                                             &reply) == slow.waiting);
  g_assert_cmpint (reply.n_replies, ==, 0);
  reeve_resource_request_give (slow.waiting, "abcd", 4);
  g_assert_cmpint (reply.n_replies, ==, 1);
  g_assert_cmpstr (reply.text, ==, "abc");
}

static void
test_cancel (void)
{
  Slow slow = { .can_cancel = TRUE };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0644, &slow_ops, &slow, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };
  ReeveResourceRequest *request =
      reeve_resource_handle_read (handle, 0, 3, FALSE, take_reply, &reply);

  reeve_resource_request_cancel (request, EINTR);
  g_assert_cmpint (reply.errnum, ==, EINTR);
  g_assert_cmpint (slow.n_cancelled, ==, 1);

  /* One that cannot be called off answers all the same, and nobody hears. */
  slow.can_cancel = FALSE;
  request =
      reeve_resource_handle_read (handle, 0, 3, FALSE, take_reply, &reply);
  reeve_resource_request_cancel (request, EINTR);
  reeve_resource_request_give (slow.waiting, "abc", 3);
  g_assert_cmpint (reply.n_replies, ==, 2);
  g_assert_cmpint (reply.errnum, ==, EINTR);
}

static void
test_close (void)
{
  Slow slow = { 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0644, &slow_ops, &slow, NULL);
  ReeveResourceHandle *handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };

  reeve_resource_handle_read (handle, 0, 3, FALSE, take_reply, &reply);
  reeve_resource_handle_close (handle);
  g_assert_cmpint (reply.errnum, ==, EBADF);
  g_assert_cmpint (slow.n_closed, ==, 1);
  /* What the node keeps of it stays until the node has answered. */
  g_assert_cmpint (slow.n_freed, ==, 0);
  reeve_resource_request_give (slow.waiting, "abc", 3);
  g_assert_cmpint (slow.n_freed, ==, 1);
  g_assert_cmpint (reply.n_replies, ==, 1);

  /* A failed open is not closed. */
  g_assert_cmpint (
      reeve_resource_handle_open (node, &replies_root, O_RDONLY, &handle), ==,
      EBUSY);
  g_assert_cmpint (slow.n_closed, ==, 1);
  g_assert_cmpint (slow.n_freed, ==, 2);
}

static void
test_devctl (void)
{
  Slow slow = { 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0644, &slow_ops, &slow, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };

  reeve_resource_handle_devctl (handle, 7, "abcd", 4, 3, take_reply, &reply);
  g_assert_cmpint (reply.value, ==, 42);
  g_assert_cmpstr (reply.text, ==, "abc");
  reeve_resource_handle_devctl (handle, 8, NULL, 0, 0, take_reply, &reply);
  g_assert_cmpint (reply.errnum, ==, ENOTTY);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (open_cases); i++) {
    g_autofree char *path =
        g_strdup_printf ("/resource/handle/open/%s", open_cases[i].name);

    g_test_add_data_func (path, &open_cases[i], test_open);
  }
  g_test_add_func ("/resource/handle/null-device", test_null_device);
  g_test_add_func ("/resource/handle/mode-is-kept", test_mode_is_kept);
  g_test_add_func ("/resource/handle/answers-later", test_answers_later);
  g_test_add_func ("/resource/handle/cancel", test_cancel);
  g_test_add_func ("/resource/handle/close", test_close);
  g_test_add_func ("/resource/handle/devctl", test_devctl);
  return g_test_run ();
}
