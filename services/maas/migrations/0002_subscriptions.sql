-- Subscriptions and the ledger of their taxi rides.
CREATE SCHEMA subscriptions;

CREATE TABLE subscriptions.subscriptions (
    pass_id             text          PRIMARY KEY,
    maas_user_id        text          NOT NULL,
    yandex_uid          text,
    tariff_id           text          NOT NULL,
    price               numeric(12,2) NOT NULL CHECK (price >= 0),
    currency            text          NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    taxi_rides          integer       NOT NULL CHECK (taxi_rides > 0),
    duration_days       integer       NOT NULL CHECK (duration_days > 0),
    promocode_series_id text          NOT NULL,
    status              text          NOT NULL CHECK (status IN ('reserved', 'activated', 'expired', 'canceled')),
    cancel_reason       text,
    reserved_until      timestamptz   NOT NULL,
    expiration_datetime timestamptz   NOT NULL,
    promocode           text          CONSTRAINT subscriptions_promocode_key UNIQUE,
    promocode_status    text          NOT NULL DEFAULT 'none'
                        CHECK (promocode_status IN ('none', 'pending', 'issued', 'failed', 'revoked')),
    -- Rides held and used; kept by the trigger on the ledger below, so that the check is one row's constraint.
    rides_taken         integer       NOT NULL DEFAULT 0
                        CONSTRAINT subscriptions_rides_within_tariff CHECK (rides_taken BETWEEN 0 AND taxi_rides),
    created_at          timestamptz   NOT NULL DEFAULT now(),
    activated_at        timestamptz,
    canceled_at         timestamptz,
    expired_at          timestamptz,
    updated_at          timestamptz   NOT NULL DEFAULT now(),
    CONSTRAINT subscriptions_code_means_issued CHECK ((promocode IS NULL) = (promocode_status NOT IN ('issued', 'revoked'))),
    CONSTRAINT subscriptions_code_needs_owner CHECK (promocode_status = 'none' OR yandex_uid IS NOT NULL),
    CONSTRAINT subscriptions_cancel_has_reason CHECK ((status = 'canceled') = (cancel_reason IS NOT NULL))
);

-- At most one live subscription per person (MA-42).
CREATE UNIQUE INDEX subscriptions_one_live ON subscriptions.subscriptions (maas_user_id)
    WHERE status IN ('reserved', 'activated');
CREATE INDEX subscriptions_by_user ON subscriptions.subscriptions (maas_user_id, created_at DESC);
CREATE INDEX subscriptions_reserved_until ON subscriptions.subscriptions (reserved_until) WHERE status = 'reserved';
CREATE INDEX subscriptions_expiration ON subscriptions.subscriptions (expiration_datetime) WHERE status = 'activated';
CREATE INDEX subscriptions_without_code ON subscriptions.subscriptions (activated_at)
    WHERE status = 'activated' AND promocode IS NULL AND yandex_uid IS NOT NULL;

-- The legal moves (MA-40), held by the database whatever the code above it does.
CREATE FUNCTION subscriptions.check_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.pass_id <> OLD.pass_id OR NEW.maas_user_id <> OLD.maas_user_id OR NEW.tariff_id <> OLD.tariff_id
       OR NEW.taxi_rides <> OLD.taxi_rides OR NEW.duration_days <> OLD.duration_days OR NEW.price <> OLD.price THEN
        RAISE EXCEPTION 'a subscription keeps its person and its tariff' USING CONSTRAINT = 'subscriptions_identity';
    END IF;
    IF OLD.promocode IS NOT NULL AND NEW.promocode IS DISTINCT FROM OLD.promocode THEN
        RAISE EXCEPTION 'a promo code is issued once' USING CONSTRAINT = 'subscriptions_one_promocode';
    END IF;
    IF NEW.status <> OLD.status AND NOT (
        (OLD.status = 'reserved' AND NEW.status IN ('activated', 'canceled'))
        OR (OLD.status = 'activated' AND NEW.status IN ('expired', 'canceled'))
        OR (OLD.status = 'canceled' AND OLD.cancel_reason = 'reservation_expired' AND NEW.status = 'activated')
    ) THEN
        RAISE EXCEPTION 'no move from % to %', OLD.status, NEW.status USING CONSTRAINT = 'subscriptions_legal_move';
    END IF;
    NEW.updated_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER check_move BEFORE UPDATE ON subscriptions.subscriptions
    FOR EACH ROW EXECUTE FUNCTION subscriptions.check_move();

CREATE TABLE subscriptions.rides (
    order_id    text          PRIMARY KEY,
    pass_id     text          NOT NULL REFERENCES subscriptions.subscriptions,
    state       text          NOT NULL CHECK (state IN ('held', 'used', 'released')),
    price       numeric(12,2),
    currency    text,
    -- Rides left once this one was used; kept, so that telling the bank again tells it the same.
    rides_left  integer,
    reason      text,
    held_at     timestamptz   NOT NULL DEFAULT now(),
    finished_at timestamptz,
    updated_at  timestamptz   NOT NULL DEFAULT now()
);

CREATE INDEX rides_by_pass ON subscriptions.rides (pass_id, state);

-- Counts the ledger into its subscription; the row lock and the constraint there let no ride be spent twice.
CREATE FUNCTION subscriptions.count_ride() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    was integer := 0;
    will integer := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF OLD.state <> NEW.state AND OLD.state <> 'held' THEN
            RAISE EXCEPTION 'no ride moves from % to %', OLD.state, NEW.state USING CONSTRAINT = 'rides_legal_move';
        END IF;
        was := (OLD.state <> 'released')::integer;
    END IF;
    will := (NEW.state <> 'released')::integer;
    IF will <> was THEN
        UPDATE subscriptions.subscriptions SET rides_taken = rides_taken + will - was WHERE pass_id = NEW.pass_id;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER count_ride AFTER INSERT OR UPDATE OF state ON subscriptions.rides
    FOR EACH ROW EXECUTE FUNCTION subscriptions.count_ride();
