INSERT INTO crosswalk.project_version (id, project, version, title, lead_name, ethics_number, ethics_expires,
                                       retention_days, profiles, criteria, minimum_patients, approval_for, set_by,
                                       reason_sealed)
VALUES ('abababab-0000-4000-8000-000000000001', 'LUNG', 1, 'Nodules', 'Ada', 'EK 1', '2030-01-31', 365, '{research}',
        NULL, 10, '{identifiers,overlap}', 'anna', '\xd1');
INSERT INTO crosswalk.project_requester (project, requester, added_by) VALUES ('LUNG', 'ravi', 'ada');
