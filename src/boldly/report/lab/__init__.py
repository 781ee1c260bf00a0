"""What the lab's experiments found: a page and a JSON file for each, and an index of them."""

from boldly.report.lab.files import Written, entrance, require_writable, write, write_index
from boldly.report.lab.index import Entrance, index_page
from boldly.report.lab.marks import mark_of, tally
from boldly.report.lab.page import experiment_page, grid_table, score_table
from boldly.report.lab.record import record

__all__ = [
    "Entrance",
    "Written",
    "entrance",
    "experiment_page",
    "grid_table",
    "index_page",
    "mark_of",
    "record",
    "require_writable",
    "score_table",
    "tally",
    "write",
    "write_index",
]
