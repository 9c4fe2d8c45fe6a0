-- Grants of temporary access to a passenger's music; the tokens themselves are nowhere here (M-09, M-11).
CREATE SCHEMA tokens;

CREATE TABLE tokens.grants (
    -- Ours, and the music backend's idempotency key.
    grant_id   text        PRIMARY KEY,
    player_id  text        NOT NULL REFERENCES players.players ON DELETE CASCADE,
    order_id   text        NOT NULL,
    ttl_s      integer     NOT NULL CHECK (ttl_s > 0),
    asked_at   timestamptz NOT NULL DEFAULT now(),
    -- Known once the backend has answered; until then the grant may exist there or not.
    issued_at  timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT grants_issued_expire CHECK ((issued_at IS NULL) = (expires_at IS NULL))
);

CREATE INDEX grants_by_player ON tokens.grants (player_id, asked_at);

-- A grant stays what was asked for, and one that was revoked stays so, whatever the code above does.
CREATE FUNCTION tokens.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.grant_id, NEW.player_id, NEW.order_id, NEW.ttl_s, NEW.asked_at)
       <> (OLD.grant_id, OLD.player_id, OLD.order_id, OLD.ttl_s, OLD.asked_at) THEN
        RAISE EXCEPTION 'a grant keeps its player and its terms' USING CONSTRAINT = 'grants_identity';
    END IF;
    IF OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at THEN
        RAISE EXCEPTION 'a grant is revoked for ever' USING CONSTRAINT = 'grants_revoked_is_final';
    END IF;
    IF OLD.issued_at IS NOT NULL AND NEW.issued_at IS DISTINCT FROM OLD.issued_at THEN
        RAISE EXCEPTION 'a grant is issued once' USING CONSTRAINT = 'grants_issued_once';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_move BEFORE UPDATE ON tokens.grants
    FOR EACH ROW EXECUTE FUNCTION tokens.check_move();

-- A closed player gets no new access; this also waits for whoever is closing it.
CREATE FUNCTION tokens.check_player() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM players.players WHERE player_id = NEW.player_id AND status = 'active' FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a grant is of an active player' USING CONSTRAINT = 'grants_of_active_player';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_player BEFORE INSERT ON tokens.grants
    FOR EACH ROW EXECUTE FUNCTION tokens.check_player();
