-- Envelope encryption: master key (not here) > wrapping keys > data keys > values. See docs/architecture.md, Keys.

CREATE TABLE crosswalk.wrapping_key (
    number     integer PRIMARY KEY CHECK (number > 0),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    retired_at timestamptz
);
COMMENT ON COLUMN crosswalk.wrapping_key.retired_at IS 'wraps nothing any more, and its slots are gone';

-- Like the slots of an encrypted disk: each master key that may open a wrapping key has one.
CREATE TABLE crosswalk.wrapping_key_slot (
    number      integer NOT NULL REFERENCES crosswalk.wrapping_key,
    master      text NOT NULL,
    key_wrapped bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (number, master)
);
COMMENT ON COLUMN crosswalk.wrapping_key_slot.master IS 'name of a master key; a one-way mark, or a name that people gave';

-- Keys of values that belong to no patient. 0, where it is there, is what the keyring sealed directly before this step.
CREATE TABLE crosswalk.site_key (
    number      smallint PRIMARY KEY CHECK (number >= 0),
    key_wrapped bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

ALTER TABLE crosswalk.patient
    ADD COLUMN key_wrapped bytea,
    ADD COLUMN key_destroyed_at timestamptz,
    ADD COLUMN issuer_was_named boolean,
    ADD CONSTRAINT patient_key_is_there_or_destroyed CHECK (key_wrapped IS NULL OR key_destroyed_at IS NULL);
COMMENT ON COLUMN crosswalk.patient.key_wrapped IS 'data key of the row; NULL before it was sealed with one, or destroyed';
COMMENT ON COLUMN crosswalk.patient.issuer_was_named IS
    'set when the keys are destroyed: whether the same Patient ID of another issuer is surely another patient';
ALTER TABLE crosswalk.study
    ADD COLUMN key_wrapped bytea,
    ADD COLUMN key_destroyed_at timestamptz,
    ADD CONSTRAINT study_key_is_there_or_destroyed CHECK (key_wrapped IS NULL OR key_destroyed_at IS NULL);
COMMENT ON COLUMN crosswalk.study.key_wrapped IS 'data key of the study, its series, instances, known values and events';
-- What a re-seal has left to do.
CREATE INDEX patient_without_key ON crosswalk.patient (id) WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL;
CREATE INDEX study_without_key ON crosswalk.study (id) WHERE key_wrapped IS NULL AND key_destroyed_at IS NULL;
CREATE INDEX identity_event_by_patient ON crosswalk.identity_event (patient_id);

-- A shared lock until the transaction ends: whoever retires a wrapping key waits for those who still wrap with it. The
-- number is read after the lock is had, by a statement of its own, so that it is not the one of before the wait.
CREATE FUNCTION crosswalk.current_wrapping_key() RETURNS integer LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(3356, 1);
    RETURN (SELECT max(number) FROM crosswalk.wrapping_key WHERE retired_at IS NULL);
END $$;

-- One patient, one pseudonym, one date shift, for ever. The ciphertext of the shift changes only with the data key.
DROP TRIGGER patient_keeps_its_pseudonym ON crosswalk.patient;
CREATE TRIGGER patient_keeps_its_pseudonym BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.pseudonym <> NEW.pseudonym OR OLD.patient_index <> NEW.patient_index
                       OR (OLD.date_shift_sealed <> NEW.date_shift_sealed
                           AND OLD.key_wrapped IS NOT DISTINCT FROM NEW.key_wrapped
                           AND OLD.key_destroyed_at IS NOT DISTINCT FROM NEW.key_destroyed_at))
    EXECUTE FUNCTION crosswalk.refuse_change();

-- What was destroyed stays so: neither a key nor a value comes back.
CREATE TRIGGER patient_stays_destroyed BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.key_destroyed_at IS NOT NULL)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER study_stays_destroyed BEFORE UPDATE ON crosswalk.study
    FOR EACH ROW WHEN (OLD.key_destroyed_at IS NOT NULL
                       AND (NEW.key_destroyed_at IS DISTINCT FROM OLD.key_destroyed_at
                            OR NEW.key_wrapped IS NOT NULL OR NEW.uid_sealed <> '' OR NEW.facts_sealed IS NOT NULL))
    EXECUTE FUNCTION crosswalk.refuse_change();

-- An event is never changed; its detail may be sealed anew, with the data key that it belongs to.
DROP TRIGGER identity_event_append_only ON crosswalk.identity_event;
CREATE TRIGGER identity_event_append_only BEFORE DELETE OR TRUNCATE ON crosswalk.identity_event
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER identity_event_keeps_what_it_says BEFORE UPDATE ON crosswalk.identity_event
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.kind <> NEW.kind OR OLD.fingerprint <> NEW.fingerprint
                       OR OLD.patient_id IS DISTINCT FROM NEW.patient_id
                       OR OLD.study_id IS DISTINCT FROM NEW.study_id
                       OR OLD.instance_id IS DISTINCT FROM NEW.instance_id
                       OR OLD.recorded_at <> NEW.recorded_at)
    EXECUTE FUNCTION crosswalk.refuse_change();
