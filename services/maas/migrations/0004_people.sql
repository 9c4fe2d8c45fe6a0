-- How people are matched by phone_id too (MA-29, MA-39), and the tokens with which they buy in the bank's page (MA-58).
ALTER TABLE users.users
    ADD COLUMN phone_id  text,
    -- Before this moment zalogin is not asked for the portal account of this person (MA-70).
    ADD COLUMN ask_after timestamptz;

-- One phone of taxi is at most one person of metro and taxi, as one account is.
CREATE UNIQUE INDEX users_one_maas_user_per_phone_id ON users.users (phone_id) WHERE maas_user_id IS NOT NULL;
-- Rows of people whom nobody has matched, by when they were last seen, for the purge.
CREATE INDEX users_never_matched ON users.users (checked_at) WHERE maas_user_id IS NULL;

CREATE TABLE users.purchase_tokens (
    token_hash      bytea       PRIMARY KEY CONSTRAINT purchase_tokens_hash_is_sha256 CHECK (octet_length(token_hash) = 32),
    yandex_uid      text        NOT NULL,
    maas_user_id    text        NOT NULL,
    tariff_id       text        NOT NULL,
    expires_at      timestamptz NOT NULL,
    -- One token buys one subscription, and one subscription is bought with one token at most.
    used_by_pass_id text        CONSTRAINT purchase_tokens_one_per_pass UNIQUE,
    created_at      timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX purchase_tokens_by_expiry ON users.purchase_tokens (expires_at);

-- A spent token stays spent, and a token stays what it was issued for, whatever the code above does.
CREATE FUNCTION users.check_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.used_by_pass_id IS NOT NULL AND NEW.used_by_pass_id IS DISTINCT FROM OLD.used_by_pass_id THEN
        RAISE EXCEPTION 'a purchase token is used once' USING CONSTRAINT = 'purchase_tokens_used_once';
    END IF;
    IF (NEW.yandex_uid, NEW.maas_user_id, NEW.tariff_id, NEW.expires_at)
       IS DISTINCT FROM (OLD.yandex_uid, OLD.maas_user_id, OLD.tariff_id, OLD.expires_at) THEN
        RAISE EXCEPTION 'a purchase token keeps its person and its tariff' USING CONSTRAINT = 'purchase_tokens_identity';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_token BEFORE UPDATE ON users.purchase_tokens
    FOR EACH ROW EXECUTE FUNCTION users.check_token();
