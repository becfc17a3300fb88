INSERT INTO crosswalk.gateway_token (id, token_digest, project, login, made_by, reason_sealed, expires_at)
VALUES ('abababab-0000-4000-8000-000000000001', sha256('a token'), 'LUNG', 'postgres', 'ada', '\xd1',
        clock_timestamp() + interval '1 hour');
INSERT INTO crosswalk.gateway_token_revocation (token_id, revoked_by, reason_sealed)
VALUES ('abababab-0000-4000-8000-000000000001', 'ada', '\xd2');
INSERT INTO crosswalk.gateway_use (event_id, token_id, number)
SELECT id, 'abababab-0000-4000-8000-000000000001', number FROM crosswalk.access_event ORDER BY number LIMIT 1;
INSERT INTO crosswalk.release_series (release_id, study_id, series_id)
SELECT '88888888-0000-4000-8000-000000000001', study_id, id FROM crosswalk.series ON CONFLICT DO NOTHING;
