-- Bags of tiles, numbers kept aside, and what an erasure took with it.

CREATE TABLE slide (                         -- one digitised slide of a patient
    slide_id     VARCHAR PRIMARY KEY,        -- hash of patient, name and the slide's (or
                                             -- a bag catalogued in place: the bag's) bytes
    patient_id   VARCHAR NOT NULL,
    name         VARCHAR NOT NULL,
    uri          VARCHAR,                    -- NULL: the slide itself was not given
    file_sha256  VARCHAR,
    written_at   TIMESTAMPTZ DEFAULT now(),
    commit_no    BIGINT NOT NULL,
    retired_no   BIGINT
);

ALTER TABLE embedding_file ADD COLUMN layout VARCHAR;       -- safetensors | trident | clam
ALTER TABLE embedding_file ADD COLUMN mtime_ns BIGINT;       -- of a bag catalogued in place

CREATE TABLE other_vector (                  -- same unit, other numbers: kept, not served
    unit_id    VARCHAR NOT NULL,
    names      VARCHAR[] NOT NULL,
    v          DOUBLE[] NOT NULL,
    checksum   VARCHAR NOT NULL,
    run_id     VARCHAR NOT NULL,
    commit_no  BIGINT NOT NULL
);

CREATE TABLE invalidated (                   -- frozen matrices that an erasure took apart
    matrix_id   VARCHAR NOT NULL,
    patient_id  VARCHAR NOT NULL,
    commit_no   BIGINT NOT NULL,
    PRIMARY KEY (matrix_id, patient_id)
);
