"""An oracle that is an executable: it is fed JSON lines and answers with JSON lines."""

import os
import shlex
import shutil
import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, cast

from boldly.errors import OracleError
from boldly.oracles.one_thread import OneThread
from boldly.oracles.program.child import Child
from boldly.oracles.program.exchange import Said, converse
from boldly.oracles.protocol import Answer, Reward
from boldly.oracles.verdicts import compared, number_of, raised, read_verdict
from boldly.types import Failure, Prompt, Query, Response, Verdict, content_id

Answers = Literal["preferences", "scores"]


class Command:
    """Asks an executable, as lines of JSON on its standard input and output (UTF-8, one object a line, in any order).

    `answers` says what it is asked and what it answers:

        preferences    {"id", "prompt", "a", "b", "facts"}         ->  {"id", "verdict"}
        scores         {"id", "prompt", "response", "facts"}       ->  {"id", "score"}

    `prompt` is a text, or the messages of a chat; `facts` are the further columns of the prompts file. What "verdict"
    may be is in `boldly.oracles.verdicts.read_verdict` (null abstains); of two scores the higher wins, equal ones tie,
    and with scores there is a `reward`, for held-out prompts. Further keys of an answer are not read.

    A process gets its lines, then the end of its input, and then has to end: so one that answers line by line serves
    and one that reads to the end, too. With `lasting` the input stays open and the same processes serve until this
    object goes: for a command that answers line by line and is slow to start.

    `timeout` is the most seconds a process may be silent while it owes an answer, and with that the most that one query
    may take. One that is silent longer, ends too soon or writes anything but answers, such as a line that is no JSON,
    an id that was not asked or was answered before, or 1 MB without an answer, is killed with its whole process group.
    What it still owed is asked again, each query in a process of its own; one that fails there is a failure, with the
    end of the error output as its reason. `workers` processes run at once, also where several threads ask: these
    take turns. `price` is what one query costs.

    No shell reads the command. It runs in the current directory, with this process's environment but for the variables
    that look like keys (see `boldly.oracles.program.child.environment`).

    Raises `OracleError` for a command that can't be found or run.
    """

    def __init__(
        self,
        command: str | Sequence[str],
        *,
        answers: Answers = "preferences",
        lasting: bool = False,
        timeout: float | None = 60.0,
        workers: int = 1,
        price: float = 0.0,
    ) -> None:
        self._argv = _split(command)
        if (timeout is not None and timeout <= 0) or workers < 1:
            raise OracleError(
                f"timeout {timeout!r} and workers {workers!r} must be above 0; write `timeout: 60`, `workers: 1`."
            )
        self._answers: Answers = answers
        self._timeout, self._workers, self._price = timeout, workers, price
        self._one_thread = OneThread()
        self._spare: list[Child] | None = [] if lasting else None
        if self._spare is not None:
            weakref.finalize(self, _end, self._spare)
        order = {"order": "ab"} if answers == "preferences" else {}
        self._facts = {**order, "config": content_id(self._argv, answers)}

    @property
    def name(self) -> str:
        return f"program:{shlex.join(self._argv)}"

    def sends(self) -> str:
        """What the command is handed."""
        return f"prompts, their facts and responses go to the command `{shlex.join(self._argv)}`"

    def bound(self, query: Query) -> float:
        return self._price

    @property
    def reward(self) -> Reward | None:
        """The score, where the command gives one. Raises `RuntimeError` where it fails."""
        return self._reward if self._answers == "scores" else None

    def __call__(self, queries: Sequence[Query]) -> Iterator[Answer]:
        verdicts = self._preferences(queries) if self._answers == "preferences" else self._compared(queries)
        for query, verdict in verdicts:
            yield Answer(query, verdict, facts=self._facts)

    def _reward(self, prompt: Prompt, response: Response) -> float:
        ((_, said),) = list(self._ask({"0": _scored(prompt, response)}))
        if isinstance(said, Failure):
            raise RuntimeError(said.reason)
        return number_of(_entry(said, "score"))

    def _preferences(self, queries: Sequence[Query]) -> Iterator[tuple[Query, Verdict]]:
        by_id = {query.id: query for query in queries}
        for name, said in self._ask({name: _question(query) for name, query in by_id.items()}):
            yield by_id[name], said if isinstance(said, Failure) else _verdict(said)

    def _compared(self, queries: Sequence[Query]) -> Iterator[tuple[Query, Verdict]]:
        """A response that stands in several queries, or twice in one, is scored once."""
        questions: dict[str, Mapping[str, Any]] = {}
        sides: dict[str, tuple[str, str]] = {}
        asking: dict[str, dict[str, Query]] = {}
        for query in queries:
            a, b = (content_id(query.prompt.id, response.text) for response in (query.a, query.b))
            sides[query.id] = a, b
            for name, response in ((a, query.a), (b, query.b)):
                questions[name] = _scored(query.prompt, response)
                asking.setdefault(name, {})[query.id] = query
        known: dict[str, Said] = {}
        for name, said in self._ask(questions):
            known[name] = said
            for query in asking[name].values():
                a, b = sides[query.id]
                if a in known and b in known:
                    yield query, _better(known[a], known[b])

    def _ask(self, questions: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Said]]:
        with self._one_thread.turn():
            yield from converse(self._argv, questions, timeout=self._timeout, workers=self._workers, spare=self._spare)


def _split(command: str | Sequence[str]) -> list[str]:
    try:
        argv = shlex.split(command) if isinstance(command, str) else list(command)
    except ValueError as error:
        raise OracleError(f"`{command}` can't be split into words: {error}; close its quotes.") from None
    if not argv:
        raise OracleError("an empty command can't be run; write `command: python grader.py`.")
    if shutil.which(argv[0]) is None:
        if os.path.isfile(argv[0]):
            raise OracleError(
                f"`{argv[0]}` is no program that can be run: give it leave by `chmod +x {shlex.quote(argv[0])}`, or "
                f"name what runs it: `command: python {shlex.join(argv)}`."
            )
        raise OracleError(
            f"no program `{argv[0]}` is found in PATH or from {os.getcwd()}; write its path: `command: ./{argv[0]}`. "
            "No shell reads the command, so `~`, `$X` and `|` mean nothing in it."
        )
    return argv


def _end(spare: list[Child]) -> None:
    while spare:
        spare.pop().kill()


def _prompt(prompt: Prompt) -> str | list[dict[str, str]]:
    return prompt.content if isinstance(prompt.content, str) else prompt.messages


def _question(query: Query) -> dict[str, Any]:
    facts = dict(query.prompt.facts)
    return {"prompt": _prompt(query.prompt), "a": query.a.text, "b": query.b.text, "facts": facts}


def _scored(prompt: Prompt, response: Response) -> dict[str, Any]:
    return {"prompt": _prompt(prompt), "response": response.text, "facts": dict(prompt.facts)}


def _entry(said: Mapping[str, Any], key: str) -> Any:
    if key not in said:
        raise LookupError(f'the answer has no "{key}"; it has {", ".join(map(repr, said))}')
    return cast(object, said[key])


def _verdict(said: Mapping[str, Any]) -> Verdict:
    try:
        return read_verdict(_entry(said, "verdict"))
    except (LookupError, ArithmeticError) as error:
        return raised(error)


def _better(a: Said, b: Said) -> Verdict:
    for said in (a, b):
        if isinstance(said, Failure):
            return said
    assert not isinstance(a, Failure)
    assert not isinstance(b, Failure)
    try:
        return compared(_entry(a, "score"), _entry(b, "score"))
    except (LookupError, ArithmeticError) as error:
        return raised(error)
