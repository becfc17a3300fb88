-- Devices whose pictures a person should see first: which were met, in what, and what was said of them.

CREATE TABLE crosswalk.device (
    id            uuid PRIMARY KEY,
    device_index  bytea NOT NULL UNIQUE,
    facts_sealed  bytea NOT NULL,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN crosswalk.device.facts_sealed IS 'manufacturer, model, software, size: people type into devices';

-- One row an instance, so that a step that is run again counts nothing twice.
CREATE TABLE crosswalk.device_sighting (
    device_id   uuid NOT NULL REFERENCES crosswalk.device,
    instance_id bigint NOT NULL REFERENCES crosswalk.instance,
    PRIMARY KEY (device_id, instance_id)
);

CREATE TABLE crosswalk.device_confirmation (
    id             uuid PRIMARY KEY,
    number         bigint GENERATED ALWAYS AS IDENTITY,
    device_id      uuid NOT NULL REFERENCES crosswalk.device,
    decision       text NOT NULL CHECK (decision IN ('clean', 'mask', 'hold')),
    boxes          jsonb NOT NULL,
    confirmed_by   text NOT NULL CHECK (btrim(confirmed_by) <> ''),
    database_login text NOT NULL DEFAULT session_user,
    reason_sealed  bytea NOT NULL,
    confirmed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((decision = 'mask') = (jsonb_array_length(boxes) > 0))
);
COMMENT ON COLUMN crosswalk.device_confirmation.number IS 'the greatest of a device counts';
COMMENT ON COLUMN crosswalk.device_confirmation.boxes IS 'left, top, width, height in pixels';
CREATE INDEX device_confirmation_newest ON crosswalk.device_confirmation (device_id, number DESC);

CREATE TRIGGER device_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.device
    EXECUTE FUNCTION crosswalk.refuse_change();
CREATE TRIGGER device_confirmation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON crosswalk.device_confirmation
    EXECUTE FUNCTION crosswalk.refuse_change();
