/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/uuid.h"
#include "shell/command.h"
#include "shell/output.h"
#include "shell/volume-name.h"
#include "shell/volume-transfer.h"

#include <string.h>

/* Storage pools and their volumes. */

enum {
  CREATE_PREALLOC_METADATA = 1 << 0,
  RESIZE_ALLOCATE = 1 << 0,
  RESIZE_DELTA = 1 << 1,
  RESIZE_SHRINK = 1 << 2,
  INFO_GET_PHYSICAL = 1 << 0,
  POOLS_INACTIVE = 1 << 0,
  POOLS_ACTIVE = 1 << 1,
};

static void
set_text (JsonObject *object, const char *key, const char *text)
{
  json_object_set_string_member (object, key, text);
}

/* As a number in JSON, and in text unless @is_exact rounded. */
static void
set_size (ReeveShell *shell,
          JsonObject *object,
          const char *key,
          uint64_t size,
          gboolean is_exact)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) parts = NULL;
  g_autofree char *plain = NULL;

  if (shell->format != REEVE_OUTPUT_TEXT || is_exact) {
    reeve_json_set_uint (object, key, size);
    return;
  }

  /* A blank that does not break would surprise a script. */
  text = g_format_size_full (size, G_FORMAT_SIZE_IEC_UNITS);
  parts = g_strsplit (text, "\302\240", -1);
  plain = g_strjoinv (" ", parts);
  set_text (object, key, plain);
}

/* ---------------------------------------------------------------- pools -- */

static const char *
get_pool_state (uint8_t state)
{
  static const char *const names[] = {
    N_ ("inactive"), N_ ("building"),     N_ ("running"),
    N_ ("degraded"), N_ ("inaccessible"),
  };

  return state < G_N_ELEMENTS (names) ? names[state] : "?";
}

static JsonObject *
make_pool_row (ReeveShell *shell, const remote_storage_pool *pool)
{
  remote_storage_pool_get_info_args args = { .pool = *pool };
  remote_storage_pool_get_info_ret info = { 0 };
  JsonObject *object = json_object_new ();
  char uuid[REEVE_UUID_TEXT_SIZE];

  reeve_uuid_format (pool->uuid, uuid);
  set_text (object, "name", pool->name);
  set_text (object, "uuid", uuid);
  if (reeve_shell_call (shell, REMOTE_PROC_STORAGE_POOL_GET_INFO, &args, &info,
                        NULL)) {
    const char *state = get_pool_state (info.state);

    set_text (object, "state",
              shell->format == REEVE_OUTPUT_TEXT ? _ (state) : state);
    set_size (shell, object, "capacity", info.capacity, FALSE);
    set_size (shell, object, "allocation", info.allocation, FALSE);
    set_size (shell, object, "available", info.available, FALSE);
  }
  return object;
}

static gboolean
run_pool_list (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  static const ReeveField columns[] = {
    { "name", N_ ("Name") },
    { "state", N_ ("State") },
    { "capacity", N_ ("Capacity") },
    { "available", N_ ("Available") },
  };
  remote_connect_list_all_storage_pools_args args = { .need_results = 1 };
  remote_connect_list_all_storage_pools_ret ret = { 0 };
  JsonArray *rows;

  if (!reeve_arguments_has (arguments, "all"))
    args.flags = reeve_arguments_has (arguments, "inactive") ? POOLS_INACTIVE
                                                             : POOLS_ACTIVE;
  if (!reeve_shell_call (shell, REMOTE_PROC_CONNECT_LIST_ALL_STORAGE_POOLS,
                         &args, &ret, error))
    return FALSE;

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.pools.n_items; i++)
    json_array_add_object_element (rows,
                                   make_pool_row (shell, &ret.pools.items[i]));
  remote_connect_list_all_storage_pools_ret_clear (&ret);
  reeve_output_table (shell, columns, G_N_ELEMENTS (columns), rows);
  return TRUE;
}

static gboolean
run_pool_info (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  static const ReeveField fields[] = {
    { "name", N_ ("Name") },
    { "uuid", N_ ("UUID") },
    { "state", N_ ("State") },
    { "capacity", N_ ("Capacity") },
    { "allocation", N_ ("Allocation") },
    { "available", N_ ("Available") },
  };
  remote_storage_pool pool = { 0 };

  if (!reeve_volume_name_get_pool (shell, arguments, &pool, error))
    return FALSE;
  reeve_output_object (shell, fields, G_N_ELEMENTS (fields),
                       make_pool_row (shell, &pool));
  remote_storage_pool_clear (&pool);
  return TRUE;
}

static gboolean
run_pool_dumpxml (ReeveShell *shell,
                  const ReeveArguments *arguments,
                  GError **error)
{
  remote_storage_pool_get_xml_desc_args args = { 0 };
  remote_storage_pool_get_xml_desc_ret ret = { 0 };
  gboolean is_done =
      reeve_volume_name_get_pool (shell, arguments, &args.pool, error) &&
      reeve_shell_call (shell, REMOTE_PROC_STORAGE_POOL_GET_XML_DESC, &args,
                        &ret, error);

  if (is_done)
    reeve_output_text (shell, "xml", ret.xml);
  remote_storage_pool_get_xml_desc_args_clear (&args);
  remote_storage_pool_get_xml_desc_ret_clear (&ret);
  return is_done;
}

/* -------------------------------------------------------------- volumes -- */

static gboolean
get_info (ReeveShell *shell,
          const remote_storage_vol *volume,
          uint32_t flags,
          remote_storage_vol_get_info_flags_ret *info,
          GError **error)
{
  remote_storage_vol_get_info_args args = { .vol = *volume };
  remote_storage_vol_get_info_flags_args with_flags = { .vol = *volume,
                                                        .flags = flags };

  return flags == 0
             ? reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_GET_INFO, &args,
                                 info, error)
             : reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_GET_INFO_FLAGS,
                                 &with_flags, info, error);
}

/* In libvirt's words. */
static const char *
get_volume_type (int8_t type)
{
  static const char *const names[] = { "file",    "block",  "dir",
                                       "network", "netdir", "ploop" };

  return type >= 0 && (size_t) type < G_N_ELEMENTS (names) ? names[type] : "?";
}

static void
add_info (ReeveShell *shell,
          JsonObject *object,
          const remote_storage_vol_get_info_flags_ret *info,
          const char *allocation,
          gboolean is_exact)
{
  set_text (object, "type", get_volume_type (info->type));
  set_size (shell, object, "capacity", info->capacity, is_exact);
  set_size (shell, object, allocation, info->allocation, is_exact);
}

static gboolean
run_vol_list (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  static const ReeveField columns[] = {
    { "name", N_ ("Name") },
    { "path", N_ ("Path") },
    { "type", N_ ("Type") },
    { "capacity", N_ ("Capacity") },
    { "allocation", N_ ("Allocation") },
  };
  gboolean has_details = reeve_arguments_has (arguments, "details");
  remote_storage_pool_list_all_volumes_args args = { .need_results = 1 };
  remote_storage_pool_list_all_volumes_ret ret = { 0 };
  JsonArray *rows;
  gboolean is_done =
      reeve_volume_name_get_pool (shell, arguments, &args.pool, error) &&
      reeve_shell_call (shell, REMOTE_PROC_STORAGE_POOL_LIST_ALL_VOLUMES, &args,
                        &ret, error);

  remote_storage_pool_list_all_volumes_args_clear (&args);
  if (!is_done)
    return FALSE;

  rows = json_array_new ();
  for (uint32_t i = 0; i < ret.vols.n_items; i++) {
    remote_storage_vol_get_info_flags_ret info = { 0 };
    JsonObject *object = json_object_new ();

    set_text (object, "name", ret.vols.items[i].name);
    set_text (object, "path", ret.vols.items[i].key);
    if (has_details && get_info (shell, &ret.vols.items[i], 0, &info, NULL))
      add_info (shell, object, &info, "allocation", FALSE);
    json_array_add_object_element (rows, object);
  }
  remote_storage_pool_list_all_volumes_ret_clear (&ret);
  reeve_output_table (shell, columns, has_details ? G_N_ELEMENTS (columns) : 2,
                      rows);
  return TRUE;
}

static gboolean
run_vol_info (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  static const ReeveField fields[] = {
    { "name", N_ ("Name") },         { "type", N_ ("Type") },
    { "capacity", N_ ("Capacity") }, { "allocation", N_ ("Allocation") },
    { "physical", N_ ("Physical") },
  };
  gboolean is_physical = reeve_arguments_has (arguments, "physical");
  remote_storage_vol volume = { 0 };
  remote_storage_vol_get_info_flags_ret info = { 0 };
  gboolean is_done =
      reeve_volume_name_get (shell, arguments, &volume, error) &&
      get_info (shell, &volume, is_physical ? INFO_GET_PHYSICAL : 0, &info,
                error);

  if (is_done) {
    JsonObject *object = json_object_new ();

    set_text (object, "name", volume.name);
    add_info (shell, object, &info, is_physical ? "physical" : "allocation",
              reeve_arguments_has (arguments, "bytes"));
    reeve_output_object (shell, fields, G_N_ELEMENTS (fields), object);
  }
  remote_storage_vol_clear (&volume);
  return is_done;
}

static gboolean
run_vol_path (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  remote_storage_vol_get_path_args args = { 0 };
  remote_storage_vol_get_path_ret ret = { 0 };
  gboolean is_done =
      reeve_volume_name_get (shell, arguments, &args.vol, error) &&
      reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_GET_PATH, &args, &ret,
                        error);

  if (is_done)
    reeve_output_text (shell, "path", ret.name);
  remote_storage_vol_get_path_args_clear (&args);
  remote_storage_vol_get_path_ret_clear (&ret);
  return is_done;
}

static gboolean
run_vol_dumpxml (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 GError **error)
{
  remote_storage_vol_get_xml_desc_args args = { 0 };
  remote_storage_vol_get_xml_desc_ret ret = { 0 };
  gboolean is_done =
      reeve_volume_name_get (shell, arguments, &args.vol, error) &&
      reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_GET_XML_DESC, &args,
                        &ret, error);

  if (is_done)
    reeve_output_text (shell, "xml", ret.xml);
  remote_storage_vol_get_xml_desc_args_clear (&args);
  remote_storage_vol_get_xml_desc_ret_clear (&ret);
  return is_done;
}

/* --------------------------------------------------------------- change -- */

/* (transfer full): what a new volume is to be. */
static char *
describe (const ReeveArguments *arguments,
          uint64_t capacity,
          uint64_t allocation,
          const remote_storage_vol *backing)
{
  const char *format = reeve_arguments_get (arguments, "format");
  const char *backing_format =
      reeve_arguments_get (arguments, "backing-vol-format");
  g_autofree char *start = g_markup_printf_escaped (
      "<volume>\n  <name>%s</name>\n"
      "  <capacity>%" G_GUINT64_FORMAT "</capacity>\n"
      "  <allocation>%" G_GUINT64_FORMAT "</allocation>\n"
      "  <target>\n    <format type='%s'/>\n  </target>\n",
      reeve_arguments_get (arguments, "name"), capacity, allocation,
      format == NULL ? "raw" : format);
  g_autofree char *middle =
      backing->key == NULL
          ? g_strdup ("")
          : g_markup_printf_escaped (
                "  <backingStore>\n    <path>%s</path>\n"
                "    <format type='%s'/>\n"
                "  </backingStore>\n",
                backing->key, backing_format == NULL ? "raw" : backing_format);

  return g_strconcat (start, middle, "</volume>\n", NULL);
}

static gboolean
find_backing (ReeveShell *shell,
              const ReeveArguments *arguments,
              const remote_storage_pool *pool,
              remote_storage_vol *backing,
              GError **error)
{
  const char *name = reeve_arguments_get (arguments, "backing-vol");

  return name == NULL ||
         reeve_volume_name_resolve (shell, name, name[0] == '/' ? NULL : pool,
                                    backing, error);
}

static gboolean
run_vol_create_as (ReeveShell *shell,
                   const ReeveArguments *arguments,
                   GError **error)
{
  remote_storage_vol_create_xml_args args = { 0 };
  remote_storage_vol_create_xml_ret ret = { 0 };
  remote_storage_vol backing = { 0 };
  uint64_t capacity = 0;
  uint64_t allocation = 0;
  gboolean is_done;

  if (!reeve_arguments_get_size (arguments, "capacity", &capacity, error) ||
      !reeve_arguments_get_size (arguments, "allocation", &allocation, error))
    return FALSE;
  if (reeve_arguments_has (arguments, "prealloc-metadata"))
    args.flags |= CREATE_PREALLOC_METADATA;

  is_done = reeve_volume_name_get_pool (shell, arguments, &args.pool, error) &&
            find_backing (shell, arguments, &args.pool, &backing, error);
  if (is_done) {
    args.xml = describe (arguments, capacity, allocation, &backing);
    is_done = reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_CREATE_XML,
                                &args, &ret, error);
  }
  if (is_done)
    reeve_output_done (shell, ret.vol.name, _ ("Volume '%s' created"),
                       ret.vol.name);
  remote_storage_vol_create_xml_args_clear (&args);
  remote_storage_vol_create_xml_ret_clear (&ret);
  remote_storage_vol_clear (&backing);
  return is_done;
}

static gboolean
run_vol_delete (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  remote_storage_vol_delete_args args = { 0 };
  gboolean is_done =
      reeve_volume_name_get (shell, arguments, &args.vol, error) &&
      reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_DELETE, &args, NULL,
                        error);

  if (is_done)
    reeve_output_done (shell, args.vol.name, _ ("Volume '%s' deleted"),
                       args.vol.name);
  remote_storage_vol_delete_args_clear (&args);
  return is_done;
}

static gboolean
run_vol_resize (ReeveShell *shell,
                const ReeveArguments *arguments,
                GError **error)
{
  remote_storage_vol_resize_args args = { 0 };
  gboolean is_done;

  if (!reeve_arguments_get_size (arguments, "capacity", &args.capacity, error))
    return FALSE;
  if (reeve_arguments_has (arguments, "allocate"))
    args.flags |= RESIZE_ALLOCATE;
  if (reeve_arguments_has (arguments, "delta"))
    args.flags |= RESIZE_DELTA;
  if (reeve_arguments_has (arguments, "shrink"))
    args.flags |= RESIZE_SHRINK;

  is_done = reeve_volume_name_get (shell, arguments, &args.vol, error) &&
            reeve_shell_call (shell, REMOTE_PROC_STORAGE_VOL_RESIZE, &args,
                              NULL, error);
  if (is_done)
    reeve_output_done (shell, args.vol.name, _ ("Volume '%s' resized"),
                       args.vol.name);
  remote_storage_vol_resize_args_clear (&args);
  return is_done;
}

/* ------------------------------------------------------------- the group -- */

#define FLAG(name, help)                                                       \
  {                                                                            \
    name, REEVE_OPTION_FLAG, FALSE, FALSE, REEVE_COMPLETE_NOTHING, help        \
  }
#define SIZE(name, is_required, is_named_only, help)                           \
  {                                                                            \
    name, REEVE_OPTION_SIZE, is_required, is_named_only,                       \
        REEVE_COMPLETE_NOTHING, help                                           \
  }
#define TEXT(name, is_required, is_named_only, help)                           \
  {                                                                            \
    name, REEVE_OPTION_STRING, is_required, is_named_only,                     \
        REEVE_COMPLETE_NOTHING, help                                           \
  }

static const ReeveOption pool_list_options[] = {
  FLAG ("inactive", N_ ("inactive pools alone")),
  FLAG ("all", N_ ("all pools")),
};

static const ReeveOption pool_options[] = {
  REEVE_OPTION_POOL,
};

static const ReeveOption vol_list_options[] = {
  REEVE_OPTION_POOL,
  FLAG ("details", N_ ("type and sizes, too")),
};

static const ReeveOption volume_options[] = {
  REEVE_OPTION_VOLUME,
  REEVE_OPTION_VOLUME_POOL,
};

static const ReeveOption vol_info_options[] = {
  REEVE_OPTION_VOLUME,
  REEVE_OPTION_VOLUME_POOL,
  FLAG ("bytes", N_ ("sizes in bytes")),
  FLAG ("physical", N_ ("the size of the file, not what it takes")),
};

static const ReeveOption vol_create_as_options[] = {
  REEVE_OPTION_POOL,
  TEXT ("name", TRUE, FALSE, N_ ("of the volume")),
  SIZE ("capacity", TRUE, FALSE, N_ ("what a guest sees, in bytes")),
  SIZE ("allocation", FALSE, TRUE, N_ ("space that is taken at once")),
  TEXT ("format", FALSE, TRUE, N_ ("raw or qcow2")),
  TEXT ("backing-vol", FALSE, TRUE, N_ ("the volume that it is based on")),
  TEXT ("backing-vol-format", FALSE, TRUE, N_ ("the format of that")),
  FLAG ("prealloc-metadata", N_ ("make the tables of qcow2 at once")),
};

static const ReeveOption vol_resize_options[] = {
  REEVE_OPTION_VOLUME,
  SIZE ("capacity", TRUE, FALSE, N_ ("what a guest sees, in bytes")),
  REEVE_OPTION_VOLUME_POOL,
  FLAG ("allocate", N_ ("take the space at once")),
  FLAG ("delta", N_ ("the capacity is a difference")),
  FLAG ("shrink", N_ ("it may become smaller")),
};

static const ReeveOption transfer_options[] = {
  REEVE_OPTION_VOLUME,
  { "file", REEVE_OPTION_STRING, TRUE, FALSE, REEVE_COMPLETE_FILES,
    N_ ("here; - for the standard input or output") },
  REEVE_OPTION_VOLUME_POOL,
  SIZE ("offset", FALSE, TRUE, N_ ("where in the volume, in bytes")),
  SIZE ("length", FALSE, TRUE, N_ ("how much, in bytes")),
  FLAG ("sparse", N_ ("leave holes out")),
};

#define COMMAND(name, summary, options, run)                                   \
  {                                                                            \
    name, summary, options, G_N_ELEMENTS (options), run, FALSE                 \
  }

static const ReeveCommand commands[] = {
  COMMAND ("pool-list",
           N_ ("list storage pools"),
           pool_list_options,
           run_pool_list),
  COMMAND ("pool-info",
           N_ ("what is known of a pool"),
           pool_options,
           run_pool_info),
  COMMAND ("pool-dumpxml",
           N_ ("print a pool's definition"),
           pool_options,
           run_pool_dumpxml),
  COMMAND ("vol-list",
           N_ ("list the volumes of a pool"),
           vol_list_options,
           run_vol_list),
  COMMAND ("vol-info",
           N_ ("what is known of a volume"),
           vol_info_options,
           run_vol_info),
  COMMAND ("vol-path",
           N_ ("print a volume's path"),
           volume_options,
           run_vol_path),
  COMMAND ("vol-dumpxml",
           N_ ("print a volume's description"),
           volume_options,
           run_vol_dumpxml),
  COMMAND ("vol-create-as",
           N_ ("make a volume"),
           vol_create_as_options,
           run_vol_create_as),
  COMMAND ("vol-delete",
           N_ ("delete a volume"),
           volume_options,
           run_vol_delete),
  COMMAND ("vol-resize",
           N_ ("make a volume larger or smaller"),
           vol_resize_options,
           run_vol_resize),
  COMMAND ("vol-upload",
           N_ ("fill a volume from a file"),
           transfer_options,
           reeve_volume_upload),
  COMMAND ("vol-download",
           N_ ("copy a volume to a file"),
           transfer_options,
           reeve_volume_download),
};

const ReeveCommandGroup reeve_storage_commands = {
  .name = N_ ("Storage"),
  .commands = commands,
  .n_commands = G_N_ELEMENTS (commands),
};
