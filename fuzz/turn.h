/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than that many turns take no input that is as short as ours. */
#define FUZZ_MAX_TURNS 4096
#define FUZZ_MAX_FDS 200

/* Turns until nothing is to do, and reads what the server says; @fd: or -1. */
static inline void
fuzz_turn (ReeveLoop *loop, int fd)
{
  char buffer[4096];

  for (int i = 0; i < FUZZ_MAX_TURNS; i++) {
    union {
      struct cmsghdr header;
      char bytes[CMSG_SPACE (sizeof (int) * 32)];
    } control;
    struct iovec vector = { .iov_base = buffer, .iov_len = sizeof buffer };
    struct msghdr message = {
      .msg_iov = &vector,
      .msg_iovlen = 1,
      .msg_control = &control,
      .msg_controllen = sizeof control,
    };
    gboolean is_busy =
        g_main_context_iteration (reeve_loop_get_context (loop), FALSE);

    if (fd < 0 ||
        recvmsg (fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0) {
      if (!is_busy)
        return;
      continue;
    }
    if (message.msg_controllen > 0) {
      int came;

      memcpy (&came, CMSG_DATA (&control.header), sizeof came);
      close (came);
    }
  }
}

static inline void
fuzz_assert_few_fds (void)
{
  int lowest = fcntl (0, F_DUPFD_CLOEXEC, 3);

  g_assert_cmpint (lowest, >=, 0);
  g_assert_cmpint (lowest, <, FUZZ_MAX_FDS);
  close (lowest);
}
