/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "protocol/watch.h"
#include "rpc/wire-xdr.h"

/*
 * How much of what happened to machines a connection that comes back has been
 * told. The server's mark stands behind the events of all that it lists, so
 * that nothing is told twice: what comes before it is dropped.
 */

static watch_sync_args
get_seen (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return (watch_sync_args){ self->epoch, self->revision };
}

gboolean
reeve_connection_sync (ReeveConnection *self,
                       unsigned link,
                       int timeout_ms,
                       GError **error)
{
  const watch_sync_args seen = get_seen (self);
  uint8_t payload[16];

  reeve_xdr_encode (&watch_sync_args_type, &seen, payload, sizeof payload);
  return reeve_connection_call_encoded (
      self, link, &watch_program,
      reeve_program_find (&watch_program, WATCH_PROC_SYNC), payload,
      sizeof payload, NULL, timeout_ms, error);
}

static void
note_seen (ReeveConnection *self, const watch_mark_msg *mark)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->epoch = mark->epoch;
  self->revision = mark->revision;
  self->is_restoring = FALSE;
}

static void
note_revision (ReeveConnection *self, uint64_t revision)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (!self->is_restoring)
    self->revision = revision;
}

static gboolean
is_restoring (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_restoring;
}

static gboolean
is_lasting (ReeveConnection *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->is_lasting;
}

static void
take_mark (ReeveConnection *self, const uint8_t *payload, size_t size)
{
  watch_mark_msg mark = { 0 };

  if (reeve_xdr_decode (&watch_mark_msg_type, payload, size, &mark, NULL, NULL))
    note_seen (self, &mark);
  watch_mark_msg_clear (&mark);
}

static void
take_revision (ReeveConnection *self, const uint8_t *payload, size_t size)
{
  watch_revision_msg body = { 0 };

  if (reeve_xdr_decode (&watch_revision_msg_type, payload, size, &body, NULL,
                        NULL))
    note_revision (self, body.revision);
}

gboolean
reeve_connection_watch_event (ReeveConnection *self,
                              const ReeveHeader *header,
                              const uint8_t *payload,
                              size_t size)
{
  if (!is_lasting (self))
    return TRUE;
  if (header->program != watch_program.number)
    return !is_restoring (self);

  if (header->procedure == WATCH_PROC_MARK)
    take_mark (self, payload, size);
  else if (header->procedure == WATCH_PROC_REVISION)
    take_revision (self, payload, size);
  return TRUE;
}

void
reeve_connection_mark_all (ReeveConnection *self)
{
  const watch_mark_msg mark = { 0 };

  note_seen (self, &mark);
  reeve_connection_tell (self, &watch_program, WATCH_PROC_MARK, &mark);
}
