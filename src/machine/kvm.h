/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * reeve_kvm_probe:
 * @emulator: path of a QEMU binary
 *
 * Whether KVM can be trusted with a guest: the processor has the extensions
 * that a guest's kernel is run by, /dev/kvm can be opened, and a guest of a
 * few instructions really runs. (There are hosts whose /dev/kvm runs such a
 * guest in an emulator, and no real kernel: hence the first.) Waits for the
 * guest, up to some seconds.
 *
 * Returns: (transfer full) (nullable): why not; %NULL when it can
 */
char *reeve_kvm_probe (const char *emulator);

G_END_DECLS
