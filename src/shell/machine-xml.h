/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <json-glib/json-glib.h>

G_BEGIN_DECLS

/* What the shell reads out of a machine's XML. Errors: REEVE_ERROR_XML. */

/* (transfer full): objects with target, source, device, bus. */
JsonArray *reeve_machine_xml_disks (const char *xml, GError **error);
/* (transfer full): objects with target, type, source, model, mac. */
JsonArray *reeve_machine_xml_interfaces (const char *xml, GError **error);

G_END_DECLS
