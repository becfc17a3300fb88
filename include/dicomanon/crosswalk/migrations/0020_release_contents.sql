-- What releases are made of, so that their files can be written again: facts of de-identified objects, and a record.

-- In clear: the object has passed the check for residual PHI, and says so to whoever may read it. Of one that is held,
-- removed or made anew nothing is kept.
CREATE TABLE crosswalk.research_facts (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id uuid NOT NULL REFERENCES crosswalk.series,
    digest    bytea NOT NULL,
    facts     jsonb NOT NULL,
    UNIQUE (series_id, digest)
);
COMMENT ON TABLE crosswalk.research_facts IS
    'what validated objects of a series say of themselves, by DICOM keyword; one row for all that say the same';
CREATE TRIGGER research_facts_never_change BEFORE UPDATE ON crosswalk.research_facts
    FOR EACH ROW EXECUTE FUNCTION crosswalk.refuse_change();

ALTER TABLE crosswalk.instance ADD COLUMN research_facts_id bigint REFERENCES crosswalk.research_facts;
CREATE INDEX instance_by_research_facts ON crosswalk.instance (research_facts_id) WHERE research_facts_id IS NOT NULL;

CREATE FUNCTION crosswalk.unlink_research_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.research_facts_id := NULL;
    RETURN NEW;
END $$;
CREATE TRIGGER instance_says_nothing_more BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.research_facts_id IS NOT NULL AND (NEW.state NOT IN ('validated', 'stored')
                       OR NEW.output_digest IS DISTINCT FROM OLD.output_digest))
    EXECUTE FUNCTION crosswalk.unlink_research_facts();

CREATE FUNCTION crosswalk.forget_research_facts() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Whoever is linking another object to the row is waited for, and then seen.
    PERFORM FROM crosswalk.research_facts f WHERE f.id = OLD.research_facts_id FOR UPDATE;
    DELETE FROM crosswalk.research_facts f WHERE f.id = OLD.research_facts_id
        AND NOT EXISTS (SELECT FROM crosswalk.instance i WHERE i.research_facts_id = f.id);
    RETURN NULL;
END $$;
CREATE TRIGGER instance_facts_are_forgotten AFTER UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.research_facts_id IS NOT NULL AND NEW.research_facts_id IS DISTINCT FROM OLD.research_facts_id)
    EXECUTE FUNCTION crosswalk.forget_research_facts();

CREATE TRIGGER instance_stored_keeps_its_facts BEFORE UPDATE ON crosswalk.instance
    FOR EACH ROW WHEN (OLD.state = 'stored' AND NEW.state = 'stored'
                       AND NEW.research_facts_id IS DISTINCT FROM OLD.research_facts_id)
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE FUNCTION crosswalk.facts_of_release(of_release uuid) RETURNS TABLE (facts jsonb, passed boolean, instances bigint[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.facts, v.passed, array_agg(i.id)
    FROM crosswalk.release_instance ri
    JOIN crosswalk.instance i ON i.id = ri.instance_id AND i.state = 'stored'
    LEFT JOIN crosswalk.research_facts f ON f.id = i.research_facts_id
    LEFT JOIN LATERAL (SELECT said.passed FROM crosswalk.verdict said
                       WHERE said.instance_id = i.id AND said.output_digest = i.output_digest
                       ORDER BY said.id DESC LIMIT 1) v ON true
    WHERE ri.release_id = of_release GROUP BY f.id, v.passed
$$;
COMMENT ON FUNCTION crosswalk.facts_of_release IS
    'facts of stored objects, NULL of those from before there were any, and whether validation passed just these bytes';

-- All that the files of a release are made of beside the ledger. Sealed: it holds the salt of the inputs' digests, and
-- which of the requester's identifiers led to nothing.
CREATE TABLE crosswalk.release_record (
    release_id    uuid PRIMARY KEY REFERENCES crosswalk.release,
    record_sealed bytea NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON TABLE crosswalk.release_record IS 'releases from before it have none, and cannot be written again';
CREATE TRIGGER release_record_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.release_record
    EXECUTE FUNCTION crosswalk.refuse_change();

CREATE FUNCTION crosswalk.enter_release_record(of_release uuid, sealed bytea) RETURNS bytea
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO crosswalk.release_record (release_id, record_sealed) VALUES (of_release, sealed) ON CONFLICT DO NOTHING;
    RETURN (SELECT r.record_sealed FROM crosswalk.release_record r WHERE r.release_id = of_release);
END $$;
COMMENT ON FUNCTION crosswalk.enter_release_record IS 'gives back the record that the release has: of two, the first';

CREATE FUNCTION crosswalk.recorded_release(of_release uuid)
RETURNS TABLE (id uuid, project text, number integer, requester text, instances bigint, created_at timestamptz,
               replaces uuid, criteria_digest bytea, record_sealed bytea, has_ended boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.id, r.project, r.number, r.requester, r.instances, r.created_at, r.replaces, r.criteria_digest,
           c.record_sealed, EXISTS (SELECT FROM crosswalk.tombstone t WHERE t.release_id = r.id)
    FROM crosswalk.release r LEFT JOIN crosswalk.release_record c ON c.release_id = r.id WHERE r.id = of_release
$$;

CREATE FUNCTION crosswalk.inputs_of_release(of_release uuid) RETURNS SETOF bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.input_digest FROM crosswalk.release_instance ri JOIN crosswalk.instance i ON i.id = ri.instance_id
    WHERE ri.release_id = of_release AND i.state = 'stored'
$$;
COMMENT ON FUNCTION crosswalk.inputs_of_release IS 'SHA-256 of the source objects, which leave us under a salt alone';

CREATE FUNCTION crosswalk.left_out_of(of_studies uuid[])
RETURNS TABLE (research_study_uid text, state text, reason text, instances bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT st.research_study_uid, i.state::text, i.reason, count(*)
    FROM crosswalk.instance i JOIN crosswalk.study st ON st.id = i.study_id
    JOIN crosswalk.patient p ON p.id = st.patient_id
    WHERE i.study_id = ANY (of_studies) AND i.state <> 'stored' AND i.absent_since IS NULL
      AND st.research_study_uid IS NOT NULL AND st.key_destroyed_at IS NULL AND p.withdrawn_by IS NULL
    GROUP BY st.research_study_uid, i.state, i.reason
$$;
COMMENT ON FUNCTION crosswalk.left_out_of IS 'what of studies is not stored, and why; not all of it is for a requester';

CREATE FUNCTION crosswalk.former_version(of_release uuid)
RETURNS TABLE (id uuid, project text, number integer, requester text, instances bigint, created_at timestamptz,
               replaces uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.id, f.project, f.number, f.requester, f.instances, f.created_at, f.replaces
    FROM crosswalk.release r
    JOIN crosswalk.release f ON f.project = r.project AND f.number < r.number AND f.criteria_digest = r.criteria_digest
    WHERE r.id = of_release ORDER BY f.number DESC LIMIT 1
$$;
COMMENT ON FUNCTION crosswalk.former_version IS 'the release before of the same project that was asked for by the same';

CREATE FUNCTION crosswalk.uids_of_release(of_release uuid) RETURNS TABLE (instance_id bigint, research_sop_uid text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.id, coalesce(former.research_sop_uid, i.research_sop_uid)
    FROM crosswalk.release_instance ri JOIN crosswalk.instance i ON i.id = ri.instance_id
    LEFT JOIN LATERAL (SELECT f.research_sop_uid FROM crosswalk.tombstone t
                       JOIN crosswalk.former_object f ON f.removal_id = t.removal_id AND f.instance_id = ri.instance_id
                       WHERE t.release_id = ri.release_id ORDER BY t.recorded_at, t.removal_id LIMIT 1) former ON true
    WHERE ri.release_id = of_release
$$;
COMMENT ON FUNCTION crosswalk.uids_of_release IS 'as they were released, whatever a removal has taken since';
