/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/takeover-channel.h"

#include "event/fd.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

typedef union {
  struct cmsghdr align;
  char bytes[CMSG_SPACE (sizeof (int) * REEVE_TAKEOVER_MAX_PACKET_FDS)];
} Control;

void
reeve_takeover_drop_fds (GArray *fds)
{
  for (guint i = 0; i < fds->len; i++)
    reeve_fd_clear (&g_array_index (fds, int, i));
  g_array_set_size (fds, 0);
}

char *
reeve_takeover_cut_words (const char *text)
{
  /* A character that is cut in two becomes a mark of three bytes, or several.
   */
  return g_utf8_make_valid (
      text, (gssize) MIN (strlen (text), TAKEOVER_WORDS_MAX - 16));
}

char *
reeve_takeover_make_path (const char *run_dir, const char *name)
{
  return g_strdup_printf ("%s/%s-takeover.sock", run_dir, name);
}

gboolean
reeve_takeover_fill_address (gpointer address, const char *path, GError **error)
{
  struct sockaddr_un *un = address;

  *un = (struct sockaddr_un){ .sun_family = AF_UNIX };
  if (g_strlcpy (un->sun_path, path, sizeof un->sun_path) < sizeof un->sun_path)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("%1$s: a path of a unix socket has at most %2$zu bytes"),
               path, sizeof un->sun_path - 1);
  return FALSE;
}

static gboolean
fail_closed (GError **error)
{
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CLOSED,
                       _ ("the other daemon is gone"));
  return FALSE;
}

static gboolean
fail_late (GError **error)
{
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_TIMED_OUT,
                       _ ("the other daemon did not answer in time"));
  return FALSE;
}

/* FALSE: it is too late. */
static gboolean
wait_for (int socket, short events, gint64 deadline_us)
{
  for (;;) {
    gint64 left_us = deadline_us - g_get_monotonic_time ();
    struct pollfd item = { .fd = socket, .events = events };

    if (deadline_us == 0 || left_us <= 0)
      return poll (&item, 1, 0) > 0;
    if (poll (&item, 1, (int) (left_us / 1000) + 1) > 0)
      return TRUE;
  }
}

/* @bytes has room for a packet. Returns its size, or -1. */
static gssize
encode (const takeover_message *message, uint8_t *bytes, GError **error)
{
  gssize size = reeve_xdr_measure (&takeover_message_type, message, error);

  g_return_val_if_fail (size <= (gssize) REEVE_TAKEOVER_MAX_PACKET, -1);
  if (size > 0)
    reeve_xdr_encode (&takeover_message_type, message, bytes, (size_t) size);
  return size;
}

static void
add_fds (struct msghdr *packet, Control *control, const int *fds, unsigned n)
{
  memset (control, 0, sizeof *control);
  packet->msg_control = control;
  packet->msg_controllen = CMSG_SPACE (sizeof (int) * n);
  control->align.cmsg_level = SOL_SOCKET;
  control->align.cmsg_type = SCM_RIGHTS;
  control->align.cmsg_len = CMSG_LEN (sizeof (int) * n);
  memcpy (CMSG_DATA (&control->align), fds, sizeof (int) * n);
}

gboolean
reeve_takeover_send (int socket,
                     const takeover_message *message,
                     const int *fds,
                     unsigned n_fds,
                     gint64 deadline_us,
                     GError **error)
{
  uint8_t bytes[REEVE_TAKEOVER_MAX_PACKET];
  gssize size = encode (message, bytes, error);
  struct iovec vector = { .iov_base = bytes, .iov_len = (size_t) size };
  struct msghdr packet = { .msg_iov = &vector, .msg_iovlen = 1 };
  Control control;

  g_return_val_if_fail (n_fds <= REEVE_TAKEOVER_MAX_PACKET_FDS, FALSE);
  if (size < 0)
    return FALSE;
  if (n_fds > 0)
    add_fds (&packet, &control, fds, n_fds);

  while (sendmsg (socket, &packet, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EPIPE || errno == ECONNRESET)
      return fail_closed (error);
    /* The kernel lets a plain user have so many on their way. */
    if (errno == ETOOMANYREFS)
      g_usleep (500);
    else if (errno != EAGAIN && errno != EINTR)
      return reeve_error_from_errno (error, errno,
                                     _ ("cannot send to the other daemon"));
    if (!wait_for (socket, POLLOUT, deadline_us) ||
        g_get_monotonic_time () >= deadline_us)
      return fail_late (error);
  }

  return TRUE;
}

static void
take_fds (struct msghdr *packet, GArray *fds)
{
  for (struct cmsghdr *header = CMSG_FIRSTHDR (packet); header != NULL;
       header = CMSG_NXTHDR (packet, header))
    if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
      g_array_append_vals (
          fds, CMSG_DATA (header),
          (guint) ((header->cmsg_len - CMSG_LEN (0)) / sizeof (int)));
}

static gboolean
take_packet (int socket,
             uint8_t *bytes,
             size_t *size,
             GArray *fds,
             GError **error)
{
  Control control;
  struct iovec vector = { .iov_base = bytes,
                          .iov_len = REEVE_TAKEOVER_MAX_PACKET };
  struct msghdr packet = { .msg_iov = &vector,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof control };
  const int flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC;
  ssize_t n_read = recvmsg (socket, &packet, flags);

  /* Who did not read all of ours may have said something before he went. */
  if (n_read < 0 && errno == ECONNRESET)
    n_read = recvmsg (socket, &packet, flags);

  if (n_read == 0)
    return fail_closed (error);
  if (n_read < 0 && (errno == EAGAIN || errno == EINTR))
    return fail_late (error);
  if (n_read < 0)
    return reeve_error_from_errno (error, errno,
                                   _ ("cannot hear the other daemon"));

  take_fds (&packet, fds);
  *size = (size_t) n_read;
  if ((packet.msg_flags & (MSG_CTRUNC | MSG_TRUNC)) == 0)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_LIMIT,
                       _ ("what the other daemon passed on does not fit into "
                          "this process: see its limit of open files"));
  return FALSE;
}

gboolean
reeve_takeover_receive (int socket,
                        takeover_message *message,
                        GArray *fds,
                        gint64 deadline_us,
                        GError **error)
{
  uint8_t bytes[REEVE_TAKEOVER_MAX_PACKET];
  size_t size = 0;

  *message = (takeover_message){ 0 };
  if (!wait_for (socket, POLLIN, deadline_us))
    return fail_late (error);
  return take_packet (socket, bytes, &size, fds, error) &&
         reeve_xdr_decode (&takeover_message_type, bytes, size, message, NULL,
                           error);
}
