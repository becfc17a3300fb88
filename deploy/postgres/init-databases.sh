#!/bin/sh
# Run once by the PostgreSQL image on an empty data volume, after the crosswalk's roles: a database and its owner each for
# Airflow's metadata and for the crosswalk, neither of which can connect to the other's, and the login of the workers,
# which owns nothing and acts as the role that each task needs; those of the gateway and of the api-server's pages.
set -eu

# Passwords are read from the environment by psql itself: as arguments they would show in the process list.
psql --set=ON_ERROR_STOP=1 --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv crosswalk_password CROSSWALK_DB_PASSWORD
\getenv pipeline_password CROSSWALK_PIPELINE_PASSWORD
\getenv gateway_password CROSSWALK_GATEWAY_PASSWORD
\getenv pages_password CROSSWALK_PAGES_PASSWORD
\if :{?airflow_password}
\else
    \warn 'AIRFLOW_DB_PASSWORD is not set'
    SELECT 1/0;
\endif
\if :{?crosswalk_password}
\else
    \warn 'CROSSWALK_DB_PASSWORD is not set'
    SELECT 1/0;
\endif
\if :{?pipeline_password}
\else
    \warn 'CROSSWALK_PIPELINE_PASSWORD is not set'
    SELECT 1/0;
\endif
\if :{?gateway_password}
\else
    \warn 'CROSSWALK_GATEWAY_PASSWORD is not set'
    SELECT 1/0;
\endif
\if :{?pages_password}
\else
    \warn 'CROSSWALK_PAGES_PASSWORD is not set'
    SELECT 1/0;
\endif

CREATE ROLE airflow LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'airflow_password';
CREATE ROLE crosswalk LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'crosswalk_password';
CREATE ROLE pipeline LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'pipeline_password';
CREATE ROLE gateway LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'gateway_password';
CREATE ROLE pages LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'pages_password';
GRANT dicomanon_gateway TO gateway;
GRANT dicomanon_pages TO pages;
GRANT dicomanon_ingest, dicomanon_cohort, dicomanon_removal, dicomanon_auditor, dicomanon_backup TO pipeline;

CREATE DATABASE airflow OWNER airflow ENCODING 'UTF8' TEMPLATE template0;
CREATE DATABASE crosswalk OWNER crosswalk ENCODING 'UTF8' TEMPLATE template0;

REVOKE ALL ON DATABASE airflow, crosswalk, postgres, template1 FROM PUBLIC;
GRANT CONNECT ON DATABASE crosswalk TO pipeline, gateway, pages;
SQL
