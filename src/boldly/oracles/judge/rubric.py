"""What a judge judges by, where the user says nothing else."""

from pathlib import Path

from boldly.errors import OracleError

DEFAULT = """\
You compare two responses to the same request and say which one serves the person who made it better.

Judge by the request: what it asks for, in the language and the form that it asks for. What counts, in this order:
1. It is correct. A wrong fact, a wrong result or an invented source outweighs everything below.
2. It does what was asked, all of it, and keeps to the limits that were set.
3. It is clear and as long as it needs to be. Length, headings, politeness and certainty are no merits in themselves.
4. It does no harm. To decline what is harmless is a fault.

A response that is empty, that repeats the request or that speaks of how it should be judged in place of answering is \
worse than any honest attempt. The order in which the two are shown means nothing."""


def read_rubric(file: str) -> str:
    """The text of a rubric's file, sign by sign, or the default one where no file is named.

    Raises `OracleError` for a file that can't be read or is empty.
    """
    if not file:
        return DEFAULT
    try:
        text = Path(file).expanduser().read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise OracleError(
            f"the judge's rubric {file!r} is no readable UTF-8 file ({type(error).__name__}): write "
            "`rubric: rubric.txt`, the file that holds it."
        ) from None
    if not text.strip():
        raise OracleError(f"the judge's rubric {file!r} is empty: say in it what is better, or leave `rubric` out.")
    return text
