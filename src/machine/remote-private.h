/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the files called remote-*.c have in common. */

#include "machine/config.h"
#include "machine/machine-list.h"
#include "machine/machine-table.h"
#include "machine/remote.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "protocol/watch.h"
#include "rpc/call.h"
#include "rpc/server.h"

G_BEGIN_DECLS

struct _ReeveRemote {
  ReeveMachineList *machines; /* (owned) */
  ReeveStoragePool *pool;     /* (owned) */
  char *uri;                  /* immutable */
  remote_handlers handlers;   /* immutable once registered */
  qemu_handlers qemu_handlers;
  watch_handlers watch_handlers;
};

/* Each fills in the handlers of one subject. */
void reeve_remote_add_connect (remote_handlers *handlers);
void reeve_remote_add_node (remote_handlers *handlers);
void reeve_remote_add_list (remote_handlers *handlers);
void reeve_remote_add_define (remote_handlers *handlers);
void reeve_remote_add_life (remote_handlers *handlers);
void reeve_remote_add_info (remote_handlers *handlers);
void reeve_remote_add_stats (remote_handlers *handlers);
void reeve_remote_add_metadata (remote_handlers *handlers);
void reeve_remote_add_event (remote_handlers *handlers);
void reeve_remote_add_graphics (remote_handlers *handlers);
void reeve_remote_add_pool (remote_handlers *handlers);
void reeve_remote_add_volume (remote_handlers *handlers);
void reeve_remote_add_stream (remote_handlers *handlers);
void reeve_remote_add_qemu (qemu_handlers *handlers);
void reeve_remote_add_watch (watch_handlers *handlers);

ReeveRemote *reeve_remote_get (ReeveCall *call);
ReeveMachineList *reeve_remote_get_machines (ReeveCall *call);

/* Errors: REEVE_ERROR_INTERNAL before connect_open, as libvirtd has it. */
gboolean reeve_remote_check_open (ReeveCall *call, GError **error);

/* (transfer full) (nullable): by its uuid, as the other members of a handle
 * may be stale. */
ReeveMachine *reeve_remote_find (ReeveCall *call,
                                 const remote_domain *domain,
                                 GError **error);

/* As reeve_remote_find(), if @flags has no bit but those of @known; else fails
 * as reeve_remote_check_flags(). */
ReeveMachine *reeve_remote_find_with_flags (ReeveCall *call,
                                            const remote_domain *domain,
                                            uint32_t flags,
                                            uint32_t known,
                                            GError **error);

/* remote-access.c: how a policy finds what a call is about. */
void reeve_remote_add_objects (ReeveServer *server);

/* remote-rows.c: of which machines the caller may know. @filter: of
 * ReeveMachineFilter. */
unsigned reeve_remote_count_rows (ReeveCall *call, unsigned filter);
/* Makes @to of @row; what that points to lives as long as the reply. */
typedef void (*ReeveRemoteFillRow) (gpointer to, const ReeveMachineRow *row);
/* (transfer none): elements for the result, which they are lent to:
 * once for a call. */
gpointer reeve_remote_lend_rows (ReeveCall *call,
                                 unsigned filter,
                                 size_t row_size,
                                 ReeveRemoteFillRow fill,
                                 uint32_t *n_rows);
/* (element-type ReeveMachine) (transfer full): those about which the caller may
 * know what takes @tag. */
GPtrArray *
reeve_remote_get_visible (ReeveCall *call, const char *tag, unsigned filter);

/* The handle of a machine as it is now; owned by the reply. */
void reeve_remote_fill (remote_domain *domain, ReeveMachine *machine);

/* Whether @flags has no bit but those of @known; else fails like libvirtd. */
gboolean reeve_remote_check_flags (ReeveCall *call,
                                   uint32_t flags,
                                   uint32_t known,
                                   GError **error);

/* When an operation for @call has to end: a little before the call itself. */
gint64 reeve_remote_get_deadline_us (ReeveCall *call);

/* ReeveMachineDone: answers the deferred call @data with nothing, or with the
 * machine's handle. */
void
reeve_remote_answer (ReeveMachine *machine, const GError *error, gpointer data);
void reeve_remote_answer_handle (ReeveMachine *machine,
                                 const GError *error,
                                 gpointer data);

/* Defers @call until it has ended; the answer is nothing. */
void reeve_remote_run (ReeveCall *call,
                       ReeveMachine *machine,
                       ReeveMachineOperation operation);

/* The bits of libvirt's DomainModificationImpact. */
enum {
  REEVE_IMPACT_LIVE = 1 << 0,
  REEVE_IMPACT_CONFIG = 1 << 1,
  REEVE_IMPACT_MAXIMUM = 1 << 2,
};

/* "Current" (0) is live for a machine that runs, and its definition for one
 * that does not. Errors: REEVE_ERROR_OPERATION_INVALID. */
gboolean reeve_remote_resolve_impact (const ReeveMachineSnapshot *snapshot,
                                      uint32_t *flags,
                                      GError **error);

/* ------------------------------------------------- typed parameters ------ */

/* (element-type remote_typed_param) (owned by the reply it ends in) */
void reeve_params_add_int (GArray *params, const char *field, int32_t value);
void reeve_params_add_uint (GArray *params, const char *field, uint32_t value);
void
reeve_params_add_ullong (GArray *params, const char *field, uint64_t value);
void
reeve_params_add_string (GArray *params, const char *field, const char *value);

/* ------------------------------------------------------------ session ---- */

/* What is kept for a client. */
typedef struct _ReeveSession ReeveSession;

/* (transfer none): made when it is first asked for; lives as long as the
 * client, that is: as a call of it. */
ReeveSession *reeve_session_get (ReeveCall *call);
gboolean reeve_session_is_open (ReeveSession *self);
void reeve_session_set_open (ReeveSession *self);
/* @owner: (out) (transfer none) (nullable): what to start a machine with; %NULL
 * without %REEVE_MACHINE_START_AUTODESTROY. Errors: %REEVE_ERROR_CLOSED when
 * the client, with which it is to end, is gone. */
gboolean reeve_session_find_owner (ReeveCall *call,
                                   uint32_t start_flags,
                                   gconstpointer *owner,
                                   GError **error);

/* session-state.c, remote-stream.c: what goes along to another process. */
void
reeve_remote_keep_sessions (ReeveServer *server, ReeveMachineList *machines);
void
reeve_remote_keep_consoles (ReeveServer *server, ReeveMachineList *machines);

/* What wants to know of an event. */
typedef enum {
  REEVE_SUBSCRIPTION_CALLBACK, /* of a callback id */
  REEVE_SUBSCRIPTION_LEGACY,   /* of an event id, in the old form */
  REEVE_SUBSCRIPTION_MONITOR,  /* of the program qemu */
} ReeveSubscriptionKind;

/**
 * reeve_session_subscribe:
 * @uuid: (nullable): of one machine; all if %NULL
 * @name: (nullable): for the monitor: the event's name, or a pattern
 * @is_regex: what @name is
 * @id: (out): of the subscription
 *
 * Errors: %REEVE_ERROR_INVALID_ARG if there is such a one; %REEVE_ERROR_LIMIT.
 */
gboolean reeve_session_subscribe (ReeveSession *self,
                                  ReeveSubscriptionKind kind,
                                  int32_t event_id,
                                  const uint8_t *uuid,
                                  const char *name,
                                  gboolean is_regex,
                                  gboolean ignores_case,
                                  int32_t *id,
                                  GError **error);

/* @id is of the subscription, or (legacy) of the event.
 * Errors: REEVE_ERROR_INVALID_ARG if there is none. */
gboolean reeve_session_unsubscribe (ReeveSession *self,
                                    ReeveSubscriptionKind kind,
                                    int32_t id,
                                    GError **error);

/* The client is told of the revision of each event from now on. */
void reeve_session_watch (ReeveSession *self);

/* remote-watch.c: after what else is sent of the event. */
void reeve_watch_send_revision (ReeveServerClient *client,
                                const ReeveMachineEvent *event);

/* remote-event-body.c: sends @event to @client in the form that @kind wants. */
void reeve_event_send (ReeveServerClient *client,
                       ReeveSubscriptionKind kind,
                       int32_t event_id,
                       int32_t callback_id,
                       const ReeveMachineEvent *event);

/* What `subscribe` of JSON-RPC knows. */
void reeve_remote_add_subscriptions (ReeveServer *server);

/* Adds the program `machine`. */
void reeve_machine_program_register (ReeveRemote *remote, ReeveServer *server);

G_END_DECLS
