/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "machine/remote-storage.h"
#include "machine/storage-image.h"
#include "machine/storage-stream.h"
#include "machine/volume-holder.h"
#include "rpc/access.h"
#include "rpc/error.h"

/* Volumes of a storage pool. What is answered is on the disk. */

enum {
  TYPE_FILE = 0,
};

enum {
  CREATE_PREALLOC_METADATA = 1 << 0,
  CREATE_VALIDATE = 1 << 2,
};

enum {
  RESIZE_ALLOCATE = 1 << 0,
  RESIZE_DELTA = 1 << 1,
  RESIZE_SHRINK = 1 << 2,
};

enum {
  INFO_GET_PHYSICAL = 1 << 0,
};

enum {
  SPARSE_STREAM = 1 << 0,
};

void
reeve_remote_fill_volume (remote_storage_vol *handle,
                          ReeveStoragePool *pool,
                          const char *name)
{
  handle->pool = g_strdup (reeve_storage_pool_get_name (pool));
  handle->name = g_strdup (name);
  handle->key = reeve_storage_pool_make_path (pool, name);
}

char *
reeve_remote_name_volume (ReeveStoragePool *pool, const char *name)
{
  return g_strconcat (reeve_storage_pool_get_name (pool), "/", name, NULL);
}

/* By the names of pool and volume; the key is not looked at. */
static gboolean
read_volume (ReeveCall *call,
             const remote_storage_vol *handle,
             ReeveVolume *volume,
             GError **error)
{
  ReeveStoragePool *pool =
      reeve_remote_find_pool_by_name (call, handle->pool, error);

  return pool != NULL && reeve_volume_read (pool, handle->name, volume, error);
}

/* (transfer full) (nullable): of a volume that may be there. */
static ReeveVolumeUse *
use_volume (ReeveCall *call,
            const remote_storage_vol *handle,
            gboolean is_exclusive,
            GError **error)
{
  ReeveStoragePool *pool =
      reeve_remote_find_pool_by_name (call, handle->pool, error);

  return pool == NULL
             ? NULL
             : reeve_storage_pool_use (pool, handle->name, is_exclusive, error);
}

/* -------------------------------------------------------------- lookup --- */

/* (element-type utf8) (transfer full) (nullable): those that the caller gets
 * to see. */
static GPtrArray *
list_visible (ReeveCall *call, ReeveStoragePool *pool, GError **error)
{
  GPtrArray *names = reeve_storage_pool_list (pool, error);

  if (names == NULL ||
      !reeve_server_client_is_restricted (reeve_call_get_client (call)))
    return names;

  for (unsigned i = names->len; i-- > 0;) {
    g_autofree char *full = reeve_remote_name_volume (pool, names->pdata[i]);

    if (!reeve_server_client_may (reeve_call_get_client (call),
                                  "storage_vol:getattr", full))
      g_ptr_array_remove_index (names, i);
  }

  return names;
}

static gboolean
list_all_volumes (ReeveCall *call,
                  const remote_storage_pool_list_all_volumes_args *args,
                  remote_storage_pool_list_all_volumes_ret *ret,
                  GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  g_autoptr (GPtrArray) names = NULL;

  if (pool == NULL || !reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;
  names = list_visible (call, pool, error);
  if (names == NULL)
    return FALSE;

  ret->ret = names->len;
  if (args->need_results == 0)
    return TRUE;
  if (names->len > REMOTE_LIST_MAX) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
                 _ ("%1$u volumes are more than the %2$d that a reply has "
                    "room for"),
                 names->len, REMOTE_LIST_MAX);
    return FALSE;
  }

  ret->vols.n_items = names->len;
  ret->vols.items = g_new0 (remote_storage_vol, names->len);
  for (unsigned i = 0; i < names->len; i++)
    reeve_remote_fill_volume (&ret->vols.items[i], pool, names->pdata[i]);
  return TRUE;
}

static gboolean
num_of_volumes (ReeveCall *call,
                const remote_storage_pool_num_of_volumes_args *args,
                remote_storage_pool_num_of_volumes_ret *ret,
                GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  g_autoptr (GPtrArray) names = NULL;

  if (pool == NULL)
    return FALSE;
  names = list_visible (call, pool, error);
  if (names == NULL)
    return FALSE;
  ret->num = (int32_t) names->len;
  return TRUE;
}

static gboolean
list_volumes (ReeveCall *call,
              const remote_storage_pool_list_volumes_args *args,
              remote_storage_pool_list_volumes_ret *ret,
              GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  g_autoptr (GPtrArray) names = NULL;
  unsigned n_names;

  if (pool == NULL)
    return FALSE;
  names = list_visible (call, pool, error);
  if (names == NULL)
    return FALSE;

  n_names =
      MIN (names->len, (unsigned) CLAMP (args->maxnames, 0, REMOTE_LIST_MAX));
  ret->names.n_items = n_names;
  ret->names.items = g_new0 (char *, n_names);
  for (unsigned i = 0; i < n_names; i++)
    ret->names.items[i] = g_strdup (names->pdata[i]);
  return TRUE;
}

static gboolean
look_up (ReeveStoragePool *pool,
         const char *name,
         remote_storage_vol *handle,
         GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!reeve_volume_read (pool, name, &volume, error))
    return FALSE;
  reeve_remote_fill_volume (handle, pool, name);
  return TRUE;
}

static gboolean
volume_by_name (ReeveCall *call,
                const remote_storage_vol_lookup_by_name_args *args,
                remote_storage_vol_lookup_by_name_ret *ret,
                GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);

  return pool != NULL && look_up (pool, args->name, &ret->vol, error);
}

static void
miss_path (const char *path, GError **error)
{
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_VOLUME,
               _ ("no storage vol with matching path '%s'"), path);
}

ReeveStoragePool *
reeve_remote_split_path (ReeveCall *call,
                         const char *path,
                         char **name,
                         GError **error)
{
  ReeveStoragePool *pool = reeve_remote_get (call)->pool;
  g_autofree char *full = NULL;
  g_autofree char *dir = NULL;

  if (!reeve_remote_check_open (call, error))
    return NULL;
  full = g_canonicalize_filename (path, "/");
  dir = g_path_get_dirname (full);
  if (!g_path_is_absolute (path) ||
      !g_str_equal (dir, reeve_storage_pool_get_dir (pool))) {
    miss_path (path, error);
    return NULL;
  }

  *name = g_path_get_basename (full);
  return pool;
}

/* A volume's key is its path. */
static gboolean
look_up_path (ReeveCall *call,
              const char *path,
              remote_storage_vol *handle,
              GError **error)
{
  g_autofree char *name = NULL;
  ReeveStoragePool *pool = reeve_remote_split_path (call, path, &name, error);

  if (pool == NULL)
    return FALSE;
  if (look_up (pool, name, handle, NULL))
    return TRUE;

  miss_path (path, error);
  return FALSE;
}

static gboolean
volume_by_key (ReeveCall *call,
               const remote_storage_vol_lookup_by_key_args *args,
               remote_storage_vol_lookup_by_key_ret *ret,
               GError **error)
{
  return look_up_path (call, args->key, &ret->vol, error);
}

static gboolean
volume_by_path (ReeveCall *call,
                const remote_storage_vol_lookup_by_path_args *args,
                remote_storage_vol_lookup_by_path_ret *ret,
                GError **error)
{
  return look_up_path (call, args->path, &ret->vol, error);
}

/* ---------------------------------------------------------- properties --- */

static gboolean
volume_get_info (ReeveCall *call,
                 const remote_storage_vol_get_info_args *args,
                 remote_storage_vol_get_info_ret *ret,
                 GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!read_volume (call, &args->vol, &volume, error))
    return FALSE;
  ret->type = TYPE_FILE;
  ret->capacity = volume.capacity;
  ret->allocation = volume.allocation;
  return TRUE;
}

static gboolean
volume_get_info_flags (ReeveCall *call,
                       const remote_storage_vol_get_info_flags_args *args,
                       remote_storage_vol_get_info_flags_ret *ret,
                       GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!reeve_remote_check_flags (call, args->flags, INFO_GET_PHYSICAL, error) ||
      !read_volume (call, &args->vol, &volume, error))
    return FALSE;
  ret->type = TYPE_FILE;
  ret->capacity = volume.capacity;
  ret->allocation = args->flags & INFO_GET_PHYSICAL
                        ? (uint64_t) volume.info.st_size
                        : volume.allocation;
  return TRUE;
}

static gboolean
volume_get_xml_desc (ReeveCall *call,
                     const remote_storage_vol_get_xml_desc_args *args,
                     remote_storage_vol_get_xml_desc_ret *ret,
                     GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!reeve_remote_check_flags (call, args->flags, 0, error) ||
      !read_volume (call, &args->vol, &volume, error))
    return FALSE;
  ret->xml = reeve_volume_to_xml (&volume);
  return TRUE;
}

static gboolean
volume_get_path (ReeveCall *call,
                 const remote_storage_vol_get_path_args *args,
                 remote_storage_vol_get_path_ret *ret,
                 GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!read_volume (call, &args->vol, &volume, error))
    return FALSE;
  ret->name = g_steal_pointer (&volume.path);
  return TRUE;
}

/* -------------------------------------------------------------- change --- */

/* The time that is left for a call that something else answers. */
static int
get_time_left_ms (ReeveCall *call)
{
  gint64 left_us =
      reeve_remote_get_deadline_us (call) - g_get_monotonic_time ();

  return (int) CLAMP (left_us / 1000, 1, G_MAXINT);
}

static void
answer_create (ReeveVolumeUse *use, const GError *error, gpointer data)
{
  remote_storage_vol_create_xml_ret ret = { 0 };

  if (error != NULL) {
    reeve_call_fail (data, error);
    return;
  }

  reeve_remote_fill_volume (&ret.vol, reeve_volume_use_get_pool (use),
                            reeve_volume_use_get_name (use));
  reeve_call_reply (data, &ret);
  remote_storage_vol_create_xml_ret_clear (&ret);
}

static void
answer_resize (ReeveVolumeUse *use, const GError *error, gpointer data)
{
  if (error != NULL)
    reeve_call_fail (data, error);
  else
    reeve_call_reply (data, NULL);
}

/* (transfer full): @use. The call is deferred: TRUE in any case. */
static gboolean
create_image (ReeveCall *call,
              ReeveVolumeUse *use,
              const ReeveVolumePlan *plan,
              uint32_t flags)
{
  GError *error = NULL;
  ReeveCall *deferred = reeve_call_defer (call);

  if (!reeve_image_create (use, plan, (flags & CREATE_PREALLOC_METADATA) != 0,
                           get_time_left_ms (call),
                           reeve_call_get_cancellable (call), answer_create,
                           deferred, &error)) {
    reeve_call_fail (deferred, error);
    g_error_free (error);
  }
  return TRUE;
}

static gboolean
volume_create_xml (ReeveCall *call,
                   const remote_storage_vol_create_xml_args *args,
                   remote_storage_vol_create_xml_ret *ret,
                   GError **error)
{
  ReeveStoragePool *pool = reeve_remote_find_pool (call, &args->pool, error);
  g_auto (ReeveVolumePlan) plan = { 0 };
  g_autofree char *full = NULL;
  g_autoptr (ReeveVolumeUse) use = NULL;
  g_auto (ReeveVolume) old = { 0 };

  if (pool == NULL ||
      !reeve_remote_check_flags (call, args->flags,
                                 CREATE_PREALLOC_METADATA | CREATE_VALIDATE,
                                 error) ||
      !reeve_volume_plan_parse (&plan, pool, args->xml, error))
    return FALSE;
  full = reeve_remote_name_volume (pool, plan.name);
  if (!reeve_call_check_access (call, NULL, full, error))
    return FALSE;
  use = reeve_storage_pool_use (pool, plan.name, TRUE, error);
  if (use == NULL)
    return FALSE;
  if (reeve_volume_read (pool, plan.name, &old, NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_VOLUME_EXISTS,
                 _ ("storage volume '%s' exists already"), plan.name);
    return FALSE;
  }

  if (plan.format == REEVE_VOLUME_QCOW2)
    return create_image (call, g_steal_pointer (&use), &plan, args->flags);
  if (!reeve_volume_create_raw (use, &plan, reeve_call_get_cancellable (call),
                                error) ||
      !reeve_volume_use_publish (use, error))
    return FALSE;
  reeve_remote_fill_volume (&ret->vol, pool, plan.name);
  return TRUE;
}

/* Which machine it is may be none of the caller's business. */
static gboolean
check_unused (ReeveCall *call, const remote_storage_vol *handle, GError **error)
{
  g_auto (ReeveVolume) volume = { 0 };

  if (!read_volume (call, handle, &volume, error))
    return FALSE;
  if (!reeve_machine_list_holds_file (reeve_remote_get_machines (call),
                                      &volume.info))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_INVALID,
               _ ("volume '%s' is in use by a machine that runs"), volume.name);
  return FALSE;
}

static gboolean
volume_delete (ReeveCall *call,
               const remote_storage_vol_delete_args *args,
               GError **error)
{
  g_autoptr (ReeveVolumeUse) use = NULL;

  if (!reeve_remote_check_flags (call, args->flags, 0, error))
    return FALSE;
  use = use_volume (call, &args->vol, TRUE, error);
  return use != NULL && check_unused (call, &args->vol, error) &&
         reeve_volume_delete (use, error);
}

/* What the volume is to have, from what it has and what was asked for. */
static gboolean
compute_capacity (const ReeveVolume *volume,
                  uint64_t asked,
                  uint32_t flags,
                  uint64_t *capacity,
                  GError **error)
{
  gboolean shrinks = (flags & RESIZE_SHRINK) != 0;

  *capacity = asked;
  if (flags & RESIZE_DELTA) {
    if (shrinks ? asked > volume->capacity
                : asked > INT64_MAX - volume->capacity) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("the volume '%s' cannot be changed by so much"),
                   volume->name);
      return FALSE;
    }
    *capacity = shrinks ? volume->capacity - asked : volume->capacity + asked;
  }

  if (*capacity > INT64_MAX || (*capacity < volume->capacity && !shrinks)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 *capacity > INT64_MAX
                     ? _ ("the volume '%s' cannot be so large")
                     : _ ("the volume '%s' is made smaller only when asked to "
                          "shrink"),
                 volume->name);
    return FALSE;
  }
  return TRUE;
}

/* As create_image(). */
static gboolean
resize_image (ReeveCall *call,
              ReeveVolumeUse *use,
              uint64_t capacity,
              gboolean shrinks)
{
  GError *error = NULL;
  ReeveCall *deferred = reeve_call_defer (call);

  if (!reeve_image_resize (use, capacity, shrinks, get_time_left_ms (call),
                           reeve_call_get_cancellable (call), answer_resize,
                           deferred, &error)) {
    reeve_call_fail (deferred, error);
    g_error_free (error);
  }
  return TRUE;
}

static gboolean
volume_resize (ReeveCall *call,
               const remote_storage_vol_resize_args *args,
               GError **error)
{
  g_autoptr (ReeveVolumeUse) use = NULL;
  g_auto (ReeveVolume) volume = { 0 };
  uint64_t capacity;

  if (!reeve_remote_check_flags (call, args->flags,
                                 RESIZE_ALLOCATE | RESIZE_DELTA | RESIZE_SHRINK,
                                 error))
    return FALSE;
  use = use_volume (call, &args->vol, TRUE, error);
  if (use == NULL ||
      !reeve_volume_read (reeve_volume_use_get_pool (use), args->vol.name,
                          &volume, error) ||
      !compute_capacity (&volume, args->capacity, args->flags, &capacity,
                         error))
    return FALSE;

  if (volume.format == REEVE_VOLUME_RAW)
    return reeve_volume_resize_raw (use, capacity,
                                    (args->flags & RESIZE_ALLOCATE) != 0,
                                    reeve_call_get_cancellable (call), error);
  if (args->flags & RESIZE_ALLOCATE) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_OPERATION_UNSUPPORTED,
                         _ ("space is allocated for raw volumes alone"));
    return FALSE;
  }
  return resize_image (call, g_steal_pointer (&use), capacity,
                       capacity < volume.capacity);
}

/* ---------------------------------------------------------------- data --- */

static gboolean
volume_upload (ReeveCall *call,
               const remote_storage_vol_upload_args *args,
               GError **error)
{
  const ReeveStorageRange range = { args->offset, args->length,
                                    (args->flags & SPARSE_STREAM) != 0 };
  ReeveVolumeUse *use;

  if (!reeve_remote_check_flags (call, args->flags, SPARSE_STREAM, error))
    return FALSE;
  use = use_volume (call, &args->vol, TRUE, error);
  return use != NULL && reeve_storage_open_upload (call, use, &range, error);
}

static gboolean
volume_download (ReeveCall *call,
                 const remote_storage_vol_download_args *args,
                 GError **error)
{
  const ReeveStorageRange range = { args->offset, args->length,
                                    (args->flags & SPARSE_STREAM) != 0 };
  ReeveVolumeUse *use;

  if (!reeve_remote_check_flags (call, args->flags, SPARSE_STREAM, error))
    return FALSE;
  use = use_volume (call, &args->vol, FALSE, error);
  return use != NULL && reeve_storage_open_download (call, use, &range, error);
}

void
reeve_remote_add_volume (remote_handlers *handlers)
{
  handlers->storage_pool_list_all_volumes = list_all_volumes;
  handlers->storage_pool_num_of_volumes = num_of_volumes;
  handlers->storage_pool_list_volumes = list_volumes;
  handlers->storage_vol_lookup_by_name = volume_by_name;
  handlers->storage_vol_lookup_by_key = volume_by_key;
  handlers->storage_vol_lookup_by_path = volume_by_path;
  handlers->storage_vol_get_info = volume_get_info;
  handlers->storage_vol_get_info_flags = volume_get_info_flags;
  handlers->storage_vol_get_xml_desc = volume_get_xml_desc;
  handlers->storage_vol_get_path = volume_get_path;
  handlers->storage_vol_create_xml = volume_create_xml;
  handlers->storage_vol_delete = volume_delete;
  handlers->storage_vol_resize = volume_resize;
  handlers->storage_vol_upload = volume_upload;
  handlers->storage_vol_download = volume_download;
}
