/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "machine/remote-storage.h"
#include "protocol/machine.h"
#include "rpc/access-rules.h"

#include <stddef.h>

/* Which machine, pool or volume a call is about, so that the policy can be
 * asked about it before the handler runs. A volume's name is POOL/NAME. What
 * is not known here is taken for each object. */

/* The objects that handlers look at themselves, as they find their names in an
 * XML description. */
static const int32_t asking[] = {
  REMOTE_PROC_DOMAIN_CREATE_XML,
  REMOTE_PROC_DOMAIN_DEFINE_XML,
  REMOTE_PROC_DOMAIN_DEFINE_XML_FLAGS,
  REMOTE_PROC_STORAGE_VOL_CREATE_XML,
};

/* A handle, in whatever program's struct. */
typedef struct {
  const ReeveMember *member; /* of the arguments */
  gconstpointer value;       /* (nullable): of the struct of that name */
} Handle;

static gboolean
ends_in (const ReeveType *type, const char *name)
{
  return type->kind == REEVE_KIND_STRUCT && type->name != NULL &&
         g_str_has_suffix (type->name, name);
}

/* The first member of the arguments that is a struct of this name, or may be
 * one. */
static gboolean
find_handle (const ReeveType *type,
             gconstpointer value,
             const char *name,
             Handle *handle)
{
  for (size_t i = 0; i < type->n_members; i++) {
    const ReeveMember *member = &type->members[i];
    const void *field = (const char *) value + member->offset;

    if (ends_in (member->type, name)) {
      *handle = (Handle){ member, field };
      return TRUE;
    }
    if (member->type->kind == REEVE_KIND_OPTIONAL &&
        ends_in (member->type->element, name)) {
      *handle = (Handle){ member, *(void *const *) field };
      return TRUE;
    }
    /* A snapshot or a checkpoint has the handle of its machine. */
    if (member->type->kind == REEVE_KIND_STRUCT &&
        find_handle (member->type, field, name, handle))
      return TRUE;
  }

  return FALSE;
}

/* (nullable): a handle that is there. */
static gconstpointer
get_handle (ReeveCall *call, gconstpointer args, const char *name)
{
  Handle handle = { 0 };

  find_handle (reeve_call_get_procedure (call)->args, args, name, &handle);
  return handle.value;
}

static gboolean
set_name (ReeveAccessObject *object, char *name)
{
  object->scope = REEVE_ACCESS_NAMED;
  object->name = name;
  return TRUE;
}

/* Without a handle that may be left out, it is about those that there will be
 * something to tell of, which is looked at then. */
static gboolean
set_scope (ReeveCall *call,
           gconstpointer args,
           const char *name,
           ReeveAccessObject *object)
{
  Handle handle;

  object->scope =
      find_handle (reeve_call_get_procedure (call)->args, args, name, &handle)
          ? REEVE_ACCESS_SOME
          : REEVE_ACCESS_EACH;
  return TRUE;
}

/* ------------------------------------------------------------- machines -- */

typedef struct {
  const char *name;    /* (nullable) */
  const uint8_t *uuid; /* (nullable) */
  int id;
} MachineKey;

/* What names the machine; FALSE: nothing does. */
static gboolean
get_machine_key (ReeveCall *call, gconstpointer args, MachineKey *key)
{
  const ReeveType *type = reeve_call_get_procedure (call)->args;

  *key = (MachineKey){ 0 };
  if (type == &machine_name_type) {
    key->name = ((const machine_name *) args)->name;
  } else if (type == &remote_domain_lookup_by_name_args_type) {
    key->name = ((const remote_domain_lookup_by_name_args *) args)->name;
  } else if (type == &remote_domain_lookup_by_uuid_args_type) {
    key->uuid = ((const remote_domain_lookup_by_uuid_args *) args)->uuid;
  } else if (type == &remote_domain_lookup_by_id_args_type) {
    key->id = ((const remote_domain_lookup_by_id_args *) args)->id;
  } else {
    /* The handles of all programs are of one layout. */
    const remote_domain *domain = get_handle (call, args, "_domain");

    G_STATIC_ASSERT (offsetof (remote_domain, uuid) ==
                     offsetof (qemu_domain, uuid));
    if (domain == NULL)
      return FALSE;
    key->uuid = domain->uuid;
  }

  return TRUE;
}

static ReeveMachine *
look_up_machine (ReeveCall *call, const MachineKey *key, GError **error)
{
  ReeveMachineList *machines = reeve_remote_get_machines (call);

  if (key->name != NULL)
    return reeve_machine_list_lookup_name (machines, key->name, error);
  if (key->uuid != NULL)
    return reeve_machine_list_lookup_uuid (machines, key->uuid, error);
  return reeve_machine_list_lookup_id (machines, key->id, error);
}

static gboolean
find_machine (ReeveCall *call,
              gconstpointer args,
              ReeveAccessObject *object,
              GError **error)
{
  g_autoptr (ReeveMachine) machine = NULL;
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };
  MachineKey key;

  if (!get_machine_key (call, args, &key))
    return set_scope (call, args, "_domain", object);

  machine = look_up_machine (call, &key, error);
  if (machine == NULL)
    return FALSE;
  reeve_machine_get_snapshot (machine, &snapshot);
  return set_name (object, g_steal_pointer (&snapshot.name));
}

static void
miss_machine (const MachineKey *key, GError **error)
{
  if (key->name != NULL)
    reeve_machine_list_miss_name (key->name, error);
  else if (key->uuid != NULL)
    reeve_machine_list_miss_uuid (key->uuid, error);
  else
    reeve_machine_list_miss_id (key->id, error);
}

/* ---------------------------------------------------------------- pools -- */

/* What names the pool; FALSE: nothing does. */
static gboolean
get_pool_key (ReeveCall *call, gconstpointer args, ReevePoolKey *key)
{
  const ReeveType *type = reeve_call_get_procedure (call)->args;
  const remote_storage_pool *pool = get_handle (call, args, "_storage_pool");
  const remote_storage_vol *volume = get_handle (call, args, "_storage_vol");

  *key = (ReevePoolKey){ 0 };
  if (type == &remote_storage_pool_lookup_by_name_args_type)
    key->name = ((const remote_storage_pool_lookup_by_name_args *) args)->name;
  else if (type == &remote_storage_pool_lookup_by_uuid_args_type)
    key->uuid = ((const remote_storage_pool_lookup_by_uuid_args *) args)->uuid;
  else if (type == &remote_storage_pool_lookup_by_target_path_args_type)
    key->path =
        ((const remote_storage_pool_lookup_by_target_path_args *) args)->path;
  else if (pool != NULL)
    key->uuid = pool->uuid;
  else if (volume != NULL)
    key->name = volume->pool;
  else
    return FALSE;

  return TRUE;
}

static gboolean
find_pool (ReeveCall *call,
           gconstpointer args,
           ReeveAccessObject *object,
           GError **error)
{
  ReeveStoragePool *pool;
  ReevePoolKey key;

  if (!get_pool_key (call, args, &key))
    return set_scope (call, args, "_storage_pool", object);

  pool = reeve_remote_look_up_pool (call, &key, error);
  return pool != NULL &&
         set_name (object, g_strdup (reeve_storage_pool_get_name (pool)));
}

/* -------------------------------------------------------------- volumes -- */

/* Whether there is such a volume does not matter here. */
static gboolean
find_volume (ReeveCall *call,
             gconstpointer args,
             ReeveAccessObject *object,
             GError **error)
{
  const ReeveType *type = reeve_call_get_procedure (call)->args;
  const remote_storage_vol *volume = get_handle (call, args, "_storage_vol");
  const char *path = NULL;

  if (type == &remote_storage_vol_lookup_by_name_args_type) {
    const remote_storage_vol_lookup_by_name_args *by_name = args;
    ReeveStoragePool *pool =
        reeve_remote_find_pool (call, &by_name->pool, error);

    return pool != NULL &&
           set_name (object, reeve_remote_name_volume (pool, by_name->name));
  }
  if (type == &remote_storage_vol_lookup_by_key_args_type)
    path = ((const remote_storage_vol_lookup_by_key_args *) args)->key;
  else if (type == &remote_storage_vol_lookup_by_path_args_type)
    path = ((const remote_storage_vol_lookup_by_path_args *) args)->path;

  if (path != NULL) {
    g_autofree char *name = NULL;
    ReeveStoragePool *pool = reeve_remote_split_path (call, path, &name, NULL);

    if (pool != NULL)
      return set_name (object, reeve_remote_name_volume (pool, name));
  }
  /* A clone has the handle of what it is made from. */
  if (volume == NULL || type == &remote_storage_vol_create_xml_from_args_type) {
    object->scope = REEVE_ACCESS_EACH;
    return TRUE;
  }
  return set_name (object, g_strconcat (volume->pool, "/", volume->name, NULL));
}

/* ------------------------------------------------------------ interface -- */

static gboolean
is_asking (ReeveCall *call)
{
  int32_t number = reeve_call_get_procedure (call)->number;

  for (size_t i = 0; i < G_N_ELEMENTS (asking); i++)
    if (asking[i] == number && reeve_call_get_program (call) == &remote_program)
      return TRUE;

  return FALSE;
}

static gboolean
find (ReeveCall *call,
      gconstpointer args,
      const char *tag,
      ReeveAccessObject *object,
      GError **error)
{
  if (is_asking (call))
    object->scope = REEVE_ACCESS_SOME;
  else if (g_str_has_prefix (tag, "domain:"))
    return find_machine (call, args, object, error);
  else if (g_str_has_prefix (tag, "storage_pool:"))
    return find_pool (call, args, object, error);
  else if (g_str_has_prefix (tag, "storage_vol:"))
    return find_volume (call, args, object, error);
  else
    object->scope = reeve_access_get_scope (tag, NULL);

  return TRUE;
}

/* A volume is denied whether it is there or not, so there is nothing to hide.
 */
static gboolean
hide (ReeveCall *call, gconstpointer args, const char *tag, GError **error)
{
  MachineKey machine;
  ReevePoolKey pool;

  if (g_str_has_prefix (tag, "domain:") &&
      get_machine_key (call, args, &machine)) {
    miss_machine (&machine, error);
    return TRUE;
  }
  if (g_str_has_prefix (tag, "storage_pool:") &&
      get_pool_key (call, args, &pool)) {
    reeve_remote_miss_pool (&pool, error);
    return TRUE;
  }

  return FALSE;
}

void
reeve_remote_add_objects (ReeveServer *server)
{
  static const ReeveAccessObjects objects = { find, hide };

  reeve_server_set_objects (server, &remote_program, &objects);
  reeve_server_set_objects (server, &qemu_program, &objects);
  reeve_server_set_objects (server, &machine_program, &objects);
}
