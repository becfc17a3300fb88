-- What a release gives access to, and requests that stay open.

ALTER TABLE crosswalk.release ADD COLUMN output text NOT NULL DEFAULT 'access'
    CHECK (output IN ('access', 'archive', 'nifti', 'manifest'));
COMMENT ON COLUMN crosswalk.release.output IS
    'what was asked for; of a manifest alone the gateway shows no object';

-- What replaces a release after a removal gives no more than that did.
CREATE FUNCTION crosswalk.keep_output() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.output := (SELECT r.output FROM crosswalk.release r WHERE r.id = NEW.replaces);
    RETURN NEW;
END $$;
CREATE TRIGGER release_keeps_output BEFORE INSERT ON crosswalk.release
    FOR EACH ROW WHEN (NEW.replaces IS NOT NULL) EXECUTE FUNCTION crosswalk.keep_output();

-- As before, with the output.
DROP FUNCTION crosswalk.create_release(uuid, text, text, text, bytea, bigint[]);
CREATE FUNCTION crosswalk.create_release(
    new_id uuid, of_project text, by_requester text, of_request text, of_criteria bytea, of_instances bigint[],
    of_output text)
RETURNS SETOF crosswalk.release
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    distinct_instances bigint[] := ARRAY (SELECT DISTINCT i FROM unnest(of_instances) AS i ORDER BY i);
BEGIN
    -- No removal between the look at what is stored and the release of it: whoever marks one holds this lock alone.
    PERFORM pg_advisory_xact_lock_shared(219941805);
    -- Numbers of a project are given one at a time.
    PERFORM pg_advisory_xact_lock(3356, hashtext(of_project));
    IF EXISTS (SELECT FROM crosswalk.find_release(of_project, of_request)) THEN
        RETURN QUERY SELECT * FROM crosswalk.find_release(of_project, of_request);
        RETURN;
    END IF;
    IF crosswalk.stored_among(distinct_instances) <> cardinality(distinct_instances) THEN
        RAISE EXCEPTION 'a release holds stored instances only, and none that is to be made anew'
            USING ERRCODE = 'restrict_violation';
    END IF;
    INSERT INTO crosswalk.release (id, project, number, requester, request_key, criteria_digest, instances, output)
    VALUES (new_id, of_project,
            (SELECT coalesce(max(r.number), 0) + 1 FROM crosswalk.release r WHERE r.project = of_project),
            by_requester, of_request, of_criteria, cardinality(distinct_instances), of_output);
    INSERT INTO crosswalk.release_instance (release_id, instance_id) SELECT new_id, unnest(distinct_instances);
    RETURN QUERY SELECT r.* FROM crosswalk.release r WHERE r.id = new_id;
END $$;

-- Every function of the gateway asks this one.
CREATE OR REPLACE FUNCTION crosswalk.gateway_releases(shown bytea) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT re.id FROM crosswalk.gateway_token_of(shown) t JOIN crosswalk.release re ON re.project = t.project
    WHERE re.output <> 'manifest' AND NOT EXISTS (SELECT FROM crosswalk.tombstone x WHERE x.release_id = re.id)
$$;
COMMENT ON FUNCTION crosswalk.gateway_releases IS
    'releases of the project of a token that give access to objects and have not ended';

-- Requests that stay open ------------------------------------------------------------------------------------------------

ALTER TABLE crosswalk.cohort_decision ADD COLUMN covers_versions boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN crosswalk.cohort_decision.covers_versions IS
    'whether it was approved for later versions too; of a request that does not stay open it says nothing';

CREATE TABLE crosswalk.standing_request (
    id             uuid PRIMARY KEY,
    project        text NOT NULL CHECK (btrim(project) <> ''),
    requester      text NOT NULL CHECK (btrim(requester) <> ''),
    request_key    text NOT NULL UNIQUE CHECK (btrim(request_key) <> ''),
    conf           jsonb NOT NULL,
    until          date,
    database_login text NOT NULL DEFAULT session_user,
    opened_at      timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN crosswalk.standing_request.conf IS
    'as Airflow holds it: what identifies is sealed to the request key, and never opened to be kept';
COMMENT ON COLUMN crosswalk.standing_request.until IS 'the last day on which it is looked at; NULL: until it is ended';
CREATE TRIGGER standing_request_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.standing_request
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.standing_change (
    number         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    standing_id    uuid NOT NULL REFERENCES crosswalk.standing_request,
    state          text NOT NULL CHECK (state IN ('open', 'paused', 'ended')),
    because        text NOT NULL,
    changed_by     text NOT NULL CHECK (btrim(changed_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    changed_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crosswalk.standing_change IS 'the newest row holds; a request without one is open';
CREATE INDEX standing_change_of_request ON crosswalk.standing_change (standing_id, number DESC);
CREATE TRIGGER standing_change_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.standing_change
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.standing_version (
    release_id    uuid PRIMARY KEY REFERENCES crosswalk.release,
    standing_id   uuid NOT NULL REFERENCES crosswalk.standing_request,
    version       integer NOT NULL CHECK (version > 0),
    people_digest bytea,
    UNIQUE (standing_id, version)
);
COMMENT ON COLUMN crosswalk.standing_version.people_digest IS
    'of cohort_told; NULL where a removal has made the version, which leads to nobody new';
CREATE TRIGGER standing_version_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.standing_version
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE TABLE crosswalk.standing_look (
    standing_id uuid PRIMARY KEY REFERENCES crosswalk.standing_request,
    seen        text NOT NULL,
    looked_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN crosswalk.standing_look.seen IS
    'research_state() and the terms at the last look: while they stay, nothing new can come of it';

CREATE FUNCTION crosswalk.standing_state(of_standing uuid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT c.state FROM crosswalk.standing_change c WHERE c.standing_id = of_standing
                     ORDER BY c.number DESC LIMIT 1), 'open')
$$;

CREATE FUNCTION crosswalk.covers_versions(of_request text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((SELECT coalesce(d.decision = 'approved' AND d.covers_versions, false)
                     FROM crosswalk.cohort_held h LEFT JOIN crosswalk.cohort_decision d ON d.held_id = h.id
                     WHERE h.request_key = of_request ORDER BY h.number DESC LIMIT 1), true)
$$;
COMMENT ON FUNCTION crosswalk.covers_versions IS
    'whether a request may stay open: it never waited, or was approved with its later versions';

CREATE FUNCTION crosswalk.refuse_uncovered() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT crosswalk.covers_versions(NEW.request_key) THEN
        RAISE EXCEPTION 'nobody approved later versions of this request' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER standing_request_is_covered BEFORE INSERT ON crosswalk.standing_request
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_uncovered();

CREATE FUNCTION crosswalk.refuse_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(3363, hashtext(NEW.standing_id::text));
    IF crosswalk.standing_state(NEW.standing_id) = 'ended' THEN
        RAISE EXCEPTION 'the standing request has ended' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER standing_change_is_not_after_its_end BEFORE INSERT ON crosswalk.standing_change
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_ended();
CREATE TRIGGER standing_version_is_not_after_its_end BEFORE INSERT ON crosswalk.standing_version
    FOR EACH ROW WHEN (NEW.people_digest IS NOT NULL) EXECUTE FUNCTION crosswalk.refuse_ended();

CREATE FUNCTION crosswalk.follow_replacement() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crosswalk.standing_version (release_id, standing_id, version)
    SELECT NEW.id, v.standing_id,
           (SELECT max(o.version) + 1 FROM crosswalk.standing_version o WHERE o.standing_id = v.standing_id)
    FROM crosswalk.standing_version v WHERE v.release_id = NEW.replaces
      -- Of an older version nobody is given a newer one that holds less than the newest.
      AND NOT EXISTS (SELECT FROM crosswalk.standing_version o
                      WHERE o.standing_id = v.standing_id AND o.version > v.version);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION crosswalk.follow_replacement IS 'what a removal makes of the newest version is the next one';
CREATE TRIGGER release_is_next_version AFTER INSERT ON crosswalk.release
    FOR EACH ROW WHEN (NEW.replaces IS NOT NULL) EXECUTE FUNCTION crosswalk.follow_replacement();

CREATE FUNCTION crosswalk.standing_requests()
RETURNS TABLE (id uuid, project text, requester text, request_key text, until date, opened_at timestamptz, state text,
               because text, changed_at timestamptz, versions bigint, newest integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.id, s.project, s.requester, s.request_key, s.until, s.opened_at, coalesce(c.state, 'open'),
           coalesce(c.because, ''), coalesce(c.changed_at, s.opened_at), made.versions, made.newest
    FROM crosswalk.standing_request s
    LEFT JOIN LATERAL (SELECT c.state, c.because, c.changed_at FROM crosswalk.standing_change c
                       WHERE c.standing_id = s.id ORDER BY c.number DESC LIMIT 1) c ON true
    CROSS JOIN LATERAL (SELECT count(*) AS versions, max(re.number) AS newest FROM crosswalk.standing_version v
                        JOIN crosswalk.release re ON re.id = v.release_id WHERE v.standing_id = s.id) made
    ORDER BY s.opened_at, s.id
$$;
COMMENT ON FUNCTION crosswalk.standing_requests IS 'newest: the number of the release that the newest version is';

CREATE FUNCTION crosswalk.standing_conf(of_standing uuid) RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.conf FROM crosswalk.standing_request s WHERE s.id = of_standing
$$;

CREATE FUNCTION crosswalk.newest_version(of_standing uuid)
RETURNS TABLE (version integer, id uuid, project text, number integer, requester text, instances bigint,
               created_at timestamptz, replaces uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT v.version, r.id, r.project, r.number, r.requester, r.instances, r.created_at, r.replaces
    FROM crosswalk.standing_version v JOIN crosswalk.release r ON r.id = v.release_id
    WHERE v.standing_id = of_standing ORDER BY v.version DESC LIMIT 1
$$;

CREATE FUNCTION crosswalk.research_state() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(' ', coalesce((SELECT max(r.id) FROM crosswalk.store_receipt r), 0),
                     (SELECT count(*) FROM crosswalk.removal_step), (SELECT count(*) FROM crosswalk.identity_decision))
$$;
COMMENT ON FUNCTION crosswalk.research_state IS
    'equal while nothing was stored, removed, or decided about who is who: a cohort leads to the same';

CREATE FUNCTION crosswalk.left_by_removal(of_standing uuid) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.pseudonym FROM crosswalk.patient p
    WHERE p.withdrawn_by IS NOT NULL OR p.key_destroyed_at IS NOT NULL OR p.survivor_id <> p.id
    UNION
    SELECT s.pseudonym FROM crosswalk.standing_version v
    JOIN crosswalk.release_series rs ON rs.release_id = v.release_id
    JOIN crosswalk.study st ON st.id = rs.study_id
    JOIN crosswalk.patient p ON p.id = st.patient_id JOIN crosswalk.patient s ON s.id = p.survivor_id
    WHERE v.standing_id = of_standing GROUP BY s.id
    HAVING NOT bool_or(EXISTS (SELECT FROM crosswalk.instance i
                               WHERE i.study_id = rs.study_id AND i.series_id = rs.series_id AND i.state = 'stored'))
$$;
COMMENT ON FUNCTION crosswalk.left_by_removal IS
    'who left cohorts by decisions: their removal has told so, and no later version can take that back';

-- A next version waits until it differs from all before by nobody or by many.
CREATE FUNCTION crosswalk.near_versions(
    of_standing uuid, of_patients bigint[], without bigint[], fewer_than integer, others boolean)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM crosswalk.standing_request s
        JOIN crosswalk.cohort_told t ON t.project = s.project
        CROSS JOIN LATERAL (
            SELECT count(*) AS theirs, count(mine.patient) AS shared
            FROM (SELECT unnest(t.patients) EXCEPT SELECT unnest(without)) AS their (patient)
            LEFT JOIN unnest(of_patients) AS mine (patient) ON mine.patient = their.patient) AS compared
        WHERE s.id = of_standing
          AND (others OR (NOT t.dry_run AND EXISTS (
              SELECT FROM crosswalk.standing_version v WHERE v.standing_id = s.id AND v.people_digest = t.digest)))
          AND compared.shared > 0
          AND (compared.theirs - compared.shared BETWEEN 1 AND fewer_than - 1
               OR cardinality(of_patients) - compared.shared BETWEEN 1 AND fewer_than - 1))
$$;
COMMENT ON FUNCTION crosswalk.near_versions IS
    'whether one of its versions, or with others any cohort that the project was told, differs by so few';

-- As before; of a standing request, the version before.
CREATE OR REPLACE FUNCTION crosswalk.former_version(of_release uuid)
RETURNS TABLE (id uuid, project text, number integer, requester text, instances bigint, created_at timestamptz,
               replaces uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.id, f.project, f.number, f.requester, f.instances, f.created_at, f.replaces
    FROM crosswalk.release r
    JOIN crosswalk.release f ON f.project = r.project AND f.number < r.number AND f.criteria_digest = r.criteria_digest
    LEFT JOIN crosswalk.standing_version mine ON mine.release_id = r.id
    LEFT JOIN crosswalk.standing_version theirs ON theirs.release_id = f.id AND theirs.standing_id = mine.standing_id
    WHERE r.id = of_release ORDER BY theirs.version DESC NULLS LAST, f.number DESC LIMIT 1
$$;
