/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rpc/tls-context.h"

#include "event/intl.h"
#include "event/refs.h"
#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/tls-private.h"

#include <stdint.h>

#define DEFAULT_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

struct _ReeveTlsContext {
  ReeveRefs refs;

  /* Immutable. */
  ReeveTlsSide side;
  gboolean verifies;
  gnutls_certificate_credentials_t credentials; /* (owned) */
  gnutls_priority_t priority;                   /* (owned) */
  char **allowed_names;                         /* (owned) (nullable) */
  char *name;                                   /* (owned) (nullable) */
  char *fingerprint;                            /* (owned) (nullable) */
  gint64 expiry;
  gboolean has_tickets;
  gnutls_datum_t ticket_key; /* (owned): of a server that has them */
};

struct _ReeveTlsSlot {
  ReeveRefs refs;
  ReeveMutex lock;
  ReeveTlsContext *context REEVE_GUARDED; /* (owned) (nullable) */
};

/* ------------------------------------------------------------- context --- */

static gboolean
set_priority (ReeveTlsContext *self, const char *text, GError **error)
{
  const char *position = NULL;

  if (text == NULL)
    text = DEFAULT_PRIORITY;
  if (gnutls_priority_init2 (&self->priority, text, &position, 0) >= 0)
    return TRUE;

  self->priority = NULL;
  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("The TLS priority “%1$s” is not understood at “%2$s”"), text,
               position == NULL ? text : position);
  return FALSE;
}

static gboolean
set_key (ReeveTlsContext *self,
         const ReeveTlsFiles *files,
         const ReeveTlsSettings *settings,
         GError **error)
{
  int status;

  if (files->n_certificates == 0 || files->key == NULL)
    return TRUE;

  status =
      gnutls_certificate_set_x509_key (self->credentials, files->certificates,
                                       (int) files->n_certificates, files->key);
  if (status >= 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s, %s: %s",
               settings->certificate, settings->key, gnutls_strerror (status));
  return FALSE;
}

static gboolean
set_trust (ReeveTlsContext *self,
           const ReeveTlsFiles *files,
           const ReeveTlsSettings *settings,
           GError **error)
{
  int status = 0;

  if (files->n_cas > 0)
    status = gnutls_certificate_set_x509_trust (self->credentials, files->cas,
                                                (int) files->n_cas);
  if (status >= 0 && files->n_crls > 0)
    status = gnutls_certificate_set_x509_crl (self->credentials, files->crls,
                                              (int) files->n_crls);
  if (status >= 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, "%s: %s",
               settings->ca, gnutls_strerror (status));
  return FALSE;
}

/* GnuTLS derives what it makes tickets with from it, and changes that as time
 * goes by. */
static gboolean
make_ticket_key (ReeveTlsContext *self, GError **error)
{
  int status = 0;

  if (self->has_tickets && self->side == REEVE_TLS_SERVER)
    status = gnutls_session_ticket_key_generate (&self->ticket_key);
  if (status >= 0)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_SYSTEM,
               _ ("There is no key for TLS tickets: %s"),
               gnutls_strerror (status));
  return FALSE;
}

/* What has to be there, whatever is in it. */
static gboolean
check_settings (ReeveTlsSide side,
                const ReeveTlsSettings *settings,
                GError **error)
{
  const char *what = NULL;

  if ((settings->certificate == NULL) != (settings->key == NULL))
    what = _ ("TLS needs the certificate and its key, or neither");
  else if (side == REEVE_TLS_SERVER && settings->certificate == NULL)
    what = _ ("A TLS server needs a certificate");
  else if (settings->ca == NULL && (settings->flags & REEVE_TLS_NO_VERIFY) == 0)
    what = _ ("TLS needs the certificate of the CA that signed the peer's");
  if (what == NULL)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG, what);
  return FALSE;
}

static char *
dup_fingerprint (gnutls_x509_crt_t certificate)
{
  uint8_t bytes[32];
  size_t size = sizeof bytes;

  return gnutls_x509_crt_get_fingerprint (certificate, GNUTLS_DIG_SHA256, bytes,
                                          &size) < 0
             ? NULL
             : g_base64_encode (bytes, size);
}

ReeveTlsContext *
reeve_tls_context_new (ReeveTlsSide side,
                       const ReeveTlsSettings *settings,
                       GError **error)
{
  g_autoptr (ReeveTlsContext) self = g_new0 (ReeveTlsContext, 1);
  g_auto (ReeveTlsFiles) files = { 0 };

  reeve_refs_init (&self->refs);
  self->side = side;
  self->verifies = (settings->flags & REEVE_TLS_NO_VERIFY) == 0;
  self->allowed_names = g_strdupv ((char **) settings->allowed_names);
  self->expiry = -1;
  self->has_tickets = (settings->flags & REEVE_TLS_NO_TICKETS) == 0;
  gnutls_certificate_allocate_credentials (&self->credentials);

  if (!check_settings (side, settings, error) ||
      !set_priority (self, settings->priority, error) ||
      !reeve_tls_files_read (&files, settings, error) ||
      ((settings->flags & REEVE_TLS_NO_SANITY) == 0 &&
       !reeve_tls_check_files (&files, side, settings, error)) ||
      !set_key (self, &files, settings, error) ||
      !set_trust (self, &files, settings, error) ||
      !make_ticket_key (self, error))
    return NULL;

  if (files.n_certificates > 0) {
    self->name = reeve_tls_dup_name (files.certificates[0]);
    self->fingerprint = dup_fingerprint (files.certificates[0]);
    self->expiry = gnutls_x509_crt_get_expiration_time (files.certificates[0]);
  }
  return g_steal_pointer (&self);
}

ReeveTlsContext *
reeve_tls_context_ref (ReeveTlsContext *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_tls_context_unref (ReeveTlsContext *self)
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  gnutls_certificate_free_credentials (self->credentials);
  if (self->ticket_key.data != NULL)
    gnutls_memset (self->ticket_key.data, 0, self->ticket_key.size);
  gnutls_free (self->ticket_key.data);
  if (self->priority != NULL)
    gnutls_priority_deinit (self->priority);
  g_strfreev (self->allowed_names);
  g_free (self->name);
  g_free (self->fingerprint);
  g_free (self);
}

const char *
reeve_tls_context_get_name (ReeveTlsContext *self)
{
  return self->name;
}

gint64
reeve_tls_context_get_expiry (ReeveTlsContext *self)
{
  return self->expiry;
}

ReeveTlsSide
reeve_tls_context_get_side (ReeveTlsContext *self)
{
  return self->side;
}

gboolean
reeve_tls_context_verifies (ReeveTlsContext *self)
{
  return self->verifies;
}

const char *const *
reeve_tls_context_get_allowed_names (ReeveTlsContext *self)
{
  return (const char *const *) self->allowed_names;
}

gnutls_certificate_credentials_t
reeve_tls_context_get_credentials (ReeveTlsContext *self)
{
  return self->credentials;
}

gnutls_priority_t
reeve_tls_context_get_priority (ReeveTlsContext *self)
{
  return self->priority;
}

const char *
reeve_tls_context_get_fingerprint (ReeveTlsContext *self)
{
  return self->fingerprint;
}

gboolean
reeve_tls_context_has_tickets (ReeveTlsContext *self)
{
  return self->has_tickets;
}

const gnutls_datum_t *
reeve_tls_context_get_ticket_key (ReeveTlsContext *self)
{
  return &self->ticket_key;
}

gboolean
reeve_tls_name_is_allowed (const char *name, const char *const *patterns)
{
  if (patterns == NULL)
    return TRUE;

  /* GLib's patterns take text alone: on anything else they abort. */
  if (!g_utf8_validate (name, -1, NULL))
    return FALSE;
  for (; *patterns != NULL; patterns++)
    if (g_utf8_validate (*patterns, -1, NULL) &&
        g_pattern_match_simple (*patterns, name))
      return TRUE;

  return FALSE;
}

/* ---------------------------------------------------------------- slot --- */

ReeveTlsSlot *
reeve_tls_slot_new (ReeveTlsContext *context) REEVE_UNCHECKED
{
  ReeveTlsSlot *self = g_new0 (ReeveTlsSlot, 1);

  reeve_refs_init (&self->refs);
  reeve_mutex_init (&self->lock);
  self->context = context == NULL ? NULL : reeve_tls_context_ref (context);
  return self;
}

ReeveTlsSlot *
reeve_tls_slot_ref (ReeveTlsSlot *self)
{
  reeve_refs_inc (&self->refs);
  return self;
}

void
reeve_tls_slot_unref (ReeveTlsSlot *self) REEVE_UNCHECKED
{
  if (self == NULL || !reeve_refs_dec (&self->refs))
    return;

  reeve_tls_context_unref (self->context);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

static ReeveTlsContext *
swap_context (ReeveTlsSlot *self, ReeveTlsContext *context)
{
  ReeveTlsContext *old;

  REEVE_LOCK_SCOPE (&self->lock);

  old = self->context;
  self->context = context;
  return old;
}

void
reeve_tls_slot_set_context (ReeveTlsSlot *self, ReeveTlsContext *context)
{
  if (context != NULL)
    reeve_tls_context_ref (context);
  reeve_tls_context_unref (swap_context (self, context));
}

ReeveTlsContext *
reeve_tls_slot_dup_context (ReeveTlsSlot *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->context == NULL ? NULL : reeve_tls_context_ref (self->context);
}
