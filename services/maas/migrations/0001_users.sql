-- Who is who: one row per phone. No table of this schema refers to another schema, so that users can move out (MA-16).
CREATE SCHEMA users;

CREATE TABLE users.users (
    personal_phone_id text        PRIMARY KEY,
    maas_user_id      text        CONSTRAINT users_maas_user_id_key UNIQUE,
    yandex_uid        text,
    uid_kind          text        CONSTRAINT users_uid_kind_known CHECK (uid_kind IN ('portal', 'phonish')),
    checked_at        timestamptz,
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT users_uid_has_kind CHECK ((yandex_uid IS NULL) = (uid_kind IS NULL))
);

-- One person of taxi is at most one person of metro and taxi (MA-26, MA-27).
CREATE UNIQUE INDEX users_one_maas_user_per_uid ON users.users (yandex_uid) WHERE maas_user_id IS NOT NULL;
CREATE INDEX users_by_uid ON users.users (yandex_uid) WHERE yandex_uid IS NOT NULL;
