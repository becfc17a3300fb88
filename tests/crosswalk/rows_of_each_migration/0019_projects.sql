INSERT INTO crosswalk.project_version (id, project, version, title, lead_name, ethics_number, ethics_expires,
                                       retention_days, profiles, criteria, minimum_patients, approval_for, set_by,
                                       reason_sealed)
VALUES ('abababab-0000-4000-8000-000000000001', 'LUNG', 1, 'Nodules', 'Ada', 'EK 1', '2030-01-31', 365, '{research}',
        NULL, 10, '{identifiers,overlap}', 'anna', '\xd1');
INSERT INTO crosswalk.project_requester (project, requester, added_by) VALUES ('LUNG', 'ravi', 'ada');
INSERT INTO crosswalk.cohort_told (id, project, request_key, dry_run, digest, patients)
VALUES ('abababab-0000-4000-8000-000000000002', 'LUNG', 'cohort_extraction/r', true, '\xd2', '{-1,2,3}');
INSERT INTO crosswalk.cohort_held (id, project, requester, request_key, dry_run, held_for, patients, asked,
                                   purpose_sealed)
VALUES ('abababab-0000-4000-8000-000000000003', 'LUNG', 'ravi', 'cohort_extraction/r', false, '{overlap}', 3,
        '{"sex": 1}', '\xd3');
INSERT INTO crosswalk.cohort_decision (held_id, decision, decided_by, reason_sealed)
VALUES ('abababab-0000-4000-8000-000000000003', 'approved', 'anna', '\xd4');
