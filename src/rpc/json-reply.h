/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/json-parse.h"
#include "rpc/json-scan.h"
#include "rpc/server-private.h"

G_BEGIN_DECLS

/*
 * A call in JSON: its arguments, and the answers to it. Its payload is a
 * ReeveJsonCall.
 */

/* How a reply looks; bits. */
typedef enum {
  REEVE_JSON_FORM_1 = 0,
  REEVE_JSON_FORM_2 = 1 << 0,
  REEVE_JSON_FORM_NO_REPLY = 1 << 1,
  REEVE_JSON_FORM_TEXT = 1 << 2, /* as ovs-appctl wants it */
} ReeveJsonForm;

/* Codes that JSON-RPC 2.0 has. */
enum {
  REEVE_JSON_PARSE_ERROR = -32700,
  REEVE_JSON_INVALID_REQUEST = -32600,
  REEVE_JSON_NO_METHOD = -32601,
  REEVE_JSON_INVALID_PARAMS = -32602,
};

typedef struct {
  ReeveJsonForm form;
  const ReeveCommand *command; /* (nullable) */
  uint32_t name_size;          /* with its NUL */
  uint32_t id_size;
  uint32_t params_size;
  gboolean is_misunderstood; /* the arguments cannot be decoded */
  char text[];               /* what it was called, the id, the parameters */
} ReeveJsonCall;

ReeveJsonCall *reeve_json_call_get (ReeveCall *call);

/* As a ReeveWire has them. */
gboolean reeve_json_call_decode_args (ReeveCall *call, GError **error);
gboolean reeve_json_call_add_reply (ReeveReplyBatch *batch,
                                    const ReeveCall *call,
                                    gconstpointer ret,
                                    GError **error);
GBytes *reeve_json_call_encode_reply (const ReeveCall *call,
                                      gconstpointer ret,
                                      GError **error);
GBytes *
reeve_json_call_encode_error (const ReeveCall *call, const GError *failure);
GBytes *reeve_json_encode_event (ReeveServerClient *client,
                                 const ReeveProgram *program,
                                 const ReeveProcedure *procedure,
                                 gconstpointer body,
                                 GError **error);

/* (transfer full): a reply with that result, or with an error. @json_code: 0:
 * that of @failure; @object: (nullable): what it is about */
GBytes *reeve_json_reply_text (ReeveJsonForm form,
                               ReeveJsonSpan id,
                               ReeveJsonSpan result);
GBytes *reeve_json_reply_error (ReeveJsonForm form,
                                ReeveJsonSpan id,
                                int json_code,
                                const char *object,
                                const GError *failure);

G_END_DECLS
