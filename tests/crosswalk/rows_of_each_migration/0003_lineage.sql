INSERT INTO crosswalk.verdict (instance_id, batch_id, output_digest, passed, findings)
SELECT id, 1, '\x73', true, '{"residual-name": 0}' FROM crosswalk.instance;
INSERT INTO crosswalk.store_receipt (instance_id, batch_id, output_digest, accepted, confirmed, status)
SELECT id, 1, '\x73', true, true, 0 FROM crosswalk.instance WHERE state = 'stored';
INSERT INTO crosswalk.task_event (dag_id, airflow_run_id, task_id, map_index, try_number, worker, batch_id, event, counts)
VALUES ('ingest_studies', 'scheduled__1', 'batch.store', 0, 1, 'worker:1', 1, 'succeeded', '{"stored": 1}');
INSERT INTO crosswalk.access_event (id, actor, action, reason_sealed, count)
VALUES ('77777777-0000-4000-8000-000000000001', 'admin', 'export', '\x81', 2);
