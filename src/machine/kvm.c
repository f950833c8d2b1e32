/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/kvm.h"

#include "event/fd.h"
#include "event/intl.h"
#include "machine/probe.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
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
  g_autofree char *output = NULL;
  int status = 0;

  if (image < 0)
    return g_strdup (g_strerror (errno));
  output = reeve_probe_run (argv, GUEST_TIMEOUT_MS, &status, &error);
  if (output == NULL)
    return g_strdup (error->message);
  if (WIFEXITED (status) && WEXITSTATUS (status) == EXIT_STATUS)
    return NULL;
  return g_strdup (_ ("a guest of a few instructions does not run"));
}

char *
reeve_kvm_probe (const char *emulator, gboolean *is_final)
{
  REEVE_AUTOFD int fd = -1;

  *is_final = !has_extensions ();
  if (*is_final)
    return g_strdup (_ ("the processor has neither vmx nor svm"));
  fd = open ("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (fd < 0)
    return g_strdup_printf ("/dev/kvm: %s", g_strerror (errno));

  return run_guest (emulator);
}
