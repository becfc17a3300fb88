-- What projects may ask for, and who asks for them.

-- The terms of a project as they were at each time: the newest version holds.
CREATE TABLE crosswalk.project_version (
    id               uuid PRIMARY KEY,
    project          text NOT NULL CHECK (project ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$'),
    version          integer NOT NULL CHECK (version > 0),
    title            text NOT NULL CHECK (btrim(title) <> ''),
    lead_name        text NOT NULL CHECK (btrim(lead_name) <> ''),
    ethics_number    text NOT NULL CHECK (btrim(ethics_number) <> ''),
    ethics_expires   date NOT NULL,
    retention_days   integer NOT NULL CHECK (retention_days > 0),
    profiles         text[] NOT NULL,
    criteria         text[],
    minimum_patients integer NOT NULL CHECK (minimum_patients >= 2),
    approval_for     text[] NOT NULL CHECK (approval_for <@ ARRAY['identifiers', 'small-cohort', 'overlap']),
    set_by           text NOT NULL CHECK (btrim(set_by) <> ''),
    database_login   text NOT NULL DEFAULT session_user,
    reason_sealed    bytea NOT NULL,
    set_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (project, version)
);
COMMENT ON COLUMN crosswalk.project_version.profiles IS 'names or versions of profiles; empty for any';
COMMENT ON COLUMN crosswalk.project_version.criteria IS 'parameters of a cohort request; NULL for all, those of later versions included';
CREATE TRIGGER project_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.project_version
    EXECUTE FUNCTION crosswalk.refuse_change();

-- Logins of Airflow. Those of the database, which read what was released, are project_member.
CREATE TABLE crosswalk.project_requester (
    project        text NOT NULL CHECK (btrim(project) <> ''),
    requester      text NOT NULL CHECK (btrim(requester) <> ''),
    added_by       text NOT NULL CHECK (btrim(added_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    added_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project, requester)
);

CREATE FUNCTION crosswalk.project_terms(of_project text)
RETURNS TABLE (project text, version integer, title text, lead_name text, ethics_number text, ethics_expires date,
               retention_days integer, profiles text[], criteria text[], minimum_patients integer,
               approval_for text[], set_by text, set_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.project, p.version, p.title, p.lead_name, p.ethics_number, p.ethics_expires, p.retention_days,
           p.profiles, p.criteria, p.minimum_patients, p.approval_for, p.set_by, p.set_at
    FROM crosswalk.project_version p WHERE p.project = of_project ORDER BY p.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION crosswalk.project_terms IS 'the newest version; nothing where there is none';

CREATE FUNCTION crosswalk.requests_for(of_project text, by_requester text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM crosswalk.project_requester r
                   WHERE r.project = of_project AND r.requester = by_requester)
$$;
COMMENT ON FUNCTION crosswalk.requests_for IS 'whether a login of Airflow may request cohorts for a project now';

-- What requests led to, and who stands for those that wait -------------------------------------------------------------

CREATE TABLE crosswalk.cohort_told (
    id          uuid PRIMARY KEY,
    project     text NOT NULL CHECK (btrim(project) <> ''),
    request_key text NOT NULL CHECK (btrim(request_key) <> ''),
    dry_run     boolean NOT NULL,
    digest      bytea NOT NULL,
    patients    bigint[] NOT NULL,
    told_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (project, digest, dry_run)
);
COMMENT ON TABLE crosswalk.cohort_told IS
    'of whom cohorts were that a project was given, or the counts of; the same people once';
COMMENT ON COLUMN crosswalk.cohort_told.patients IS
    'half of the blind index of project and surviving pseudonym: equal for equal patients of one project only';
CREATE TRIGGER cohort_told_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.cohort_told
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.cohort_held (
    id             uuid PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    project        text NOT NULL CHECK (btrim(project) <> ''),
    requester      text NOT NULL CHECK (btrim(requester) <> ''),
    request_key    text NOT NULL CHECK (btrim(request_key) <> ''),
    dry_run        boolean NOT NULL,
    held_for       text[] NOT NULL CHECK (held_for <> '{}'
                                          AND held_for <@ ARRAY['identifiers', 'small-cohort', 'overlap']),
    patients       bigint NOT NULL,
    asked          jsonb NOT NULL,
    purpose_sealed bytea NOT NULL,
    database_login text NOT NULL DEFAULT session_user,
    held_at        timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crosswalk.cohort_held IS 'requests that wait for an approval; of one that is held again, the newest row holds';
COMMENT ON COLUMN crosswalk.cohort_held.asked IS 'which parameters, and how many entries of each';
CREATE INDEX cohort_held_of_request ON crosswalk.cohort_held (request_key, number DESC);
CREATE TRIGGER cohort_held_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.cohort_held
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.cohort_decision (
    held_id        uuid PRIMARY KEY REFERENCES crosswalk.cohort_held,
    decision       text NOT NULL CHECK (decision IN ('approved', 'refused')),
    decided_by     text NOT NULL CHECK (btrim(decided_by) <> ''),
    reason_sealed  bytea NOT NULL,
    database_login text NOT NULL DEFAULT session_user,
    decided_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER cohort_decision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.cohort_decision
    EXECUTE FUNCTION crosswalk.refuse_change();

-- The rule of two persons must hold for whoever writes here, by whatever program; the writer need not read requests.
CREATE FUNCTION crosswalk.refuse_own_cohort() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM crosswalk.cohort_held h
               WHERE h.id = NEW.held_id AND lower(btrim(h.requester)) = lower(btrim(NEW.decided_by))) THEN
        RAISE EXCEPTION 'nobody approves what they requested' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER cohort_decision_by_another BEFORE INSERT ON crosswalk.cohort_decision
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_own_cohort();

-- Nothing is released of what waits or was refused, whatever the program.
CREATE FUNCTION crosswalk.refuse_held_release() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT h.id FROM crosswalk.cohort_held h WHERE h.request_key = NEW.request_key
                            ORDER BY h.number DESC LIMIT 1) AS held
               WHERE NOT EXISTS (SELECT FROM crosswalk.cohort_decision d
                                 WHERE d.held_id = held.id AND d.decision = 'approved')) THEN
        RAISE EXCEPTION 'the request of this release was held, and is not approved' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER release_is_not_held BEFORE INSERT ON crosswalk.release
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_held_release();

CREATE FUNCTION crosswalk.near_cohorts(
    of_project text, of_request text, is_dry_run boolean, of_patients bigint[], fewer_than integer)
RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH compared AS (
        SELECT t.dry_run, cardinality(t.patients) AS theirs, cardinality(of_patients) AS ours,
               count(mine.patient) AS shared
        FROM crosswalk.cohort_told t
        CROSS JOIN LATERAL unnest(t.patients) AS their (patient)
        LEFT JOIN unnest(of_patients) AS mine (patient) ON mine.patient = their.patient
        WHERE t.project = of_project AND t.request_key <> of_request
        GROUP BY t.id)
    SELECT count(*) FROM compared
    WHERE shared > 0
      AND (theirs - shared BETWEEN 1 AND fewer_than - 1 OR ours - shared BETWEEN 1 AND fewer_than - 1)
      -- Two counts that are told as few tell nothing of each other.
      AND NOT (dry_run AND is_dry_run AND theirs < fewer_than AND ours < fewer_than)
$$;
COMMENT ON FUNCTION crosswalk.near_cohorts IS
    'how many earlier cohorts, of other requests, share patients with this one and leave so few on either side';

CREATE FUNCTION crosswalk.cohort_approval(of_request text)
RETURNS TABLE (held_id uuid, requester text, held_for text[], decision text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT h.id, h.requester, h.held_for, d.decision
    FROM crosswalk.cohort_held h LEFT JOIN crosswalk.cohort_decision d ON d.held_id = h.id
    WHERE h.request_key = of_request ORDER BY h.number DESC LIMIT 1
$$;
COMMENT ON FUNCTION crosswalk.cohort_approval IS 'what a request was held for when it last was, and what was decided then';
