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
alter table front_client add column if not exists scopes text not null default 'data letters';
-- Certificates by which a client is known to the gateway; its subscription to calls, as the inner side knows it.
alter table front_client add column if not exists certificates jsonb not null default '[]';
alter table front_client add column if not exists webhook jsonb;
alter table front_feed add column if not exists status jsonb not null default '{}';
-- Copies of what was sent to agencies; all of them come again, so the former table is not carried over.
drop table if exists front_letter;
create table if not exists front_received (
    seq bigint generated always as identity unique, number text primary key,
    kind text not null check (kind in ('letter', 'ticket')), agency text not null, version integer not null,
    updated_at timestamptz not null, document jsonb not null,
    -- records that go with it, sealed to the front's own key
    mark text not null default '', box bytea
);
create index if not exists front_received_of_agency on front_received (agency, seq);
-- The answer that a request under an Idempotency-Key was given.
create table if not exists front_reply (
    client text, key text, request text not null, status integer, body jsonb, tag text not null default '',
    at timestamptz not null, primary key (client, key)
);
create index if not exists front_reply_age on front_reply (at);
-- Requests of a client by the minute (or what else a limit counts in).
create table if not exists front_quota (
    client text, limit_name text, since timestamptz, used integer not null, primary key (client, limit_name, since)
);
create table if not exists front_inbox (
    id bigint generated always as identity primary key, code uuid not null unique,
    kind text not null check (kind in ('file', 'answer', 'attachment')), agency text not null, client text not null,
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
do $$ begin
    alter table front_inbox drop constraint if exists front_inbox_kind_check;
    alter table front_inbox add constraint front_inbox_kind_check check (kind in ('file', 'answer', 'attachment'));
end $$;
