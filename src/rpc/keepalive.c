/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/keepalive.h"

#include "protocol/keepalive.h"

ReeveKeepaliveStep
reeve_keepalive_step (ReeveKeepalive *self,
                      int interval_s,
                      unsigned count,
                      gint64 now_us,
                      gint64 *due_us)
{
  gint64 interval_us = interval_s * G_USEC_PER_SEC;

  if (self->alive_us >= self->asked_us)
    self->n_asked = 0;

  *due_us = MAX (self->alive_us, self->asked_us) + interval_us;
  if (now_us < *due_us)
    return REEVE_KEEPALIVE_WAIT;
  if (now_us - *due_us > interval_us)
    self->n_asked = 0;
  if (self->n_asked >= count)
    return REEVE_KEEPALIVE_END;

  self->n_asked++;
  self->asked_us = now_us;
  *due_us = now_us + interval_us;
  return REEVE_KEEPALIVE_ASK;
}

void
reeve_keepalive_note_output (ReeveKeepalive *self,
                             gint64 n_taken,
                             gboolean has_backlog,
                             gint64 now_us)
{
  if (self->had_backlog && n_taken > self->n_taken)
    self->alive_us = now_us;
  self->n_taken = n_taken;
  self->had_backlog = has_backlog;
}

gboolean
reeve_keepalive_is_message (const ReeveHeader *header)
{
  return header->program == keepalive_program.number &&
         header->type != REEVE_MESSAGE_CALL;
}

static GBytes *
make_frame (int32_t procedure)
{
  const ReeveHeader header = {
    .program = keepalive_program.number,
    .version = keepalive_program.version,
    .procedure = procedure,
    .type = REEVE_MESSAGE_EVENT,
  };

  return reeve_message_encode (&header, NULL, NULL, NULL);
}

GBytes *
reeve_keepalive_answer (const ReeveHeader *header)
{
  if (header->type != REEVE_MESSAGE_EVENT ||
      header->version != keepalive_program.version ||
      header->procedure != KEEPALIVE_PROC_PING)
    return NULL;

  return make_frame (KEEPALIVE_PROC_PONG);
}

GBytes *
reeve_keepalive_make_ping (void)
{
  return make_frame (KEEPALIVE_PROC_PING);
}
