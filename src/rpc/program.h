/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

G_BEGIN_DECLS

typedef struct _ReeveCall ReeveCall;

/**
 * ReeveDispatch:
 * @REEVE_DISPATCH_NORMAL: runs on an ordinary worker, may block there
 * @REEVE_DISPATCH_PRIORITY: runs on any worker, the priority ones included;
 *   never waits for a machine
 * @REEVE_DISPATCH_INLINE: runs on the loop thread (a pure one: on that of any
 *   loop); must not block
 * @REEVE_DISPATCH_EVENT: sent by the server; cannot be called
 */
typedef enum {
  REEVE_DISPATCH_NORMAL = 0,
  REEVE_DISPATCH_PRIORITY = 1,
  REEVE_DISPATCH_INLINE = 2,
  REEVE_DISPATCH_EVENT = 3,
} ReeveDispatch;

typedef enum {
  REEVE_PROCEDURE_READ_ONLY = 1 << 0,  /* may be called on a read-only one */
  REEVE_PROCEDURE_NO_AUTH = 1 << 1,    /* may be called before authentication */
  REEVE_PROCEDURE_STREAM_IN = 1 << 2,  /* opens a stream, client to server */
  REEVE_PROCEDURE_STREAM_OUT = 1 << 3, /* opens a stream, server to client */
  REEVE_PROCEDURE_FDS_IN = 1 << 4,     /* takes file descriptors */
  REEVE_PROCEDURE_FDS_OUT = 1 << 5,    /* returns file descriptors */
  REEVE_PROCEDURE_REPEATABLE = 1 << 6, /* safe to repeat after a lost reply */
  REEVE_PROCEDURE_PURE = 1 << 7, /* inline, and runs in any loop's thread */
} ReeveProcedureFlags;

/**
 * ReeveStub:
 * @handlers: the program's generated struct of handlers
 *
 * Calls the typed handler of one procedure; made by the generator. It returns
 * %FALSE with @error set when the handler is missing (%REEVE_ERROR_NO_SUPPORT)
 * or fails.
 */
typedef gboolean (*ReeveStub) (gconstpointer handlers,
                               ReeveCall *call,
                               gconstpointer args,
                               gpointer ret,
                               GError **error);

typedef struct {
  int32_t number;
  const char *name;    /* as in the .x file, in lower case */
  const char *summary; /* first sentence of the doc comment, or "" */
  const char *access; /* "object:permission[ object:permission…]", or "none" */
  const char *since;
  ReeveDispatch dispatch;
  uint32_t flags;        /* ReeveProcedureFlags */
  const ReeveType *args; /* &reeve_type_void for none */
  const ReeveType *ret;  /* for an event: void, its body is args */
  ReeveStub stub;        /* NULL for an event */
} ReeveProcedure;

/**
 * ReeveProgram:
 *
 * One program of a `.x` file, with everything that is known of its procedures.
 * Made by the generator; constant.
 */
typedef struct {
  const char *name; /* in lower case */
  uint32_t number;
  uint32_t version;
  const ReeveProcedure *procedures; /* ascending by number */
  size_t n_procedures;
  const ReeveType *const *types; /* the named ones, in the file's order */
  size_t n_types;
} ReeveProgram;

/* (nullable): Thread: any. */
const ReeveProcedure *
reeve_program_find (const ReeveProgram *self, int32_t number);
const ReeveProcedure *
reeve_program_find_by_name (const ReeveProgram *self, const char *name);

/* For generated stubs: fails with REEVE_ERROR_NO_SUPPORT. */
gboolean reeve_procedure_refuse (const char *name, GError **error);

G_END_DECLS
