-- Who a pseudonym or a research UID belongs to: asked by one person, approved by another, shown once.
--
-- Each step is a row that is never changed, and names the entry of the audit trail that it was committed with.

CREATE TABLE crosswalk.reidentification_request (
    id             uuid PRIMARY KEY,
    kind           text NOT NULL CHECK (kind IN ('pseudonym', 'study', 'series', 'instance')),
    identifier     text NOT NULL,
    requested_by   text NOT NULL CHECK (btrim(requested_by) <> ''),
    database_login text NOT NULL,
    ticket_sealed  bytea NOT NULL,
    reason_sealed  bytea NOT NULL,
    hours          integer NOT NULL CHECK (hours BETWEEN 1 AND 168),
    requested_at   timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    event_id       uuid NOT NULL UNIQUE REFERENCES crosswalk.access_event
);
COMMENT ON COLUMN crosswalk.reidentification_request.identifier IS 'pseudonym or research UID, never a source value';
COMMENT ON COLUMN crosswalk.reidentification_request.ticket_sealed IS 'people type names and numbers into tickets, too';
CREATE INDEX reidentification_request_by_person
    ON crosswalk.reidentification_request (lower(requested_by), requested_at);

CREATE TABLE crosswalk.reidentification_decision (
    request_id     uuid PRIMARY KEY REFERENCES crosswalk.reidentification_request,
    decision       text NOT NULL CHECK (decision IN ('approved', 'refused')),
    decided_by     text NOT NULL CHECK (btrim(decided_by) <> ''),
    database_login text NOT NULL,
    reason_sealed  bytea NOT NULL,
    decided_at     timestamptz NOT NULL,
    event_id       uuid NOT NULL UNIQUE REFERENCES crosswalk.access_event
);

-- The key refuses a second showing.
CREATE TABLE crosswalk.reidentification_showing (
    request_id     uuid PRIMARY KEY REFERENCES crosswalk.reidentification_request,
    shown_to       text NOT NULL,
    database_login text NOT NULL,
    shown_at       timestamptz NOT NULL,
    event_id       uuid NOT NULL UNIQUE REFERENCES crosswalk.access_event
);

-- Times and logins are the database's to say, and the rules of who and when hold for whatever program writes here.
CREATE FUNCTION crosswalk.stamp_reidentification_request() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.database_login := session_user;
    NEW.requested_at := clock_timestamp();
    NEW.expires_at := NEW.requested_at + make_interval(hours => NEW.hours);
    RETURN NEW;
END $$;
CREATE TRIGGER reidentification_request_stamped BEFORE INSERT ON crosswalk.reidentification_request
    FOR EACH ROW EXECUTE FUNCTION crosswalk.stamp_reidentification_request();

CREATE FUNCTION crosswalk.check_reidentification_decision() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request crosswalk.reidentification_request;
BEGIN
    SELECT * INTO request FROM crosswalk.reidentification_request WHERE id = NEW.request_id;
    NEW.database_login := session_user;
    NEW.decided_at := clock_timestamp();
    IF NEW.decided_at >= request.expires_at THEN
        RAISE EXCEPTION 'a request that has expired is not decided' USING ERRCODE = 'restrict_violation';
    END IF;
    IF NEW.decision = 'approved' AND lower(btrim(NEW.decided_by)) = lower(btrim(request.requested_by)) THEN
        RAISE EXCEPTION 'nobody approves what they asked for' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reidentification_decision_checked BEFORE INSERT ON crosswalk.reidentification_decision
    FOR EACH ROW EXECUTE FUNCTION crosswalk.check_reidentification_decision();

CREATE FUNCTION crosswalk.check_reidentification_showing() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    request crosswalk.reidentification_request;
BEGIN
    SELECT * INTO request FROM crosswalk.reidentification_request WHERE id = NEW.request_id;
    NEW.database_login := session_user;
    NEW.shown_at := clock_timestamp();
    IF NEW.shown_at >= request.expires_at
       OR lower(btrim(NEW.shown_to)) <> lower(btrim(request.requested_by))
       OR NOT EXISTS (SELECT FROM crosswalk.reidentification_decision d
                      WHERE d.request_id = NEW.request_id AND d.decision = 'approved') THEN
        RAISE EXCEPTION 'shown to who asked, once it is approved, until it expires' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reidentification_showing_checked BEFORE INSERT ON crosswalk.reidentification_showing
    FOR EACH ROW EXECUTE FUNCTION crosswalk.check_reidentification_showing();

CREATE TRIGGER reidentification_request_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.reidentification_request
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER reidentification_decision_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.reidentification_decision
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER reidentification_showing_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.reidentification_showing
    EXECUTE FUNCTION crosswalk.refuse_change();
