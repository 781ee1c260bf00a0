"""What leaves a ledger: its labels for other tools, and the queries that wait for one. People are pseudonyms there."""

from boldly.ledger.export.card import About
from boldly.ledger.export.dataset import export_dataset
from boldly.ledger.export.files import Stream, written
from boldly.ledger.export.labels import Exported, export, export_preferences
from boldly.ledger.export.pseudonyms import Pseudonyms
from boldly.ledger.export.rows import named, ordered, preference_row, row, rows
from boldly.ledger.export.waiting import export_waiting

__all__ = [
    "About",
    "Exported",
    "Pseudonyms",
    "Stream",
    "export",
    "export_dataset",
    "export_preferences",
    "export_waiting",
    "named",
    "ordered",
    "preference_row",
    "row",
    "rows",
    "written",
]
