INSERT INTO crosswalk.archive_check (id, opened_at, looked_up_to)
VALUES ('bbbbbbbb-0000-4000-8000-000000000001', now(), '44444444-0000-4000-8000-000000000001');
INSERT INTO crosswalk.archive_difference (id, cause, fingerprint, study_id, detail, first_seen_at, last_seen_at)
VALUES ('bbbbbbbb-0000-4000-8000-000000000002', 'study-missing', '\xd1', '44444444-0000-4000-8000-000000000001',
        '1 instances', now(), now());
INSERT INTO crosswalk.archive_survey (check_id, side, study_key, research_uid, paged)
VALUES ('bbbbbbbb-0000-4000-8000-000000000001', 'clinical', '\x41', '2.25.1', true);
INSERT INTO crosswalk.restoration (id, backup, restored_by, reason_sealed)
VALUES ('bbbbbbbb-0000-4000-8000-000000000003', 'crosswalk-20260301T120000Z', 'anna', '\xd2');
