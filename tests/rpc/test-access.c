/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server-loops.h"

#include "rpc/access.h"

#include "event/thread.h"
#include "rpc/error.h"
#include "rpc/message.h"
#include "tests/rpc/doors.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One call, and what the policy lets it do. */
typedef struct {
  const char *name;
  gboolean is_read_only;
  int32_t procedure;
  const char *door;
  uint32_t flags;
  const char *allowed;  /* "tag@name …"; NULL: the policy is not active */
  int code;             /* of the error, or 0 */
  const char *reported; /* "outcome tag@name;…" */
} CallCase;

/* A server with its loop in a thread of its own, and a client's end. */
typedef struct {
  const CallCase *row;
  ReeveLoop *loop;
  ReeveServer *server;
  pthread_t thread;
  int fd;

  ReeveMutex lock;
  GString *reported REEVE_GUARDED;
} Fixture;

/* -------------------------------------------------------------- policy --- */

/* "door:open@red"; of a scope without a name "door:open@each". */
static char *
describe (const ReeveAccessQuestion *question)
{
  static const char *const scopes[] = { NULL, "nameless", "each", "some" };
  const char *name = question->scope == REEVE_ACCESS_NAMED
                         ? question->name
                         : scopes[question->scope];

  return g_strdup_printf (
      "%s@%s", question->tag != NULL ? question->tag : "nothing", name);
}

static gboolean
is_active (gpointer data)
{
  Fixture *self = data;

  return self->row->allowed != NULL;
}

static gboolean
allows (gpointer data, const ReeveAccessQuestion *question)
{
  Fixture *self = data;
  g_auto (GStrv) words = g_strsplit (self->row->allowed, " ", -1);
  g_autofree char *word = describe (question);

  return g_strv_contains ((const char *const *) words, word);
}

static void
report (gpointer data,
        const ReeveAccessQuestion *question,
        ReeveAccessOutcome outcome)
{
  static const char *const outcomes[] = { "granted", "denied", "read-only" };
  Fixture *self = data;
  g_autofree char *word = describe (question);

  REEVE_LOCK_SCOPE (&self->lock);

  g_string_append_printf (self->reported, "%s %s;", outcomes[outcome], word);
}

static const ReevePolicy policy = { is_active, allows, report };

/* ------------------------------------------------------------- program --- */

static gboolean
find (ReeveCall *call,
      gconstpointer data,
      const char *tag,
      ReeveAccessObject *object,
      GError **error)
{
  const doors_args *args = data;

  if (g_str_has_prefix (tag, "connect:")) {
    object->scope = REEVE_ACCESS_NAMELESS;
  } else if (reeve_call_get_procedure (call)->number == DOORS_PROC_WALK) {
    object->scope = REEVE_ACCESS_SOME;
  } else if (g_str_equal (args->name, "missing")) {
    g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN, "no door");
    return FALSE;
  } else {
    object->scope = REEVE_ACCESS_NAMED;
    object->name = g_strdup (args->name);
  }

  return TRUE;
}

/* But for the green one, of which everybody knows. */
static gboolean
hide (ReeveCall *call, gconstpointer data, const char *tag, GError **error)
{
  const doors_args *args = data;

  if (g_str_equal (args->name, "green"))
    return FALSE;
  g_set_error_literal (error, REEVE_ERROR, REEVE_ERROR_NO_DOMAIN, "no door");
  return TRUE;
}

static const ReeveAccessObjects objects = { find, hide };

static gboolean
pass (ReeveCall *call, const doors_args *args, GError **error)
{
  return TRUE;
}

static gboolean
pass_void (ReeveCall *call, GError **error)
{
  return TRUE;
}

static gboolean
walk (ReeveCall *call, const doors_args *args, GError **error)
{
  return reeve_call_check_access (call, NULL, args->name, error);
}

static const doors_handlers handlers = {
  .open = pass,
  .peek = pass,
  .list = pass_void,
  .knock = pass_void,
  .walk = walk,
};

/* ------------------------------------------------------------- fixture --- */

static void *
run_loop (void *data)
{
  reeve_loop_run (data);
  return NULL;
}

static void
set_up (Fixture *self, gconstpointer data) REEVE_UNCHECKED
{
  const struct timeval patience = { .tv_sec = 20 };
  ReeveServiceOptions options = { 0 };
  int ends[2];

  self->row = data;
  reeve_mutex_init (&self->lock);
  self->reported = g_string_new (NULL);
  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->fd = ends[0];
  setsockopt (self->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  self->loop = reeve_loop_new (NULL);
  self->server = new_server ("test", self->loop, NULL);
  reeve_server_add_program (self->server, &doors_program, &handlers, self);
  reeve_server_set_objects (self->server, &doors_program, &objects);
  reeve_server_set_policy (self->server, &policy, self);
  if (self->row->is_read_only)
    options.flags = REEVE_SERVICE_READ_ONLY;
  reeve_server_add_fd_client (self->server, ends[1], &options);
  pthread_create (&self->thread, NULL, run_loop, self->loop);
}

static void
tear_down (Fixture *self, gconstpointer data) REEVE_UNCHECKED
{
  reeve_loop_quit (self->loop);
  pthread_join (self->thread, NULL);
  reeve_server_stop (self->server);
  reeve_server_unref (self->server);
  reeve_loop_unref (self->loop);
  close (self->fd);
  g_string_free (self->reported, TRUE);
  reeve_mutex_clear (&self->lock);
}

static void
send_call (Fixture *self)
{
  const ReeveHeader header = {
    .program = doors_program.number,
    .version = doors_program.version,
    .procedure = self->row->procedure,
    .serial = 1,
  };
  doors_args args = { (char *) self->row->door, self->row->flags };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) frame = reeve_message_encode (
      &header, args.name == NULL ? NULL : &doors_args_type, &args, &error);
  gsize size;
  const void *data;

  g_assert_no_error (error);
  data = g_bytes_get_data (frame, &size);
  g_assert_cmpint (send (self->fd, data, size, MSG_NOSIGNAL), ==, size);
}

/* (nullable): the error of the reply. */
static GError *
receive_reply (Fixture *self)
{
  uint8_t frame[4096];
  ReeveHeader header;
  uint32_t size;

  g_assert_cmpint (recv (self->fd, frame, 4, MSG_WAITALL), ==, 4);
  size = reeve_length_decode (frame);
  g_assert_cmpuint (size, <=, sizeof frame);
  g_assert_cmpint (recv (self->fd, frame + 4, size - 4, MSG_WAITALL), ==,
                   size - 4);
  reeve_header_decode (&header, frame + REEVE_LENGTH_SIZE);
  g_assert_cmpuint (header.type, ==, REEVE_MESSAGE_REPLY);
  if (header.status == REEVE_STATUS_OK)
    return NULL;
  return reeve_message_decode_error (frame + REEVE_PAYLOAD_OFFSET,
                                     size - REEVE_PAYLOAD_OFFSET);
}

/* --------------------------------------------------------------- tests --- */

#define OPEN DOORS_PROC_OPEN
#define PEEK DOORS_PROC_PEEK
#define LIST DOORS_PROC_LIST
#define KNOCK DOORS_PROC_KNOCK
#define WALK DOORS_PROC_WALK
#define DENIED REEVE_ERROR_ACCESS_DENIED
#define READ_ONLY REEVE_ERROR_OPERATION_DENIED
#define MISSING REEVE_ERROR_NO_DOMAIN

static const CallCase call_cases[] = {
  { "may", FALSE, OPEN, "red", 4, "door:open@red", 0,
    "granted door:open@red;" },
  { "may-not-but-see", FALSE, OPEN, "red", 4, "door:getattr@red", DENIED,
    "denied door:open@red;" },
  { "may-not-even-see", FALSE, OPEN, "red", 4, "door:open@blue", MISSING,
    "denied door:open@red;" },
  { "may-not-even-see-what-is-not-hidden", FALSE, OPEN, "green", 4, "", DENIED,
    "denied door:open@green;" },
  { "object-that-is-missing", FALSE, OPEN, "missing", 4, "door:open@missing",
    MISSING, "" },
  { "flag-takes-more", FALSE, OPEN, "red", 6, "door:open@red door:force@red", 0,
    "granted door:force@red;" },
  { "flag-takes-more-than-there-is", FALSE, OPEN, "red", 6,
    "door:open@red door:getattr@red", DENIED, "denied door:force@red;" },
  { "flag-that-is-not-set-takes-more", FALSE, OPEN, "red", 0,
    "door:open@red door:lock@red", 0, "granted door:lock@red;" },
  { "flag-that-is-not-set-takes-more-than-there-is", FALSE, OPEN, "red", 0,
    "door:open@red door:getattr@red", DENIED, "denied door:lock@red;" },
  { "inline-may", FALSE, LIST, NULL, 0, "connect:search_doors@nameless", 0,
    "granted connect:search_doors@nameless;" },
  { "inline-may-not", FALSE, LIST, NULL, 0, "", DENIED,
    "denied connect:search_doors@nameless;" },
  { "everybody-may", FALSE, KNOCK, NULL, 0, "", 0, "" },
  { "handler-asks", FALSE, WALK, "red", 0, "door:open@some door:open@red", 0,
    "granted door:open@red;" },
  { "handler-is-denied", FALSE, WALK, "red", 0, "door:open@some", DENIED,
    "denied door:open@red;" },
  { "handler-never-runs", FALSE, WALK, "red", 0, "door:open@red", DENIED,
    "denied door:open@some;" },
  { "handler-asks-for-what-arguments-take", FALSE, WALK, "red", 7,
    "door:open@some door:close@some door:open@red", DENIED,
    "denied door:close@red;" },
  { "without-rules-all-may", FALSE, OPEN, "red", 0, NULL, 0, "" },
  { "without-rules-handler-may", FALSE, WALK, "red", 7, NULL, 0, "" },
  { "read-only-reads", TRUE, PEEK, "red", 0, NULL, 0, "" },
  { "read-only-changes-nothing", TRUE, OPEN, "red", 0, NULL, READ_ONLY,
    "read-only nothing@some;" },
  { "read-only-flag-that-makes-it-more", TRUE, PEEK, "red", 1, NULL, READ_ONLY,
    "read-only door:open@some;" },
  { "read-only-and-rules", TRUE, PEEK, "red", 0, "door:getattr@red", DENIED,
    "denied door:see@red;" },
};

static void
test_call (Fixture *self, gconstpointer data)
{
  const CallCase *row = data;
  g_autoptr (GError) error = NULL;

  send_call (self);
  error = receive_reply (self);
  if (row->code == 0)
    g_assert_no_error (error);
  else
    g_assert_error (error, REEVE_ERROR, row->code);

  REEVE_LOCK_SCOPE (&self->lock);

  g_assert_cmpstr (self->reported->str, ==, row->reported);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS (call_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/rpc/access/call/", call_cases[i].name, NULL);

    g_test_add (path, Fixture, &call_cases[i], set_up, test_call, tear_down);
  }
  return g_test_run ();
}
