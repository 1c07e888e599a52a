"""Reading CSV files that PHP's fputcsv may have written, such as Moodle's.

fputcsv doubles a quotation mark in a field, except after a backslash. If a quotation mark follows a
backslash, the end of the field is therefore ambiguous. The reader tries every reading in which each
row has as many columns as the header; exactly one of them must lead to the end of the file.
"""

import csv
import re
from collections.abc import Iterator
from typing import NamedTuple

# How many characters may be searched per character of the file before the file is rejected.
MAX_PASSES = 50
_LINE_END = re.compile(r"\r\n|\r|\n")
_NOT_EMPTY = re.compile(r"[^\r\n]+")


class _Start(NamedTuple):
    """The position at which a field begins, and the index of its column."""

    position: int
    column: int


class _Field(NamedTuple):
    """A field's text, and the start of the next field."""

    text: str
    next: _Start


def read_rows(text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows of CSV text, each with the number of the line on which it ends.

    Raises csv.Error if a row cannot be read, or can be read in several ways.
    """
    first_line = _NOT_EMPTY.search(text)
    header = next(csv.reader([first_line[0] if first_line else ""], delimiter=separator))
    fields_at = _Reader(text, separator, len(header)).read_all()
    start, row, line = _Start(0, 0), list[str](), 1
    while start.position < len(text):
        fields = fields_at.get(start, [])
        if len(fields) != 1:
            problem = "can be read in several ways" if fields else "is malformed"
            raise csv.Error(f"line {line} {problem}")
        row.append(fields[0].text)
        line += len(_LINE_END.findall(text, start.position, fields[0].next.position))
        start = fields[0].next
        if start.column == 0:
            yield line - (text[start.position - 1] in "\r\n"), row
            row = []


class _Reader:
    def __init__(self, text: str, separator: str, columns: int) -> None:
        self.text, self.separator, self.columns = text, separator, columns
        self._left = MAX_PASSES * max(len(text), 10_000)
        # fputcsv encloses every field that contains a quotation mark in quotation marks.
        self._unquoted = re.compile(rf'[^"{re.escape(separator)}\r\n]*+')

    def read_all(self) -> dict[_Start, list[_Field]]:
        """Return the fields that may begin at each position and lead to the end of the text.

        If the text cannot be read to its end, the fields lead to the last position that is reached.
        """
        fields_at: dict[_Start, list[_Field]] = {}
        pending = {_Start(0, 0)}
        while pending:
            start = pending.pop()
            fields_at[start] = list(dict.fromkeys(self._fields(start)))
            pending |= {each.next for each in fields_at[start]} - fields_at.keys()
        ends = {_Start(len(self.text), 0)}
        if ends.isdisjoint(fields_at):
            ends = {max(fields_at)}
        for start in sorted(fields_at, reverse=True):
            fields_at[start] = [each for each in fields_at[start] if each.next in ends]
            if fields_at[start]:
                ends.add(start)
        return fields_at

    def _fields(self, start: _Start) -> Iterator[_Field]:
        """Yield the fields that may begin at a position."""
        text, position = self.text, start.position
        if position == len(text):
            return
        if start.column == 0 and (empty := _LINE_END.match(text, position)):
            yield _Field("", _Start(empty.end(), 0))
        found = (
            self._quoted(position + 1) if text.startswith('"', position) else self._plain(position)
        )
        for field, end in found:
            if start.column < self.columns - 1:
                if text.startswith(self.separator, end):
                    yield _Field(field, _Start(end + 1, start.column + 1))
            elif line_end := _LINE_END.match(text, end):
                yield _Field(field, _Start(line_end.end(), 0))
            elif end == len(text):
                yield _Field(field, _Start(end, 0))

    def _plain(self, position: int) -> Iterator[tuple[str, int]]:
        match = self._unquoted.match(self.text, position)
        assert match
        yield match[0], match.end()

    def _quoted(self, start: int) -> Iterator[tuple[str, int]]:
        """Yield the fields in quotation marks that begin at a position, with their ends."""
        text, pending = self.text, [(start, "")]
        while pending:
            begin, before = pending.pop()
            position = begin
            while (quote := text.find('"', position)) >= 0:
                position = quote + 1
                self._left -= position - begin
                if self._left < 0:
                    raise csv.Error("too many quotation marks follow a backslash")
                is_doubled = text.startswith('"', position)
                if quote > start and text[quote - 1] == "\\":  # possibly written by PHP
                    if is_doubled:  # or by another program
                        pending.append((position + 1, before + text[begin:position]))
                    elif self._ends_at(position):
                        yield before + text[begin:quote], position
                elif is_doubled:
                    before, begin = before + text[begin:position], position + 1
                    position = begin
                else:
                    yield before + text[begin:quote], position
                    break

    def _ends_at(self, position: int) -> bool:
        """Return whether a field may end at a position."""
        return position == len(self.text) or self.text[position] in (self.separator, "\r", "\n")
