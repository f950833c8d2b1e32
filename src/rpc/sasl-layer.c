/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/sasl-layer.h"

#include <errno.h>
#include <sasl/sasl.h>
#include <string.h>
#include <sys/socket.h>

/* Bytes that are read, and taken to be encoded, at once. */
#define CHUNK_SIZE 65536u
/* Pieces that one packet is made of. */
#define MAX_PIECES 32

struct _ReeveSaslLayer {
  sasl_conn_t *exchange; /* of the owner */
  gpointer owner;        /* (owned) */
  GDestroyNotify free_owner;
  size_t max_plain; /* bytes that one packet can carry */

  /* Decoded and not given out yet; libsasl2's until the next packet. */
  const char *plain;
  unsigned plain_size;
  GByteArray *early_input; /* (owned): to decode before what the socket has */

  /* To be written; libsasl2's until the next packet, or early_output. */
  const char *output;
  size_t output_size;
  GByteArray *early_output; /* (owned) */
};

ReeveSaslLayer *
reeve_sasl_layer_new (sasl_conn_t *exchange,
                      gpointer owner,
                      GDestroyNotify free_owner)
{
  const sasl_ssf_t *ssf = NULL;
  const unsigned *max_plain = NULL;
  ReeveSaslLayer *self;

  if (sasl_getprop (exchange, SASL_SSF, (const void **) &ssf) != SASL_OK ||
      *ssf == 0 ||
      sasl_getprop (exchange, SASL_MAXOUTBUF, (const void **) &max_plain) !=
          SASL_OK) {
    free_owner (owner);
    return NULL;
  }

  self = g_new0 (ReeveSaslLayer, 1);
  self->exchange = exchange;
  self->owner = owner;
  self->free_owner = free_owner;
  /* 0: the peer did not say. */
  self->max_plain = *max_plain == 0 ? CHUNK_SIZE : MIN (*max_plain, CHUNK_SIZE);
  self->early_input = g_byte_array_new ();
  self->early_output = g_byte_array_new ();
  return self;
}

void
reeve_sasl_layer_free (gpointer data)
{
  ReeveSaslLayer *self = data;

  if (self == NULL)
    return;

  self->free_owner (self->owner);
  g_byte_array_unref (self->early_input);
  g_byte_array_unref (self->early_output);
  g_free (self);
}

/* --------------------------------------------------------------- input --- */

static gboolean
decode (ReeveSaslLayer *self, const void *data, size_t size)
{
  if (sasl_decode (self->exchange, data, (unsigned) size, &self->plain,
                   &self->plain_size) == SASL_OK)
    return TRUE;

  self->plain_size = 0;
  errno = EBADMSG;
  return FALSE;
}

static gssize
give_plain (ReeveSaslLayer *self, void *data, size_t size)
{
  unsigned n_given = (unsigned) MIN (size, self->plain_size);

  /* Part of a packet: the rest of it comes when the socket is ready again. */
  if (n_given == 0) {
    errno = EAGAIN;
    return -1;
  }

  memcpy (data, self->plain, n_given);
  self->plain += n_given;
  self->plain_size -= n_given;
  return n_given;
}

static void
layer_add_input (gpointer layer, const void *data, size_t size)
{
  ReeveSaslLayer *self = layer;

  g_byte_array_append (self->early_input, data, (guint) size);
}

static gssize
layer_recv (gpointer layer, int fd, void *data, size_t size)
{
  ReeveSaslLayer *self = layer;
  char chunk[CHUNK_SIZE];
  gssize n_read;

  if (self->plain_size > 0)
    return give_plain (self, data, size);

  if (self->early_input->len > 0) {
    gboolean is_good =
        decode (self, self->early_input->data, self->early_input->len);

    g_byte_array_set_size (self->early_input, 0);
    return is_good ? give_plain (self, data, size) : -1;
  }

  n_read = recv (fd, chunk, sizeof chunk, MSG_DONTWAIT);
  if (n_read <= 0)
    return n_read;
  return decode (self, chunk, (size_t) n_read) ? give_plain (self, data, size)
                                               : -1;
}

static gboolean
layer_has_input (gpointer layer)
{
  ReeveSaslLayer *self = layer;

  return self->plain_size > 0 || self->early_input->len > 0;
}

/* -------------------------------------------------------------- output --- */

static void
layer_add_output (gpointer layer, const void *data, size_t size)
{
  ReeveSaslLayer *self = layer;

  g_byte_array_append (self->early_output, data, (guint) size);
  self->output = (const char *) self->early_output->data;
  self->output_size = self->early_output->len;
}

static gboolean
layer_flush (gpointer layer, int fd)
{
  ReeveSaslLayer *self = layer;

  while (self->output_size > 0) {
    gssize n_sent =
        send (fd, self->output, self->output_size, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n_sent < 0)
      return FALSE;
    self->output += n_sent;
    self->output_size -= (size_t) n_sent;
  }

  g_byte_array_set_size (self->early_output, 0);
  return TRUE;
}

/* What of @iov goes into one packet; returns how many pieces it is. */
static int
choose_pieces (const ReeveSaslLayer *self,
               const struct iovec *iov,
               int n_iov,
               struct iovec *pieces,
               size_t *size)
{
  int n_pieces = 0;

  *size = 0;
  while (n_pieces < MIN (n_iov, MAX_PIECES) && *size < self->max_plain) {
    struct iovec *piece = &pieces[n_pieces];

    *piece = iov[n_pieces++];
    piece->iov_len = MIN (piece->iov_len, self->max_plain - *size);
    *size += piece->iov_len;
  }
  return n_pieces;
}

static gssize
layer_sendv (gpointer layer, int fd, const struct iovec *iov, int n_iov)
{
  ReeveSaslLayer *self = layer;
  struct iovec pieces[MAX_PIECES];
  unsigned encoded;
  size_t size;
  int n_pieces;

  if (!layer_flush (self, fd))
    return -1;

  n_pieces = choose_pieces (self, iov, n_iov, pieces, &size);
  if (sasl_encodev (self->exchange, pieces, (unsigned) n_pieces, &self->output,
                    &encoded) != SASL_OK) {
    errno = EPROTO;
    return -1;
  }

  self->output_size = encoded;
  if (!layer_flush (self, fd) && errno != EAGAIN && errno != EINTR)
    return -1;
  return (gssize) size;
}

static gboolean
layer_has_output (gpointer layer)
{
  ReeveSaslLayer *self = layer;

  return self->output_size > 0;
}

const ReeveStreamLayer reeve_sasl_layer_class = {
  .recv = layer_recv,
  .sendv = layer_sendv,
  .flush = layer_flush,
  .has_input = layer_has_input,
  .has_output = layer_has_output,
  .free = reeve_sasl_layer_free,
  .add_input = layer_add_input,
  .add_output = layer_add_output,
};
