-- The group roles of the crosswalk. They are the server's, shared by all its databases; what they may do in a database
-- is granted there by `dicomanon migrate`. Run it as an administrator of the server, as often as you like:
--
--   dicomanon crosswalk roles | psql --username postgres --dbname postgres
--
-- No one logs in as one of these: logins are members, and act as the role that their work needs (SET ROLE).
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY
        ARRAY['ingest', 'cohort', 'removal', 'reviewer', 'auditor', 'admin', 'researcher', 'gateway', 'pages'] LOOP
        BEGIN
            IF to_regrole('dicomanon_' || wanted) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', 'dicomanon_' || wanted);
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- Another database's migration was first.
        END;
    END LOOP;
    -- A copy must be whole: without BYPASSRLS, pg_dump refuses tables with row-level security, or leaves rows out unseen.
    BEGIN
        IF to_regrole('dicomanon_backup') IS NULL THEN
            CREATE ROLE dicomanon_backup NOLOGIN NOINHERIT BYPASSRLS;
        END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
END $$;
