"""Every error that boldly raises on purpose, and the exit code each one ends a command with.

BoldlyError                    1  the run failed
├── InvalidInput               2  what was given can't work; nothing was written
│   ├── ConfigError               a key of the configuration, a recipe or a flag
│   ├── PromptsError              a file of prompts, with its line
│   ├── ModelError                a model directory
│   ├── OracleError               an oracle that can't be loaded or called at all
│   └── MissingExtra              a part that needs a package that isn't installed
├── WaitingForLabels           3  queries are out and their verdicts have not come yet
├── BudgetSpent                4  the next label would overshoot the budget
├── StorageError               5  the ledger or a run directory can't be read or written
│   └── NoLedger                  there is none where one was to be read
└── OracleUnavailable          6  every attempt of a round failed

A failed attempt at one query is no error: it is a `Failure` verdict (see `boldly.types`).
"""


class BoldlyError(Exception):
    """Something that boldly noticed and can explain in one sentence."""

    exit_code = 1


class InvalidInput(BoldlyError):
    """What was given can't work; the message says why and which line to write instead."""

    exit_code = 2


class ConfigError(InvalidInput):
    """A key of the configuration is unknown, contradicts another or has a value that can't work."""


class PromptsError(InvalidInput):
    """A file of prompts can't be read; the message names the file and the line."""


class ModelError(InvalidInput):
    """A model directory can't be used as a policy."""


class OracleError(InvalidInput):
    """An oracle can't be loaded or has a signature that can't be asked."""


class MissingExtra(InvalidInput):
    """A part needs a package that is not installed; the message holds the install line."""


class WaitingForLabels(BoldlyError):
    """Queries are out and their verdicts have not come yet: tell them, then go on.

    `rounds` says where in the ledger they wait: numbers of rounds with their accounts.
    """

    exit_code = 3

    def __init__(self, message: str, rounds: frozenset[tuple[int, str]] = frozenset()) -> None:
        super().__init__(message)
        self.rounds = rounds


class BudgetSpent(BoldlyError):
    """The next label would overshoot the budget; nothing was sent."""

    exit_code = 4


class StorageError(BoldlyError):
    """The ledger or the run directory can't be read or written as it should be."""

    exit_code = 5


class NoLedger(StorageError):
    """There is no ledger where one was to be read."""


class OracleUnavailable(BoldlyError):
    """Every attempt of a round failed, so going on would only burn the budget."""

    exit_code = 6
