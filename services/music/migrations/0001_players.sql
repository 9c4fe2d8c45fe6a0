-- Players, and what processing has said of their orders.
CREATE SCHEMA players;
CREATE SCHEMA orders;

CREATE TABLE players.players (
    player_id         text        PRIMARY KEY,
    order_id          text        NOT NULL,
    yandex_uid        text        NOT NULL,
    park_id           text        NOT NULL,
    driver_profile_id text        NOT NULL,
    status            text        NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'closed')),
    close_reason      text,
    connection        text        NOT NULL DEFAULT 'connecting' CHECK (connection IN ('connecting', 'online', 'lost')),
    -- What the taximeter last said, and the error that the passenger was last shown.
    state             jsonb,
    last_error        jsonb,
    version           bigint      NOT NULL DEFAULT 1,
    last_seq          integer     NOT NULL DEFAULT 0 CHECK (last_seq >= 0),
    applied_seq       integer     NOT NULL DEFAULT 0 CHECK (applied_seq BETWEEN 0 AND last_seq),
    device_session    text,
    report_seq        bigint,
    opened_at         timestamptz NOT NULL DEFAULT now(),
    reported_at       timestamptz,
    -- When somebody last did anything with it: a report or a command.
    touched_at        timestamptz NOT NULL DEFAULT now(),
    closed_at         timestamptz,
    CONSTRAINT players_closed_has_reason CHECK ((status = 'closed') = (close_reason IS NOT NULL)),
    CONSTRAINT players_closed_has_time CHECK ((status = 'closed') = (closed_at IS NOT NULL)),
    CONSTRAINT players_report_is_whole CHECK (
        (reported_at IS NULL) = (device_session IS NULL) AND (reported_at IS NULL) = (report_seq IS NULL)
        AND (reported_at IS NOT NULL OR state IS NULL))
);

CREATE UNIQUE INDEX players_one_active ON players.players (order_id) WHERE status = 'active';
CREATE INDEX players_by_order ON players.players (order_id, version DESC);
CREATE INDEX players_heard ON players.players ((coalesce(reported_at, opened_at)))
    WHERE status = 'active' AND connection <> 'lost';
CREATE INDEX players_touched ON players.players (touched_at) WHERE status = 'active';
CREATE INDEX players_closed ON players.players (closed_at) WHERE status = 'closed';

-- A passenger knows the order alone, and so does a taximeter that got its order back: the next player of an order goes on
-- counting versions and commands where the former one stopped.
CREATE FUNCTION players.begin_above() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SELECT 1 + coalesce(max(version), 0), coalesce(max(last_seq), 0), coalesce(max(last_seq), 0)
    INTO NEW.version, NEW.last_seq, NEW.applied_seq
    FROM players.players WHERE order_id = NEW.order_id;
    RETURN NEW;
END $$;

CREATE TRIGGER begin_above BEFORE INSERT ON players.players
    FOR EACH ROW EXECUTE FUNCTION players.begin_above();

-- What never goes back, held by the database whatever the code above it does.
CREATE FUNCTION players.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.player_id, NEW.order_id, NEW.yandex_uid, NEW.park_id, NEW.driver_profile_id)
       <> (OLD.player_id, OLD.order_id, OLD.yandex_uid, OLD.park_id, OLD.driver_profile_id) THEN
        RAISE EXCEPTION 'a player keeps its order, passenger and driver' USING CONSTRAINT = 'players_identity';
    END IF;
    IF OLD.status = 'closed' THEN
        RAISE EXCEPTION 'a closed player stays as it is' USING CONSTRAINT = 'players_closed_is_final';
    END IF;
    IF NEW.version < OLD.version OR NEW.last_seq < OLD.last_seq OR NEW.applied_seq < OLD.applied_seq THEN
        RAISE EXCEPTION 'a player does not count backwards' USING CONSTRAINT = 'players_grow';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_move BEFORE UPDATE ON players.players
    FOR EACH ROW EXECUTE FUNCTION players.check_move();

-- Whoever keeps the order's state in memory hears of each version of it; memory that has it already need not read.
CREATE FUNCTION players.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('music_players', NEW.order_id || ' ' || NEW.version);
    RETURN NULL;
END $$;

CREATE TRIGGER tell_of_new AFTER INSERT ON players.players
    FOR EACH ROW EXECUTE FUNCTION players.tell();
CREATE TRIGGER tell_of_change AFTER UPDATE ON players.players
    FOR EACH ROW WHEN (NEW.version <> OLD.version) EXECUTE FUNCTION players.tell();

-- Taximeters that have reported: one that another replaced does not come back, however late its packets are.
CREATE TABLE players.sessions (
    player_id      text        NOT NULL REFERENCES players.players ON DELETE CASCADE,
    device_session text        NOT NULL,
    began_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (player_id, device_session)
);

-- The last event of each order, so that late, early and repeated ones are harmless.
CREATE TABLE orders.orders (
    order_id          text        PRIMARY KEY,
    event_seq         bigint      NOT NULL,
    event             text        NOT NULL CHECK (event IN ('assigned', 'finished')),
    yandex_uid        text,
    park_id           text,
    driver_profile_id text,
    not_opened_reason text,
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_assigned_to_somebody CHECK (
        event = 'finished' OR (yandex_uid IS NOT NULL AND park_id IS NOT NULL AND driver_profile_id IS NOT NULL))
);

CREATE INDEX orders_updated ON orders.orders (updated_at);

CREATE FUNCTION orders.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.event_seq <= OLD.event_seq THEN
        RAISE EXCEPTION 'the events of an order go forward' USING CONSTRAINT = 'orders_go_forward';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER check_move BEFORE UPDATE ON orders.orders
    FOR EACH ROW EXECUTE FUNCTION orders.check_move();

-- An order for which no player was made has a reason to show; without a version, memory reads it anew.
CREATE FUNCTION orders.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('music_players', NEW.order_id);
    RETURN NULL;
END $$;

CREATE TRIGGER tell AFTER INSERT OR UPDATE ON orders.orders
    FOR EACH ROW EXECUTE FUNCTION orders.tell();
