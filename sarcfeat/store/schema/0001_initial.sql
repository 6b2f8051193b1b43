-- The feature store, first schema.
--
-- Identity is content: images, masks, extractors and units are named by the hash of
-- what they are, never by a path. Rows are appended; a row that no longer holds gets
-- a retired_no and stays. commit_no, not the clock, orders everything.
-- Times are UTC. Feature names and patient ids are data, never identifiers.

CREATE TABLE store_meta (
    store_id        VARCHAR NOT NULL,
    schema_version  INTEGER NOT NULL,
    duckdb_version  VARCHAR NOT NULL,
    created_at      TIMESTAMPTZ DEFAULT now(),
    commit_no       BIGINT NOT NULL
);

CREATE TABLE commit_log (
    commit_no  BIGINT PRIMARY KEY,
    "at"       TIMESTAMPTZ DEFAULT now(),
    what       VARCHAR NOT NULL
);

-- Who -------------------------------------------------------------------------------

CREATE TABLE patient (                       -- a pseudonym only
    patient_id  VARCHAR PRIMARY KEY,
    created_at  TIMESTAMPTZ DEFAULT now(),
    commit_no   BIGINT NOT NULL
);

CREATE TABLE lesion (                        -- by default one a patient
    lesion_id   VARCHAR PRIMARY KEY,
    patient_id  VARCHAR NOT NULL,
    name        VARCHAR NOT NULL,
    commit_no   BIGINT NOT NULL
);

CREATE TABLE erased (                        -- the tombstone of a withdrawn consent
    patient_id  VARCHAR PRIMARY KEY,
    "at"        TIMESTAMPTZ DEFAULT now(),
    "by"        VARCHAR,
    reason      VARCHAR,
    commit_no   BIGINT NOT NULL
);

CREATE TABLE cohort (                        -- a frozen list of patients
    cohort_id  VARCHAR NOT NULL,
    version    INTEGER NOT NULL,
    frozen_at  TIMESTAMPTZ DEFAULT now(),
    spec       JSON NOT NULL,
    sha256     VARCHAR NOT NULL,
    commit_no  BIGINT NOT NULL,
    PRIMARY KEY (cohort_id, version)
);

CREATE TABLE cohort_member (
    cohort_id   VARCHAR NOT NULL,
    version     INTEGER NOT NULL,
    patient_id  VARCHAR NOT NULL,
    centre      VARCHAR,
    index_time  TIMESTAMPTZ,                 -- when a prediction is made
    commit_no   BIGINT NOT NULL,
    PRIMARY KEY (cohort_id, version, patient_id)
);

-- What was known of them --------------------------------------------------------------

CREATE TABLE clinical (
    patient_id  VARCHAR NOT NULL,
    variable    VARCHAR NOT NULL,
    value_num   DOUBLE,
    value_text  VARCHAR,
    known_at    TIMESTAMPTZ,                 -- NULL: not stated, so not before any index time
    written_at  TIMESTAMPTZ DEFAULT now(),
    source      VARCHAR,
    role        VARCHAR NOT NULL CHECK (role IN (
                    'predictor', 'outcome', 'treatment', 'identifier', 'postoperative',
                    'description', 'date', 'index_time', 'site')),
    unit        VARCHAR,
    commit_no   BIGINT NOT NULL,
    retired_no  BIGINT
);

CREATE TABLE outcome (
    patient_id  VARCHAR NOT NULL,
    endpoint    VARCHAR NOT NULL,
    origin      VARCHAR,
    time_days   DOUBLE CHECK (time_days >= 0),
    event       TINYINT CHECK (event >= 0),  -- 0 follow-up ended, 1 event, 2 competing
    written_at  TIMESTAMPTZ DEFAULT now(),
    commit_no   BIGINT NOT NULL,
    retired_no  BIGINT,
    PRIMARY KEY (patient_id, endpoint, commit_no)
);

-- Their images ------------------------------------------------------------------------

CREATE TABLE source (                        -- where files of one kind are looked for
    source_id  VARCHAR PRIMARY KEY,
    what       VARCHAR NOT NULL CHECK (what IN ('image', 'mask')),
    root       VARCHAR,
    pattern    VARCHAR,
    reader     VARCHAR,
    session    SMALLINT,
    kind       VARCHAR,
    commit_no  BIGINT NOT NULL
);

CREATE TABLE file (                          -- the last look at each file, replaced in place
    slot         VARCHAR PRIMARY KEY,        -- hash of (what, patient, phase, reader, session, label, path)
    what         VARCHAR NOT NULL CHECK (what IN ('image', 'mask')),
    patient_id   VARCHAR NOT NULL,
    phase        VARCHAR NOT NULL,
    reader       VARCHAR,
    session      SMALLINT,
    label        INTEGER,
    lesion       VARCHAR,
    kind         VARCHAR,
    acquired_at  TIMESTAMPTZ,
    path         VARCHAR NOT NULL,
    size         BIGINT,
    mtime_ns     BIGINT,
    sha256       VARCHAR,
    content_id   VARCHAR,                    -- image_id or mask_id it gave
    on_image     VARCHAR,                    -- masks: the image_id they were checked against
    error_code   VARCHAR,
    error_text   VARCHAR,
    commit_no    BIGINT NOT NULL
);

CREATE TABLE image (
    image_id     VARCHAR NOT NULL,           -- hash of voxels + geometry
    patient_id   VARCHAR NOT NULL,
    kind         VARCHAR NOT NULL,           -- CT | MR | PET | WSI | RNA
    phase        VARCHAR NOT NULL,           -- sequence or phase, as the user wrote it
    acquired_at  TIMESTAMPTZ,
    acquisition  JSON,                       -- size, spacing, origin, direction; of DICOM: header
    uri          VARCHAR NOT NULL,
    file_sha256  VARCHAR NOT NULL,
    written_at   TIMESTAMPTZ DEFAULT now(),
    commit_no    BIGINT NOT NULL,
    retired_no   BIGINT,
    PRIMARY KEY (image_id, patient_id, phase, commit_no)
);

CREATE TABLE mask (
    mask_id      VARCHAR NOT NULL,           -- hash of image, voxels, reader, session, label
    image_id     VARCHAR NOT NULL,
    patient_id   VARCHAR NOT NULL,
    phase        VARCHAR NOT NULL,
    lesion_id    VARCHAR NOT NULL,
    reader       VARCHAR NOT NULL,
    session      SMALLINT DEFAULT 1,
    label        INTEGER DEFAULT 1,
    roi          VARCHAR DEFAULT 'tumour',
    n_voxels     BIGINT,
    voxels_hash  VARCHAR NOT NULL,           -- equal for two readers: their ICC would be 1
    uri          VARCHAR NOT NULL,
    file_sha256  VARCHAR NOT NULL,
    written_at   TIMESTAMPTZ DEFAULT now(),
    commit_no    BIGINT NOT NULL,
    retired_no   BIGINT,
    PRIMARY KEY (mask_id, patient_id, phase, commit_no)
);

-- What was computed from them ---------------------------------------------------------

CREATE TABLE extractor (
    extractor_id    VARCHAR PRIMARY KEY,     -- hash of the fingerprint
    name            VARCHAR NOT NULL,
    version         VARCHAR,
    params          JSON,
    params_sha256   VARCHAR,
    weights_sha256  VARCHAR,
    code_commit     VARCHAR,
    fingerprint     JSON NOT NULL,
    commit_no       BIGINT NOT NULL
);

CREATE TABLE feature_set (
    feature_set_id  VARCHAR PRIMARY KEY,     -- hash of (extractor, phase, names)
    extractor_id    VARCHAR NOT NULL,
    phase           VARCHAR NOT NULL,
    address         VARCHAR NOT NULL,        -- radiomics.t1
    names           VARCHAR[] NOT NULL,
    n               INTEGER NOT NULL,
    commit_no       BIGINT NOT NULL
);

CREATE TABLE feature (
    feature_set_id  VARCHAR NOT NULL,
    pos             INTEGER NOT NULL,
    name            VARCHAR NOT NULL,
    image_filter    VARCHAR,
    family          VARCHAR,
    ibsi            VARCHAR,
    role            VARCHAR DEFAULT 'predictor',
    unit            VARCHAR,
    PRIMARY KEY (feature_set_id, pos)
);

CREATE TABLE run (
    run_id       VARCHAR PRIMARY KEY,
    started_at   TIMESTAMPTZ DEFAULT now(),
    finished_at  TIMESTAMPTZ,
    status       VARCHAR,
    host         VARCHAR,
    command      VARCHAR,
    env          JSON,
    seed         BIGINT,
    commit_no    BIGINT NOT NULL
);

CREATE TABLE attempt (                       -- every try, a missing file included
    attempt_id    VARCHAR PRIMARY KEY,
    step          VARCHAR NOT NULL,          -- image | mask | encode
    patient_id    VARCHAR NOT NULL,
    phase         VARCHAR,
    reader        VARCHAR,
    session       SMALLINT,
    path          VARCHAR,
    image_id      VARCHAR,
    mask_id       VARCHAR,
    extractor_id  VARCHAR,
    status        VARCHAR NOT NULL CHECK (status IN ('ok', 'failed')),
    error_code    VARCHAR,
    error_text    VARCHAR,
    seconds       DOUBLE,
    run_id        VARCHAR,
    "at"          TIMESTAMPTZ DEFAULT now(),
    commit_no     BIGINT NOT NULL
);

CREATE TABLE unit (                          -- successes only
    unit_id       VARCHAR PRIMARY KEY,       -- hash of (image, mask, extractor)
    image_id      VARCHAR NOT NULL,
    mask_id       VARCHAR,
    extractor_id  VARCHAR NOT NULL,
    run_id        VARCHAR NOT NULL,
    warnings      JSON,
    seconds       DOUBLE,
    written_at    TIMESTAMPTZ DEFAULT now(),
    commit_no     BIGINT NOT NULL,
    retired_no    BIGINT
);

CREATE TABLE feature_vector (                -- LIST, not ARRAY: DuckLake has no ARRAY
    unit_id         VARCHAR PRIMARY KEY,
    feature_set_id  VARCHAR NOT NULL,
    v               DOUBLE[] NOT NULL,
    n_missing       INTEGER,
    checksum        VARCHAR NOT NULL,
    commit_no       BIGINT NOT NULL
);

CREATE TABLE embedding_file (                -- bags of tiles: one file a slide, catalogued
    unit_id     VARCHAR PRIMARY KEY,
    uri         VARCHAR NOT NULL,
    n_rows      BIGINT,
    dim         INTEGER,
    dtype       VARCHAR,
    coords_uri  VARCHAR,
    bytes       BIGINT,
    checksum    VARCHAR NOT NULL,
    commit_no   BIGINT NOT NULL
);

-- What left on the right ---------------------------------------------------------------

CREATE TABLE matrix (
    matrix_id      VARCHAR PRIMARY KEY,
    spec           JSON NOT NULL,
    store_version  BIGINT NOT NULL,
    unit_ids       VARCHAR[] NOT NULL,
    n_rows         INTEGER NOT NULL,
    n_cols         INTEGER NOT NULL,
    sha256         VARCHAR NOT NULL,
    created_at     TIMESTAMPTZ DEFAULT now(),
    commit_no      BIGINT NOT NULL
);
