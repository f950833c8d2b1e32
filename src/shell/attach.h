/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "client/connection-stream.h"
#include "shell/shell.h"

G_BEGIN_DECLS

/**
 * ReeveAttachEnd:
 * @REEVE_ATTACH_FAILED: with the error
 * @REEVE_ATTACH_ENDED: the other side has ended the stream
 * @REEVE_ATTACH_DETACHED: the escape key was pressed
 * @REEVE_ATTACH_UNREAD: nobody reads the standard output any more
 */
typedef enum {
  REEVE_ATTACH_FAILED,
  REEVE_ATTACH_ENDED,
  REEVE_ATTACH_DETACHED,
  REEVE_ATTACH_UNREAD,
} ReeveAttachEnd;

/**
 * reeve_attach:
 * @escape: the key that detaches, if the standard input is a terminal
 * @n_lost: (out): of what was typed, how many bytes the other side left
 *
 * Ties a stream to the standard input and output, until one of them ends.
 *
 * A terminal is raw meanwhile, and as it was afterwards, whatever happens;
 * keys are read at all times, so that the escape key works when nothing else
 * does. Any other input is sent as it is, no faster than it is taken, and its
 * end ends nothing: what comes is printed up to its own end.
 *
 * The stream is over then, and the connection closed if the server did not
 * answer.
 */
ReeveAttachEnd reeve_attach (ReeveShell *shell,
                             ReeveConnectionStream *stream,
                             char escape,
                             size_t *n_lost,
                             GError **error);

G_END_DECLS
