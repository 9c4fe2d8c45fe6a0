-- The ledger of tasks and the outbox of tasks for other services. All times are this database's.

CREATE SCHEMA stq;

-- Each claim takes the next number as its fencing token: a later holder's is always greater.
CREATE SEQUENCE stq.lease_tokens AS bigint;

CREATE TABLE stq.tasks (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue        text        NOT NULL,
    task_id      text        NOT NULL,
    kwargs       jsonb       NOT NULL DEFAULT '{}',
    state        text        NOT NULL DEFAULT 'waiting',
    due_at       timestamptz NOT NULL DEFAULT now(),
    attempt      integer     NOT NULL DEFAULT 0,
    lease_until  timestamptz,
    lease_token  bigint,
    last_error   text,
    traceparent  text,
    created_at   timestamptz NOT NULL DEFAULT now(),
    first_due_at timestamptz NOT NULL DEFAULT now(),
    started_at   timestamptz,
    finished_at  timestamptz,
    CONSTRAINT tasks_queue_is_a_name CHECK (queue ~ '^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$' AND length(queue) <= 128),
    CONSTRAINT tasks_task_id_length CHECK (length(task_id) BETWEEN 1 AND 256),
    CONSTRAINT tasks_kwargs_is_object CHECK (jsonb_typeof(kwargs) = 'object'),
    CONSTRAINT tasks_state_is_known CHECK (state IN ('waiting', 'running', 'done', 'dead')),
    CONSTRAINT tasks_attempt_not_negative CHECK (attempt >= 0),
    CONSTRAINT tasks_running_has_lease
        CHECK ((state = 'running') = (lease_until IS NOT NULL) AND (state = 'running') = (lease_token IS NOT NULL)),
    CONSTRAINT tasks_finished_has_time CHECK ((state IN ('done', 'dead')) = (finished_at IS NOT NULL)),
    CONSTRAINT tasks_last_error_length CHECK (length(last_error) <= 500)
) WITH (
    -- Room for heartbeats, which touch no indexed column, to stay on their page.
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    autovacuum_analyze_scale_factor = 0.05,
    -- Giving pages back needs an exclusive lock, and the next burst needs the pages again.
    vacuum_truncate = false
);

CREATE UNIQUE INDEX tasks_once ON stq.tasks (queue, task_id);
CREATE INDEX tasks_waiting ON stq.tasks (queue, due_at, id) WHERE state = 'waiting';
-- Without lease_until, so that a heartbeat changes no index; few rows are running at any time.
CREATE INDEX tasks_running ON stq.tasks (queue) WHERE state = 'running';
CREATE INDEX tasks_dead ON stq.tasks (queue, id) WHERE state = 'dead';
CREATE INDEX tasks_done ON stq.tasks (finished_at) WHERE state = 'done';

CREATE TABLE stq.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue       text        NOT NULL,
    message     jsonb       NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- Until then some relay is publishing the row, or is waiting to try again; fresh rows come first.
    taken_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT outbox_queue_is_a_name CHECK (queue ~ '^[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*)+$' AND length(queue) <= 128),
    CONSTRAINT outbox_message_is_object CHECK (jsonb_typeof(message) = 'object')
) WITH (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0.01,
    autovacuum_vacuum_threshold = 2000,
    autovacuum_vacuum_cost_delay = 0,
    vacuum_truncate = false
);

CREATE INDEX outbox_taking ON stq.outbox (taken_until, id);
