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
