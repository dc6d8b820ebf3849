-- The front machine's own database: what agencies hand in (sealed to the inner side) and what is there for them.
-- Nothing of the pool, of people or of clues has a table here. Idempotent; owned by the front's own role.
create table if not exists front_key (
    side text primary key check (side in ('inner', 'front')), public text not null, at timestamptz not null
);
create table if not exists front_client (
    key text primary key, agency text not null, agency_zh text not null, sealed_secret bytea not null,
    mark text not null, active boolean not null
);
create table if not exists front_nonce (client text, nonce text, at timestamptz not null, primary key (client, nonce));
create index if not exists front_nonce_age on front_nonce (at);
create table if not exists front_feed (
    code text primary key, agency text not null, zh text not null, en text not null
);
create table if not exists front_letter (
    number text primary key, id bigint not null, agency text not null, version integer not null,
    updated_at timestamptz not null, document jsonb not null
);
create index if not exists front_letter_of_agency on front_letter (agency, id);
create table if not exists front_inbox (
    id bigint generated always as identity primary key, code uuid not null unique,
    kind text not null check (kind in ('file', 'answer')), agency text not null, client text not null,
    at timestamptz not null, idempotency text, request text not null default '',
    head jsonb not null, box bytea not null, taken_at timestamptz, status jsonb, ended boolean not null default false
);
create unique index if not exists front_inbox_once on front_inbox (client, idempotency) where idempotency is not null;
create index if not exists front_inbox_waiting on front_inbox (id) where taken_at is null;
create index if not exists front_inbox_open on front_inbox (id) where taken_at is not null and not ended;
create table if not exists front_chunk (
    inbox bigint references front_inbox (id) on delete cascade, number integer, bytes bytea not null,
    primary key (inbox, number)
);
