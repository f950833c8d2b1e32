/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/access.h"

#include "event/intl.h"
#include "rpc/access-rules.h"
#include "rpc/error.h"
#include "rpc/server-private.h"

#include <string.h>

/* ---------------------------------------------------------------- tags --- */

/* "TAG" or "TAG?MEMBER&BITS" (one of them), "!" (none), "=" (the value). The
 * generator has checked it. */
static ReeveAccessTag
parse_tag (const char *text, const ReeveType *args)
{
  const char *question_mark = strchr (text, '?');
  ReeveAccessTag self = { 0 };
  size_t length;

  if (question_mark == NULL) {
    self.tag = g_intern_string (text);
    return self;
  }

  text = g_strndup (text, (size_t) (question_mark - text));
  self.tag = g_intern_string (text);
  g_free ((char *) text);
  text = question_mark + 1;
  length = strcspn (text, "&!=");
  for (size_t i = 0; i < args->n_members; i++)
    if (strncmp (args->members[i].name, text, length) == 0 &&
        args->members[i].name[length] == '\0')
      self.member = &args->members[i];
  g_assert (self.member != NULL);
  self.test = text[length];
  self.value = g_ascii_strtoull (text + length + 1, NULL, 0);
  return self;
}

/* (nullable): ends with one whose tag is NULL. */
static ReeveAccessTag *
parse_tags (const ReeveProcedure *procedure)
{
  g_auto (GStrv) words = NULL;
  ReeveAccessTag *tags;

  if (g_str_equal (procedure->access, "none"))
    return NULL;

  words = g_strsplit (procedure->access, " ", -1);
  tags = g_new0 (ReeveAccessTag, g_strv_length (words) + 1);
  for (size_t i = 0; words[i] != NULL; i++)
    tags[i] = parse_tag (words[i], procedure->args);
  return tags;
}

ReeveAccessTag **
reeve_access_tags_new (const ReeveProgram *program)
{
  ReeveAccessTag **self = g_new0 (ReeveAccessTag *, program->n_procedures);

  for (size_t i = 0; i < program->n_procedures; i++)
    self[i] = parse_tags (&program->procedures[i]);
  return self;
}

void
reeve_access_tags_free (ReeveAccessTag **self, size_t n_procedures)
{
  for (size_t i = 0; i < n_procedures; i++)
    g_free (self[i]);
  g_free (self);
}

static uint64_t
get_integer (const ReeveMember *member, gconstpointer args)
{
  const void *field = (const char *) args + member->offset;

  switch (member->type->kind) {
  case REEVE_KIND_INT:
    return (uint64_t) * (const int32_t *) field;
  case REEVE_KIND_UINT:
    return *(const uint32_t *) field;
  default:
    return *(const uint64_t *) field;
  }
}

/* Whether the call takes it. */
static gboolean
applies (const ReeveAccessTag *tag, gconstpointer args)
{
  uint64_t value;

  if (tag->member == NULL)
    return TRUE;

  value = get_integer (tag->member, args);
  switch (tag->test) {
  case '&':
    return (value & tag->value) != 0;
  case '!':
    return (value & tag->value) == 0;
  default:
    return value == tag->value;
  }
}

/* ------------------------------------------------------------ questions -- */

ReeveAccessScope
reeve_access_get_scope (const char *tag, const char *name)
{
  if (g_str_has_prefix (tag, "connect:") || g_str_has_prefix (tag, "access:"))
    return REEVE_ACCESS_NAMELESS;
  return name != NULL ? REEVE_ACCESS_NAMED : REEVE_ACCESS_EACH;
}

static const ReeveAccessTag *
get_tags (ReeveCall *call)
{
  const ReeveProgram *program = call->program->program;

  return call->program->access[call->procedure - program->procedures];
}

static ReeveAccessQuestion
make_question (ReeveCall *call)
{
  return (ReeveAccessQuestion){
    .client = call->client,
    .program = call->program->program,
    .procedure = call->procedure,
    .serial = call->header.serial,
  };
}

static void
report (const ReeveServerPolicy *policy,
        const ReeveAccessQuestion *question,
        ReeveAccessOutcome outcome)
{
  if (outcome != REEVE_ACCESS_GRANTED)
    reeve_server_count_denied (
        reeve_server_client_get_server (question->client));
  if (policy->policy != NULL)
    policy->policy->report (policy->data, question, outcome);
}

static gboolean
is_active (const ReeveServerPolicy *policy)
{
  return policy->policy != NULL && policy->policy->is_active (policy->data);
}

static gboolean
refuse (const ReeveServerPolicy *policy,
        const ReeveAccessQuestion *question,
        GError **error)
{
  report (policy, question, REEVE_ACCESS_DENIED);
  if (question->name != NULL)
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ACCESS_DENIED,
                 _ ("access denied: %1$s takes %2$s on '%3$s'"),
                 question->procedure->name, question->tag, question->name);
  else
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_ACCESS_DENIED,
                 _ ("access denied: %1$s takes %2$s"),
                 question->procedure->name, question->tag);
  return FALSE;
}

gboolean
reeve_access_refuse_read_only (ReeveServerClient *client,
                               const ReeveProgram *program,
                               const ReeveProcedure *procedure,
                               uint32_t serial,
                               const char *tag,
                               GError **error)
{
  const ReeveAccessQuestion question = {
    .client = client,
    .program = program,
    .procedure = procedure,
    .serial = serial,
    .tag = tag,
    .scope = REEVE_ACCESS_SOME,
  };

  report (reeve_server_get_policy (reeve_server_client_get_server (client)),
          &question, REEVE_ACCESS_READ_ONLY);
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_OPERATION_DENIED,
               _ ("operation forbidden: read only access prevents %s"),
               procedure->name);
  return FALSE;
}

/* "domain:getattr" for "domain:start" */
static gboolean
may_see (const ReeveServerPolicy *policy, const ReeveAccessQuestion *question)
{
  g_autofree char *tag = g_strdup_printf (
      "%.*s:getattr", (int) strcspn (question->tag, ":"), question->tag);
  ReeveAccessQuestion sight = *question;

  sight.tag = tag;
  return policy->policy->allows (policy->data, &sight);
}

static gboolean
find_object (ReeveCall *call,
             const char *tag,
             ReeveAccessObject *object,
             GError **error)
{
  const ReeveAccessObjects *objects = call->program->objects;

  g_clear_pointer (&object->name, g_free);
  if (objects != NULL)
    return objects->find (call, call->args, tag, object, error);

  object->scope = reeve_access_get_scope (tag, NULL);
  return TRUE;
}

/* One tag of a call. */
static gboolean
ask (ReeveCall *call,
     const ReeveServerPolicy *policy,
     ReeveAccessQuestion *question,
     GError **error)
{
  const ReeveAccessObjects *objects = call->program->objects;

  if (question->scope == REEVE_ACCESS_OWN ||
      policy->policy->allows (policy->data, question))
    return TRUE;
  /* What may not be seen is not there. */
  if (question->scope == REEVE_ACCESS_NAMED && objects->hide != NULL &&
      !may_see (policy, question) &&
      objects->hide (call, call->args, question->tag, error)) {
    report (policy, question, REEVE_ACCESS_DENIED);
    return FALSE;
  }

  return refuse (policy, question, error);
}

/* The tags of a call, in their order. */
static gboolean
ask_all (ReeveCall *call,
         const ReeveServerPolicy *policy,
         const ReeveAccessTag *tags,
         ReeveAccessObject *object,
         GError **error)
{
  ReeveAccessQuestion question = make_question (call);
  size_t kind = 0; /* of the object: the length of its name before the colon */

  for (; tags->tag != NULL; tags++) {
    gboolean is_same = question.tag != NULL && tags->tag[kind] == ':' &&
                       strncmp (question.tag, tags->tag, kind) == 0;

    if (!applies (tags, call->args))
      continue;
    question.tag = tags->tag;
    kind = strcspn (tags->tag, ":");
    if (!is_same && !find_object (call, tags->tag, object, error))
      return FALSE;
    question.scope = object->scope;
    question.name = object->name;
    if (!ask (call, policy, &question, error))
      return FALSE;
  }

  /* Of some object, and by its own rules, the handler has the last word. */
  if (question.scope != REEVE_ACCESS_SOME && question.scope != REEVE_ACCESS_OWN)
    report (policy, &question, REEVE_ACCESS_GRANTED);
  return TRUE;
}

/* On a read-only connection, arguments that make a call more than reading; what
 * reads has a tag for that alone. */
static gboolean
check_read_only (ReeveCall *call, const ReeveAccessTag *tags, GError **error)
{
  if (!reeve_server_client_is_read_only (call->client))
    return TRUE;

  for (; tags->tag != NULL; tags++)
    if (tags->member != NULL && !g_str_has_suffix (tags->tag, ":read") &&
        applies (tags, call->args))
      return reeve_access_refuse_read_only (
          call->client, call->program->program, call->procedure,
          call->header.serial, tags->tag, error);

  return TRUE;
}

gboolean
reeve_access_check_call (ReeveCall *call, GError **error)
{
  const ReeveAccessTag *tags = get_tags (call);
  const ReeveServerPolicy *policy;
  ReeveAccessObject object = { 0 };
  gboolean is_granted;

  if (tags == NULL)
    return TRUE;
  if (!check_read_only (call, tags, error))
    return FALSE;
  policy =
      reeve_server_get_policy (reeve_server_client_get_server (call->client));
  if (!is_active (policy))
    return TRUE;

  is_granted = ask_all (call, policy, tags, &object, error);
  g_free (object.name);
  return is_granted;
}

/* ---------------------------------------------------------- for handlers - */

static gboolean
check_tag (const ReeveServerPolicy *policy,
           ReeveAccessQuestion *question,
           const char *tag,
           GError **error)
{
  question->tag = tag;
  return policy->policy->allows (policy->data, question) ||
         refuse (policy, question, error);
}

static gboolean
check_own_tags (ReeveCall *self,
                const ReeveServerPolicy *policy,
                ReeveAccessQuestion *question,
                GError **error)
{
  const ReeveAccessTag *tags = get_tags (self);

  for (; tags != NULL && tags->tag != NULL; tags++)
    if (applies (tags, self->args) &&
        !check_tag (policy, question, tags->tag, error))
      return FALSE;

  report (policy, question, REEVE_ACCESS_GRANTED);
  return TRUE;
}

gboolean
reeve_call_check_access (ReeveCall *self,
                         const char *tags,
                         const char *name,
                         GError **error)
{
  const ReeveServerPolicy *policy =
      reeve_server_get_policy (reeve_server_client_get_server (self->client));
  ReeveAccessQuestion question = make_question (self);
  g_auto (GStrv) words = NULL;

  if (!is_active (policy))
    return TRUE;

  question.scope = REEVE_ACCESS_NAMED;
  question.name = name;
  if (tags == NULL)
    return check_own_tags (self, policy, &question, error);

  words = g_strsplit (tags, " ", -1);
  for (char **word = words; *word != NULL; word++)
    if (!check_tag (policy, &question, *word, error))
      return FALSE;
  return TRUE;
}

gboolean
reeve_server_client_may (ReeveServerClient *self,
                         const char *tag,
                         const char *name)
{
  const ReeveServerPolicy *policy =
      reeve_server_get_policy (reeve_server_client_get_server (self));
  const ReeveAccessQuestion question = {
    .client = self,
    .tag = tag,
    .scope = REEVE_ACCESS_NAMED,
    .name = name,
  };

  return !is_active (policy) ||
         policy->policy->allows (policy->data, &question);
}

gboolean
reeve_server_client_is_restricted (ReeveServerClient *self)
{
  return is_active (
      reeve_server_get_policy (reeve_server_client_get_server (self)));
}
