-- Projects that see other identifiers and dates than the research PACS has, and what theirs stand for.

ALTER TABLE crosswalk.project_version ADD COLUMN own_pseudonyms boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN crosswalk.project_version.own_pseudonyms IS
    'identifiers and dates are made of the research PACS''s by a key of the project; settled by its first release';

CREATE FUNCTION crosswalk.has_own_pseudonyms(of_project text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT p.own_pseudonyms FROM crosswalk.project_version p WHERE p.project = of_project
                     ORDER BY p.version DESC LIMIT 1), false)
$$;

CREATE FUNCTION crosswalk.keep_pseudonyms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- That of create_release(): no release between the look and the change.
    PERFORM pg_advisory_xact_lock(3356, hashtext(NEW.project));
    IF NEW.own_pseudonyms <> crosswalk.has_own_pseudonyms(NEW.project)
       AND EXISTS (SELECT FROM crosswalk.release r WHERE r.project = NEW.project) THEN
        RAISE EXCEPTION 'a project that has releases keeps the pseudonyms that it has' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER project_version_keeps_pseudonyms BEFORE INSERT ON crosswalk.project_version
    FOR EACH ROW EXECUTE FUNCTION crosswalk.keep_pseudonyms();

-- The way back, which is not computed: a project's identifiers are keyed hashes.
CREATE TABLE crosswalk.project_identifier (
    own      text PRIMARY KEY,
    project  text NOT NULL CHECK (btrim(project) <> ''),
    research text NOT NULL CHECK (btrim(research) <> '')
);
COMMENT ON TABLE crosswalk.project_identifier IS
    'pseudonyms and UIDs that a project has been given, and the research PACS''s that they stand for; entered before they leave';
CREATE TRIGGER project_identifier_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.project_identifier
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE FUNCTION crosswalk.enter_project_identifiers(of_project text, own_ones text[], research_ones text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT crosswalk.has_own_pseudonyms(of_project) THEN
        RAISE EXCEPTION 'the project has no pseudonyms of its own' USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO crosswalk.project_identifier (own, project, research)
    SELECT g.own, of_project, g.research FROM unnest(own_ones, research_ones) AS g (own, research) ORDER BY g.own
    ON CONFLICT DO NOTHING;
    IF EXISTS (SELECT FROM unnest(own_ones, research_ones) AS g (own, research)
               JOIN crosswalk.project_identifier i ON i.own = g.own
               WHERE (i.project, i.research) IS DISTINCT FROM (of_project, g.research)) THEN
        RAISE EXCEPTION 'an identifier of the project stands for something else' USING ERRCODE = 'unique_violation';
    END IF;
END $$;
COMMENT ON FUNCTION crosswalk.enter_project_identifiers IS 'may be repeated; refuses one that stands for something else';

-- What leaves otherwise is in the research PACS's identifiers: none of it is such a project's.
CREATE FUNCTION crosswalk.refuse_token_of_own_pseudonyms() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crosswalk.has_own_pseudonyms(NEW.project) THEN
        RAISE EXCEPTION 'the gateway shows what the research PACS has, and the project has pseudonyms of its own'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER gateway_token_shows_the_pacs BEFORE INSERT ON crosswalk.gateway_token
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_token_of_own_pseudonyms();

CREATE OR REPLACE FUNCTION crosswalk.gateway_token_of(shown bytea) RETURNS TABLE (token_id uuid, project text, login text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.id, t.project, t.login::text
    FROM crosswalk.gateway_token t
    JOIN crosswalk.project_member m ON m.project = t.project AND m.login = t.login AND m.added_at <= t.made_at
    WHERE t.token_digest = shown AND t.expires_at > clock_timestamp()
      AND NOT EXISTS (SELECT FROM crosswalk.gateway_token_revocation r WHERE r.token_id = t.id)
      AND EXISTS (SELECT FROM pg_roles p WHERE p.rolname = t.login AND p.rolcanlogin)
      AND NOT crosswalk.has_own_pseudonyms(t.project)
$$;

CREATE VIEW crosswalk.project_of_own_pseudonyms AS
SELECT newest.project FROM (SELECT DISTINCT ON (p.project) p.project, p.own_pseudonyms FROM crosswalk.project_version p
                            ORDER BY p.project, p.version DESC) AS newest
WHERE newest.own_pseudonyms;

-- Of such a project a day, and not the moment: what ended two projects' releases at once would tell what they share.
CREATE OR REPLACE VIEW research.release WITH (security_barrier) AS
SELECT told.project, told.release, told.requester, told.instances,
       CASE WHEN told.own THEN date_trunc('day', told.created_at, 'UTC') ELSE told.created_at END AS created_at,
       CASE WHEN told.own THEN date_trunc('day', told.ended_at, 'UTC') ELSE told.ended_at END AS ended_at,
       told.replaced_by
FROM (SELECT r.project, r.number AS release, r.requester, r.instances, r.created_at,
             (SELECT min(t.recorded_at) FROM crosswalk.tombstone t WHERE t.release_id = r.id) AS ended_at,
             (SELECT n.number FROM crosswalk.release n WHERE n.replaces = r.id) AS replaced_by,
             EXISTS (SELECT FROM crosswalk.project_of_own_pseudonyms o WHERE o.project = r.project) AS own
      FROM crosswalk.release r) AS told;

CREATE OR REPLACE VIEW research.manifest WITH (security_barrier) AS
SELECT r.project, r.number AS release, s.patient, s.pseudonym, s.research_study_uid AS study_instance_uid,
       s.research_series_uid AS series_instance_uid, s.research_sop_uid AS sop_instance_uid, s.modality,
       s.sop_class_uid, encode(s.output_digest, 'hex') AS output_digest, s.output_bytes AS bytes, s.profile_version
FROM crosswalk.granted_instance g
JOIN crosswalk.release r ON r.id = g.release_id
JOIN crosswalk.stored_instance s ON s.instance_id = g.instance_id
WHERE NOT EXISTS (SELECT FROM crosswalk.project_of_own_pseudonyms o WHERE o.project = r.project);

-- The pages of the api-server tell a day, too, and say that there is nothing to read through the gateway.
DROP FUNCTION crosswalk.pages_releases(text);
CREATE FUNCTION crosswalk.pages_releases(by_requester text)
RETURNS TABLE (release_id uuid, project text, number integer, requester text, request_key text, instances bigint,
               created_at timestamptz, ended_at timestamptz, replaced_by integer, own_pseudonyms boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT re.id, re.project, re.number, re.requester, re.request_key, re.instances,
           CASE WHEN own.own THEN date_trunc('day', re.created_at, 'UTC') ELSE re.created_at END,
           (SELECT CASE WHEN own.own THEN date_trunc('day', min(t.recorded_at), 'UTC') ELSE min(t.recorded_at) END
            FROM crosswalk.tombstone t WHERE t.release_id = re.id),
           (SELECT n.number FROM crosswalk.release n WHERE n.replaces = re.id), own.own
    FROM crosswalk.project_requester r
    CROSS JOIN LATERAL (SELECT crosswalk.has_own_pseudonyms(r.project) OFFSET 0) AS own (own)
    JOIN crosswalk.release re ON re.project = r.project
    WHERE r.requester = by_requester
    ORDER BY re.project COLLATE "C", re.number DESC
$$;
COMMENT ON FUNCTION crosswalk.pages_releases IS 'of the projects that a login of Airflow requests for now';
