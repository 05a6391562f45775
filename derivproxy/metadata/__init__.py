"""The local SQLite: schema, migrations, queries. The only room that knows SQLite."""

from derivproxy.metadata.database import MAX_PAGE, Metadata
from derivproxy.metadata.errors import DatabaseUnusable
from derivproxy.metadata.listing import Page

__all__ = ["MAX_PAGE", "DatabaseUnusable", "Metadata", "Page"]
