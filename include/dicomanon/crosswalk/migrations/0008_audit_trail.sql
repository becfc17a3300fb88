-- The access events become one chain: numbered without a gap, each with a hash over itself and the one before it.

-- One row. Whoever appends locks it until the end of the transaction, so that numbers have no gap and one order.
CREATE TABLE crosswalk.audit_turn (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    chain uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON COLUMN crosswalk.audit_turn.chain IS 'names this trail; the first entry hashes it as what came before';
INSERT INTO crosswalk.audit_turn DEFAULT VALUES;
CREATE TRIGGER audit_turn_is_final BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.audit_turn
    EXECUTE FUNCTION crosswalk.refuse_change();

ALTER TABLE crosswalk.access_event
    ADD COLUMN number         bigint,
    ADD COLUMN subject_kind   text NOT NULL DEFAULT '',
    ADD COLUMN subject        text NOT NULL DEFAULT '',
    ADD COLUMN database_login text NOT NULL DEFAULT '',
    ADD COLUMN hash           bytea,
    ADD CHECK ((subject_kind = '') = (subject = ''));
COMMENT ON COLUMN crosswalk.access_event.subject IS
    'what the event is about, by an identifier that is no PHI: pseudonym, research UID, batch, release, profile, device';
COMMENT ON COLUMN crosswalk.access_event.database_login IS
    'who said it to the database, whoever the program named; empty in entries older than the chain';

-- Each field is preceded by its length in bytes and followed by a comma: no two rows have one text. Whoever verifies
-- makes the same bytes from the row by a program of their own.
CREATE FUNCTION crosswalk.audit_field(field text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT octet_length(convert_to(field, 'UTF8')) || ':' || field || ','
$$;
CREATE FUNCTION crosswalk.audit_hash(previous bytea, event crosswalk.access_event) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(previous || convert_to(
        crosswalk.audit_field('1')
        || crosswalk.audit_field(event.number::text)
        || crosswalk.audit_field(event.id::text)
        || crosswalk.audit_field((extract(epoch FROM event.recorded_at) * 1000000)::bigint::text)
        || crosswalk.audit_field(event.actor)
        || crosswalk.audit_field(event.action)
        || crosswalk.audit_field(encode(event.reason_sealed, 'hex'))
        || crosswalk.audit_field(event.count::text)
        || crosswalk.audit_field(coalesce(event.instance_id::text, ''))
        || crosswalk.audit_field(event.subject_kind)
        || crosswalk.audit_field(event.subject)
        || crosswalk.audit_field(event.database_login), 'UTF8'))
$$;
CREATE FUNCTION crosswalk.audit_genesis() RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to('dicomanon audit trail ' || chain, 'UTF8')) FROM crosswalk.audit_turn
$$;

-- What is there already is the beginning of the chain, in the order in which it was recorded.
ALTER TABLE crosswalk.access_event DISABLE TRIGGER access_event_append_only;
DO $$
DECLARE
    event    crosswalk.access_event;
    previous bytea := crosswalk.audit_genesis();
    entries  bigint := 0;
BEGIN
    FOR event IN SELECT * FROM crosswalk.access_event ORDER BY recorded_at, id LOOP
        entries := entries + 1;
        event.number := entries;
        previous := crosswalk.audit_hash(previous, event);
        UPDATE crosswalk.access_event SET number = entries, hash = previous WHERE id = event.id;
    END LOOP;
END $$;
ALTER TABLE crosswalk.access_event ENABLE TRIGGER access_event_append_only;
ALTER TABLE crosswalk.access_event
    ALTER COLUMN number SET NOT NULL,
    ALTER COLUMN hash SET NOT NULL,
    ADD CONSTRAINT access_event_number UNIQUE (number);
CREATE INDEX access_event_by_subject ON crosswalk.access_event (subject, number) WHERE subject <> '';
CREATE INDEX access_event_by_actor ON crosswalk.access_event (actor, number);
CREATE INDEX access_event_by_action ON crosswalk.access_event (action, number);

-- As the owner, so that who may insert needs no right to read the trail or to lock its turn. Number, time, login and
-- hash are set here, whatever the writer gave.
CREATE FUNCTION crosswalk.chain_access_event() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    newest crosswalk.access_event;
BEGIN
    PERFORM FROM crosswalk.audit_turn FOR UPDATE;
    SELECT * INTO newest FROM crosswalk.access_event ORDER BY number DESC LIMIT 1;
    NEW.number := coalesce(newest.number, 0) + 1;
    -- A clock that is set back does not turn the order round.
    NEW.recorded_at := greatest(clock_timestamp(), newest.recorded_at);
    NEW.database_login := session_user;
    NEW.hash := crosswalk.audit_hash(coalesce(newest.hash, crosswalk.audit_genesis()), NEW);
    RETURN NEW;
END $$;
CREATE TRIGGER access_event_chained BEFORE INSERT ON crosswalk.access_event
    FOR EACH ROW EXECUTE FUNCTION crosswalk.chain_access_event();
