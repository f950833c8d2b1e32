/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/program-private.h"

#include "event/intl.h"
#include "rpc/access.h"
#include "rpc/error.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whom those are taken for who are no users of this host. */
#define NOBODY 65534

typedef struct {
  uint32_t low;
  uint32_t high;
  ReeveResourceMessageFunc func;
  gpointer data;
} MessageRange;

typedef struct {
  int code;
  ReeveResourcePulseFunc func;
  gpointer data;
} PulseEntry;

struct _ReeveResourceMessage {
  ReeveCall *call;                /* (owned): deferred */
  const resource_send_args *args; /* the call's */
};

/* ---------------------------------------------------------------- errors -- */

gboolean
reeve_resource_set_error (GError **error, int errnum, const char *what)
{
  static const struct {
    int errnum;
    int code;
  } codes[] = {
    { ENOENT, REEVE_ERROR_NO_RESOURCE },  { EACCES, REEVE_ERROR_ACCESS_DENIED },
    { EPERM, REEVE_ERROR_ACCESS_DENIED }, { EINVAL, REEVE_ERROR_INVALID_ARG },
    { EMFILE, REEVE_ERROR_LIMIT },        { EMSGSIZE, REEVE_ERROR_LIMIT },
    { ENOSYS, REEVE_ERROR_NO_SUPPORT },   { ETIMEDOUT, REEVE_ERROR_TIMED_OUT },
    { EINTR, REEVE_ERROR_ABORTED },
  };
  int code = REEVE_ERROR_SYSTEM;

  for (size_t i = 0; i < G_N_ELEMENTS (codes); i++)
    if (codes[i].errnum == errnum)
      code = codes[i].code;

  if (what == NULL)
    g_set_error_literal (error, REEVE_ERROR, code, g_strerror (errnum));
  else
    g_set_error (error, REEVE_ERROR, code, "%s: %s", what, g_strerror (errnum));
  return FALSE;
}

/* ---------------------------------------------------------------- access -- */

void
reeve_resource_caller_init (ReeveResourceCaller *self,
                            ReeveServerClient *client)
{
  *self = (ReeveResourceCaller){
    .uid = NOBODY,
    .gid = NOBODY,
    .client = client,
  };
  self->is_foreign = !reeve_server_client_get_unix_peer (
      client, &self->uid, &self->gid, &self->pid);
  if (!self->is_foreign)
    self->groups =
        reeve_server_client_get_unix_groups (client, &self->n_groups);
}

/* (nullable): the path that a call is for. */
static const char *
find_path (ReeveCall *call, gconstpointer args)
{
  const ReeveResourceFile *file = NULL;

  switch (reeve_call_get_procedure (call)->number) {
  case RESOURCE_PROC_RESOLVE:
    return ((const resource_resolve_args *) args)->path;
  case RESOURCE_PROC_LIST:
    return ((const resource_list_args *) args)->path;
  case RESOURCE_PROC_OPEN:
    return ((const resource_open_args *) args)->path;
  default:
    file = reeve_resource_session_find (
        reeve_resource_session_get (call),
        ((const resource_devctl_args *) args)->handle);
    return file == NULL ? NULL : file->path;
  }
}

gboolean
reeve_resource_has_own_rules (ReeveCall *call, const char *path)
{
  const ReeveResourceProgram *self = reeve_call_get_user_data (call);
  ReeveResourceCaller caller;

  reeve_resource_caller_init (&caller, reeve_call_get_client (call));
  return reeve_resource_tree_is_guarded (self->tree, path, &caller);
}

static gboolean
find_object (ReeveCall *call,
             gconstpointer args,
             const char *tag,
             ReeveAccessObject *object,
             GError **error)
{
  int32_t number = reeve_call_get_procedure (call)->number;
  const char *path = NULL;

  switch (number) {
  case RESOURCE_PROC_COMBINE:
    object->scope = REEVE_ACCESS_OWN;
    return TRUE;
  case RESOURCE_PROC_SEND:
  case RESOURCE_PROC_PULSE:
    object->scope = REEVE_ACCESS_NAMELESS;
    return TRUE;
  default:
    path = find_path (call, args);
    if (path == NULL)
      return reeve_resource_set_error (error, EBADF, NULL);
    if (number != RESOURCE_PROC_DEVCTL &&
        reeve_resource_has_own_rules (call, path)) {
      object->scope = REEVE_ACCESS_OWN;
      return TRUE;
    }
    object->scope = REEVE_ACCESS_NAMED;
    object->name = g_strdup (path);
    return TRUE;
  }
}

/* ----------------------------------------------------------------- paths -- */

void
reeve_resource_fill_attr (resource_attr *attr, ReeveResourceNode *node)
{
  const ReeveResourceAttr *from = reeve_resource_node_get_attr (node);
  const char *target = reeve_resource_node_get_target (node);

  *attr = (resource_attr){
    .mode = from->mode,
    .uid = from->uid,
    .gid = from->gid,
    .size = reeve_resource_node_get_size (node),
    .atime = from->atime_us,
    .mtime = from->mtime_us,
    .ctime = from->ctime_us,
    .vers = reeve_resource_node_get_version (node),
    .target = g_strdup (target == NULL ? "" : target),
  };
}

static gboolean
handle_resolve (ReeveCall *call,
                const resource_resolve_args *args,
                resource_attr *ret,
                GError **error)
{
  const ReeveResourceProgram *self = reeve_call_get_user_data (call);
  g_autoptr (ReeveResourceNode) node = NULL;
  ReeveResourceCaller caller;
  int result;

  reeve_resource_caller_init (&caller, reeve_call_get_client (call));
  result = reeve_resource_tree_resolve (self->tree, args->path, &caller,
                                        args->follow != 0, &node);
  if (result != 0)
    return reeve_resource_set_error (error, result, args->path);
  reeve_resource_fill_attr (ret, node);
  return TRUE;
}

static void
fill_page (GPtrArray *entries, unsigned n_entries, resource_list_ret *ret)
{
  ret->entries.n_items = n_entries;
  ret->entries.items = g_new0 (resource_entry, n_entries);
  for (unsigned i = 0; i < n_entries; i++) {
    ReeveResourceEntry *entry = entries->pdata[i];

    ret->entries.items[i].name = g_steal_pointer (&entry->name);
    ret->entries.items[i].type = entry->type;
  }
}

static gboolean
handle_list (ReeveCall *call,
             const resource_list_args *args,
             resource_list_ret *ret,
             GError **error)
{
  const ReeveResourceProgram *self = reeve_call_get_user_data (call);
  unsigned most = args->count == 0 ? RESOURCE_ENTRIES_MAX
                                   : MIN (args->count, RESOURCE_ENTRIES_MAX);
  g_autoptr (GPtrArray) entries = NULL;
  ReeveResourceCaller caller;
  gboolean more = FALSE;
  int result;

  reeve_resource_caller_init (&caller, reeve_call_get_client (call));
  result = reeve_resource_tree_list_after (
      self->tree, args->path, &caller,
      *args->after == '\0' ? NULL : args->after, most, &entries, &more);
  if (result != 0)
    return reeve_resource_set_error (error, result, args->path);
  ret->more = more || entries->len > most;
  fill_page (entries, MIN (most, entries->len), ret);
  return TRUE;
}

static gboolean
handle_cancel (ReeveCall *call,
               const resource_handle *args,
               resource_cancel_ret *ret,
               GError **error)
{
  ReeveResourceSession *session = reeve_resource_session_get (call);

  if (reeve_resource_session_find (session, args->handle) == NULL)
    return reeve_resource_set_error (error, EBADF, NULL);
  ret->count = reeve_resource_session_cancel (session, args->handle, EINTR);
  return TRUE;
}

/* ---------------------------------------------------- messages and pulses --
 */

int
reeve_resource_program_attach_messages (ReeveResourceProgram *self,
                                        uint32_t low,
                                        uint32_t high,
                                        ReeveResourceMessageFunc func,
                                        gpointer data)
{
  const MessageRange range = { low, high, func, data };

  if (low < REEVE_RESOURCE_MESSAGE_MIN || high < low)
    return EINVAL;
  for (unsigned i = 0; i < self->ranges->len; i++) {
    const MessageRange *other = &g_array_index (self->ranges, MessageRange, i);

    if (low <= other->high && other->low <= high)
      return EEXIST;
  }
  g_array_append_val (self->ranges, range);
  return 0;
}

int
reeve_resource_program_attach_pulse (ReeveResourceProgram *self,
                                     int code,
                                     ReeveResourcePulseFunc func,
                                     gpointer data)
{
  PulseEntry *entry = NULL;

  if (g_hash_table_contains (self->pulses, &code))
    return EEXIST;
  entry = g_new0 (PulseEntry, 1);
  *entry = (PulseEntry){ code, func, data };
  g_hash_table_insert (self->pulses, &entry->code, entry);
  return 0;
}

uint32_t
reeve_resource_message_get_type (const ReeveResourceMessage *self)
{
  return self->args->type;
}

const char *
reeve_resource_message_get_bytes (const ReeveResourceMessage *self,
                                  size_t *size)
{
  *size = self->args->bytes.size;
  return (const char *) self->args->bytes.data;
}

void
reeve_resource_message_reply (ReeveResourceMessage *self,
                              int status,
                              const void *bytes,
                              size_t size)
{
  const size_t max_size = MIN (self->args->max_size, RESOURCE_BYTES_MAX);
  resource_send_ret ret = { .status = status };

  ret.bytes.size = (uint32_t) MIN (size, max_size);
  ret.bytes.data = (uint8_t *) bytes;
  reeve_call_reply (self->call, &ret);
  g_free (self);
}

void
reeve_resource_message_fail (ReeveResourceMessage *self, int errnum)
{
  g_autoptr (GError) error = NULL;

  reeve_resource_set_error (&error, errnum, NULL);
  reeve_call_fail (self->call, error);
  g_free (self);
}

static gboolean
handle_send (ReeveCall *call,
             const resource_send_args *args,
             resource_send_ret *ret,
             GError **error)
{
  const ReeveResourceProgram *self = reeve_call_get_user_data (call);

  for (unsigned i = 0; i < self->ranges->len; i++) {
    const MessageRange *range = &g_array_index (self->ranges, MessageRange, i);
    ReeveResourceMessage *message = NULL;

    if (args->type < range->low || args->type > range->high)
      continue;
    message = g_new0 (ReeveResourceMessage, 1);
    message->call = reeve_call_defer (call);
    message->args = args;
    range->func (message, range->data);
    return TRUE;
  }
  return reeve_resource_set_error (error, ENOSYS, NULL);
}

static gboolean
handle_pulse (ReeveCall *call, const resource_pulse_args *args, GError **error)
{
  const ReeveResourceProgram *self = reeve_call_get_user_data (call);
  const PulseEntry *entry = g_hash_table_lookup (self->pulses, &args->code);

  if (entry == NULL)
    return reeve_resource_set_error (error, ENOSYS, NULL);
  entry->func (args->code, args->value, entry->data);
  return TRUE;
}

/* --------------------------------------------------------------- program -- */

static void
wake (ReeveResourceSession *session)
{
  GHashTableIter iter;
  gpointer file;

  g_hash_table_iter_init (&iter, session->files);
  while (g_hash_table_iter_next (&iter, NULL, &file))
    reeve_resource_file_tell (file, 0);
}

void
reeve_resource_program_interrupt (ReeveResourceProgram *self)
{
  for (GList *link = self->sessions.head; link != NULL; link = link->next) {
    reeve_resource_session_cancel (link->data, 0, EINTR);
    wake (link->data);
  }
}

unsigned
reeve_resource_program_count_open (const ReeveResourceProgram *self)
{
  unsigned n_open = 0;

  for (GList *link = self->sessions.head; link != NULL; link = link->next)
    n_open += g_hash_table_size (((ReeveResourceSession *) link->data)->files);
  return n_open;
}

unsigned
reeve_resource_program_count_waiting (const ReeveResourceProgram *self)
{
  unsigned n_waiting = 0;

  for (GList *link = self->sessions.head; link != NULL; link = link->next)
    n_waiting += ((ReeveResourceSession *) link->data)->runs.length;
  return n_waiting;
}

ReeveResourceProgram *
reeve_resource_program_new (ReeveServer *server, ReeveResourceTree *tree)
{
  static const ReeveAccessObjects objects = { find_object, NULL };
  static resource_handlers handlers = {
    .resolve = handle_resolve,
    .list = handle_list,
    .notify = reeve_resource_notify,
    .notify_fd = reeve_resource_notify,
    .cancel = handle_cancel,
    .send = handle_send,
    .pulse = handle_pulse,
  };
  ReeveResourceProgram *self = g_new0 (ReeveResourceProgram, 1);

  reeve_resource_add_run_handlers (&handlers);
  self->server = reeve_server_ref (server);
  self->loop = reeve_loop_ref (reeve_server_get_loop (server));
  self->tree = tree;
  self->ranges = g_array_new (FALSE, FALSE, sizeof (MessageRange));
  self->pulses = g_hash_table_new_full (g_int_hash, g_int_equal, NULL, g_free);
  /* A daemon that takes over has its clients, and not their handles, which must
   * not be taken for its own. */
  self->last_handle = (uint64_t) getpid () << 30;
  reeve_server_add_program (server, &resource_program, &handlers, self);
  reeve_server_set_objects (server, &resource_program, &objects);
  return self;
}

void
reeve_resource_program_free (ReeveResourceProgram *self)
{
  if (self == NULL)
    return;

  g_hash_table_unref (self->pulses);
  g_array_unref (self->ranges);
  reeve_loop_unref (self->loop);
  reeve_server_unref (self->server);
  g_free (self);
}
