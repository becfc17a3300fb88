INSERT INTO crosswalk.openlineage_event (run_uuid, event_type, event_time, job_namespace, job_name, origin, event)
VALUES ('dddddddd-0000-4000-8000-000000000001', 'START', now(), 'dicomanon', 'ingest_studies.discover', 'emitted', '{}');
