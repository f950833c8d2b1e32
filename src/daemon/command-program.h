/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/daemon.h"
#include "protocol/reeve.h"

G_BEGIN_DECLS

/* Handlers of the program `reeve`, and the commands of ovs-appctl that they
 * stand behind. */

gboolean reeve_command_program_list (ReeveCall *call,
                                     reeve_command_list_ret *ret,
                                     GError **error);
gboolean reeve_command_program_log_list (ReeveCall *call,
                                         reeve_logging_list_ret *ret,
                                         GError **error);
gboolean reeve_command_program_log_set (ReeveCall *call,
                                        const reeve_words *args,
                                        GError **error);
gboolean reeve_command_program_log_reopen (ReeveCall *call, GError **error);
gboolean reeve_command_program_log_patterns (ReeveCall *call,
                                             reeve_logging_patterns_ret *ret,
                                             GError **error);
gboolean reeve_command_program_log_limit (ReeveCall *call,
                                          const reeve_words *args,
                                          GError **error);
gboolean reeve_command_program_log_unlimit (ReeveCall *call,
                                            const reeve_words *args,
                                            GError **error);
gboolean reeve_command_program_log_close (ReeveCall *call, GError **error);
gboolean reeve_command_program_counter_list (ReeveCall *call,
                                             reeve_counters_ret *ret,
                                             GError **error);
gboolean reeve_command_program_counter (ReeveCall *call,
                                        const reeve_name *args,
                                        reeve_number_ret *ret,
                                        GError **error);
gboolean reeve_command_program_usage (ReeveCall *call,
                                      reeve_numbers_ret *ret,
                                      GError **error);
gboolean reeve_command_program_exit (ReeveCall *call, GError **error);

void reeve_command_program_register (ReeveServer *server);

G_END_DECLS
