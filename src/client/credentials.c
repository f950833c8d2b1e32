/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/credentials.h"

#include "event/intl.h"
#include "rpc/error.h"

#include <string.h>

#define HOST_FILE "/etc/libvirt/auth.conf"

/* (transfer full): @is_chosen: it has to be there */
static char *
get_path (const char *path, gboolean *is_chosen)
{
  const char *variable = g_getenv ("LIBVIRT_AUTH_FILE");
  g_autofree char *own = NULL;

  *is_chosen = TRUE;
  if (variable != NULL && variable[0] != '\0')
    return g_strdup (variable);
  if (path != NULL)
    return g_strdup (path);

  *is_chosen = FALSE;
  own =
      g_build_filename (g_get_user_config_dir (), "libvirt", "auth.conf", NULL);
  if (g_file_test (own, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&own);
  return g_strdup (HOST_FILE);
}

static gboolean
load_file (GKeyFile *file, const char *path, gboolean is_chosen, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (g_key_file_load_from_file (file, path, G_KEY_FILE_NONE, &why) ||
      (!is_chosen && g_error_matches (why, G_FILE_ERROR, G_FILE_ERROR_NOENT)))
    return TRUE;

  g_set_error (error, REEVE_ERROR,
               why->domain == G_KEY_FILE_ERROR ? REEVE_ERROR_CONFIG_SYNTAX
                                               : REEVE_ERROR_SYSTEM,
               "%s: %s", path, why->message);
  return FALSE;
}

/* (transfer full) (nullable): the name of the group with the credentials. */
static char *
find_group (GKeyFile *file, const char *host)
{
  g_autofree char *group = g_strconcat ("auth-libvirt-", host, NULL);
  g_autofree char *name = NULL;

  if (!g_key_file_has_group (file, group)) {
    g_free (group);
    group = g_strdup ("auth-libvirt-default");
  }

  name = g_key_file_get_value (file, group, "credentials", NULL);
  return name == NULL ? NULL : g_strconcat ("credentials-", name, NULL);
}

gboolean
reeve_credentials_load (ReeveCredentials *self,
                        const char *path,
                        const char *host,
                        GError **error)
{
  gboolean is_chosen;
  g_autofree char *chosen = get_path (path, &is_chosen);
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *group = NULL;

  if (!load_file (file, chosen, is_chosen, error))
    return FALSE;

  group = find_group (file, host);
  if (group == NULL)
    return TRUE;
  if (!g_key_file_has_group (file, group)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%1$s: there is no group [%2$s]"), chosen, group);
    return FALSE;
  }

  /* As they stand there: a password may have backslashes. */
  self->name = g_key_file_get_value (file, group, "authname", NULL);
  self->password = g_key_file_get_value (file, group, "password", NULL);
  self->realm = g_key_file_get_value (file, group, "realm", NULL);
  return TRUE;
}

void
reeve_credentials_clear (ReeveCredentials *self)
{
  if (self->password != NULL)
    explicit_bzero (self->password, strlen (self->password));
  g_clear_pointer (&self->name, g_free);
  g_clear_pointer (&self->password, g_free);
  g_clear_pointer (&self->realm, g_free);
}
