"""XML within bounds: elements without namespaces; a DOCTYPE, which entities need, is refused."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.parsers import expat

from matscore.models.bounds import Refusal, check_depth

MAX_ELEMENTS = 300_000
MAX_TEXT = 1 << 22  # characters between tags
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# Examples of data and what tools keep for themselves: no part of a model.
_SKIPPED = {"Extension", "ModelVerification", "ModelStats", "ModelExplanation"}


@dataclass(eq=False, slots=True)
class Element:
    """An element with its attributes; `children` are elements."""

    tag: str
    attributes: dict[str, str]
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def get(self, name: str, default: str = "") -> str:
        """Return an attribute, or a default where there is none."""
        return self.attributes.get(name, default)

    def need(self, name: str) -> str:
        """Return an attribute that must be there."""
        if name not in self.attributes:
            raise Refusal(f"{self.tag} has no {name}")
        return self.attributes[name]

    def number(self, name: str, default: float | None = None) -> float:
        """Return an attribute that is a number; without a default it must be there."""
        if default is not None and name not in self.attributes:
            return default
        return read_number(self.need(name))

    def find(self, *tags: str) -> list[Element]:
        """Return the children of these tags."""
        return [child for child in self.children if child.tag in tags]

    def only(self, tag: str) -> Element:
        """Return the one child of a tag; an empty element where there is none."""
        found = self.find(tag)
        if len(found) > 1:
            raise Refusal(f"{self.tag} has {len(found)} of {tag}")
        return found[0] if found else Element(tag, {})

    def walk(self) -> Iterator[Element]:
        """Yield it and all below it."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += element.children


def read_number(text: str) -> float:
    """Read a finite number as XML has them."""
    value = float(text) if _NUMBER.fullmatch(text.strip()) else math.nan
    if not math.isfinite(value):
        raise Refusal(f'"{text[:40]}" is no number')
    return value


def read_array(array: Element) -> list[str]:
    """Return the values of an array: words, or texts between quotes."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|(\S+)', array.text, re.DOTALL)
    return [word or quoted.replace('\\"', '"') for quoted, word in found]


def parse_xml(data: bytes) -> Element:
    """Return the root of an XML file; what is damaged, or has a DOCTYPE, is refused."""
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.add
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:  # the last two: an encoding
        raise Refusal(f"XML that cannot be read: {error}", "copy the file again") from error
    (root,) = builder.top.children  # a document without one is an ExpatError
    return root


def _refuse_doctype(*_: object) -> None:
    what = "XML with a DOCTYPE, which may expand without end"
    raise Refusal(what, "remove the line <!DOCTYPE …>")


class _Builder:
    def __init__(self) -> None:
        self.top = Element("", {})
        self.open = [self.top]
        self.skipping = self.n_elements = self.n_characters = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        tag = name.rpartition(":")[2]
        self.n_elements += 1
        if self.n_elements > MAX_ELEMENTS:
            raise Refusal(f"XML of more than {MAX_ELEMENTS:,} elements")
        if self.skipping or (tag in _SKIPPED and len(self.open) > 1):
            self.skipping += 1
            return
        element = Element(tag, attributes)
        self.open[-1].children.append(element)
        self.open.append(element)
        check_depth(len(self.open))

    def end(self, _: str) -> None:
        if self.skipping:
            self.skipping -= 1
        else:
            self.open.pop()

    def add(self, text: str) -> None:
        self.n_characters += len(text)
        if self.n_characters > MAX_TEXT:
            raise Refusal("XML with too much text")
        if not self.skipping and not text.isspace():
            self.open[-1].text += text
