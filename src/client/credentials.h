/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ReeveCredentials:
 *
 * What libvirt's file of credentials says for one host.
 */
typedef struct {
  char *name;     /* (owned) (nullable) */
  char *password; /* (owned) (nullable) */
  char *realm;    /* (owned) (nullable) */
} ReeveCredentials;

/**
 * reeve_credentials_load:
 * @self: empty; filled with what there is, which may be nothing
 * @path: (nullable): the file, if the user chose one
 * @host: the server's, as the user calls it
 *
 * Looks into $LIBVIRT_AUTH_FILE, else @path, else the user's own file, else
 * the host's: for the group `auth-libvirt-HOST`, else `auth-libvirt-default`,
 * which has the name of the group with the credentials. Reads from disk.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX, %REEVE_ERROR_SYSTEM, with the path; also
 * for a file that was chosen and is not there.
 */
gboolean reeve_credentials_load (ReeveCredentials *self,
                                 const char *path,
                                 const char *host,
                                 GError **error);
void reeve_credentials_clear (ReeveCredentials *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ReeveCredentials, reeve_credentials_clear)

G_END_DECLS
