/* SPDX-FileCopyrightText: The Reeve authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event/intl.h"
#include "protocol/reeve.h"
#include "shell/admin.h"
#include "shell/output.h"

/* The certificate of a server, which the program `reeve` has beside `admin`. */

#define DAY_S (24 * 60 * 60)

static JsonObject *
describe (ReeveShell *shell, const reeve_tls_info_ret *ret)
{
  JsonObject *object = json_object_new ();
  const reeve_tls_certificate_row *certificate = ret->certificate;

  if (certificate != NULL) {
    gint64 left = certificate->expiry - g_get_real_time () / G_USEC_PER_SEC;

    json_object_set_string_member (object, "certificate", certificate->name);
    reeve_admin_set_time (shell, object, "expires", certificate->expiry);
    json_object_set_int_member (object, "expiry_timestamp_seconds",
                                certificate->expiry);
    json_object_set_int_member (object, "days_left",
                                left < 0 ? 0 : left / DAY_S);
  } else if (shell->format == REEVE_OUTPUT_TEXT) {
    json_object_set_string_member (object, "certificate",
                                   _ ("none that can be used"));
  }
  reeve_json_set_uint (object, "handshakes", ret->handshakes);
  reeve_json_set_uint (object, "handshakes_failed", ret->handshakes_failed);
  reeve_json_set_uint (object, "handshakes_refused", ret->handshakes_refused);
  return object;
}

gboolean
reeve_admin_run_tls_info (ReeveShell *shell,
                          const ReeveArguments *arguments,
                          GError **error)
{
  static const ReeveField fields[] = {
    { "certificate", N_ ("Certificate") },
    { "expires", N_ ("Expires") },
    { "days_left", N_ ("Days left") },
    { "handshakes", N_ ("Handshakes") },
    { "handshakes_failed", N_ ("Of others, failed") },
    { "handshakes_refused", N_ ("Of others, refused") },
  };
  const reeve_tls_info_args args = {
    .name = (char *) reeve_arguments_get (arguments, "server"),
  };
  reeve_tls_info_ret ret = { 0 };
  gboolean is_done = reeve_shell_call_admin_socket (
      shell, &reeve_program, REEVE_PROC_TLS_INFO, &args, &ret, error);

  if (is_done)
    reeve_output_object (shell, fields, G_N_ELEMENTS (fields),
                         describe (shell, &ret));
  reeve_tls_info_ret_clear (&ret);
  return is_done;
}
