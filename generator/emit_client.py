# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Model -> C: a function for each call of a program."""

from emit_c import BANNER, parameters
from model import Module, Program


def signature(program: Program, procedure) -> str:
    words = ["ReeveConnection *connection"] + parameters(procedure) + ["GError **error"]
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
        " * reeve_connection_call(). */",
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
            out += [
                "gboolean",
                signature(program, procedure),
                "{",
                f"  return reeve_connection_call (connection, &{program.prefix}_program,",
                f"      reeve_program_find (&{program.prefix}_program, {procedure.number}),",
                f"      {args}, {ret}, -1, NULL, error);",
                "}",
                "",
            ]
    return "\n".join(out)
