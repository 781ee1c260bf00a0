"""Where the ledger of a run is, without building its configuration."""

from pathlib import Path

from boldly.config.documents import read_document

LEDGER_FILE = "ledger.sqlite"
CONFIG_FILE = "config.yaml"
STATE_FILE = "state.json"
COMPARISON_FILE = "comparison.yaml"


def ledger_of(run: Path) -> str | Path:
    """The PostgreSQL URL that a run's configuration names, else the file in its directory."""
    config = run / CONFIG_FILE
    named = read_document(config).values.get("ledger") if config.is_file() else None
    return str(named) if named else run / LEDGER_FILE
