INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, instance_id)
SELECT '77777777-0000-4000-8000-000000000002', 'anna', 'pixels review', '\xc1', 1, id
FROM crosswalk.instance WHERE state = 'held';
