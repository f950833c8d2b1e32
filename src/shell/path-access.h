/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/**
 * ReeveIdentity:
 *
 * As whom a process opens files.
 */
typedef struct {
  uid_t uid;
  gid_t gid;
  GArray *groups; /* (element-type gid_t) (owned): the others */
} ReeveIdentity;

/* Of a process, as /proc has it. FALSE: there is none. */
gboolean reeve_identity_read (ReeveIdentity *self, pid_t pid);
void reeve_identity_clear (ReeveIdentity *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveIdentity, reeve_identity_clear)

typedef enum {
  REEVE_PATH_REACHED,
  REEVE_PATH_REFUSED, /* *@where: the first part that is the reason */
  REEVE_PATH_UNKNOWN, /* only root can find out */
} ReevePathAccess;

/**
 * reeve_path_check:
 * @path: absolute
 * @mode: of access(2), for what it names; each folder has to be entered
 * @where: (out) (transfer full): a part of @path
 * @reason: (out): an errno
 *
 * Whether a process of @identity can open a file. The kernel is asked, as
 * @identity where that is somebody else, which takes root.
 */
ReevePathAccess reeve_path_check (const char *path,
                                  const ReeveIdentity *identity,
                                  int mode,
                                  char **where,
                                  int *reason);

G_END_DECLS
