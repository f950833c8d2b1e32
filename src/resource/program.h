/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "resource/tree.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveResourceProgram:
 *
 * The program `resource` (protocol/resource.x): serves a tree to the clients of
 * a server, and the messages and pulses that a daemon takes from them.
 *
 * A handle belongs to the connection on which it was opened, and is closed with
 * it. A client on a unix socket is who its process is, and owner and mode of a
 * node hold for it as for a mount's; any other is nobody, but for nodes that
 * have a guard, which knows the client. What is opened is asked of the server's
 * policy before (`resource:read`, `resource:write`, with the path as name), but
 * for nodes with a guard; what is done with it later is not.
 *
 * Thread: owner; the loop's, as the tree's.
 */
typedef struct _ReeveResourceProgram ReeveResourceProgram;

/* Of one client; those of files are asked of NOTIFY. */
#define REEVE_RESOURCE_MAX_HANDLES 256
#define REEVE_RESOURCE_MAX_EVENT_FDS 32

/* Before the server listens. @tree: outlives the program. */
ReeveResourceProgram *
reeve_resource_program_new (ReeveServer *server, ReeveResourceTree *tree);
/* Once the server has stopped. */
void reeve_resource_program_free (ReeveResourceProgram *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveResourceProgram,
                               reeve_resource_program_free)

/**
 * reeve_resource_program_interrupt:
 *
 * What waits fails with `EINTR`, and who asked for an event has one, in which
 * nothing is ready. For a server that is frozen: it would wait for the calls,
 * and its successor has no handles, of which the clients learn so.
 */
void reeve_resource_program_interrupt (ReeveResourceProgram *self);

/* How many handles there are, and calls that wait for one. */
unsigned reeve_resource_program_count_open (const ReeveResourceProgram *self);
unsigned
reeve_resource_program_count_waiting (const ReeveResourceProgram *self);

/* The lowest type of a message that is a daemon's own. */
#define REEVE_RESOURCE_MESSAGE_MIN 512

/* One message of a client, which waits for its reply. */
typedef struct _ReeveResourceMessage ReeveResourceMessage;

/**
 * ReeveResourceMessageFunc:
 * @message: (transfer full): for reeve_resource_message_reply() or
 *   reeve_resource_message_fail(), now or later, from the same thread
 */
typedef void (*ReeveResourceMessageFunc) (ReeveResourceMessage *message,
                                          gpointer data);
typedef void (*ReeveResourcePulseFunc) (int code, int64_t value, gpointer data);

/**
 * reeve_resource_program_attach_messages:
 * @low, @high: the types, both included; from %REEVE_RESOURCE_MESSAGE_MIN
 *
 * A type that nobody has attached to fails with `ENOSYS`, and so does a pulse.
 *
 * Returns: 0, `EINVAL`; `EEXIST` if one of the types has a function
 */
int reeve_resource_program_attach_messages (ReeveResourceProgram *self,
                                            uint32_t low,
                                            uint32_t high,
                                            ReeveResourceMessageFunc func,
                                            gpointer data);
/** Returns: 0 or `EEXIST` */
int reeve_resource_program_attach_pulse (ReeveResourceProgram *self,
                                         int code,
                                         ReeveResourcePulseFunc func,
                                         gpointer data);

uint32_t reeve_resource_message_get_type (const ReeveResourceMessage *self);
const char *reeve_resource_message_get_bytes (const ReeveResourceMessage *self,
                                              size_t *size);
/** @size: what is above that which the client takes is cut off */
void reeve_resource_message_reply (ReeveResourceMessage *self,
                                   int status,
                                   const void *bytes,
                                   size_t size);
void reeve_resource_message_fail (ReeveResourceMessage *self, int errnum);

G_END_DECLS
