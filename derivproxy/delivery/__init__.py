"""The read path: hot tier, store, derive once, remember."""

from derivproxy.delivery.admission import Admission
from derivproxy.delivery.answers import Answer, Found
from derivproxy.delivery.bases import Bases
from derivproxy.delivery.delivery import Delivery
from derivproxy.delivery.failures import Failures
from derivproxy.delivery.kept import Kept
from derivproxy.delivery.runs import Runs
from derivproxy.delivery.write_back import WriteBack, WriteBackLimits

__all__ = [
    "Admission",
    "Answer",
    "Bases",
    "Delivery",
    "Failures",
    "Found",
    "Kept",
    "Runs",
    "WriteBack",
    "WriteBackLimits",
]
