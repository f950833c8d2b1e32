/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/access.h"

G_BEGIN_DECLS

/**
 * ReeveAudit:
 *
 * A line in the log for what was denied and, if wanted, for what was granted.
 * Whoever makes many gets as many lines as he may; those that are left out are
 * counted and told of, so that nobody can flood the log nor hide in it what
 * others do. Thread: any.
 */
typedef struct _ReeveAudit ReeveAudit;

typedef enum {
  REEVE_AUDIT_NONE,
  REEVE_AUDIT_DENIED,
  REEVE_AUDIT_CHANGES, /* and what was granted beyond reading */
  REEVE_AUDIT_ALL,
} ReeveAuditMode;

/* Lines that one can have at once, and again each second. */
#define REEVE_AUDIT_BURST 50
#define REEVE_AUDIT_RATE 5

/* @loop: (nullable): where lines that were left out are told of; without it
 * they are not. Thread: owner. */
ReeveAudit *reeve_audit_new (ReeveAuditMode mode, ReeveLoop *loop);
void reeve_audit_free (ReeveAudit *self);

/* Whether something like it makes a line. */
gboolean reeve_audit_wants (ReeveAudit *self,
                            const ReeveProcedure *procedure,
                            ReeveAccessOutcome outcome);

/**
 * reeve_audit_write:
 * @who: the client, as "key=value …"
 * @from: "unix", or "TRANSPORT:ADDRESS"
 * @rule: (nullable): that decided
 */
void reeve_audit_write (ReeveAudit *self,
                        const ReeveAccessQuestion *question,
                        ReeveAccessOutcome outcome,
                        const char *who,
                        const char *from,
                        const char *rule);

/**
 * ReeveAuditDeed:
 * @path: of a daemon's resource
 * @text: (nullable): what was written to it
 * @tag: what that takes
 * @name: (nullable): of the object; %NULL: the daemon itself
 * @who, @from, @rule: as of reeve_audit_write()
 * @errnum: what came of it; 0: it was done
 *
 * What somebody did with a daemon's files, or may not do.
 */
typedef struct {
  const char *path;
  const char *text;
  const char *tag;
  const char *name;
  const char *who;
  const char *from;
  const char *rule;
  int errnum;
} ReeveAuditDeed;

/* Whether there is a line for it. */
gboolean reeve_audit_wants_deed (ReeveAudit *self, ReeveAccessOutcome outcome);
void reeve_audit_write_deed (ReeveAudit *self,
                             const ReeveAuditDeed *deed,
                             ReeveAccessOutcome outcome);

/* Whether @who gets another line at this time; otherwise it is counted. */
gboolean reeve_audit_admit (ReeveAudit *self, const char *who, gint64 now_us);

/* (transfer full) (nullable): tells of lines that were left out since the last
 * time; NULL if none were. */
char *reeve_audit_take_left_out (ReeveAudit *self);

/* Lines that were left out since the start. */
uint64_t reeve_audit_get_n_left_out (ReeveAudit *self);

/* (transfer full): in quotes, and with nothing in it that could end them or
 * the line. */
char *reeve_audit_quote (const char *text);

G_END_DECLS
