"""What a run takes of memory, known before it begins."""

from boldly.lm.footprint.counting import Counting, fused_attention
from boldly.lm.footprint.fit import USABLE, Fit, fit
from boldly.lm.footprint.footprint import Footprint, Work, footprint
from boldly.lm.footprint.sketch import Sketch, sketch

__all__ = ["USABLE", "Counting", "Fit", "Footprint", "Sketch", "Work", "fit", "footprint", "fused_attention", "sketch"]
