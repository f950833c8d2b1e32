/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc-server.h"

#include <unistd.h>

/* serve PATH: the server of the bench alone, on a unix socket. It says on its
 * output that it listens. */
int
main (int argc, char **argv)
{
  if (argc != 2) {
    g_printerr ("usage: %s PATH\n", argv[0]);
    return 2;
  }

  serve_reeve (&(ServeOptions){ .path = argv[1], .ready_fd = STDOUT_FILENO });
  return 1;
}
