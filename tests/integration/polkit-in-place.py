# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""polkit-in-place.py DIRECTORY: answers on the system bus as polkit does.

What it answers is in the file DIRECTORY/answer: yes, no, challenge, dismissed,
error, or later (never). What it was asked it appends to DIRECTORY/asked, a line
of JSON for each call.
"""
import json
import sys

from gi.repository import Gio, GLib

DIRECTORY = sys.argv[1]
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
    with open(f"{DIRECTORY}/asked", "a", encoding="utf-8") as file:
        file.write(json.dumps([method, *arguments]) + "\n")
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


def main():
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    interface = Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0]
    bus.register_object("/org/freedesktop/PolicyKit1/Authority", interface, call)
    Gio.bus_own_name_on_connection(bus, NAME, 0, lambda *_: print("ready", flush=True), None)
    GLib.MainLoop().run()


main()
