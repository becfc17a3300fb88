-- Who looked at the picture of which held instance, and what is held, by reason, at once.

ALTER TABLE crosswalk.access_event ADD COLUMN instance_id bigint REFERENCES crosswalk.instance;
COMMENT ON COLUMN crosswalk.access_event.instance_id IS 'the one instance that was shown; NULL where it is about many';
CREATE INDEX access_event_by_instance ON crosswalk.access_event (instance_id) WHERE instance_id IS NOT NULL;

CREATE INDEX instance_held ON crosswalk.instance (reason, study_id, id) WHERE state = 'held';
