INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count, subject_kind, subject)
VALUES ('77777777-0000-4000-8000-000000000003', 'anna', 'reidentify.ask', '\xe1', 1, 'pseudonym', 'D00000000001'),
       ('77777777-0000-4000-8000-000000000004', 'bert', 'reidentify.approve', '\xe2', 1, 'pseudonym', 'D00000000001'),
       ('77777777-0000-4000-8000-000000000005', 'anna', 'reidentify.show', '\xe3', 1, 'pseudonym', 'D00000000001');
