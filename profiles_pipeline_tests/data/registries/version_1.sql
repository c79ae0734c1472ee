-- The tables of a registry as version 1 made them. Nobody changes this file: such registries are out there.
CREATE TABLE pb_ct_version (registry_version INTEGER NOT NULL, created_at TIMESTAMP NOT NULL);
CREATE TABLE wht_seq_no (
    seq_no BIGINT PRIMARY KEY, project VARCHAR NOT NULL, begin_ts TIMESTAMP, end_ts TIMESTAMP NOT NULL,
    creation_ts TIMESTAMP NOT NULL, completion_ts TIMESTAMP, invocation VARCHAR NOT NULL);
CREATE TABLE material_registry (
    material_name VARCHAR PRIMARY KEY, model_ref VARCHAR NOT NULL, model_name VARCHAR NOT NULL,
    model_type VARCHAR NOT NULL, model_hash VARCHAR NOT NULL, entity_key VARCHAR, seq_no BIGINT NOT NULL,
    begin_ts TIMESTAMP, end_ts TIMESTAMP NOT NULL, creation_ts TIMESTAMP NOT NULL, row_count BIGINT,
    seconds DOUBLE PRECISION, metadata VARCHAR NOT NULL, target VARCHAR, username VARCHAR, hostname VARCHAR,
    invocation_folder VARCHAR, registry_version INTEGER NOT NULL);
CREATE TABLE held_tables (
    table_name VARCHAR PRIMARY KEY, project VARCHAR NOT NULL, model_ref VARCHAR NOT NULL, seq_no BIGINT NOT NULL,
    end_ts TIMESTAMP NOT NULL, version BIGINT NOT NULL, material_name VARCHAR NOT NULL, columns VARCHAR NOT NULL,
    since_version BIGINT NOT NULL);
CREATE TABLE observed_inputs (
    project VARCHAR NOT NULL, input VARCHAR NOT NULL, level VARCHAR NOT NULL, state VARCHAR NOT NULL,
    hashed VARCHAR NOT NULL, until_ts TIMESTAMP NOT NULL, version VARCHAR NOT NULL, row_count BIGINT NOT NULL,
    ahead BIGINT NOT NULL, next_ts TIMESTAMP, early BIGINT NOT NULL, seconds DOUBLE PRECISION,
    PRIMARY KEY (project, input));
CREATE TABLE observed_buckets (
    project VARCHAR NOT NULL, input VARCHAR NOT NULL, bucket TIMESTAMP NOT NULL, row_count BIGINT,
    newest TIMESTAMP, content VARCHAR, look BIGINT NOT NULL, change VARCHAR NOT NULL);
CREATE TABLE observed_files (
    project VARCHAR NOT NULL, input VARCHAR NOT NULL, file VARCHAR NOT NULL, state VARCHAR NOT NULL,
    bucket TIMESTAMP, row_count BIGINT, newest TIMESTAMP, content VARCHAR);
CREATE TABLE publications (
    project VARCHAR NOT NULL, publisher VARCHAR NOT NULL, publication BIGINT NOT NULL, seq_no BIGINT NOT NULL,
    end_ts TIMESTAMP NOT NULL, token VARCHAR NOT NULL, columns VARCHAR NOT NULL, inserted BIGINT NOT NULL,
    updated BIGINT NOT NULL, deleted BIGINT NOT NULL, unchanged BIGINT NOT NULL, rejected BIGINT NOT NULL,
    row_count BIGINT NOT NULL, last_seq BIGINT NOT NULL, guards VARCHAR NOT NULL, approved BOOLEAN NOT NULL,
    hash_version INTEGER NOT NULL, published_at TIMESTAMP NOT NULL, acknowledged BIGINT NOT NULL,
    delivered_at TIMESTAMP, PRIMARY KEY (project, publisher, publication));
