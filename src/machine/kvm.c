/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/kvm.h"

#include "event/fd.h"
#include "event/intl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GUEST_TIMEOUT_MS 5000
#define EXIT_PORT "0x501"
#define EXIT_VALUE 0x15
/* isa-debug-exit ends QEMU with this status. */
#define EXIT_STATUS ((EXIT_VALUE << 1) | 1)
#define IMAGE_SIZE (1024 * 1024)

/* mov $EXIT_VALUE, %al; mov $0x501, %dx; out %al, (%dx); hlt; jmp . */
static const unsigned char guest_code[] = {
  0xb0, EXIT_VALUE, 0xba, 0x01, 0x05, 0xee, 0xf4, 0xeb, 0xfe,
};

static gboolean
has_extensions (void)
{
  g_autofree char *text = NULL;
  const char *flags;
  g_autofree char *line = NULL;

  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    return FALSE;
  flags = strstr (text, "\nflags");
  if (flags == NULL)
    return FALSE;

  line = g_strndup (flags + 1, strcspn (flags + 1, "\n"));
  return strstr (line, " vmx") != NULL || strstr (line, " svm") != NULL;
}

/* A disk whose first sector is the guest; -1 with errno. */
static int
make_image (void)
{
  REEVE_AUTOFD int fd = memfd_create ("reeve-kvm-probe", MFD_CLOEXEC);
  static const unsigned char signature[] = { 0x55, 0xaa };

  if (fd < 0 || ftruncate (fd, IMAGE_SIZE) < 0 ||
      pwrite (fd, guest_code, sizeof guest_code, 0) < 0 ||
      pwrite (fd, signature, sizeof signature, 510) < 0)
    return -1;

  return g_steal_fd (&fd);
}

/* -1: it did not end in time, and was killed. */
static int
wait_for (pid_t pid)
{
  REEVE_AUTOFD int fd = (int) syscall (SYS_pidfd_open, pid, 0);
  struct pollfd ended = { .fd = fd, .events = POLLIN };
  gboolean is_in_time = fd >= 0 && poll (&ended, 1, GUEST_TIMEOUT_MS) == 1;
  int status;

  if (!is_in_time)
    kill (pid, SIGKILL);
  if (waitpid (pid, &status, 0) < 0 || !is_in_time)
    return -1;
  return status;
}

static char *
run_guest (const char *emulator)
{
  REEVE_AUTOFD int image = make_image ();
  g_autofree char *drive =
      g_strdup_printf ("file=/proc/%ld/fd/%d,format=raw,if=ide,snapshot=on",
                       (long) getpid (), image);
  const char *const argv[] = { emulator,
                               "-M",
                               "pc",
                               "-accel",
                               "kvm",
                               "-m",
                               "8",
                               "-no-user-config",
                               "-nodefaults",
                               "-display",
                               "none",
                               "-device",
                               "isa-debug-exit,iobase=" EXIT_PORT ",iosize=1",
                               "-drive",
                               drive,
                               NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int status;

  if (image < 0)
    return g_strdup (g_strerror (errno));
  if (!g_spawn_async (NULL, (char **) argv, NULL,
                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                          G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, &pid, &error))
    return g_strdup (error->message);

  status = wait_for (pid);
  if (status >= 0 && WIFEXITED (status) && WEXITSTATUS (status) == EXIT_STATUS)
    return NULL;
  return g_strdup (_ ("a guest of a few instructions does not run"));
}

char *
reeve_kvm_probe (const char *emulator)
{
  REEVE_AUTOFD int fd = -1;

  if (!has_extensions ())
    return g_strdup (_ ("the processor has neither vmx nor svm"));
  fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return g_strdup_printf ("/dev/kvm: %s", g_strerror (errno));

  return run_guest (emulator);
}
