-- The tables of both services: a message is a row, and its reply is part of it.

CREATE TABLE businesses (
    phone_number_id text PRIMARY KEY,
    access_token    text NOT NULL,
    instructions    text NOT NULL,
    credits         integer NOT NULL CHECK (credits >= 0)
);

CREATE TABLE messages (
    message_id      text PRIMARY KEY,
    phone_number_id text NOT NULL REFERENCES businesses,
    customer        text NOT NULL,
    body            text NOT NULL,
    received_at     timestamptz NOT NULL DEFAULT now(),
    reply           text,
    response_id     text,
    replied_at      timestamptz,
    graph_id        text UNIQUE,
    sent_at         timestamptz,
    status          text
);

CREATE INDEX messages_replied_idx ON messages (phone_number_id, customer, replied_at) WHERE reply IS NOT NULL;
CREATE INDEX messages_unsent_idx ON messages (message_id) WHERE sent_at IS NULL;

CREATE TABLE charges (
    message_id text PRIMARY KEY REFERENCES messages,
    charged_at timestamptz NOT NULL DEFAULT now()
);

-- Workers that have started, for the benchmark, which waits for them.
CREATE TABLE workers (
    pid        integer NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now()
);
