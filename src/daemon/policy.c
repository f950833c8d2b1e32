/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/policy.h"

#include "event/intl.h"
#include "event/thread.h"
#include "rpc/access-caller.h"
#include "rpc/access-files.h"
#include "rpc/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

struct _ReeveDaemonPolicy {
  char *path;           /* immutable (owned), as what follows */
  gboolean is_required; /* there has to be a file */
  gboolean trusts_owner;
  uid_t owner;
  ReeveAudit *audit; /* (owned) */
  gboolean wants_granted;
  const ReeveProgram *const *programs;
  gboolean is_complete;
  atomic_bool has_rules; /* may be read without the lock */

  ReeveMutex reload_lock; /* one reads files at a time */
  ReeveMutex lock;
  ReeveAccessRules *rules REEVE_GUARDED; /* (owned) (nullable) */
};

/* What is kept of a client. */
typedef struct {
  ReeveAccessCaller caller;
  char *who; /* (owned) */
  char *from;
} Identity;

static const char identity_key;

ReeveDaemonPolicy *
reeve_daemon_policy_new (const ReeveDaemonAccessConfig *config,
                         const char *path,
                         gboolean is_required,
                         ReeveLoop *loop) REEVE_UNCHECKED
{
  ReeveDaemonPolicy *self = g_new0 (ReeveDaemonPolicy, 1);

  self->path = g_strdup (path);
  self->is_required = is_required;
  self->trusts_owner = config->trusts_owner;
  self->owner = geteuid ();
  self->audit = reeve_audit_new (config->audit, loop);
  self->wants_granted = config->audit >= REEVE_AUDIT_CHANGES;
  reeve_mutex_init (&self->reload_lock);
  reeve_mutex_init (&self->lock);
  return self;
}

void
reeve_daemon_policy_free (ReeveDaemonPolicy *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  reeve_access_rules_unref (self->rules);
  reeve_audit_free (self->audit);
  reeve_mutex_clear (&self->lock);
  reeve_mutex_clear (&self->reload_lock);
  g_free (self->path);
  g_free (self);
}

/* --------------------------------------------------------------- rules --- */

ReeveAccessRules *
reeve_daemon_policy_get_rules (ReeveDaemonPolicy *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->rules == NULL ? NULL : reeve_access_rules_ref (self->rules);
}

gboolean
reeve_daemon_policy_has_rules (ReeveDaemonPolicy *self)
{
  return atomic_load_explicit (&self->has_rules, memory_order_acquire);
}

/* (transfer full): @rules. Returns (transfer full) those that there were. */
static ReeveAccessRules *
swap_rules (ReeveDaemonPolicy *self, ReeveAccessRules *rules)
{
  ReeveAccessRules *old;

  REEVE_LOCK_SCOPE (&self->lock);

  old = self->rules;
  self->rules = rules;
  atomic_store (&self->has_rules, rules != NULL);
  return old;
}

static gboolean
check_found (ReeveDaemonPolicy *self, GError **error)
{
  if (self->is_required) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: there is no such file"), self->path);
    return FALSE;
  }
  if (atomic_load (&self->has_rules)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                 _ ("%s: there are no rules any more; those that hold do so "
                    "until the daemon is started anew"),
                 self->path);
    return FALSE;
  }

  return TRUE;
}

static gboolean
read_rules (ReeveDaemonPolicy *self, GPtrArray *warnings, GError **error)
{
  g_autoptr (ReeveAccessRules) rules = NULL;
  gboolean is_found;

  rules = reeve_access_rules_read (self->path, &is_found, error);
  if (rules == NULL)
    return FALSE;
  if (!is_found)
    return check_found (self, error);
  if (!reeve_access_rules_prepare (rules, self->programs, self->is_complete,
                                   warnings, error))
    return FALSE;

  reeve_access_rules_unref (swap_rules (self, g_steal_pointer (&rules)));
  return TRUE;
}

gboolean
reeve_daemon_policy_load (ReeveDaemonPolicy *self,
                          const ReeveProgram *const *programs,
                          gboolean is_complete,
                          GPtrArray *warnings,
                          GError **error)
{
  self->programs = programs;
  self->is_complete = is_complete;
  return read_rules (self, warnings, error);
}

gboolean
reeve_daemon_policy_reload (ReeveDaemonPolicy *self, GError **error)
{
  g_autoptr (GPtrArray) warnings = g_ptr_array_new_with_free_func (g_free);

  REEVE_LOCK_SCOPE (&self->reload_lock);

  if (!read_rules (self, warnings, error))
    return FALSE;

  for (unsigned i = 0; i < warnings->len; i++)
    g_warning ("%s", (const char *) warnings->pdata[i]);
  return TRUE;
}

/* ------------------------------------------------------------- identity -- */

static void
identity_free (gpointer data)
{
  Identity *self = data;

  g_clear_object (&self->caller.address);
  g_free (self->who);
  g_free (self->from);
  g_free (self);
}

static void
add_quoted (GString *text, const char *key, const char *value)
{
  g_autofree char *quoted = NULL;

  if (value == NULL)
    return;
  quoted = reeve_audit_quote (value);
  g_string_append_printf (text, "%s%s=%s", text->len > 0 ? " " : "", key,
                          quoted);
}

/* Who it is, in words that are the same each time that he connects. */
static char *
describe_who (const ReeveAccessCaller *caller)
{
  GString *text = g_string_new (NULL);

  if (caller->has_peer)
    g_string_append_printf (text, "uid=%u", (unsigned) caller->uid);
  add_quoted (text, "sasl", caller->sasl_name);
  add_quoted (text, "dn", caller->x509_name);
  if (text->len == 0 && caller->address != NULL) {
    g_autofree char *address = g_inet_address_to_string (caller->address);

    g_string_append_printf (text, "address=%s", address);
  }
  if (text->len == 0)
    g_string_append (text, "nobody");
  return g_string_free (text, FALSE);
}

static char *
describe_from (ReeveServerClient *client)
{
  const char *address = reeve_server_client_get_address (client);
  uid_t uid;
  gid_t gid;
  pid_t pid;

  switch (reeve_server_client_get_transport (client)) {
  case REEVE_TRANSPORT_TCP:
    return g_strdup_printf ("tcp:%s", address != NULL ? address : "");
  case REEVE_TRANSPORT_TLS:
    return g_strdup_printf ("tls:%s", address != NULL ? address : "");
  default:
    if (!reeve_server_client_get_unix_peer (client, &uid, &gid, &pid))
      return g_strdup ("unix");
    return g_strdup_printf ("unix pid=%d", (int) pid);
  }
}

/* (transfer none): made when it is first asked for, which is when the client
 * has said who it is. */
static const Identity *
get_identity (ReeveServerClient *client)
{
  Identity *self = reeve_server_client_get_data (client, &identity_key);

  if (self != NULL)
    return self;

  self = g_new0 (Identity, 1);
  reeve_access_caller_init (&self->caller, client);
  self->who = describe_who (&self->caller);
  self->from = describe_from (client);
  return reeve_server_client_attach (client, &identity_key, self, NULL,
                                     identity_free);
}

gboolean
reeve_daemon_policy_trusts_owner (ReeveDaemonPolicy *self)
{
  return self->trusts_owner;
}

static gboolean
is_trusted (ReeveDaemonPolicy *self, const ReeveAccessCaller *caller)
{
  return self->trusts_owner &&
         reeve_access_caller_is_owner (caller, self->owner);
}

static gboolean
allows_caller (ReeveDaemonPolicy *self,
               const ReeveAccessCaller *caller,
               const char *tag,
               ReeveAccessScope scope,
               const char *name)
{
  g_autoptr (ReeveAccessRules) rules = NULL;

  if (is_trusted (self, caller))
    return TRUE;

  rules = reeve_daemon_policy_get_rules (self);
  return rules == NULL ||
         reeve_access_rules_decide (rules, caller, tag, scope, name).is_allowed;
}

/* ---------------------------------------------------------------- users -- */

/* Who asks: a client's identity is kept with it. */
static ReeveAccessCaller
get_caller (const ReeveDaemonUser *user)
{
  if (user->client != NULL)
    return get_identity (user->client)->caller;

  return (ReeveAccessCaller){
    .has_peer = TRUE,
    .uid = user->uid,
    .groups = user->groups,
    .n_groups = user->n_groups,
    .transport = REEVE_TRANSPORT_UNIX,
  };
}

gboolean
reeve_daemon_policy_allows_user (ReeveDaemonPolicy *self,
                                 const ReeveDaemonUser *user,
                                 const char *tag,
                                 const char *name)
{
  const ReeveAccessCaller caller = get_caller (user);

  return allows_caller (
      self, &caller, tag,
      name == NULL ? REEVE_ACCESS_NAMELESS : REEVE_ACCESS_NAMED, name);
}

struct _ReeveDaemonDeed {
  ReeveDaemonPolicy *policy;
  char *path; /* (owned), as what follows */
  char *text; /* (nullable) */
  char *tag;
  char *name; /* (nullable) */
  char *who;
  char *from;
  char *rule; /* (nullable) */
};

/* (transfer full) (nullable): the rule that decides. */
static char *
dup_rule (ReeveDaemonPolicy *self,
          const ReeveAccessCaller *caller,
          const char *tag,
          const char *name)
{
  g_autoptr (ReeveAccessRules) rules = reeve_daemon_policy_get_rules (self);
  ReeveAccessVerdict verdict;

  if (rules == NULL || is_trusted (self, caller))
    return NULL;
  verdict = reeve_access_rules_decide (
      rules, caller, tag,
      name == NULL ? REEVE_ACCESS_NAMELESS : REEVE_ACCESS_NAMED, name);
  return verdict.rule == NULL
             ? NULL
             : g_strdup (reeve_access_rule_get_name (verdict.rule));
}

static ReeveDaemonDeed *
deed_new (ReeveDaemonPolicy *self,
          const ReeveDaemonUser *user,
          const char *path,
          const char *text,
          const char *tag,
          const char *name)
{
  const ReeveAccessCaller caller = get_caller (user);
  ReeveDaemonDeed *deed = g_new0 (ReeveDaemonDeed, 1);

  deed->policy = self;
  deed->path = g_strdup (path);
  deed->text = g_strdup (text);
  deed->tag = g_strdup (tag);
  deed->name = g_strdup (name);
  deed->who = describe_who (&caller);
  deed->from = user->client != NULL
                   ? describe_from (user->client)
                   : g_strdup_printf ("mount pid=%d", (int) user->pid);
  deed->rule = dup_rule (self, &caller, tag, name);
  return deed;
}

static void
deed_finish (ReeveDaemonDeed *self, ReeveAccessOutcome outcome, int errnum)
{
  const ReeveAuditDeed deed = {
    .path = self->path,
    .text = self->text,
    .tag = self->tag,
    .name = self->name,
    .who = self->who,
    .from = self->from,
    .rule = self->rule,
    .errnum = errnum,
  };

  reeve_audit_write_deed (self->policy->audit, &deed, outcome);
  g_free (self->path);
  g_free (self->text);
  g_free (self->tag);
  g_free (self->name);
  g_free (self->who);
  g_free (self->from);
  g_free (self->rule);
  g_free (self);
}

ReeveDaemonDeed *
reeve_daemon_policy_begin_deed (ReeveDaemonPolicy *self,
                                const ReeveDaemonUser *user,
                                const char *path,
                                const char *text,
                                const char *tag,
                                const char *name)
{
  return reeve_audit_wants_deed (self->audit, REEVE_ACCESS_GRANTED)
             ? deed_new (self, user, path, text, tag, name)
             : NULL;
}

void
reeve_daemon_deed_end (ReeveDaemonDeed *deed, int errnum)
{
  if (deed != NULL)
    deed_finish (deed, REEVE_ACCESS_GRANTED, errnum);
}

void
reeve_daemon_policy_report_denied (ReeveDaemonPolicy *self,
                                   const ReeveDaemonUser *user,
                                   const char *path,
                                   const char *tag,
                                   const char *name)
{
  if (reeve_audit_wants_deed (self->audit, REEVE_ACCESS_DENIED))
    deed_finish (deed_new (self, user, path, NULL, tag, name),
                 REEVE_ACCESS_DENIED, EACCES);
}

/* ------------------------------------------------------------ interface -- */

static gboolean
is_active (gpointer data)
{
  ReeveDaemonPolicy *self = data;

  return self->wants_granted || reeve_daemon_policy_has_rules (self);
}

static gboolean
allows (gpointer data, const ReeveAccessQuestion *question)
{
  return allows_caller (data, &get_identity (question->client)->caller,
                        question->tag, question->scope, question->name);
}

static void
report (gpointer data,
        const ReeveAccessQuestion *question,
        ReeveAccessOutcome outcome)
{
  ReeveDaemonPolicy *self = data;
  const Identity *identity;
  g_autoptr (ReeveAccessRules) rules = NULL;
  ReeveAccessVerdict verdict = { 0 };

  if (outcome == REEVE_ACCESS_GRANTED &&
      !reeve_audit_wants (self->audit, question->procedure, outcome))
    return;

  identity = get_identity (question->client);
  rules = reeve_daemon_policy_get_rules (self);
  if (rules != NULL && question->tag != NULL &&
      !is_trusted (self, &identity->caller))
    verdict =
        reeve_access_rules_decide (rules, &identity->caller, question->tag,
                                   question->scope, question->name);
  reeve_audit_write (
      self->audit, question, outcome, identity->who, identity->from,
      verdict.rule == NULL ? NULL : reeve_access_rule_get_name (verdict.rule));
}

void
reeve_daemon_policy_attach (ReeveDaemonPolicy *self, ReeveServer *server)
{
  static const ReevePolicy policy = { is_active, allows, report };

  reeve_server_set_policy (server, &policy, self);
}
