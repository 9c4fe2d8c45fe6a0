-- The journal of commands: what the passenger asked for, and what became of it (M-16..M-23).
CREATE SCHEMA commands;

CREATE TABLE commands.commands (
    player_id    text        NOT NULL REFERENCES players.players ON DELETE CASCADE,
    order_id     text        NOT NULL,
    seq          integer     NOT NULL CHECK (seq > 0),
    command_id   text        NOT NULL,
    action       text        NOT NULL
                 CHECK (action IN ('play', 'pause', 'next', 'previous', 'play_item', 'set_volume', 'seek')),
    args         jsonb       NOT NULL,
    -- The version of the player that accepting it made.
    version      bigint      NOT NULL,
    status       text        NOT NULL DEFAULT 'queued' CHECK (
        status IN ('queued', 'delivered', 'applied', 'failed', 'expired', 'superseded', 'cancelled')),
    reason       text,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    delivered_at timestamptz,
    settled_at   timestamptz,
    -- What the taximeter said of it when it was too late.
    late_result  text        CHECK (late_result IN ('applied', 'failed')),
    late_at      timestamptz,
    PRIMARY KEY (player_id, seq),
    CONSTRAINT commands_settled_is_final CHECK ((settled_at IS NULL) = (status IN ('queued', 'delivered'))),
    CONSTRAINT commands_delivered_at_some_time CHECK (
        (status <> 'queued' OR delivered_at IS NULL) AND (status <> 'delivered' OR delivered_at IS NOT NULL)),
    CONSTRAINT commands_reason_of_failure CHECK ((reason IS NOT NULL) = (status IN ('failed', 'cancelled'))),
    CONSTRAINT commands_applied_in_time CHECK (status <> 'applied' OR settled_at < expires_at),
    CONSTRAINT commands_expired_not_early CHECK (status <> 'expired' OR settled_at >= expires_at),
    CONSTRAINT commands_late_after_settled CHECK (
        (late_result IS NULL) = (late_at IS NULL) AND (late_result IS NULL OR settled_at IS NOT NULL))
);

-- A retry finds the command that it repeats, also when the order has another driver by now.
CREATE UNIQUE INDEX commands_once_per_order ON commands.commands (order_id, command_id);
CREATE INDEX commands_open ON commands.commands (expires_at) WHERE settled_at IS NULL;
CREATE INDEX commands_open_of_player ON commands.commands (player_id, seq) WHERE settled_at IS NULL;

CREATE FUNCTION commands.check_new() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    player players.players;
BEGIN
    SELECT * INTO player FROM players.players WHERE player_id = NEW.player_id;
    IF player.status <> 'active' THEN
        RAISE EXCEPTION 'a closed player takes no commands' USING CONSTRAINT = 'commands_to_active_player';
    END IF;
    IF player.order_id <> NEW.order_id OR NEW.status <> 'queued' THEN
        RAISE EXCEPTION 'a command begins queued in the order of its player' USING CONSTRAINT = 'commands_begin_queued';
    END IF;
    IF EXISTS (SELECT FROM commands.commands WHERE player_id = NEW.player_id AND seq >= NEW.seq) THEN
        RAISE EXCEPTION 'the commands of a player count upwards' USING CONSTRAINT = 'commands_count_upwards';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_new BEFORE INSERT ON commands.commands
    FOR EACH ROW EXECUTE FUNCTION commands.check_new();

-- The legal moves, held by the database whatever the code above it does.
CREATE FUNCTION commands.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (NEW.player_id, NEW.order_id, NEW.seq, NEW.command_id, NEW.action, NEW.args, NEW.version, NEW.created_at,
        NEW.expires_at)
       <> (OLD.player_id, OLD.order_id, OLD.seq, OLD.command_id, OLD.action, OLD.args, OLD.version, OLD.created_at,
           OLD.expires_at) THEN
        RAISE EXCEPTION 'a command stays what was asked for' USING CONSTRAINT = 'commands_identity';
    END IF;
    IF OLD.settled_at IS NOT NULL AND (NEW.status, NEW.reason, NEW.settled_at, NEW.delivered_at)
       IS DISTINCT FROM (OLD.status, OLD.reason, OLD.settled_at, OLD.delivered_at) THEN
        RAISE EXCEPTION 'no move from % to %', OLD.status, NEW.status USING CONSTRAINT = 'commands_final_is_final';
    END IF;
    IF OLD.status = 'delivered' AND NEW.status IN ('queued', 'superseded') THEN
        RAISE EXCEPTION 'no move from % to %', OLD.status, NEW.status USING CONSTRAINT = 'commands_legal_move';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_move BEFORE UPDATE ON commands.commands
    FOR EACH ROW EXECUTE FUNCTION commands.check_move();

-- Those applied are a growing sequence: `applied_seq` of the player is below each before it is applied, and not after.
CREATE FUNCTION commands.check_applied() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    player players.players;
BEGIN
    SELECT * INTO player FROM players.players WHERE player_id = NEW.player_id;
    IF player.status <> 'active' THEN
        RAISE EXCEPTION 'nothing is applied to a closed player' USING CONSTRAINT = 'commands_applied_while_active';
    END IF;
    IF NEW.seq <= player.applied_seq THEN
        RAISE EXCEPTION 'commands are applied one after another' USING CONSTRAINT = 'commands_applied_in_order';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER check_applied BEFORE UPDATE ON commands.commands
    FOR EACH ROW WHEN (NEW.status = 'applied' AND OLD.status <> 'applied') EXECUTE FUNCTION commands.check_applied();

CREATE FUNCTION commands.count_applied() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE players.players SET applied_seq = NEW.seq WHERE player_id = NEW.player_id AND applied_seq < NEW.seq;
    RETURN NULL;
END $$;

-- Fires when all rows of the statement have moved, so that one statement may apply several in any order.
CREATE TRIGGER count_applied AFTER UPDATE ON commands.commands
    FOR EACH ROW WHEN (NEW.status = 'applied' AND OLD.status <> 'applied') EXECUTE FUNCTION commands.count_applied();

-- Whoever closes a player settles its commands in the same transaction: nothing else would.
CREATE FUNCTION commands.check_closed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM commands.commands WHERE player_id = NEW.player_id AND settled_at IS NULL) THEN
        RAISE EXCEPTION 'a closed player has no open commands' USING CONSTRAINT = 'commands_closed_has_none_open';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER check_open_commands AFTER UPDATE ON players.players DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.status = 'closed') EXECUTE FUNCTION commands.check_closed();
