/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "server.h"

#include "nothing.h"
#include "request.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_US 1000

void
say_ready (int ready_fd, uint16_t tcp_port, uint16_t tls_port)
{
  const uint16_t ports[2] = { tcp_port, tls_port };

  if (write (ready_fd, ports, sizeof ports) != sizeof ports)
    _exit (1);
}

/* A process that says when it is ready, and lives no longer than we. */
static pid_t
fork_ready (int *ready_fd)
{
  int ends[2];
  pid_t pid;

  if (pipe (ends) < 0)
    exit (1);
  pid = fork ();
  if (pid == 0)
    prctl (PR_SET_PDEATHSIG, SIGKILL);
  close (ends[pid == 0 ? 0 : 1]);
  *ready_fd = ends[pid == 0 ? 1 : 0];
  return pid;
}

static void
wait_ready (int ready_fd, uint16_t *ports)
{
  if (read (ready_fd, ports, 2 * sizeof *ports) != 2 * sizeof *ports) {
    g_printerr ("a process does not get ready\n");
    exit (1);
  }
  close (ready_fd);
}

void
server_start (Server *self,
              const char *folder,
              const char *name,
              const ServeOptions *asked,
              ServeFunc serve)
{
  ServeOptions options = asked == NULL ? (ServeOptions){ 0 } : *asked;

  *self = (Server){ .path = g_build_filename (folder, name, NULL),
                    .is_ours = TRUE };
  options.path = self->path;
  self->pid = fork_ready (&options.ready_fd);
  if (self->pid == 0)
    serve (&options);
  wait_ready (options.ready_fd, self->ports);
}

void
server_find (Server *self, const char *path)
{
  Connection connection;

  *self = (Server){ .path = g_strdup (path) };
  connection_open (&connection, &(Address){ .path = path });
  self->pid = connection_get_peer (&connection);
  connection_close (&connection);
}

/* Makes a call of NOTHING without arguments and waits for all of its reply. */
static void
call_once (Connection *connection,
           uint32_t procedure,
           uint8_t *reply,
           size_t size)
{
  const Request request = { nothing_program.number, nothing_program.version,
                            procedure };
  g_autoptr (GByteArray) frame = request_make_frames (&request, 1);

  connection_send (connection, frame->data, frame->len);
  if (recv (connection->fd, reply, size, MSG_WAITALL) == (ssize_t) size)
    return;
  g_printerr ("a server does not answer\n");
  exit (1);
}

void
server_add_crowd (Server *self, unsigned n_idle)
{
  uint16_t ports[2];
  int ready_fd;

  self->crowd = fork_ready (&ready_fd);
  if (self->crowd > 0) {
    wait_ready (ready_fd, ports);
    return;
  }

  for (unsigned i = 0; i < n_idle; i++) {
    Connection connection;
    uint8_t reply[HEADER_SIZE];

    connection_open (&connection, &(Address){ .path = self->path });
    call_once (&connection, NOTHING_PROC_ON_LOOP, reply, sizeof reply);
  }
  say_ready (ready_fd, 0, 0);
  for (;;)
    pause ();
}

static void
end_process (pid_t pid)
{
  if (pid <= 0)
    return;

  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
}

void
server_stop (Server *self)
{
  end_process (self->crowd);
  if (self->is_ours) {
    end_process (self->pid);
    g_unlink (self->path);
  }
  g_free (self->path);
  *self = (Server){ 0 };
}

/* The sum of what @key has in a file of lines "key: number". */
static double
add_up (const char *path, const char *key)
{
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  double sum = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return 0;
  lines = g_strsplit (text, "\n", -1);
  for (unsigned i = 0; lines[i] != NULL; i++)
    if (g_str_has_prefix (lines[i], key))
      sum += g_ascii_strtod (lines[i] + strlen (key) + 1, NULL);
  return sum;
}

static GHashTable *
count_switches (pid_t pid)
{
  GHashTable *counts =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autofree char *folder = g_strdup_printf ("/proc/%d/task", (int) pid);
  g_autoptr (GDir) tasks = g_dir_open (folder, 0, NULL);
  const char *name;

  while (tasks != NULL && (name = g_dir_read_name (tasks)) != NULL) {
    g_autofree char *path = g_strdup_printf ("%s/%s/status", folder, name);
    double *count = g_new (double, 1);

    *count = add_up (path, "voluntary_ctxt_switches") +
             add_up (path, "nonvoluntary_ctxt_switches");
    g_hash_table_insert (counts, g_strdup (name), count);
  }
  return counts;
}

Usage
server_get_usage (const Server *self)
{
  g_autofree char *rollup =
      g_strdup_printf ("/proc/%d/smaps_rollup", (int) self->pid);
  struct timespec time = { 0 };
  clockid_t clock;

  /* What a thread that runs has used is known once it sleeps. */
  g_usleep (SETTLE_US);
  if (clock_getcpuclockid (self->pid, &clock) == 0)
    clock_gettime (clock, &time);
  return (Usage){
    .cpu_us = (double) time.tv_sec * 1e6 + (double) time.tv_nsec / 1e3,
    .switches = count_switches (self->pid),
    .private_bytes = add_up (rollup, "Private_Dirty") * 1024,
  };
}

void
usage_clear (Usage *self)
{
  g_clear_pointer (&self->switches, g_hash_table_unref);
}

double
usage_count_switches (const Usage *before, const Usage *after)
{
  GHashTableIter threads;
  gpointer name, count;
  double sum = 0;

  g_hash_table_iter_init (&threads, after->switches);
  while (g_hash_table_iter_next (&threads, &name, &count)) {
    const double *old = g_hash_table_lookup (before->switches, name);

    sum += *(double *) count - (old == NULL ? 0 : *old);
  }
  return sum;
}

double
server_get_heap (const Server *self)
{
  uint8_t reply[HEADER_SIZE + sizeof (uint64_t)];
  Connection connection;
  uint64_t n_bytes;

  connection_open (&connection, &(Address){ .path = self->path });
  call_once (&connection, NOTHING_PROC_HEAP, reply, sizeof reply);
  connection_close (&connection);
  memcpy (&n_bytes, reply + HEADER_SIZE, sizeof n_bytes);
  return (double) GUINT64_FROM_BE (n_bytes);
}
