/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/server-client-private.h"

G_BEGIN_DECLS

/**
 * ReeveWire:
 * @name: for messages
 * @is_ordered: nothing tells its replies apart but their order: one call at a
 *   time
 * @survives_end: a client that says that it sends no more gets its replies
 * @max_bytes: of a message; 0: as many as the server allows
 * @state_size: of what it keeps for a client between two reads
 * @clear_state: (nullable): frees what is in that
 * @is_amid: (nullable): whether a message was taken in part: another process
 *   cannot go on with it
 * @take: splits one message off what was read and takes it; returns its size, 0
 *   if it is not all there or (then the intake has no room, or nothing left of
 *   its turn) not all taken. What is no message sets is_bad.
 * @look_ahead: (nullable): answers what does not wait for calls that have no
 *   room; looks at what is behind n_seen and moves that
 * @measure: (nullable): the size of a message whose begin is there, if it is to
 *   be read into a buffer of its own; else 0
 * @decode_args: of a call, from its payload
 * @add_reply: to a batch of replies
 * @encode_reply: (transfer full) (nullable)
 * @encode_error: (transfer full)
 * @encode_event: (transfer full) (nullable)
 * @make_ping: (transfer full) (nullable): asks whether the client is alive
 *
 * How messages look on a client's connection: constant, and the same from the
 * first byte of the client on. @take, @look_ahead and @measure are of the
 * loop's thread; the others may be called in any that has a call.
 */
struct _ReeveWire {
  const char *name;
  ReeveWires flag;
  gboolean is_ordered;
  gboolean survives_end;
  size_t max_bytes;
  size_t state_size;
  void (*clear_state) (gpointer state);
  gboolean (*is_amid) (gconstpointer state);

  size_t (*take) (ReeveServerClient *client,
                  const uint8_t *data,
                  size_t size,
                  ReeveIntake *intake);
  void (*look_ahead) (ReeveServerClient *client, GByteArray **answers);
  size_t (*measure) (ReeveServerClient *client,
                     const uint8_t *data,
                     size_t size);

  gboolean (*decode_args) (ReeveCall *call, GError **error);
  gboolean (*add_reply) (ReeveReplyBatch *batch,
                         const ReeveCall *call,
                         gconstpointer ret,
                         GError **error);
  GBytes *(*encode_reply) (const ReeveCall *call,
                           gconstpointer ret,
                           GError **error);
  GBytes *(*encode_error) (const ReeveCall *call, const GError *failure);
  GBytes *(*encode_event) (ReeveServerClient *client,
                           const ReeveProgram *program,
                           const ReeveProcedure *procedure,
                           gconstpointer body,
                           GError **error);
  GBytes *(*make_ping) (void);
};

extern const ReeveWire reeve_json_wire;
extern const ReeveWire reeve_text_wire;
extern const ReeveWire reeve_xdr_wire;

/* (nullable): what begins with that byte. A length of XDR is at most 32 MiB, a
 * text of JSON is an object or an array; configuration text is anything else
 * that can be printed. */
const ReeveWire *reeve_wire_sniff (uint8_t first);

/* (nullable): the one of that flag. */
const ReeveWire *reeve_wire_find (ReeveWires flag);

/* Appends an answer to what is no call. (transfer full) */
void reeve_intake_add_answer (GByteArray **answers, GBytes *message);

/* Whether a call may run. FALSE: with @error set, which is the answer. */
gboolean reeve_server_client_check_call (ReeveServerClient *self,
                                         uint32_t serial,
                                         const ReeveProgram *program,
                                         const ReeveProcedure *procedure,
                                         GError **error);

/* Takes a call that may run. (transfer full) */
void reeve_intake_add_call (ReeveIntake *intake, ReeveCall *call);

G_END_DECLS
