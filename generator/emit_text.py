# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Model -> text: the reference page, and the snapshot of what is on the wire."""

from model import (
    Constant,
    Declaration,
    Enum,
    Module,
    Program,
    Shape,
    Struct,
    Typedef,
    Union,
)


def shape_text(declaration: Declaration) -> str:
    kind, limit = declaration.type, declaration.limit
    return {
        Shape.PLAIN: kind,
        Shape.OPTIONAL: f"{kind}?",
        Shape.FIXED: f"{kind}[{limit}]",
        Shape.VARIABLE: f"{kind}<{limit}>",
    }[declaration.shape]


def member_text(declaration: Declaration) -> str:
    if declaration.type == "void":
        return "void"
    return f"{declaration.name}: {shape_text(declaration)}"


def body_text(definition) -> str:
    if isinstance(definition, Struct):
        return "{ " + ", ".join(member_text(m) for m in definition.members) + " }"
    if isinstance(definition, Enum):
        return "enum { " + ", ".join(f"{v.name} = {v.value}" for v in definition.values) + " }"
    if isinstance(definition, Union):
        arms = []
        for arm in definition.arms:
            labels = "|".join(str(v) for _, v in arm.labels) or "default"
            arms.append(f"{labels} → {member_text(arm.declaration)}")
        return f"switch {member_text(definition.discriminant)} {{ {', '.join(arms)} }}"
    return shape_text(definition.declaration)


def emit_snapshot(module: Module) -> str:
    """One line for whatever must never change, in the order of numbers."""
    out = []
    for definition in module.definitions:
        if isinstance(definition, (Struct, Enum, Union, Typedef)):
            out.append(f"type {definition.name} = {body_text(definition)}")
    for program in module.of(Program):
        out.append(f"program {program.prefix} = {program.number:#x} version {program.version}")
        for procedure in sorted(program.procedures, key=lambda p: p.number):
            arrow = "event" if procedure.dispatch == "event" else "call"
            out.append(
                f"{arrow} {program.prefix} {procedure.number} {procedure.name.lower()}"
                f" ({procedure.args}) -> {procedure.ret}"
            )
    return "\n".join(out) + "\n"


def emit_procedure(module: Module, procedure, out: list[str]):
    out.append(f"### {procedure.number} {procedure.name.lower()}")
    out.append("")
    if procedure.text:
        out += [procedure.text, ""]
    for title, kind in (("Arguments", procedure.args), ("Result", procedure.ret)):
        if kind != "void":
            out.append(f"- {title}: `{body_text(module.types[kind])}`")
    words = [procedure.dispatch, f"access {procedure.access}"]
    words += [flag.lower().replace("_", " ") for flag in procedure.flags]
    out.append(f"- Dispatch: {'; '.join(words)}")
    if procedure.since:
        out.append(f"- Since: {procedure.since}")
    out.append("")


def emit_definition(definition, out: list[str]):
    if isinstance(definition, Constant):
        line = f"- `{definition.name}` = {definition.value}"
    else:
        line = f"- `{definition.name}` = `{body_text(definition)}`"
    out.append(line)
    if definition.doc:
        out.append("  " + definition.doc.replace("\n", "\n  "))


def emit_reference(module: Module) -> str:
    out = []
    about = [module.doc, ""] if module.doc else []
    for program in module.of(Program):
        out += [f"# Program `{program.prefix}`", ""]
        out += [program.doc, "", *about] if program.doc else about
        out += [f"Number {program.number:#010x}, version {program.version}.", ""]
        out += ["## Procedures", ""]
        for procedure in sorted(program.procedures, key=lambda p: p.number):
            emit_procedure(module, procedure, out)
    if not out:
        out += [f"# Types of `{module.name}`", "", *about]
    elif module.types:
        out += ["## Types", ""]
    for definition in module.definitions:
        if not isinstance(definition, Program):
            emit_definition(definition, out)
    return "\n".join(out).rstrip() + "\n"
