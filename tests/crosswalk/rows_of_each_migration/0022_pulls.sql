INSERT INTO crosswalk.cohort_pull (id, request_key, entries, wanted_sealed, requested_at, wait_until)
VALUES ('cdcdcdcd-0000-4000-8000-000000000001', 'cohort_extraction/p', 2, '\xe1', '2026-11-01', '2026-11-02');
INSERT INTO crosswalk.cohort_pull_study (pull_id, study_id, patient)
SELECT 'cdcdcdcd-0000-4000-8000-000000000001', id, 1 FROM crosswalk.study ORDER BY id LIMIT 1;
