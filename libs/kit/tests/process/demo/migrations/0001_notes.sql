CREATE TABLE notes (id text PRIMARY KEY, is_counted boolean NOT NULL DEFAULT false);
