# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Model -> C: types, descriptors, handlers, stubs, program tables."""

from model import (
    BUILTINS,
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

BANNER = """\
/* Generated from {name}.x; do not edit. */
"""


def quote(text: str) -> str:
    text = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{text}"'


def c_type(name: str) -> str:
    return BUILTINS[name][0] if name in BUILTINS else name


def element_descriptor(name: str) -> str:
    return BUILTINS[name][1] if name in BUILTINS else f"{name}_type"


def declare(module: Module, declaration: Declaration, name: str) -> str:
    """A C declaration of @name, without the semicolon."""
    kind, shape, limit = declaration.type, declaration.shape, declaration.limit
    if kind == "string":
        return f"char *{name}"
    if kind == "opaque":
        return f"uint8_t {name}[{limit}]" if shape is Shape.FIXED else f"ReeveBytes {name}"
    if shape is Shape.OPTIONAL:
        return f"char *{name}" if module.is_string(kind) else f"{c_type(kind)} *{name}"
    if shape is Shape.FIXED:
        return f"{c_type(kind)} {name}[{limit}]"
    if shape is Shape.VARIABLE:
        return f"struct {{ uint32_t n_items; {c_type(kind)} *items; }} {name}"
    return f"{c_type(kind)} {name}"


# ---------------------------------------------------------------- header


def emit_enum(definition: Enum, out: list[str]):
    out.append("enum {")
    out += [f"  {v.name} = {v.value}," for v in definition.values]
    out.append("};")
    out.append(f"typedef int32_t {definition.name};")


def emit_struct(module: Module, definition: Struct, out: list[str]):
    name = definition.name
    out.append(f"typedef struct {name} {name};")
    out.append(f"struct {name} {{")
    for member in definition.members:
        out.append(f"  {declare(module, member, member.name)};")
    out.append("};")


def emit_union(module: Module, definition: Union, out: list[str]):
    name = definition.name
    out.append(f"typedef struct {name} {name};")
    out.append(f"struct {name} {{")
    out.append(f"  {declare(module, definition.discriminant, definition.discriminant.name)};")
    arms = [a.declaration for a in definition.arms if a.declaration.type != "void"]
    if arms:
        out.append("  union {")
        out += [f"    {declare(module, arm, arm.name)};" for arm in arms]
        out.append("  } u;")
    out.append("};")


def emit_type(module: Module, definition, out: list[str]):
    if isinstance(definition, Constant):
        out.append(f"#define {definition.name} {definition.value}")
        return
    if isinstance(definition, Enum):
        emit_enum(definition, out)
    elif isinstance(definition, Struct):
        emit_struct(module, definition, out)
    elif isinstance(definition, Union):
        emit_union(module, definition, out)
    elif isinstance(definition, Typedef):
        out.append(f"typedef {declare(module, definition.declaration, definition.name)};")
    name = definition.name
    out.append(f"extern const ReeveType {name}_type;")
    if isinstance(definition, (Struct, Union)):
        out.append(
            f"static inline void {name}_clear ({name} *value)"
            f" {{ reeve_type_clear (&{name}_type, value); }}"
        )


def parameters(procedure) -> list[str]:
    result = []
    if procedure.args != "void":
        result.append(f"const {procedure.args} *args")
    if procedure.ret != "void":
        result.append(f"{procedure.ret} *ret")
    return result


def emit_program_header(program: Program, out: list[str]):
    prefix = program.prefix
    out.append("enum {")
    for procedure in program.procedures:
        out.append(f"  {program.name}_PROC_{procedure.name} = {procedure.number},")
    out.append("};")
    out.append("")
    callable_ones = [p for p in program.procedures if p.dispatch != "event"]
    if callable_ones:
        out.append("typedef struct {")
        for procedure in callable_ones:
            words = ["ReeveCall *call"] + parameters(procedure) + ["GError **error"]
            out.append(f"  gboolean (*{procedure.name.lower()}) ({', '.join(words)});")
        out.append(f"}} {prefix}_handlers;")
        out.append("")
    out.append(f"extern const ReeveProgram {prefix}_program;")


def emit_header(module: Module) -> str:
    out = [BANNER.format(name=module.name), "#pragma once", ""]
    out += [module.library_header(f"rpc/{name}.h") for name in ("program", "type")]
    out += ["", "G_BEGIN_DECLS", ""]
    for definition in module.definitions:
        if not isinstance(definition, Program):
            emit_type(module, definition, out)
            out.append("")
    for program in module.of(Program):
        emit_program_header(program, out)
        out.append("")
    out += ["G_END_DECLS", ""]
    return "\n".join(out)


# ---------------------------------------------------------------- source


class Descriptors:
    """Emits descriptors; anonymous ones first, as statics."""

    def __init__(self, module: Module):
        self.module = module
        self.out: list[str] = []

    def emit(self, name: str, fields: list[str], is_static: bool):
        start = "static const" if is_static else "const"
        self.out.append(f"{start} ReeveType {name} = {{")
        self.out += [f"  {field}," for field in fields]
        self.out.append("};")
        self.out.append("")

    def shape_fields(self, declaration: Declaration, size: str) -> list[str]:
        kind, shape, limit = declaration.type, declaration.shape, declaration.limit
        fields = [f".size = {size}"]
        if shape in (Shape.FIXED, Shape.VARIABLE):
            fields.append(f".limit = {limit}")
        if kind == "string":
            return [".kind = REEVE_KIND_STRING"] + fields
        if kind == "opaque":
            suffix = "_FIXED" if shape is Shape.FIXED else ""
            return [f".kind = REEVE_KIND_OPAQUE{suffix}"] + fields
        word = {
            Shape.FIXED: "ARRAY_FIXED",
            Shape.VARIABLE: "ARRAY",
            Shape.OPTIONAL: "OPTIONAL",
        }[shape]
        fields.append(f".element = &{element_descriptor(kind)}")
        return [f".kind = REEVE_KIND_{word}"] + fields

    def member(self, owner: str, declaration: Declaration, path: str) -> str:
        """The name of the descriptor of a member."""
        if declaration.type == "void":
            return "reeve_type_void"
        if declaration.shape is Shape.PLAIN and declaration.type not in ("string", "opaque"):
            return element_descriptor(declaration.type)
        name = f"{owner}_{declaration.name}_shape"
        size = f"sizeof ((({owner} *) NULL)->{path})"
        self.emit(name, self.shape_fields(declaration, size), True)
        return name

    def members(self, owner: str, rows: list[str]):
        self.out.append(f"static const ReeveMember {owner}_members[] = {{")
        self.out += [f"  {{ {row} }}," for row in rows]
        self.out.append("};")
        self.out.append("")

    def struct(self, definition: Struct):
        owner = definition.name
        rows = []
        for member in definition.members:
            descriptor = self.member(owner, member, member.name)
            rows.append(
                f'.name = "{member.name}", .type = &{descriptor},'
                f" .offset = offsetof ({owner}, {member.name})"
            )
        self.members(owner, rows)
        self.composite(owner, "STRUCT")

    def union(self, definition: Union):
        owner = definition.name
        discriminant = definition.discriminant
        rows = [
            f'.name = "{discriminant.name}",'
            f" .type = &{self.member(owner, discriminant, discriminant.name)},"
            f" .offset = offsetof ({owner}, {discriminant.name})"
        ]
        for arm in definition.arms:
            rows += self.arm_rows(owner, arm)
        self.members(owner, rows)
        self.composite(owner, "UNION")

    def arm_rows(self, owner: str, arm) -> list[str]:
        declaration = arm.declaration
        if declaration.type == "void":
            start = ".name = NULL, .type = &reeve_type_void"
        else:
            descriptor = self.member(owner, declaration, f"u.{declaration.name}")
            start = (
                f'.name = "{declaration.name}", .type = &{descriptor},'
                f" .offset = offsetof ({owner}, u.{declaration.name})"
            )
        if not arm.labels:
            return [start + ", .is_default = TRUE"]
        return [f"{start}, .value = {value}" for _, value in arm.labels]

    def composite(self, owner: str, kind: str):
        self.emit(
            f"{owner}_type",
            [
                f".kind = REEVE_KIND_{kind}",
                f'.name = "{owner}"',
                f".size = sizeof ({owner})",
                f".members = {owner}_members",
                f".n_members = G_N_ELEMENTS ({owner}_members)",
            ],
            False,
        )

    def enum(self, definition: Enum):
        owner = definition.name
        self.out.append(f"static const ReeveEnumValue {owner}_values[] = {{")
        self.out += [f'  {{ "{v.name}", {v.value} }},' for v in definition.values]
        self.out.append("};")
        self.out.append("")
        self.emit(
            f"{owner}_type",
            [
                ".kind = REEVE_KIND_ENUM",
                f'.name = "{owner}"',
                f".size = sizeof ({owner})",
                f".values = {owner}_values",
                f".n_values = G_N_ELEMENTS ({owner}_values)",
            ],
            False,
        )

    def typedef(self, definition: Typedef):
        declaration, name = definition.declaration, definition.name
        if declaration.shape is Shape.PLAIN and declaration.type not in ("string", "opaque"):
            self.alias(name, declaration.type)
            return
        fields = self.shape_fields(declaration, f"sizeof ({name})")
        self.emit(f"{name}_type", fields[:1] + [f'.name = "{name}"'] + fields[1:], False)

    def alias(self, name: str, target: str):
        """`typedef a b`: the same descriptor under another name."""
        kind = {
            "int": "INT", "unsigned int": "UINT", "hyper": "HYPER",
            "unsigned hyper": "UHYPER", "float": "FLOAT", "double": "DOUBLE",
            "bool": "BOOL", "char": "CHAR", "unsigned char": "UCHAR",
            "short": "SHORT", "unsigned short": "USHORT",
        }.get(target)  # fmt: skip
        if kind is not None:
            self.emit(
                f"{name}_type",
                [f".kind = REEVE_KIND_{kind}", f'.name = "{name}"', f".size = sizeof ({name})"],
                False,
            )
            return
        definition = self.module.types[target]
        if isinstance(definition, Typedef):
            self.typedef(Typedef(definition.where, name, definition.declaration))
        elif isinstance(definition, Enum):
            self.emit(
                f"{name}_type",
                [
                    ".kind = REEVE_KIND_ENUM",
                    f'.name = "{name}"',
                    f".size = sizeof ({name})",
                    f".values = {target}_values",
                    f".n_values = G_N_ELEMENTS ({target}_values)",
                ],
                False,
            )
        else:
            word = "STRUCT" if isinstance(definition, Struct) else "UNION"
            self.emit(
                f"{name}_type",
                [
                    f".kind = REEVE_KIND_{word}",
                    f'.name = "{name}"',
                    f".size = sizeof ({name})",
                    f".members = {target}_members",
                    f".n_members = G_N_ELEMENTS ({target}_members)",
                ],
                False,
            )


def emit_stub(program: Program, procedure, out: list[str]):
    prefix, name = program.prefix, procedure.name.lower()
    words = ["call"]
    if procedure.args != "void":
        words.append("args")
    if procedure.ret != "void":
        words.append("ret")
    out += [
        "static gboolean",
        f"{prefix}_stub_{name} (gconstpointer handlers, ReeveCall *call,"
        " gconstpointer args, gpointer ret, GError **error)",
        "{",
        f"  const {prefix}_handlers *self = handlers;",
        "",
        f"  if (self->{name} == NULL)",
        f'    return reeve_procedure_refuse ("{name}", error);',
        f"  return self->{name} ({', '.join(words)}, error);",
        "}",
        "",
    ]


def procedure_row(program: Program, procedure) -> list[str]:
    name = procedure.name.lower()
    flags = " | ".join(f"REEVE_PROCEDURE_{flag}" for flag in procedure.flags) or "0"

    def descriptor(kind):
        return "reeve_type_void" if kind == "void" else f"{kind}_type"

    stub = "NULL" if procedure.dispatch == "event" else f"{program.prefix}_stub_{name}"
    return [
        "  {",
        f"    .number = {procedure.number},",
        f'    .name = "{name}",',
        f"    .summary = {quote(procedure.summary)},",
        f'    .access = "{procedure.access}",',
        f'    .since = "{procedure.since}",',
        f"    .dispatch = REEVE_DISPATCH_{procedure.dispatch.upper()},",
        f"    .flags = {flags},",
        f"    .args = &{descriptor(procedure.args)},",
        f"    .ret = &{descriptor(procedure.ret)},",
        f"    .stub = {stub},",
        "  },",
    ]


def emit_program(module: Module, program: Program, out: list[str]):
    prefix = program.prefix
    for procedure in program.procedures:
        if procedure.dispatch != "event":
            emit_stub(program, procedure, out)
    out.append(f"static const ReeveProcedure {prefix}_procedures[] = {{")
    for procedure in sorted(program.procedures, key=lambda p: p.number):
        out += procedure_row(program, procedure)
    out += ["};", ""]
    out.append(f"static const ReeveType *const {prefix}_types[] = {{")
    out += [f"  &{name}_type," for name in module.types]
    out += ["};", ""]
    out += [
        f"const ReeveProgram {prefix}_program = {{",
        f'  .name = "{prefix}",',
        f"  .number = {program.number:#010x},",
        f"  .version = {program.version},",
        f"  .procedures = {prefix}_procedures,",
        f"  .n_procedures = G_N_ELEMENTS ({prefix}_procedures),",
        f"  .types = {prefix}_types,",
        f"  .n_types = G_N_ELEMENTS ({prefix}_types),",
        "};",
        "",
    ]


def emit_source(module: Module) -> str:
    descriptors = Descriptors(module)
    methods = {
        Struct: descriptors.struct,
        Union: descriptors.union,
        Enum: descriptors.enum,
        Typedef: descriptors.typedef,
    }
    for definition in module.definitions:
        if type(definition) in methods:
            methods[type(definition)](definition)
    out = [BANNER.format(name=module.name), f'#include "{module.include}.h"', ""]
    out += ["#include <stddef.h>", ""]
    out += descriptors.out
    for program in module.of(Program):
        emit_program(module, program, out)
    return "\n".join(out)
