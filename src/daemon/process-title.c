/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process-title.h"

#include <errno.h>
#include <string.h>

struct _ReeveProcessTitle {
  char *place; /* of the arguments, behind each other */
  size_t size;
  char *saved; /* (owned): what was there */
};

ReeveProcessTitle *
reeve_process_title_new (int argc, char **argv)
{
  ReeveProcessTitle *self = g_new0 (ReeveProcessTitle, 1);

  self->place = argv[0];
  for (int i = 0; i < argc && argv[i] == self->place + self->size; i++)
    self->size += strlen (argv[i]) + 1;
  /* The C library looks there for the program's name. */
  program_invocation_name = g_strdup (program_invocation_name);
  program_invocation_short_name = g_strdup (program_invocation_short_name);
  self->saved = g_malloc (self->size);
  memcpy (self->saved, self->place, self->size);
  return self;
}

void
reeve_process_title_free (ReeveProcessTitle *self)
{
  if (self == NULL)
    return;

  memcpy (self->place, self->saved, self->size);
  g_free (self->saved);
  g_free (self);
}

void
reeve_process_title_set (ReeveProcessTitle *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  size_t length;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  length = strlen (text);
  if (self->size <= strlen ("..."))
    return;

  memset (self->place, '\0', self->size);
  memcpy (self->place, text, MIN (length, self->size - 1));
  if (length >= self->size)
    memcpy (self->place + self->size - 4, "...", 3);
}
