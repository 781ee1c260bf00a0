"""Forms: sentences of single-spaced words with slots, read and written by the same few functions.

name   {n}       who the problem is about
other  {m}       the second person
item   {it}      what is counted
number {a} {b}   the two numbers given
number {c}       the number asked for
"""

from collections.abc import Mapping

NAMES = ("anna", "ben", "clara", "david", "emma", "felix", "grace", "henry")
ITEMS = ("apples", "books", "cards", "coins", "pens", "shells", "stones", "stamps")
NUMBERS = tuple(str(number) for number in range(21))

SLOTS: Mapping[str, tuple[str, ...]] = {
    "{n}": NAMES,
    "{m}": NAMES,
    "{it}": ITEMS,
    "{a}": NUMBERS,
    "{b}": NUMBERS,
    "{c}": NUMBERS,
}

Fills = tuple[tuple[str, str], ...]


def fill(form: str, values: Mapping[str, str]) -> str:
    """`form` with each slot replaced by its value; `values` maps "{a}" and the like to words."""
    return " ".join(values.get(word, word) for word in form.split())


def read(form: str, text: str) -> Fills | None:
    """Each slot of `form` with the word `text` has there, or None where `text` is not of this form.

    A slot takes any word of its kind, so the two places of a repeated slot may disagree: the caller judges that.
    """
    places, words = form.split(), text.split()
    if len(places) != len(words):
        return None
    slots = []
    for place, word in zip(places, words, strict=True):
        if place not in SLOTS:
            if place != word:
                return None
        elif word in SLOTS[place]:
            slots.append((place, word))
        else:
            return None
    return tuple(slots)


def words_of(form: str) -> set[str]:
    """The words that answers of this form are made of."""
    return {word for place in form.split() for word in SLOTS.get(place, (place,))}
