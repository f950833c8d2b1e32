/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "shell/command.h"
#include "shell/console.h"
#include "shell/machine-name.h"
#include "shell/output.h"

/* What changes whether and how a machine runs. */

/* The flags of remote's create, destroy, shutdown and reboot. */
enum {
  START_PAUSED = 1 << 0,
  START_AUTODESTROY = 1 << 1,
  START_FORCE_BOOT = 1 << 3,
  DESTROY_GRACEFUL = 1 << 0,
};

/* Every procedure here takes the machine, and some take flags behind it. */
static gboolean
call_on_machine (ReeveShell *shell,
                 const ReeveArguments *arguments,
                 int32_t procedure,
                 const char *done,
                 GError **error)
{
  remote_domain domain = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &domain, error))
    return FALSE;

  is_done = reeve_shell_call (shell, procedure, &domain, NULL, error);
  if (is_done) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    reeve_output_done (shell, domain.name, done, domain.name);
#pragma GCC diagnostic pop
  }
  remote_domain_clear (&domain);
  return is_done;
}

static gboolean
run_start (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain_create_with_flags_args args = { 0 };
  remote_domain_create_with_flags_ret ret = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;
  if (reeve_arguments_has (arguments, "paused"))
    args.flags |= START_PAUSED;
  if (reeve_arguments_has (arguments, "autodestroy"))
    args.flags |= START_AUTODESTROY;
  if (reeve_arguments_has (arguments, "force-boot"))
    args.flags |= START_FORCE_BOOT;

  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_CREATE_WITH_FLAGS,
                              &args, &ret, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Machine '%s' started"),
                       args.dom.name);
  if (is_done && reeve_arguments_has (arguments, "console"))
    is_done = reeve_console_run (shell, &ret.dom, NULL, 0, REEVE_CONSOLE_ESCAPE,
                                 error);
  remote_domain_create_with_flags_ret_clear (&ret);
  remote_domain_create_with_flags_args_clear (&args);
  return is_done;
}

static gboolean
run_destroy (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain_destroy_flags_args args = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;
  if (reeve_arguments_has (arguments, "graceful"))
    args.flags |= DESTROY_GRACEFUL;

  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_DESTROY_FLAGS, &args,
                              NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Machine '%s' destroyed"),
                       args.dom.name);
  remote_domain_destroy_flags_args_clear (&args);
  return is_done;
}

static gboolean
parse_mode (const ReeveArguments *arguments, uint32_t *flags, GError **error)
{
  static const char *const modes[] = { "acpi", "agent", "initctl", "signal",
                                       "paravirt" };
  const char *text = reeve_arguments_get (arguments, "mode");
  g_auto (GStrv) words = NULL;

  if (text == NULL)
    return TRUE;

  words = g_strsplit (text, ",", -1);
  for (char **word = words; *word != NULL; word++) {
    size_t i = 0;

    while (i < G_N_ELEMENTS (modes) && !g_str_equal (modes[i], *word))
      i++;
    if (i == G_N_ELEMENTS (modes)) {
      g_set_error (error, REEVE_SHELL_ERROR, REEVE_SHELL_ERROR_USAGE,
                   _ ("--mode: “%s” is not one of acpi, agent, initctl, "
                      "signal and paravirt"),
                   *word);
      return FALSE;
    }
    *flags |= 1u << i;
  }

  return TRUE;
}

static gboolean
run_shutdown (ReeveShell *shell,
              const ReeveArguments *arguments,
              GError **error)
{
  remote_domain_shutdown_flags_args args = { 0 };
  gboolean is_done;

  if (!parse_mode (arguments, &args.flags, error) ||
      !reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_SHUTDOWN_FLAGS, &args,
                              NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name,
                       _ ("Machine '%s' is being shut down"), args.dom.name);
  remote_domain_shutdown_flags_args_clear (&args);
  return is_done;
}

static gboolean
run_reboot (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain_reboot_args args = { 0 };
  gboolean is_done;

  if (!parse_mode (arguments, &args.flags, error) ||
      !reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  is_done =
      reeve_shell_call (shell, REMOTE_PROC_DOMAIN_REBOOT, &args, NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name,
                       _ ("Machine '%s' is being rebooted"), args.dom.name);
  remote_domain_reboot_args_clear (&args);
  return is_done;
}

static gboolean
run_reset (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  remote_domain_reset_args args = { 0 };
  gboolean is_done;

  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  is_done =
      reeve_shell_call (shell, REMOTE_PROC_DOMAIN_RESET, &args, NULL, error);
  if (is_done)
    reeve_output_done (shell, args.dom.name, _ ("Machine '%s' was reset"),
                       args.dom.name);
  remote_domain_reset_args_clear (&args);
  return is_done;
}

static gboolean
run_suspend (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return call_on_machine (shell, arguments, REMOTE_PROC_DOMAIN_SUSPEND,
                          _ ("Machine '%s' suspended"), error);
}

static gboolean
run_resume (ReeveShell *shell, const ReeveArguments *arguments, GError **error)
{
  return call_on_machine (shell, arguments, REMOTE_PROC_DOMAIN_RESUME,
                          _ ("Machine '%s' resumed"), error);
}

static gboolean
run_autostart (ReeveShell *shell,
               const ReeveArguments *arguments,
               GError **error)
{
  remote_domain_set_autostart_args args = { 0 };
  gboolean is_done;

  args.autostart = !reeve_arguments_has (arguments, "disable");
  if (!reeve_machine_name_get (shell, arguments, &args.dom, error))
    return FALSE;

  is_done = reeve_shell_call (shell, REMOTE_PROC_DOMAIN_SET_AUTOSTART, &args,
                              NULL, error);
  if (is_done && args.autostart)
    reeve_output_done (shell, args.dom.name,
                       _ ("Machine '%s' is started with the daemon"),
                       args.dom.name);
  else if (is_done)
    reeve_output_done (shell, args.dom.name,
                       _ ("Machine '%s' is not started with the daemon"),
                       args.dom.name);
  remote_domain_set_autostart_args_clear (&args);
  return is_done;
}

static const ReeveOption start_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_INACTIVE_MACHINES),
  REEVE_OPTION_CONSOLE,
  { "paused", REEVE_OPTION_FLAG, .help = N_ ("leave it paused") },
  { "autodestroy", REEVE_OPTION_FLAG,
    .help = N_ ("destroy it when this shell disconnects") },
  { "force-boot", REEVE_OPTION_FLAG,
    .help = N_ ("boot afresh even if there is a saved state") },
};

static const ReeveOption destroy_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "graceful", REEVE_OPTION_FLAG,
    .help = N_ ("fail rather than kill it if it does not end") },
};

static const ReeveOption mode_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
  { "mode", REEVE_OPTION_STRING, .is_named_only = TRUE,
    .help = N_ ("how: acpi, agent, initctl, signal, paravirt") },
};

static const ReeveOption active_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_ACTIVE_MACHINES),
};

static const ReeveOption autostart_options[] = {
  REEVE_OPTION_MACHINE (REEVE_COMPLETE_MACHINES),
  { "disable", REEVE_OPTION_FLAG, .help = N_ ("do not start it any more") },
};

static const ReeveCommand commands[] = {
  { "start", N_ ("start a machine that is defined"), start_options,
    G_N_ELEMENTS (start_options), run_start },
  { "shutdown", N_ ("ask a machine to shut down"), mode_options,
    G_N_ELEMENTS (mode_options), run_shutdown },
  { "reboot", N_ ("ask a machine to reboot"), mode_options,
    G_N_ELEMENTS (mode_options), run_reboot },
  { "reset", N_ ("reset a machine, as by its button"), active_options,
    G_N_ELEMENTS (active_options), run_reset },
  { "destroy", N_ ("stop a machine at once"), destroy_options,
    G_N_ELEMENTS (destroy_options), run_destroy },
  { "suspend", N_ ("pause a machine"), active_options,
    G_N_ELEMENTS (active_options), run_suspend },
  { "resume", N_ ("let a paused machine run on"), active_options,
    G_N_ELEMENTS (active_options), run_resume },
  { "autostart", N_ ("start a machine with the daemon, or not"),
    autostart_options, G_N_ELEMENTS (autostart_options), run_autostart },
};

const ReeveCommandGroup reeve_life_commands = {
  N_ ("Life of a machine"),
  commands,
  G_N_ELEMENTS (commands),
};
