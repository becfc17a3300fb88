INSERT INTO crosswalk.run (id, dag_id, airflow_run_id)
VALUES ('33333333-0000-4000-8000-000000000001', 'ingest_studies', 'scheduled__1');
INSERT INTO crosswalk.batch (run_id, number, instances, studies)
VALUES ('33333333-0000-4000-8000-000000000001', 1, 4, 1);
INSERT INTO crosswalk.recipe (profile_version, code_version) VALUES ('research@0123456789ab', '0.1.0');
INSERT INTO crosswalk.study (id, study_index, uid_sealed, patient_id, research_study_uid, facts_sealed, observed_count,
                             count_changed_at, enrolled_count, enrolled_at, first_observed_at)
VALUES ('44444444-0000-4000-8000-000000000001', '\x41', '\x42', '11111111-0000-4000-8000-000000000001', '2.25.1',
        '\x43', 4, now(), 4, now(), now()),
       ('44444444-0000-4000-8000-000000000002', '\x44', '\x45', NULL, NULL, NULL, 9, now(), NULL, NULL, now());
INSERT INTO crosswalk.study_accession (accession_index, study_id)
VALUES ('\x51', '44444444-0000-4000-8000-000000000001');
INSERT INTO crosswalk.study_known_values (id, study_id, values_sealed)
VALUES ('55555555-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', '\x52');
INSERT INTO crosswalk.series (id, study_id, series_index, uid_sealed, research_series_uid, modality, facts_sealed)
VALUES ('66666666-0000-4000-8000-000000000001', '44444444-0000-4000-8000-000000000001', '\x61', '\x62', '2.25.2', 'CT',
        '\x63');
-- One in each state.
INSERT INTO crosswalk.instance (study_id, series_id, batch_id, recipe_id, state, enrolled_at, state_changed_at,
                                sop_index, uid_sealed, input_digest, output_digest, research_sop_uid, reason)
SELECT '44444444-0000-4000-8000-000000000001', '66666666-0000-4000-8000-000000000001', 1, 1, state, now(), now(),
       decode(md5(state::text), 'hex'), '\x71', '\x72', '\x73', '2.25.3' || ordinality,
       CASE WHEN state IN ('held', 'filtered') THEN 'burned-in-risk' ELSE '' END
FROM unnest(enum_range(NULL::crosswalk.instance_state)) WITH ORDINALITY AS all_states (state, ordinality);
