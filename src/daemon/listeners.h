/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/inherited.h"
#include "rpc/server.h"

G_BEGIN_DECLS

/**
 * ReeveListeners:
 *
 * What the servers of a daemon listen on, each by the name that it is handed
 * over with, see daemon/inherited.h. The servers own the sockets.
 *
 * Thread: loop, or owner when the loop does not run.
 */
typedef struct _ReeveListeners ReeveListeners;

/* @inherited: (transfer full) (nullable) */
ReeveListeners *reeve_listeners_new (ReeveInherited *inherited);
/* Before the servers stop. */
void reeve_listeners_free (ReeveListeners *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveListeners, reeve_listeners_free)

/* (transfer none): what is left of it. */
ReeveInherited *reeve_listeners_get_inherited (ReeveListeners *self);

/**
 * reeve_listeners_open:
 * @name: that it is handed over with
 * @address: of the passive stream, where none of that name was inherited
 *
 * Lets @server listen.
 *
 * Errors: as of reeve_server_listen().
 *
 * Returns: (transfer none) (nullable): the address, with the port in use
 */
const char *reeve_listeners_open (ReeveListeners *self,
                                  ReeveServer *server,
                                  const char *name,
                                  const char *address,
                                  const ReeveServiceOptions *options,
                                  GError **error);

/**
 * ReeveListener:
 * @name: that it is handed over with
 * @fd: (transfer none)
 * @was_inherited: it listened before this daemon did
 * @owns_path: whether the file of a unix socket is removed with it
 */
typedef struct {
  const char *name;
  int fd;
  gboolean was_inherited;
  gboolean owns_path;
} ReeveListener;

typedef void (*ReeveListenerFunc) (const ReeveListener *listener,
                                   gpointer data);

/* Calls @func for each, in the order in which they were opened. */
void reeve_listeners_foreach (ReeveListeners *self,
                              ReeveListenerFunc func,
                              gpointer data);

/* The files of unix sockets stay when the servers stop: somebody else listens
 * on them from now on. */
void reeve_listeners_disown (ReeveListeners *self);

G_END_DECLS
