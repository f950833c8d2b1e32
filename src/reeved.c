/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/daemon.h"
#include "event/intl.h"
#include "machine/module.h"
#include "tree/module.h"

/* `reeved`: the machine daemon, put together from its modules. */

int
main (int argc, char **argv)
{
  static const ReeveDaemonModule *const modules[] = {
    &reeve_machine_module,
    &reeve_tree_module,
  };
  const ReeveDaemonInfo info = {
    .name = "reeved",
    .directory = "reeve",
    .summary = N_ ("Runs QEMU machines and serves libvirt's clients."),
    .version = REEVE_VERSION,
    .modules = modules,
    .n_modules = G_N_ELEMENTS (modules),
  };

  return reeve_daemon_main (&info, argc, argv);
}
