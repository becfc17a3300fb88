INSERT INTO crosswalk.project_identifier (own, project, research) VALUES ('P1', 'LUNG', 'D1');
