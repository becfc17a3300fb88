-- Patients, their pseudonyms, and what did not fit together about an identity.
--
-- Columns named *_sealed hold AES-256-GCM ciphertext bound to their own row; columns named *_index hold keyed hashes
-- for equality only. Everything else may be read by anyone who may read the table.

-- Which keys this database was written with: a keyring that is not this one must not write a second pseudonym
-- for a patient who already has one.
CREATE TABLE crosswalk.keyring_fingerprint (
    key_name    text PRIMARY KEY,
    fingerprint bytea NOT NULL
);

CREATE TABLE crosswalk.patient (
    id                uuid PRIMARY KEY,
    pseudonym         text NOT NULL UNIQUE,
    patient_index     bytea NOT NULL UNIQUE,
    patient_id_index  bytea NOT NULL,
    identity_sealed   bytea NOT NULL,
    date_shift_sealed bytea NOT NULL,
    created_at        timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN crosswalk.patient.patient_index IS 'issuer and Patient ID together: what makes a patient one';
COMMENT ON COLUMN crosswalk.patient.patient_id_index IS 'Patient ID whatever its issuer: for requests that name none';
CREATE INDEX patient_by_patient_id ON crosswalk.patient (patient_id_index);

CREATE FUNCTION crosswalk.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or removed', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- One patient, one pseudonym, one date shift, for ever.
CREATE TRIGGER patient_keeps_its_pseudonym BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.id <> NEW.id OR OLD.pseudonym <> NEW.pseudonym OR OLD.patient_index <> NEW.patient_index
                       OR OLD.date_shift_sealed <> NEW.date_shift_sealed)
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.identity_event (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL,
    fingerprint   bytea NOT NULL,
    patient_id    uuid,
    study_id      uuid,
    instance_id   bigint,
    detail_sealed bytea NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
-- The fingerprint covers what the event is about, so that a retry or the next thousand slices do not repeat it.
CREATE UNIQUE INDEX identity_event_once ON crosswalk.identity_event (kind, fingerprint);
CREATE INDEX identity_event_by_study ON crosswalk.identity_event (study_id);
CREATE TRIGGER identity_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.identity_event
    EXECUTE FUNCTION crosswalk.refuse_change();
