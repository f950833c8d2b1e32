/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resource/pool.h"

#include "event/thread.h"
#include "replies.h"
#include "resource/property.h"

#include <errno.h>

/* One thread, so that the second request waits for the first. */
static const ReeveJobPoolSize one_thread = { 1, 1, 1, 1, 0 };

typedef struct {
  ReeveLoop *loop;
  ReeveResourcePool *pool;
  pthread_t loop_thread;
  void (*answer) (ReeveResourceRequest *request);

  ReeveMutex lock;
  ReeveCond changed;
  unsigned n_begun REEVE_GUARDED;
  gboolean may_end REEVE_GUARDED;
} Fixture;

static void
fixture_init (Fixture *self) REEVE_UNCHECKED
{
  *self = (Fixture){ .loop_thread = pthread_self () };
  reeve_mutex_init (&self->lock);
  reeve_cond_init (&self->changed);
  self->loop = reeve_loop_new (NULL);
  self->pool = reeve_resource_pool_new (self->loop, &one_thread);
}

static void
fixture_clear (Fixture *self)
{
  reeve_resource_pool_free (self->pool);
  reeve_loop_unref (self->loop);
  reeve_cond_clear (&self->changed);
  reeve_mutex_clear (&self->lock);
}

/* Where a thread of the pool waits until the test lets it. */
static void
wait_at_the_gate (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->n_begun++;
  reeve_cond_broadcast (&self->changed);
  while (!self->may_end)
    reeve_cond_wait (&self->changed, &self->lock);
}

static void
open_gate (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  self->may_end = TRUE;
  reeve_cond_broadcast (&self->changed);
}

static void
wait_for_begun (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  while (self->n_begun == 0)
    reeve_cond_wait (&self->changed, &self->lock);
}

static unsigned
count_begun (Fixture *self)
{
  REEVE_LOCK_SCOPE (&self->lock);

  return self->n_begun;
}

static void
block (ReeveResourceRequest *request, GCancellable *cancellable, gpointer data)
{
  Fixture *self = data;

  g_assert_false (pthread_equal (self->loop_thread, pthread_self ()));
  wait_at_the_gate (self);
  self->answer (request);
}

static void
run_block (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_run (request, ((Fixture *) data)->pool, block, data);
}

static void
run_block_with_text (ReeveResourceRequest *request,
                     const char *text,
                     gpointer data)
{
  run_block (request, data);
}

static void
turn_until_replied (Fixture *self, const Reply *reply)
{
  while (reply->n_replies == 0)
    g_main_context_iteration (reeve_loop_get_context (self->loop), TRUE);
  g_assert_cmpint (reply->n_replies, ==, 1);
}

/* --------------------------------------------------------------- answers -- */

static void
give (ReeveResourceRequest *request)
{
  reeve_resource_request_give (request, "given", 5);
}

static void
give_at (ReeveResourceRequest *request)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("0123456", 7);

  reeve_resource_request_give_at (request, bytes);
}

static void
take_some (ReeveResourceRequest *request)
{
  g_autofree char *text = reeve_resource_request_text (request);

  g_assert_cmpstr (text, ==, "words");
  reeve_resource_request_take_some (request, 3);
}

static void
answer (ReeveResourceRequest *request)
{
  g_assert_cmpuint (reeve_resource_request_get_code (request), ==, 77);
  reeve_resource_request_answer (request, 9, "answer", 6);
}

static void
fail (ReeveResourceRequest *request)
{
  reeve_resource_request_fail (request, EIO);
}

static void
show (ReeveResourceRequest *request)
{
  reeve_resource_request_show_text (request, g_strdup ("shown"));
}

static void
return_reply (ReeveResourceRequest *request)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("reply", 5);

  reeve_resource_request_return (request, bytes);
}

typedef enum { OPS, PROPERTY, TRANSACTION } Kind;
typedef enum { READ, WRITE, DEVCTL } Call;

typedef struct {
  const char *name;
  Kind kind;
  Call call;
  void (*answer) (ReeveResourceRequest *request);
  Reply reply;
} AnswerCase;

static const AnswerCase answer_cases[] = {
  { "give", OPS, READ, give, { .size = 5, .text = "given" } },
  { "give-at", OPS, READ, give_at, { .size = 5, .text = "23456" } },
  { "take-some", OPS, WRITE, take_some, { .size = 3 } },
  { "answer", OPS, DEVCTL, answer, { .value = 9, .size = 4, .text = "answ" } },
  { "fail", OPS, READ, fail, { .errnum = EIO } },
  { "show", PROPERTY, READ, show, { .size = 3, .text = "own" } },
  { "fail-to-show", PROPERTY, READ, fail, { .errnum = EIO } },
  { "take-a-value", PROPERTY, WRITE, take_some, { .size = 3 } },
  { "return", TRANSACTION, WRITE, return_reply, { .size = 5 } },
};

static ReeveResourceNode *
make_node (Fixture *self, Kind kind)
{
  static const ReeveResourceOps ops = {
    .read = run_block,
    .write = run_block,
    .devctl = run_block,
  };
  static const ReeveResourceTextFuncs funcs = {
    .read = run_block,
    .write = run_block_with_text,
  };

  switch (kind) {
  case PROPERTY:
    return reeve_resource_property_new (0600, &funcs, self, NULL);
  case TRANSACTION:
    return reeve_resource_transaction_new (0600, &funcs, self, NULL);
  default:
    return reeve_resource_node_new (0600, &ops, self, NULL);
  }
}

static ReeveResourceRequest *
begin (ReeveResourceHandle *handle, Call call, Reply *reply)
{
  switch (call) {
  case WRITE:
    return reeve_resource_handle_write (handle, 0, "words", 5, FALSE,
                                        take_reply, reply);
  case DEVCTL:
    return reeve_resource_handle_devctl (handle, 77, NULL, 0, 4, take_reply,
                                         reply);
  default:
    return reeve_resource_handle_read (handle, 2, 100, FALSE, take_reply,
                                       reply);
  }
}

/* What is answered on a thread of the pool comes in the loop's. */
static void
test_answer (gconstpointer data)
{
  const AnswerCase *row = data;
  g_autoptr (ReeveResourceNode) node = NULL;
  g_autoptr (ReeveResourceHandle) handle = NULL;
  Reply reply = { 0 };
  Fixture fixture;

  fixture_init (&fixture);
  fixture.answer = row->answer;
  node = make_node (&fixture, row->kind);
  handle = open_node (node, O_RDWR);
  g_assert_nonnull (begin (handle, row->call, &reply));
  wait_for_begun (&fixture);
  g_main_context_iteration (reeve_loop_get_context (fixture.loop), FALSE);
  g_assert_cmpint (reply.n_replies, ==, 0);
  open_gate (&fixture);
  turn_until_replied (&fixture, &reply);

  g_assert_cmpint (reply.errnum, ==, row->reply.errnum);
  g_assert_cmpint (reply.value, ==, row->reply.value);
  g_assert_cmpuint (reply.size, ==, row->reply.size);
  g_assert_cmpstr (reply.text, ==, row->reply.text);
  /* The handle has it, as if the loop's thread had answered. */
  if (row->answer == show)
    assert_read (handle, 1, 3, "how");
  if (row->answer == return_reply)
    assert_read (handle, 0, 100, "reply");
  fixture_clear (&fixture);
}

/* ------------------------------------------------------------ giving up --- */

/* As the client gives up: the one who runs is waited for by nobody, the one
 * who waits is not run at all. */
static void
test_cancel (gconstpointer data)
{
  gboolean closes = GPOINTER_TO_INT (data);
  g_autoptr (ReeveResourceNode) node = NULL;
  g_autoptr (ReeveResourceHandle) handle = NULL;
  Reply replies[2] = { 0 };
  ReeveResourceRequest *requests[2];
  Fixture fixture;

  fixture_init (&fixture);
  fixture.answer = give;
  node = make_node (&fixture, OPS);
  handle = open_node (node, O_RDONLY);
  for (int i = 0; i < 2; i++)
    requests[i] = begin (handle, READ, &replies[i]);
  wait_for_begun (&fixture);

  if (closes)
    g_clear_pointer (&handle, reeve_resource_handle_close);
  else
    for (int i = 0; i < 2; i++)
      reeve_resource_request_cancel (requests[i], EINTR);
  for (int i = 0; i < 2; i++)
    g_assert_cmpint (replies[i].errnum, ==, closes ? EBADF : EINTR);
  open_gate (&fixture);
  reeve_resource_pool_free (fixture.pool);
  fixture.pool = NULL;

  g_assert_cmpuint (count_begun (&fixture), ==, 1);
  for (int i = 0; i < 2; i++)
    g_assert_cmpint (replies[i].n_replies, ==, 1);
  fixture_clear (&fixture);
}

static void
wait_for_cancel (ReeveResourceRequest *request,
                 GCancellable *cancellable,
                 gpointer data)
{
  Fixture *self = data;
  GPollFD file;

  open_gate (self);
  wait_at_the_gate (self);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &file));
  while (!g_cancellable_is_cancelled (cancellable))
    g_poll (&file, 1, -1);
  g_cancellable_release_fd (cancellable);
  reeve_resource_request_fail (request, EINTR);
}

static void
run_wait_for_cancel (ReeveResourceRequest *request, gpointer data)
{
  reeve_resource_request_run (request, ((Fixture *) data)->pool,
                              wait_for_cancel, data);
}

/* What runs learns of it, and ends its wait. */
static void
test_cancellable (void)
{
  static const ReeveResourceOps ops = { .read = run_wait_for_cancel };
  g_autoptr (ReeveResourceNode) node = NULL;
  g_autoptr (ReeveResourceHandle) handle = NULL;
  Reply reply = { 0 };
  Fixture fixture;

  fixture_init (&fixture);
  node = reeve_resource_node_new (0400, &ops, &fixture, NULL);
  handle = open_node (node, O_RDONLY);
  begin (handle, READ, &reply);
  wait_for_begun (&fixture);
  g_clear_pointer (&handle, reeve_resource_handle_close);
  g_assert_cmpint (reply.errnum, ==, EBADF);
  /* Ends only when the function does. */
  fixture_clear (&fixture);
  g_assert_cmpint (reply.n_replies, ==, 1);
}

static void
keep (ReeveResourceRequest *request, gpointer data)
{
  *(ReeveResourceRequest **) data = request;
}

/* One that was kept, and whose client has given up, is not run any more. */
static void
test_too_late (void)
{
  static const ReeveResourceOps ops = { .read = keep };
  ReeveResourceRequest *kept = NULL;
  g_autoptr (ReeveResourceNode) node =
      reeve_resource_node_new (0400, &ops, &kept, NULL);
  g_autoptr (ReeveResourceHandle) handle = open_node (node, O_RDONLY);
  Reply reply = { 0 };
  Fixture fixture;

  fixture_init (&fixture);
  reeve_resource_request_cancel (begin (handle, READ, &reply), EINTR);
  reeve_resource_request_run (kept, fixture.pool, block, &fixture);
  fixture_clear (&fixture);
  g_assert_cmpint (reply.n_replies, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (size_t i = 0; i < G_N_ELEMENTS (answer_cases); i++) {
    g_autofree char *path =
        g_strconcat ("/resource/pool/answers/", answer_cases[i].name, NULL);

    g_test_add_data_func (path, &answer_cases[i], test_answer);
  }
  g_test_add_data_func ("/resource/pool/gives-up/by-a-signal",
                        GINT_TO_POINTER (FALSE), test_cancel);
  g_test_add_data_func ("/resource/pool/gives-up/by-closing",
                        GINT_TO_POINTER (TRUE), test_cancel);
  g_test_add_func ("/resource/pool/gives-up/what-runs-is-told",
                   test_cancellable);
  g_test_add_func ("/resource/pool/gives-up/before-it-is-run", test_too_late);
  return g_test_run ();
}
