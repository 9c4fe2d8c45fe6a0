-- Who asked what, when, and how it ended: never a body, a key or a phone. Kept 180 days.
CREATE SCHEMA audit;

CREATE TABLE audit.requests (
    id           uuid        PRIMARY KEY,
    at           timestamptz NOT NULL,
    partner      text,
    key_id       text,
    route        text        NOT NULL,
    method       text        NOT NULL,
    status       integer     NOT NULL CHECK (status BETWEEN 100 AND 599),
    duration_ms  integer     NOT NULL CHECK (duration_ms >= 0),
    request_id   text        NOT NULL,
    pass_id      text,
    maas_user_id text
);

CREATE INDEX requests_at ON audit.requests (at);
CREATE INDEX requests_by_pass ON audit.requests (pass_id, at) WHERE pass_id IS NOT NULL;
CREATE INDEX requests_by_user ON audit.requests (maas_user_id, at) WHERE maas_user_id IS NOT NULL;

-- A trail that can be changed is none.
CREATE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an audited request does not change' USING CONSTRAINT = 'requests_unchanging';
END $$;

CREATE TRIGGER refuse_change BEFORE UPDATE ON audit.requests FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
