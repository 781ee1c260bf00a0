"""What was reserved and settled, replayed in the order in which it happened."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from jaxtyping import Int32
from sqlalchemy import Connection, Select, func, select

from boldly.errors import InvalidInput
from boldly.ledger.accounting import BILLION, Totals, billionths
from boldly.ledger.json_text import load
from boldly.ledger.sql import schema
from boldly.ledger.sql.verify.faults import Fault, Faults
from boldly.ledger.sql.verify.rows import ANSWERS
from boldly.types import ACCOUNTS
