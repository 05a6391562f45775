"""The write path: bytes in, images out of sight."""

from derivproxy.updates.absences import Absences
from derivproxy.updates.said import Said
from derivproxy.updates.spool import Spool, Spooled
from derivproxy.updates.updates import Added, Examiner, Updates

__all__ = ["Absences", "Added", "Examiner", "Said", "Spool", "Spooled", "Updates"]
