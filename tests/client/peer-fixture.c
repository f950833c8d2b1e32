/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "peer-fixture.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void *
run_server (void *data)
{
  PeerServer *self = data;

  self->play (self->fd);
  return NULL;
}

void
peer_server_start (PeerServer *self, PlayFunc play)
{
  int ends[2];

  g_assert_no_errno (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  self->stream = g_strdup_printf ("fd:%d", ends[0]);
  self->fd = ends[1];
  self->play = play;
  pthread_create (&self->thread, NULL, run_server, self);
}

void
peer_server_stop (PeerServer *self)
{
  pthread_join (self->thread, NULL);
  close (self->fd);
  g_free (self->stream);
}

char *
peer_server_read (int fd, const char *end)
{
  g_autoptr (GString) text = g_string_new (NULL);
  size_t size = strlen (end);
  char byte;

  while (recv (fd, &byte, 1, 0) == 1) {
    g_string_append_c (text, byte);
    if (text->len >= size && strcmp (text->str + text->len - size, end) == 0)
      return g_string_free (g_steal_pointer (&text), FALSE);
  }

  return NULL;
}

void
peer_server_write (int fd, const char *text)
{
  g_assert_cmpint (send (fd, text, strlen (text), MSG_NOSIGNAL), ==,
                   strlen (text));
}
