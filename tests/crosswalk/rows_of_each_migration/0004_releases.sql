INSERT INTO crosswalk.release (id, project, number, requester, request_key, criteria_digest, instances)
VALUES ('88888888-0000-4000-8000-000000000001', 'lung', 1, 'researcher', 'manual__1', '\x91', 1);
INSERT INTO crosswalk.release_instance (release_id, instance_id)
SELECT '88888888-0000-4000-8000-000000000001', id FROM crosswalk.instance WHERE state = 'stored';
