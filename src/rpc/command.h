/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/program.h"

G_BEGIN_DECLS

typedef struct _ReeveServer ReeveServer;

/**
 * ReeveCommand:
 * @name: as in `vlog/set`
 * @procedure: its number
 * @format: (nullable): makes the text of the procedure's result, which
 *   otherwise is made by its type: configuration text, or the string if it is
 *   nothing but one
 *
 * A name by which Open vSwitch's `ovs-appctl` calls a procedure. Every other
 * procedure is a command, too, named PROGRAM.PROCEDURE.
 */
typedef struct {
  const char *name;
  const ReeveProgram *program;
  int32_t procedure;
  char *(*format) (gconstpointer ret);
} ReeveCommand;

/* @commands: lives as long as @self. Before the first listen. Thread: owner. */
void reeve_server_add_commands (ReeveServer *self,
                                const ReeveCommand *commands,
                                size_t n_commands);

/**
 * ReeveCommandFunc:
 * @name: (transfer none): of a command
 * @usage: (transfer none): of its arguments
 */
typedef void (*ReeveCommandFunc) (const char *name,
                                  const char *usage,
                                  const ReeveProcedure *procedure,
                                  gpointer data);

/**
 * ReeveSubscription:
 * @event: as in `remote.domain_event_callback_lifecycle`
 * @method: what is to be called so that it comes: PROGRAM.PROCEDURE
 * @params: of that, in JSON
 *
 * What `subscribe` of JSON-RPC does.
 */
typedef struct {
  const char *event;
  const char *method;
  const char *params;
} ReeveSubscription;

/* @subscriptions: copied; what they point to is constant. Before the first
 * listen. Thread: owner. */
void reeve_server_add_subscriptions (ReeveServer *self,
                                     const ReeveSubscription *subscriptions,
                                     size_t n_subscriptions);

/* Each command, sorted by name; not what XDR alone can call. Thread: any. */
void reeve_server_foreach_command (ReeveServer *self,
                                   ReeveCommandFunc func,
                                   gpointer data);

G_END_DECLS
