-- Which rules may be used, who said so, and how often each action was carried out on an instance.

-- The rules as they were published: a version names its content, so a row is never changed.
CREATE TABLE crosswalk.profile_version (
    id             uuid PRIMARY KEY,
    version        text NOT NULL UNIQUE,
    name           text NOT NULL,
    content        text NOT NULL,
    content_digest bytea NOT NULL,
    code_version   text NOT NULL,
    published_by   text NOT NULL CHECK (btrim(published_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (starts_with(version, name || '@')),
    CHECK (content_digest = sha256(convert_to(content, 'UTF8')))
);
COMMENT ON COLUMN crosswalk.profile_version.content IS 'canonical JSON; rules for all patients, of no patient';
COMMENT ON COLUMN crosswalk.profile_version.database_login IS 'who said it to the database, whoever the program named';

CREATE TABLE crosswalk.profile_approval (
    id             uuid PRIMARY KEY,
    profile_id     uuid NOT NULL REFERENCES crosswalk.profile_version,
    approved_by    text NOT NULL CHECK (btrim(approved_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    approved_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE UNIQUE INDEX profile_approval_once ON crosswalk.profile_approval (profile_id, lower(approved_by));

-- The rule of two persons must hold for whoever writes here, by whatever program.
CREATE FUNCTION crosswalk.refuse_own_approval() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM crosswalk.profile_version v
               WHERE v.id = NEW.profile_id AND lower(v.published_by) = lower(NEW.approved_by)) THEN
        RAISE EXCEPTION 'nobody approves what they published' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER profile_approval_by_another BEFORE INSERT ON crosswalk.profile_approval
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_own_approval();
CREATE TRIGGER profile_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.profile_version
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER profile_approval_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.profile_approval
    EXECUTE FUNCTION crosswalk.refuse_change();

-- How many elements each action met. The slices of a series share one row, so that an instance costs a number.
CREATE TABLE crosswalk.action_counts (
    id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    digest bytea NOT NULL UNIQUE,
    counts jsonb NOT NULL
);
CREATE TRIGGER action_counts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.action_counts
    EXECUTE FUNCTION crosswalk.refuse_change();

ALTER TABLE crosswalk.instance ADD COLUMN action_counts_id bigint REFERENCES crosswalk.action_counts;
COMMENT ON COLUMN crosswalk.instance.action_counts_id IS 'NULL where no object was made, or before counts were kept';
CREATE TRIGGER instance_stored_keeps_its_counts BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'stored' AND NEW.action_counts_id IS DISTINCT FROM OLD.action_counts_id)
    EXECUTE FUNCTION crosswalk.refuse_change();
