/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "rpc/access.h"

#include <gio/gio.h>

G_BEGIN_DECLS

/**
 * ReeveAccessRules:
 *
 * What files of rules say. A rule is a group `[rule NAME]` with the keys
 *
 * - `who`: `any`, `user:NAME`, `uid:N`, `group:NAME`, `gid:N`, `dn:PATTERN`
 *   (of a client's certificate), `sasl:PATTERN`
 * - `from` (if not said, anywhere): `unix`, `tcp`, `tls`, ADDRESS, ADDRESS/BITS
 * - `may`: tags of access, in which `*` and `?` stand for anything, or the
 *   words `read`, `control` and `all`
 * - `on` (if not said, everything): patterns of names of objects
 * - `effect`: `allow` (the default) or `deny`
 *
 * each but the last with one or more items, `;` between them, of which one has
 * to match. The first rule that matches decides; what none matches is denied.
 * But whoever may do something with an object may see it (`getattr`), and
 * whoever may do anything at all may look at the daemon (`connect:getattr`,
 * `connect:read`, `connect:search_*`), unless a rule decides about just that.
 *
 * A file is at most a MiB of UTF-8. Whatever is not as it should be is an
 * error, as one would not notice a rule that does not hold.
 *
 * First rules are added and prepared by one thread; then they are immutable.
 */
typedef struct _ReeveAccessRules ReeveAccessRules;

typedef struct _ReeveAccessRule ReeveAccessRule;

/* Who is asked about. */
typedef struct {
  gboolean has_peer; /* uid and groups are known */
  uid_t uid;
  const gid_t *groups; /* (array length=n_groups) */
  size_t n_groups;
  const char *sasl_name; /* (nullable) */
  const char *x509_name; /* (nullable) */
  ReeveTransport transport;
  GInetAddress *address; /* (nullable) */
} ReeveAccessCaller;

typedef enum {
  REEVE_ACCESS_BY_RULE,    /* the rule says so */
  REEVE_ACCESS_BY_ANOTHER, /* by what the rule allows, this is allowed, too */
  REEVE_ACCESS_BY_NONE,    /* no rule allows it */
} ReeveAccessReason;

typedef struct {
  gboolean is_allowed;
  ReeveAccessReason reason;
  const ReeveAccessRule *rule; /* (nullable) */
} ReeveAccessVerdict;

ReeveAccessRules *reeve_access_rules_new (void);
ReeveAccessRules *reeve_access_rules_ref (ReeveAccessRules *self);
void reeve_access_rules_unref (ReeveAccessRules *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ReeveAccessRules, reeve_access_rules_unref)

/**
 * reeve_access_rules_add_text:
 * @file: for messages
 * @text: (array length=size): need not end in a NUL
 *
 * Adds the rules of @text behind those that there are. After an error the
 * rules are of no use.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with file, line, group and key.
 */
gboolean reeve_access_rules_add_text (ReeveAccessRules *self,
                                      const char *file,
                                      const char *text,
                                      size_t size,
                                      GError **error);

/**
 * reeve_access_rules_prepare:
 * @programs: (array zero-terminated=1): whose tags there are
 * @is_complete: there are no other tags, and what stands for none is an error
 * @warnings: (element-type utf8): takes a sentence for each rule that allows
 *   something to users or groups that do not exist
 *
 * Looks up the users and groups, so it may block. One that does not exist, and
 * that something is denied to, is an error.
 *
 * Errors: %REEVE_ERROR_CONFIG_SYNTAX with file, line, group and key.
 */
gboolean reeve_access_rules_prepare (ReeveAccessRules *self,
                                     const ReeveProgram *const *programs,
                                     gboolean is_complete,
                                     GPtrArray *warnings,
                                     GError **error);

/**
 * reeve_access_rules_decide:
 * @tag: "object:permission"; one that there is not is denied
 * @name: (nullable): of %REEVE_ACCESS_NAMED
 *
 * Thread: any.
 */
ReeveAccessVerdict reeve_access_rules_decide (const ReeveAccessRules *self,
                                              const ReeveAccessCaller *caller,
                                              const char *tag,
                                              ReeveAccessScope scope,
                                              const char *name);

/* What to ask about a tag, of an object or (@name is %NULL) of each. */
ReeveAccessScope reeve_access_get_scope (const char *tag, const char *name);

/* In the order in which they are looked at. */
size_t reeve_access_rules_get_n_rules (const ReeveAccessRules *self);
const ReeveAccessRule *
reeve_access_rules_get_rule (const ReeveAccessRules *self, size_t i);

const char *reeve_access_rule_get_name (const ReeveAccessRule *self);
const char *reeve_access_rule_get_file (const ReeveAccessRule *self);
/* Of `[rule NAME]`. */
unsigned reeve_access_rule_get_line (const ReeveAccessRule *self);
/* (nullable): the items of a key, as they were written. */
const char *
reeve_access_rule_get_text (const ReeveAccessRule *self, const char *key);
gboolean reeve_access_rule_is_allowing (const ReeveAccessRule *self);

G_END_DECLS
