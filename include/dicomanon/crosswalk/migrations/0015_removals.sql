-- What is taken out of the research PACS again: who decided it, what it covers, what became of it, who was told.

CREATE TABLE crosswalk.removal (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('withdrawal', 'recall', 're-issue')),
    patient_id     uuid REFERENCES crosswalk.patient,
    release_id     uuid REFERENCES crosswalk.release,
    request_key    text UNIQUE,
    requested_by   text NOT NULL CHECK (btrim(requested_by) <> ''),
    counts_as_person boolean NOT NULL,
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    ticket         text NOT NULL,
    with_recalled  boolean NOT NULL DEFAULT false,
    requested_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    requested_in   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CHECK ((kind = 'recall') = (patient_id IS NULL)),
    CHECK ((kind = 'recall') = (release_id IS NOT NULL)),
    CHECK (kind = 're-issue' OR NOT with_recalled)
);
COMMENT ON COLUMN crosswalk.removal.counts_as_person IS
    'whether requested_by is an account of the operating system, as approvals are; a login of Airflow is not';
COMMENT ON COLUMN crosswalk.removal.with_recalled IS 'whether a re-issue makes anew what is held as recalled, too';
COMMENT ON COLUMN crosswalk.removal.requested_in IS 'the transaction, which alone says what a recall is of';
-- A patient withdraws once: whoever asks again is told of the first.
CREATE UNIQUE INDEX removal_withdrawal_once ON crosswalk.removal (patient_id) WHERE kind = 'withdrawal';

CREATE TABLE crosswalk.removal_approval (
    id             uuid PRIMARY KEY,
    removal_id     uuid NOT NULL REFERENCES crosswalk.removal,
    approved_by    text NOT NULL CHECK (btrim(approved_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    approved_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX removal_approval_once ON crosswalk.removal_approval (removal_id, lower(approved_by));

CREATE FUNCTION crosswalk.refuse_own_removal() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crosswalk.removal r
               WHERE r.id = NEW.removal_id AND lower(r.requested_by) = lower(NEW.approved_by)) THEN
        RAISE EXCEPTION 'nobody approves what they requested' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER removal_approval_by_another BEFORE INSERT ON crosswalk.removal_approval
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_own_removal();

-- What a recall was asked for. The others cover a patient, with all that he has when they are carried out.
CREATE TABLE crosswalk.recall_scope (
    removal_id  uuid NOT NULL REFERENCES crosswalk.removal,
    instance_id bigint NOT NULL REFERENCES crosswalk.instance,
    PRIMARY KEY (removal_id, instance_id)
);

-- What somebody stands for is not made more afterwards.
CREATE FUNCTION crosswalk.refuse_wider_recall() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT entered.removal_id FROM entered) AS named
               JOIN crosswalk.removal r ON r.id = named.removal_id
               WHERE r.kind <> 'recall' OR r.requested_in <> pg_current_xact_id()) THEN
        RAISE EXCEPTION 'what a recall is of is said when it is requested' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER recall_scope_is_said_once AFTER INSERT ON crosswalk.recall_scope
    REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION crosswalk.refuse_wider_recall();

CREATE TABLE crosswalk.former_object (
    removal_id          uuid NOT NULL REFERENCES crosswalk.removal,
    instance_id         bigint NOT NULL REFERENCES crosswalk.instance,
    state               crosswalk.instance_state NOT NULL,
    pseudonym           text NOT NULL,
    research_study_uid  text NOT NULL,
    research_series_uid text NOT NULL,
    research_sop_uid    text NOT NULL,
    output_digest       bytea NOT NULL,
    recipe_id           integer NOT NULL REFERENCES crosswalk.recipe,
    action_counts_id    bigint REFERENCES crosswalk.action_counts,
    batch_id            bigint REFERENCES crosswalk.batch,
    marked_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (removal_id, instance_id)
);
COMMENT ON TABLE crosswalk.former_object IS 'research objects as they were when they were removed, for whoever asks later';
COMMENT ON COLUMN crosswalk.former_object.state IS 'before; a validated object may have been on its way';
CREATE INDEX former_object_by_instance ON crosswalk.former_object (instance_id);
CREATE INDEX former_object_by_sop_uid ON crosswalk.former_object (research_sop_uid);
CREATE INDEX former_object_by_series_uid ON crosswalk.former_object (research_series_uid);
CREATE INDEX former_object_by_study_uid ON crosswalk.former_object (research_study_uid);

-- What was validated may have been sent, and may be in the research PACS, whatever became of its instance afterwards.
CREATE TABLE crosswalk.unconfirmed_object (
    instance_id         bigint NOT NULL REFERENCES crosswalk.instance,
    pseudonym           text NOT NULL,
    research_study_uid  text NOT NULL,
    research_series_uid text NOT NULL,
    research_sop_uid    text NOT NULL,
    output_digest       bytea NOT NULL,
    recipe_id           integer NOT NULL REFERENCES crosswalk.recipe,
    action_counts_id    bigint REFERENCES crosswalk.action_counts,
    batch_id            bigint REFERENCES crosswalk.batch,
    recorded_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (instance_id, research_sop_uid, output_digest)
);
COMMENT ON TABLE crosswalk.unconfirmed_object IS
    'validated and never seen stored, before its instance was held, made again or given away; a removal looks for it';
-- Of before this table only what the ledger still knows the research UID of.
INSERT INTO crosswalk.unconfirmed_object (instance_id, pseudonym, research_study_uid, research_series_uid,
    research_sop_uid, output_digest, recipe_id, action_counts_id)
SELECT i.id, coalesce((
        SELECT f.pseudonym FROM crosswalk.study_assignment a
        JOIN crosswalk.identity_decision d ON d.id = a.decision_id AND d.decided_at > v.recorded_at
        JOIN crosswalk.patient f ON f.id = a.from_patient
        WHERE a.study_id = i.study_id ORDER BY a.number LIMIT 1), p.pseudonym),
    st.research_study_uid, se.research_series_uid, i.research_sop_uid, v.output_digest, i.recipe_id,
    i.action_counts_id
FROM crosswalk.instance i
JOIN crosswalk.study st ON st.id = i.study_id
JOIN crosswalk.series se ON se.id = i.series_id
JOIN crosswalk.patient p ON p.id = st.patient_id
CROSS JOIN LATERAL (
    SELECT v.output_digest, v.recorded_at FROM crosswalk.verdict v
    WHERE v.instance_id = i.id AND v.passed AND v.output_digest IS NOT NULL ORDER BY v.id DESC LIMIT 1) v
WHERE i.state NOT IN ('stored', 'validated') AND i.research_sop_uid IS NOT NULL AND i.recipe_id IS NOT NULL
  AND st.research_study_uid IS NOT NULL AND se.research_series_uid IS NOT NULL;

CREATE FUNCTION crosswalk.keep_unconfirmed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO crosswalk.unconfirmed_object (instance_id, pseudonym, research_study_uid, research_series_uid,
        research_sop_uid, output_digest, recipe_id, action_counts_id, batch_id)
    SELECT OLD.id, p.pseudonym, st.research_study_uid, se.research_series_uid, OLD.research_sop_uid,
        OLD.output_digest, OLD.recipe_id, OLD.action_counts_id, OLD.batch_id
    FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id
    JOIN crosswalk.series se ON se.id = OLD.series_id
    WHERE st.id = OLD.study_id AND NOT EXISTS (
        SELECT FROM crosswalk.former_object f
        WHERE f.instance_id = OLD.id AND f.research_sop_uid = OLD.research_sop_uid)
    ON CONFLICT DO NOTHING;
    RETURN NEW;
END $$;
CREATE TRIGGER instance_keeps_what_is_unconfirmed BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'validated'
                       AND (NEW.state NOT IN ('validated', 'stored')
                            OR OLD.output_digest IS DISTINCT FROM NEW.output_digest
                            OR OLD.research_sop_uid IS DISTINCT FROM NEW.research_sop_uid))
    EXECUTE FUNCTION crosswalk.keep_unconfirmed();

CREATE TABLE crosswalk.removal_receipt (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    removal_id  uuid NOT NULL,
    instance_id bigint NOT NULL,
    gone        boolean NOT NULL,
    means       text NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (removal_id, instance_id) REFERENCES crosswalk.former_object
);
COMMENT ON COLUMN crosswalk.removal_receipt.gone IS 'neither QIDO-RS nor WADO-RS of the research PACS shows it';
CREATE INDEX removal_receipt_newest ON crosswalk.removal_receipt (removal_id, instance_id, id DESC);

ALTER TABLE crosswalk.release ADD COLUMN replaces uuid UNIQUE REFERENCES crosswalk.release;

CREATE TABLE crosswalk.tombstone (
    release_id  uuid NOT NULL REFERENCES crosswalk.release,
    removal_id  uuid NOT NULL REFERENCES crosswalk.removal,
    instances   bigint NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (release_id, removal_id)
);
COMMENT ON TABLE crosswalk.tombstone IS 'a release that has one gives no access to anything any more';
CREATE INDEX tombstone_by_removal ON crosswalk.tombstone (removal_id);

CREATE VIEW crosswalk.granted_instance AS
    SELECT re.project, ri.release_id, ri.instance_id, i.research_sop_uid
    FROM crosswalk.release re
    JOIN crosswalk.release_instance ri ON ri.release_id = re.id
    JOIN crosswalk.instance i ON i.id = ri.instance_id AND i.state = 'stored'
    WHERE NOT EXISTS (SELECT FROM crosswalk.tombstone t WHERE t.release_id = re.id);
COMMENT ON VIEW crosswalk.granted_instance IS 'what a project may read; whoever lets researchers read asks here';

CREATE TABLE crosswalk.removal_notice (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    removal_id  uuid NOT NULL,
    release_id  uuid NOT NULL,
    means       text NOT NULL,
    recipients  jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (release_id, removal_id) REFERENCES crosswalk.tombstone
);
CREATE INDEX removal_notice_by_removal ON crosswalk.removal_notice (removal_id);

CREATE TABLE crosswalk.removal_step (
    removal_id  uuid NOT NULL REFERENCES crosswalk.removal,
    step        text NOT NULL,
    counts      jsonb NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (removal_id, step)
);
CREATE INDEX removal_step_marked ON crosswalk.removal_step (step) WHERE step = 'marked';
COMMENT ON INDEX crosswalk.removal_step_marked IS 'how many are marked tells whoever remembers a patient to look again';

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['removal', 'removal_approval', 'recall_scope', 'former_object', 'unconfirmed_object',
                                'removal_receipt', 'tombstone', 'removal_notice', 'removal_step'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.%1$s'
                       ' EXECUTE FUNCTION crosswalk.refuse_change()', name);
    END LOOP;
END $$;

-- A patient who has withdrawn is known for ever, so as not to come back; the salt makes new research UIDs.
ALTER TABLE crosswalk.patient ADD COLUMN withdrawn_by uuid REFERENCES crosswalk.removal;
ALTER TABLE crosswalk.patient ADD COLUMN uid_salt bytea;
COMMENT ON COLUMN crosswalk.patient.uid_salt IS
    'no secret: of no use without the UID key; NULL until a re-issue, and after the keys were destroyed';
CREATE TRIGGER patient_stays_withdrawn BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.withdrawn_by IS NOT NULL AND NEW.withdrawn_by IS DISTINCT FROM OLD.withdrawn_by)
    EXECUTE FUNCTION crosswalk.refuse_change();

-- A person has withdrawn as a whole or not at all: no merge makes one of both.
CREATE FUNCTION crosswalk.refuse_half_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crosswalk.patient p WHERE p.id = NEW.merged_into
               AND (p.withdrawn_by IS NULL) <> (NEW.withdrawn_by IS NULL)) THEN
        RAISE EXCEPTION 'one of the patients has withdrawn, the other has not' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_merges_with_the_like BEFORE UPDATE OF merged_into ON crosswalk.patient
    FOR EACH ROW WHEN (NEW.merged_into IS NOT NULL) EXECUTE FUNCTION crosswalk.refuse_half_withdrawn();

-- Of a patient whose keys were destroyed nothing changes any more but that he withdraws.
DROP TRIGGER patient_stays_destroyed ON crosswalk.patient;
CREATE TRIGGER patient_stays_destroyed BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.key_destroyed_at IS NOT NULL
                       AND to_jsonb(NEW) - 'withdrawn_by' IS DISTINCT FROM to_jsonb(OLD) - 'withdrawn_by')
    EXECUTE FUNCTION crosswalk.refuse_change();

-- What is stored leaves only as a removal says that covers this very object.
CREATE FUNCTION crosswalk.refuse_unless_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.state <> 'stored' AND EXISTS (
        SELECT FROM crosswalk.former_object f JOIN crosswalk.removal r ON r.id = f.removal_id
        WHERE f.instance_id = OLD.id AND f.research_sop_uid = OLD.research_sop_uid
          AND f.output_digest = OLD.output_digest
          AND CASE r.kind WHEN 'withdrawal' THEN NEW.state = 'withdrawn'
                          WHEN 'recall' THEN NEW.state = 'held' AND NEW.reason = 'recalled'
                          ELSE NEW.state = 'discovered' END) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'rows of instance are never changed once stored' USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER instance_stored_is_final ON crosswalk.instance;
CREATE TRIGGER instance_stored_is_final BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'stored'
                       AND (NEW.state <> 'stored' OR OLD.output_digest IS DISTINCT FROM NEW.output_digest
                            OR OLD.research_sop_uid IS DISTINCT FROM NEW.research_sop_uid
                            OR OLD.input_digest IS DISTINCT FROM NEW.input_digest
                            OR OLD.recipe_id IS DISTINCT FROM NEW.recipe_id
                            OR OLD.batch_id IS DISTINCT FROM NEW.batch_id))
    EXECUTE FUNCTION crosswalk.refuse_unless_removed();
-- Source UIDs are given out for what is worked on: what is settled comes into no batch, and no closed run is at work.
CREATE TRIGGER instance_settled_keeps_its_batch BEFORE UPDATE OF batch_id ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state IN ('stored', 'held', 'filtered', 'withdrawn') AND NEW.batch_id IS NOT NULL
                       AND OLD.batch_id IS DISTINCT FROM NEW.batch_id)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER run_stays_closed BEFORE UPDATE ON crosswalk.run
    FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER instance_withdrawn_is_final BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'withdrawn' AND NEW.state <> 'withdrawn')
    EXECUTE FUNCTION crosswalk.refuse_change();

-- A research UID that was removed stands for nothing else, ever.
CREATE FUNCTION crosswalk.refuse_former_uid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crosswalk.former_object f WHERE f.research_sop_uid = NEW.research_sop_uid) THEN
        RAISE EXCEPTION 'a research UID that was removed is not used again' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER instance_takes_no_former_uid BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (NEW.state = 'stored' AND (OLD.state <> 'stored'
                       OR OLD.research_sop_uid IS DISTINCT FROM NEW.research_sop_uid))
    EXECUTE FUNCTION crosswalk.refuse_former_uid();
CREATE TRIGGER instance_enters_under_no_former_uid BEFORE INSERT ON crosswalk.instance
    FOR EACH ROW WHEN (NEW.state = 'stored')
    EXECUTE FUNCTION crosswalk.refuse_former_uid();

ALTER TABLE crosswalk.instance DROP CONSTRAINT instance_check2;
ALTER TABLE crosswalk.instance ADD CONSTRAINT instance_reused_is_never_made
    CHECK (NOT uid_reused OR state IN ('held', 'withdrawn'));
