/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/* With @n_fds times the descriptor @sent, four at most. FALSE: the other end
 * closed it. */
static inline gboolean
fuzz_send_piece (int fd,
                 const uint8_t *data,
                 size_t size,
                 unsigned n_fds,
                 int sent,
                 int flags)
{
  char control[CMSG_SPACE (sizeof (int) * 4)] = { 0 };
  struct iovec vector = { .iov_base = (void *) data, .iov_len = size };
  struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };
  int fds[4] = { sent, sent, sent, sent };
  struct cmsghdr *header = (struct cmsghdr *) control;

  if (n_fds > 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE (sizeof (int) * n_fds);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN (sizeof (int) * n_fds);
    memcpy (CMSG_DATA (header), fds, sizeof (int) * n_fds);
  }
  return sendmsg (fd, &message, MSG_NOSIGNAL | flags) >= 0;
}
