-- The last good copy of the station catalogue, so that masstransit is never on a request's path.
CREATE SCHEMA metro;

CREATE TABLE metro.catalogue (
    is_current   boolean     PRIMARY KEY DEFAULT true CHECK (is_current),
    version      text        NOT NULL,
    stations     jsonb       NOT NULL CHECK (jsonb_typeof(stations) = 'array'),
    refreshed_at timestamptz NOT NULL DEFAULT now()
);
