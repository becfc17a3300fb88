INSERT INTO crosswalk.keyring_fingerprint (key_name, fingerprint) VALUES ('sealing', '\x01'), ('uid', '\x02');
INSERT INTO crosswalk.patient (id, pseudonym, patient_index, patient_id_index, identity_sealed, date_shift_sealed)
VALUES ('11111111-0000-4000-8000-000000000001', 'D00000000001', '\x11', '\x12', '\x13', '\x14'),
       ('11111111-0000-4000-8000-000000000002', 'D00000000002', '\x21', '\x22', '\x23', '\x24');
INSERT INTO crosswalk.identity_event (id, kind, fingerprint, patient_id, detail_sealed)
VALUES ('22222222-0000-4000-8000-000000000001', 'name', '\x31', '11111111-0000-4000-8000-000000000001', '\x32');
