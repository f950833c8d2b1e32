/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/job-pool.h"

G_BEGIN_DECLS

/**
 * ReeveHandshakes:
 *
 * The threads that do the arithmetic of TLS handshakes: half of the processors
 * at most are busy with strangers. A thread may stay with its client until that
 * says more, which spares two hand-overs; but no handshake that could go on
 * waits for one that cannot.
 */
typedef struct _ReeveHandshakes ReeveHandshakes;

/* @func: gets the ReeveHandshakes. Thread: owner. */
ReeveHandshakes *reeve_handshakes_new (ReeveJobFunc func);
/* Runs what is queued, then ends the threads and waits for them. */
void reeve_handshakes_free (ReeveHandshakes *self);

/* @job: (transfer none). Thread: any. */
void reeve_handshakes_push (ReeveHandshakes *self, ReeveJob *job);

/* Whether a thread waits that could take the next job. Thread: any. */
gboolean reeve_handshakes_has_spare (ReeveHandshakes *self);

/**
 * reeve_handshakes_stay:
 * @fd: may be closed meanwhile, or be another file: what became of it is seen
 *   when it is read
 *
 * Waits for a short time until @fd is ready for reading, and not while a job is
 * queued that no other thread would take.
 *
 * Thread: one of them.
 *
 * Returns: whether @fd is ready
 */
gboolean reeve_handshakes_stay (ReeveHandshakes *self, int fd);

G_END_DECLS
