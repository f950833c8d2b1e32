/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/config.h"

#include "daemon/config-file.h"
#include "daemon/log.h"
#include "event/intl.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "rpc/server-limits.h"
#include "rpc/socket-name.h"

#include <grp.h>
#include <stddef.h>
#include <string.h>

typedef enum {
  KIND_UNSIGNED,
  KIND_SIZE,
  KIND_SECONDS,
  KIND_INTERVAL, /* seconds; 0 is never */
  KIND_AUTH_UNIX,
  KIND_AUTH_NETWORK,
  KIND_WIRES,
  KIND_MODE,
  KIND_UMASK,
  KIND_OOM_SCORE,
  KIND_GROUP,
  KIND_YES_NO,
  KIND_TEXT,
  KIND_WORDS,
  KIND_LISTENERS,
  KIND_AUDIT,
  KIND_LEVEL
} KeyKind;

typedef struct {
  const char *group;
  const char *name;
  KeyKind kind;
  size_t offset; /* in ReeveDaemonConfig */
  uint64_t minimum;
  uint64_t maximum;
} Key;

#define CONFIG(name) offsetof (ReeveDaemonConfig, name)
#define LIMIT(name) CONFIG (limits.name)

static const Key keys[] = {
  { "server", "max_clients", KIND_UNSIGNED, LIMIT (max_clients), 1, 1000000 },
  { "server", "max_unauth_clients", KIND_UNSIGNED, LIMIT (max_unauth_clients),
    1, 1000000 },
  { "server", "auth_timeout", KIND_SECONDS, LIMIT (auth_timeout_ms), 1, 86400 },
  { "server", "max_accepts_per_second", KIND_UNSIGNED,
    LIMIT (max_accepts_per_second), 0, 1000000 },
  { "server", "max_client_calls", KIND_UNSIGNED, LIMIT (max_client_calls), 1,
    65536 },
  { "server", "max_client_reply_bytes", KIND_SIZE,
    LIMIT (max_client_reply_bytes), 65536, UINT32_MAX },
  { "server", "max_client_event_bytes", KIND_SIZE,
    LIMIT (max_client_event_bytes), 4096, UINT32_MAX },
  { "server", "max_client_stream_bytes", KIND_SIZE,
    LIMIT (max_client_stream_bytes), 262144, UINT32_MAX },
  { "server", "max_client_fds", KIND_UNSIGNED, LIMIT (max_client_fds), 1,
    65536 },
  { "server", "max_message_bytes", KIND_SIZE, LIMIT (max_message_bytes), 65536,
    REEVE_MESSAGE_MAX },
  { "server", "max_unauth_message_bytes", KIND_SIZE,
    LIMIT (max_unauth_message_bytes), 4096, REEVE_MESSAGE_MAX },
  { "server", "call_timeout", KIND_SECONDS, LIMIT (call_timeout_ms), 1, 86400 },
  { "server", "keepalive_interval", KIND_INTERVAL, LIMIT (keepalive_interval_s),
    0, 86400 },
  { "server", "keepalive_count", KIND_UNSIGNED, LIMIT (keepalive_count), 1,
    1000 },
  { "server", "min_workers", KIND_UNSIGNED, LIMIT (workers.lo_water), 1,
    REEVE_JOB_POOL_MAX_WORKERS },
  { "server", "idle_workers", KIND_UNSIGNED, LIMIT (workers.hi_water), 1,
    REEVE_JOB_POOL_MAX_WORKERS },
  { "server", "max_workers", KIND_UNSIGNED, LIMIT (workers.maximum), 1,
    REEVE_JOB_POOL_MAX_WORKERS },
  { "server", "priority_workers", KIND_UNSIGNED, LIMIT (workers.n_priority), 1,
    REEVE_JOB_POOL_MAX_PRIORITY },
  { "server", "io_threads", KIND_UNSIGNED, CONFIG (io_threads), 0,
    REEVE_SERVER_MAX_IO_THREADS },
  { "server", "idle_timeout", KIND_UNSIGNED, CONFIG (idle_timeout), 0,
    G_MAXINT32 },
  { "daemon", "user", KIND_TEXT, CONFIG (user), 0, 0 },
  { "daemon", "directory", KIND_TEXT, CONFIG (directory), 0, 0 },
  { "daemon", "umask", KIND_UMASK, CONFIG (umask), 0, 0777 },
  { "daemon", "oom_score_adjust", KIND_OOM_SCORE, CONFIG (oom_score_adjust), 0,
    0 },
  { "daemon", "max_files", KIND_UNSIGNED, CONFIG (max_files), 64, 1048576 },
  { "daemon", "restart_interval", KIND_UNSIGNED, CONFIG (restart_interval_s), 0,
    3600 },
  { "daemon", "watchdog", KIND_UNSIGNED, CONFIG (watchdog_s), 0, 3600 },
  { "daemon", "overdue_after", KIND_UNSIGNED, CONFIG (overdue_s), 0, 86400 },
  { "daemon", "stop_timeout", KIND_UNSIGNED, CONFIG (stop_timeout_s), 1, 3600 },
  { "listen", "addresses", KIND_LISTENERS, CONFIG (listen), 0, 0 },
  { "listen", "unix_mode", KIND_MODE, CONFIG (unix_mode), 0600, 0777 },
  { "listen", "unix_ro_mode", KIND_MODE, CONFIG (unix_ro_mode), 0600, 0777 },
  { "listen", "unix_group", KIND_GROUP, CONFIG (unix_group), 0, 0 },
  { "tls", "certificate", KIND_TEXT, CONFIG (tls.certificate), 0, 0 },
  { "tls", "key", KIND_TEXT, CONFIG (tls.key), 0, 0 },
  { "tls", "ca", KIND_TEXT, CONFIG (tls.ca), 0, 0 },
  { "tls", "crl", KIND_TEXT, CONFIG (tls.crl), 0, 0 },
  { "tls", "priority", KIND_TEXT, CONFIG (tls.priority), 0, 0 },
  { "tls", "allowed_names", KIND_WORDS, CONFIG (tls.allowed_names), 0, 0 },
  { "tls", "verify_clients", KIND_YES_NO, CONFIG (tls.verify_clients), 0, 0 },
  { "tls", "check_files", KIND_YES_NO, CONFIG (tls.check_files), 0, 0 },
  { "tls", "session_tickets", KIND_YES_NO, CONFIG (tls.session_tickets), 0, 0 },
  { "tls", "handshake_timeout", KIND_SECONDS, CONFIG (tls.handshake_timeout_ms),
    1, 3600 },
  { "auth", "unix", KIND_AUTH_UNIX, CONFIG (auth_unix), 0, 0 },
  { "auth", "unix_ro", KIND_AUTH_UNIX, CONFIG (auth_unix_ro), 0, 0 },
  { "auth", "tcp", KIND_AUTH_NETWORK, CONFIG (auth_tcp), 0, 0 },
  { "auth", "tls", KIND_AUTH_NETWORK, CONFIG (auth_tls), 0, 0 },
  { "wires", "unix", KIND_WIRES, CONFIG (wires_unix), 0, 0 },
  { "wires", "unix_ro", KIND_WIRES, CONFIG (wires_unix_ro), 0, 0 },
  { "wires", "admin", KIND_WIRES, CONFIG (wires_admin), 0, 0 },
  { "wires", "tcp", KIND_WIRES, CONFIG (wires_tcp), 0, 0 },
  { "wires", "tls", KIND_WIRES, CONFIG (wires_tls), 0, 0 },
  { "auth", "sasl_service", KIND_TEXT, CONFIG (sasl_service), 0, 0 },
  { "auth", "sasl_realm", KIND_TEXT, CONFIG (sasl_realm), 0, 0 },
  { "auth", "sasl_database", KIND_TEXT, CONFIG (sasl_database), 0, 0 },
  { "auth", "sasl_mechanisms", KIND_WORDS, CONFIG (sasl_mechanisms), 0, 0 },
  { "auth", "sasl_names", KIND_WORDS, CONFIG (sasl_names), 0, 0 },
  { "auth", "sasl_min_ssf", KIND_UNSIGNED, CONFIG (sasl_min_ssf), 0, 100000 },
  { "auth", "polkit_manage", KIND_TEXT, CONFIG (polkit_manage), 0, 0 },
  { "auth", "polkit_monitor", KIND_TEXT, CONFIG (polkit_monitor), 0, 0 },
  { "access", "rules", KIND_TEXT, CONFIG (access.rules), 0, 0 },
  { "access", "trust_owner", KIND_YES_NO, CONFIG (access.trusts_owner), 0, 0 },
  { "access", "audit", KIND_AUDIT, CONFIG (access.audit), 0, 0 },
  { "log", "level", KIND_LEVEL, CONFIG (log_level), 0, 0 },
  { "log", "outputs", KIND_TEXT, CONFIG (log_outputs), 0, 0 },
  { "log", "filters", KIND_TEXT, CONFIG (log_filters), 0, 0 },
};

static const Key *
find_key (const char *group, const char *name)
{
  for (size_t i = 0; i < G_N_ELEMENTS (keys); i++)
    if (g_str_equal (keys[i].group, group) && g_str_equal (keys[i].name, name))
      return &keys[i];

  return NULL;
}

/* (nullable): of a module */
static const ReeveDaemonSetting *
find_setting (const ReeveDaemonConfig *self,
              const char *group,
              const char *name)
{
  for (size_t i = 0; self->info != NULL && i < self->info->n_modules; i++) {
    const ReeveDaemonModule *module = self->info->modules[i];

    for (size_t j = 0; j < module->n_settings; j++) {
      const ReeveDaemonSetting *setting = &module->settings[j];

      if (g_str_equal (setting->group, group) &&
          g_str_equal (setting->name, name))
        return setting;
    }
  }

  return NULL;
}

static gboolean
set_setting (ReeveDaemonConfig *self,
             const ReeveDaemonSetting *setting,
             GKeyFile *file,
             GError **error)
{
  g_autofree uint64_t *value = g_new (uint64_t, 1);
  g_autofree char *text =
      g_key_file_get_string (file, setting->group, setting->name, error);

  if (text == NULL ||
      !g_ascii_string_to_unsigned (g_strstrip (text), 10, setting->minimum,
                                   setting->maximum, value, error))
    return FALSE;

  g_hash_table_insert (self->settings, (gpointer) setting,
                       g_steal_pointer (&value));
  return TRUE;
}

static gboolean
set_number (const Key *key, const char *text, void *field, GError **error)
{
  uint64_t value;

  if (!g_ascii_string_to_unsigned (text, 10, key->minimum, key->maximum, &value,
                                   error))
    return FALSE;

  if (key->kind == KIND_SIZE)
    *(size_t *) field = value;
  else if (key->kind == KIND_INTERVAL)
    *(int *) field = value == 0 ? -1 : (int) value;
  else
    *(unsigned *) field = key->kind == KIND_SECONDS ? value * 1000 : value;
  return TRUE;
}

/* Octal, whether it starts with a 0 or not. */
static gboolean
set_mode (const Key *key, const char *text, mode_t *mode, GError **error)
{
  uint64_t value;

  if (!g_ascii_string_to_unsigned (text, 8, key->minimum, key->maximum, &value,
                                   NULL) ||
      (value & 0600) != 0600) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("“%s” is not the mode of a socket, from 0600 to 0777"),
                 text);
    return FALSE;
  }

  *mode = (mode_t) value;
  return TRUE;
}

static gboolean
set_umask (const Key *key, const char *text, int *mask, GError **error)
{
  uint64_t value;

  if (!g_ascii_string_to_unsigned (text, 8, key->minimum, key->maximum, &value,
                                   NULL)) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("“%s” is not a umask, from 0 to 0777"), text);
    return FALSE;
  }

  *mask = (int) value;
  return TRUE;
}

static gboolean
set_oom_score (const char *text, int *score, GError **error)
{
  int64_t value;

  if (!g_ascii_string_to_signed (text, 10, -1000, 1000, &value, error))
    return FALSE;

  *score = (int) value;
  return TRUE;
}

/* The daemon starts: there is one thread. */
static gboolean
set_group (const char *name, gid_t *gid, GError **error)
{
  const struct group *group = getgrnam (name);

  if (group == NULL) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("there is no group “%s”"), name);
    return FALSE;
  }

  *gid = group->gr_gid;
  return TRUE;
}

static gboolean
set_auth (const Key *key, const char *text, ReeveAuth *auth, GError **error)
{
  static const char *const names[] = { "none", "sasl", "polkit" };
  /* polkit knows the processes of this host alone. */
  unsigned n_names = key->kind == KIND_AUTH_UNIX ? 3 : 2;

  for (unsigned i = 0; i < n_names; i++)
    if (g_str_equal (names[i], text)) {
      *auth = (ReeveAuth) i;
      return TRUE;
    }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               n_names == 3 ? _ ("“%s” is none of none, sasl and polkit")
                            : _ ("“%s” is neither none nor sasl"),
               text);
  return FALSE;
}

static gboolean
set_wires (const char *text, ReeveWires *wires, GError **error)
{
  static const struct {
    const char *name;
    ReeveWires wire;
  } rows[] = { { "xdr", REEVE_WIRE_XDR },
               { "json", REEVE_WIRE_JSON },
               { "text", REEVE_WIRE_TEXT } };
  g_auto (GStrv) words = g_strsplit_set (text, "; ", -1);
  ReeveWires found = REEVE_WIRE_DEFAULT;

  for (char **word = words; *word != NULL; word++) {
    size_t i = 0;

    if ((*word)[0] == '\0')
      continue;
    while (i < G_N_ELEMENTS (rows) && !g_str_equal (rows[i].name, *word))
      i++;
    if (i == G_N_ELEMENTS (rows)) {
      g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                   _ ("“%s” is none of xdr, json and text"), *word);
      return FALSE;
    }
    found |= rows[i].wire;
  }
  if (found == REEVE_WIRE_DEFAULT) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                         _ ("a listener speaks xdr, json or text"));
    return FALSE;
  }

  *wires = found;
  return TRUE;
}

static gboolean
check_listeners (char **names, GError **error)
{
  for (; *names != NULL; names++) {
    g_autoptr (ReeveSocketName) name =
        reeve_socket_name_parse (*names, TRUE, error);

    if (name == NULL)
      return FALSE;
  }

  return TRUE;
}

static gboolean
set_yes_no (const char *text, gboolean *field, GError **error)
{
  gboolean is_yes = g_str_equal (text, "yes") || g_str_equal (text, "true");

  if (!is_yes && !g_str_equal (text, "no") && !g_str_equal (text, "false")) {
    g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
                 _ ("“%s” is neither yes nor no"), text);
    return FALSE;
  }

  *field = is_yes;
  return TRUE;
}

static gboolean
set_audit (const char *text, ReeveAuditMode *mode, GError **error)
{
  static const char *const names[] = {
    [REEVE_AUDIT_NONE] = "none",
    [REEVE_AUDIT_DENIED] = "denied",
    [REEVE_AUDIT_CHANGES] = "changes",
    [REEVE_AUDIT_ALL] = "all",
  };

  for (size_t i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (names[i], text)) {
      *mode = (ReeveAuditMode) i;
      return TRUE;
    }

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_INVALID_ARG,
               _ ("“%s” is not one of none, denied, changes and all"), text);
  return FALSE;
}

static gboolean
set_words (const Key *key, GKeyFile *file, char ***field, GError **error)
{
  g_strfreev (*field);
  *field =
      g_key_file_get_string_list (file, key->group, key->name, NULL, error);
  for (char **word = *field; word != NULL && *word != NULL; word++)
    g_strstrip (*word);

  return *field != NULL &&
         (key->kind == KIND_WORDS || check_listeners (*field, error));
}

static gboolean
set_text (const Key *key, const char *text, void *field, GError **error)
{
  switch (key->kind) {
  case KIND_TEXT:
    g_free (*(char **) field);
    *(char **) field = g_strdup (text);
    return TRUE;
  case KIND_MODE:
    return set_mode (key, text, field, error);
  case KIND_UMASK:
    return set_umask (key, text, field, error);
  case KIND_OOM_SCORE:
    return set_oom_score (text, field, error);
  case KIND_GROUP:
    return set_group (text, field, error);
  case KIND_YES_NO:
    return set_yes_no (text, field, error);
  case KIND_AUDIT:
    return set_audit (text, field, error);
  case KIND_LEVEL:
    return reeve_log_parse_level (text, field, error);
  case KIND_AUTH_UNIX:
  case KIND_AUTH_NETWORK:
    return set_auth (key, text, field, error);
  case KIND_WIRES:
    return set_wires (text, field, error);
  default:
    return set_number (key, text, field, error);
  }
}

static gboolean
set_key (ReeveDaemonConfig *self,
         const Key *key,
         GKeyFile *file,
         GError **error)
{
  void *field = (char *) self + key->offset;
  g_autofree char *text = NULL;
  g_autoptr (GError) why = NULL;

  if (key->kind == KIND_WORDS || key->kind == KIND_LISTENERS)
    return set_words (key, file, field, error);

  /* With an escape that is none, it gives both text and error. */
  text = g_key_file_get_string (file, key->group, key->name, &why);
  if (why != NULL) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  return set_text (key, g_strstrip (text), field, error);
}

/* Each mistake becomes one more line of what is said. */
static void
add_mistake (GString *mistakes, const char *text)
{
  g_string_append_printf (mistakes, "%s%s", mistakes->len > 0 ? "\n" : "",
                          text);
}

static void
take_key (ReeveDaemonConfig *self,
          const ReeveConfigFile *file,
          const char *group,
          const char *name,
          GPtrArray *warnings,
          GString *mistakes)
{
  GKeyFile *keys_of_file = reeve_config_file_get_keys (file);
  const Key *key = find_key (group, name);
  const ReeveDaemonSetting *setting = find_setting (self, group, name);
  g_autofree char *place = reeve_config_file_describe (file, group, name);
  g_autofree char *text = NULL;
  g_autoptr (GError) why = NULL;

  if (key == NULL && setting == NULL) {
    g_ptr_array_add (warnings, g_strdup_printf (_ ("%s: unknown key"), place));
    return;
  }
  if (key != NULL ? set_key (self, key, keys_of_file, &why)
                  : set_setting (self, setting, keys_of_file, &why))
    return;

  text = g_strdup_printf ("%s: %s", place, why->message);
  add_mistake (mistakes, text);
}

static void
take_group (ReeveDaemonConfig *self,
            const ReeveConfigFile *file,
            const char *group,
            GPtrArray *warnings,
            GString *mistakes)
{
  g_auto (GStrv) names = g_key_file_get_keys (reeve_config_file_get_keys (file),
                                              group, NULL, NULL);

  for (char **name = names; name != NULL && *name != NULL; name++)
    take_key (self, file, group, *name, warnings, mistakes);
}

static gboolean
take_file (ReeveDaemonConfig *self,
           const char *path,
           GPtrArray *warnings,
           GString *mistakes,
           GError **error)
{
  g_autoptr (GError) why = NULL;
  g_autoptr (ReeveConfigFile) file = reeve_config_file_load (path, &why);
  g_auto (GStrv) groups = NULL;

  if (file == NULL &&
      !g_error_matches (why, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX)) {
    g_propagate_error (error, g_steal_pointer (&why));
    return FALSE;
  }
  if (file == NULL) {
    add_mistake (mistakes, why->message);
    return TRUE;
  }

  groups = g_key_file_get_groups (reeve_config_file_get_keys (file), NULL);
  for (char **group = groups; *group != NULL; group++)
    take_group (self, file, *group, warnings, mistakes);
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static gboolean
take_drop_ins (ReeveDaemonConfig *self,
               const char *path,
               GPtrArray *warnings,
               GString *mistakes,
               GError **error)
{
  g_autofree char *folder = g_strconcat (path, ".d", NULL);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  if (dir == NULL)
    return TRUE;

  while ((name = g_dir_read_name (dir)) != NULL)
    if (g_str_has_suffix (name, ".conf"))
      g_ptr_array_add (names, g_build_filename (folder, name, NULL));
  g_ptr_array_sort (names, compare_names);

  for (unsigned i = 0; i < names->len; i++)
    if (!take_file (self, names->pdata[i], warnings, mistakes, error))
      return FALSE;

  return TRUE;
}

static gboolean
check_mistakes (const GString *mistakes, GError **error)
{
  if (mistakes->len == 0)
    return TRUE;

  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
                       mistakes->str);
  return FALSE;
}

/* What each file may say and all of them together may not. 0: not said. */
static gboolean
check_workers (const ReeveJobPoolSize *size, const char *path, GError **error)
{
  unsigned wanted = MAX (size->lo_water, size->hi_water);

  if (size->maximum == 0 || wanted <= size->maximum)
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
               _ ("%1$s: [server] max_workers: %2$u is less than the %3$u that "
                  "are to wait for work"),
               path, size->maximum, wanted);
  return FALSE;
}

static gboolean
check_unauth (const ReeveServerLimits *limits, const char *path, GError **error)
{
  g_autoptr (GError) why = NULL;

  if (reeve_server_limits_check (limits, &why))
    return TRUE;

  g_set_error (error, REEVE_ERROR, REEVE_ERROR_CONFIG_SYNTAX,
               "%s: [server] max_unauth_clients: %s", path, why->message);
  return FALSE;
}

ReeveDaemonConfig *
reeve_daemon_config_load (const char *path,
                          const ReeveDaemonInfo *info,
                          GPtrArray *warnings,
                          GError **error)
{
  g_autoptr (ReeveDaemonConfig) self = g_new0 (ReeveDaemonConfig, 1);
  g_autoptr (GString) mistakes = g_string_new (NULL);

  self->log_level = G_LOG_LEVEL_MESSAGE;
  self->umask = -1;
  self->oom_score_adjust = REEVE_OOM_SCORE_NONE;
  self->restart_interval_s = 10;
  self->overdue_s = 300;
  self->stop_timeout_s = 30;
  self->tls.verify_clients = TRUE;
  self->tls.check_files = TRUE;
  self->tls.session_tickets = TRUE;
  self->sasl_min_ssf = REEVE_AUTH_MIN_SSF;
  self->info = info;
  self->settings = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  self->access.trusts_owner = TRUE;
  self->access.audit = REEVE_AUDIT_DENIED;
  if (!take_file (self, path, warnings, mistakes, error) ||
      !take_drop_ins (self, path, warnings, mistakes, error) ||
      !check_mistakes (mistakes, error) ||
      !check_workers (&self->limits.workers, path, error) ||
      !check_unauth (&self->limits, path, error))
    return NULL;

  return g_steal_pointer (&self);
}

void
reeve_daemon_config_free (ReeveDaemonConfig *self)
{
  if (self == NULL)
    return;

  g_strfreev (self->listen);
  g_free (self->user);
  g_free (self->directory);
  g_free (self->tls.certificate);
  g_free (self->tls.key);
  g_free (self->tls.ca);
  g_free (self->tls.crl);
  g_free (self->tls.priority);
  g_strfreev (self->tls.allowed_names);
  g_free (self->sasl_service);
  g_free (self->sasl_realm);
  g_free (self->sasl_database);
  g_strfreev (self->sasl_mechanisms);
  g_strfreev (self->sasl_names);
  g_free (self->polkit_manage);
  g_free (self->polkit_monitor);
  g_hash_table_unref (self->settings);
  g_free (self->log_outputs);
  g_free (self->log_filters);
  g_free (self->access.rules);
  g_free (self);
}

uint64_t
reeve_daemon_config_get_setting (const ReeveDaemonConfig *self,
                                 const ReeveDaemonSetting *setting)
{
  const uint64_t *value = g_hash_table_lookup (self->settings, setting);

  return value != NULL ? *value : setting->fallback;
}
