INSERT INTO crosswalk.profile_version (id, version, name, content, content_digest, code_version, published_by, reason_sealed)
VALUES ('99999999-0000-4000-8000-000000000001', 'site@0123456789ab', 'site', '{}', sha256('{}'), '0.1.0', 'anna', '\xa1');
INSERT INTO crosswalk.profile_approval (id, profile_id, approved_by, reason_sealed)
VALUES ('99999999-0000-4000-8000-000000000002', '99999999-0000-4000-8000-000000000001', 'bert', '\xa2');
INSERT INTO crosswalk.action_counts (digest, counts) VALUES ('\xa3', '{"keep": 40}');
UPDATE crosswalk.instance SET action_counts_id = 1 WHERE state = 'validated';
