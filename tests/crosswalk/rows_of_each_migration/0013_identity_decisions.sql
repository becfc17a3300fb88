INSERT INTO crosswalk.identity_decision (id, kind, decided_by, reason_sealed)
VALUES ('eeeeeeee-0000-4000-8000-000000000001', 'overrule', 'anna', '\xa4'),
       ('eeeeeeee-0000-4000-8000-000000000002', 'merge', 'anna', '\xa5'),
       ('eeeeeeee-0000-4000-8000-000000000003', 'split', 'anna', '\xa6');
INSERT INTO crosswalk.identity_event_decision (event_id, decision_id)
VALUES ('22222222-0000-4000-8000-000000000001', 'eeeeeeee-0000-4000-8000-000000000001');
INSERT INTO crosswalk.identity_event_instance (event_id, instance_id)
SELECT '22222222-0000-4000-8000-000000000001', id FROM crosswalk.instance WHERE state = 'held';
INSERT INTO crosswalk.patient_key (id, patient_index, patient_id_index, patient_id)
VALUES ('eeeeeeee-0000-4000-8000-000000000004', '\x11', '\x12', '11111111-0000-4000-8000-000000000001'),
       ('eeeeeeee-0000-4000-8000-000000000005', '\x21', '\x22', '11111111-0000-4000-8000-000000000002');
INSERT INTO crosswalk.patient_variant (id, patient_id, identity_sealed, decision_id)
VALUES ('eeeeeeee-0000-4000-8000-000000000006', '11111111-0000-4000-8000-000000000001', '\xa7',
        'eeeeeeee-0000-4000-8000-000000000001');
INSERT INTO crosswalk.shared_accession (accession_index, decision_id)
VALUES ('\xa8', 'eeeeeeee-0000-4000-8000-000000000001');
INSERT INTO crosswalk.patient_merge (decision_id, patient_id, into_id)
VALUES ('eeeeeeee-0000-4000-8000-000000000002', '11111111-0000-4000-8000-000000000002',
        '11111111-0000-4000-8000-000000000001');
UPDATE crosswalk.patient SET merged_into = '11111111-0000-4000-8000-000000000001'
WHERE id = '11111111-0000-4000-8000-000000000002';
INSERT INTO crosswalk.study_assignment (decision_id, study_id, from_patient, to_patient)
VALUES ('eeeeeeee-0000-4000-8000-000000000003', '44444444-0000-4000-8000-000000000002', NULL,
        '11111111-0000-4000-8000-000000000002');
INSERT INTO crosswalk.reissue (instance_id, decision_id)
SELECT id, 'eeeeeeee-0000-4000-8000-000000000003' FROM crosswalk.instance WHERE state = 'stored';
