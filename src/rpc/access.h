/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/call.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/*
 * Who may do what. A procedure's tags (`@acl` of the .x file) say what it
 * takes; before its handler runs, in the handler's thread, the server asks its
 * policy about each of them, and about the object that the call is for. A
 * server without a policy lets everybody do everything.
 */

/**
 * ReeveAccessScope:
 * @REEVE_ACCESS_NAMED: the object that is named
 * @REEVE_ACCESS_NAMELESS: the daemon itself, that is no object with a name
 * @REEVE_ACCESS_EACH: each object, as it is not known which it will be
 * @REEVE_ACCESS_SOME: one object at least; the handler asks about those it
 *   comes to
 * @REEVE_ACCESS_OWN: nothing: the handler asks in words of its own
 *
 * What a question is about.
 */
typedef enum {
  REEVE_ACCESS_NAMED,
  REEVE_ACCESS_NAMELESS,
  REEVE_ACCESS_EACH,
  REEVE_ACCESS_SOME,
  REEVE_ACCESS_OWN,
} ReeveAccessScope;

/* What a call is for. */
typedef struct {
  ReeveAccessScope scope;
  char *name; /* (owned) (nullable): of one that is named */
} ReeveAccessObject;

/**
 * ReeveAccessObjects:
 * @find: finds the object of @call that @tag is about; %FALSE with an error,
 *   which is the answer to the call, if there is none
 * @hide: (nullable): for an object that is there, but that the caller may not
 *   even see, sets the error of @find for one that is not; %FALSE if it need
 * not be hidden
 *
 * How the calls of a program are understood. Both are called in the handler's
 * thread; an inline procedure's must not block.
 */
typedef struct {
  gboolean (*find) (ReeveCall *call,
                    gconstpointer args,
                    const char *tag,
                    ReeveAccessObject *object,
                    GError **error);
  gboolean (*hide) (ReeveCall *call,
                    gconstpointer args,
                    const char *tag,
                    GError **error);
} ReeveAccessObjects;

/* What a policy is asked. */
typedef struct {
  ReeveServerClient *client;
  const ReeveProgram *program; /* (nullable): with the next one, of a call */
  const ReeveProcedure *procedure; /* (nullable) */
  uint32_t serial;                 /* of the call */
  const char *tag;                 /* "object:permission" */
  ReeveAccessScope scope;
  const char *name; /* (nullable) */
} ReeveAccessQuestion;

typedef enum {
  REEVE_ACCESS_GRANTED,
  REEVE_ACCESS_DENIED,
  REEVE_ACCESS_READ_ONLY, /* denied, as the connection is read-only */
} ReeveAccessOutcome;

/**
 * ReevePolicy:
 * @is_active: whether there is anything to ask
 * @allows: answers a question
 * @report: told what became of a call; of one that was granted with the last
 *   of its questions. A call about some objects is told of when its handler
 *   has asked about them.
 *
 * What decides. Everything may be called in any thread, that of the loop
 * included, and must not block.
 */
typedef struct {
  gboolean (*is_active) (gpointer data);
  gboolean (*allows) (gpointer data, const ReeveAccessQuestion *question);
  void (*report) (gpointer data,
                  const ReeveAccessQuestion *question,
                  ReeveAccessOutcome outcome);
} ReevePolicy;

/* @policy, @data: live as long as the server. Before the first listen.
 * Thread: owner. */
void reeve_server_set_policy (ReeveServer *self,
                              const ReevePolicy *policy,
                              gpointer data);

/* For a program that was added. Without it, tags of the objects `connect` and
 * `access` are about the daemon and the others about each object. Before the
 * first listen. Thread: owner. */
void reeve_server_set_objects (ReeveServer *self,
                               const ReeveProgram *program,
                               const ReeveAccessObjects *objects);

/**
 * reeve_call_check_access:
 * @tags: (nullable): what it takes, e.g. "domain:write domain:save"; for
 *   %NULL, the tags of the call's procedure
 * @name: of the object
 *
 * For a handler that comes to objects which its arguments do not name.
 *
 * Thread: the handler's.
 * Errors: %REEVE_ERROR_ACCESS_DENIED.
 */
gboolean reeve_call_check_access (ReeveCall *self,
                                  const char *tags,
                                  const char *name,
                                  GError **error);

/* The same without words, to leave things out of lists and events. Thread:
 * any, as of the next one. */
gboolean reeve_server_client_may (ReeveServerClient *self,
                                  const char *tag,
                                  const char *name);
/* Whether there is anything that it may not. */
gboolean reeve_server_client_is_restricted (ReeveServerClient *self);

G_END_DECLS
