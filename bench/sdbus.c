/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sdbus.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define OBJECT_PATH "/bench"
#define INTERFACE "reeve.Bench"

static void
check (int result)
{
  if (result >= 0)
    return;

  g_printerr ("sd-bus: %s\n", g_strerror (-result));
  exit (1);
}

/* -------------------------------------------------------------- server --- */

static int
take_call (sd_bus_message *message, void *data, sd_bus_error *error)
{
  return sd_bus_reply_method_return (message, "");
}

static const sd_bus_vtable methods[] = {
  SD_BUS_VTABLE_START (0),
  SD_BUS_METHOD ("Nothing", "", "", take_call, SD_BUS_VTABLE_UNPRIVILEGED),
  SD_BUS_VTABLE_END,
};

static int
listen_at (const char *path)
{
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  if (bind (fd, (struct sockaddr *) &address, sizeof address) < 0 ||
      listen (fd, 1) < 0)
    _exit (1);
  return fd;
}

/* One client is enough: it is the one that can be measured. */
void
serve_sdbus (const ServeOptions *options)
{
  int listen_fd = listen_at (options->path);
  sd_bus *bus;
  sd_id128_t id;
  int fd;

  say_ready (options->ready_fd, 0, 0);
  fd = accept4 (listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  check (sd_id128_randomize (&id));
  check (sd_bus_new (&bus));
  check (sd_bus_set_fd (bus, fd, fd));
  check (sd_bus_set_server (bus, 1, id));
  check (sd_bus_set_anonymous (bus, 1));
  check (sd_bus_add_object_vtable (bus, NULL, OBJECT_PATH, INTERFACE, methods,
                                   NULL));
  check (sd_bus_start (bus));
  for (;;) {
    int result = sd_bus_process (bus, NULL);

    if (result == 0)
      result = sd_bus_wait (bus, UINT64_MAX);
    if (result < 0)
      _exit (0);
  }
}

/* -------------------------------------------------------------- client --- */

struct _SdBusClient {
  sd_bus *bus; /* (owned) */
  unsigned n_in_flight;
  unsigned n_answered;
  gboolean is_last; /* answers start no more calls */
};

SdBusClient *
sdbus_client_new (const char *path)
{
  g_autofree char *address = g_strconcat ("unix:path=", path, NULL);
  SdBusClient *self = g_new0 (SdBusClient, 1);

  check (sd_bus_new (&self->bus));
  check (sd_bus_set_address (self->bus, address));
  check (sd_bus_start (self->bus));
  return self;
}

void
sdbus_client_free (SdBusClient *self)
{
  sd_bus_close_unref (self->bus);
  g_free (self);
}

static int take_answer (sd_bus_message *message, void *data, sd_bus_error *e);

static void
call_once (SdBusClient *self)
{
  self->n_in_flight++;
  check (sd_bus_call_method_async (self->bus, NULL, NULL, OBJECT_PATH,
                                   INTERFACE, "Nothing", take_answer, self,
                                   ""));
}

static int
take_answer (sd_bus_message *message, void *data, sd_bus_error *e)
{
  SdBusClient *self = data;

  check (-sd_bus_message_get_errno (message));
  self->n_in_flight--;
  self->n_answered++;
  if (!self->is_last)
    call_once (self);
  return 1;
}

static void
turn (SdBusClient *self)
{
  int result = sd_bus_process (self->bus, NULL);

  check (result);
  if (result == 0)
    check (sd_bus_wait (self->bus, UINT64_MAX));
}

Run
sdbus_client_run (SdBusClient *self, unsigned depth, gint64 duration_us)
{
  gint64 start_us = g_get_monotonic_time ();
  gint64 took_us;
  Run run = { 0 };

  self->n_answered = 0;
  self->is_last = FALSE;
  for (unsigned i = 0; i < depth; i++)
    call_once (self);
  while ((took_us = g_get_monotonic_time () - start_us) < duration_us)
    turn (self);
  run.us = (double) took_us / MAX (self->n_answered, 1);

  self->is_last = TRUE;
  while (self->n_in_flight > 0)
    turn (self);
  run.n_runs = self->n_answered;
  return run;
}
