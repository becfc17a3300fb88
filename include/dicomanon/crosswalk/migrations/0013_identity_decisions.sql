-- Who is who, where people decided: keys of a patient, merges, assignments of studies, and what they free or re-issue.

-- Every decision about identities; numbers only grow, and tell whoever remembers a patient that it may be another now.
CREATE TABLE crosswalk.identity_decision (
    id             uuid PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    kind           text NOT NULL CHECK (kind IN ('merge', 'unmerge', 'overrule', 'split', 'uphold')),
    decided_by     text NOT NULL CHECK (btrim(decided_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    decided_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One decision an event; a decision may settle several events.
CREATE TABLE crosswalk.identity_event_decision (
    event_id    uuid PRIMARY KEY REFERENCES crosswalk.identity_event,
    decision_id uuid NOT NULL REFERENCES crosswalk.identity_decision
);
CREATE INDEX identity_event_decision_by_decision ON crosswalk.identity_event_decision (decision_id);

ALTER TABLE crosswalk.identity_event
    ADD COLUMN parts            text[] NOT NULL DEFAULT '{}',
    ADD COLUMN other_patient_id uuid,
    ADD COLUMN other_study_id   uuid,
    ADD COLUMN accession_index  bytea,
    ADD COLUMN occurrence       integer NOT NULL DEFAULT 0;
COMMENT ON COLUMN crosswalk.identity_event.parts IS 'what of the identity differs: name, birth_date, sex';
COMMENT ON COLUMN crosswalk.identity_event.occurrence IS 'what was decided and arises again is a new event';
DROP TRIGGER identity_event_keeps_what_it_says ON crosswalk.identity_event;
UPDATE crosswalk.identity_event SET kind = 'patient-differs', parts = ARRAY[kind]
    WHERE kind IN ('name', 'birth_date', 'sex');
UPDATE crosswalk.identity_event e SET kind = 'two-patients-in-study', other_patient_id = st.patient_id
    FROM crosswalk.study st WHERE st.id = e.study_id AND e.kind = 'identity-conflict';
-- An event is never changed; its detail may be sealed anew, with the data key that it belongs to.
CREATE TRIGGER identity_event_keeps_what_it_says BEFORE UPDATE ON crosswalk.identity_event
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.kind <> NEW.kind OR OLD.fingerprint <> NEW.fingerprint
                       OR OLD.occurrence <> NEW.occurrence OR OLD.parts <> NEW.parts
                       OR OLD.patient_id IS DISTINCT FROM NEW.patient_id
                       OR OLD.study_id IS DISTINCT FROM NEW.study_id
                       OR OLD.instance_id IS DISTINCT FROM NEW.instance_id
                       OR OLD.other_patient_id IS DISTINCT FROM NEW.other_patient_id
                       OR OLD.other_study_id IS DISTINCT FROM NEW.other_study_id
                       OR OLD.accession_index IS DISTINCT FROM NEW.accession_index
                       OR OLD.recorded_at <> NEW.recorded_at)
    EXECUTE FUNCTION crosswalk.refuse_change();
DROP INDEX crosswalk.identity_event_once;
CREATE UNIQUE INDEX identity_event_once ON crosswalk.identity_event (kind, fingerprint, occurrence);
CREATE INDEX identity_event_by_accession ON crosswalk.identity_event (accession_index)
    WHERE accession_index IS NOT NULL;

-- Which instances an event touches: a decision frees just those of them that are held for it.
CREATE TABLE crosswalk.identity_event_instance (
    event_id    uuid NOT NULL REFERENCES crosswalk.identity_event,
    instance_id bigint NOT NULL REFERENCES crosswalk.instance,
    PRIMARY KEY (event_id, instance_id)
);
CREATE INDEX identity_event_instance_by_instance ON crosswalk.identity_event_instance (instance_id);
INSERT INTO crosswalk.identity_event_instance (event_id, instance_id)
    SELECT e.id, e.instance_id FROM crosswalk.identity_event e WHERE e.instance_id IS NOT NULL
    UNION SELECT e.id, i.id FROM crosswalk.identity_event e JOIN crosswalk.instance i ON i.study_id = e.study_id
    WHERE e.kind = 'two-patients-in-study' AND i.state = 'held' AND i.reason = 'identity-conflict';

-- A patient may have several keys (issuer and Patient ID); the first is also in the patient's own row.
CREATE TABLE crosswalk.patient_key (
    id               uuid PRIMARY KEY,
    patient_index    bytea NOT NULL UNIQUE,
    patient_id_index bytea NOT NULL,
    patient_id       uuid NOT NULL REFERENCES crosswalk.patient,
    key_sealed       bytea,
    issuer_was_named boolean,
    decision_id      uuid REFERENCES crosswalk.identity_decision,
    entered_at       timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN crosswalk.patient_key.patient_id IS 'the row that the key was met with; its survivor is the patient';
COMMENT ON COLUMN crosswalk.patient_key.key_sealed IS
    'sealed with the data key of the patient''s row; NULL: the key in the identity of that row';
COMMENT ON COLUMN crosswalk.patient_key.issuer_was_named IS
    'as in patient, of a key whose Patient ID is not that of the patient''s row';
CREATE INDEX patient_key_by_patient_id ON crosswalk.patient_key (patient_id_index);
CREATE INDEX patient_key_by_patient ON crosswalk.patient_key (patient_id);
INSERT INTO crosswalk.patient_key (id, patient_index, patient_id_index, patient_id, entered_at)
    SELECT gen_random_uuid(), patient_index, patient_id_index, id, created_at FROM crosswalk.patient;

-- Names, birth dates and sexes that somebody said are this patient's too; of one study only, where one is named.
CREATE TABLE crosswalk.patient_variant (
    id              uuid PRIMARY KEY,
    patient_id      uuid NOT NULL REFERENCES crosswalk.patient,
    study_id        uuid REFERENCES crosswalk.study,
    identity_sealed bytea NOT NULL,
    decision_id     uuid NOT NULL REFERENCES crosswalk.identity_decision
);
COMMENT ON COLUMN crosswalk.patient_variant.identity_sealed IS 'with the data key of the patient''s row';
CREATE INDEX patient_variant_by_patient ON crosswalk.patient_variant (patient_id);

-- Accession numbers that belong to no order, such as "0": said once, never asked again.
CREATE TABLE crosswalk.shared_accession (
    accession_index bytea PRIMARY KEY,
    decision_id     uuid NOT NULL REFERENCES crosswalk.identity_decision
);

-- Merges as they were decided, one row each; into_id is NULL where one was undone.
CREATE TABLE crosswalk.patient_merge (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id uuid NOT NULL REFERENCES crosswalk.identity_decision,
    patient_id  uuid NOT NULL REFERENCES crosswalk.patient,
    into_id     uuid REFERENCES crosswalk.patient CHECK (into_id <> patient_id)
);
CREATE INDEX patient_merge_newest ON crosswalk.patient_merge (patient_id, number DESC);

ALTER TABLE crosswalk.patient
    ADD COLUMN merged_into uuid REFERENCES crosswalk.patient,
    ADD COLUMN survivor_id uuid REFERENCES crosswalk.patient;
COMMENT ON COLUMN crosswalk.patient.merged_into IS 'the patient that this one was found to be; the newest patient_merge';
COMMENT ON COLUMN crosswalk.patient.survivor_id IS 'where merged_into leads in the end, or the row itself; kept by trigger';
ALTER TABLE crosswalk.patient DISABLE TRIGGER patient_stays_destroyed;
UPDATE crosswalk.patient SET survivor_id = id;
ALTER TABLE crosswalk.patient ENABLE TRIGGER patient_stays_destroyed;
ALTER TABLE crosswalk.patient ALTER COLUMN survivor_id SET NOT NULL;
CREATE INDEX patient_by_survivor ON crosswalk.patient (survivor_id);
CREATE INDEX patient_by_merged_into ON crosswalk.patient (merged_into) WHERE merged_into IS NOT NULL;

CREATE FUNCTION crosswalk.begin_unmerged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.merged_into := NULL;
    NEW.survivor_id := NEW.id;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_begins_unmerged BEFORE INSERT ON crosswalk.patient
    FOR EACH ROW EXECUTE FUNCTION crosswalk.begin_unmerged();
CREATE TRIGGER patient_survivor_follows_merge BEFORE UPDATE OF survivor_id ON crosswalk.patient
    FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION crosswalk.refuse_change();

CREATE FUNCTION crosswalk.require_merge_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decided uuid;
BEGIN
    -- One at a time: two merges at once could close a circle that neither sees.
    PERFORM pg_advisory_xact_lock(hashtext('crosswalk.identity_decision'));
    SELECT into_id INTO decided FROM crosswalk.patient_merge WHERE patient_id = NEW.id ORDER BY number DESC LIMIT 1;
    IF NOT FOUND OR decided IS DISTINCT FROM NEW.merged_into THEN
        RAISE EXCEPTION 'no decision merges the patient so' USING ERRCODE = 'restrict_violation';
    END IF;
    IF OLD.merged_into IS NOT NULL AND NEW.merged_into IS NOT NULL THEN
        RAISE EXCEPTION 'the patient is merged already' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (SELECT FROM crosswalk.patient WHERE id = NEW.merged_into AND survivor_id = NEW.id) THEN
        RAISE EXCEPTION 'the merge leads in a circle' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_merges_by_decision BEFORE UPDATE OF merged_into ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.merged_into IS DISTINCT FROM NEW.merged_into)
    EXECUTE FUNCTION crosswalk.require_merge_decision();

CREATE FUNCTION crosswalk.follow_merge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH RECURSIVE below AS (
        SELECT NEW.id AS id
        UNION ALL SELECT p.id FROM crosswalk.patient p JOIN below ON p.merged_into = below.id
    )
    UPDATE crosswalk.patient SET survivor_id = coalesce(
        (SELECT survivor_id FROM crosswalk.patient WHERE id = NEW.merged_into), NEW.id)
    WHERE id IN (SELECT id FROM below);
    RETURN NULL;
END $$;
CREATE TRIGGER patient_survivor_is_kept AFTER UPDATE OF merged_into ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.merged_into IS DISTINCT FROM NEW.merged_into)
    EXECUTE FUNCTION crosswalk.follow_merge();

-- Studies that were given to a patient by decision, whatever their objects say.
CREATE TABLE crosswalk.study_assignment (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decision_id  uuid NOT NULL REFERENCES crosswalk.identity_decision,
    study_id     uuid NOT NULL REFERENCES crosswalk.study,
    from_patient uuid REFERENCES crosswalk.patient,
    to_patient   uuid NOT NULL REFERENCES crosswalk.patient
);
CREATE INDEX study_assignment_newest ON crosswalk.study_assignment (study_id, number DESC);

ALTER TABLE crosswalk.study
    ADD COLUMN keyed_patient_id uuid REFERENCES crosswalk.patient,
    ADD COLUMN patient_assigned boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN crosswalk.study.patient_id IS 'whose pseudonym and date shift its objects have';
COMMENT ON COLUMN crosswalk.study.keyed_patient_id IS
    'the row that its objects'' Patient ID was met with; NULL: patient_id. Tells what an undone merge takes back';
COMMENT ON COLUMN crosswalk.study.patient_assigned IS 'somebody said whose it is, whatever Patient ID its objects bear';

DROP TRIGGER study_keeps_its_patient ON crosswalk.study;
CREATE TRIGGER study_keeps_its_uid BEFORE UPDATE ON crosswalk.study
    FOR EACH ROW WHEN (OLD.research_study_uid <> NEW.research_study_uid OR OLD.study_index <> NEW.study_index)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE FUNCTION crosswalk.require_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    decided uuid;
BEGIN
    SELECT to_patient INTO decided FROM crosswalk.study_assignment
        WHERE study_id = NEW.id ORDER BY number DESC LIMIT 1;
    IF NOT FOUND OR decided IS DISTINCT FROM NEW.patient_id THEN
        RAISE EXCEPTION 'no decision gives the study to this patient' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER study_keeps_its_patient BEFORE UPDATE ON crosswalk.study
    FOR EACH ROW WHEN ((OLD.patient_id IS NOT NULL AND NEW.patient_id IS DISTINCT FROM OLD.patient_id)
                       OR (OLD.keyed_patient_id IS NOT NULL
                           AND NEW.keyed_patient_id IS DISTINCT FROM OLD.keyed_patient_id)
                       OR NEW.patient_assigned <> OLD.patient_assigned)
    EXECUTE FUNCTION crosswalk.require_assignment();

-- Stored objects that bear the wrong pseudonym since a decision: to be removed, and made again from the source.
CREATE TABLE crosswalk.reissue (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id bigint NOT NULL REFERENCES crosswalk.instance,
    decision_id uuid NOT NULL REFERENCES crosswalk.identity_decision,
    opened_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at   timestamptz
);
COMMENT ON TABLE crosswalk.reissue IS 'while open, no new release takes the instance';
CREATE UNIQUE INDEX reissue_open ON crosswalk.reissue (instance_id) WHERE closed_at IS NULL;
CREATE INDEX reissue_by_decision ON crosswalk.reissue (decision_id);
CREATE TRIGGER reissue_only_closes BEFORE UPDATE ON crosswalk.reissue
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL OR NEW.closed_at IS NULL OR NEW.id <> OLD.id
                       OR NEW.instance_id <> OLD.instance_id OR NEW.decision_id <> OLD.decision_id
                       OR NEW.opened_at <> OLD.opened_at)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER reissue_stays BEFORE DELETE OR TRUNCATE ON crosswalk.reissue
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TRIGGER identity_decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.identity_decision
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER identity_event_decision_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.identity_event_decision
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER identity_event_instance_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.identity_event_instance
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER shared_accession_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.shared_accession
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER patient_merge_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.patient_merge
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER study_assignment_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.study_assignment
    EXECUTE FUNCTION crosswalk.refuse_change();

-- What is sealed in these two may be sealed anew, or destroyed with the keys of its patient.
CREATE TRIGGER patient_variant_append_only BEFORE DELETE OR TRUNCATE ON crosswalk.patient_variant
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER patient_variant_keeps_what_it_says BEFORE UPDATE ON crosswalk.patient_variant
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.patient_id <> NEW.patient_id
                       OR OLD.study_id IS DISTINCT FROM NEW.study_id OR OLD.decision_id <> NEW.decision_id)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER patient_key_append_only BEFORE DELETE OR TRUNCATE ON crosswalk.patient_key
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER patient_key_keeps_what_it_says BEFORE UPDATE ON crosswalk.patient_key
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.patient_index <> NEW.patient_index
                       OR OLD.patient_id_index <> NEW.patient_id_index OR OLD.patient_id <> NEW.patient_id
                       OR OLD.issuer_was_named <> NEW.issuer_was_named
                       OR OLD.decision_id IS DISTINCT FROM NEW.decision_id OR OLD.entered_at <> NEW.entered_at)
    EXECUTE FUNCTION crosswalk.refuse_change();
