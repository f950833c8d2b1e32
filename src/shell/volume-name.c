/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/volume-name.h"

#include "rpc/error.h"
#include "rpc/uuid.h"

static gboolean
look_up_pool (ReeveShell *shell,
              const char *name,
              remote_storage_pool *pool,
              GError **error)
{
  remote_storage_pool_lookup_by_name_args by_name = { .name = (char *) name };
  remote_storage_pool_lookup_by_uuid_args by_uuid = { 0 };
  remote_storage_pool_lookup_by_uuid_ret ret = { 0 };
  gboolean is_found;

  if (reeve_uuid_parse (name, by_uuid.uuid))
    is_found = reeve_shell_call (shell, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_UUID,
                                 &by_uuid, &ret, error);
  else
    is_found = reeve_shell_call (shell, REMOTE_PROC_STORAGE_POOL_LOOKUP_BY_NAME,
                                 &by_name, &ret, error);
  if (is_found)
    *pool = ret.pool;
  return is_found;
}

gboolean
reeve_volume_name_get_pool (ReeveShell *shell,
                            const ReeveArguments *arguments,
                            remote_storage_pool *pool,
                            GError **error)
{
  return look_up_pool (shell, reeve_arguments_get (arguments, "pool"), pool,
                       error);
}

/* Every look-up answers with a handle alone. */
static gboolean
look_up (ReeveShell *shell,
         int32_t procedure,
         gconstpointer args,
         remote_storage_vol *volume,
         GError **error)
{
  remote_storage_vol_lookup_by_name_ret ret = { 0 };

  if (!reeve_shell_call (shell, procedure, args, &ret, error))
    return FALSE;
  *volume = ret.vol;
  return TRUE;
}

gboolean
reeve_volume_name_resolve (ReeveShell *shell,
                           const char *name,
                           const remote_storage_pool *pool,
                           remote_storage_vol *volume,
                           GError **error)
{
  remote_storage_vol_lookup_by_name_args by_name = { .name = (char *) name };
  remote_storage_vol_lookup_by_key_args by_key = { .key = (char *) name };
  remote_storage_vol_lookup_by_path_args by_path = { .path = (char *) name };

  if (pool != NULL) {
    by_name.pool = *pool;
    return look_up (shell, REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_NAME, &by_name,
                    volume, error);
  }
  return look_up (shell, REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_KEY, &by_key, volume,
                  NULL) ||
         look_up (shell, REMOTE_PROC_STORAGE_VOL_LOOKUP_BY_PATH, &by_path,
                  volume, error);
}

gboolean
reeve_volume_name_get (ReeveShell *shell,
                       const ReeveArguments *arguments,
                       remote_storage_vol *volume,
                       GError **error)
{
  const char *name = reeve_arguments_get (arguments, "vol");
  remote_storage_pool pool = { 0 };
  gboolean is_found;

  if (!reeve_arguments_has (arguments, "pool"))
    return reeve_volume_name_resolve (shell, name, NULL, volume, error);

  is_found = reeve_volume_name_get_pool (shell, arguments, &pool, error) &&
             reeve_volume_name_resolve (shell, name, &pool, volume, error);
  remote_storage_pool_clear (&pool);
  return is_found;
}
