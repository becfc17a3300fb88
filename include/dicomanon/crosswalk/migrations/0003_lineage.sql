-- Who did what to which object: verdicts, store receipts, task events and access events, only ever added.

CREATE TABLE crosswalk.verdict (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id   bigint NOT NULL REFERENCES crosswalk.instance,
    batch_id      bigint NOT NULL REFERENCES crosswalk.batch,
    output_digest bytea,
    passed        boolean NOT NULL,
    findings      jsonb NOT NULL,
    reason        text NOT NULL DEFAULT '',
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX verdict_by_instance ON crosswalk.verdict (instance_id, id);

CREATE TABLE crosswalk.store_receipt (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    instance_id   bigint NOT NULL REFERENCES crosswalk.instance,
    batch_id      bigint NOT NULL REFERENCES crosswalk.batch,
    output_digest bytea,
    accepted      boolean NOT NULL,
    confirmed     boolean NOT NULL,
    status        integer,
    recorded_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX store_receipt_by_instance ON crosswalk.store_receipt (instance_id, id);

CREATE TABLE crosswalk.task_event (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id         text NOT NULL,
    airflow_run_id text NOT NULL,
    task_id        text NOT NULL,
    map_index      integer NOT NULL,
    try_number     integer NOT NULL,
    worker         text NOT NULL,
    batch_id       bigint REFERENCES crosswalk.batch,
    event          text NOT NULL,
    counts         jsonb NOT NULL,
    error          text NOT NULL DEFAULT '',
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX task_event_by_batch ON crosswalk.task_event (batch_id) WHERE batch_id IS NOT NULL;
CREATE INDEX task_event_by_run ON crosswalk.task_event (dag_id, airflow_run_id);

CREATE TABLE crosswalk.access_event (
    id            uuid PRIMARY KEY,
    actor         text NOT NULL,
    action        text NOT NULL,
    reason_sealed bytea NOT NULL,
    count         bigint NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN crosswalk.access_event.reason_sealed IS 'people type names and numbers into reasons';
CREATE INDEX access_event_by_time ON crosswalk.access_event (recorded_at);

CREATE TRIGGER verdict_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.verdict
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER store_receipt_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.store_receipt
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER task_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.task_event
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER access_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.access_event
    EXECUTE FUNCTION crosswalk.refuse_change();
