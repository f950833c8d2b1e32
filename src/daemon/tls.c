/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/tls.h"

#include "daemon/file-watch.h"
#include "event/intl.h"
#include "event/thread.h"
#include "rpc/error.h"

/* A certificate that expires this soon is worth a warning. */
#define SOON_S (30 * 24 * 60 * 60)

struct _ReeveDaemonTls {
  const ReevePlaces *places; /* immutable */
  ReeveTlsSlot *slot;        /* (owned) */

  ReeveMutex lock; /* held while files are read: the last load wins */
  const ReeveDaemonTlsConfig *config REEVE_GUARDED;
  ReeveDaemonConfig *owner REEVE_GUARDED; /* (owned) (nullable): of config */
  ReeveFileWatch *watch REEVE_GUARDED;    /* (owned) (nullable) */
};

/* ------------------------------------------------------------ settings --- */

/* (transfer full): a file that is configured, or the usual one. */
static char *
get_path (const ReevePlaces *places, const char *path, const char *name)
{
  if (path != NULL)
    return g_canonicalize_filename (path, places->config_dir);

  return g_build_filename (places->config_dir, "pki", name, NULL);
}

/* The files, in a settled order. */
enum { CERTIFICATE, KEY, CA, CRL, N_FILES };

/* (transfer full) (array zero-terminated=1) */
static char **
get_paths (const ReeveDaemonTlsConfig *config, const ReevePlaces *places)
{
  char **paths = g_new0 (char *, N_FILES + 1);

  paths[CERTIFICATE] = get_path (places, config->certificate, "servercert.pem");
  paths[KEY] = get_path (places, config->key, "serverkey.pem");
  paths[CA] = get_path (places, config->ca, "cacert.pem");
  paths[CRL] = get_path (places, config->crl, "cacrl.pem");
  return paths;
}

static ReeveTlsContext *
load (const ReeveDaemonTlsConfig *config,
      const ReevePlaces *places,
      GError **error)
{
  g_auto (GStrv) paths = get_paths (config, places);
  /* The usual list of revoked certificates may be missing. */
  gboolean has_crl =
      config->crl != NULL || g_file_test (paths[CRL], G_FILE_TEST_EXISTS);
  const ReeveTlsSettings settings = {
    .certificate = paths[CERTIFICATE],
    .key = paths[KEY],
    .ca = config->verify_clients ? paths[CA] : NULL,
    .crl = config->verify_clients && has_crl ? paths[CRL] : NULL,
    .priority = config->priority,
    .allowed_names = (const char *const *) config->allowed_names,
    .flags = (config->verify_clients ? 0 : REEVE_TLS_NO_VERIFY) |
             (config->check_files ? 0 : REEVE_TLS_NO_SANITY) |
             (config->session_tickets ? 0 : REEVE_TLS_NO_TICKETS),
  };

  return reeve_tls_context_new (REEVE_TLS_SERVER, &settings, error);
}

static void
tell (ReeveTlsContext *context)
{
  gint64 expiry = reeve_tls_context_get_expiry (context);
  gint64 left = expiry - g_get_real_time () / G_USEC_PER_SEC;
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (expiry);
  g_autofree char *text =
      time == NULL ? NULL : g_date_time_format (time, "%Y-%m-%d");

  g_log (G_LOG_DOMAIN,
         left < SOON_S ? G_LOG_LEVEL_WARNING : G_LOG_LEVEL_MESSAGE,
         _ ("TLS shows the certificate “%1$s”, which expires on %2$s"),
         reeve_tls_context_get_name (context), text);
}

/* ---------------------------------------------------------------- load --- */

static gboolean
load_locked (ReeveDaemonTls *self,
             const ReeveDaemonTlsConfig *config,
             GError **error) REEVE_REQUIRES (self->lock)
{
  g_autoptr (ReeveTlsContext) context = load (config, self->places, error);

  if (context == NULL)
    return FALSE;

  tell (context);
  reeve_tls_slot_set_context (self->slot, context);
  return TRUE;
}

gboolean
reeve_daemon_tls_reload (ReeveDaemonTls *self, GError **error)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return load_locked (self, self->config, error);
}

/* A file changed; or it is the start. */
static void
take_change (gpointer data)
{
  ReeveDaemonTls *self = data;
  g_autoptr (ReeveTlsContext) old = reeve_tls_slot_dup_context (self->slot);
  g_autoptr (GError) error = NULL;

  if (reeve_daemon_tls_reload (self, &error))
    return;
  if (old == NULL)
    g_warning (_ ("TLS lets nobody in until this is mended: %s"),
               error->message);
  else
    g_warning (_ ("TLS goes on with the certificate that it has: %s"),
               error->message);
}

static ReeveFileWatch *
watch_files (ReeveDaemonTls *self, const ReeveDaemonTlsConfig *config)
{
  g_auto (GStrv) paths = get_paths (config, self->places);
  g_autoptr (GError) error = NULL;
  ReeveFileWatch *watch = reeve_file_watch_new ((const char *const *) paths,
                                                take_change, self, &error);

  if (watch == NULL)
    g_warning ("%s", error->message);
  return watch;
}

/* Takes all three, or nothing. The old ones are not freed here: the thread of
 * the watch may wait for the lock. */
static gboolean
exchange (ReeveDaemonTls *self,
          ReeveDaemonConfig **config,
          ReeveFileWatch **watch,
          GError **error)
{
  ReeveDaemonConfig *old_owner;
  ReeveFileWatch *old_watch;

  REEVE_LOCK_SCOPE (&self->lock);

  if (!load_locked (self, &(*config)->tls, error))
    return FALSE;

  old_owner = self->owner;
  old_watch = self->watch;
  self->owner = *config;
  self->config = &(*config)->tls;
  self->watch = *watch;
  *config = old_owner;
  *watch = old_watch;
  return TRUE;
}

gboolean
reeve_daemon_tls_set_config (ReeveDaemonTls *self,
                             ReeveDaemonConfig *config,
                             GError **error)
{
  g_autoptr (ReeveDaemonConfig) other_config = config;
  g_autoptr (ReeveFileWatch) other_watch = watch_files (self, &config->tls);

  return exchange (self, &other_config, &other_watch, error);
}

ReeveDaemonTls *
reeve_daemon_tls_new (const ReeveDaemonTlsConfig *config,
                      const ReevePlaces *places) REEVE_UNCHECKED
{
  ReeveDaemonTls *self = g_new0 (ReeveDaemonTls, 1);

  self->config = config;
  self->places = places;
  self->slot = reeve_tls_slot_new (NULL);
  reeve_mutex_init (&self->lock);
  /* First, so that no change is missed. */
  self->watch = watch_files (self, config);
  take_change (self);
  return self;
}

void
reeve_daemon_tls_free (ReeveDaemonTls *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  reeve_file_watch_free (self->watch);
  reeve_daemon_config_free (self->owner);
  reeve_tls_slot_unref (self->slot);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

ReeveTlsSlot *
reeve_daemon_tls_get_slot (ReeveDaemonTls *self)
{
  return self->slot;
}
