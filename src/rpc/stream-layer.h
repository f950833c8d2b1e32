/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/stream.h"

G_BEGIN_DECLS

/*
 * What stands between the bytes of a stream and its socket: TLS, or the
 * security layer that SASL agreed on. A stream has one at most. As the layer
 * may hold bytes back in both directions, whoever watches the socket also asks
 * reeve_stream_has_input() after a read and reeve_stream_has_output() after a
 * write.
 */

/**
 * ReeveStreamLayer:
 * @recv: as recv(2), with bytes that were decoded
 * @sendv: as writev(2): the bytes it counts were taken, and may be held
 * @flush: writes what is held; %FALSE with errno, EAGAIN if some is left
 * @has_input: bytes that the next @recv gives are here already
 * @has_output: bytes are held
 * @free: frees the layer
 * @add_input: takes bytes of the peer that were read before the layer was set;
 *   (nullable) for a layer that is there from the start, as what follows
 * @add_output: takes bytes that were to be written before, and leave as they
 *   are
 *
 * A class of layers. Everything is called by one thread at a time; nothing
 * blocks.
 */
typedef struct {
  gssize (*recv) (gpointer layer, int fd, void *data, size_t size);
  gssize (*sendv) (gpointer layer, int fd, const struct iovec *iov, int n_iov);
  gboolean (*flush) (gpointer layer, int fd);
  gboolean (*has_input) (gpointer layer);
  gboolean (*has_output) (gpointer layer);
  void (*free) (gpointer layer);
  void (*add_input) (gpointer layer, const void *data, size_t size);
  void (*add_output) (gpointer layer, const void *data, size_t size);
} ReeveStreamLayer;

/* As reeve_stream_open(), without what TLS does at the start. */
ReeveStream *reeve_stream_connect (const char *name,
                                   gint64 deadline_us,
                                   GCancellable *cancellable,
                                   GError **error);

/* @fd: (transfer full): came from accept4(), does not block, is not inherited,
 * and has TCP_NODELAY from the socket that listens. Costs no system call. */
ReeveStream *reeve_stream_new_accepted (int fd, gboolean is_unix);

/* As reeve_stream_recv(); makes @fds (element-type int) (transfer full) when
 * the first one comes. */
gssize reeve_stream_recv_lazily (ReeveStream *self,
                                 void *data,
                                 size_t size,
                                 GArray **fds);

/* @layer: (transfer full): from now on all bytes go through it. */
void reeve_stream_set_layer (ReeveStream *self,
                             const ReeveStreamLayer *layer_class,
                             gpointer layer);

/* Whether what is read is not what the socket brings. */
gboolean reeve_stream_has_layer (ReeveStream *self);

/* Bytes can be received although the socket may have none. */
gboolean reeve_stream_has_input (ReeveStream *self);
/* Bytes that were sent wait for the socket to be writable, and then for
 * reeve_stream_flush(). */
gboolean reeve_stream_has_output (ReeveStream *self);
/* FALSE with errno, EAGAIN when there is more to write. */
gboolean reeve_stream_flush (ReeveStream *self);

/* How many bytes the peer took of those that were sent, and whether some wait
 * for it in the socket. It grows when the peer takes more; how much is exact
 * on no kind of socket. */
gint64 reeve_stream_count_taken (ReeveStream *self, gboolean *has_backlog);

G_END_DECLS
