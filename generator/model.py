# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a .x file says, as data."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class Refused(Exception):
    """The input is wrong; says where and why."""

    def __init__(self, where: str, why: str):
        super().__init__(f"{where}: {why}")


class Shape(enum.Enum):
    PLAIN = "plain"
    FIXED = "fixed"
    VARIABLE = "variable"
    OPTIONAL = "optional"


# Built-in types: name in the language -> (C type, descriptor, kind).
BUILTINS = {
    "char": ("int8_t", "reeve_type_char"),
    "unsigned char": ("uint8_t", "reeve_type_uchar"),
    "short": ("int16_t", "reeve_type_short"),
    "unsigned short": ("uint16_t", "reeve_type_ushort"),
    "int": ("int32_t", "reeve_type_int"),
    "unsigned int": ("uint32_t", "reeve_type_uint"),
    "hyper": ("int64_t", "reeve_type_hyper"),
    "unsigned hyper": ("uint64_t", "reeve_type_uhyper"),
    "float": ("float", "reeve_type_float"),
    "double": ("double", "reeve_type_double"),
    "bool": ("int32_t", "reeve_type_bool"),
}


@dataclass
class Declaration:
    """One member, arm or typedef. `type` is a built-in's name, "string",
    "opaque", "void", or the name of a definition."""

    where: str
    type: str
    name: str = ""
    shape: Shape = Shape.PLAIN
    limit: int = 0
    limit_text: str = ""
    doc: str = ""


@dataclass
class Constant:
    where: str
    name: str
    value: int
    doc: str = ""


@dataclass
class Enum:
    where: str
    name: str
    values: list[Constant]
    doc: str = ""


@dataclass
class Struct:
    where: str
    name: str
    members: list[Declaration]
    doc: str = ""


@dataclass
class Arm:
    """`labels` is empty for the default arm."""

    labels: list[tuple[str, int]]
    declaration: Declaration


@dataclass
class Union:
    where: str
    name: str
    discriminant: Declaration
    arms: list[Arm]
    doc: str = ""


@dataclass
class Typedef:
    where: str
    name: str
    declaration: Declaration
    doc: str = ""


@dataclass
class Procedure:
    where: str
    name: str
    number: int
    args: str
    ret: str
    summary: str = ""
    text: str = ""
    dispatch: str = ""
    access: str = ""
    since: str = ""
    flags: list[str] = field(default_factory=list)


@dataclass
class Program:
    where: str
    name: str
    number: int
    version_name: str
    version: int
    procedures: list[Procedure]
    doc: str = ""

    @property
    def prefix(self) -> str:
        return self.name.lower()


@dataclass
class Module:
    """A whole file, in its order. `include` is the name by which its header
    is included, without .h."""

    name: str
    doc: str
    definitions: list
    types: dict[str, object] = field(default_factory=dict)
    include: str = ""
    in_tree: bool = False

    def library_header(self, name: str) -> str:
        """A line that includes a header of the library."""
        return f'#include "{name}"' if self.in_tree else f"#include <reeve/{name}>"

    def of(self, kind):
        return [d for d in self.definitions if isinstance(d, kind)]

    def is_string(self, name: str) -> bool:
        """Whether a type is a string in memory, through all typedefs."""
        definition = self.types.get(name)
        while isinstance(definition, Typedef):
            declaration = definition.declaration
            if declaration.type == "string":
                return True
            if declaration.shape is not Shape.PLAIN:
                return False
            definition = self.types.get(declaration.type)
        return False
