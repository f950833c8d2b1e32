# SPDX-FileCopyrightText: The Reeve authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tokens -> model. The language is that of RFC 4506 and RFC 5531."""

import re

from lexer import tokenize
from model import (
    BUILTINS,
    Arm,
    Constant,
    Declaration,
    Enum,
    Module,
    Procedure,
    Program,
    Refused,
    Shape,
    Struct,
    Typedef,
    Union,
)

DISPATCH = ("inline", "priority", "normal", "event")
# tag -> value -> flags of the procedure
FLAGS = {
    "readonly": {"yes": ["READ_ONLY"], "no": []},
    "auth": {"no": ["NO_AUTH"], "yes": []},
    "stream": {
        "in": ["STREAM_IN"],
        "out": ["STREAM_OUT"],
        "both": ["STREAM_IN", "STREAM_OUT"],
    },
    "fds": {"in": ["FDS_IN"], "out": ["FDS_OUT"], "both": ["FDS_IN", "FDS_OUT"]},
    "repeatable": {"yes": ["REPEATABLE"], "no": []},
    "pure": {"yes": ["PURE"], "no": []},
}
TAG = re.compile(r"@([a-z]+):\s*([^@]*)")
# One tag of @acl, with the condition under which it is needed: that a member of
# the arguments has one of some bits, none of them, or a value.
ACCESS = re.compile(r"[a-z_]+:[a-z_]+(?:\?([a-z]\w*)[&!=](?:0x[0-9a-f]+|[0-9]+))?")
CONDITION_TYPES = ("int", "unsigned int", "hyper", "unsigned hyper")
KEYWORDS = {
    "bool", "case", "char", "const", "default", "double", "quadruple", "enum",
    "float", "hyper", "int", "opaque", "program", "short", "string", "struct",
    "switch", "typedef", "union", "unsigned", "version", "void",
}  # fmt: skip
# Words of C that are none of the language: they cannot name anything in C.
C_KEYWORDS = {
    "asm", "auto", "break", "continue", "do", "else", "extern", "for", "goto",
    "if", "inline", "long", "register", "restrict", "return", "signed",
    "sizeof", "static", "typeof", "volatile", "while",
}  # fmt: skip
INT32 = range(-(2**31), 2**31)
UINT32 = range(2**32)
CONSTANT = range(INT32.start, UINT32.stop)


class Parser:
    def __init__(self, path: str, text: str):
        file_doc, self.tokens = tokenize(path, text)
        self.position = 0
        self.constants: dict[str, int] = {}
        self.names: dict[str, str] = {}
        self.module = Module(name="", doc=file_doc, definitions=[])

    # ---- tokens

    @property
    def token(self):
        return self.tokens[self.position]

    def next(self):
        token = self.token
        self.position += 1
        return token

    def accept(self, text: str) -> bool:
        if self.token.kind != "end" and self.token.text == text:
            self.position += 1
            return True
        return False

    def expect(self, text: str):
        if not self.accept(text):
            raise Refused(
                self.token.where, f"expected “{text}” and found “{self.token.text}”"
            )

    def identifier(self) -> str:
        token = self.next()
        if token.kind != "name" or token.text in KEYWORDS:
            raise Refused(token.where, f"expected a name and found “{token.text}”")
        if token.text in C_KEYWORDS:
            raise Refused(token.where, f"“{token.text}” is a word of C")
        return token.text

    def number(self, token) -> int:
        """A number as in C: 0x1f, 037 or 31."""
        digits = token.text.lstrip("-")
        is_octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
        try:
            return int(token.text, 8 if is_octal else 0)
        except ValueError:
            raise Refused(token.where, f"“{token.text}” is not a number") from None

    def value(self, values: range) -> int:
        """A number or a constant, if it is one of @values."""
        token = self.next()
        if token.kind == "number":
            value = self.number(token)
        elif token.kind == "name" and token.text in self.constants:
            value = self.constants[token.text]
        else:
            raise Refused(token.where, f"“{token.text}” is not a known constant")
        if value not in values:
            raise Refused(
                token.where,
                f"“{token.text}” is not from {values.start} to {values.stop - 1}",
            )
        return value

    def claim(self, where: str, *names: str):
        """Takes names that C gets for one definition."""
        for name in names:
            if name in self.names:
                raise Refused(
                    where, f"“{name}” is defined already, at {self.names[name]}"
                )
            self.names[name] = where

    # ---- types

    def type_name(self) -> str:
        token = self.next()
        text = token.text
        if text == "quadruple":
            raise Refused(token.where, "quadruple is not supported")
        if text == "unsigned":
            if self.token.text in ("int", "hyper", "char", "short"):
                return "unsigned " + self.next().text
            return "unsigned int"
        if text in BUILTINS or text in ("string", "opaque", "void"):
            return text
        if text in ("struct", "enum", "union"):
            raise Refused(token.where, f"define the {text} on its own, with a name")
        if token.kind != "name" or text in KEYWORDS:
            raise Refused(token.where, f"expected a type and found “{text}”")
        if text not in self.module.types:
            raise Refused(token.where, f"there is no type “{text}”")
        return text

    def limit(self, declaration: Declaration, close: str):
        if self.token.text == close:
            raise Refused(
                declaration.where, f"“{declaration.name}” is unbounded: give <> a limit"
            )
        declaration.limit_text = self.token.text
        declaration.limit = self.value(UINT32[1:])
        self.expect(close)

    def declaration(self) -> Declaration:
        start = self.token
        result = Declaration(start.where, self.type_name(), doc=start.doc)
        if result.type == "void":
            return result
        if self.accept("*"):
            result.shape = Shape.OPTIONAL
            result.name = self.identifier()
        else:
            result.name = self.identifier()
            if self.accept("["):
                result.shape = Shape.FIXED
                self.limit(result, "]")
            elif self.accept("<"):
                result.shape = Shape.VARIABLE
                self.limit(result, ">")
        self.check_shape(result)
        return result

    def check_shape(self, declaration: Declaration):
        kind, shape = declaration.type, declaration.shape
        if kind == "string" and shape is not Shape.VARIABLE:
            raise Refused(declaration.where, "a string is written string NAME<LIMIT>")
        if kind == "opaque" and shape not in (Shape.FIXED, Shape.VARIABLE):
            raise Refused(
                declaration.where, "opaque is written opaque NAME[N] or NAME<LIMIT>"
            )

    # ---- definitions

    def parse(self, name: str) -> Module:
        self.module.name = name
        while self.token.kind != "end":
            token = self.next()
            method = getattr(self, f"parse_{token.text}", None)
            if token.kind != "name" or method is None:
                raise Refused(
                    token.where, f"expected a definition and found “{token.text}”"
                )
            self.module.definitions.append(method(token))
            self.expect(";")
        return self.module

    def define_type(self, definition):
        name = definition.name
        self.claim(definition.where, name, f"{name}_type", f"{name}_clear")
        self.module.types[definition.name] = definition
        return definition

    def parse_const(self, token):
        name = self.identifier()
        self.expect("=")
        constant = Constant(token.where, name, self.value(CONSTANT), token.doc)
        self.claim(token.where, name)
        self.constants[name] = constant.value
        return constant

    def parse_typedef(self, token):
        declaration = self.declaration()
        return self.define_type(
            Typedef(token.where, declaration.name, declaration, token.doc)
        )

    def parse_enum(self, token):
        result = Enum(token.where, self.identifier(), [], token.doc)
        self.expect("{")
        while True:
            start = self.token
            name = self.identifier()
            self.expect("=")
            constant = Constant(start.where, name, self.value(INT32), start.doc)
            self.claim(start.where, name)
            self.constants[name] = constant.value
            result.values.append(constant)
            if not self.accept(","):
                break
        self.expect("}")
        return self.define_type(result)

    def check_members(self, members: list[Declaration]):
        seen = set()
        for member in members:
            if member.name in seen:
                raise Refused(member.where, f"there are two members “{member.name}”")
            seen.add(member.name)

    def parse_struct(self, token):
        name = self.identifier()
        result = Struct(token.where, name, [], token.doc)
        # An optional member may be of the struct itself.
        self.define_type(result)
        self.expect("{")
        while not self.accept("}"):
            member = self.declaration()
            if member.type == "void":
                raise Refused(member.where, "a member cannot be void")
            if member.type == name and member.shape is not Shape.OPTIONAL:
                raise Refused(
                    member.where,
                    f"“{name}” contains itself: only an optional member may",
                )
            result.members.append(member)
            self.expect(";")
        if not result.members:
            raise Refused(token.where, f"“{name}” has no member")
        self.check_members(result.members)
        return result

    def parse_union(self, token):
        name = self.identifier()
        self.expect("switch")
        self.expect("(")
        discriminant = self.declaration()
        kind = self.module.types.get(discriminant.type)
        if discriminant.shape is not Shape.PLAIN or not (
            discriminant.type in ("int", "unsigned int", "bool")
            or isinstance(kind, Enum)
        ):
            raise Refused(discriminant.where, "a union switches on an int or an enum")
        self.expect(")")
        self.expect("{")
        result = Union(token.where, name, discriminant, [], token.doc)
        while not self.accept("}"):
            self.union_arm(result)
        self.check_members(
            [a.declaration for a in result.arms if a.declaration.type != "void"]
        )
        return self.define_type(result)

    def union_arm(self, union: Union):
        labels = []
        where = self.token.where
        if self.accept("default"):
            self.expect(":")
            if any(not arm.labels for arm in union.arms):
                raise Refused(where, "there are two default arms")
        else:
            while self.accept("case"):
                text = self.token.text
                labels.append((text, self.value(INT32)))
                self.expect(":")
            if not labels:
                raise Refused(where, f"expected “case” and found “{self.token.text}”")
        seen = {value for arm in union.arms for _, value in arm.labels}
        for text, value in labels:
            if value in seen:
                raise Refused(where, f"there are two arms for {text}")
            seen.add(value)
        declaration = self.declaration()
        self.expect(";")
        union.arms.append(Arm(labels, declaration))

    # ---- programs

    def parse_program(self, token):
        name = self.identifier()
        self.expect("{")
        self.expect("version")
        version_name = self.identifier()
        self.expect("{")
        procedures = []
        while not self.accept("}"):
            procedures.append(self.procedure())
        self.expect("=")
        version = self.value(UINT32)
        self.expect(";")
        self.expect("}")
        self.expect("=")
        number = self.value(UINT32)
        prefix = name.lower()
        self.claim(token.where, name, f"{prefix}_program", f"{prefix}_handlers")
        self.check_procedures(prefix, procedures)
        return Program(
            token.where, name, number, version_name, version, procedures, token.doc
        )

    def procedure_type(self) -> str:
        where = self.token.where
        name = self.type_name()
        if name != "void" and not isinstance(
            self.module.types.get(name), (Struct, Union)
        ):
            raise Refused(where, f"“{name}” is neither void nor a struct")
        return name

    def procedure(self) -> Procedure:
        start = self.token
        ret = self.procedure_type()
        name = self.identifier()
        self.expect("(")
        args = self.procedure_type()
        self.expect(")")
        self.expect("=")
        number = self.value(INT32)
        self.expect(";")
        result = Procedure(start.where, name, number, args, ret)
        self.read_tags(result, start.doc)
        return result

    def read_tags(self, procedure: Procedure, doc: str):
        text = []
        seen = set()
        for line in doc.split("\n"):
            if not line.strip().startswith("@"):
                text.append(line)
                continue
            for tag, value in TAG.findall(line):
                if tag in seen:
                    raise Refused(procedure.where, f"@{tag} is given twice")
                seen.add(tag)
                self.read_tag(procedure, tag, value.strip())
        for tag in ("dispatch", "acl"):
            if tag not in seen:
                raise Refused(procedure.where, f"{procedure.name} has no @{tag}")
        if "PURE" in procedure.flags and procedure.dispatch != "inline":
            raise Refused(
                procedure.where, f"{procedure.name}: @pure is of class inline alone"
            )
        if procedure.dispatch == "event" and procedure.ret != "void":
            raise Refused(procedure.where, f"{procedure.name}: an event returns void")
        procedure.text = "\n".join(text).strip()
        procedure.summary = re.split(r"\.(?:\s|$)", procedure.text.replace("\n", " "))[0]

    def read_tag(self, procedure: Procedure, tag: str, value: str):
        where = procedure.where
        if tag == "dispatch":
            if value not in DISPATCH:
                known = ", ".join(DISPATCH)
                raise Refused(where, f"@dispatch: “{value}” is none of {known}")
            procedure.dispatch = value
        elif tag == "acl":
            self.read_access(procedure, value)
        elif tag == "since":
            procedure.since = value
        elif tag in FLAGS:
            if value not in FLAGS[tag]:
                known = ", ".join(FLAGS[tag])
                raise Refused(where, f"@{tag}: “{value}” is none of {known}")
            procedure.flags += FLAGS[tag][value]
        else:
            raise Refused(where, f"unknown tag @{tag}")

    def read_access(self, procedure: Procedure, value: str):
        procedure.access = value
        if value == "none":
            return
        types = {}
        if procedure.args != "void":
            args = self.module.types[procedure.args]
            if isinstance(args, Struct):
                types = {m.name: m.type for m in args.members if m.shape is Shape.PLAIN}
        for tag in value.split(" "):
            match = ACCESS.fullmatch(tag)
            if match is None:
                raise Refused(
                    procedure.where, f"@acl: “{value}” is not object:permission or none"
                )
            if match[1] is not None and types.get(match[1]) not in CONDITION_TYPES:
                raise Refused(
                    procedure.where, f"@acl: “{match[1]}” is no integer of the arguments"
                )

    def check_procedures(self, prefix: str, procedures: list[Procedure]):
        numbers: dict[int, Procedure] = {}
        for procedure in procedures:
            self.claim(procedure.where, f"{prefix}_{procedure.name.lower()}")
            other = numbers.setdefault(procedure.number, procedure)
            if other is not procedure:
                raise Refused(
                    procedure.where,
                    f"{procedure.name} has the number of {other.name}, {other.where}",
                )


def parse(path: str, text: str, name: str) -> Module:
    return Parser(path, text).parse(name)
