INSERT INTO crosswalk.removal (id, kind, patient_id, release_id, requested_by, counts_as_person, reason_sealed, ticket)
VALUES ('ffffffff-0000-4000-8000-000000000001', 'recall', NULL, '88888888-0000-4000-8000-000000000001', 'anna', true,
        '\xc1', 'T-1'),
       ('ffffffff-0000-4000-8000-000000000002', 'withdrawal', '11111111-0000-4000-8000-000000000001', NULL, 'anna',
        true, '\xc2', 'T-2');
INSERT INTO crosswalk.removal_approval (id, removal_id, approved_by, reason_sealed)
VALUES ('ffffffff-0000-4000-8000-000000000003', 'ffffffff-0000-4000-8000-000000000001', 'bob', '\xc3');
INSERT INTO crosswalk.recall_scope (removal_id, instance_id)
SELECT 'ffffffff-0000-4000-8000-000000000001', id FROM crosswalk.instance WHERE state = 'stored';
INSERT INTO crosswalk.former_object (removal_id, instance_id, state, pseudonym, research_study_uid,
                                     research_series_uid, research_sop_uid, output_digest, recipe_id)
SELECT 'ffffffff-0000-4000-8000-000000000001', id, state, 'D00000000001', '2.25.1', '2.25.2', research_sop_uid,
       output_digest, recipe_id FROM crosswalk.instance WHERE state = 'stored';
INSERT INTO crosswalk.removal_receipt (removal_id, instance_id, gone, means)
SELECT removal_id, instance_id, true, 'by hand' FROM crosswalk.former_object;
INSERT INTO crosswalk.tombstone (release_id, removal_id, instances)
VALUES ('88888888-0000-4000-8000-000000000001', 'ffffffff-0000-4000-8000-000000000001', 1);
INSERT INTO crosswalk.removal_notice (removal_id, release_id, means, recipients)
VALUES ('ffffffff-0000-4000-8000-000000000001', '88888888-0000-4000-8000-000000000001', 'folder', '[]');
INSERT INTO crosswalk.removal_step (removal_id, step, counts)
VALUES ('ffffffff-0000-4000-8000-000000000001', 'marked', '{"objects": 1}');
UPDATE crosswalk.instance SET state = 'held', reason = 'recalled' WHERE state = 'stored';
UPDATE crosswalk.patient SET withdrawn_by = 'ffffffff-0000-4000-8000-000000000002';
INSERT INTO crosswalk.unconfirmed_object (instance_id, pseudonym, research_study_uid, research_series_uid,
                                          research_sop_uid, output_digest, recipe_id)
SELECT id, 'D00000000001', '2.25.1', '2.25.2', '2.25.9', '\x0d', recipe_id FROM crosswalk.instance
WHERE recipe_id IS NOT NULL LIMIT 1;
