/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/sasl-library.h"

#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"

#include <sasl/sasl.h>

/* A layer's packets in both directions. */
#define MAX_PACKET_BYTES 65536
/* More than any mechanism's layer is worth. */
#define MAX_SSF 100000

/* Mechanisms keep caches that all connections share, which libsasl2 locks
 * with what it is given here. */

static void *
make_mutex (void)
{
  ReeveMutex *mutex = g_new0 (ReeveMutex, 1);

  reeve_mutex_init (mutex);
  return mutex;
}

static int
lock_mutex (void *data) REEVE_UNCHECKED
{
  ReeveMutex *mutex = data;

  return pthread_mutex_lock (&mutex->impl) == 0 ? 0 : -1;
}

static int
unlock_mutex (void *data) REEVE_UNCHECKED
{
  ReeveMutex *mutex = data;

  return pthread_mutex_unlock (&mutex->impl) == 0 ? 0 : -1;
}

static void
free_mutex (void *data)
{
  reeve_mutex_clear (data);
  g_free (data);
}

int
reeve_sasl_library_log (void *context, int level, const char *message)
{
  /* Beyond these it tells what was said, and then passwords. */
  if (level <= SASL_LOG_NOTE) {
    g_autofree char *text = g_strescape (message, NULL);

    g_debug ("libsasl2: %s", text);
  }
  return SASL_OK;
}

int
reeve_sasl_library_set_security (sasl_conn_t *exchange, int min_ssf)
{
  gboolean is_protected = min_ssf == REEVE_SASL_PROTECTED;
  const sasl_security_properties_t properties = {
    .min_ssf = is_protected ? 0 : (unsigned) min_ssf,
    .max_ssf = is_protected ? 0 : MAX_SSF,
    .maxbufsize = MAX_PACKET_BYTES,
    .security_flags =
        is_protected ? 0 : SASL_SEC_NOANONYMOUS | SASL_SEC_NOPLAINTEXT,
  };

  return sasl_setprop (exchange, SASL_SEC_PROPS, &properties);
}

static const sasl_callback_t callbacks[] = {
  { SASL_CB_LOG, (int (*) (void)) reeve_sasl_library_log, NULL },
  { SASL_CB_LIST_END, NULL, NULL },
};

static void
set_mutexes (void)
{
  sasl_set_mutex (make_mutex, lock_mutex, unlock_mutex, free_mutex);
}

typedef struct {
  pthread_once_t once;
  int status;
} Begun;

static pthread_once_t mutexes_once = PTHREAD_ONCE_INIT;
static Begun server = { .once = PTHREAD_ONCE_INIT };
static Begun client = { .once = PTHREAD_ONCE_INIT };

/* Without a name there is no file of options that libsasl2 would look for. */
static void
begin_server (void)
{
  pthread_once (&mutexes_once, set_mutexes);
  server.status = sasl_server_init (callbacks, NULL);
}

static void
begin_client (void)
{
  pthread_once (&mutexes_once, set_mutexes);
  client.status = sasl_client_init (callbacks);
}

static gboolean
begin (Begun *self, void (*func) (void), GError **error)
{
  pthread_once (&self->once, func);
  if (self->status == SASL_OK)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_NO_SUPPORT,
               _ ("SASL cannot be used: %s"),
               sasl_errstring (self->status, NULL, NULL));
  return FALSE;
}

gboolean
reeve_sasl_library_begin_server (GError **error)
{
  return begin (&server, begin_server, error);
}

gboolean
reeve_sasl_library_begin_client (GError **error)
{
  return begin (&client, begin_client, error);
}
