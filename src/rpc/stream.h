/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>
#include <sys/types.h>
#include <sys/uio.h>

G_BEGIN_DECLS

/*
 * Transports by name. A stream is connected to a peer, a passive stream
 * ("pstream") listens. Nothing here blocks once it is open: "would block" is
 * -1 with errno EAGAIN.
 *
 * To connect: `unix:PATH`, `tcp:HOST[:PORT]` (`[::1]` for IPv6),
 * `tls:HOST[:PORT]` or `ssl:` with the same, `fd:N`, `exec:COMMAND` (a shell
 * command whose stdin and stdout are the peer).
 * To listen: `punix:PATH`, `ptcp:[HOST:]PORT` or, as with Open vSwitch,
 * `ptcp:PORT:HOST` (port 0: the kernel chooses), `ptls:` or `pssl:` with the
 * same, `pfd:N`. A port that is left out is 16509, with TLS 16514. `@NAME` for
 * PATH is a socket in the abstract namespace, which no permissions guard.
 */

typedef struct _ReeveStream ReeveStream;
typedef struct _ReevePStream ReevePStream;

void reeve_stream_free (ReeveStream *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveStream, reeve_stream_free)

/**
 * reeve_stream_open:
 * @cancellable: (nullable)
 *
 * Connects; GIO resolves names and tries each address. Blocks until it is
 * connected, failed or cancelled: not for a loop's thread.
 *
 * With TLS the server is verified, and we are accepted, by the files that
 * libvirt's clients use: see rpc/tls-client.h.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a bad name, %REEVE_ERROR_NO_CONNECT
 * with the name and the reason, %REEVE_ERROR_TIMED_OUT when @deadline_us (of
 * g_get_monotonic_time()) passes, %REEVE_ERROR_ABORTED when cancelled.
 */
ReeveStream *reeve_stream_open (const char *name,
                                gint64 deadline_us,
                                GCancellable *cancellable,
                                GError **error);

/* (transfer full): a stream on a connected socket; takes @fd, makes it
 * non-blocking. */
ReeveStream *reeve_stream_new_for_fd (int fd);

/* What to watch in a loop. */
int reeve_stream_get_fd (ReeveStream *self);

/**
 * reeve_stream_recv:
 * @fds: (nullable) (element-type int): takes file descriptors that came along
 *   (close-on-exec), whatever is returned
 *
 * Returns: bytes, 0 at the end of the stream, -1 with errno; %EPROTO when file
 *   descriptors came that were too many for us, or for one message
 */
gssize
reeve_stream_recv (ReeveStream *self, void *data, size_t size, GArray *fds);

/* As writev(2): may take only a part; -1 with errno. Never raises SIGPIPE. */
gssize
reeve_stream_sendv (ReeveStream *self, const struct iovec *iov, int n_iov);

/* Whether file descriptors reach the peer: on a unix socket that nothing
 * stands between. */
gboolean reeve_stream_passes_fds (ReeveStream *self);

/* Sends a zero byte that carries @fd (transfer none). FALSE with errno,
 * EOPNOTSUPP where none can be passed. */
gboolean reeve_stream_send_fd (ReeveStream *self, int fd);

void reeve_pstream_free (ReevePStream *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReevePStream, reeve_pstream_free)

/**
 * reeve_pstream_open:
 * @mode: permissions of a unix socket, e.g. 0600
 * @group: of a unix socket; -1 for that of the process
 *
 * Listens. A unix socket that nobody listens on any more is replaced, a live
 * one is refused; the file is removed by reeve_pstream_free() if it is still
 * ours. May resolve a host name, so not for a loop's thread.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a bad name (a path of 108 bytes or
 * more, a port beyond 65535), %REEVE_ERROR_SYSTEM.
 */
ReevePStream *
reeve_pstream_open (const char *name, mode_t mode, gid_t group, GError **error);

/**
 * reeve_pstream_new_for_fd:
 * @fd: (transfer full): a stream socket that listens, non-blocking and
 *   close-on-exec; closed on failure
 * @is_tls: of the network: whether its name is `ptls:`
 * @owns_path: whether reeve_pstream_free() removes the file of a unix socket,
 *   if it is still that one
 *
 * A passive stream on what listens already, with the name of its address.
 *
 * Errors: %REEVE_ERROR_SYSTEM.
 */
ReevePStream *reeve_pstream_new_for_fd (int fd,
                                        gboolean is_tls,
                                        gboolean owns_path,
                                        GError **error);

/* The file of a unix socket stays: somebody else listens there from now on. */
void reeve_pstream_disown (ReevePStream *self);
gboolean reeve_pstream_owns_path (ReevePStream *self);
int reeve_pstream_get_fd (ReevePStream *self);
/* (transfer none): parses to the same, with the port that the kernel chose. */
const char *reeve_pstream_get_name (ReevePStream *self);
gboolean reeve_pstream_is_unix (ReevePStream *self);

/* (transfer full): the next connection (close-on-exec, TCP_NODELAY), or NULL
 * with errno. */
ReeveStream *reeve_pstream_accept (ReevePStream *self);

G_END_DECLS
