"""Labels that exist already: files of preference data, read as records, and pools to choose from."""

from boldly.records.formats import FORMATS, Format, FormatName
from boldly.records.pool import DATA, Pool, pool_of, records_of, response_from
from boldly.records.reading import MOST_SHOWN, listed, read_entries, read_records
from boldly.records.record import (
    BadRow,
    Entry,
    Fault,
    Pair,
    Record,
    Unlabelled,
    pair_of,
    swapped_facts,
    swapped_verdict,
)

__all__ = [
    "DATA",
    "FORMATS",
    "MOST_SHOWN",
    "BadRow",
    "Entry",
    "Fault",
    "Format",
    "FormatName",
    "Pair",
    "Pool",
    "Record",
    "Unlabelled",
    "listed",
    "pair_of",
    "pool_of",
    "read_entries",
    "read_records",
    "records_of",
    "response_from",
    "swapped_facts",
    "swapped_verdict",
]
