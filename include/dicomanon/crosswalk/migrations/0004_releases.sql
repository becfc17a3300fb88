-- What was handed to which project: immutable sets of stored instances.

CREATE TABLE crosswalk.release (
    id              uuid PRIMARY KEY,
    project         text NOT NULL,
    number          integer NOT NULL,
    requester       text NOT NULL,
    request_key     text,
    criteria_digest bytea NOT NULL,
    instances       bigint NOT NULL,
    created_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (project, number)
);
CREATE UNIQUE INDEX release_by_request ON crosswalk.release (project, request_key) WHERE request_key IS NOT NULL;

CREATE TABLE crosswalk.release_instance (
    release_id  uuid NOT NULL REFERENCES crosswalk.release,
    instance_id bigint NOT NULL REFERENCES crosswalk.instance,
    PRIMARY KEY (release_id, instance_id)
);
CREATE INDEX release_instance_by_instance ON crosswalk.release_instance (instance_id);

CREATE TRIGGER release_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.release
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER release_instance_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.release_instance
    EXECUTE FUNCTION crosswalk.refuse_change();
