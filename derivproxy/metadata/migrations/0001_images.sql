-- One row for each time an image was added. A removed row stays: it is the tombstone, and walks that began before
-- the removal still count it.
CREATE TABLE images (
    number INTEGER PRIMARY KEY,
    ident TEXT NOT NULL CHECK (length(ident) = 64),
    revision INTEGER NOT NULL,            -- that added it: its place in listings
    changed INTEGER NOT NULL,             -- that last changed what is said of it
    removed INTEGER,                      -- that took it away; NULL while it is live
    added REAL NOT NULL,                  -- Unix seconds
    title TEXT NOT NULL,
    path TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'private')),
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    md5 TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    pages INTEGER NOT NULL,
    page_height INTEGER NOT NULL,
    animated INTEGER NOT NULL,
    alpha INTEGER NOT NULL,
    bands INTEGER NOT NULL,
    bits INTEGER NOT NULL,
    profile TEXT NOT NULL,
    interlaced INTEGER NOT NULL,
    facts INTEGER NOT NULL,               -- version of what the facts mean
    UNIQUE (ident, revision),
    UNIQUE (revision, ident)
) STRICT;

-- One live row an ident; also the order in which both sides are compared.
CREATE UNIQUE INDEX live_images ON images (ident) WHERE removed IS NULL;

-- What listings are narrowed by, in the order of listings: tags as they were said, and a path's every folder.
CREATE TABLE labels (
    kind TEXT NOT NULL CHECK (kind IN ('tag', 'path')),
    word TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ident TEXT NOT NULL,
    position INTEGER NOT NULL,            -- of a tag among the image's tags
    number INTEGER NOT NULL REFERENCES images (number) ON DELETE CASCADE,
    PRIMARY KEY (kind, word, revision, ident)
) STRICT, WITHOUT ROWID;

CREATE INDEX labels_of_image ON labels (number, kind, position);

CREATE TABLE collection (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
) STRICT;

INSERT INTO collection (one, revision) VALUES (1, 0);
