/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/qemu.h"
#include "shell/command.h"
#include "shell/keycodes.h"
#include "shell/machine-name.h"
#include "shell/output.h"

/* What goes to the emulator or the guest as it is. */

enum {
  MONITOR_HMP = 1 << 0,
  MAX_KEYS = 16,
  CODESET_LINUX = 0,
};

/* With a file descriptor, unless that is -1; both procedures have the same
 * arguments, and the same result. */
static gboolean
call_monitor (ReeveShell *shell,
              const qemu_domain_monitor_command_args *args,
              int fd,
              qemu_domain_monitor_command_ret *ret,
              GError **error)
{
  ReeveConnection *connection = reeve_shell_connect (shell, error);
  const ReeveProcedure *procedure = reeve_program_find (
      &qemu_program, fd < 0 ? QEMU_PROC_DOMAIN_MONITOR_COMMAND
                            : QEMU_PROC_DOMAIN_MONITOR_COMMAND_WITH_FILES);

  return connection != NULL &&
         reeve_connection_call_with_fds (connection, &qemu_program, procedure,
                                         args, &fd, fd >= 0, ret, NULL,
                                         shell->timeout_ms, NULL, error);
}

/* In JSON mode a QMP reply is given as JSON, not as a string of it. */
static void
print_reply (ReeveShell *shell, const char *text)
{
  g_autoptr (JsonNode) node =
      shell->format == REEVE_OUTPUT_TEXT ? NULL : json_from_string (text, NULL);

  if (node != NULL)
    reeve_output_json (shell, node);
  else
    reeve_output_text (shell, "result", text);
}

static gboolean
run_monitor_command (ReeveShell *shell,
                     const ReeveArguments *arguments,
                     GError **error)
{
  qemu_domain_monitor_command_args args = { 0 };
  qemu_domain_monitor_command_ret ret = { 0 };
  int64_t fd = -1;
  gboolean is_done;

  if (!reeve_arguments_get_number (arguments, "pass-fds", 0, G_MAXINT, &fd,
                                   error) ||
      !reeve_machine_name_get (shell, arguments, (remote_domain *) &args.dom,
                               error))
    return FALSE;

  args.cmd = g_strjoinv (" ", (char **) reeve_arguments_get_rest (arguments));
  if (reeve_arguments_has (arguments, "hmp"))
    args.flags |= MONITOR_HMP;
  is_done = call_monitor (shell, &args, (int) fd, &ret, error);
  if (is_done)
    print_reply (shell, ret.result);
  qemu_domain_monitor_command_ret_clear (&ret);
  qemu_domain_monitor_command_args_clear (&args);
  return is_done;
}

static gboolean
parse_keys (const char *const *words,
            remote_domain_send_key_args *args,
            GError **error)
{
  size_t n_keys = g_strv_length ((char **) words);

  if (n_keys > MAX_KEYS) {
    g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                 _ ("send-key: %1$zu keys are too many; %2$d can be pressed "
                    "at once"),
                 n_keys, MAX_KEYS);
    return FALSE;
  }

  args->keycodes.items = g_new0 (uint32_t, n_keys);
  args->keycodes.n_items = n_keys;
  for (size_t i = 0; i < n_keys; i++) {
    if (!reeve_keycode_parse (words[i], &args->keycodes.items[i])) {
      g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                   _ ("send-key: “%s” is neither a key's name (KEY_A) nor its "
                      "number"),
                   words[i]);
      return FALSE;
    }
  }

  return TRUE;
}

static gboolean
run_send_key (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  remote_domain_send_key_args args = { .codeset = CODESET_LINUX };
  int64_t holdtime = 0;
  gboolean is_done;

  is_done = reeve_arguments_get_number (arguments, "holdtime", 0, 60000,
                                        &holdtime, error) &&
            parse_keys (reeve_arguments_get_rest (arguments), &args, error) &&
            reeve_machine_name_get (shell, arguments, &args.dom, error);
  args.holdtime = (uint32_t) holdtime;
  is_done = is_done && reeve_shell_call (shell, REMOTE_PROC_DOMAIN_SEND_KEY,
                                         &args, NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Keys sent to '%s'"),
                       args.dom.name);
  remote_domain_send_key_args_clear (&args);
  return is_done;
}

static const ReeveOption monitor_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "hmp", REEVE_OPTION_FLAG,
    .help = N_ ("the command is one for people, not JSON") },
  { "pass-fds", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("a file descriptor of ours that goes with the command") },
  { "cmd", REEVE_OPTION_REST, TRUE, .help = N_ ("the command") },
};

static const ReeveOption key_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "holdtime", REEVE_OPTION_NUMBER, .is_named_only = TRUE,
    .help = N_ ("how long the keys are held, in milliseconds") },
  { "keycode", REEVE_OPTION_REST, TRUE,
    .help = N_ ("names or numbers of keys, pressed at once") },
};

static const ReeveCommand commands[] = {
  { "qemu-monitor-command", N_ ("send a command to a machine's QEMU monitor"),
    monitor_options, G_N_ELEMENTS (monitor_options), run_monitor_command },
  { "send-key", N_ ("press keys on a machine's keyboard"), key_options,
    G_N_ELEMENTS (key_options), run_send_key },
};

const ReeveCommandGroup reeve_monitor_commands = {
  N_ ("Emulator and guest"),
  commands,
  G_N_ELEMENTS (commands),
};
