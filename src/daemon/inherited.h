/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveInherited:
 *
 * Sockets that listened already when the daemon started, each by its name:
 * systemd hands them over, the monitor, or an older daemon.
 *
 * The names are `rw`, `ro` and `admin` for the daemon's own unix sockets, `tcp`
 * and `tls` for what systemd listens on in the network, and for each other
 * listener the name of the passive stream that the configuration or the command
 * line gives it, see rpc/stream.h. There may be several `tcp` and `tls`.
 *
 * Not thread-safe.
 */
typedef struct _ReeveInherited ReeveInherited;

/* The most that one daemon takes. */
#define REEVE_INHERITED_MAX 64

/* Has none. */
ReeveInherited *reeve_inherited_new (void);
/* Closes what was not taken out. */
void reeve_inherited_free (ReeveInherited *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveInherited, reeve_inherited_free)

/**
 * reeve_inherited_take_environment:
 *
 * Adds what `$LISTEN_FDS` and `$LISTEN_FDNAMES` speak of, if `$LISTEN_PID` is
 * this process, and removes the three from the environment in any case. The
 * files of those unix sockets are not ours to remove.
 *
 * Thread: owner, before there are others.
 * Errors: as of reeve_inherited_add(); %REEVE_ERROR_INVALID_ARG for numbers
 * and names that do not fit together.
 */
gboolean
reeve_inherited_take_environment (ReeveInherited *self, GError **error);

/**
 * reeve_inherited_add:
 * @fd: (transfer full): a stream socket that listens; closed on failure. It
 *   becomes close-on-exec and non-blocking
 * @owns_path: whether the file of a unix socket is removed with it
 *
 * The same socket again is closed, as it is there already.
 *
 * Errors: %REEVE_ERROR_INVALID_ARG for a name that is unknown, for one that
 * another socket has already, for what is no socket that listens, and for one
 * that is of another family than its name says; %REEVE_ERROR_LIMIT over
 * %REEVE_INHERITED_MAX.
 */
gboolean reeve_inherited_add (ReeveInherited *self,
                              const char *name,
                              int fd,
                              gboolean owns_path,
                              GError **error);

/* Whether there is one of that name. */
gboolean reeve_inherited_has (ReeveInherited *self, const char *name);

/* Takes the first one of that name out: its file descriptor (transfer full), or
 * -1. */
int reeve_inherited_steal (ReeveInherited *self,
                           const char *name,
                           gboolean *owns_path);

/* (transfer none) (nullable): the name of the first that is there. */
const char *reeve_inherited_get_first (ReeveInherited *self);

/* Closes the first one of that name, if any. */
void reeve_inherited_remove (ReeveInherited *self, const char *name);

/* Closes what is here; what is the same socket elsewhere stays open. */
void reeve_inherited_clear (ReeveInherited *self);

/* (transfer full): @name as it may stand in $LISTEN_FDNAMES and behind FDNAME=:
 * what is not allowed there becomes %XX. */
char *reeve_inherited_escape (const char *name);

G_END_DECLS
