INSERT INTO crosswalk.project_member (project, login, added_by) VALUES ('LUNG', 'postgres', 'ada');
