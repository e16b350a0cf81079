#!/bin/sh
# Run once by the PostgreSQL image, in an empty data folder: roles and databases of the hub and of Keycloak. Passwords
# come from files and reach psql as variables, never on a command line.
set -eu
hub_password=$(cat /run/secrets/hub_database)
keycloak_password=$(cat /run/secrets/keycloak_database)
export hub_password keycloak_password
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv hub_password hub_password
\getenv keycloak_password keycloak_password
CREATE ROLE hub LOGIN PASSWORD :'hub_password';
GRANT pg_monitor, pg_checkpoint TO hub;
CREATE DATABASE hub OWNER hub TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
CREATE ROLE keycloak LOGIN PASSWORD :'keycloak_password';
CREATE DATABASE keycloak OWNER keycloak TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
\connect hub
CREATE EXTENSION IF NOT EXISTS postgis;
SQL
