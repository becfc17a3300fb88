INSERT INTO crosswalk.standing_request (id, project, requester, request_key, conf, until)
VALUES ('cdcdcdcd-0000-4000-8000-000000000001', 'LUNG', 'ravi', 'cohort_extraction/s', '{"project": "LUNG"}', '2030-01-31');
INSERT INTO crosswalk.standing_version (release_id, standing_id, version, people_digest)
VALUES ('88888888-0000-4000-8000-000000000001', 'cdcdcdcd-0000-4000-8000-000000000001', 1, '\xd2');
INSERT INTO crosswalk.standing_look (standing_id, seen) VALUES ('cdcdcdcd-0000-4000-8000-000000000001', '1 0 0 1');
INSERT INTO crosswalk.standing_change (standing_id, state, because, changed_by)
VALUES ('cdcdcdcd-0000-4000-8000-000000000001', 'paused', 'the ethics approval has ended', 'pipeline');
