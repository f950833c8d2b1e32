/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Servers at a unix socket, to run in a process of their own: each says that
 * it listens by a byte to @ready_fd and does not return. */
void serve_reeve (const char *path, int ready_fd);
void serve_echo (const char *path, int ready_fd);
