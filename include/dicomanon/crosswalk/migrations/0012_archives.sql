-- How both archives and the crosswalk differ, since when, and whether somebody has looked after a restore.

-- One row for each thing that differs, however often it is met; it stays when the difference has gone.
CREATE TABLE crosswalk.archive_difference (
    id             uuid PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    cause          text NOT NULL,
    fingerprint    bytea NOT NULL,
    study_id       uuid REFERENCES crosswalk.study,
    instance_id    bigint REFERENCES crosswalk.instance,
    research_uid   text NOT NULL DEFAULT '',
    subject_sealed bytea,
    detail         text NOT NULL DEFAULT '',
    first_seen_at  timestamptz NOT NULL,
    last_seen_at   timestamptz NOT NULL,
    gone_at        timestamptz,
    UNIQUE (cause, fingerprint)
);
COMMENT ON COLUMN crosswalk.archive_difference.number IS 'what people call it by';
COMMENT ON COLUMN crosswalk.archive_difference.research_uid IS 'a UID that we issued, of what has no row here';
COMMENT ON COLUMN crosswalk.archive_difference.subject_sealed IS
    'a UID of the clinical PACS, or one in the research PACS that we did not issue and that may be anybody''s';
COMMENT ON COLUMN crosswalk.archive_difference.detail IS 'counts and our own terms, never a value';
CREATE INDEX archive_difference_open ON crosswalk.archive_difference (cause, number) WHERE gone_at IS NULL;
CREATE INDEX archive_difference_by_study ON crosswalk.archive_difference (study_id) WHERE gone_at IS NULL;

CREATE TABLE crosswalk.archive_check (
    id           uuid PRIMARY KEY,
    opened_at    timestamptz NOT NULL,
    closed_at    timestamptz,
    looked_up_to uuid,
    counts       jsonb
);
COMMENT ON COLUMN crosswalk.archive_check.looked_up_to IS
    'the last study whose instances were compared one by one; NULL when a round has come to its end';
CREATE INDEX archive_check_by_time ON crosswalk.archive_check (opened_at);

-- What both archives listed in a check that is at work. Scratch: unlogged, in no backup, gone with the check.
CREATE UNLOGGED TABLE crosswalk.archive_survey (
    check_id     uuid NOT NULL,
    side         text NOT NULL CHECK (side IN ('clinical', 'research')),
    study_key    bytea NOT NULL,
    research_uid text NOT NULL,
    paged        boolean NOT NULL,
    PRIMARY KEY (check_id, side, study_key)
);
COMMENT ON COLUMN crosswalk.archive_survey.study_key IS 'blind index of the Study Instance UID in the clinical PACS';
COMMENT ON COLUMN crosswalk.archive_survey.research_uid IS
    'on the clinical side, what the study is called in the research PACS';
CREATE INDEX archive_survey_by_research_uid ON crosswalk.archive_survey (research_uid, check_id)
    WHERE side = 'clinical';

-- The crosswalk was brought back from a backup; until the archives were checked, nothing new is taken up.
CREATE TABLE crosswalk.restoration (
    id            uuid PRIMARY KEY,
    backup        text NOT NULL,
    backup_at     timestamptz,
    restored_by   text NOT NULL CHECK (btrim(restored_by) <> ''),
    reason_sealed bytea NOT NULL,
    restored_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    checked_at    timestamptz
);
