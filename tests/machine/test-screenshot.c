/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/screenshot.h"

#include "event/fd.h"
#include "machine/qmp-parser.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

/* QEMU's end of the socket is the test. */

typedef struct {
  ReeveLoop *loop;
  ReeveQmp *qmp;
  int peer;
  GString *input; /* what was read from it */
  int writer;     /* the descriptor that came last */

  unsigned n_done;
  int fd;
  char *type;
  int code;
} Fixture;

static void
on_done (int fd, const char *type, const GError *error, gpointer data)
{
  Fixture *self = data;

  self->n_done++;
  self->fd = fd;
  self->type = g_strdup (type);
  self->code = error == NULL ? 0 : error->code;
}

static void
turn (Fixture *self)
{
  while (g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE))
    ;
}

static void
say (Fixture *self, const char *text)
{
  g_assert_cmpint (write (self->peer, text, strlen (text)), ==,
                   (ssize_t) strlen (text));
  turn (self);
}

static void
receive (Fixture *self)
{
  char text[4096];
  struct iovec vector = { text, sizeof text };
  char control[CMSG_SPACE (sizeof (int))];
  struct msghdr message = {
    .msg_iov = &vector,
    .msg_iovlen = 1,
    .msg_control = control,
    .msg_controllen = sizeof control,
  };
  ssize_t size = recvmsg (self->peer, &message, MSG_CMSG_CLOEXEC);
  struct cmsghdr *header = CMSG_FIRSTHDR (&message);

  g_assert_cmpint (size, >, 0);
  g_string_append_len (self->input, text, size);
  if (header != NULL) {
    reeve_fd_clear (&self->writer);
    memcpy (&self->writer, CMSG_DATA (header), sizeof self->writer);
  }
}

/* (transfer full): the next command, which has to be @name. */
static JsonObject *
expect (Fixture *self, const char *name)
{
  g_autofree char *line = NULL;
  JsonObject *command;
  char *end;

  while ((end = strchr (self->input->str, '\n')) == NULL)
    receive (self);
  line = g_strndup (self->input->str, (gsize) (end - self->input->str));
  g_string_erase (self->input, 0, end - self->input->str + 1);
  command = reeve_qmp_parse_object (line, NULL);
  g_assert_cmpstr (json_object_get_string_member (command, "execute"), ==,
                   name);
  return command;
}

static JsonObject *
get_arguments (JsonObject *command)
{
  return json_object_get_object_member (command, "arguments");
}

static void
answer (Fixture *self, JsonObject *command, const char *rest)
{
  g_autofree char *text =
      g_strdup_printf ("{\"id\": %" G_GINT64_FORMAT ", %s}\r\n",
                       json_object_get_int_member (command, "id"), rest);

  say (self, text);
}

#define GOOD "\"return\": {}"
#define BAD                                                                    \
  "\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter 'format'\"}"

static void
set_up (Fixture *self, gconstpointer data)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==,
                   0);
  self->peer = fds[1];
  self->writer = -1;
  self->fd = -1;
  self->input = g_string_new (NULL);
  self->loop = reeve_loop_new (NULL);
  self->qmp = reeve_qmp_new (self->loop, fds[0], &(const ReeveQmpFuncs){ 0 },
                             self, G_MAXINT64);
  say (self, "{\"QMP\": {\"version\": {}, \"capabilities\": []}}\r\n");
  json_object_unref (expect (self, "qmp_capabilities"));
  say (self, "{\"return\": {}, \"id\": 1}\r\n");
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_qmp_close (self->qmp);
  turn (self);
  reeve_qmp_unref (self->qmp);
  reeve_loop_unref (self->loop);
  reeve_fd_clear (&self->peer);
  reeve_fd_clear (&self->writer);
  reeve_fd_clear (&self->fd);
  g_string_free (self->input, TRUE);
  g_free (self->type);
}

static void
take (Fixture *self, const char *device, unsigned head, gint64 deadline_us)
{
  g_autoptr (GError) error = NULL;

  reeve_screenshot_take (self->qmp, device, head, deadline_us, on_done, self,
                         &error);
  g_assert_no_error (error);
}

/* Plays QEMU through one attempt, up to the picture. @format: what has to be
 * asked for. */
static void
play (Fixture *self, const char *format, const char *picture)
{
  g_autoptr (JsonObject) add = expect (self, "add-fd");
  g_autoptr (JsonObject) dump = expect (self, "screendump");
  g_autoptr (JsonObject) forget = expect (self, "remove-fd");
  gint64 set = json_object_get_int_member (get_arguments (add), "fdset-id");
  g_autofree char *path = g_strdup_printf ("/dev/fdset/%" G_GINT64_FORMAT, set);

  g_assert_cmpint (self->writer, >=, 0);
  g_assert_cmpint (fcntl (self->writer, F_GETFL) & O_ACCMODE, ==, O_WRONLY);
  g_assert_cmpstr (
      json_object_get_string_member (get_arguments (dump), "filename"), ==,
      path);
  g_assert_cmpstr (json_object_get_string_member_with_default (
                       get_arguments (dump), "format", "none"),
                   ==, format);
  g_assert_cmpint (
      json_object_get_int_member (get_arguments (forget), "fdset-id"), ==, set);
  answer (self, add, GOOD);
  if (picture != NULL)
    g_assert_cmpint (write (self->writer, picture, strlen (picture)), ==,
                     (ssize_t) strlen (picture));
  answer (self, dump, picture != NULL ? GOOD : BAD);
  answer (self, forget, GOOD);
}

static void
assert_picture (Fixture *self, const char *picture, const char *type)
{
  char text[32] = { 0 };

  g_assert_cmpuint (self->n_done, ==, 1);
  g_assert_cmpint (self->code, ==, 0);
  g_assert_cmpstr (self->type, ==, type);
  g_assert_cmpint (read (self->fd, text, sizeof text - 1), ==,
                   (ssize_t) strlen (picture));
  g_assert_cmpstr (text, ==, picture);
}

static void
test_png (Fixture *self, gconstpointer data)
{
  take (self, NULL, 0, G_MAXINT64);
  play (self, "png", "a picture");
  assert_picture (self, "a picture", "image/png");
}

static void
test_qemu_without_png (Fixture *self, gconstpointer data)
{
  take (self, NULL, 0, G_MAXINT64);
  play (self, "png", NULL);
  g_assert_cmpuint (self->n_done, ==, 0);
  play (self, "none", "P6");
  assert_picture (self, "P6", "image/x-portable-pixmap");
}

static void
test_refusal (Fixture *self, gconstpointer data)
{
  take (self, NULL, 0, G_MAXINT64);
  play (self, "png", NULL);
  play (self, "none", NULL);
  g_assert_cmpuint (self->n_done, ==, 1);
  g_assert_cmpint (self->code, ==, REEVE_ERROR_OPERATION_FAILED);
  g_assert_cmpint (self->fd, ==, -1);
}

static void
test_second_head (Fixture *self, gconstpointer data)
{
  g_autoptr (JsonObject) dump = NULL;

  take (self, "video0", 1, G_MAXINT64);
  json_object_unref (expect (self, "add-fd"));
  dump = expect (self, "screendump");
  g_assert_cmpstr (
      json_object_get_string_member (get_arguments (dump), "device"), ==,
      "video0");
  g_assert_cmpint (json_object_get_int_member (get_arguments (dump), "head"),
                   ==, 1);
}

static void
test_deadline (Fixture *self, gconstpointer data)
{
  take (self, NULL, 0, g_get_monotonic_time () + 1000);
  while (self->n_done == 0)
    g_main_context_iteration (reeve_loop_get_context (self->loop), TRUE);
  g_assert_cmpint (self->code, ==, REEVE_ERROR_TIMED_OUT);
}

static void
test_connection_is_lost (Fixture *self, gconstpointer data)
{
  take (self, NULL, 0, G_MAXINT64);
  reeve_fd_clear (&self->peer);
  turn (self);
  g_assert_cmpuint (self->n_done, ==, 1);
  g_assert_cmpint (self->code, ==, REEVE_ERROR_CLOSED);
}

#define ADD(name, func)                                                        \
  g_test_add ("/machine/screenshot/" name, Fixture, NULL, set_up, func,        \
              tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("png", test_png);
  ADD ("qemu-without-png", test_qemu_without_png);
  ADD ("refusal", test_refusal);
  ADD ("second-head", test_second_head);
  ADD ("deadline", test_deadline);
  ADD ("connection-is-lost", test_connection_is_lost);
  return g_test_run ();
}
