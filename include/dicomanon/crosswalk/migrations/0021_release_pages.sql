-- What the pages of Airflow's api-server show of releases, and the record of what was taken there.
--
-- Airflow has checked who asks before it asks here. The pages have no key and read no table; that a login of Airflow
-- requests for a project now is judged in the statement that answers.

-- As before, and the pages, whose functions show what is of the projects of a login of Airflow.
CREATE OR REPLACE FUNCTION crosswalk.sees_project(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT session_user = current_user -- the owner itself, in a migration
        OR pg_has_role(session_user, 'dicomanon_ingest', 'MEMBER') -- which asks by a request, for ids alone
        OR pg_has_role(session_user, 'dicomanon_cohort', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_removal', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_auditor', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_admin', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_gateway', 'MEMBER') -- which reads no table
        OR pg_has_role(session_user, 'dicomanon_pages', 'MEMBER') -- which read none either
        OR EXISTS (SELECT FROM crosswalk.project_member m WHERE m.project = wanted AND m.login = session_user)
$$;

CREATE FUNCTION crosswalk.pages_releases(by_requester text)
RETURNS TABLE (release_id uuid, project text, number integer, requester text, request_key text, instances bigint,
               created_at timestamptz, ended_at timestamptz, replaced_by integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT re.id, re.project, re.number, re.requester, re.request_key, re.instances, re.created_at,
           (SELECT min(t.recorded_at) FROM crosswalk.tombstone t WHERE t.release_id = re.id),
           (SELECT n.number FROM crosswalk.release n WHERE n.replaces = re.id)
    FROM crosswalk.project_requester r JOIN crosswalk.release re ON re.project = r.project
    WHERE r.requester = by_requester
    ORDER BY re.project COLLATE "C", re.number DESC
$$;
COMMENT ON FUNCTION crosswalk.pages_releases IS 'of the projects that a login of Airflow requests for now';

-- Who took what, before it is given. Without a key to seal it with there is no reason: it was given with the request.
CREATE FUNCTION crosswalk.pages_record(event uuid, by_requester text, action text, subject_kind text, subject text)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF action NOT IN ('release.read', 'release.deny') THEN
        RAISE EXCEPTION 'the pages record what is taken there, and nothing else'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, subject_kind, subject)
    VALUES (event, by_requester, action, '', 1, subject_kind, subject);
END $$;
