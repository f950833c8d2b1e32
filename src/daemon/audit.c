/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/audit.h"

#include "event/thread.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

/* How many are counted each on his own; the rest share one. */
#define MAX_BUCKETS 256
#define OTHERS "others"
/* Bytes of what was written to a file, of a line. */
#define MAX_TEXT 256
/* When lines that were left out are told of. */
#define TELL_MS 10000
#define LINE_US (G_USEC_PER_SEC / REEVE_AUDIT_RATE)

/* What somebody may write: empty at @full_us, which is ahead of now by the time
 * that what he wrote is worth. */
typedef struct {
  gint64 full_us;
  uint64_t n_left_out; /* and not told of */
} Bucket;

struct _ReeveAudit {
  ReeveAuditMode mode; /* immutable */
  ReeveLoop *loop;     /* (owned) (nullable) */
  int timeout; /* immutable; disabled unless there is something to tell */
  atomic_ullong n_left_out;

  ReeveMutex lock;
  GHashTable *buckets REEVE_GUARDED; /* who -> Bucket (owned) */
};

static void
tell (ReeveLoop *loop, int watch, gpointer data)
{
  g_autofree char *text = reeve_audit_take_left_out (data);

  reeve_loop_update_timeout (loop, watch, -1);
  if (text != NULL)
    g_warning ("%s", text);
}

ReeveAudit *
reeve_audit_new (ReeveAuditMode mode, ReeveLoop *loop) REEVE_UNCHECKED
{
  ReeveAudit *self = g_new0 (ReeveAudit, 1);

  self->mode = mode;
  reeve_mutex_init (&self->lock);
  self->buckets =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (loop != NULL) {
    self->loop = reeve_loop_ref (loop);
    self->timeout = reeve_loop_add_timeout (loop, -1, tell, self, NULL);
  }
  return self;
}

void
reeve_audit_free (ReeveAudit *self) REEVE_UNCHECKED
{
  if (self == NULL)
    return;

  if (self->loop != NULL) {
    tell (self->loop, self->timeout, self);
    reeve_loop_remove (self->loop, self->timeout);
    reeve_loop_unref (self->loop);
  }
  g_hash_table_unref (self->buckets);
  reeve_mutex_clear (&self->lock);
  g_free (self);
}

gboolean
reeve_audit_wants (ReeveAudit *self,
                   const ReeveProcedure *procedure,
                   ReeveAccessOutcome outcome)
{
  if (outcome != REEVE_ACCESS_GRANTED)
    return self->mode >= REEVE_AUDIT_DENIED;
  if (self->mode == REEVE_AUDIT_CHANGES)
    return (procedure->flags & REEVE_PROCEDURE_READ_ONLY) == 0;
  return self->mode == REEVE_AUDIT_ALL;
}

/* --------------------------------------------------------------- limits -- */

/* One that has nothing to be remembered for. */
static gboolean
is_idle (gpointer key, gpointer value, gpointer data)
{
  const Bucket *bucket = value;
  const gint64 *now_us = data;

  return bucket->full_us <= *now_us && bucket->n_left_out == 0;
}

static Bucket *
get_bucket_locked (ReeveAudit *self, const char *who, gint64 now_us)
    REEVE_REQUIRES (self->lock)
{
  Bucket *bucket = g_hash_table_lookup (self->buckets, who);

  if (bucket != NULL)
    return bucket;

  if (g_hash_table_size (self->buckets) >= MAX_BUCKETS)
    g_hash_table_foreach_remove (self->buckets, is_idle, &now_us);
  if (g_hash_table_size (self->buckets) >= MAX_BUCKETS &&
      !g_str_equal (who, OTHERS))
    return get_bucket_locked (self, OTHERS, now_us);

  bucket = g_new0 (Bucket, 1);
  g_hash_table_insert (self->buckets, g_strdup (who), bucket);
  return bucket;
}

gboolean
reeve_audit_admit (ReeveAudit *self, const char *who, gint64 now_us)
{
  Bucket *bucket;

  REEVE_LOCK_SCOPE (&self->lock);

  bucket = get_bucket_locked (self, who, now_us);
  bucket->full_us = MAX (bucket->full_us, now_us);
  if (bucket->full_us - now_us < REEVE_AUDIT_BURST * LINE_US) {
    bucket->full_us += LINE_US;
    return TRUE;
  }

  bucket->n_left_out++;
  atomic_fetch_add (&self->n_left_out, 1);
  if (bucket->n_left_out == 1 && self->loop != NULL)
    reeve_loop_update_timeout (self->loop, self->timeout, TELL_MS);
  return FALSE;
}

char *
reeve_audit_take_left_out (ReeveAudit *self)
{
  g_autoptr (GString) text = g_string_new (NULL);
  GHashTableIter iter;
  gpointer key, value;

  REEVE_LOCK_SCOPE (&self->lock);

  g_hash_table_iter_init (&iter, self->buckets);
  while (g_hash_table_iter_next (&iter, &key, &value)) {
    Bucket *bucket = value;

    if (bucket->n_left_out == 0)
      continue;
    g_string_append_printf (text, "%s%s (%" PRIu64 ")",
                            text->len == 0 ? "audit: lines left out: " : ", ",
                            (const char *) key, bucket->n_left_out);
    bucket->n_left_out = 0;
  }

  return text->len == 0 ? NULL : g_string_free (g_steal_pointer (&text), FALSE);
}

uint64_t
reeve_audit_get_n_left_out (ReeveAudit *self)
{
  return atomic_load (&self->n_left_out);
}

/* ---------------------------------------------------------------- lines -- */

char *
reeve_audit_quote (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  GString *quoted = g_string_new ("\"");

  for (const char *p = valid; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar character = g_utf8_get_char (p);

    if (character == '"' || character == '\\')
      g_string_append_printf (quoted, "\\%c", (char) character);
    else if (g_unichar_isprint (character))
      g_string_append_unichar (quoted, character);
    else
      g_string_append_printf (quoted, "\\u{%x}", character);
  }

  g_string_append_c (quoted, '"');
  return g_string_free (quoted, FALSE);
}

/* "" for the daemon itself, which has no name. */
static char *
describe_object (const ReeveAccessQuestion *question)
{
  g_autofree char *quoted = NULL;

  switch (question->scope) {
  case REEVE_ACCESS_NAMED:
    quoted = reeve_audit_quote (question->name);
    return g_strconcat (" object=", quoted, NULL);
  case REEVE_ACCESS_EACH:
    return g_strdup (" object=*");
  default:
    return g_strdup ("");
  }
}

static char *
describe (const ReeveAccessQuestion *question,
          ReeveAccessOutcome outcome,
          const char *who,
          const char *from,
          const char *rule)
{
  g_autofree char *object = describe_object (question);

  return g_strdup_printf (
      "audit: %s client=%" PRIu64 " %s from=%s call=%s.%s serial=%u%s%s%s "
      "rule=%s",
      outcome == REEVE_ACCESS_GRANTED ? "granted" : "denied",
      reeve_server_client_get_id (question->client), who, from,
      question->program->name, question->procedure->name, question->serial,
      question->tag != NULL ? " takes=" : "",
      question->tag != NULL ? question->tag : "", object,
      outcome == REEVE_ACCESS_READ_ONLY ? "(read-only)"
      : rule != NULL                    ? rule
                                        : "(none)");
}

static void
write_fields (const ReeveAccessQuestion *question,
              ReeveAccessOutcome outcome,
              const char *who,
              const char *rule,
              const char *message)
{
  g_autofree char *client = g_strdup_printf (
      "%" PRIu64, reeve_server_client_get_id (question->client));
  g_autofree char *serial = g_strdup_printf ("%u", question->serial);
  const GLogField fields[] = {
    { "MESSAGE", message, -1 },
    { "GLIB_DOMAIN", G_LOG_DOMAIN, -1 },
    { "REEVE_AUDIT", outcome == REEVE_ACCESS_GRANTED ? "granted" : "denied",
      -1 },
    { "REEVE_CLIENT", client, -1 },
    { "REEVE_PEER", who, -1 },
    { "REEVE_PROGRAM", question->program->name, -1 },
    { "REEVE_PROCEDURE", question->procedure->name, -1 },
    { "REEVE_SERIAL", serial, -1 },
    { "REEVE_ACCESS", question->tag != NULL ? question->tag : "", -1 },
    { "REEVE_OBJECT", question->name != NULL ? question->name : "", -1 },
    { "REEVE_RULE", rule != NULL ? rule : "", -1 },
  };

  g_log_structured_array (outcome == REEVE_ACCESS_GRANTED ? G_LOG_LEVEL_MESSAGE
                                                          : G_LOG_LEVEL_WARNING,
                          fields, G_N_ELEMENTS (fields));
}

void
reeve_audit_write (ReeveAudit *self,
                   const ReeveAccessQuestion *question,
                   ReeveAccessOutcome outcome,
                   const char *who,
                   const char *from,
                   const char *rule)
{
  g_autofree char *message = NULL;

  if (!reeve_audit_wants (self, question->procedure, outcome) ||
      !reeve_audit_admit (self, who, g_get_monotonic_time ()))
    return;

  message = describe (question, outcome, who, from, rule);
  write_fields (question, outcome, who, rule, message);
}

/* ---------------------------------------------------------------- deeds -- */

gboolean
reeve_audit_wants_deed (ReeveAudit *self, ReeveAccessOutcome outcome)
{
  return self->mode >= (outcome == REEVE_ACCESS_GRANTED ? REEVE_AUDIT_CHANGES
                                                        : REEVE_AUDIT_DENIED);
}

static void
add_deed_text (GString *line, const char *key, const char *text)
{
  g_autofree char *start = NULL;
  g_autofree char *quoted = NULL;

  if (text == NULL)
    return;
  start = g_strndup (text, MAX_TEXT);
  quoted = reeve_audit_quote (start);
  g_string_append_printf (line, " %s=%s%s", key, quoted,
                          strlen (text) > MAX_TEXT ? "…" : "");
}

static const char *
get_result (const ReeveAuditDeed *deed)
{
  const char *name = strerrorname_np (deed->errnum);

  return deed->errnum == 0 ? "done" : name == NULL ? "failed" : name;
}

static char *
describe_deed (const ReeveAuditDeed *deed, ReeveAccessOutcome outcome)
{
  GString *line = g_string_new (NULL);

  g_string_append_printf (line, "audit: %s %s from=%s",
                          outcome == REEVE_ACCESS_GRANTED ? "granted"
                                                          : "denied",
                          deed->who, deed->from);
  add_deed_text (line, "file", deed->path);
  add_deed_text (line, "wrote", deed->text);
  g_string_append_printf (line, " takes=%s", deed->tag);
  add_deed_text (line, "object", deed->name);
  if (outcome == REEVE_ACCESS_GRANTED)
    g_string_append_printf (line, " result=%s", get_result (deed));
  g_string_append_printf (line, " rule=%s",
                          deed->rule == NULL ? "(none)" : deed->rule);
  return g_string_free (line, FALSE);
}

void
reeve_audit_write_deed (ReeveAudit *self,
                        const ReeveAuditDeed *deed,
                        ReeveAccessOutcome outcome)
{
  g_autofree char *message = NULL;

  if (!reeve_audit_wants_deed (self, outcome) ||
      !reeve_audit_admit (self, deed->who, g_get_monotonic_time ()))
    return;

  message = describe_deed (deed, outcome);
  {
    const GLogField fields[] = {
      { "MESSAGE", message, -1 },
      { "GLIB_DOMAIN", G_LOG_DOMAIN, -1 },
      { "REEVE_AUDIT", outcome == REEVE_ACCESS_GRANTED ? "granted" : "denied",
        -1 },
      { "REEVE_PEER", deed->who, -1 },
      { "REEVE_FILE", deed->path, -1 },
      { "REEVE_ACCESS", deed->tag, -1 },
      { "REEVE_OBJECT", deed->name != NULL ? deed->name : "", -1 },
      { "REEVE_RESULT",
        outcome == REEVE_ACCESS_GRANTED ? get_result (deed) : "", -1 },
      { "REEVE_RULE", deed->rule != NULL ? deed->rule : "", -1 },
    };

    g_log_structured_array (outcome == REEVE_ACCESS_GRANTED
                                ? G_LOG_LEVEL_MESSAGE
                                : G_LOG_LEVEL_WARNING,
                            fields, G_N_ELEMENTS (fields));
  }
}
