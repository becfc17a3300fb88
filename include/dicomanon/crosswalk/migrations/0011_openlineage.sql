-- OpenLineage events beside our own: as they were sent, or made again of our own where none arrived.

CREATE TABLE crosswalk.openlineage_event (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    run_uuid      uuid NOT NULL,
    event_type    text NOT NULL CHECK (event_type IN ('START', 'RUNNING', 'COMPLETE', 'ABORT', 'FAIL', 'OTHER')),
    event_time    timestamptz NOT NULL,
    job_namespace text NOT NULL,
    job_name      text NOT NULL,
    origin        text NOT NULL CHECK (origin IN ('emitted', 'rebuilt')),
    event         jsonb NOT NULL,
    loaded_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (run_uuid, event_type, event_time)
);
COMMENT ON COLUMN crosswalk.openlineage_event.run_uuid IS 'runId of the event: of one try of a task instance';
CREATE INDEX openlineage_event_by_job ON crosswalk.openlineage_event (job_namespace, job_name, event_time);
CREATE TRIGGER openlineage_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.openlineage_event
    EXECUTE FUNCTION crosswalk.refuse_change();

-- Up to which task event it has been looked whether OpenLineage events arrived. One row.
CREATE TABLE crosswalk.openlineage_progress (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    task_event_id bigint NOT NULL
);
INSERT INTO crosswalk.openlineage_progress (task_event_id) VALUES (0);
