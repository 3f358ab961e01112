-- Keys derived from the master key that the database was made with, one for each use; sealed, so that they outlive it.
CREATE TABLE lasting_keys (
    purpose TEXT NOT NULL,
    sealed {bytes} NOT NULL,
    CONSTRAINT pk_lasting_keys PRIMARY KEY (purpose)
);
