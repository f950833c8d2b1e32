/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/fd-closer.h"
#include "event/intl.h"
#include "rpc/data-stream-private.h"
#include "rpc/error.h"
#include "rpc/stream-buffer.h"
#include "rpc/wire-xdr.h"
#include "rpc/wire.h"

#include <inttypes.h>
#include <string.h>

/* Binary messages in libvirt's framing, with streams and file descriptors. */

/* So many bytes at a reply's end are sent from where they are. */
#define TAIL_SIZE 4096

/* One frame, with what came behind it. */
typedef struct {
  ReeveHeader header;
  const uint8_t *payload;
  size_t size; /* of the payload */
  unsigned n_fds;
  int fds[REEVE_MESSAGE_MAX_FDS]; /* (owned) */
} Frame;

/* --------------------------------------------------------------- input --- */

static void
take_keepalive (const ReeveHeader *header, GByteArray **answers)
{
  GBytes *pong = reeve_keepalive_answer (header);

  if (pong != NULL)
    reeve_intake_add_answer (answers, pong);
}

static void
drop_fds (Frame *frame)
{
  for (unsigned i = 0; i < frame->n_fds; i++)
    reeve_fd_close_elsewhere (frame->fds[i]);
  frame->n_fds = 0;
}

static gboolean
check_status (const ReeveHeader *header, GError **error)
{
  if (header->status == REEVE_STATUS_OK)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC, _ ("A call has status %u"),
               header->status);
  return FALSE;
}

/* Mostly, it is what was called last. */
static const ReeveProcedure *
find_procedure (ReeveServerLoop *home,
                const ReeveHeader *header,
                ReeveServerProgram **program,
                GError **error)
{
  const ReeveProgram *last =
      home->last_procedure == NULL ? NULL : home->last_program->program;

  if (last == NULL || header->procedure != home->last_procedure->number ||
      header->program != last->number || header->version != last->version)
    home->last_procedure =
        reeve_server_find (home->server, header, &home->last_program, error);
  *program = home->last_program;
  return home->last_procedure;
}

static void
take_call (ReeveServerClient *self, Frame *frame, ReeveIntake *intake)
{
  g_autoptr (GError) error = NULL;
  const ReeveHeader *header = &frame->header;
  ReeveServerProgram *program;
  const ReeveProcedure *procedure =
      find_procedure (self->home, header, &program, &error);
  ReeveCall *call;

  if (procedure == NULL || !check_status (header, &error) ||
      !reeve_server_client_check_call (self, header->serial, program->program,
                                       procedure, &error)) {
    ReeveHeader reply = *header;

    reply.type = REEVE_MESSAGE_REPLY;
    reeve_intake_add_answer (&intake->answers,
                             reeve_message_encode_error (&reply, error));
    return;
  }

  call = reeve_call_new (self, &self->home->call_stock, program, procedure,
                         header, frame->payload, frame->size);
  if ((procedure->flags & REEVE_PROCEDURE_FDS_IN) != 0 && frame->n_fds > 0) {
    reeve_call_take_fds (call, frame->fds, frame->n_fds);
    atomic_fetch_add (&self->n_fds, frame->n_fds);
    frame->n_fds = 0;
  }
  reeve_intake_add_call (intake, call);
}

static void
take_stream_frame (ReeveServerClient *self,
                   const Frame *frame,
                   uint8_t **buffer,
                   ReeveIntake *intake)
{
  switch (reeve_data_stream_take_frame (self, &frame->header, frame->payload,
                                        frame->size, buffer)) {
  case REEVE_DATA_STREAM_TAKEN:
    break;
  case REEVE_DATA_STREAM_FULL:
    intake->room = 0;
    break;
  case REEVE_DATA_STREAM_BAD:
    intake->is_bad = TRUE;
    intake->room = 0;
    break;
  }
}

/* How many bytes stand behind a frame to carry its file descriptors. FALSE for
 * a frame that is wrong. */
static gboolean
count_fds (ReeveServerClient *self, Frame *frame)
{
  uint32_t n_fds;

  frame->n_fds = 0;
  if (frame->header.type != REEVE_MESSAGE_CALL_WITH_FDS)
    return TRUE;
  if (frame->size < REEVE_LENGTH_SIZE)
    return FALSE;

  n_fds = reeve_length_decode (frame->payload);
  if (n_fds > REEVE_MESSAGE_MAX_FDS ||
      (n_fds > 0 && self->transport != REEVE_TRANSPORT_UNIX)) {
    g_message (_ ("Client %1$" PRIu64 ": %2$u file descriptors with a message "
                  "are not possible here"),
               self->id, n_fds);
    return FALSE;
  }
  frame->n_fds = n_fds;
  return TRUE;
}

static void
note_bad_frame (ReeveServerClient *self, uint32_t length)
{
  reeve_server_note_refusal (
      self->server, REEVE_REFUSAL_MESSAGE,
      _ ("Client %1$" PRIu64 ": a message of %2$u bytes is not possible"),
      self->id, length);
}

/* A frame's length, 0 while it is not all there; what is no frame sets
 * is_bad. */
static size_t
measure_frame (ReeveServerClient *self,
               const uint8_t *data,
               size_t size,
               ReeveIntake *intake)
{
  uint32_t length;

  if (size < REEVE_LENGTH_SIZE)
    return 0;

  length = reeve_length_decode (data);
  if (length < REEVE_PAYLOAD_OFFSET || length > intake->max_bytes) {
    note_bad_frame (self, length);
    intake->is_bad = TRUE;
    return 0;
  }

  return length <= size ? length : 0;
}

/* (nullable): the input's buffer, if nothing but a long frame is in it. */
static uint8_t **
find_buffer (ReeveServerClient *self, const uint8_t *data, size_t length)
{
  return data == self->input && length == self->input_size &&
                 length >= self->input_capacity / 2
             ? &self->input
             : NULL;
}

/* Where no procedure takes any, the kernel has dropped those that came. */
static gboolean
take_fds (ReeveServerClient *self, size_t length, Frame *frame)
{
  if (reeve_fd_inbox_get_size (&self->inbox) == 0 &&
      (frame->n_fds == 0 || !reeve_server_takes_fds (self->server))) {
    frame->n_fds = 0;
    return TRUE;
  }
  return reeve_fd_inbox_take (&self->inbox, length, frame->n_fds, frame->fds);
}

/* Splits a frame off; returns its size with what carries its file descriptors,
 * 0 if it is not all there. What is no frame sets is_bad. */
static size_t
split_frame (ReeveServerClient *self,
             const uint8_t *data,
             size_t size,
             Frame *frame,
             ReeveIntake *intake)
{
  size_t length = measure_frame (self, data, size, intake);
  unsigned n_carriers;

  if (length == 0)
    return 0;

  reeve_header_decode (&frame->header, data + REEVE_LENGTH_SIZE);
  frame->payload = data + REEVE_PAYLOAD_OFFSET;
  frame->size = length - REEVE_PAYLOAD_OFFSET;
  if (!count_fds (self, frame)) {
    intake->is_bad = TRUE;
    return 0;
  }
  if (length + frame->n_fds > size)
    return 0;
  n_carriers = frame->n_fds;
  if (!take_fds (self, length, frame)) {
    g_message (_ ("Client %" PRIu64 ": a message came with other file "
                  "descriptors than it says"),
               self->id);
    intake->is_bad = TRUE;
    return 0;
  }

  return length + n_carriers;
}

static size_t
take_frame (ReeveServerClient *self,
            const uint8_t *data,
            size_t size,
            ReeveIntake *intake)
{
  Frame frame;
  size_t used = split_frame (self, data, size, &frame, intake);
  uint32_t type;

  if (used == 0)
    return 0;

  type = frame.header.type;
  if (reeve_keepalive_is_message (&frame.header)) {
    if (!intake->is_seen)
      take_keepalive (&frame.header, &intake->answers);
  } else if (type == REEVE_MESSAGE_CALL ||
             type == REEVE_MESSAGE_CALL_WITH_FDS) {
    take_call (self, &frame, intake);
  } else if (type == REEVE_MESSAGE_STREAM ||
             type == REEVE_MESSAGE_STREAM_HOLE) {
    take_stream_frame (self, &frame, find_buffer (self, data, used), intake);
  }
  drop_fds (&frame);
  return used;
}

/* A whole frame's header, and its size with what carries its file descriptors;
 * 0 for what is no frame, or not all there. */
static size_t
peek_frame (const uint8_t *data, size_t size, ReeveHeader *header)
{
  size_t length;
  uint32_t n_fds = 0;

  if (size < REEVE_PAYLOAD_OFFSET)
    return 0;

  length = reeve_length_decode (data);
  reeve_header_decode (header, data + REEVE_LENGTH_SIZE);
  if (length < REEVE_PAYLOAD_OFFSET || length > size)
    return 0;
  if (header->type == REEVE_MESSAGE_CALL_WITH_FDS &&
      length >= REEVE_PAYLOAD_OFFSET + REEVE_LENGTH_SIZE)
    n_fds = reeve_length_decode (data + REEVE_PAYLOAD_OFFSET);
  return n_fds <= size - length ? length + n_fds : 0;
}

/* Answers the pings behind calls that wait. */
static void
look_ahead (ReeveServerClient *self, GByteArray **answers)
{
  ReeveHeader header;
  size_t length;

  while ((length = peek_frame (self->input + self->n_seen,
                               self->input_size - self->n_seen, &header)) > 0) {
    if (reeve_keepalive_is_message (&header))
      take_keepalive (&header, answers);
    self->n_seen += length;
  }
}

/* A long frame of a stream can become the stream's with its buffer. */
static size_t
measure_stream_frame (ReeveServerClient *self, const uint8_t *data, size_t size)
{
  ReeveHeader header;
  uint32_t length;

  if (size < REEVE_PAYLOAD_OFFSET || atomic_load (&self->n_data_streams) == 0)
    return 0;

  reeve_header_decode (&header, data + REEVE_LENGTH_SIZE);
  length = reeve_length_decode (data);
  return header.type == REEVE_MESSAGE_STREAM &&
                 length <= REEVE_STREAM_BUFFER_SIZE
             ? length
             : 0;
}

/* -------------------------------------------------------------- output --- */

static gboolean
decode_args (ReeveCall *call, GError **error)
{
  size_t skip = call->header.type == REEVE_MESSAGE_CALL_WITH_FDS ? 4 : 0;

  call->has_args_in_place = TRUE;
  return call->args == NULL ||
         reeve_xdr_decode_in_place (call->procedure->args, call->payload + skip,
                                    call->payload_size - skip, call->args,
                                    error);
}

/* A frame of @size bytes, without those of the batch's tail. */
static void
write_without_tail (ReeveReplyBatch *batch,
                    const ReeveHeader *header,
                    const ReeveType *type,
                    gconstpointer value,
                    size_t size)
{
  size_t n_written = size - batch->tail.size;
  uint8_t *data = reeve_reply_batch_make_room (batch, n_written);

  reeve_message_write_header (header, data, size);
  reeve_xdr_encode_without (type, value, &batch->tail,
                            data + REEVE_PAYLOAD_OFFSET,
                            n_written - REEVE_PAYLOAD_OFFSET);
}

static gboolean
add_reply (ReeveReplyBatch *batch,
           const ReeveCall *call,
           gconstpointer ret,
           GError **error)
{
  const ReeveHeader reply = reeve_call_make_reply (call);
  const ReeveType *type = call->procedure->ret;
  gssize size = reeve_message_measure (type, ret, error);

  if (size < 0)
    return FALSE;

  if (size >= TAIL_SIZE && reeve_xdr_find_tail (type, ret, &batch->tail) &&
      batch->tail.size >= TAIL_SIZE) {
    batch->has_tail = TRUE;
    write_without_tail (batch, &reply, type, ret, (size_t) size);
    return TRUE;
  }

  reeve_message_write (&reply, type, ret,
                       reeve_reply_batch_make_room (batch, (size_t) size),
                       (size_t) size);
  return TRUE;
}

static GBytes *
encode_reply (const ReeveCall *call, gconstpointer ret, GError **error)
{
  const ReeveHeader reply = reeve_call_make_reply (call);

  return reeve_message_encode (&reply, call->procedure->ret, ret, error);
}

static GBytes *
encode_error (const ReeveCall *call, const GError *failure)
{
  const ReeveHeader reply = reeve_call_make_reply (call);

  return reeve_message_encode_error (&reply, failure);
}

static GBytes *
encode_event (ReeveServerClient *client,
              const ReeveProgram *program,
              const ReeveProcedure *procedure,
              gconstpointer body,
              GError **error)
{
  const ReeveHeader header = {
    .program = program->number,
    .version = program->version,
    .procedure = procedure->number,
    .type = REEVE_MESSAGE_EVENT,
  };

  return reeve_message_encode (&header, procedure->args, body, error);
}

const ReeveWire reeve_xdr_wire = {
  .name = "XDR",
  .flag = REEVE_WIRE_XDR,
  .take = take_frame,
  .look_ahead = look_ahead,
  .measure = measure_stream_frame,
  .decode_args = decode_args,
  .add_reply = add_reply,
  .encode_reply = encode_reply,
  .encode_error = encode_error,
  .encode_event = encode_event,
  .make_ping = reeve_keepalive_make_ping,
};
