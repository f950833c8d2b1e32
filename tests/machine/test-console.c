/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/console.h"

#include "event/fd.h"
#include "remove-tree.h"
#include "rpc/error.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>

/* A terminal as QEMU has it: what the guest prints goes to the spool, and to
 * the master if somebody holds the terminal. */

#define BUFFER_BYTES 65536u

typedef struct {
  ReeveLoop *loop;
  char *root;
  char *spool_path;
  char *log_path;
  char *mark_path;
  ReeveConsoleLimits limits;
  ReeveConsole *console;
  int spool;  /* QEMU's */
  int master; /* QEMU's */
  char *terminal;
  unsigned n_opened;
  gboolean is_unknown; /* the terminal's path, as long as QEMU has not told */
} Fixture;

static int
open_terminal (const char *name, gpointer data)
{
  Fixture *self = data;

  g_assert_cmpstr (name, ==, "serial0");
  if (self->is_unknown)
    return -1;
  self->n_opened++;
  return open (self->terminal, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}

static void
make_console (Fixture *self)
{
  self->console = reeve_console_new (self->loop, "serial0", self->spool_path,
                                     self->log_path, self->mark_path,
                                     &self->limits, open_terminal, self);
}

static void
open_pty (Fixture *self)
{
  struct termios raw = { .c_cflag = CS8 | CREAD };
  char name[64];
  int slave;

  cfmakeraw (&raw);
  g_assert_cmpint (openpty (&self->master, &slave, name, &raw, NULL), ==, 0);
  g_assert_cmpint (fcntl (self->master, F_SETFL, O_NONBLOCK), ==, 0);
  close (slave);
  self->terminal = g_strdup (name);
}

static void
set_up (Fixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->loop = reeve_loop_new (NULL);
  self->root = g_dir_make_tmp ("reeve-console-XXXXXX", NULL);
  g_assert_nonnull (self->root);
  self->spool_path = g_build_filename (self->root, "serial0", NULL);
  self->log_path = g_build_filename (self->root, "logs", "serial0.log", NULL);
  self->mark_path = g_build_filename (self->root, "serial0.mark", NULL);
  self->limits = (ReeveConsoleLimits){ BUFFER_BYTES, 1024 * 1024, 1 };
  open_pty (self);
  make_console (self);
  reeve_console_prepare (self->console, &error);
  g_assert_no_error (error);
  self->spool = open (self->spool_path, O_WRONLY | O_APPEND);
  g_assert_cmpint (self->spool, >=, 0);
}

static void
turn (Fixture *self)
{
  while (g_main_context_iteration (reeve_loop_get_context (self->loop), FALSE))
    ;
}

static void
drop_console (Fixture *self)
{
  reeve_console_shut (self->console);
  g_clear_pointer (&self->console, reeve_console_unref);
  turn (self);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  drop_console (self);
  reeve_loop_unref (self->loop);
  remove_tree (self->root);
  reeve_fd_clear (&self->spool);
  reeve_fd_clear (&self->master);
  g_free (self->root);
  g_free (self->spool_path);
  g_free (self->log_path);
  g_free (self->mark_path);
  g_free (self->terminal);
}

static void
print (Fixture *self, const char *text)
{
  g_assert_cmpint (write (self->spool, text, strlen (text)), ==,
                   (ssize_t) strlen (text));
}

static void
pump (Fixture *self)
{
  while (reeve_console_pump (self->console))
    ;
}

/* Everything that is there, and "(end)" behind the end. */
static char *
read_all (ReeveConsoleViewer *viewer)
{
  GString *text = g_string_new (NULL);
  uint8_t buffer[100];
  gssize size;

  while ((size = reeve_console_viewer_read (viewer, buffer, sizeof buffer)) > 0)
    g_string_append_len (text, (const char *) buffer, size);
  if (size < 0)
    g_string_append (text, "(end)");
  return g_string_free (text, FALSE);
}

#define assert_reads(viewer, expected)                                         \
  G_STMT_START                                                                 \
  {                                                                            \
    g_autofree char *text_ = read_all (viewer);                                \
    g_assert_cmpstr (text_, ==, expected);                                     \
  }                                                                            \
  G_STMT_END

static ReeveConsoleViewer *
attach (Fixture *self, gboolean is_forced)
{
  g_autoptr (GError) error = NULL;
  ReeveConsoleViewer *viewer =
      reeve_console_attach (self->console, is_forced, &error);

  g_assert_no_error (error);
  turn (self);
  return viewer;
}

static void
detach (Fixture *self, ReeveConsoleViewer *viewer)
{
  reeve_console_viewer_detach (viewer);
  turn (self);
}

static void
test_every_viewer_sees_it_from_the_first_byte (Fixture *self,
                                               gconstpointer data)
{
  ReeveConsoleViewer *early = attach (self, FALSE);
  ReeveConsoleViewer *late;

  assert_reads (early, "");
  print (self, "boot\r\n");
  pump (self);
  assert_reads (early, "boot\r\n");
  late = attach (self, FALSE);
  assert_reads (late, "boot\r\n");
  print (self, "login: ");
  pump (self);
  assert_reads (late, "login: ");
  assert_reads (early, "login: ");
  detach (self, early);
  detach (self, late);
}

/* A line of 16 bytes. */
static void
print_lines (Fixture *self, unsigned n)
{
  g_autoptr (GString) text = g_string_new (NULL);

  for (unsigned i = 0; i < n; i++)
    g_string_append_printf (text, "line %08u\r\n", i);
  g_assert_cmpint (write (self->spool, text->str, text->len), ==,
                   (ssize_t) text->len);
}

static void
test_slow_viewer_is_told_what_it_missed (Fixture *self, gconstpointer data)
{
  const unsigned n_lines = BUFFER_BYTES / 15;
  ReeveConsoleViewer *viewer = attach (self, FALSE);
  g_autofree char *text = NULL;

  print (self, "first");
  pump (self);
  assert_reads (viewer, "first");
  print (self, "missed");
  print_lines (self, n_lines);
  pump (self);
  text = read_all (viewer);
  g_assert_true (g_str_has_prefix (text, "\r\n["));
  g_assert_cmpuint (g_ascii_strtoull (text + strlen ("\r\n["), NULL, 10), ==,
                    strlen ("missed") + n_lines * 15 - BUFFER_BYTES);
  g_assert_cmpuint (strlen (strstr (text, "]\r\n") + 3), ==, BUFFER_BYTES);
  /* it is told once */
  print (self, "now");
  pump (self);
  assert_reads (viewer, "now");
  detach (self, viewer);
}

static void
test_force_ends_the_others (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *one = attach (self, FALSE);
  ReeveConsoleViewer *two = attach (self, FALSE);
  ReeveConsoleViewer *forced = attach (self, TRUE);
  char key;

  print (self, "hello");
  pump (self);
  assert_reads (one, "(end)");
  assert_reads (two, "(end)");
  assert_reads (forced, "hello");

  /* their keys go nowhere */
  g_assert_cmpuint (reeve_console_viewer_write (one, (const uint8_t *) "x", 1),
                    ==, 1);
  turn (self);
  g_assert_cmpint (read (self->master, &key, 1), ==, -1);
  detach (self, one);
  detach (self, two);
  detach (self, forced);
}

static void
test_end_comes_after_the_last_byte (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer = attach (self, FALSE);

  print (self, "Power down.\r\n");
  pump (self);
  reeve_console_end (self->console);
  assert_reads (viewer, "Power down.\r\n(end)");
  detach (self, viewer);
}

static void
test_viewers_are_limited (Fixture *self, gconstpointer data)
{
  g_autoptr (GPtrArray) viewers = g_ptr_array_new_with_free_func (
      (GDestroyNotify) reeve_console_viewer_detach);
  g_autoptr (GError) error = NULL;

  for (unsigned i = 0; i < REEVE_CONSOLE_MAX_VIEWERS; i++)
    g_ptr_array_add (viewers, attach (self, FALSE));
  g_assert_null (reeve_console_attach (self->console, FALSE, &error));
  g_assert_error (error, REEVE_ERROR, REEVE_ERROR_LIMIT);
  g_ptr_array_set_size (viewers, 0);
  detach (self, attach (self, FALSE));
}

/* -------------------------------------------------------- the daemon dies --
 */

static char *
read_log (Fixture *self)
{
  g_autofree char *old = g_strconcat (self->log_path, ".1", NULL);
  g_autofree char *newest = NULL;
  g_autofree char *oldest = NULL;

  (void) g_file_get_contents (self->log_path, &newest, NULL, NULL);
  (void) g_file_get_contents (old, &oldest, NULL, NULL);
  return g_strconcat (oldest == NULL ? "" : oldest,
                      newest == NULL ? "" : newest, NULL);
}

/* Neither what came before, nor what came meanwhile, is lost or doubled. */
static void
test_next_daemon_takes_up_all (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer;
  g_autofree char *log = NULL;

  print (self, "before ");
  pump (self);
  drop_console (self);
  print (self, "meanwhile ");
  make_console (self);
  viewer = attach (self, FALSE);
  assert_reads (viewer, "");
  pump (self);
  print (self, "after");
  pump (self);
  assert_reads (viewer, "before meanwhile after");
  log = read_log (self);
  g_assert_cmpstr (log, ==, "before meanwhile after");
  detach (self, viewer);
}

static void
test_next_daemon_fills_the_buffer_with_the_latest (Fixture *self,
                                                   gconstpointer data)
{
  ReeveConsoleViewer *viewer;
  g_autofree char *text = NULL;
  g_autofree char *log = NULL;

  for (int i = 0; i < 40; i++) {
    print_lines (self, 1000);
    pump (self);
  }
  drop_console (self);
  print (self, "meanwhile");
  make_console (self);
  pump (self);
  viewer = attach (self, FALSE);
  text = read_all (viewer);
  g_assert_cmpuint (strlen (text), ==, BUFFER_BYTES);
  g_assert_true (g_str_has_suffix (text, "line 00000999\r\nmeanwhile"));
  log = read_log (self);
  g_assert_true (g_str_has_suffix (log, text));
  detach (self, viewer);
}

/* Without a daemon the spool grows; the next one is soon done with it. */
static void
test_next_daemon_reads_no_more_than_is_kept (Fixture *self, gconstpointer data)
{
  const size_t kept = self->limits.log_bytes * (self->limits.log_files + 1);
  g_autofree char *log = NULL;
  struct stat file;
  size_t n_pumps = 1;

  print (self, "before ");
  pump (self);
  drop_console (self);
  for (int i = 0; i < 1000; i++)
    print_lines (self, 1000);
  make_console (self);
  while (reeve_console_pump (self->console))
    n_pumps++;
  g_assert_cmpuint (n_pumps, <=, kept / 65536);
  g_assert_cmpint (stat (self->spool_path, &file), ==, 0);
  g_assert_cmpint (file.st_size, ==, 7 + 1000 * 15000);
  g_assert_cmpint (file.st_blocks * 512, <=, 1024 * 1024);
  log = read_log (self);
  g_assert_true (g_str_has_suffix (log, "line 00000999\r\n"));
}

static void
test_next_daemon_without_a_log (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer;

  print (self, "before ");
  pump (self);
  drop_console (self);
  self->limits.log_bytes = 0;
  make_console (self);
  print (self, "after");
  pump (self);
  viewer = attach (self, FALSE);
  assert_reads (viewer, "before after");
  detach (self, viewer);
}

static void
test_disk_is_given_back (Fixture *self, gconstpointer data)
{
  struct stat file;

  for (int i = 0; i < 300; i++) {
    print_lines (self, 1000);
    pump (self);
  }
  g_assert_cmpint (stat (self->spool_path, &file), ==, 0);
  g_assert_cmpint (file.st_size, ==, 300 * 15000);
  g_assert_cmpint (file.st_blocks * 512, <=, 1024 * 1024);
}

/* ----------------------------------------------------------- the terminal --
 */

static void
test_terminal_is_open_while_there_are_viewers (Fixture *self,
                                               gconstpointer data)
{
  ReeveConsoleViewer *one, *two;
  char byte;

  g_assert_cmpuint (self->n_opened, ==, 0);
  one = attach (self, FALSE);
  two = attach (self, FALSE);
  g_assert_cmpuint (self->n_opened, ==, 1);
  detach (self, one);
  g_assert_cmpint (read (self->master, &byte, 1), ==, -1);
  g_assert_cmpint (errno, ==, EAGAIN);
  detach (self, two);
  g_assert_cmpint (read (self->master, &byte, 1), ==, -1);
  g_assert_cmpint (errno, ==, EIO); /* nobody has it open */
}

/* The kernel hands keys on a little later. */
static void
assert_keys (Fixture *self, const char *expected)
{
  g_autoptr (GString) keys = g_string_new (NULL);
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  char key;

  while (keys->len < strlen (expected) && g_get_monotonic_time () < end_us) {
    if (read (self->master, &key, 1) == 1)
      g_string_append_c (keys, key);
  }
  g_assert_cmpstr (keys->str, ==, expected);
}

static void
test_keys_arrive (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *one = attach (self, FALSE);
  ReeveConsoleViewer *two = attach (self, FALSE);

  g_assert_cmpuint (reeve_console_viewer_write (one, (const uint8_t *) "ls", 2),
                    ==, 2);
  turn (self);
  g_assert_cmpuint (reeve_console_viewer_write (two, (const uint8_t *) "\r", 1),
                    ==, 1);
  turn (self);
  assert_keys (self, "ls\r");
  detach (self, one);
  detach (self, two);
}

static void
test_keys_wait_for_the_terminal (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer;

  self->is_unknown = TRUE;
  viewer = attach (self, FALSE);
  g_assert_cmpuint (
      reeve_console_viewer_write (viewer, (const uint8_t *) "ls", 2), ==, 2);
  turn (self);
  self->is_unknown = FALSE;
  reeve_console_retry (self->console);
  assert_keys (self, "ls");
  detach (self, viewer);
}

static void
on_wake (gpointer data)
{
  unsigned *n_woken = data;

  (*n_woken)++;
}

/* A guest that reads nothing holds up who types, not the daemon; once it
 * reads, all arrives. */
static void
test_keys_are_bounded (Fixture *self, gconstpointer data)
{
  static const uint8_t keys[REEVE_CONSOLE_MAX_INPUT];
  ReeveConsoleViewer *viewer = attach (self, FALSE);
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  unsigned n_woken = 0;
  size_t n_typed = 0, n_taken = 1;
  size_t n_arrived = 0;

  reeve_console_viewer_set_wake (viewer, on_wake, &n_woken, NULL);
  while (n_taken > 0) {
    n_taken = reeve_console_viewer_write (viewer, keys, sizeof keys);
    n_typed += n_taken;
    turn (self);
  }
  g_assert_cmpuint (n_typed, <, 1024 * 1024);
  n_woken = 0;

  while (n_arrived < n_typed && g_get_monotonic_time () < end_us) {
    uint8_t buffer[4096];
    ssize_t size = read (self->master, buffer, sizeof buffer);

    n_arrived += (size_t) MAX (size, 0);
    turn (self);
  }
  g_assert_cmpuint (n_arrived, ==, n_typed);
  g_assert_cmpuint (n_woken, >, 0);
  detach (self, viewer);
}

/* QEMU writes to a terminal that is held open, and would wait. */
static void
test_terminal_never_fills (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer = attach (self, FALSE);
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  const char text[1000] = { 0 };
  size_t n_printed = 0;

  while (n_printed < 1024 * 1024 && g_get_monotonic_time () < end_us) {
    n_printed += (size_t) MAX (write (self->master, text, sizeof text), 0);
    turn (self);
  }
  g_assert_cmpuint (n_printed, >=, 1024 * 1024);
  detach (self, viewer);
}

/* The guest goes on while the daemon sleeps; every byte may come. */
static void
test_terminal_never_fills_in_a_sleep (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer = attach (self, FALSE);
  gint64 end_us = g_get_monotonic_time () + 10 * G_USEC_PER_SEC;
  char text[1024];
  size_t n_printed = 0;

  for (size_t i = 0; i < sizeof text; i++)
    text[i] = (char) i;
  while (n_printed < 1024 * 1024 && g_get_monotonic_time () < end_us)
    n_printed += (size_t) MAX (write (self->master, text, sizeof text), 0);
  g_assert_cmpuint (n_printed, >=, 1024 * 1024);

  g_assert_cmpuint (
      reeve_console_viewer_write (viewer, (const uint8_t *) "\x11\r\n\x1c", 4),
      ==, 4);
  turn (self);
  assert_keys (self, "\x11\r\n\x1c");
  detach (self, viewer);
}

static void
print_to_terminal (Fixture *self, int fd, const char *text)
{
  struct pollfd poller = { .fd = fd, .events = POLLIN };
  ssize_t size = (ssize_t) strlen (text);

  g_assert_cmpint (write (self->master, text, (size_t) size), ==, size);
  g_assert_cmpint (poll (&poller, 1, 10000), ==, 1);
}

static void
assert_printed (Fixture *self, int fd, const char *expected)
{
  char buffer[64];
  ssize_t size;

  print_to_terminal (self, fd, expected);
  size = read (fd, buffer, sizeof buffer);
  g_assert_cmpmem (buffer, size, expected, strlen (expected));
}

/* Who opens the terminal after the last viewer, or after a daemon that was
 * killed, reads what is printed from then on. */
static void
test_terminal_is_left_as_qemu_made_it (Fixture *self, gconstpointer data)
{
  REEVE_AUTOFD int other =
      open (self->terminal, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  struct termios before = { 0 }, after = { 0 };

  g_assert_cmpint (tcgetattr (other, &before), ==, 0);
  detach (self, attach (self, FALSE));
  g_assert_cmpint (tcgetattr (other, &after), ==, 0);
  g_assert_cmpmem (&after, sizeof after, &before, sizeof before);
  assert_printed (self, other, "new\n");

  after.c_lflag |= ICANON;
  g_assert_cmpint (tcsetattr (other, TCSANOW, &after), ==, 0);
  print_to_terminal (self, other, "stale\n");
  reeve_console_retry (self->console);
  g_assert_cmpint (tcgetattr (other, &after), ==, 0);
  g_assert_cmpmem (&after, sizeof after, &before, sizeof before);
  assert_printed (self, other, "newer\n");
}

/* QEMU dies before anybody knows. */
static void
test_terminal_hangs_up (Fixture *self, gconstpointer data)
{
  ReeveConsoleViewer *viewer = attach (self, FALSE);

  reeve_fd_clear (&self->master);
  turn (self);
  g_assert_cmpuint (
      reeve_console_viewer_write (viewer, (const uint8_t *) "x", 1), ==, 1);
  turn (self);
  detach (self, viewer);
}

#define ADD(name, func)                                                        \
  g_test_add ("/machine/console/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("every-viewer-sees-it-from-the-first-byte",
       test_every_viewer_sees_it_from_the_first_byte);
  ADD ("slow-viewer-is-told-what-it-missed",
       test_slow_viewer_is_told_what_it_missed);
  ADD ("force-ends-the-others", test_force_ends_the_others);
  ADD ("end-comes-after-the-last-byte", test_end_comes_after_the_last_byte);
  ADD ("viewers-are-limited", test_viewers_are_limited);
  ADD ("next-daemon/takes-up-all", test_next_daemon_takes_up_all);
  ADD ("next-daemon/fills-the-buffer-with-the-latest",
       test_next_daemon_fills_the_buffer_with_the_latest);
  ADD ("next-daemon/reads-no-more-than-is-kept",
       test_next_daemon_reads_no_more_than_is_kept);
  ADD ("next-daemon/has-no-log", test_next_daemon_without_a_log);
  ADD ("disk-is-given-back", test_disk_is_given_back);
  ADD ("terminal/is-open-while-there-are-viewers",
       test_terminal_is_open_while_there_are_viewers);
  ADD ("terminal/keys-arrive", test_keys_arrive);
  ADD ("terminal/keys-wait-for-it", test_keys_wait_for_the_terminal);
  ADD ("terminal/keys-are-bounded", test_keys_are_bounded);
  ADD ("terminal/never-fills", test_terminal_never_fills);
  ADD ("terminal/never-fills-in-a-sleep", test_terminal_never_fills_in_a_sleep);
  ADD ("terminal/is-left-as-qemu-made-it",
       test_terminal_is_left_as_qemu_made_it);
  ADD ("terminal/hangs-up", test_terminal_hangs_up);
  return g_test_run ();
}
