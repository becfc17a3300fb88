-- What cohort requests want of the clinical PACS, and which studies of the ledger they wait for.

ALTER TABLE crosswalk.project_version DROP CONSTRAINT project_version_approval_for_check,
    ADD CONSTRAINT project_version_approval_for_check
        CHECK (approval_for <@ ARRAY['identifiers', 'small-cohort', 'overlap', 'pull']);
ALTER TABLE crosswalk.cohort_held DROP CONSTRAINT cohort_held_held_for_check,
    ADD CONSTRAINT cohort_held_held_for_check
        CHECK (held_for <> '{}' AND held_for <@ ARRAY['identifiers', 'small-cohort', 'overlap', 'pull']);

-- Whoever set these terms could not say that a pull needs no approval.
ALTER TABLE crosswalk.project_version ADD COLUMN from_before_pulls boolean NOT NULL DEFAULT true;
ALTER TABLE crosswalk.project_version ALTER COLUMN from_before_pulls SET DEFAULT false;
COMMENT ON COLUMN crosswalk.project_version.from_before_pulls IS 'a pull needs an approval, whatever approval_for says';

DROP FUNCTION crosswalk.project_terms(text);
CREATE FUNCTION crosswalk.project_terms(of_project text)
RETURNS TABLE (project text, version integer, title text, lead_name text, ethics_number text, ethics_expires date,
               retention_days integer, profiles text[], criteria text[], minimum_patients integer,
               approval_for text[], from_before_pulls boolean, set_by text, set_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.project, p.version, p.title, p.lead_name, p.ethics_number, p.ethics_expires, p.retention_days,
           p.profiles, p.criteria, p.minimum_patients, p.approval_for, p.from_before_pulls, p.set_by, p.set_at
    FROM crosswalk.project_version p WHERE p.project = of_project ORDER BY p.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION crosswalk.project_terms IS 'the newest version; nothing where there is none';

CREATE TABLE crosswalk.cohort_pull (
    id            uuid PRIMARY KEY,
    request_key   text NOT NULL UNIQUE CHECK (btrim(request_key) <> ''),
    entries       integer NOT NULL CHECK (entries > 0),
    wanted_sealed bytea,
    requested_at  timestamptz NOT NULL,
    wait_until    timestamptz NOT NULL CHECK (wait_until > requested_at),
    asked_at      timestamptz,
    run_id        uuid REFERENCES crosswalk.run,
    CHECK (asked_at IS NULL OR wanted_sealed IS NULL),
    CHECK (run_id IS NULL OR asked_at IS NOT NULL)
);
COMMENT ON TABLE crosswalk.cohort_pull IS 'cohort requests that the clinical PACS is asked for; by the next run of ingest';
COMMENT ON COLUMN crosswalk.cohort_pull.entries IS 'how many Patient IDs, index dates and accession numbers it names';
COMMENT ON COLUMN crosswalk.cohort_pull.wanted_sealed IS 'those; forgotten once asked for, or when nobody waits any more';
COMMENT ON COLUMN crosswalk.cohort_pull.run_id IS 'the run that took up what was found, if anything was';
CREATE INDEX cohort_pull_open ON crosswalk.cohort_pull (requested_at) WHERE wanted_sealed IS NOT NULL OR run_id IS NULL;
CREATE TRIGGER cohort_pull_goes_one_way BEFORE UPDATE ON crosswalk.cohort_pull
    FOR EACH ROW WHEN ((OLD.id, OLD.request_key, OLD.entries, OLD.requested_at, OLD.wait_until)
                           IS DISTINCT FROM (NEW.id, NEW.request_key, NEW.entries, NEW.requested_at, NEW.wait_until)
                       OR (NEW.wanted_sealed IS NOT NULL AND NEW.wanted_sealed IS DISTINCT FROM OLD.wanted_sealed)
                       OR (OLD.asked_at IS NOT NULL AND NEW.asked_at IS DISTINCT FROM OLD.asked_at)
                       OR (OLD.run_id IS NOT NULL AND NEW.run_id IS DISTINCT FROM OLD.run_id))
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER cohort_pull_is_kept BEFORE DELETE OR TRUNCATE ON crosswalk.cohort_pull
    EXECUTE FUNCTION crosswalk.refuse_change();
-- The clinical PACS is asked for nothing that waits or was refused, whatever the program.
CREATE TRIGGER cohort_pull_is_not_held BEFORE INSERT ON crosswalk.cohort_pull
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_held_release();

CREATE TABLE crosswalk.cohort_pull_study (
    pull_id  uuid NOT NULL REFERENCES crosswalk.cohort_pull,
    study_id uuid NOT NULL REFERENCES crosswalk.study,
    patient  integer NOT NULL,
    PRIMARY KEY (pull_id, study_id)
);
COMMENT ON TABLE crosswalk.cohort_pull_study IS
    'studies that were found and not settled then; none of people who had withdrawn, or whose keys were destroyed';
COMMENT ON COLUMN crosswalk.cohort_pull_study.patient IS 'tells the patients of one pull from each other, and is of no other use';
CREATE TRIGGER cohort_pull_study_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.cohort_pull_study
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE FUNCTION crosswalk.cohort_pull_standing(of_request text)
RETURNS TABLE (entries integer, was_asked boolean, is_taken_up boolean, wait_until timestamptz,
               arrived bigint, arrived_patients bigint, pending bigint, pending_patients bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH awaited AS (
        SELECT s.pull_id, s.patient,
               EXISTS (SELECT FROM crosswalk.instance i WHERE i.study_id = s.study_id AND i.state = 'stored') AS arrived,
               st.observed_count IS DISTINCT FROM st.enrolled_count
                   OR EXISTS (SELECT FROM crosswalk.instance i WHERE i.study_id = s.study_id
                              AND i.state IN ('discovered', 'deidentified', 'validated')) AS pending
        FROM crosswalk.cohort_pull p JOIN crosswalk.cohort_pull_study s ON s.pull_id = p.id
        JOIN crosswalk.study st ON st.id = s.study_id
        LEFT JOIN crosswalk.patient whose ON whose.id = st.patient_id
        WHERE p.request_key = of_request AND st.key_destroyed_at IS NULL
          AND whose.withdrawn_by IS NULL AND whose.key_destroyed_at IS NULL)
    SELECT p.entries, p.asked_at IS NOT NULL,
           EXISTS (SELECT FROM crosswalk.run r WHERE r.id = p.run_id AND r.closed_at IS NOT NULL), p.wait_until,
           count(*) FILTER (WHERE a.arrived), count(DISTINCT a.patient) FILTER (WHERE a.arrived),
           count(*) FILTER (WHERE a.pending), count(DISTINCT a.patient) FILTER (WHERE a.pending)
    FROM crosswalk.cohort_pull p LEFT JOIN awaited a ON a.pull_id = p.id
    WHERE p.request_key = of_request GROUP BY p.id
$$;
COMMENT ON FUNCTION crosswalk.cohort_pull_standing IS
    'what is held, withdrawn or not in the clinical PACS is neither arrived nor pending: one answer for all three';
