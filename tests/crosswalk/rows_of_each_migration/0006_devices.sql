INSERT INTO crosswalk.device (id, device_index, facts_sealed)
VALUES ('aaaaaaaa-0000-4000-8000-000000000001', '\xb1', '\xb2');
INSERT INTO crosswalk.device_sighting (device_id, instance_id)
SELECT 'aaaaaaaa-0000-4000-8000-000000000001', id FROM crosswalk.instance WHERE state = 'held';
INSERT INTO crosswalk.device_confirmation (id, device_id, decision, boxes, confirmed_by, reason_sealed)
VALUES ('aaaaaaaa-0000-4000-8000-000000000002', 'aaaaaaaa-0000-4000-8000-000000000001', 'mask', '[[0, 0, 9, 9]]', 'anna',
        '\xb3');
