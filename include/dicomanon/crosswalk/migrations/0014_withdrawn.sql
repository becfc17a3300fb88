-- The state of what a patient has taken back. By itself, since PostgreSQL lets nobody use a new value before its commit.

ALTER TYPE crosswalk.instance_state ADD VALUE 'withdrawn';
