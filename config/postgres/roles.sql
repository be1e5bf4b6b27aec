-- Makes the two logins and the database, run by psql as a superuser: by the compose file's PostgreSQL on its first
-- start and by config.embedded. Safe to run again: it then only sets the passwords.
--
--   practice_owner    owns the database and migrates; may create test databases
--   practice_runtime  what web and worker log in with: bound by row level security, member of nothing
--
-- Needs OWNER_PASSWORD and RUNTIME_PASSWORD in the environment.
\set ON_ERROR_STOP on
\getenv owner_password OWNER_PASSWORD
\getenv runtime_password RUNTIME_PASSWORD

SELECT 'CREATE ROLE ' || name
FROM unnest(ARRAY['practice_owner', 'practice_runtime']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE practice_owner LOGIN NOSUPERUSER NOBYPASSRLS CREATEDB NOCREATEROLE PASSWORD :'owner_password';
ALTER ROLE practice_runtime LOGIN NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'runtime_password';

SELECT 'CREATE DATABASE practice OWNER practice_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'practice') \gexec

REVOKE ALL ON DATABASE practice FROM PUBLIC;
GRANT CONNECT ON DATABASE practice TO practice_runtime;

-- In template1 too, so that test databases have the same extensions.
\connect template1
\ir extensions.sql
\connect practice
\ir extensions.sql
