/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/property.h"

#include "replies.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

/* A value that must be a colour, and counts how often it was shown. */
typedef struct {
  char *value;
  int n_shown;
} Colour;

static void
show (ReeveResourceRequest *request, gpointer data)
{
  Colour *self = data;

  self->n_shown++;
  reeve_resource_request_show_text (request,
                                    g_strdup_printf ("%s\n", self->value));
}

static void
change (ReeveResourceRequest *request, const char *text, gpointer data)
{
  Colour *self = data;

  if (!g_str_equal (text, "red") && !g_str_equal (text, "green")) {
    reeve_resource_request_fail (request, EINVAL);
    return;
  }
  g_free (self->value);
  self->value = g_strdup (text);
  reeve_resource_node_notify (reeve_resource_handle_get_node (
      reeve_resource_request_get_handle (request)));
  reeve_resource_request_take (request);
}

static const ReeveResourceTextFuncs funcs = { show, change };

static void
test_reader_sees_one_text (void)
{
  Colour colour = { g_strdup ("red"), 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_property_new (0644, &funcs, &colour, NULL);
  g_autoptr (ReeveResourceHandle) reader = open_node (node, O_RDONLY);
  g_autoptr (ReeveResourceHandle) writer = open_node (node, O_WRONLY);

  assert_read (reader, 0, 1, "r");
  g_assert_cmpint (write_text (writer, "green\n"), ==, 0);
  assert_read (reader, 1, 1, "e");
  assert_read (reader, 2, 100, "d\n");
  assert_read (reader, 4, 100, "");
  assert_read (reader, 400, 100, "");
  g_assert_cmpint (colour.n_shown, ==, 1);
  assert_read (reader, 0, 100, "green\n");
  g_free (colour.value);
}

static void
test_refused_write_changes_nothing (void)
{
  Colour colour = { g_strdup ("red"), 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_property_new (0644, &funcs, &colour, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDWR);
  g_autofree char *large = g_strnfill (REEVE_RESOURCE_TEXT_MAX + 1, 'r');
  Reply reply = { 0 };

  g_assert_cmpint (write_text (handle, "blue"), ==, EINVAL);
  g_assert_cmpint (write_text (handle, "red\n\n"), ==, EINVAL);
  g_assert_cmpint (write_text (handle, "\xff"), ==, EINVAL);
  g_assert_cmpint (write_text (handle, ""), ==, EINVAL);
  g_assert_cmpint (write_text (handle, large), ==, EMSGSIZE);
  reeve_resource_handle_write (handle, 0, "red\0", 4, FALSE, take_reply,
                               &reply);
  g_assert_cmpint (reply.errnum, ==, EINVAL);
  assert_read (handle, 0, 100, "red\n");
  g_free (colour.value);
}

static void
test_poll_tells_news (void)
{
  Colour colour = { g_strdup ("red"), 0 };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_property_new (0644, &funcs, &colour, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDWR);

  g_assert_cmpuint (reeve_resource_handle_poll (handle) & POLLIN, ==, POLLIN);
  assert_read (handle, 0, 100, "red\n");
  g_assert_cmpuint (reeve_resource_handle_poll (handle) & POLLIN, ==, 0);
  g_assert_cmpint (write_text (handle, "green"), ==, 0);
  g_assert_cmpuint (reeve_resource_handle_poll (handle) & POLLIN, ==, POLLIN);
  g_free (colour.value);
}

static void
test_constant (void)
{
  g_autoptr (ReeveResourceNode) node = reeve_resource_text_new (0444, "1.0\n");
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);

  assert_read (handle, 0, 100, "1.0\n");
  g_clear_pointer (&handle, reeve_resource_handle_close);
  g_assert_cmpint (
      reeve_resource_handle_open (node, &replies_root, O_RDWR, &handle), ==,
      EACCES);
}

static void
greet (ReeveResourceRequest *request, const char *text, gpointer data)
{
  g_autofree char *line = g_strdup_printf ("hello %s\n", text);
  g_autoptr (GBytes) reply = g_bytes_new (line, strlen (line));

  if (*text == '\0')
    reeve_resource_request_fail (request, EINVAL);
  else
    reeve_resource_request_return (request, reply);
}

static void
test_transaction (void)
{
  static const ReeveResourceTextFuncs greeting = { NULL, greet };
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_transaction_new (0666, &greeting, NULL, NULL);
  g_autoptr (ReeveResourceHandle) a = open_node (node, O_RDWR);
  g_autoptr (ReeveResourceHandle) b = open_node (node, O_RDWR);

  assert_read (a, 0, 100, "");
  g_assert_cmpint (write_text (a, "a"), ==, 0);
  g_assert_cmpint (write_text (b, "b\n"), ==, 0);
  g_assert_cmpuint (reeve_resource_handle_poll (a) & POLLIN, ==, POLLIN);
  assert_read (a, 77, 6, "hello ");
  assert_read (a, 0, 100, "a\n");
  assert_read (a, 0, 100, "");
  g_assert_cmpuint (reeve_resource_handle_poll (a) & POLLIN, ==, 0);
  assert_read (b, 0, 100, "hello b\n");
  g_assert_cmpint (write_text (a, "\n"), ==, EINVAL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/resource/property/reader-sees-one-text",
                   test_reader_sees_one_text);
  g_test_add_func ("/resource/property/refused-write-changes-nothing",
                   test_refused_write_changes_nothing);
  g_test_add_func ("/resource/property/poll-tells-news", test_poll_tells_news);
  g_test_add_func ("/resource/property/constant", test_constant);
  g_test_add_func ("/resource/property/transaction", test_transaction);
  return g_test_run ();
}
