/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/listeners.h"

typedef struct {
  char *name;            /* (owned) */
  ReevePStream *pstream; /* the server's */
  gboolean was_inherited;
} Entry;

struct _ReeveListeners {
  ReeveInherited *inherited; /* (owned) */
  GArray *entries;           /* (element-type Entry) (owned) */
};

static void
entry_clear (gpointer data)
{
  Entry *self = data;

  g_free (self->name);
}

ReeveListeners *
reeve_listeners_new (ReeveInherited *inherited)
{
  ReeveListeners *self = g_new0 (ReeveListeners, 1);

  self->inherited = inherited != NULL ? inherited : reeve_inherited_new ();
  self->entries = g_array_new (FALSE, FALSE, sizeof (Entry));
  g_array_set_clear_func (self->entries, entry_clear);
  return self;
}

void
reeve_listeners_free (ReeveListeners *self)
{
  if (self == NULL)
    return;

  reeve_inherited_free (self->inherited);
  g_array_unref (self->entries);
  g_free (self);
}

ReeveInherited *
reeve_listeners_get_inherited (ReeveListeners *self)
{
  return self->inherited;
}

static ReevePStream *
open_pstream (const char *address,
              const ReeveServiceOptions *options,
              GError **error)
{
  return reeve_pstream_open (address, options->mode == 0 ? 0600 : options->mode,
                             options->group == 0 ? (gid_t) -1 : options->group,
                             error);
}

const char *
reeve_listeners_open (ReeveListeners *self,
                      ReeveServer *server,
                      const char *name,
                      const char *address,
                      const ReeveServiceOptions *options,
                      GError **error)
{
  gboolean owns_path = FALSE;
  int fd = reeve_inherited_steal (self->inherited, name, &owns_path);
  Entry entry = { .was_inherited = fd >= 0 };
  const char *actual;

  entry.pstream = fd >= 0 ? reeve_pstream_new_for_fd (fd, options->tls != NULL,
                                                      owns_path, error)
                          : open_pstream (address, options, error);
  if (entry.pstream == NULL)
    return NULL;

  actual = reeve_server_listen_on (server, entry.pstream, options, error);
  if (actual == NULL)
    return NULL;

  entry.name = g_strdup (name);
  g_array_append_val (self->entries, entry);
  return actual;
}

void
reeve_listeners_foreach (ReeveListeners *self,
                         ReeveListenerFunc func,
                         gpointer data)
{
  for (unsigned i = 0; i < self->entries->len; i++) {
    const Entry *entry = &g_array_index (self->entries, Entry, i);
    const ReeveListener listener = {
      .name = entry->name,
      .fd = reeve_pstream_get_fd (entry->pstream),
      .was_inherited = entry->was_inherited,
      .owns_path = reeve_pstream_owns_path (entry->pstream),
    };

    func (&listener, data);
  }
}

void
reeve_listeners_disown (ReeveListeners *self)
{
  for (unsigned i = 0; i < self->entries->len; i++)
    reeve_pstream_disown (g_array_index (self->entries, Entry, i).pstream);
}
