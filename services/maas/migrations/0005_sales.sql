-- Longer reservations, budgets of tariffs, payments that came too late, and revocation by support.
ALTER TABLE subscriptions.subscriptions
    ADD COLUMN extensions          integer NOT NULL DEFAULT 0
                                   CONSTRAINT subscriptions_extensions_not_negative CHECK (extensions >= 0),
    -- When the bank first said that this is paid while another subscription of the person was live: support has to look.
    ADD COLUMN paid_refused_at     timestamptz,
    -- Since when the promo code is waited for; kept by the trigger below.
    ADD COLUMN promocode_wanted_at timestamptz,
    -- What support wrote when it revoked; the partner sees `cancel_reason` alone.
    ADD COLUMN revoke_reason       text,
    ADD CONSTRAINT subscriptions_revoke_has_reason
        CHECK ((revoke_reason IS NOT NULL) = (cancel_reason IS NOT DISTINCT FROM 'revoked_by_support'));

-- What takes from the budget of a tariff: everything but reservations that came to nothing.
CREATE INDEX subscriptions_of_budget ON subscriptions.subscriptions (tariff_id) INCLUDE (status, reserved_until)
    WHERE status <> 'canceled' OR activated_at IS NOT NULL;
-- For the purge.
CREATE INDEX subscriptions_ended ON subscriptions.subscriptions ((coalesce(expired_at, canceled_at)))
    WHERE status IN ('expired', 'canceled');
-- For support, which finds what an account bought also after the person has another one.
CREATE INDEX subscriptions_by_uid ON subscriptions.subscriptions (yandex_uid) WHERE yandex_uid IS NOT NULL;

CREATE FUNCTION subscriptions.note_wanted_promocode() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.promocode_wanted_at := now();
    RETURN NEW;
END $$;

CREATE TRIGGER note_wanted_promocode BEFORE UPDATE ON subscriptions.subscriptions
    FOR EACH ROW WHEN (NEW.promocode_status = 'pending' AND OLD.promocode_status <> 'pending')
    EXECUTE FUNCTION subscriptions.note_wanted_promocode();
