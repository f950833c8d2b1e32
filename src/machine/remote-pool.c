/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-storage.h"
#include "rpc/access.h"
#include "rpc/error.h"
#include "rpc/uuid.h"

#include <string.h>

/* Storage pools: there is one, of a directory. It is always active, is stored,
 * and starts by itself. */

enum {
  POOLS_INACTIVE = 1 << 0,
  POOLS_ACTIVE = 1 << 1,
  POOLS_PERSISTENT = 1 << 2,
  POOLS_TRANSIENT = 1 << 3,
  POOLS_AUTOSTART = 1 << 4,
  POOLS_NO_AUTOSTART = 1 << 5,
  POOLS_DIR = 1 << 6,
  POOLS_KNOWN = (1 << 20) - 1,
  POOLS_TYPES = POOLS_KNOWN & ~0x3f,
};

enum {
  XML_INACTIVE = 1 << 0,
};

enum {
  STATE_RUNNING = 2,
};

static ReeveStoragePool *
get_pool (ReeveCall *call)
{
  return reeve_remote_get (call)->pool;
}

void
reeve_remote_miss_pool (const ReevePoolKey *key, GError **error)
{
  char text[REEVE_UUID_TEXT_SIZE];

  if (key->uuid != NULL) {
    reeve_uuid_format (key->uuid, text);
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_POOL,
                 _ ("no storage pool with matching uuid '%s'"), text);
  } else if (key->name != NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_POOL,
                 _ ("no storage pool with matching name '%s'"), key->name);
  } else {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_POOL,
                 _ ("no storage pool with matching target path '%s'"),
                 key->path);
  }
}

static gboolean
is_at (ReeveStoragePool *pool, const char *path)
{
  g_autofree char *full = g_canonicalize_filename (path, "/");

  return g_str_equal (full, reeve_storage_pool_get_dir (pool));
}

ReeveStoragePool *
reeve_remote_look_up_pool (ReeveCall *call,
                           const ReevePoolKey *key,
                           GError **error)
{
  ReeveStoragePool *pool = get_pool (call);

  if (!reeve_remote_check_open (call, error))
    return NULL;
  if (key->uuid != NULL ? memcmp (reeve_storage_pool_get_uuid (pool), key->uuid,
                                  REEVE_UUID_SIZE) == 0
      : key->name != NULL
          ? g_str_equal (reeve_storage_pool_get_name (pool), key->name)
          : is_at (pool, key->path))
    return pool;

  reeve_remote_miss_pool (key, error);
  return NULL;
}

ReeveStoragePool *
reeve_remote_find_pool (ReeveCall *call,
                        const remote_storage_pool *pool,
                        GError **error)
{
  const ReevePoolKey key = { .uuid = pool->uuid };

  return reeve_remote_look_up_pool (call, &key, error);
}

ReeveStoragePool *
reeve_remote_find_pool_by_name (ReeveCall *call,
                                const char *name,
                                GError **error)
{
  const ReevePoolKey key = { .name = name };

  return reeve_remote_look_up_pool (call, &key, error);
}

static void
fill_pool (remote_storage_pool *handle, ReeveStoragePool *pool)
{
  handle->name = g_strdup (reeve_storage_pool_get_name (pool));
  memcpy (handle->uuid, reeve_storage_pool_get_uuid (pool),
          sizeof handle->uuid);
}

/* --------------------------------------------------------------- lists --- */

/* Whether the caller gets to see it. */
static gboolean
is_visible (ReeveCall *call, ReeveStoragePool *pool)
{
  return reeve_server_client_may (reeve_call_get_client (call),
                                  "storage_pool:getattr",
                                  reeve_storage_pool_get_name (pool));
}

/* Of each group of the filter one bit at least, unless none is set. */
static gboolean
matches (uint32_t flags)
{
  static const struct {
    uint32_t group;
    uint32_t ours;
  } groups[] = {
    { POOLS_INACTIVE | POOLS_ACTIVE, POOLS_ACTIVE },
    { POOLS_PERSISTENT | POOLS_TRANSIENT, POOLS_PERSISTENT },
    { POOLS_AUTOSTART | POOLS_NO_AUTOSTART, POOLS_AUTOSTART },
    { POOLS_TYPES, POOLS_DIR },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (groups); i++)
    if ((flags & groups[i].group) != 0 && (flags & groups[i].ours) == 0)
      return FALSE;
  return TRUE;
}

static gboolean
list_all_pools (ReeveCall *call,
                const remote_connect_list_all_storage_pools_args *args,
                remote_connect_list_all_storage_pools_ret *ret,
                GError **error)
{
  if (!reeve_remote_check_open (call, error) ||
      !reeve_remote_check_flags (call, args->flags, POOLS_KNOWN, error))
    return FALSE;

  ret->ret = matches (args->flags) && is_visible (call, get_pool (call));
  if (args->need_results == 0 || ret->ret == 0)
    return TRUE;
  ret->pools.n_items = 1;
  ret->pools.items = g_new0 (remote_storage_pool, 1);
  fill_pool (ret->pools.items, get_pool (call));
  return TRUE;
}

static gboolean
num_of_pools (ReeveCall *call,
              remote_connect_num_of_storage_pools_ret *ret,
              GError **error)
{
  ret->num = is_visible (call, get_pool (call));
  return reeve_remote_check_open (call, error);
}

static gboolean
list_pools (ReeveCall *call,
            const remote_connect_list_storage_pools_args *args,
            remote_connect_list_storage_pools_ret *ret,
            GError **error)
{
  if (!reeve_remote_check_open (call, error))
    return FALSE;
  if (args->maxnames < 1 || !is_visible (call, get_pool (call)))
    return TRUE;

  ret->names.n_items = 1;
  ret->names.items = g_new0 (char *, 1);
  ret->names.items[0] =
      g_strdup (reeve_storage_pool_get_name (get_pool (call)));
  return TRUE;
}

static gboolean
num_of_defined_pools (ReeveCall *call,
                      remote_connect_num_of_defined_storage_pools_ret *ret,
                      GError **error)
{
  return reeve_remote_check_open (call, error);
}

static gboolean
list_defined_pools (ReeveCall *call,
                    const remote_connect_list_defined_storage_pools_args *args,
                    remote_connect_list_defined_storage_pools_ret *ret,
                    GError **error)
{
  return reeve_remote_check_open (call, error);
}

static gboolean
pool_by_name (ReeveCall *call,
              const remote_storage_pool_lookup_by_name_args *args,
              remote_storage_pool_lookup_by_name_ret *ret,
              GError **error)
{
  ReeveStoragePool *pool =
      reeve_remote_find_pool_by_name (call, args->name, error);

  if (pool == NULL)
    return FALSE;
  fill_pool (&ret->pool, pool);
  return TRUE;
}

static gboolean
pool_by_uuid (ReeveCall *call,
              const remote_storage_pool_lookup_by_uuid_args *args,
              remote_storage_pool_lookup_by_uuid_ret *ret,
              GError **error)
{
  const ReevePoolKey key = { .uuid = args->uuid };
  ReeveStoragePool *pool = reeve_remote_look_up_pool (call, &key, error);

  if (pool == NULL)
    return FALSE;
  fill_pool (&ret->pool, pool);
  return TRUE;
}

static gboolean
pool_by_volume (ReeveCall *call,
                const remote_storage_pool_lookup_by_volume_args *args,
                remote_storage_pool_lookup_by_volume_ret *ret,
                GError **error)
{
  ReeveStoragePool *pool =
      reeve_remote_find_pool_by_name (call, args->vol.pool, error);

  if (pool == NULL)
    return FALSE;
  fill_pool (&ret->pool, pool);
  return TRUE;
}

static gboolean
pool_by_path (ReeveCall *call,
              const remote_storage_pool_lookup_by_target_path_args *args,
              remote_storage_pool_lookup_by_target_path_ret *ret,
              GError **error)
{
  const ReevePoolKey key = { .path = args->path };
  ReeveStoragePool *pool = reeve_remote_look_up_pool (call, &key, error);

  if (pool == NULL)
    return FALSE;
  fill_pool (&ret->pool, pool);
  return TRUE;
}

/* ---------------------------------------------------------- properties --- */

static gboolean
pool_get_info (ReeveCall *call,
               const remote_storage_pool_get_info_args *args,
               remote_storage_pool_get_info_ret *ret,
               GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  ReeveStorageSpace space;

  if (pool == NULL || !reeve_storage_pool_get_space (pool, &space, error))
    return FALSE;

  ret->state = STATE_RUNNING;
  ret->capacity = space.capacity;
  ret->allocation = space.allocation;
  ret->available = space.available;
  return TRUE;
}

static gboolean
pool_get_xml_desc (ReeveCall *call,
                   const remote_storage_pool_get_xml_desc_args *args,
                   remote_storage_pool_get_xml_desc_ret *ret,
                   GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);

  if (pool == NULL ||
      !reeve_remote_check_flags (call, args->flags, XML_INACTIVE, error))
    return FALSE;
  ret->xml = reeve_storage_pool_to_xml (pool, error);
  return ret->xml != NULL;
}

static gboolean
pool_get_autostart (ReeveCall *call,
                    const remote_storage_pool_get_autostart_args *args,
                    remote_storage_pool_get_autostart_ret *ret,
                    GError **error)
{
  ret->autostart = 1;
  return reeve_remote_find_pool (call, &args->pool, error) != NULL;
}

static gboolean
pool_is_active (ReeveCall *call,
                const remote_storage_pool_is_active_args *args,
                remote_storage_pool_is_active_ret *ret,
                GError **error)
{
  ret->active = 1;
  return reeve_remote_find_pool (call, &args->pool, error) != NULL;
}

static gboolean
pool_is_persistent (ReeveCall *call,
                    const remote_storage_pool_is_persistent_args *args,
                    remote_storage_pool_is_persistent_ret *ret,
                    GError **error)
{
  ret->persistent = 1;
  return reeve_remote_find_pool (call, &args->pool, error) != NULL;
}

/* What there is is read each time: all that can be new is that it is gone. */
static gboolean
pool_refresh (ReeveCall *call,
              const remote_storage_pool_refresh_args *args,
              GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  g_autoptr (GPtrArray) names = NULL;

  if (pool == NULL || !reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;
  names = reeve_storage_pool_list (pool, error);
  return names != NULL;
}

void
reeve_remote_add_pool (remote_handlers *handlers)
{
  handlers->connect_list_all_storage_pools = list_all_pools;
  handlers->connect_num_of_storage_pools = num_of_pools;
  handlers->connect_list_storage_pools = list_pools;
  handlers->connect_num_of_defined_storage_pools = num_of_defined_pools;
  handlers->connect_list_defined_storage_pools = list_defined_pools;
  handlers->storage_pool_lookup_by_name = pool_by_name;
  handlers->storage_pool_lookup_by_uuid = pool_by_uuid;
  handlers->storage_pool_lookup_by_volume = pool_by_volume;
  handlers->storage_pool_lookup_by_target_path = pool_by_path;
  handlers->storage_pool_get_info = pool_get_info;
  handlers->storage_pool_get_xml_desc = pool_get_xml_desc;
  handlers->storage_pool_get_autostart = pool_get_autostart;
  handlers->storage_pool_is_active = pool_is_active;
  handlers->storage_pool_is_persistent = pool_is_persistent;
  handlers->storage_pool_refresh = pool_refresh;
}
