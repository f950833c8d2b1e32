/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shell/console.h"

#include "client/connection-stream.h"
#include "event/intl.h"
#include "shell/attach.h"
#include "shell/command.h"
#include "shell/machine-name.h"
#include "shell/screenshot.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What a person sees of a machine: its consoles and its screens. */

/* The standard output has what the guest printed, and nothing else. */
static void
say (ReeveShell *shell, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
say (ReeveShell *shell, const char *format, ...)
{
  va_list arguments;

  if (shell->is_quiet || shell->format != REEVE_OUTPUT_TEXT ||
      !isatty (STDIN_FILENO))
    return;

  va_start (arguments, format);
  vfprintf (stderr, format, arguments);
  va_end (arguments);
  fputc ('\n', stderr);
}

static ReeveConnectionStream *
open_console (ReeveShell *shell,
              const remote_domain *domain,
              const char *device,
              uint32_t flags,
              GError **error)
{
  const remote_domain_open_console_args args = {
    .dom = *domain,
    .dev_name = (char *) device,
    .flags = flags,
  };
  ReeveConnection *connection = reeve_shell_connect (shell, error);

  return connection == NULL
             ? NULL
             : reeve_connection_open_stream (
                   connection, &remote_program,
                   reeve_program_find (&remote_program,
                                       REMOTE_PROC_DOMAIN_OPEN_CONSOLE),
                   &args, NULL, shell->timeout_ms, NULL, error);
}

static void
say_end (ReeveShell *shell, const char *name, ReeveAttachEnd end, size_t n_lost)
{
  say (shell, "%s", ""); /* the guest's line may be open */
  if (end == REEVE_ATTACH_ENDED)
    say (shell, _ ("The console of '%s' has ended"), name);
  if (end == REEVE_ATTACH_DETACHED)
    say (shell, _ ("Detached from '%s'"), name);
  if (end == REEVE_ATTACH_DETACHED && n_lost > 0)
    say (shell,
         _ ("%zu bytes that were typed are lost: the machine did not take "
            "them"),
         n_lost);
}

gboolean
reeve_console_run (ReeveShell *shell,
                   const remote_domain *domain,
                   const char *device,
                   uint32_t flags,
                   char escape,
                   GError **error)
{
  g_autoptr (ReeveConnectionStream) stream =
      open_console (shell, domain, device, flags, error);
  ReeveAttachEnd end;
  size_t n_lost;

  if (stream == NULL)
    return FALSE;

  fflush (stdout);
  if (escape < ' ')
    say (shell, _ ("Connected to '%1$s'; Ctrl+%2$c detaches"), domain->name,
         escape ^ 0x40);
  else
    say (shell, _ ("Connected to '%1$s'; the key %2$c detaches"), domain->name,
         escape);
  end = reeve_attach (shell, stream, escape, &n_lost, error);
  say_end (shell, domain->name, end, n_lost);
  return end != REEVE_ATTACH_FAILED;
}

/* As virsh has it: one character, or ^ and what is pressed with Ctrl. */
static gboolean
parse_escape (const char *text, char *escape, GError **error)
{
  size_t length = text == NULL ? 0 : strlen (text);

  if (text == NULL)
    return TRUE;
  if (length == 1 && text[0] > ' ' && text[0] < 0x7f && text[0] != '^') {
    *escape = text[0];
    return TRUE;
  }
  if (length == 2 && text[0] == '^' &&
      (g_ascii_isalpha (text[1]) || strchr ("@[\\]^_", text[1]) != NULL)) {
    *escape = (char) (g_ascii_toupper (text[1]) ^ 0x40);
    return TRUE;
  }

  g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
               _ ("--escape: “%s” is neither a character nor, with ^ before "
                  "it, a letter or one of @[\\]^_"),
               text);
  return FALSE;
}

static gboolean
run_console (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain domain = { 0 };
  char escape = REEVE_CONSOLE_ESCAPE;
  uint32_t flags = 0;
  gboolean is_done;

  if (!parse_escape (reeve_arguments_get (arguments, "escape"), &escape,
                     error) ||
      !reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;
  if (reeve_arguments_has (arguments, "force"))
    flags |= REEVE_CONSOLE_FORCE;
  if (reeve_arguments_has (arguments, "safe"))
    flags |= REEVE_CONSOLE_SAFE;

  is_done = reeve_console_run (shell, &domain,
                               reeve_arguments_get (arguments, "devname"),
                               flags, escape, error);
  remote_domain_clear (&domain);
  return is_done;
}

static const ReeveOption console_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "devname", REEVE_OPTION_STRING,
    .help = N_ ("the console's alias, if not the first one") },
  { "force", REEVE_OPTION_FLAG, .help = N_ ("detach all others") },
  { "safe", REEVE_OPTION_FLAG,
    .help = N_ ("only where viewers do not harm each other") },
  { "escape", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .help = N_ ("the key that detaches (^])") },
};

static const ReeveOption screenshot_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "file", REEVE_OPTION_STRING, .completion = REEVE_COMPLETE_FILES,
    .help = N_ ("where to put it (MACHINE-TIME.png); - for the standard "
                "output") },
  { "screen", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("which screen (0)") },
};

static const ReeveCommand commands[] = {
  { "console", N_ ("use a machine's console"), console_options,
    G_N_ELEMENTS (console_options), run_console },
  { "screenshot", N_ ("take a picture of a machine's screen"),
    screenshot_options, G_N_ELEMENTS (screenshot_options),
    reeve_screenshot_run },
};

const ReeveCommandGroup reeve_console_commands = {
  N_ ("Console and screen"),
  commands,
  G_N_ELEMENTS (commands),
};
