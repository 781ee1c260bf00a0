"""`boldly`: its commands, and what becomes of their errors."""

import io
import os
import signal
import sys
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from keyword import iskeyword
from types import FrameType

from cyclopts import App, CycloptsError

from boldly.errors import BoldlyError

app = App(
    name="boldly",
    help="Align a language model to preferences with the fewest labels.",
    help_format="plaintext",
    result_action="return_value",
    exit_on_error=False,
    print_error=False,
    suppress_keyboard_interrupt=False,
)

_COMMANDS = {
    "run": (
        "Run the loop to the end of its label budget: sample, choose, label, learn, keep.\n\n"
        "Without any argument it is the bundled model on the bundled task. Any key of a configuration is a flag, the "
        "options of a method too: --learner.steps 4. Defaults give way to the recipe, that to the file, that to the "
        "environment (BOLDLY_BUDGET, BOLDLY_LEARNER__STEPS), that to flags. The same command again continues a run "
        "that was stopped.\n\n"
        "It ends with 0 when done, 2 for what can't work (nothing was bought), 3 where people have to answer first, 4 "
        "where the money did not reach for every label (what it bought is learned from), 5 where its directory can't "
        "be kept, 6 where the oracle answers nothing, and 130 or 143 when Ctrl-C or SIGTERM stopped it."
    ),
    "lab": (
        "Run an experiment of the exact lab: small problems whose optimum is known, and what methods make of them.\n\n"
        "Without a name it lists the experiments and their settings; `all` runs every one, two at a time. Each writes "
        "NAME.json and NAME.html.\n\n"
        "It ends with 0 when done, whether or not the claims hold; 1 where an experiment of `all` failed, 2 for what "
        "can't work (nothing was run), 5 where a page can't be written, 130 or 143 when Ctrl-C or SIGTERM stopped it."
    ),
    "label": (
        "Serve a page on which people label a run, and train the run beside it.\n\n"
        "Without a run of that name it makes one: the bundled model on the bundled task, labelled by people, 60 pairs "
        "in rounds of five. Any key of a configuration is a flag after RUN, as of `boldly run`: --budget 120.\n\n"
        "It prints a personal link for everybody who may label: yours, which shows the dashboard too, and one for each "
        "name that was ever shared and not revoked. Links stay the same when the page is served again. Without a link "
        "nothing is shown, on whatever host. For a run whose page is being served, --share and --revoke do that alone."
        "\n\n"
        "Ctrl-C stops the page and the training; every answer that was acknowledged is kept, and the same command goes "
        "on. Where another process trains the run, it only serves the page until that one ends. What the training says "
        "is in train.log in the run's directory.\n\n"
        "It ends with 130 or 143 when Ctrl-C or SIGTERM stopped it, as a page has no end of its own: that is no "
        "failure. It ends with 0 where it only printed links, 2 for what can't work, 5 where the ledger can't be "
        "written, and what the training ended with where that failed before the page was served."
    ),
    "compare": (
        "Compare two finished models: both answer the same prompts, and people say blindly which answer is better.\n\n"
        "Answers are drawn once, one model after the other, and kept. Then the page of `boldly label` shows the pairs, "
        "and nothing on it tells which model wrote what. Prompts that both answered with the same text are ties that "
        "nobody is asked about. When every pair is judged, or at Ctrl-C, it prints how often A's answer is better: "
        "with an interval, with one that also holds for who looks often, and for answers of equal length. The same "
        "command goes on, and `boldly compare DIR` shows what was found so far. `--oracle.name judge`, or any other "
        "oracle with its options, judges in place of people.\n\n"
        "It ends with 0 when every pair is judged or only figures were asked for, 2 for what can't work, 3 where pairs "
        "wait and no page was asked for, 4 where the money is spent, 5 where the directory can't be written, 6 where "
        "the oracle answers nothing, and 130 or 143 when Ctrl-C or SIGTERM stopped it."
    ),
    "status": "Show where a run stands: labels, budget, and how its newest iterate does.",
    "tell": (
        "Tell a run what people say: which response is better, of queries that wait in its ledger.\n\n"
        "Rows of verdicts come from a file or stdin, JSON lines or CSV with a header; or one comes by flags. `a` and "
        "`b` are the responses by their names, whichever side they were shown on; `left` and `right` need the order. "
        "Each verdict is durable before the next is read, and telling a file again changes nothing. It works while the "
        "run waits in another process, and when none does.\n\n"
        "It ends with 0 when every verdict is stored, 2 where rows can't be used (the others are stored), 4 where the "
        "budget would be overshot, 5 where the ledger can't be written."
    ),
    "report": "Write one page that shows what each label bought; several runs are compared.",
    "verify": (
        "Check a run's ledger: every rule of it computed again from its rows, and what was spent, to the last cent.\n\n"
        "It names the labels bought, reused, self-made and used, attempts that failed or ended unknown, the money, and "
        "the rows that break a rule. A run may be going on.\n\n"
        "It ends with 0 when every rule holds, 2 where there is no run, 5 where a rule is broken or it can't be "
        "read."
    ),
    "ledger": "Copy a ledger, back it up, or save the labels of a damaged one.",
    "export": (
        "Write the labels of a run for other tools, or the queries that wait for one.\n\n"
        "People are pseudonyms in what is written. A file or directory appears whole or not at all."
    ),
    "import": (
        "Put the labels of a file into a run or a ledger of their own.\n\n"
        "Rows of TRL's preference format, UltraFeedback, HH transcripts, Argilla, Label Studio and `boldly export` are "
        "told apart by themselves. Into a run go those that answer its queries; into a ledger of their own, "
        "labels.sqlite, all of them, for `boldly run --labels labels.sqlite`. A row that is stored is never stored "
        "again and a label never replaced, so the same command again changes nothing.\n\n"
        "It ends with 0 when every row is in the ledger, 2 where some are not, and says which and why."
    ),
    "init": "Write a commented configuration for a model, prompts and an oracle of your own.",
    "doctor": "Show what is installed, and what a run would use.",
}

for _name, _help in _COMMANDS.items():
    _module = f"{_name}_" if iskeyword(_name) else _name
    app.command(f"boldly.cli.{_module}:{_module}", name=_name, help=_help)


class Stopped(KeyboardInterrupt):
    """A signal that asks to stop, raised where the program stands, as Ctrl-C is."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that `arguments` (else `sys.argv`) names, and return its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know every letter of a response
    try:
        with _signals():
            return int(app(arguments) or 0)
    except CycloptsError as error:
        return _fail(f"{error}".strip(), 2)
    except BoldlyError as error:
        return _fail(str(error), error.exit_code)
    except KeyboardInterrupt as stop:
        print("; ".join(["boldly: stopped", *getattr(stop, "__notes__", [])]), file=sys.stderr)
        return getattr(stop, "exit_code", 128 + signal.SIGINT)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _fail(f"what this command says can't be written ({error.strerror}); what it stored is kept.", 5)


def _fail(message: str, code: int) -> int:
    for line in message.splitlines():
        print(f"boldly: {line}" if not line.startswith(" ") else line, file=sys.stderr)
    return code


@contextmanager
def _signals() -> Generator[None]:
    """SIGTERM and SIGHUP stop as Ctrl-C does while the block runs."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    numbers = (signal.SIGTERM, signal.SIGHUP) if threading.current_thread() is threading.main_thread() else ()
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
