-- What the bank reports of the metro, what is counted of the business, and where the bank's statuses differ from ours.

-- As first told; no reference to a subscription, so that the bank may report what it sold before we know of it.
CREATE TABLE subscriptions.metro_rides (
    ride_id      text        PRIMARY KEY,
    maas_user_id text        NOT NULL,
    pass_id      text        NOT NULL,
    station      text        NOT NULL,
    ridden_at    timestamptz NOT NULL,
    reported_at  timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX metro_rides_by_pass ON subscriptions.metro_rides (pass_id);
CREATE INDEX metro_rides_reported_at ON subscriptions.metro_rides (reported_at);

-- One comparison with the bank a day; `last_pass_id` is how far it has come, so that a killed one goes on from there.
CREATE TABLE subscriptions.comparisons (
    day          date        PRIMARY KEY,
    started_at   timestamptz NOT NULL DEFAULT now(),
    finished_at  timestamptz,
    last_pass_id text        NOT NULL DEFAULT '',
    planned      integer     NOT NULL CHECK (planned >= 0),
    compared     integer     NOT NULL DEFAULT 0 CHECK (compared >= 0)
);

CREATE TABLE subscriptions.differences (
    day     date        NOT NULL REFERENCES subscriptions.comparisons ON DELETE CASCADE,
    pass_id text        NOT NULL,
    kind    text        NOT NULL CHECK (kind IN ('status', 'missing', 'unanswered')),
    ours    text        NOT NULL,
    theirs  text        CONSTRAINT differences_status_is_told CHECK ((theirs IS NOT NULL) = (kind = 'status')),
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (day, pass_id)
);

-- The figures of the business as last counted: [{"name", "labels", "value"}].
CREATE SCHEMA reports;

CREATE TABLE reports.figures (
    is_current boolean     PRIMARY KEY DEFAULT true CHECK (is_current),
    figures    jsonb       NOT NULL CHECK (jsonb_typeof(figures) = 'array'),
    counted_at timestamptz NOT NULL DEFAULT now()
);
