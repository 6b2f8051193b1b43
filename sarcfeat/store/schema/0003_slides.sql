-- Slides as files, the regions drawn on them, and how many tiles they gave.

ALTER TABLE slide ADD COLUMN mpp DOUBLE;                  -- given, where the file's is wrong
ALTER TABLE slide ADD COLUMN acquired_at TIMESTAMPTZ;
ALTER TABLE slide ADD COLUMN told JSON;                   -- size, resolution, reader; NULL: not given
CREATE TABLE annotation (                    -- the regions of one slide
    annotation_id   VARCHAR NOT NULL,        -- hash of slide and regions
    slide_id        VARCHAR NOT NULL,        -- the slide it is drawn on
    patient_id      VARCHAR NOT NULL,
    regions         JSON NOT NULL,           -- names and polygons, pixels of level 0
    regions_sha256  VARCHAR NOT NULL,        -- of names and polygons
    uri             VARCHAR NOT NULL,
    file_sha256     VARCHAR NOT NULL,
    written_at      TIMESTAMPTZ DEFAULT now(),
    commit_no       BIGINT NOT NULL,
    retired_no      BIGINT,
    PRIMARY KEY (annotation_id, commit_no)
);

-- coords_uri: coordinates and regions of a bag in place that has none of its own.
ALTER TABLE embedding_file ADD COLUMN coords_checksum VARCHAR;  -- SHA-256 of that file
ALTER TABLE embedding_file ADD COLUMN tile_px DOUBLE;     -- side of a tile, pixels of level 0

CREATE TABLE tile_count (                    -- of a slide: by region and share of tissue
    unit_id     VARCHAR NOT NULL,
    region      VARCHAR NOT NULL,            -- '' where the slide has no regions
    tile_group  VARCHAR NOT NULL,            -- A, B, C, D; or why a tile was left out
    tiles       BIGINT NOT NULL,             -- how many
    commit_no   BIGINT NOT NULL
);

-- Slides and annotations are files that are looked at as images and masks are.
CREATE TABLE file_of_any (
    slot         VARCHAR PRIMARY KEY,
    what         VARCHAR NOT NULL CHECK (what IN ('image', 'mask', 'slide', 'annotation')),
    patient_id   VARCHAR NOT NULL,
    phase        VARCHAR NOT NULL,           -- of slides: the slide's name
    reader       VARCHAR,
    session      SMALLINT,
    label        INTEGER,
    lesion       VARCHAR,
    kind         VARCHAR,                    -- of annotations: how regions were named
    acquired_at  TIMESTAMPTZ,
    path         VARCHAR NOT NULL,
    size         BIGINT,
    mtime_ns     BIGINT,
    sha256       VARCHAR,
    content_id   VARCHAR,
    on_image     VARCHAR,
    error_code   VARCHAR,
    error_text   VARCHAR,
    commit_no    BIGINT NOT NULL
);
INSERT INTO file_of_any SELECT * FROM file;
DROP TABLE file;
ALTER TABLE file_of_any RENAME TO file;

CREATE TABLE source_of_any (
    source_id  VARCHAR PRIMARY KEY,
    what       VARCHAR NOT NULL CHECK (what IN ('image', 'mask', 'slide', 'annotation')),
    root       VARCHAR,
    pattern    VARCHAR,
    reader     VARCHAR,
    session    SMALLINT,
    kind       VARCHAR,
    commit_no  BIGINT NOT NULL
);
INSERT INTO source_of_any SELECT * FROM source;
DROP TABLE source;
ALTER TABLE source_of_any RENAME TO source;
