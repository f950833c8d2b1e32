/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/property.h"

#include "resource/request-private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* Behind a node: what it does with texts. */
typedef struct {
  const ReeveResourceTextFuncs *funcs;
  gpointer data;
  GDestroyNotify free_func;
} Text;

/* Behind a handle: the text as it was when it was read, or a reply. */
typedef struct {
  GBytes *bytes; /* (owned) (nullable) */
  size_t offset; /* of a reply: how much of it was read */
  uint64_t version;
} Shown;

static void
text_free (gpointer data)
{
  Text *self = data;

  if (self->free_func != NULL)
    self->free_func (self->data);
  g_free (self);
}

static void
shown_free (gpointer data)
{
  Shown *self = data;

  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self);
}

static Shown *
get_shown (ReeveResourceRequest *request)
{
  return reeve_resource_handle_get_data (
      reeve_resource_request_get_handle (request));
}

static void
set_shown (Shown *shown, GBytes *bytes)
{
  g_bytes_ref (bytes);
  g_clear_pointer (&shown->bytes, g_bytes_unref);
  shown->bytes = bytes;
  shown->offset = 0;
}

static int
open_text (ReeveResourceHandle *handle, gpointer data)
{
  const Text *self = data;
  int mode = reeve_resource_handle_get_flags (handle) & O_ACCMODE;

  if (mode != O_RDONLY && self->funcs->write == NULL)
    return EACCES;
  reeve_resource_handle_set_data (handle, g_new0 (Shown, 1), shown_free);
  return 0;
}

static void
write_text (ReeveResourceRequest *request, gpointer data)
{
  const Text *self = data;
  g_autofree char *text = NULL;

  if (reeve_resource_request_get_size (request) > REEVE_RESOURCE_TEXT_MAX) {
    reeve_resource_request_fail (request, EMSGSIZE);
    return;
  }
  text = reeve_resource_request_text (request);
  if (text == NULL)
    reeve_resource_request_fail (request, EINVAL);
  else
    self->funcs->write (request, text, self->data);
}

/* ----------------------------------------------------------- properties --- */

static void
read_property (ReeveResourceRequest *request, gpointer data)
{
  const Text *self = data;
  ReeveResourceHandle *handle = reeve_resource_request_get_handle (request);
  Shown *shown = get_shown (request);

  if (self->funcs->read == NULL) {
    reeve_resource_request_give (request, NULL, 0);
  } else if (shown->bytes != NULL &&
             reeve_resource_request_get_offset (request) > 0) {
    reeve_resource_request_give_at (request, shown->bytes);
  } else {
    /* Before it is made: a change meanwhile is news. */
    shown->version = reeve_resource_node_get_version (
        reeve_resource_handle_get_node (handle));
    self->funcs->read (request, self->data);
  }
}

static void
show_home (ReeveResourceRequest *self, GBytes *text, int64_t number)
{
  reeve_resource_request_show (self, text);
}

void
reeve_resource_request_show (ReeveResourceRequest *self, GBytes *text)
{
  ReeveResourceErrand *errand = reeve_resource_request_get_errand (self);

  if (errand != NULL) {
    reeve_resource_errand_go_home (errand, show_home, g_bytes_ref (text), 0);
    return;
  }
  set_shown (get_shown (self), text);
  reeve_resource_request_give_at (self, text);
}

void
reeve_resource_request_show_text (ReeveResourceRequest *self, char *text)
{
  g_autoptr (GBytes) bytes = g_bytes_new_take (text, strlen (text));

  reeve_resource_request_show (self, bytes);
}

static unsigned
poll_property (ReeveResourceHandle *handle, gpointer data)
{
  const Shown *shown = reeve_resource_handle_get_data (handle);
  uint64_t version =
      reeve_resource_node_get_version (reeve_resource_handle_get_node (handle));
  unsigned ready = POLLOUT | POLLWRNORM;

  if (shown->bytes == NULL || shown->version != version)
    ready |= POLLIN | POLLRDNORM | POLLPRI;
  return ready;
}

static const ReeveResourceOps property_ops = {
  .open = open_text,
  .read = read_property,
  .write = write_text,
  .poll = poll_property,
};

static ReeveResourceNode *
new_node (mode_t mode,
          const ReeveResourceOps *ops,
          const ReeveResourceTextFuncs *funcs,
          gpointer data,
          GDestroyNotify free_func)
{
  Text *text = g_new0 (Text, 1);

  text->funcs = funcs;
  text->data = data;
  text->free_func = free_func;
  return reeve_resource_node_new (mode, ops, text, text_free);
}

ReeveResourceNode *
reeve_resource_property_new (mode_t mode,
                             const ReeveResourceTextFuncs *funcs,
                             gpointer data,
                             GDestroyNotify free_func)
{
  return new_node (mode, &property_ops, funcs, data, free_func);
}

static void
show_constant (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_show_text (request, g_strdup (data));
}

ReeveResourceNode *
reeve_resource_text_new (mode_t mode, const char *text)
{
  static const ReeveResourceTextFuncs funcs = { .read = show_constant };

  return reeve_resource_property_new (mode, &funcs, g_strdup (text), g_free);
}

/* --------------------------------------------------------- transactions --- */

static void
read_reply (ReeveResourceRequest *request, gpointer data)
{
  Shown *shown = get_shown (request);
  const char *bytes = NULL;
  size_t size = 0;
  size_t offset = shown->offset;

  if (shown->bytes != NULL)
    bytes = g_bytes_get_data (shown->bytes, &size);
  if (offset == size) {
    reeve_resource_request_give (request, NULL, 0);
    return;
  }
  size = MIN (size - offset, reeve_resource_request_get_size (request));
  shown->offset += size;
  reeve_resource_request_give (request, bytes + offset, size);
}

static void
return_home (ReeveResourceRequest *self, GBytes *reply, int64_t number)
{
  reeve_resource_request_return (self, reply);
}

void
reeve_resource_request_return (ReeveResourceRequest *self, GBytes *reply)
{
  ReeveResourceErrand *errand = reeve_resource_request_get_errand (self);

  if (errand != NULL) {
    reeve_resource_errand_go_home (errand, return_home, g_bytes_ref (reply), 0);
    return;
  }
  set_shown (get_shown (self), reply);
  reeve_resource_node_notify (reeve_resource_handle_get_node (
      reeve_resource_request_get_handle (self)));
  reeve_resource_request_take (self);
}

static unsigned
poll_reply (ReeveResourceHandle *handle, gpointer data)
{
  const Shown *shown = reeve_resource_handle_get_data (handle);
  unsigned ready = POLLOUT | POLLWRNORM;

  if (shown->bytes != NULL && shown->offset < g_bytes_get_size (shown->bytes))
    ready |= POLLIN | POLLRDNORM;
  return ready;
}

static const ReeveResourceOps transaction_ops = {
  .is_stream = TRUE,
  .open = open_text,
  .read = read_reply,
  .write = write_text,
  .poll = poll_reply,
};

ReeveResourceNode *
reeve_resource_transaction_new (mode_t mode,
                                const ReeveResourceTextFuncs *funcs,
                                gpointer data,
                                GDestroyNotify free_func)
{
  return new_node (mode, &transaction_ops, funcs, data, free_func);
}
