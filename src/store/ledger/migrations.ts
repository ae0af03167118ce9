/**
 * The shape of the state database, one step a version. A step that has shipped
 * is never changed; a new one is added at the end.
 *
 * @module
 */

/** A request's texts repeat, so each is stored once, in `names`. */
const NAMES = `
CREATE TABLE names (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,
  seen_at INTEGER NOT NULL
) STRICT;
`;

/**
 * One row a finished request. Times in milliseconds; money in nanodollars. No
 * index on `id`: it is random, and each row would dirty a page of its own.
 */
const REQUESTS = `
CREATE TABLE requests (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  method INTEGER NOT NULL,
  path INTEGER NOT NULL,
  session INTEGER,
  agent INTEGER,
  conversation INTEGER,
  model_asked INTEGER,
  model_answered INTEGER,
  is_stream INTEGER NOT NULL,
  is_prompt INTEGER NOT NULL,
  is_side INTEGER NOT NULL,
  is_compaction INTEGER NOT NULL,
  is_compacted INTEGER NOT NULL,
  account INTEGER,
  reason INTEGER NOT NULL,
  moved_from INTEGER,
  policy INTEGER NOT NULL,
  attempts TEXT,
  status INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  first_byte_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  input INTEGER,
  cache_read INTEGER,
  cache_write_5m INTEGER,
  cache_write_1h INTEGER,
  output INTEGER,
  stop_reason INTEGER,
  ended INTEGER NOT NULL,
  error_type INTEGER,
  cost_nano INTEGER,
  spent_5h REAL,
  resets_5h INTEGER,
  spent_7d REAL,
  resets_7d INTEGER
) STRICT;
CREATE INDEX requests_by_end ON requests (ended_at);
`;

/**
 * The sums that reports are drawn from, a row for each quarter of an hour,
 * session, account and model; 0 stands for none. Every time zone's day begins
 * on a quarter.
 */
const QUARTERS = `
CREATE TABLE quarters (
  quarter INTEGER NOT NULL,
  session INTEGER NOT NULL,
  account INTEGER NOT NULL,
  model INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL,
  cache_write_1h INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cold_rebuilds INTEGER NOT NULL,
  switches INTEGER NOT NULL,
  switch_rebuild INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  PRIMARY KEY (quarter, session, account, model)
) STRICT, WITHOUT ROWID;
`;

/** What outlives a restart, as JSON under a name. */
const MEMORIES = `
CREATE TABLE memories (
  name TEXT PRIMARY KEY,
  writer TEXT NOT NULL,
  saved_at INTEGER NOT NULL,
  value TEXT NOT NULL
) STRICT;
`;

/** Which issue a session worked on, as the fleet's own files said. */
const SESSION_ISSUES = `
CREATE TABLE session_issues (
  session TEXT PRIMARY KEY,
  issue TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;
`;

export const MIGRATIONS: readonly string[] = [
  NAMES + REQUESTS + QUARTERS + MEMORIES + SESSION_ISSUES,
];
