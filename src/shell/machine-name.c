/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/machine-name.h"

#include "event/intl.h"

#include <string.h>

static gboolean
resolve_id (ReeveShell *shell,
            const char *name,
            remote_domain *domain,
            GError **error)
{
  remote_domain_lookup_by_id_args args = { 0 };
  remote_domain_lookup_by_id_ret ret = { 0 };
  gint64 id;

  if (!g_ascii_string_to_signed (name, 10, 0, INT32_MAX, &id, error))
    return FALSE;
  args.id = (int32_t) id;
  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_LOOKUP_BY_ID, &args, &ret,
                         error))
    return FALSE;
  *domain = ret.dom;
  return TRUE;
}

static gboolean
resolve_uuid (ReeveShell *shell,
              const char *name,
              remote_domain *domain,
              GError **error)
{
  remote_domain_lookup_by_uuid_args args = { 0 };
  remote_domain_lookup_by_uuid_ret ret = { 0 };

  if (!reeve_uuid_parse (name, args.uuid) ||
      !reeve_shell_call (shell, REMOTE_PROC_DOMAIN_LOOKUP_BY_UUID, &args, &ret,
                         error))
    return FALSE;
  *domain = ret.dom;
  return TRUE;
}

static gboolean
resolve_name (ReeveShell *shell,
              const char *name,
              remote_domain *domain,
              GError **error)
{
  remote_domain_lookup_by_name_args args = { .name = (char *) name };
  remote_domain_lookup_by_name_ret ret = { 0 };

  if (!reeve_shell_call (shell, REMOTE_PROC_DOMAIN_LOOKUP_BY_NAME, &args, &ret,
                         error))
    return FALSE;
  *domain = ret.dom;
  return TRUE;
}

gboolean
reeve_machine_name_resolve (ReeveShell *shell,
                            const char *name,
                            remote_domain *domain,
                            GError **error)
{
  uint8_t uuid[16];

  /* A machine may have a name that looks like an id or a uuid. */
  if (name[0] != '\0' && strspn (name, "0123456789") == strlen (name) &&
      resolve_id (shell, name, domain, NULL))
    return TRUE;
  if (strlen (name) == 36 && reeve_uuid_parse (name, uuid) &&
      resolve_uuid (shell, name, domain, NULL))
    return TRUE;

  return resolve_name (shell, name, domain, error);
}

gboolean
reeve_machine_name_get (ReeveShell *shell,
                        const ReeveArguments *arguments,
                        remote_domain *domain,
                        GError **error)
{
  return reeve_machine_name_resolve (
      shell, reeve_arguments_get (arguments, "domain"), domain, error);
}

GStrv
reeve_machine_name_list (ReeveShell *shell, uint32_t flags, GError **error)
{
  remote_connect_list_all_domains_args args = { .need_results = 1,
                                                .flags = flags };
  remote_connect_list_all_domains_ret ret = { 0 };
  GPtrArray *names;

  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &args,
                         &ret, error))
    return NULL;

  names = g_ptr_array_new ();
  for (uint32_t i = 0; i < ret.domains.n_items; i++)
    g_ptr_array_add (names, g_strdup (ret.domains.items[i].name));
  g_ptr_array_add (names, NULL);
  remote_connect_list_all_domains_ret_clear (&ret);
  return (GStrv) g_ptr_array_free (names, FALSE);
}
