/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/saved-state.h"

#include "event/fd.h"
#include "event/intl.h"
#include "protocol/takeover.h"
#include "rpc/error.h"
#include "rpc/wire-xdr.h"

#include <string.h>

struct _ReeveSavedState {
  GArray *sections; /* (element-type takeover_section) */
  GArray *fds;      /* (element-type int) */
  gboolean owns_fds;
};

static void
clear_section (gpointer data)
{
  takeover_section_clear (data);
}

ReeveSavedState *
reeve_saved_state_new (void)
{
  ReeveSavedState *self = g_new0 (ReeveSavedState, 1);

  self->sections = g_array_new (FALSE, FALSE, sizeof (takeover_section));
  g_array_set_clear_func (self->sections, clear_section);
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  return self;
}

ReeveSavedState *
reeve_saved_state_new_from_bytes (GBytes *bytes, GArray *fds, GError **error)
{
  g_autoptr (ReeveSavedState) self = reeve_saved_state_new ();
  takeover_state state = { 0 };
  gsize size;
  const uint8_t *data = g_bytes_get_data (bytes, &size);

  g_array_unref (self->fds);
  self->fds = fds;
  self->owns_fds = TRUE;
  if (!reeve_xdr_decode (&takeover_state_type, data, size, &state, NULL, error))
    return NULL;

  g_array_append_vals (self->sections, state.sections.items,
                       state.sections.n_items);
  g_free (state.sections.items);
  return g_steal_pointer (&self);
}

void
reeve_saved_state_free (ReeveSavedState *self)
{
  if (self == NULL)
    return;

  for (guint i = 0; self->owns_fds && i < self->fds->len; i++)
    reeve_fd_clear (&g_array_index (self->fds, int, i));
  g_array_unref (self->fds);
  g_array_unref (self->sections);
  g_free (self);
}

GBytes *
reeve_saved_state_to_bytes (ReeveSavedState *self, GError **error)
{
  g_autoptr (GByteArray) data = g_byte_array_new ();
  const takeover_state state = {
    .sections = { .n_items = self->sections->len,
                  .items = (takeover_section *) (void *) self->sections->data },
  };

  if (!reeve_state_append (data, &takeover_state_type, &state, error))
    return NULL;
  return g_byte_array_free_to_bytes (g_steal_pointer (&data));
}

uint32_t
reeve_saved_state_add_fd (ReeveSavedState *self, int fd)
{
  g_array_append_val (self->fds, fd);
  return self->fds->len - 1;
}

GArray *
reeve_saved_state_get_fds (ReeveSavedState *self)
{
  return self->fds;
}

int
reeve_saved_state_steal_fd (ReeveSavedState *self,
                            uint32_t index,
                            GError **error)
{
  if (index < self->fds->len && g_array_index (self->fds, int, index) >= 0)
    return g_steal_fd (&g_array_index (self->fds, int, index));

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_RPC,
               _ ("the saved state has no file descriptor %u"), index);
  return -1;
}

void
reeve_saved_state_add (ReeveSavedState *self,
                       const char *name,
                       unsigned format,
                       unsigned needed,
                       GByteArray *data)
{
  takeover_section section = {
    .name = g_strdup (name),
    .format = format,
    .needed = needed,
    .data.size = data->len,
  };

  section.data.data = g_byte_array_free (data, FALSE);
  g_array_append_val (self->sections, section);
}

gboolean
reeve_saved_state_find (ReeveSavedState *self,
                        const char *name,
                        unsigned known,
                        ReeveStateReader *reader,
                        GError **error)
{
  *reader = (ReeveStateReader){ 0 };
  for (guint i = 0; i < self->sections->len; i++) {
    const takeover_section *section =
        &g_array_index (self->sections, takeover_section, i);

    if (!g_str_equal (section->name, name))
      continue;
    if (section->needed > known) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
                   _ ("the saved state of %1$s has version %2$u and needs at "
                      "least version %3$u to be read; this is version %4$u"),
                   name, section->format, section->needed, known);
      return FALSE;
    }
    *reader = (ReeveStateReader){ section->data.data, section->data.size };
    return TRUE;
  }

  return TRUE;
}

gboolean
reeve_state_reader_take (ReeveStateReader *self,
                         const ReeveType *type,
                         gpointer value,
                         GError **error)
{
  size_t used;

  memset (value, 0, type->size);
  if (!reeve_xdr_decode (type, self->data, self->size, value, &used, error))
    return FALSE;

  self->data += used;
  self->size -= used;
  return TRUE;
}

gboolean
reeve_state_append (GByteArray *data,
                    const ReeveType *type,
                    gconstpointer value,
                    GError **error)
{
  gssize size = reeve_xdr_measure (type, value, error);
  guint start = data->len;

  if (size < 0)
    return FALSE;
  if ((size_t) size > TAKEOVER_BYTES_MAX - start) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_RPC,
                         _ ("the state is too large to be saved"));
    return FALSE;
  }

  g_byte_array_set_size (data, start + (guint) size);
  reeve_xdr_encode (type, value, data->data + start, (size_t) size);
  return TRUE;
}
