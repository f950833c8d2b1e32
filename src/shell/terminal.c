/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/terminal.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"

#include <fcntl.h>

static const int numbers[REEVE_TERMINAL_N_SIGNALS] = {
  SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGCONT,
};

/* For the handler, which has no data. */
static volatile sig_atomic_t signal_fd = -1;

static void
on_signal (int number)
{
  const unsigned char byte = (unsigned char) number;
  int before = errno;

  if (write (signal_fd, &byte, 1) < 0)
    errno = 0; /* full: there is enough to do */
  errno = before;
}

/* What is ignored (by nohup, say) stays so. */
static void
take_signals (ReeveTerminal *self)
{
  const struct sigaction action = { .sa_handler = on_signal,
                                    .sa_flags = SA_RESTART };

  signal_fd = self->signals[1];
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++) {
    sigaction (numbers[i], NULL, &self->actions[i]);
    if (self->actions[i].sa_handler != SIG_IGN)
      sigaction (numbers[i], &action, NULL);
  }
}

static void
leave_signals (const ReeveTerminal *self)
{
  for (size_t i = 0; i < G_N_ELEMENTS (numbers); i++)
    sigaction (numbers[i], &self->actions[i], NULL);
}

/* In the background this stops the process, until it is in the foreground. */
static gboolean
make_raw (const ReeveTerminal *self)
{
  struct termios raw = self->before;

  cfmakeraw (&raw);
  return tcsetattr (STDIN_FILENO, TCSANOW, &raw) == 0;
}

static void
make_usual (const ReeveTerminal *self)
{
  (void) tcsetattr (STDIN_FILENO, TCSANOW, &self->before);
}

gboolean
reeve_terminal_open (ReeveTerminal *self, GError **error)
{
  if (tcgetattr (STDIN_FILENO, &self->before) < 0 ||
      pipe2 (self->signals, O_CLOEXEC | O_NONBLOCK) < 0)
    return reeve_error_from_errno (error, errno, _ ("Cannot use the terminal"));

  take_signals (self);
  if (make_raw (self))
    return TRUE;

  reeve_error_from_errno (error, errno, _ ("Cannot use the terminal"));
  reeve_terminal_close (self);
  return FALSE;
}

void
reeve_terminal_close (ReeveTerminal *self)
{
  make_usual (self);
  leave_signals (self);
  reeve_fd_clear (&self->signals[0]);
  reeve_fd_clear (&self->signals[1]);
}

int
reeve_terminal_get_signal_fd (const ReeveTerminal *self)
{
  return self->signals[0];
}

/* Where nobody could continue it, the kernel does not stop it. */
static void
stop (ReeveTerminal *self)
{
  make_usual (self);
  leave_signals (self);
  raise (SIGTSTP);
  take_signals (self);
  (void) make_raw (self);
}

int
reeve_terminal_take_signal (ReeveTerminal *self)
{
  unsigned char number = 0;

  if (read (self->signals[0], &number, 1) != 1)
    return 0;

  switch (number) {
  case SIGCONT: /* after a SIGSTOP, which nobody can take */
    (void) make_raw (self);
    return 0;
  case SIGTSTP:
    stop (self);
    return 0;
  default:
    reeve_terminal_close (self);
    raise (number);
    return number;
  }
}
