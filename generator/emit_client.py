# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Model -> C: a function for each call of a program."""

from emit_c import BANNER
from model import Module, Program


def signature(program: Program, procedure) -> str:
    words = ["ReeveConnection *connection"]
    if procedure.args != "void":
        words.append(f"const {procedure.args} *args")
    if "FDS_IN" in procedure.flags:
        words += ["const int *fds", "unsigned n_fds"]
    if procedure.ret != "void":
        words.append(f"{procedure.ret} *ret")
    if "FDS_OUT" in procedure.flags:
        words.append("GArray *ret_fds")
    words.append("GError **error")
    return f"{program.prefix}_{procedure.name.lower()} ({', '.join(words)})"


def callable_ones(program: Program):
    return [p for p in program.procedures if p.dispatch != "event"]


def emit_header(module: Module) -> str:
    out = [BANNER.format(name=module.name), "#pragma once", ""]
    out += [module.library_header("client/connection.h")]
    out += [f'#include "{module.include}.h"', ""]
    out += ["G_BEGIN_DECLS", ""]
    out += [
        "/* Each calls its procedure and waits with the default deadline; see",
        " * reeve_connection_call() and reeve_connection_call_with_fds(). */",
        "",
    ]
    for program in module.of(Program):
        for procedure in callable_ones(program):
            out.append(f"gboolean {signature(program, procedure)};")
    out += ["", "G_END_DECLS", ""]
    return "\n".join(out)


def emit_source(module: Module) -> str:
    out = [BANNER.format(name=module.name)]
    out += [f'#include "{module.include}-client.h"', ""]
    for program in module.of(Program):
        for procedure in callable_ones(program):
            args = "args" if procedure.args != "void" else "NULL"
            ret = "ret" if procedure.ret != "void" else "NULL"
            call = "reeve_connection_call"
            if "FDS_IN" in procedure.flags:
                args += ", fds, n_fds"
            elif "FDS_OUT" in procedure.flags:
                args += ", NULL, 0"
            if "FDS_OUT" in procedure.flags:
                ret += ", ret_fds"
            elif "FDS_IN" in procedure.flags:
                ret += ", NULL"
            if "FDS_IN" in procedure.flags or "FDS_OUT" in procedure.flags:
                call += "_with_fds"
            out += [
                "gboolean",
                signature(program, procedure),
                "{",
                f"  return {call} (connection, &{program.prefix}_program,",
                f"      reeve_program_find (&{program.prefix}_program, {procedure.number}),",
                f"      {args}, {ret}, -1, NULL, error);",
                "}",
                "",
            ]
    return "\n".join(out)
