-- What work under a role does through functions instead of tables, who belongs to which project, and what researchers
-- see. Privileges are not granted here: `roles/grants.toml` lists them, and every migration applies it.
--
-- Each function runs with the rights of the schema's owner. Its search_path is fixed, with the temporary schema last,
-- so that nothing a caller makes is ever taken for what the function means.

-- Members of projects, by the login that the server knows them by: it cannot be claimed by a session.
CREATE TABLE crosswalk.project_member (
    project        text NOT NULL CHECK (btrim(project) <> ''),
    login          name NOT NULL,
    added_by       text NOT NULL CHECK (btrim(added_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    added_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (project, login)
);

-- session_user is who logged in. Neither SET ROLE nor a SECURITY DEFINER function changes it.
CREATE FUNCTION crosswalk.sees_project(wanted text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT session_user = current_user -- the owner itself, in a migration
        OR pg_has_role(session_user, 'dicomanon_ingest', 'MEMBER') -- which asks by a request, for ids alone
        OR pg_has_role(session_user, 'dicomanon_cohort', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_removal', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_auditor', 'MEMBER')
        OR pg_has_role(session_user, 'dicomanon_admin', 'MEMBER')
        OR EXISTS (SELECT FROM crosswalk.project_member m WHERE m.project = wanted AND m.login = session_user)
$$;

-- Forced, so that the views and functions of the owner obey as well: a view that forgets its project shows no other.
ALTER TABLE crosswalk.release ENABLE ROW LEVEL SECURITY;
ALTER TABLE crosswalk.release FORCE ROW LEVEL SECURITY;
CREATE POLICY release_of_own_projects ON crosswalk.release USING (crosswalk.sees_project(project));
ALTER TABLE crosswalk.release_instance ENABLE ROW LEVEL SECURITY;
ALTER TABLE crosswalk.release_instance FORCE ROW LEVEL SECURITY;
CREATE POLICY release_instance_of_own_projects ON crosswalk.release_instance
    USING (release_id IN (SELECT id FROM crosswalk.release));
ALTER TABLE crosswalk.tombstone ENABLE ROW LEVEL SECURITY;
ALTER TABLE crosswalk.tombstone FORCE ROW LEVEL SECURITY;
CREATE POLICY tombstone_of_own_projects ON crosswalk.tombstone
    USING (release_id IN (SELECT id FROM crosswalk.release));
ALTER TABLE crosswalk.removal_notice ENABLE ROW LEVEL SECURITY;
ALTER TABLE crosswalk.removal_notice FORCE ROW LEVEL SECURITY;
-- What is written is held to by its key: a notice is of a tombstone.
CREATE POLICY removal_notice_of_own_projects ON crosswalk.removal_notice
    USING (release_id IN (SELECT id FROM crosswalk.release)) WITH CHECK (true);

-- cohort: from blind indexes to pseudonyms ---------------------------------------------------------------------------

CREATE FUNCTION crosswalk.cohort_candidates(by_patient bytea[], by_patient_id bytea[], by_accession bytea[])
RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- One query for each combination, so that each finds its rows by an index.
    IF by_patient IS NULL AND by_patient_id IS NULL AND by_accession IS NULL THEN
        RETURN QUERY SELECT st.id FROM crosswalk.study st WHERE st.research_study_uid IS NOT NULL ORDER BY st.id;
    ELSIF by_patient IS NULL AND by_patient_id IS NULL THEN
        RETURN QUERY SELECT DISTINCT a.study_id FROM crosswalk.study_accession a
            WHERE a.accession_index = ANY (by_accession) ORDER BY a.study_id;
    ELSE
        -- Any key of a person leads to the studies of all their rows.
        RETURN QUERY SELECT st.id FROM crosswalk.study st
            WHERE st.patient_id IN (
                SELECT p.id FROM crosswalk.patient_key k
                JOIN crosswalk.patient met ON met.id = k.patient_id
                JOIN crosswalk.patient p ON p.survivor_id = met.survivor_id
                WHERE k.patient_index = ANY (by_patient) OR k.patient_id_index = ANY (by_patient_id))
              AND (by_accession IS NULL OR EXISTS (
                SELECT FROM crosswalk.study_accession a
                WHERE a.study_id = st.id AND a.accession_index = ANY (by_accession)))
            ORDER BY st.id;
    END IF;
END $$;
COMMENT ON FUNCTION crosswalk.cohort_candidates IS 'NULL does not restrict; an empty array finds nothing';

CREATE FUNCTION crosswalk.cohort_studies(wanted uuid[])
RETURNS TABLE (study_id uuid, pseudonym text, research_study_uid text, facts_sealed bytea, patient_id uuid,
               key_wrapped bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT st.id, p.pseudonym, st.research_study_uid, st.facts_sealed, p.survivor_id, st.key_wrapped
    FROM crosswalk.study st JOIN crosswalk.patient p ON p.id = st.patient_id
    WHERE st.id = ANY (wanted) AND st.research_study_uid IS NOT NULL AND st.key_destroyed_at IS NULL
      AND p.withdrawn_by IS NULL
    ORDER BY st.id
$$;
COMMENT ON FUNCTION crosswalk.cohort_studies IS
    'facts stay sealed: dates are compared where the key is; patient_id is the surviving one';

CREATE VIEW crosswalk.stored_instance AS
    SELECT i.id AS instance_id, st.id AS study_id, se.id AS series_id, p.pseudonym, st.research_study_uid,
           se.research_series_uid, i.research_sop_uid, se.modality, i.sop_class_uid, i.output_digest, i.output_bytes,
           r.profile_version, s.pseudonym AS patient
    FROM crosswalk.instance i
    JOIN crosswalk.series se ON se.id = i.series_id
    JOIN crosswalk.study st ON st.id = i.study_id
    JOIN crosswalk.patient p ON p.id = st.patient_id
    JOIN crosswalk.patient s ON s.id = p.survivor_id
    JOIN crosswalk.recipe r ON r.id = i.recipe_id
    WHERE i.state = 'stored';
COMMENT ON VIEW crosswalk.stored_instance IS
    'what a manifest says of an object; pseudonym is the one in it, patient the one that the person is known by';

CREATE FUNCTION crosswalk.cohort_instances(of_studies uuid[])
RETURNS TABLE (instance_id bigint, study_id uuid, pseudonym text, research_study_uid text, research_series_uid text,
               research_sop_uid text, modality text, sop_class_uid text, output_digest bytea, output_bytes bigint,
               profile_version text, patient text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.instance_id, s.study_id, s.pseudonym, s.research_study_uid, s.research_series_uid, s.research_sop_uid,
           s.modality, s.sop_class_uid, s.output_digest, s.output_bytes, s.profile_version, s.patient
    FROM crosswalk.stored_instance s
    WHERE s.study_id = ANY (of_studies)
      AND NOT EXISTS (SELECT FROM crosswalk.reissue x WHERE x.instance_id = s.instance_id AND x.closed_at IS NULL)
    ORDER BY s.study_id, s.series_id, s.instance_id
$$;

CREATE FUNCTION crosswalk.stored_among(instances bigint[]) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM crosswalk.instance i WHERE i.id = ANY (instances) AND i.state = 'stored'
      AND NOT EXISTS (SELECT FROM crosswalk.reissue x WHERE x.instance_id = i.id AND x.closed_at IS NULL)
$$;
COMMENT ON FUNCTION crosswalk.stored_among IS 'how many a release may hold: stored, and not to be made anew';

CREATE FUNCTION crosswalk.find_release(of_project text, of_request text) RETURNS SETOF crosswalk.release
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.* FROM crosswalk.release r WHERE r.project = of_project AND r.request_key = of_request
$$;

CREATE FUNCTION crosswalk.create_release(
    new_id uuid, of_project text, by_requester text, of_request text, of_criteria bytea, of_instances bigint[])
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
    INSERT INTO crosswalk.release (id, project, number, requester, request_key, criteria_digest, instances)
    VALUES (new_id, of_project,
            (SELECT coalesce(max(r.number), 0) + 1 FROM crosswalk.release r WHERE r.project = of_project),
            by_requester, of_request, of_criteria, cardinality(distinct_instances));
    INSERT INTO crosswalk.release_instance (release_id, instance_id) SELECT new_id, unnest(distinct_instances);
    RETURN QUERY SELECT r.* FROM crosswalk.release r WHERE r.id = new_id;
END $$;

-- removal: what is to leave the research PACS ---------------------------------------------------------------------------

-- Whoever enters that a person asks says so; a role without the privilege for the column asks as nobody.
ALTER TABLE crosswalk.removal ALTER COLUMN counts_as_person SET DEFAULT false;

-- How many must stand for a removal is the site's to say; that somebody does is held to here, whoever carries it out.
CREATE FUNCTION crosswalk.is_stood_for(of_removal uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM crosswalk.removal r WHERE r.id = of_removal AND r.counts_as_person)
        OR EXISTS (SELECT FROM crosswalk.removal_approval a WHERE a.removal_id = of_removal)
$$;

CREATE FUNCTION crosswalk.refuse_unless_stood_for() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT entered.removal_id FROM entered) AS named
               WHERE NOT crosswalk.is_stood_for(named.removal_id)) THEN
        RAISE EXCEPTION 'nobody stands for this removal' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER former_object_is_stood_for AFTER INSERT ON crosswalk.former_object
    REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION crosswalk.refuse_unless_stood_for();

-- A removal takes what it is of, as it is or was, and once: a decision about one patient removes nothing of another.
CREATE FUNCTION crosswalk.refuse_beyond_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT entered.removal_id FROM entered) AS named
               JOIN crosswalk.removal_step s ON s.removal_id = named.removal_id AND s.step = 'marked') THEN
        RAISE EXCEPTION 'this removal is marked already' USING ERRCODE = 'restrict_violation';
    END IF;
    IF EXISTS (
        SELECT FROM entered e
        JOIN crosswalk.removal r ON r.id = e.removal_id
        JOIN crosswalk.instance i ON i.id = e.instance_id
        JOIN crosswalk.study st ON st.id = i.study_id
        LEFT JOIN crosswalk.patient p ON p.id = st.patient_id
        LEFT JOIN crosswalk.patient named ON named.id = r.patient_id
        WHERE NOT CASE r.kind
                WHEN 'recall' THEN EXISTS (SELECT FROM crosswalk.recall_scope s
                                           WHERE s.removal_id = r.id AND s.instance_id = e.instance_id)
                ELSE coalesce(p.survivor_id = named.survivor_id, false) END
           OR NOT (coalesce(i.research_sop_uid = e.research_sop_uid AND i.output_digest = e.output_digest, false)
                   OR EXISTS (SELECT FROM crosswalk.unconfirmed_object u
                              WHERE u.instance_id = e.instance_id AND u.research_sop_uid = e.research_sop_uid
                                AND u.output_digest = e.output_digest))) THEN
        RAISE EXCEPTION 'the removal is not of this object' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER former_object_is_of_its_removal AFTER INSERT ON crosswalk.former_object
    REFERENCING NEW TABLE AS entered FOR EACH STATEMENT EXECUTE FUNCTION crosswalk.refuse_beyond_removal();

CREATE FUNCTION crosswalk.refuse_unless_withdrawing() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM crosswalk.removal r JOIN crosswalk.patient named ON named.id = r.patient_id
                   WHERE r.id = NEW.withdrawn_by AND r.kind = 'withdrawal' AND named.survivor_id = NEW.survivor_id
                     AND crosswalk.is_stood_for(r.id)) THEN
        RAISE EXCEPTION 'nobody stands for a withdrawal of this patient' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER patient_withdraws_as_decided BEFORE UPDATE OF withdrawn_by ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.withdrawn_by IS NULL AND NEW.withdrawn_by IS NOT NULL)
    EXECUTE FUNCTION crosswalk.refuse_unless_withdrawing();

-- What these look up is not for whoever changes a row to read.
ALTER FUNCTION crosswalk.refuse_own_removal() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION crosswalk.refuse_half_withdrawn() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION crosswalk.refuse_unless_removed() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION crosswalk.refuse_former_uid() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION crosswalk.refuse_wider_recall() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;
ALTER FUNCTION crosswalk.keep_unconfirmed() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

-- What a removal covers ends every release that has any of it; the current ones get a next version without it.
CREATE FUNCTION crosswalk.end_releases(of_removal uuid) RETURNS TABLE (ended bigint, replaced bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
    kept bigint[];
    next_version uuid;
BEGIN
    ended := 0;
    replaced := 0;
    PERFORM pg_advisory_xact_lock(3356, hashtext(affected.project)) FROM (
        SELECT DISTINCT re.project FROM crosswalk.former_object f
        JOIN crosswalk.release_instance ri ON ri.instance_id = f.instance_id
        JOIN crosswalk.release re ON re.id = ri.release_id WHERE f.removal_id = of_removal ORDER BY 1) AS affected;
    FOR one IN
        SELECT re.id, re.project, re.requester, re.criteria_digest, count(*) AS instances,
               NOT EXISTS (SELECT FROM crosswalk.tombstone t WHERE t.release_id = re.id) AS is_current
        FROM crosswalk.former_object f
        JOIN crosswalk.release_instance ri ON ri.instance_id = f.instance_id
        JOIN crosswalk.release re ON re.id = ri.release_id WHERE f.removal_id = of_removal
        GROUP BY re.id ORDER BY re.project, re.number
    LOOP
        INSERT INTO crosswalk.tombstone (release_id, removal_id, instances) VALUES (one.id, of_removal, one.instances);
        ended := ended + 1;
        kept := ARRAY (
            SELECT i.id FROM crosswalk.release_instance ri JOIN crosswalk.instance i ON i.id = ri.instance_id
            WHERE ri.release_id = one.id AND i.state = 'stored' AND NOT EXISTS (
                SELECT FROM crosswalk.reissue x WHERE x.instance_id = i.id AND x.closed_at IS NULL)
            ORDER BY i.id);
        CONTINUE WHEN NOT one.is_current OR cardinality(kept) = 0;
        next_version := gen_random_uuid();
        INSERT INTO crosswalk.release (id, project, number, requester, criteria_digest, instances, replaces)
        VALUES (next_version, one.project,
                (SELECT max(r.number) + 1 FROM crosswalk.release r WHERE r.project = one.project),
                one.requester, one.criteria_digest, cardinality(kept), one.id);
        INSERT INTO crosswalk.release_instance (release_id, instance_id) SELECT next_version, unnest(kept);
        replaced := replaced + 1;
    END LOOP;
    RETURN NEXT;
END $$;

CREATE FUNCTION crosswalk.tombstones(of_removal uuid, of_release uuid)
RETURNS TABLE (removal_id uuid, kind text, lost bigint, recorded_at timestamptz, release_id uuid, project text,
               number integer, requester text, instances bigint, created_at timestamptz, replaces uuid, next_id uuid,
               next_number integer, next_requester text, next_instances bigint, next_created_at timestamptz,
               lost_sop_uids text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.removal_id, r.kind, t.instances, t.recorded_at, re.id, re.project,
           re.number, re.requester, re.instances, re.created_at, re.replaces, n.id,
           n.number, n.requester, n.instances, n.created_at,
           ARRAY (SELECT f.research_sop_uid FROM crosswalk.release_instance ri JOIN crosswalk.former_object f
                  ON f.instance_id = ri.instance_id AND f.removal_id = t.removal_id
                  WHERE ri.release_id = re.id ORDER BY 1)
    FROM crosswalk.tombstone t
    JOIN crosswalk.removal r ON r.id = t.removal_id
    JOIN crosswalk.release re ON re.id = t.release_id
    LEFT JOIN crosswalk.release n ON n.replaces = re.id
    WHERE t.removal_id = of_removal OR t.release_id = of_release
    ORDER BY re.project, re.number, t.recorded_at, t.removal_id
$$;
COMMENT ON FUNCTION crosswalk.tombstones IS
    'of a removal or of a release; each with what replaced the release, and what the release lost';

CREATE FUNCTION crosswalk.instances_of_release(of_release uuid)
RETURNS TABLE (instance_id bigint, study_id uuid, pseudonym text, research_study_uid text, research_series_uid text,
               research_sop_uid text, modality text, sop_class_uid text, output_digest bytea, output_bytes bigint,
               profile_version text, patient text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.instance_id, s.study_id, s.pseudonym, s.research_study_uid, s.research_series_uid, s.research_sop_uid,
           s.modality, s.sop_class_uid, s.output_digest, s.output_bytes, s.profile_version, s.patient
    FROM crosswalk.release_instance ri JOIN crosswalk.stored_instance s ON s.instance_id = ri.instance_id
    WHERE ri.release_id = of_release ORDER BY s.study_id, s.series_id, s.instance_id
$$;

-- Of whom a Patient ID is, by its blind index and, where its issuer was not named, by that without one
CREATE FUNCTION crosswalk.pseudonyms_of_key(by_patient bytea, by_patient_id bytea) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT DISTINCT s.pseudonym FROM crosswalk.patient_key k
        JOIN crosswalk.patient met ON met.id = k.patient_id JOIN crosswalk.patient s ON s.id = met.survivor_id
        WHERE k.patient_index = by_patient;
    IF NOT FOUND THEN
        RETURN QUERY SELECT DISTINCT s.pseudonym FROM crosswalk.patient_key k
            JOIN crosswalk.patient met ON met.id = k.patient_id JOIN crosswalk.patient s ON s.id = met.survivor_id
            WHERE k.patient_id_index = by_patient_id;
    END IF;
END $$;

-- ingest: source UIDs and known values of what is being worked on ----------------------------------------------------

CREATE FUNCTION crosswalk.is_open(of_batch bigint, in_state crosswalk.instance_state) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT in_state IN ('discovered', 'deidentified', 'validated')
        OR EXISTS (SELECT FROM crosswalk.batch b JOIN crosswalk.run r ON r.id = b.run_id
                   WHERE b.id = of_batch AND r.closed_at IS NULL)
$$;
COMMENT ON FUNCTION crosswalk.is_open IS 'whether an instance of a batch is worked on: unsettled, or its run not closed';

CREATE FUNCTION crosswalk.batch_sources(of_batch bigint)
RETURNS TABLE (instance_id bigint, study_id uuid, series_id uuid, study_uid_sealed bytea, series_uid_sealed bytea,
               sop_uid_sealed bytea, key_wrapped bytea, state crosswalk.instance_state, output_digest bytea,
               research_sop_uid text, series_instances bigint, study_instances bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH members AS MATERIALIZED (
        SELECT i.id, i.study_id, i.series_id, i.uid_sealed, i.state, i.output_digest, i.research_sop_uid
        FROM crosswalk.instance i WHERE i.batch_id = of_batch
    ), work AS MATERIALIZED (
        SELECT EXISTS (SELECT FROM members m WHERE crosswalk.is_open(of_batch, m.state)) AS is_open
    ), series_size AS MATERIALIZED (
        SELECT i.study_id, i.series_id, count(*) AS instances FROM crosswalk.instance i
        WHERE i.study_id IN (SELECT m.study_id FROM members m) AND i.absent_since IS NULL
        GROUP BY i.study_id, i.series_id
    ), study_size AS (
        SELECT s.study_id, sum(s.instances)::bigint AS instances FROM series_size s GROUP BY s.study_id
    )
    SELECT m.id, m.study_id, m.series_id, CASE WHEN work.is_open THEN st.uid_sealed END,
           CASE WHEN work.is_open THEN se.uid_sealed END, CASE WHEN work.is_open THEN m.uid_sealed END,
           st.key_wrapped, m.state, m.output_digest, m.research_sop_uid,
           coalesce(series_size.instances, 0), coalesce(study_size.instances, 0)
    FROM members m
    CROSS JOIN work
    JOIN crosswalk.study st ON st.id = m.study_id AND st.key_destroyed_at IS NULL
    JOIN crosswalk.series se ON se.id = m.series_id
    LEFT JOIN series_size ON series_size.series_id = m.series_id
    LEFT JOIN study_size ON study_size.study_id = m.study_id
    ORDER BY m.study_id, m.series_id, m.id
$$;
COMMENT ON FUNCTION crosswalk.batch_sources IS
    'instances of a batch; source UIDs are NULL once its run is closed and all of it is settled';

-- Refuses instead of finding nothing: validation that searches for too little would let a name through.
-- Of a study whose keys were destroyed there is nothing to give out; that its UID does not open any more says so.
CREATE FUNCTION crosswalk.known_values_of(studies uuid[])
RETURNS TABLE (id uuid, study_id uuid, values_sealed bytea, key_wrapped bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(studies) AS wanted (id)
               WHERE EXISTS (SELECT FROM crosswalk.study st WHERE st.id = wanted.id AND st.key_destroyed_at IS NULL)
                 AND NOT EXISTS (SELECT FROM crosswalk.instance i WHERE i.study_id = wanted.id
                                 AND i.batch_id IS NOT NULL AND crosswalk.is_open(i.batch_id, i.state))) THEN
        RAISE EXCEPTION 'known values are given out for studies that are being worked on'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN QUERY SELECT k.id, k.study_id, k.values_sealed, st.key_wrapped FROM crosswalk.study_known_values k
        JOIN crosswalk.study st ON st.id = k.study_id
        WHERE k.study_id = ANY (studies) AND st.key_destroyed_at IS NULL;
END $$;

-- ingest: whose an accession number is already, for who has it. By blind indexes, so that there is no list to go through.
CREATE FUNCTION crosswalk.accession_claims(numbers bytea[])
RETURNS TABLE (accession_index bytea, study_id uuid, patient_id uuid, survivor_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.accession_index, a.study_id, p.id, p.survivor_id FROM crosswalk.study_accession a
    JOIN crosswalk.study st ON st.id = a.study_id JOIN crosswalk.patient p ON p.id = st.patient_id
    WHERE a.accession_index = ANY (numbers) ORDER BY st.first_observed_at, st.id
$$;

CREATE FUNCTION crosswalk.shared_accessions(numbers bytea[]) RETURNS SETOF bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.accession_index FROM crosswalk.shared_accession s WHERE s.accession_index = ANY (numbers)
$$;

-- ingest and lineage: which releases a request has led to, for the events that tell of it. By their ids alone.
CREATE FUNCTION crosswalk.releases_of_request(of_request text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.id FROM crosswalk.release r WHERE r.request_key = of_request ORDER BY r.created_at, r.id
$$;

-- ingest and admin: sealing anew ---------------------------------------------------------------------------------------

-- A data key is replaced or destroyed, and not taken away.
CREATE TRIGGER patient_keeps_a_key BEFORE UPDATE ON crosswalk.patient
    FOR EACH ROW WHEN (OLD.key_wrapped IS NOT NULL AND NEW.key_wrapped IS NULL AND NEW.key_destroyed_at IS NULL)
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER study_keeps_a_key BEFORE UPDATE ON crosswalk.study
    FOR EACH ROW WHEN (OLD.key_wrapped IS NOT NULL AND NEW.key_wrapped IS NULL AND NEW.key_destroyed_at IS NULL)
    EXECUTE FUNCTION crosswalk.refuse_change();

-- Everything that one data key seals: of a patient row ('patient') or of a study ('study'). Rows are locked in the order
-- in which everybody locks them.
CREATE FUNCTION crosswalk.sealed_of(owner text, of_row uuid)
RETURNS TABLE (sealed_column text, row_id text, sealed bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF owner = 'patient' THEN
        RETURN QUERY SELECT v.* FROM crosswalk.patient p CROSS JOIN LATERAL (VALUES
            ('patient.identity', p.id::text, p.identity_sealed), ('patient.date_shift', p.id::text, p.date_shift_sealed)
            ) AS v WHERE p.id = of_row;
        RETURN QUERY SELECT 'patient_key.key', k.id::text, k.key_sealed
            FROM crosswalk.patient_key k WHERE k.patient_id = of_row AND k.key_sealed IS NOT NULL;
        RETURN QUERY SELECT 'patient_variant.identity', v.id::text, v.identity_sealed
            FROM crosswalk.patient_variant v WHERE v.patient_id = of_row;
        RETURN QUERY SELECT 'identity_event.detail', e.id::text, e.detail_sealed
            FROM crosswalk.identity_event e WHERE e.patient_id = of_row AND e.study_id IS NULL;
    ELSE
        RETURN QUERY SELECT v.* FROM crosswalk.study st CROSS JOIN LATERAL (VALUES
            ('study.uid', st.id::text, st.uid_sealed), ('study.facts', st.id::text, st.facts_sealed)
            ) AS v (sealed_column, row_id, sealed) WHERE st.id = of_row AND v.sealed IS NOT NULL;
        RETURN QUERY SELECT 'series.uid', se.id::text, se.uid_sealed
            FROM crosswalk.series se WHERE se.study_id = of_row ORDER BY se.id FOR NO KEY UPDATE;
        RETURN QUERY SELECT 'series.facts', se.id::text, se.facts_sealed
            FROM crosswalk.series se WHERE se.study_id = of_row AND se.facts_sealed IS NOT NULL;
        RETURN QUERY SELECT 'instance.uid', i.id::text, i.uid_sealed
            FROM crosswalk.instance i WHERE i.study_id = of_row ORDER BY i.id FOR NO KEY UPDATE;
        RETURN QUERY SELECT 'study_known_values.values', k.id::text, k.values_sealed
            FROM crosswalk.study_known_values k WHERE k.study_id = of_row;
        RETURN QUERY SELECT 'identity_event.detail', e.id::text, e.detail_sealed
            FROM crosswalk.identity_event e WHERE e.study_id = of_row;
    END IF;
END $$;

CREATE FUNCTION crosswalk.seal_anew(
    owner text, of_row uuid, new_key bytea, sealed_columns text[], row_ids text[], now_sealed bytea[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF owner = 'patient' THEN
        UPDATE crosswalk.patient p SET key_wrapped = new_key, identity_sealed = i.sealed, date_shift_sealed = d.sealed
        FROM unnest(sealed_columns, row_ids, now_sealed) AS i (name, id, sealed),
             unnest(sealed_columns, row_ids, now_sealed) AS d (name, id, sealed)
        WHERE p.id = of_row AND i.name = 'patient.identity' AND i.id = of_row::text
          AND d.name = 'patient.date_shift' AND d.id = of_row::text;
    ELSE
        UPDATE crosswalk.study st SET key_wrapped = new_key, uid_sealed = u.sealed, facts_sealed = (
            SELECT f.sealed FROM unnest(sealed_columns, row_ids, now_sealed) AS f (name, id, sealed)
            WHERE f.name = 'study.facts' AND f.id = of_row::text)
        FROM unnest(sealed_columns, row_ids, now_sealed) AS u (name, id, sealed)
        WHERE st.id = of_row AND u.name = 'study.uid' AND u.id = of_row::text;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'what a key seals is sealed anew as a whole' USING ERRCODE = 'restrict_violation';
    END IF;
    UPDATE crosswalk.patient_key t SET key_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'patient' AND n.name = 'patient_key.key' AND t.id::text = n.id AND t.patient_id = of_row;
    UPDATE crosswalk.patient_variant t SET identity_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'patient' AND n.name = 'patient_variant.identity' AND t.id::text = n.id AND t.patient_id = of_row;
    UPDATE crosswalk.series t SET uid_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'study' AND n.name = 'series.uid' AND t.id::text = n.id AND t.study_id = of_row;
    UPDATE crosswalk.series t SET facts_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'study' AND n.name = 'series.facts' AND t.id::text = n.id AND t.study_id = of_row;
    UPDATE crosswalk.instance t SET uid_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'study' AND n.name = 'instance.uid' AND t.id::text = n.id AND t.study_id = of_row;
    UPDATE crosswalk.study_known_values t SET values_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE owner = 'study' AND n.name = 'study_known_values.values' AND t.id::text = n.id AND t.study_id = of_row;
    UPDATE crosswalk.identity_event t SET detail_sealed = n.sealed
    FROM unnest(sealed_columns, row_ids, now_sealed) AS n (name, id, sealed)
    WHERE n.name = 'identity_event.detail' AND t.id::text = n.id
      AND CASE owner WHEN 'study' THEN t.study_id = of_row ELSE t.patient_id = of_row AND t.study_id IS NULL END;
END $$;
COMMENT ON FUNCTION crosswalk.seal_anew IS 'takes what sealed_of gave, sealed with the new key';

-- Who writes to a row that is older than data keys seals all that belongs to it anew, and may read it for that; a row
-- that has a key gives nothing out and takes nothing in.
CREATE FUNCTION crosswalk.has_no_key(owner text, of_row uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE owner
        WHEN 'patient' THEN EXISTS (SELECT FROM crosswalk.patient p
                                    WHERE p.id = of_row AND p.key_wrapped IS NULL AND p.key_destroyed_at IS NULL)
        ELSE EXISTS (SELECT FROM crosswalk.study st
                     WHERE st.id = of_row AND st.key_wrapped IS NULL AND st.key_destroyed_at IS NULL)
    END
$$;

CREATE FUNCTION crosswalk.sealed_without_key(owner text, of_row uuid)
RETURNS TABLE (sealed_column text, row_id text, sealed bytea)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF crosswalk.has_no_key(owner, of_row) THEN
        RETURN QUERY SELECT * FROM crosswalk.sealed_of(owner, of_row);
    END IF;
END $$;

CREATE FUNCTION crosswalk.seal_first(
    owner text, of_row uuid, new_key bytea, sealed_columns text[], row_ids text[], now_sealed bytea[])
RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF new_key IS NULL OR NOT crosswalk.has_no_key(owner, of_row) THEN
        RAISE EXCEPTION 'a row is given its first data key once' USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM crosswalk.seal_anew(owner, of_row, new_key, sealed_columns, row_ids, now_sealed);
END $$;

-- Of all rows of a person. The ciphertext goes as well: some may be older than data keys, and there is no use for it.
-- What was not settled is held: nothing is left to do for it, it could not even be asked for.
CREATE FUNCTION crosswalk.destroy_keys(
    patients uuid[], issuers_named boolean[], patient_keys uuid[], key_issuers_named boolean[])
RETURNS TABLE (studies bigint, instances bigint)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    theirs uuid[];
    erased constant bytea := '';
BEGIN
    UPDATE crosswalk.patient_key k SET key_sealed = erased, issuer_was_named = n.named
        FROM unnest(patient_keys, key_issuers_named) AS n (id, named)
        WHERE k.id = n.id AND k.patient_id = ANY (patients);
    UPDATE crosswalk.patient_variant v SET identity_sealed = erased WHERE v.patient_id = ANY (patients);
    UPDATE crosswalk.identity_event e SET detail_sealed = erased WHERE e.patient_id = ANY (patients);
    -- After what is sealed for them: from here on nothing of these rows changes any more.
    UPDATE crosswalk.patient p SET key_wrapped = NULL, key_destroyed_at = clock_timestamp(), identity_sealed = erased,
        date_shift_sealed = erased, issuer_was_named = n.named, uid_salt = NULL
        FROM unnest(patients, issuers_named) AS n (id, named) WHERE p.id = n.id;
    theirs := ARRAY (SELECT st.id FROM crosswalk.study st
                     WHERE st.patient_id = ANY (patients) ORDER BY st.id FOR UPDATE);
    studies := cardinality(theirs);
    WITH locked AS MATERIALIZED (
        SELECT i.id FROM crosswalk.instance i WHERE i.study_id = ANY (theirs) ORDER BY i.id FOR NO KEY UPDATE)
    UPDATE crosswalk.instance i SET uid_sealed = erased FROM locked WHERE i.id = locked.id;
    GET DIAGNOSTICS instances = ROW_COUNT;
    UPDATE crosswalk.study st SET key_wrapped = NULL, key_destroyed_at = clock_timestamp(), uid_sealed = erased,
        facts_sealed = NULL WHERE st.id = ANY (theirs);
    UPDATE crosswalk.series se SET uid_sealed = erased, facts_sealed = NULL WHERE se.study_id = ANY (theirs);
    UPDATE crosswalk.study_known_values k SET values_sealed = erased WHERE k.study_id = ANY (theirs);
    UPDATE crosswalk.identity_event e SET detail_sealed = erased WHERE e.study_id = ANY (theirs);
    UPDATE crosswalk.instance i SET state = 'held', reason = 'keys-destroyed', detail = '', state_changed_at = now()
        WHERE i.study_id = ANY (theirs) AND i.state NOT IN ('stored', 'filtered', 'withdrawn');
    RETURN NEXT;
END $$;

-- admin: identities ----------------------------------------------------------------------------------------------------

-- The surviving patient of a row follows from merges alone: who decides one may not write it.
ALTER FUNCTION crosswalk.follow_merge() SECURITY DEFINER SET search_path = pg_catalog, pg_temp;

-- ingest and auditor: differences of the archives ----------------------------------------------------------------------

-- Told without what it is, which may be anybody's.
ALTER TABLE crosswalk.archive_difference
    ADD COLUMN has_subject boolean NOT NULL GENERATED ALWAYS AS (subject_sealed IS NOT NULL) STORED;

-- reviewer: a source UID for an access event --------------------------------------------------------------------------

-- The event must be committed, by an earlier transaction: one of this transaction could still be rolled back, in a
-- savepoint even. An xmin has 32 bits, so its age is counted from the newest transaction that this snapshot knows of;
-- one that is newer than that is still at work.
CREATE FUNCTION crosswalk.is_committed(writer xid) RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN age < 2147483648 THEN pg_xact_status((newest - age)::text::xid8) = 'committed' ELSE false END
    FROM (SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint) AS snapshot (newest)
    CROSS JOIN LATERAL (SELECT (newest % 4294967296 - writer::text::bigint + 4294967296) % 4294967296) AS seen (age)
$$;

CREATE FUNCTION crosswalk.held_source(of_event uuid)
RETURNS TABLE (sop_uid_sealed bytea, series_id uuid, series_uid_sealed bytea, study_id uuid, study_uid_sealed bytea,
               key_wrapped bytea)
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.uid_sealed, se.id, se.uid_sealed, st.id, st.uid_sealed, st.key_wrapped
    FROM crosswalk.access_event e
    JOIN crosswalk.instance i ON i.id = e.instance_id
    JOIN crosswalk.series se ON se.id = i.series_id
    JOIN crosswalk.study st ON st.id = i.study_id AND st.key_destroyed_at IS NULL
    WHERE e.id = of_event AND e.recorded_at > clock_timestamp() - interval '1 minute'
      AND i.state = 'held' AND crosswalk.is_committed(e.xmin)
$$;
COMMENT ON FUNCTION crosswalk.held_source IS
    'what a held instance is called in the clinical PACS, for a look that has been recorded within the minute';

CREATE FUNCTION crosswalk.queue_again(of_device uuid) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    queued bigint;
BEGIN
    IF coalesce((SELECT c.decision FROM crosswalk.device_confirmation c WHERE c.device_id = of_device
                 ORDER BY c.number DESC LIMIT 1), 'hold') = 'hold' THEN
        RAISE EXCEPTION 'the pictures of this device stay held' USING ERRCODE = 'restrict_violation';
    END IF;
    WITH locked AS MATERIALIZED (
        SELECT i.id FROM crosswalk.instance i
        JOIN crosswalk.device_sighting s ON s.instance_id = i.id AND s.device_id = of_device
        WHERE i.state = 'held' AND i.reason = 'unconfirmed-device' AND NOT i.uid_reused
        ORDER BY i.id FOR NO KEY UPDATE OF i)
    UPDATE crosswalk.instance i SET state = 'discovered', reason = '', detail = '', state_changed_at = now()
    FROM locked WHERE i.id = locked.id;
    GET DIAGNOSTICS queued = ROW_COUNT;
    RETURN queued;
END $$;
COMMENT ON FUNCTION crosswalk.queue_again IS 'takes up again what waits for a device that is confirmed by now';

-- researcher: no column of these is sealed, an index, or a digest of a source ------------------------------------------

CREATE SCHEMA research;

-- A barrier, so that no function in a researcher's query sees a row before row-level security has judged it.
-- That a release has ended and what replaces it, not why; what it held is not shown any more.
CREATE VIEW research.release WITH (security_barrier) AS
SELECT r.project, r.number AS release, r.requester, r.instances, r.created_at,
       (SELECT min(t.recorded_at) FROM crosswalk.tombstone t WHERE t.release_id = r.id) AS ended_at,
       (SELECT n.number FROM crosswalk.release n WHERE n.replaces = r.id) AS replaced_by
FROM crosswalk.release r;

CREATE VIEW research.manifest WITH (security_barrier) AS
SELECT r.project, r.number AS release, s.patient, s.pseudonym, s.research_study_uid AS study_instance_uid,
       s.research_series_uid AS series_instance_uid, s.research_sop_uid AS sop_instance_uid, s.modality,
       s.sop_class_uid, encode(s.output_digest, 'hex') AS output_digest, s.output_bytes AS bytes, s.profile_version
FROM crosswalk.granted_instance g
JOIN crosswalk.release r ON r.id = g.release_id
JOIN crosswalk.stored_instance s ON s.instance_id = g.instance_id;

CREATE VIEW research.counts WITH (security_barrier) AS
SELECT m.project, m.release, count(DISTINCT m.patient) AS patients, count(DISTINCT m.study_instance_uid) AS studies,
       count(DISTINCT m.series_instance_uid) AS series, count(*) AS instances, sum(m.bytes)::bigint AS bytes
FROM research.manifest m GROUP BY m.project, m.release;
