/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "event/loop.h"

#include <json-glib/json-glib.h>
#include <stdint.h>

G_BEGIN_DECLS

/**
 * ReeveQmp:
 *
 * A connection to a QEMU's monitor. Commands are sent at once, in order and
 * without waiting for earlier answers, the greeting included; QEMU answers in
 * that order. Whatever QEMU does, every command's reply function is called
 * exactly once: with the answer, at its deadline, or when the connection ends.
 *
 * All functions and all callbacks: Thread: loop. A callback may do anything,
 * closing and freeing the connection included.
 */
typedef struct _ReeveQmp ReeveQmp;

/* @result: (nullable): the `return` member; %NULL when @error is set. */
typedef void (*ReeveQmpReply) (JsonNode *result,
                               const GError *error,
                               gpointer data);

/* @message: (nullable): the answer as it came, `return` or `error`. */
typedef void (*ReeveQmpRawReply) (JsonObject *message,
                                  const GError *error,
                                  gpointer data);

/**
 * ReeveQmpFuncs:
 * @ready: the greeting came and capabilities are negotiated
 * @event: QEMU tells something; @details is %NULL when it has no data
 * @closed: the connection is lost (EOF and ECONNRESET alike, a broken stream,
 *   or no greeting in time); called once, after the last event and after
 *   every pending command failed, and not after reeve_qmp_close()
 */
typedef struct {
  void (*ready) (ReeveQmp *self, gpointer data);
  void (*event) (ReeveQmp *self,
                 const char *name,
                 JsonObject *details,
                 int64_t seconds,
                 unsigned microseconds,
                 gpointer data);
  void (*closed) (ReeveQmp *self, const GError *reason, gpointer data);
} ReeveQmpFuncs;

/**
 * reeve_qmp_new:
 * @fd: (transfer full): a connected stream socket
 * @funcs: copied; members may be %NULL
 * @greeting_deadline_us: in g_get_monotonic_time()'s time; %G_MAXINT64 waits
 *   for ever
 */
ReeveQmp *reeve_qmp_new (ReeveLoop *loop,
                         int fd,
                         const ReeveQmpFuncs *funcs,
                         gpointer data,
                         gint64 greeting_deadline_us);
ReeveQmp *reeve_qmp_ref (ReeveQmp *self);
void reeve_qmp_unref (ReeveQmp *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveQmp, reeve_qmp_unref)

/**
 * ReeveQmpState:
 *
 * A connection on its way to another process.
 * @fd: (transfer none), when it is saved
 * @unread: (array length=n_unread): the begin of a message
 */
typedef struct {
  int fd;
  int64_t last_id;
  const uint8_t *unread;
  size_t n_unread;
} ReeveQmpState;

/* Whether it can be saved: it is ready, and nothing is to be written or waited
 * for, but answers that are late already. */
gboolean reeve_qmp_save (ReeveQmp *self, ReeveQmpState *state);

/* As reeve_qmp_new(), of a connection that is ready; @state.fd is (transfer
 * full). */
ReeveQmp *reeve_qmp_restore (ReeveLoop *loop,
                             const ReeveQmpState *state,
                             const ReeveQmpFuncs *funcs,
                             gpointer data);

/* Fails what is pending and closes the socket. QEMU runs on. */
void reeve_qmp_close (ReeveQmp *self);

/* Reads, now, what a QEMU that ended had still said. */
void reeve_qmp_drain (ReeveQmp *self);

gboolean reeve_qmp_is_ready (ReeveQmp *self);
gboolean reeve_qmp_is_closed (ReeveQmp *self);

/* When the oldest command that waits for its answer was sent; 0: none. It
 * counts a command whose deadline passed until QEMU answers it. */
gint64 reeve_qmp_get_oldest_us (ReeveQmp *self);

/**
 * reeve_qmp_execute:
 * @arguments: (nullable) (transfer full)
 * @deadline_us: in g_get_monotonic_time()'s time
 * @reply: (nullable): not called from inside this function
 *
 * Errors given to @reply: %REEVE_ERROR_OPERATION_FAILED with QEMU's words,
 * %REEVE_ERROR_TIMED_OUT, %REEVE_ERROR_CLOSED, %REEVE_ERROR_LIMIT when too
 * much is pending.
 */
void reeve_qmp_execute (ReeveQmp *self,
                        const char *command,
                        JsonObject *arguments,
                        gint64 deadline_us,
                        ReeveQmpReply reply,
                        gpointer data);

/**
 * reeve_qmp_execute_with_fd:
 * @fd: (transfer none): sent with the command's first byte (`getfd`, `add-fd`)
 */
void reeve_qmp_execute_with_fd (ReeveQmp *self,
                                const char *command,
                                JsonObject *arguments,
                                int fd,
                                gint64 deadline_us,
                                ReeveQmpReply reply,
                                gpointer data);

/**
 * reeve_qmp_execute_raw:
 * @request: (transfer none): a whole request; its `id` is replaced
 * @fd: (transfer none): as of reeve_qmp_execute_with_fd(); -1 for none
 *
 * For passing a user's command on: an error of QEMU's is an answer, not an
 * error. The answer's `id` is the request's, or absent as there.
 */
void reeve_qmp_execute_raw (ReeveQmp *self,
                            JsonObject *request,
                            int fd,
                            gint64 deadline_us,
                            ReeveQmpRawReply reply,
                            gpointer data);

G_END_DECLS
