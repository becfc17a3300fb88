INSERT INTO crosswalk.instance (study_id, series_id, state, enrolled_at, state_changed_at, sop_index, uid_sealed)
VALUES ('44444444-0000-4000-8000-000000000001', '66666666-0000-4000-8000-000000000001', 'withdrawn', now(), now(),
        '\xb1', '\xb2');
