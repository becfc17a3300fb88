-- What cohorts are asked by beside the facts of a study: whose an identifier is, who people are, which series there are.

CREATE FUNCTION crosswalk.cohort_keys(by_patient bytea[], by_patient_id bytea[])
RETURNS TABLE (patient_index bytea, patient_id_index bytea, patient_id uuid)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.patient_index, k.patient_id_index, met.survivor_id
    FROM crosswalk.patient_key k JOIN crosswalk.patient met ON met.id = k.patient_id
    WHERE (k.patient_index = ANY (by_patient) OR k.patient_id_index = ANY (by_patient_id))
      AND EXISTS (SELECT FROM crosswalk.patient p JOIN crosswalk.study st ON st.patient_id = p.id
                  WHERE p.survivor_id = met.survivor_id AND p.withdrawn_by IS NULL
                    AND st.research_study_uid IS NOT NULL AND st.key_destroyed_at IS NULL)
$$;
COMMENT ON FUNCTION crosswalk.cohort_keys IS
    'who has studies that a cohort may have, by the keys of any of their rows; patient_id is the surviving one';

CREATE FUNCTION crosswalk.cohort_people(wanted uuid[])
RETURNS TABLE (survivor_id uuid, patient_id uuid, key_wrapped bytea, identity_id uuid, identity_sealed bytea,
               is_variant boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH person AS (
        SELECT p.survivor_id, p.id, p.key_wrapped, p.identity_sealed FROM crosswalk.patient p
        WHERE p.survivor_id = ANY (wanted) AND p.withdrawn_by IS NULL AND p.key_destroyed_at IS NULL)
    SELECT p.survivor_id, p.id, p.key_wrapped, p.id, p.identity_sealed, false FROM person p
    UNION ALL
    SELECT p.survivor_id, p.id, p.key_wrapped, v.id, v.identity_sealed, true
    FROM person p JOIN crosswalk.patient_variant v ON v.patient_id = p.id WHERE v.study_id IS NULL
$$;
COMMENT ON FUNCTION crosswalk.cohort_people IS
    'every identity of surviving patients, sealed: names, birth dates and sexes are compared where the key is';

CREATE FUNCTION crosswalk.cohort_series(of_studies uuid[])
RETURNS TABLE (study_id uuid, key_wrapped bytea, series_id uuid, research_series_uid text, modality text,
               facts_sealed bytea, instances bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH stored AS (
        SELECT i.series_id, count(*) AS instances FROM crosswalk.instance i
        WHERE i.study_id = ANY (of_studies) AND i.state = 'stored'
          AND NOT EXISTS (SELECT FROM crosswalk.reissue x WHERE x.instance_id = i.id AND x.closed_at IS NULL)
        GROUP BY i.series_id)
    SELECT st.id, st.key_wrapped, se.id, se.research_series_uid, se.modality, se.facts_sealed, stored.instances
    FROM stored JOIN crosswalk.series se ON se.id = stored.series_id
    JOIN crosswalk.study st ON st.id = se.study_id
    JOIN crosswalk.patient p ON p.id = st.patient_id
    WHERE st.research_study_uid IS NOT NULL AND st.key_destroyed_at IS NULL AND p.withdrawn_by IS NULL
    ORDER BY st.id, se.id
$$;
COMMENT ON FUNCTION crosswalk.cohort_series IS
    'series of which something is stored that a release may hold, and how much; facts stay sealed';
