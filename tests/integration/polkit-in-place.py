# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""polkit-in-place.py DIRECTORY: answers on the system bus as polkit does.

What it answers is in the file DIRECTORY/answer: yes, no, challenge, dismissed,
error, or later (never). What it was asked it appends to DIRECTORY/asked, a line
of JSON for each call.
"""
from gi.repository import GLib

from in_place import DIRECTORY, note, serve

NAME = "org.freedesktop.PolicyKit1"
INTERFACE = """
<node><interface name='org.freedesktop.PolicyKit1.Authority'>
  <method name='CheckAuthorization'>
    <arg type='(sa{sv})' name='subject' direction='in'/>
    <arg type='s' name='action_id' direction='in'/>
    <arg type='a{ss}' name='details' direction='in'/>
    <arg type='u' name='flags' direction='in'/>
    <arg type='s' name='cancellation_id' direction='in'/>
    <arg type='(bba{ss})' name='result' direction='out'/>
  </method>
  <method name='CancelCheckAuthorization'>
    <arg type='s' name='cancellation_id' direction='in'/>
  </method>
</interface></node>
"""
ANSWERS = {
    "yes": (True, False, {}),
    "no": (False, False, {}),
    "challenge": (False, True, {}),
    "dismissed": (False, False, {"polkit.dismissed": "true"}),
}
later = {}


def cancelled(invocation):
    invocation.return_dbus_error(f"{NAME}.Error.Cancelled", "it was cancelled")


def call(_bus, _sender, _path, _interface, method, parameters, invocation):
    arguments = parameters.unpack()
    note([method, *arguments])
    if method == "CancelCheckAuthorization":
        if arguments[0] in later:
            cancelled(later.pop(arguments[0]))
        invocation.return_value(None)
        return
    with open(f"{DIRECTORY}/answer", encoding="utf-8") as file:
        answer = file.read()
    if answer == "later":
        later[arguments[4]] = invocation
    elif answer == "error":
        invocation.return_dbus_error(f"{NAME}.Error.Failed", "polkit is not well")
    else:
        invocation.return_value(GLib.Variant("((bba{ss}))", (ANSWERS[answer],)))


serve(NAME, [("/org/freedesktop/PolicyKit1/Authority", INTERFACE, call, None)])
