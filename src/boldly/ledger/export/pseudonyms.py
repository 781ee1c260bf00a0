"""Names of people, as they leave: annotator-1, annotator-2, ... in the order in which they first labelled."""

from collections.abc import Mapping
from typing import Any, cast

from boldly.ledger.protocol import Correction
from boldly.types import Label

_PEOPLE = "people:"
_NAMED = ("annotator", "annotators")


class Pseudonyms:
    """Gives each person a number, by the first label that names them.

    A ledger is only ever added to, so two exports of one run give a person the same number, whatever their formats,
    as long as every label is seen in order. A name that stands alone elsewhere in the facts is replaced too; one
    within a text that somebody wrote is not.
    """

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def see(self, said: Label | Correction) -> None:
        """Give a number to each person whom a verdict names and who has none yet."""
        name = _annotator(said)
        if name is not None:
            self.person(name)
        _seek(dict(said.facts), self.person)

    def source(self, said: Label | Correction) -> str:
        """The source of a verdict, without the name of the person in it."""
        self.see(said)
        return self._of_source(said.source)

    def facts(self, label: Label) -> dict[str, Any]:
        """The facts of a label, without names of people."""
        self.see(label)
        return cast(dict[str, Any], self._within(dict(label.facts)))

    def annotator(self, label: Label) -> str | None:
        """The pseudonym of the person who gave a label, None where no person did."""
        name = _annotator(label)
        return None if name is None else self.person(name)

    def person(self, name: str) -> str:
        """The pseudonym of a person, by name."""
        return self._numbers.setdefault(name, f"annotator-{len(self._numbers) + 1}")

    def _of_source(self, source: str) -> str:
        before, people, name = source.partition(_PEOPLE)
        return f"{before}{people}{self.person(name)}" if people and name else self._numbers.get(source, source)

    def _within(self, value: Any) -> Any:
        match value:
            case str():
                return self._of_source(value)
            case Mapping():
                return {key: self._within(each) for key, each in cast(Mapping[str, Any], value).items()}
            case list():
                return [self._within(each) for each in cast(list[Any], value)]
            case _:
                return value


def _annotator(said: Label | Correction) -> str | None:
    name = said.facts.get("annotator")
    if name is not None:
        return str(name)
    _, people, name = said.source.partition(_PEOPLE)
    return name if people and name else None


def _seek(value: Any, seen: Any) -> None:
    """Call `seen` with every name in `value`."""
    if isinstance(value, Mapping):
        for key, each in cast(Mapping[str, Any], value).items():
            names = cast(list[Any], each) if isinstance(each, list) else [each]
            for name in names if key in _NAMED else ():
                if isinstance(name, str):
                    seen(name)
            _seek(each, seen)
    elif isinstance(value, list):
        for each in cast(list[Any], value):
            _seek(each, seen)
