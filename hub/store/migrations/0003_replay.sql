-- Which waiting entries a batch replays: written at the door before the batch is appended, carried out when it is taken.
CREATE TABLE quarantine_replay (
    organization text COLLATE "C" NOT NULL,
    batch        uuid NOT NULL,
    entry        bigint NOT NULL REFERENCES quarantine ON DELETE CASCADE,
    PRIMARY KEY (organization, batch, entry)
);
CREATE INDEX quarantine_replay_entry ON quarantine_replay (entry);
