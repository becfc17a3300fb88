INSERT INTO crosswalk.reidentification_request
    (id, kind, identifier, requested_by, ticket_sealed, reason_sealed, hours, event_id)
VALUES ('cccccccc-0000-4000-8000-000000000001', 'pseudonym', 'D00000000001', 'anna', '\xe4', '\xe5', 24,
        '77777777-0000-4000-8000-000000000003');
INSERT INTO crosswalk.reidentification_decision (request_id, decision, decided_by, reason_sealed, event_id)
VALUES ('cccccccc-0000-4000-8000-000000000001', 'approved', 'bert', '\xe6', '77777777-0000-4000-8000-000000000004');
INSERT INTO crosswalk.reidentification_showing (request_id, shown_to, event_id)
VALUES ('cccccccc-0000-4000-8000-000000000001', 'anna', '77777777-0000-4000-8000-000000000005');
