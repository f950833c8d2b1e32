/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/notify-socket.h"

#include "daemon/notify.h"
#include "event/fd.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

typedef struct {
  ReeveNotifySocket *socket;
  ReeveNotify *notify;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->socket = reeve_notify_socket_new (&error);
  g_assert_no_error (error);
  self->notify =
      reeve_notify_new (reeve_notify_socket_get_path (self->socket), TRUE, 0);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  reeve_notify_free (self->notify);
  reeve_notify_socket_free (self->socket);
}

/* (transfer full): the next one, which has to be there. */
static GHashTable *
receive (Fixture *self, int *fd)
{
  GHashTable *message =
      reeve_notify_socket_receive (self->socket, getpid (), fd);

  g_assert_nonnull (message);
  return message;
}

static void
assert_none (Fixture *self)
{
  int fd;

  g_assert_null (reeve_notify_socket_receive (self->socket, getpid (), &fd));
  g_assert_cmpint (fd, ==, -1);
}

static void
test_text (Fixture *self, gconstpointer data)
{
  GHashTable *message;
  int fd;

  assert_none (self);
  g_assert_true (reeve_notify_send (
      self->notify, "READY=1\nSTATUS=%s\nno variable\nX=", "all = well"));
  message = receive (self, &fd);
  g_assert_cmpint (fd, ==, -1);
  g_assert_cmpuint (g_hash_table_size (message), ==, 3);
  g_assert_cmpstr (g_hash_table_lookup (message, "READY"), ==, "1");
  g_assert_cmpstr (g_hash_table_lookup (message, "STATUS"), ==, "all = well");
  g_assert_cmpstr (g_hash_table_lookup (message, "X"), ==, "");
  g_hash_table_unref (message);
  assert_none (self);
}

static void
test_fd (Fixture *self, gconstpointer data)
{
  REEVE_AUTOFD int sent = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  REEVE_AUTOFD int fd = -1;
  struct stat here, there;
  GHashTable *message;

  g_assert_true (reeve_notify_store (self->notify, "ptcp:[::1]:1", sent));
  message = receive (self, &fd);
  g_assert_cmpstr (g_hash_table_lookup (message, "FDSTORE"), ==, "1");
  g_assert_cmpstr (g_hash_table_lookup (message, "FDNAME"), ==,
                   "ptcp%3A[%3A%3A1]%3A1");
  g_hash_table_unref (message);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, FD_CLOEXEC);
  fstat (sent, &here);
  fstat (fd, &there);
  g_assert_cmpuint (here.st_ino, ==, there.st_ino);
}

static void
test_long_text (Fixture *self, gconstpointer data)
{
  g_autofree char *text = g_strnfill (2 * REEVE_NOTIFY_MAX_SIZE, 'x');
  GHashTable *message;
  int fd;

  g_assert_true (reeve_notify_send (self->notify, "STATUS=%s", text));
  message = receive (self, &fd);
  g_assert_cmpuint (strlen (g_hash_table_lookup (message, "STATUS")), ==,
                    REEVE_NOTIFY_MAX_SIZE - strlen ("STATUS="));
  g_hash_table_unref (message);
}

/* Whoever reaches the socket may send; the child alone is heard. */
static void
test_stranger (Fixture *self, gconstpointer data)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    _exit (!reeve_notify_send (self->notify, "READY=1") ||
           !reeve_notify_store (self->notify, "rw", STDIN_FILENO));

  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  assert_none (self);
}

/* What systemd's own library sends: for its parent if it may, else itself. */
static void
test_systemd_notify (Fixture *self, gconstpointer data)
{
  const char *const argv[] = { "systemd-notify", "--ready", "--status=busy",
                               "WATCHDOG=1", NULL };
  struct pollfd file = { .fd = reeve_notify_socket_get_fd (self->socket),
                         .events = POLLIN };
  GHashTable *message;
  GPid pid;
  int fd, status;

  g_setenv ("NOTIFY_SOCKET", reeve_notify_socket_get_path (self->socket), TRUE);
  if (!g_spawn_async (NULL, (char **) argv, NULL,
                      G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL,
                      NULL, &pid, NULL)) {
    g_test_skip ("there is no systemd-notify");
    return;
  }

  g_assert_cmpint (poll (&file, 1, 20000), ==, 1);
  message = reeve_notify_socket_receive (
      self->socket, geteuid () == 0 ? getpid () : pid, &fd);
  g_assert_nonnull (message);
  g_assert_cmpstr (g_hash_table_lookup (message, "READY"), ==, "1");
  g_assert_cmpstr (g_hash_table_lookup (message, "STATUS"), ==, "busy");
  g_assert_cmpstr (g_hash_table_lookup (message, "WATCHDOG"), ==, "1");
  g_hash_table_unref (message);

  /* It waits until it was heard, by a file that it sends last. */
  g_assert_cmpint (poll (&file, 1, 20000), ==, 1);
  while ((message = reeve_notify_socket_receive (
              self->socket, geteuid () == 0 ? getpid () : pid, &fd)) != NULL) {
    reeve_fd_clear (&fd);
    g_hash_table_unref (message);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define TEST(name, func)                                                       \
  g_test_add ("/daemon/notify-socket/" name, Fixture, NULL, set_up, func,      \
              tear_down)
  TEST ("hears-variables", test_text);
  TEST ("takes-a-file-with-its-name", test_fd);
  TEST ("cuts-what-is-long", test_long_text);
  TEST ("does-not-hear-strangers", test_stranger);
  TEST ("hears-the-library-of-systemd", test_systemd_notify);
  return g_test_run ();
}
