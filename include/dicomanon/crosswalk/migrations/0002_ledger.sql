-- The work ledger and the mapping: every instance the clinical PACS reported, and what became of it.

CREATE TYPE crosswalk.instance_state AS ENUM
    ('discovered', 'deidentified', 'validated', 'stored', 'held', 'filtered');

CREATE TABLE crosswalk.run (
    id             uuid PRIMARY KEY,
    dag_id         text NOT NULL,
    airflow_run_id text NOT NULL,
    opened_at      timestamptz NOT NULL DEFAULT now(),
    closed_at      timestamptz,
    balanced       boolean,
    UNIQUE (dag_id, airflow_run_id)
);

CREATE TABLE crosswalk.batch (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_id    uuid NOT NULL REFERENCES crosswalk.run,
    number    integer NOT NULL,
    instances integer NOT NULL,
    studies   integer NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (run_id, number)
);

-- Which rules and which code made an object. Few rows, named by millions.
CREATE TABLE crosswalk.recipe (
    id              integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    profile_version text NOT NULL,
    code_version    text NOT NULL,
    UNIQUE (profile_version, code_version)
);

CREATE TABLE crosswalk.study (
    id                 uuid PRIMARY KEY,
    study_index        bytea NOT NULL UNIQUE,
    uid_sealed         bytea NOT NULL,
    patient_id         uuid REFERENCES crosswalk.patient,
    research_study_uid text,
    facts_sealed       bytea,
    observed_count     integer NOT NULL,
    count_changed_at   timestamptz NOT NULL,
    enrolled_count     integer,
    enrolled_at        timestamptz,
    first_observed_at  timestamptz NOT NULL
);
COMMENT ON COLUMN crosswalk.study.enrolled_count IS 'instances in the last listing; NULL until the study is enrolled';
-- Partial, so that setting the UID takes the weak row lock that foreign keys to this table tolerate.
CREATE UNIQUE INDEX study_by_research_uid ON crosswalk.study (research_study_uid) WHERE research_study_uid IS NOT NULL;
CREATE INDEX study_by_patient ON crosswalk.study (patient_id);
CREATE INDEX study_due ON crosswalk.study (count_changed_at) WHERE observed_count IS DISTINCT FROM enrolled_count;
CREATE TRIGGER study_keeps_its_patient BEFORE UPDATE ON crosswalk.study
    FOR EACH ROW WHEN (OLD.patient_id <> NEW.patient_id OR OLD.research_study_uid <> NEW.research_study_uid
                       OR OLD.study_index <> NEW.study_index)
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.study_accession (
    accession_index bytea NOT NULL,
    study_id        uuid NOT NULL REFERENCES crosswalk.study,
    PRIMARY KEY (accession_index, study_id)
);

-- Identifying values of a study's source objects, for the search that validation makes; rows are only added.
CREATE TABLE crosswalk.study_known_values (
    id            uuid PRIMARY KEY,
    study_id      uuid NOT NULL REFERENCES crosswalk.study,
    values_sealed bytea NOT NULL
);
CREATE INDEX study_known_values_by_study ON crosswalk.study_known_values (study_id);

CREATE TABLE crosswalk.series (
    id                  uuid PRIMARY KEY,
    study_id            uuid NOT NULL REFERENCES crosswalk.study,
    series_index        bytea NOT NULL,
    uid_sealed          bytea NOT NULL,
    research_series_uid text,
    modality            text NOT NULL DEFAULT '',
    facts_sealed        bytea,
    UNIQUE (study_id, series_index)
);
CREATE INDEX series_by_research_uid ON crosswalk.series (research_series_uid) WHERE research_series_uid IS NOT NULL;
CREATE TRIGGER series_keeps_its_uid BEFORE UPDATE ON crosswalk.series
    FOR EACH ROW WHEN (OLD.study_id <> NEW.study_id OR OLD.series_index <> NEW.series_index
                       OR OLD.research_series_uid <> NEW.research_series_uid)
    EXECUTE FUNCTION crosswalk.refuse_change();

-- Room on each page for the four or five changes of state that a row goes through.
CREATE TABLE crosswalk.instance (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    study_id         uuid NOT NULL REFERENCES crosswalk.study,
    series_id        uuid NOT NULL REFERENCES crosswalk.series,
    batch_id         bigint REFERENCES crosswalk.batch,
    recipe_id        integer REFERENCES crosswalk.recipe,
    state            crosswalk.instance_state NOT NULL DEFAULT 'discovered',
    uid_reused       boolean NOT NULL DEFAULT false,
    input_bytes      bigint NOT NULL DEFAULT 0,
    output_bytes     bigint NOT NULL DEFAULT 0,
    enrolled_at      timestamptz NOT NULL,
    state_changed_at timestamptz NOT NULL,
    absent_since     timestamptz,
    sop_index        bytea NOT NULL,
    uid_sealed       bytea NOT NULL,
    input_digest     bytea,
    output_digest    bytea,
    research_sop_uid text,
    sop_class_uid    text NOT NULL DEFAULT '',
    reason           text NOT NULL DEFAULT '',
    detail           text NOT NULL DEFAULT '',
    CHECK ((reason <> '') = (state IN ('held', 'filtered'))),
    CHECK (state NOT IN ('deidentified', 'validated', 'stored')
           OR (output_digest IS NOT NULL AND research_sop_uid IS NOT NULL AND recipe_id IS NOT NULL)),
    CHECK (NOT uid_reused OR state = 'held')
) WITH (fillfactor = 75);
COMMENT ON COLUMN crosswalk.instance.uid_reused IS
    'another row has this SOP Instance UID already; this one is held from the start and never de-identified';
COMMENT ON COLUMN crosswalk.instance.absent_since IS 'the clinical PACS did not list the instance when last asked';

-- A SOP Instance UID belongs to one row; further sightings of it elsewhere are kept, once per series.
CREATE UNIQUE INDEX instance_by_sop_index ON crosswalk.instance (sop_index) WHERE NOT uid_reused;
CREATE UNIQUE INDEX instance_reused_once ON crosswalk.instance (sop_index, series_id) WHERE uid_reused;
CREATE UNIQUE INDEX instance_by_research_uid ON crosswalk.instance (research_sop_uid)
    WHERE research_sop_uid IS NOT NULL;
CREATE INDEX instance_by_study ON crosswalk.instance (study_id, series_id);
CREATE INDEX instance_by_batch ON crosswalk.instance (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX instance_pending ON crosswalk.instance (study_id, series_id, id)
    WHERE state IN ('discovered', 'deidentified', 'validated');

CREATE TRIGGER instance_stored_is_final BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'stored'
                       AND (NEW.state <> 'stored' OR OLD.output_digest <> NEW.output_digest
                            OR OLD.input_digest <> NEW.input_digest OR OLD.recipe_id <> NEW.recipe_id))
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER instance_keeps_its_source BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.study_id <> NEW.study_id OR OLD.series_id <> NEW.series_id
                       OR OLD.sop_index <> NEW.sop_index)
    EXECUTE FUNCTION crosswalk.refuse_change();
