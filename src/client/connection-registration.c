/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/connection-private.h"
#include "protocol/qemu.h"
#include "protocol/remote.h"
#include "rpc/error.h"

#include <string.h>

/*
 * What a server was asked to tell, by calls that it forgets with their
 * connection. A server gives most of them a number, the callback's id, which
 * stands in their events, and in the call that ends them. When they are made
 * again the numbers are others; the user keeps those that he knows.
 */

typedef enum {
  BY_REPLY,   /* the number is what the call returns */
  BY_ARGS,    /* and what it is about */
  BY_NOTHING, /* there is one alone */
} Numbering;

struct _ReeveRegistrationKind {
  const ReeveProgram *program;
  int32_t begin;
  int32_t end;
  Numbering numbering;
};

typedef struct {
  const ReeveRegistrationKind *kind;
  int32_t number;        /* the user's */
  int32_t server_number; /* what it is there */
  gboolean is_made;      /* at the present server */
  uint8_t *args;         /* (owned): encoded */
  size_t args_size;
} ReeveRegistration;

#define CALLBACK(NAME)                                                         \
  {                                                                            \
    &remote_program, REMOTE_PROC_CONNECT_##NAME##_REGISTER_ANY,                \
        REMOTE_PROC_CONNECT_##NAME##_DEREGISTER_ANY, BY_REPLY                  \
  }

static const ReeveRegistrationKind kinds[] = {
  CALLBACK (DOMAIN_EVENT_CALLBACK),
  CALLBACK (NETWORK_EVENT),
  CALLBACK (STORAGE_POOL_EVENT),
  CALLBACK (NODE_DEVICE_EVENT),
  CALLBACK (SECRET_EVENT),
  { &qemu_program, QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER,
    QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_DEREGISTER, BY_REPLY },
  { &remote_program, REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER_ANY,
    REMOTE_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, BY_ARGS },
  { &remote_program, REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER,
    REMOTE_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER, BY_NOTHING },
};

const ReeveRegistrationKind *
reeve_registration_kind_find (const ReeveProgram *program,
                              const ReeveProcedure *procedure,
                              gboolean *is_end)
{
  for (size_t i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (kinds[i].program->number == program->number &&
        (kinds[i].begin == procedure->number ||
         kinds[i].end == procedure->number)) {
      *is_end = kinds[i].end == procedure->number;
      return &kinds[i];
    }

  return NULL;
}

static int32_t
read_number (const uint8_t *data)
{
  uint32_t word;

  memcpy (&word, data, sizeof word);
  return (int32_t) GUINT32_FROM_BE (word);
}

static void
write_number (uint8_t *data, int32_t number)
{
  uint32_t word = GUINT32_TO_BE ((uint32_t) number);

  memcpy (data, &word, sizeof word);
}

static void
registration_free (ReeveRegistration *self)
{
  g_free (self->args);
  g_free (self);
}

/* A number that the user does not have yet: the server's, where it can be. */
static int32_t
choose_number_locked (ReeveConnection *self, int32_t server_number)
    REEVE_REQUIRES (self->lock)
{
  self->last_callback = MAX (self->last_callback + 1, server_number);
  return self->last_callback;
}

void
reeve_registration_add_locked (ReeveConnection *self,
                               const ReeveRegistrationKind *kind,
                               const uint8_t *args,
                               size_t args_size,
                               uint8_t *reply,
                               size_t reply_size)
{
  gboolean is_by_reply = kind->numbering == BY_REPLY;
  ReeveRegistration *registration;

  if (is_by_reply ? reply_size < 4
                  : kind->numbering == BY_ARGS && args_size < 4)
    return;

  registration = g_new0 (ReeveRegistration, 1);
  registration->kind = kind;
  registration->is_made = TRUE;
  registration->args = g_memdup2 (args, args_size);
  registration->args_size = args_size;
  if (is_by_reply) {
    registration->server_number = read_number (reply);
    registration->number =
        choose_number_locked (self, registration->server_number);
    write_number (reply, registration->number);
  } else if (kind->numbering == BY_ARGS) {
    registration->number = registration->server_number = read_number (args);
  }
  g_ptr_array_add (self->registrations, registration);
}

gboolean
reeve_registration_remove_locked (ReeveConnection *self,
                                  const ReeveRegistrationKind *kind,
                                  uint8_t *args,
                                  size_t args_size)
{
  int32_t number = args_size < 4 ? 0 : read_number (args);
  gboolean is_made;

  for (unsigned i = 0; i < self->registrations->len; i++) {
    ReeveRegistration *registration = self->registrations->pdata[i];

    if (registration->kind != kind || registration->number != number)
      continue;
    is_made = registration->is_made;
    if (args_size >= 4)
      write_number (args, registration->server_number);
    registration_free (g_ptr_array_remove_index (self->registrations, i));
    return is_made;
  }

  return TRUE;
}

void
reeve_registration_translate (ReeveConnection *self,
                              const ReeveProgram *program,
                              const ReeveProcedure *event,
                              gpointer body)
{
  const ReeveType *type = event->args;
  int32_t *number;

  if (type->kind != REEVE_KIND_STRUCT || type->n_members == 0 ||
      !g_str_equal (type->members[0].name, "callback_id"))
    return;
  number = (int32_t *) (void *) ((uint8_t *) body + type->members[0].offset);

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->registrations->len; i++) {
    const ReeveRegistration *registration = self->registrations->pdata[i];

    if (registration->kind->program->number == program->number &&
        registration->kind->numbering == BY_REPLY && registration->is_made &&
        registration->server_number == *number) {
      *number = registration->number;
      return;
    }
  }
}

void
reeve_registrations_forget_locked (ReeveConnection *self)
{
  for (unsigned i = 0; i < self->registrations->len; i++)
    ((ReeveRegistration *) self->registrations->pdata[i])->is_made = FALSE;
}

/* ------------------------------------------------------------- restore --- */

/* A copy of the next one that the server does not have; kind is NULL if it has
 * all of them. */
static ReeveRegistration
find_next (ReeveConnection *self)
{
  ReeveRegistration copy = { 0 };

  REEVE_LOCK_SCOPE (&self->lock);

  for (unsigned i = 0; i < self->registrations->len; i++) {
    const ReeveRegistration *registration = self->registrations->pdata[i];

    if (registration->is_made)
      continue;
    copy = *registration;
    copy.args = g_memdup2 (registration->args, registration->args_size);
    break;
  }

  return copy;
}

/* FALSE: the user does not want it any more. */
static gboolean
note_made (ReeveConnection *self,
           unsigned link,
           const ReeveRegistration *made,
           const GError *failure)
{
  REEVE_LOCK_SCOPE (&self->lock);

  if (link != self->link)
    return TRUE;
  for (unsigned i = 0; i < self->registrations->len; i++) {
    ReeveRegistration *registration = self->registrations->pdata[i];

    if (registration->kind != made->kind ||
        registration->number != made->number)
      continue;
    registration->is_made = TRUE;
    registration->server_number = made->server_number;
    if (failure != NULL)
      registration_free (g_ptr_array_remove_index (self->registrations, i));
    return TRUE;
  }

  return failure != NULL;
}

/* FALSE: the connection was lost again. */
static gboolean
restore_one (ReeveConnection *self,
             unsigned link,
             int timeout_ms,
             ReeveRegistration *registration)
{
  const ReeveRegistrationKind *kind = registration->kind;
  const ReeveProcedure *begin = reeve_program_find (kind->program, kind->begin);
  const ReeveProcedure *end = reeve_program_find (kind->program, kind->end);
  g_autoptr (GError) failure = NULL;
  int32_t ret = 0; /* the one member of each of their types */
  uint8_t number[4];

  if (!reeve_connection_call_encoded (
          self, link, kind->program, begin, registration->args,
          registration->args_size, &ret, timeout_ms, &failure) &&
      (g_error_matches (failure, REEVE_ERROR, REEVE_ERROR_CLOSED) ||
       g_error_matches (failure, REEVE_ERROR, REEVE_ERROR_OUTCOME_UNKNOWN)))
    return FALSE;

  if (failure != NULL)
    g_message ("%s: %s", begin->name, failure->message);
  if (kind->numbering == BY_REPLY)
    registration->server_number = ret;
  if (note_made (self, link, registration, failure))
    return TRUE;

  write_number (number, registration->server_number);
  reeve_connection_call_encoded (self, link, kind->program, end, number,
                                 kind->numbering == BY_NOTHING ? 0
                                                               : sizeof number,
                                 NULL, timeout_ms, NULL);
  return TRUE;
}

void
reeve_registrations_restore (ReeveConnection *self,
                             unsigned link,
                             int timeout_ms)
{
  gboolean goes_on = TRUE;

  while (goes_on) {
    ReeveRegistration next = find_next (self);

    goes_on = next.kind != NULL && restore_one (self, link, timeout_ms, &next);
    g_free (next.args);
  }
}

void
reeve_registrations_clear (ReeveConnection *self) REEVE_UNCHECKED
{
  for (unsigned i = 0; i < self->registrations->len; i++)
    registration_free (self->registrations->pdata[i]);
  g_ptr_array_unref (self->registrations);
}
