/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/event-frames.h"

#include "rpc/server-private.h"
#include "rpc/wire.h"

/* That are kept: clients number their callbacks from 1, so that few have a
 * number of their own. */
#define MAX_FRAMES 32

typedef struct {
  const ReeveWire *wire;
  const ReeveProcedure *procedure;
  int32_t key;
  GBytes *bytes; /* (owned) */
} Frame;

struct _ReeveEventFrames {
  GArray *frames; /* (element-type Frame) (owned) */
  unsigned n_encoded;
};

static void
frame_clear (gpointer data)
{
  g_bytes_unref (((Frame *) data)->bytes);
}

ReeveEventFrames *
reeve_event_frames_new (void)
{
  ReeveEventFrames *self = g_new0 (ReeveEventFrames, 1);

  self->frames = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_array_set_clear_func (self->frames, frame_clear);
  return self;
}

void
reeve_event_frames_free (ReeveEventFrames *self)
{
  if (self == NULL)
    return;

  g_array_unref (self->frames);
  g_free (self);
}

unsigned
reeve_event_frames_get_n_encoded (ReeveEventFrames *self)
{
  return self->n_encoded;
}

/* (nullable) (transfer full) */
static GBytes *
find (ReeveEventFrames *self, const Frame *wanted)
{
  for (guint i = 0; i < self->frames->len; i++) {
    const Frame *frame = &g_array_index (self->frames, Frame, i);

    if (frame->wire == wanted->wire && frame->procedure == wanted->procedure &&
        frame->key == wanted->key)
      return g_bytes_ref (frame->bytes);
  }
  return NULL;
}

static void
keep (ReeveEventFrames *self, Frame frame, GBytes *bytes)
{
  if (self->frames->len >= MAX_FRAMES)
    return;

  frame.bytes = g_bytes_ref (bytes);
  g_array_append_val (self->frames, frame);
}

gboolean
reeve_event_frames_send (ReeveEventFrames *self,
                         ReeveServerClient *client,
                         int32_t key,
                         const ReeveProgram *program,
                         const ReeveProcedure *procedure,
                         gconstpointer body)
{
  const Frame wanted = { reeve_server_client_get_wire (client), procedure,
                         key };
  g_autoptr (GBytes) bytes = find (self, &wanted);

  if (bytes == NULL) {
    bytes = reeve_server_client_encode_event (client, program, procedure, body);
    if (bytes == NULL)
      return FALSE;
    self->n_encoded++;
    keep (self, wanted, bytes);
  }
  return reeve_server_client_send_event_frame (client, bytes);
}
