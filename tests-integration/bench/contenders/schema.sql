-- What contenders keep of players and commands: the columns that their answers and writes need, indexed as they ask.
CREATE TABLE players (
    player_id  text        PRIMARY KEY,
    order_id   text        NOT NULL UNIQUE,
    yandex_uid text        NOT NULL,
    status     text        NOT NULL DEFAULT 'active',
    connection text        NOT NULL DEFAULT 'online',
    state      jsonb       NOT NULL,
    pending    jsonb,
    last_error jsonb,
    version    bigint      NOT NULL DEFAULT 1,
    last_seq   integer     NOT NULL DEFAULT 0,
    touched_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE commands (
    player_id  text        NOT NULL REFERENCES players,
    order_id   text        NOT NULL,
    seq        integer     NOT NULL,
    command_id text        NOT NULL,
    action     text        NOT NULL,
    args       jsonb       NOT NULL,
    version    bigint      NOT NULL,
    status     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (player_id, seq),
    UNIQUE (order_id, command_id)
);

CREATE TABLE tasks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    queue      text        NOT NULL,
    task_id    text        NOT NULL,
    kwargs     jsonb       NOT NULL,
    state      text        NOT NULL DEFAULT 'waiting',
    due_at     timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (queue, task_id)
);
CREATE INDEX tasks_waiting ON tasks (queue, due_at, id) WHERE state = 'waiting';
