-- Researchers' tokens for the gateway, what each of them shows, and who read what by which.
--
-- The gateway has no key, reads no table and says who somebody is by nothing but the digest of the token that they
-- showed: every function here takes it, and judges it in the statement that answers.

CREATE TABLE crosswalk.gateway_token (
    id             uuid PRIMARY KEY,
    token_digest   bytea NOT NULL UNIQUE CHECK (octet_length(token_digest) = 32),
    project        text NOT NULL CHECK (btrim(project) <> ''),
    login          name NOT NULL,
    made_by        text NOT NULL CHECK (btrim(made_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    made_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at     timestamptz NOT NULL,
    CHECK (expires_at > made_at AND expires_at <= made_at + interval '366 days')
);
COMMENT ON COLUMN crosswalk.gateway_token.token_digest IS
    'SHA-256 of 256 random bits: the token itself is shown once and kept by none';
CREATE INDEX gateway_token_of_member ON crosswalk.gateway_token (project, login);
CREATE TRIGGER gateway_token_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.gateway_token
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.gateway_token_revocation (
    token_id       uuid PRIMARY KEY REFERENCES crosswalk.gateway_token,
    revoked_by     text NOT NULL CHECK (btrim(revoked_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    revoked_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TRIGGER gateway_token_revocation_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.gateway_token_revocation
    EXECUTE FUNCTION crosswalk.refuse_change();

-- Which token an entry of the audit trail is about: why somebody read is what the token was asked for.
CREATE TABLE crosswalk.gateway_use (
    event_id uuid PRIMARY KEY REFERENCES crosswalk.access_event,
    token_id uuid NOT NULL REFERENCES crosswalk.gateway_token,
    number   bigint NOT NULL
);
COMMENT ON COLUMN crosswalk.gateway_use.number IS 'of the entry: the newest use of a token is found by it';
CREATE INDEX gateway_use_newest ON crosswalk.gateway_use (token_id, number DESC);
CREATE TRIGGER gateway_use_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.gateway_use
    EXECUTE FUNCTION crosswalk.refuse_change();

-- What a release has anything of, a row for each series: lists of studies are not made from millions of instances.
CREATE TABLE crosswalk.release_series (
    release_id uuid NOT NULL REFERENCES crosswalk.release,
    study_id   uuid NOT NULL REFERENCES crosswalk.study,
    series_id  uuid NOT NULL REFERENCES crosswalk.series,
    PRIMARY KEY (release_id, study_id, series_id)
);
INSERT INTO crosswalk.release_series (release_id, study_id, series_id)
SELECT DISTINCT ri.release_id, i.study_id, i.series_id
FROM crosswalk.release_instance ri JOIN crosswalk.instance i ON i.id = ri.instance_id;
CREATE TRIGGER release_series_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.release_series
    EXECUTE FUNCTION crosswalk.refuse_change();
ALTER TABLE crosswalk.release_series ENABLE ROW LEVEL SECURITY;
ALTER TABLE crosswalk.release_series FORCE ROW LEVEL SECURITY;
CREATE POLICY release_series_of_own_projects ON crosswalk.release_series
    USING (release_id IN (SELECT id FROM crosswalk.release));

CREATE FUNCTION crosswalk.note_release_series() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crosswalk.release_series (release_id, study_id, series_id)
    SELECT DISTINCT e.release_id, i.study_id, i.series_id
    FROM entered e JOIN crosswalk.instance i ON i.id = e.instance_id
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER release_instance_notes_its_series AFTER INSERT ON crosswalk.release_instance
    REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION crosswalk.note_release_series();

-- As before, and the gateway, whose functions show what is of the project of a token.
CREATE OR REPLACE FUNCTION crosswalk.sees_project(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT session_user = current_user -- the owner itself, in a migration
        OR pg_has_role(session_user, 'dicomanon_ingest', 'MEMBER') -- which asks by a request, for ids alone
        OR pg_has_role(session_user, 'dicomanon_cohort', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_removal', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_auditor', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_admin', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_gateway', 'MEMBER') -- which reads no table
        OR EXISTS (SELECT FROM crosswalk.project_member m WHERE m.project = wanted AND m.login = session_user)
$$;

-- gateway: whose a token is, and what it shows ---------------------------------------------------------------------------

-- A member who was removed and added again needs a new token.
CREATE FUNCTION crosswalk.gateway_token_of(shown bytea) RETURNS TABLE (token_id uuid, project text, login text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.id, t.project, t.login::text
    FROM crosswalk.gateway_token t
    JOIN crosswalk.project_member m ON m.project = t.project AND m.login = t.login AND m.added_at <= t.made_at
    WHERE t.token_digest = shown AND t.expires_at > clock_timestamp()
      AND NOT EXISTS (SELECT FROM crosswalk.gateway_token_revocation r WHERE r.token_id = t.id)
      AND EXISTS (SELECT FROM pg_roles p WHERE p.rolname = t.login AND p.rolcanlogin)
$$;
COMMENT ON FUNCTION crosswalk.gateway_token_of IS 'nothing unless the token is good now, of a member who may still log in';

CREATE FUNCTION crosswalk.gateway_releases(shown bytea) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT re.id FROM crosswalk.gateway_token_of(shown) t JOIN crosswalk.release re ON re.project = t.project
    WHERE NOT EXISTS (SELECT FROM crosswalk.tombstone x WHERE x.release_id = re.id)
$$;
COMMENT ON FUNCTION crosswalk.gateway_releases IS 'releases of the project of a token that have not ended';

CREATE FUNCTION crosswalk.gateway_objects(shown bytea, of_study text, of_series text, of_sop text)
RETURNS TABLE (series_uid text, sop_uid text, is_whole boolean, is_of_whole_series boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH current AS MATERIALIZED (SELECT array_agg(r.id) AS ids FROM crosswalk.gateway_releases(shown) AS r (id)),
    found AS (
        SELECT se.id, se.research_series_uid, i.research_sop_uid,
               EXISTS (SELECT FROM crosswalk.release_instance ri
                       WHERE ri.instance_id = i.id AND ri.release_id = ANY (current.ids)) AS is_released
        FROM current
        JOIN crosswalk.study st ON st.research_study_uid = of_study
        JOIN crosswalk.instance i ON i.study_id = st.id AND i.state = 'stored'
             AND (of_sop IS NULL OR i.research_sop_uid = of_sop)
        JOIN crosswalk.series se ON se.id = i.series_id AND (of_series IS NULL OR se.research_series_uid = of_series)
    ), judged AS (
        SELECT f.*, bool_and(f.is_released) OVER () AS is_whole,
               bool_and(f.is_released) OVER (PARTITION BY f.id) AS is_of_whole_series FROM found f
    )
    SELECT j.research_series_uid, j.research_sop_uid, j.is_whole, j.is_of_whole_series FROM judged j WHERE j.is_released
    ORDER BY j.research_series_uid COLLATE "C", j.research_sop_uid COLLATE "C"
$$;
COMMENT ON FUNCTION crosswalk.gateway_objects IS
    'what a token shows of what is asked for; whole is that, or a series, of which nothing else is stored';

-- Pages of what a token shows, in the order of their UIDs, which are random. NULL does not restrict.
CREATE FUNCTION crosswalk.gateway_studies(
    shown bytea, patient_like text, studies text[], modalities text[], most bigint, skipped bigint)
RETURNS TABLE (study_uid text, pseudonym text, modalities_in_study text[], sop_classes text[], series bigint,
               instances bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH current AS MATERIALIZED (SELECT array_agg(r.id) AS ids FROM crosswalk.gateway_releases(shown) AS r (id)),
    page AS MATERIALIZED (
        SELECT st.id, st.research_study_uid, p.pseudonym
        FROM (SELECT DISTINCT rs.study_id FROM current JOIN crosswalk.release_series rs
              ON rs.release_id = ANY (current.ids)) AS released
        JOIN crosswalk.study st ON st.id = released.study_id
        JOIN crosswalk.patient p ON p.id = st.patient_id
        WHERE (patient_like IS NULL OR p.pseudonym LIKE patient_like)
          AND (studies IS NULL OR st.research_study_uid = ANY (studies))
          AND (modalities IS NULL OR EXISTS (
              SELECT FROM current JOIN crosswalk.release_series rs ON rs.release_id = ANY (current.ids)
              JOIN crosswalk.series se ON se.id = rs.series_id
              WHERE rs.study_id = st.id AND se.modality = ANY (modalities)))
          AND EXISTS (
              SELECT FROM current CROSS JOIN (
                  SELECT i.id FROM crosswalk.instance i WHERE i.study_id = st.id AND i.state = 'stored'
                  OFFSET 0 -- From here on, and not from all that was ever released.
              ) AS stored
              JOIN crosswalk.release_instance ri ON ri.instance_id = stored.id AND ri.release_id = ANY (current.ids))
        ORDER BY st.research_study_uid COLLATE "C" LIMIT most OFFSET skipped
    )
    SELECT page.research_study_uid, page.pseudonym, held.modalities, held.classes, held.series, held.instances
    FROM page CROSS JOIN current CROSS JOIN LATERAL (
        SELECT array_agg(DISTINCT se.modality) AS modalities, array_agg(DISTINCT i.sop_class_uid) AS classes,
               count(DISTINCT i.series_id) AS series, count(*) AS instances
        FROM crosswalk.instance i JOIN crosswalk.series se ON se.id = i.series_id
        WHERE i.study_id = page.id AND i.state = 'stored' AND EXISTS (
            SELECT FROM crosswalk.release_instance ri
            WHERE ri.instance_id = i.id AND ri.release_id = ANY (current.ids))
    ) AS held ORDER BY page.research_study_uid COLLATE "C"
$$;

CREATE FUNCTION crosswalk.gateway_series(
    shown bytea, patient_like text, studies text[], modalities text[], of_series text[], most bigint, skipped bigint)
RETURNS TABLE (study_uid text, series_uid text, pseudonym text, modality text, instances bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH current AS MATERIALIZED (SELECT array_agg(r.id) AS ids FROM crosswalk.gateway_releases(shown) AS r (id)),
    page AS MATERIALIZED (
        SELECT se.id, st.id AS study_id, st.research_study_uid, se.research_series_uid, p.pseudonym, se.modality
        FROM (SELECT DISTINCT rs.study_id, rs.series_id FROM current JOIN crosswalk.release_series rs
              ON rs.release_id = ANY (current.ids)) AS released
        JOIN crosswalk.series se ON se.id = released.series_id
        JOIN crosswalk.study st ON st.id = released.study_id
        JOIN crosswalk.patient p ON p.id = st.patient_id
        WHERE (patient_like IS NULL OR p.pseudonym LIKE patient_like)
          AND (studies IS NULL OR st.research_study_uid = ANY (studies))
          AND (modalities IS NULL OR se.modality = ANY (modalities))
          AND (of_series IS NULL OR se.research_series_uid = ANY (of_series))
          AND EXISTS (
              SELECT FROM current CROSS JOIN (
                  SELECT i.id FROM crosswalk.instance i
                  WHERE i.study_id = st.id AND i.series_id = se.id AND i.state = 'stored'
                  OFFSET 0 -- As above.
              ) AS stored
              JOIN crosswalk.release_instance ri ON ri.instance_id = stored.id AND ri.release_id = ANY (current.ids))
        ORDER BY st.research_study_uid COLLATE "C", se.research_series_uid COLLATE "C" LIMIT most OFFSET skipped
    )
    SELECT page.research_study_uid, page.research_series_uid, page.pseudonym, page.modality, held.instances
    FROM page CROSS JOIN current CROSS JOIN LATERAL (
        SELECT count(*) AS instances FROM crosswalk.instance i
        WHERE i.study_id = page.study_id AND i.series_id = page.id AND i.state = 'stored' AND EXISTS (
            SELECT FROM crosswalk.release_instance ri
            WHERE ri.instance_id = i.id AND ri.release_id = ANY (current.ids))
    ) AS held ORDER BY page.research_study_uid COLLATE "C", page.research_series_uid COLLATE "C"
$$;

CREATE FUNCTION crosswalk.gateway_instances(
    shown bytea, patient_like text, studies text[], modalities text[], of_series text[], sops text[], classes text[],
    most bigint, skipped bigint)
RETURNS TABLE (study_uid text, series_uid text, sop_uid text, pseudonym text, modality text, sop_class text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH current AS MATERIALIZED (SELECT array_agg(r.id) AS ids FROM crosswalk.gateway_releases(shown) AS r (id))
    SELECT st.research_study_uid, se.research_series_uid, i.research_sop_uid, p.pseudonym, se.modality, i.sop_class_uid
    FROM current
    CROSS JOIN (SELECT DISTINCT rs.study_id, rs.series_id FROM current AS c JOIN crosswalk.release_series rs
                ON rs.release_id = ANY (c.ids)) AS released
    JOIN crosswalk.series se ON se.id = released.series_id
    JOIN crosswalk.study st ON st.id = released.study_id
    JOIN crosswalk.patient p ON p.id = st.patient_id
    JOIN crosswalk.instance i ON i.study_id = st.id AND i.series_id = se.id AND i.state = 'stored'
    WHERE (patient_like IS NULL OR p.pseudonym LIKE patient_like)
      AND (studies IS NULL OR st.research_study_uid = ANY (studies))
      AND (modalities IS NULL OR se.modality = ANY (modalities))
      AND (of_series IS NULL OR se.research_series_uid = ANY (of_series))
      AND (sops IS NULL OR i.research_sop_uid = ANY (sops))
      AND (classes IS NULL OR i.sop_class_uid = ANY (classes))
      AND EXISTS (SELECT FROM crosswalk.release_instance ri
                  WHERE ri.instance_id = i.id AND ri.release_id = ANY (current.ids))
    ORDER BY st.research_study_uid COLLATE "C", se.research_series_uid COLLATE "C", i.research_sop_uid COLLATE "C"
    LIMIT most OFFSET skipped
$$;

-- gateway: who read what. The actor is whoever the token was made for, whether it is still good or not; of a token that
-- nobody was given, the gateway itself. It has no key to seal a reason with: the reason is that of the token.
CREATE FUNCTION crosswalk.gateway_record(
    events uuid[], shown bytea[], actions text[], counts bigint[], subject_kinds text[], subjects text[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    recorded bigint;
BEGIN
    IF NOT actions <@ ARRAY['gateway.query', 'gateway.retrieve', 'gateway.refuse'] THEN
        RAISE EXCEPTION 'the gateway records what is read through it, and nothing else'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    WITH given AS MATERIALIZED (
        SELECT g.*, t.id AS token_id, t.login
        FROM unnest(events, shown, actions, counts, subject_kinds, subjects)
             WITH ORDINALITY AS g (event, shown, action, count, subject_kind, subject, place)
        LEFT JOIN crosswalk.gateway_token t ON t.token_digest = g.shown
    ), entered AS (
        INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, subject_kind, subject)
        SELECT g.event, coalesce(g.login::text, 'gateway'), g.action, '', g.count, g.subject_kind, g.subject
        FROM given g ORDER BY g.place
        RETURNING id, number
    ), used AS (
        INSERT INTO crosswalk.gateway_use (event_id, token_id, number)
        SELECT e.id, g.token_id, e.number FROM entered e JOIN given g ON g.event = e.id WHERE g.token_id IS NOT NULL
    )
    SELECT count(*) INTO recorded FROM entered;
    RETURN recorded;
END $$;
