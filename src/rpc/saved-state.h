/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/type.h"

G_BEGIN_DECLS

/**
 * ReeveSavedState:
 *
 * What a daemon hands over to the one that takes its place: sections, each
 * with the name and the version of whoever wrote it, and file descriptors, of
 * which sections speak by their index.
 *
 * A section, and each record within one, is a struct with nothing behind it
 * but the structs that later versions added. A reader takes those that it
 * knows; see #ReeveStateReader.
 *
 * Not thread-safe.
 */
typedef struct _ReeveSavedState ReeveSavedState;

/* To be filled. */
ReeveSavedState *reeve_saved_state_new (void);

/**
 * reeve_saved_state_new_from_bytes:
 * @fds: (transfer full) (element-type int): closed with it, unless stolen
 *
 * Errors: %REEVE_ERROR_RPC
 */
ReeveSavedState *
reeve_saved_state_new_from_bytes (GBytes *bytes, GArray *fds, GError **error);
void reeve_saved_state_free (ReeveSavedState *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveSavedState, reeve_saved_state_free)

/* (transfer full): the sections. Errors: REEVE_ERROR_RPC over a limit. */
GBytes *reeve_saved_state_to_bytes (ReeveSavedState *self, GError **error);

/* @fd: (transfer none): stays open until the state was sent. Returns its
 * index. */
uint32_t reeve_saved_state_add_fd (ReeveSavedState *self, int fd);
/* (transfer none) (element-type int): in the order of their indices. */
GArray *reeve_saved_state_get_fds (ReeveSavedState *self);

/* (transfer full): of a state that was read. -1 with REEVE_ERROR_RPC if there
 * is none, or it was taken. */
int reeve_saved_state_steal_fd (ReeveSavedState *self,
                                uint32_t index,
                                GError **error);

/**
 * reeve_saved_state_add:
 * @name: of its own for each section
 * @format: the version of what is in it
 * @needed: the lowest version that may read it
 * @data: (transfer full)
 */
void reeve_saved_state_add (ReeveSavedState *self,
                            const char *name,
                            unsigned format,
                            unsigned needed,
                            GByteArray *data);

/**
 * ReeveStateReader:
 *
 * Where the next struct stands.
 */
typedef struct {
  const uint8_t *data; /* (not owned) */
  size_t size;         /* bytes that are left */
} ReeveStateReader;

/**
 * reeve_saved_state_find:
 * @known: the latest version that the caller knows
 * @reader: (out): is empty if there is no such section
 *
 * Errors: %REEVE_ERROR_NO_SUPPORT, with both versions, for a section that a
 * later version has to read.
 */
gboolean reeve_saved_state_find (ReeveSavedState *self,
                                 const char *name,
                                 unsigned known,
                                 ReeveStateReader *reader,
                                 GError **error);

/**
 * reeve_state_reader_take:
 * @value: (out caller-allocates): as of reeve_xdr_decode()
 *
 * Takes the next struct. One that an older writer did not know is not there,
 * and @value is zeros: ask for @size before.
 *
 * Errors: %REEVE_ERROR_RPC
 */
gboolean reeve_state_reader_take (ReeveStateReader *self,
                                  const ReeveType *type,
                                  gpointer value,
                                  GError **error);

/* Writes a struct behind what is in @data. Errors: REEVE_ERROR_RPC. */
gboolean reeve_state_append (GByteArray *data,
                             const ReeveType *type,
                             gconstpointer value,
                             GError **error);

G_END_DECLS
