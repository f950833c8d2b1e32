/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon-private.h"
#include "rpc/error.h"
#include "tree/module.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Who may do what, and what the audit is told of it. */

/* All groups of a caller, and the policy's idea of him. */
typedef struct {
  ReeveDaemonUser user;
  gid_t *groups; /* (owned) */
} User;

static void
user_clear (User *self)
{
  g_clear_pointer (&self->groups, g_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (User, user_clear)

static void
user_init (User *self, const ReeveResourceCaller *caller)
{
  self->groups = g_new0 (gid_t, caller->n_groups + 1);
  self->groups[0] = caller->gid;
  if (caller->n_groups > 0)
    memcpy (self->groups + 1, caller->groups,
            caller->n_groups * sizeof *caller->groups);
  self->user = (ReeveDaemonUser){
    .client = caller->client,
    .uid = caller->uid,
    .groups = self->groups,
    .n_groups = caller->n_groups + 1,
    .pid = caller->pid,
  };
}

/* (transfer full) (nullable) */
static char *
dup_name (ReeveMachine *machine)
{
  g_auto (ReeveMachineSnapshot) snapshot = { 0 };

  if (machine == NULL)
    return NULL;
  reeve_machine_get_snapshot (machine, &snapshot);
  return g_steal_pointer (&snapshot.name);
}

/* (transfer full): @name: (nullable): of a machine */
static char *
make_path (const char *path, const char *name)
{
  return name == NULL ? g_strdup (path)
                      : g_strconcat ("/machines/", name, "/", path, NULL);
}

/* @name: (nullable): of a machine */
static gboolean
allows (const ReeveTreeBase *base,
        const ReeveResourceCaller *caller,
        const char *tag,
        const char *name)
{
  g_auto (User) user = { 0 };

  user_init (&user, caller);
  return reeve_daemon_policy_allows_user (
      reeve_daemon_get_policy (base->daemon), &user.user, tag, name);
}

gboolean
reeve_tree_shows (const ReeveTreeBase *base,
                  const ReeveResourceCaller *caller,
                  const char *name)
{
  return allows (base, caller, "domain:getattr", name);
}

/* Whether the policy may be asked about @caller. Without rules, one from
 * another host who did not say who he is has what all have by the mode. */
static gboolean
is_admitted (const ReeveTreeBase *base,
             ReeveResourceNode *node,
             const ReeveResourceCaller *caller,
             int want,
             const ReeveTreeAccess *access)
{
  if (!caller->is_foreign ||
      reeve_daemon_policy_has_rules (reeve_daemon_get_policy (base->daemon)))
    return TRUE;
  if (access->is_admin)
    return FALSE;
  return reeve_server_client_get_sasl_name (caller->client) != NULL ||
         reeve_server_client_get_x509_name (caller->client) != NULL ||
         ((mode_t) want & ~reeve_resource_node_get_attr (node)->mode) == 0;
}

static gboolean
deny (const ReeveTreeBase *base,
      const ReeveResourceCaller *caller,
      const char *tag,
      const char *path,
      const char *name)
{
  g_autofree char *full = make_path (path, name);
  g_auto (User) user = { 0 };

  user_init (&user, caller);
  reeve_daemon_policy_report_denied (reeve_daemon_get_policy (base->daemon),
                                     &user.user, full, tag, name);
  return FALSE;
}

gboolean
reeve_tree_check (const ReeveTreeBase *base,
                  ReeveResourceNode *node,
                  const ReeveResourceCaller *caller,
                  int want,
                  const ReeveTreeAccess *access,
                  const char *path,
                  ReeveMachine *machine)
{
  gboolean may_ask = is_admitted (base, node, caller, want, access);
  g_autofree char *name = dup_name (machine);
  const struct {
    int want;
    const char *tag; /* (nullable) */
  } needs[] = {
    { R_OK | X_OK, access->read_tag },
    { W_OK, access->write_tag },
  };

  for (size_t i = 0; i < G_N_ELEMENTS (needs); i++) {
    const char *tag = needs[i].tag;

    if ((want & needs[i].want) == 0)
      continue;
    if (!may_ask || (tag != NULL && !allows (base, caller, tag, name)))
      return deny (base, caller, tag != NULL ? tag : access->read_tag, path,
                   name);
  }
  return TRUE;
}

gpointer
reeve_tree_source_new (size_t size,
                       ReeveTreeBase *base,
                       const ReeveTreeAccess *access,
                       const char *path,
                       ReeveMachine *machine)
{
  ReeveTreeSource *self = g_malloc0 (size);

  self->base = base;
  self->access = access;
  self->path = g_strdup (path);
  if (machine != NULL)
    self->machine = reeve_machine_ref (machine);
  return self;
}

void
reeve_tree_source_free (gpointer self)
{
  ReeveTreeSource *source = self;

  reeve_machine_unref (source->machine);
  g_free (source->path);
  g_free (source);
}

gboolean
reeve_tree_guard (ReeveResourceNode *node,
                  const ReeveResourceCaller *caller,
                  int want,
                  gpointer data)
{
  const ReeveTreeSource *self = data;

  return reeve_tree_check (self->base, node, caller, want, self->access,
                           self->path, self->machine);
}

/* ---------------------------------------------------------------- writes -- */

struct _ReeveTreeWrite {
  ReeveTreeBase *base;
  ReeveResourceRequest *request; /* (owned) */
  ReeveDaemonDeed *deed;         /* (owned) (nullable) */
  char *text;                    /* (owned) */
  ReeveTreeWriteFunc func;
  gpointer data;
  int errnum;
};

ReeveTreeWrite *
reeve_tree_write_begin (const ReeveTreeSource *source,
                        ReeveResourceRequest *request,
                        const char *text,
                        const char *tag)
{
  ReeveTreeWrite *self = g_new0 (ReeveTreeWrite, 1);
  g_autofree char *name = dup_name (source->machine);
  g_autofree char *full = make_path (source->path, name);
  g_auto (User) user = { 0 };

  user_init (&user, reeve_resource_handle_get_caller (
                        reeve_resource_request_get_handle (request)));
  self->base = source->base;
  self->request = request;
  self->text = g_strdup (text);
  self->deed = reeve_daemon_policy_begin_deed (
      reeve_daemon_get_policy (source->base->daemon), &user.user, full, text,
      tag, name);
  return self;
}

void
reeve_tree_write_end (ReeveTreeWrite *self, int errnum)
{
  reeve_daemon_deed_end (self->deed, errnum);
  if (errnum == 0)
    reeve_resource_request_take (self->request);
  else
    reeve_resource_request_fail (self->request, errnum);
  g_free (self->text);
  g_free (self);
}

static void
run (gpointer data)
{
  ReeveTreeWrite *self = data;
  g_autoptr (GError) error = NULL;

  if (!self->func (self->base, self->text, self->data, &error))
    self->errnum = reeve_tree_get_errno (error);
}

static void
finish (gpointer data)
{
  ReeveTreeWrite *self = data;

  if (self->errnum == 0)
    reeve_resource_node_notify (reeve_resource_handle_get_node (
        reeve_resource_request_get_handle (self->request)));
  reeve_tree_write_end (self, self->errnum);
}

void
reeve_tree_write_run (ReeveTreeWrite *self,
                      ReeveTreeWriteFunc func,
                      gpointer data)
{
  self->func = func;
  self->data = data;
  reeve_worker_lane_push (&self->base->lane, run, finish, self);
}

int
reeve_tree_get_errno (const GError *error)
{
  if (!g_error_matches (error, REEVE_ERROR, error->code))
    return EIO;

  switch (error->code) {
  case REEVE_ERROR_OPERATION_INVALID:
    return EBUSY;
  case REEVE_ERROR_NO_DOMAIN:
  case REEVE_ERROR_NO_SERVER:
    return ENOENT;
  case REEVE_ERROR_TIMED_OUT:
    return ETIMEDOUT;
  case REEVE_ERROR_ACCESS_DENIED:
    return EACCES;
  case REEVE_ERROR_INVALID_ARG:
  case REEVE_ERROR_ARGUMENT_UNSUPPORTED:
    return EINVAL;
  case REEVE_ERROR_OPERATION_UNSUPPORTED:
    return EOPNOTSUPP;
  case REEVE_ERROR_LIMIT:
    return EAGAIN;
  case REEVE_ERROR_ABORTED:
    return ECANCELED;
  default:
    return EIO;
  }
}
