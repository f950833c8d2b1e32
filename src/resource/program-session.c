/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/program-private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* What a client keeps open. */

static const char session_key;

/* ------------------------------------------------------------- sessions -- */

static void
file_free (gpointer data)
{
  ReeveResourceFile *self = data;

  reeve_resource_file_disarm (self);
  reeve_resource_handle_close (self->handle);
  g_free (self->path);
  g_free (self);
}

/* The connection has ended: in the loop's thread. */
static void
session_close (gpointer data)
{
  ReeveResourceSession *self = data;
  GHashTableIter iter;
  gpointer number, file;

  self->client = NULL;
  g_queue_unlink (&self->program->sessions, &self->link);
  /* What waits for a handle ends as it is closed, and nothing is opened any
   * more; a COMBINE that ends may close another one. */
  for (;;) {
    g_hash_table_iter_init (&iter, self->files);
    if (!g_hash_table_iter_next (&iter, &number, &file))
      break;
    g_hash_table_iter_steal (&iter);
    file_free (file);
  }
}

static void
session_free (gpointer data)
{
  ReeveResourceSession *self = data;

  g_hash_table_unref (self->files);
  g_free (self);
}

ReeveResourceSession *
reeve_resource_session_get (ReeveCall *call)
{
  ReeveServerClient *client = reeve_call_get_client (call);
  ReeveResourceSession *self =
      reeve_server_client_get_data (client, &session_key);

  if (self != NULL)
    return self;

  self = g_new0 (ReeveResourceSession, 1);
  self->program = reeve_call_get_user_data (call);
  self->client = client;
  self->files =
      g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, file_free);
  self->link.data = self;
  g_queue_push_tail_link (&self->program->sessions, &self->link);
  return reeve_server_client_attach (client, &session_key, self, session_close,
                                     session_free);
}

/* --------------------------------------------------------------- handles -- */

ReeveResourceFile *
reeve_resource_session_find (ReeveResourceSession *self, uint64_t number)
{
  return g_hash_table_lookup (self->files, &number);
}

static int
open_node (ReeveResourceSession *self,
           ReeveResourceNode *node,
           const ReeveResourceCaller *caller,
           unsigned flags,
           ReeveResourceHandle **handle)
{
  static const int modes[] = {
    [RESOURCE_OPEN_READ] = O_RDONLY,
    [RESOURCE_OPEN_WRITE] = O_WRONLY,
    [RESOURCE_OPEN_READ | RESOURCE_OPEN_WRITE] = O_RDWR,
  };
  int mode = modes[flags & (RESOURCE_OPEN_READ | RESOURCE_OPEN_WRITE)];
  int result;

  if ((flags & RESOURCE_OPEN_NONBLOCK) != 0)
    mode |= O_NONBLOCK;
  result = reeve_resource_handle_open (node, caller, mode, handle);
  if (result == 0 && (flags & RESOURCE_OPEN_TRUNCATE) != 0)
    result = reeve_resource_node_truncate (node, 0);
  if (result != 0)
    g_clear_pointer (handle, reeve_resource_handle_close);
  return result;
}

static int
check_flags (unsigned flags)
{
  const unsigned access = RESOURCE_OPEN_READ | RESOURCE_OPEN_WRITE;
  const unsigned all = access | RESOURCE_OPEN_NONBLOCK | RESOURCE_OPEN_TRUNCATE;

  if ((flags & access) == 0 || (flags & ~all) != 0 ||
      ((flags & RESOURCE_OPEN_TRUNCATE) != 0 &&
       (flags & RESOURCE_OPEN_WRITE) == 0))
    return EINVAL;
  return 0;
}

int
reeve_resource_session_open (ReeveResourceSession *self,
                             const resource_open_args *args,
                             uint64_t *number)
{
  g_autoptr (ReeveResourceNode) node = NULL;
  ReeveResourceHandle *handle = NULL;
  ReeveResourceCaller caller;
  ReeveResourceFile *file = NULL;
  int result = check_flags (args->flags);

  if (result != 0)
    return result;
  if (g_hash_table_size (self->files) == REEVE_RESOURCE_MAX_HANDLES)
    return EMFILE;
  reeve_resource_caller_init (&caller, self->client);
  result = reeve_resource_tree_resolve (self->program->tree, args->path,
                                        &caller, TRUE, &node);
  if (result == 0)
    result = open_node (self, node, &caller, args->flags, &handle);
  if (result != 0)
    return result;

  file = g_new0 (ReeveResourceFile, 1);
  file->session = self;
  file->number = ++self->program->last_handle;
  file->path = g_strdup (args->path);
  file->handle = handle;
  file->event_fd = -1;
  g_hash_table_insert (self->files, &file->number, file);
  *number = file->number;
  return 0;
}

int
reeve_resource_session_close_file (ReeveResourceSession *self, uint64_t number)
{
  ReeveResourceFile *file = reeve_resource_session_find (self, number);

  if (file == NULL)
    return EBADF;
  /* What waits for it ends, and does not find it any more. */
  g_hash_table_steal (self->files, &number);
  file_free (file);
  return 0;
}
