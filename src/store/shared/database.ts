/**
 * The connection to the PostgreSQL database of a shared pool. It connects when
 * it is first used, and again by itself; what cannot be done now fails with one
 * error that says so.
 *
 * @module
 */

import { isIP } from "node:net";
import postgres from "postgres";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { shownAddress, type StoreAddress } from "./address.ts";

/** A statement, or several in one transaction. */
export type Sql = postgres.Sql | postgres.TransactionSql;

interface DatabaseOptions {
  readonly address: StoreAddress;
  /** Certificates of authorities beside the system's own, as PEM; or empty. */
  readonly authorities: string;
  /** Connections at once, beside the one that listens. */
  readonly connections: number;
}

/** How long a connection may take, in seconds: nobody waits for the database. */
const CONNECT_SECONDS = 5;
/** The longest pause between two attempts to connect, in seconds. */
const BACKOFF_SECONDS_MAX = 1;
/** The database ends a statement that takes longer. */
const STATEMENT_MS_MAX = 10_000;
/** A transaction that stands idle for so long is ended, with its locks. */
const IDLE_MS_MAX = 30_000;

export class SharedDatabase {
  readonly #address: StoreAddress;
  readonly #sql: postgres.Sql;
  /** Why the tables may not be used, or null. */
  #refusal: TcError | null = null;
  /** Why the last use failed, if the database could not be reached. */
  #away: TcError | null = null;

  constructor(options: DatabaseOptions) {
    this.#address = options.address;
    this.#sql = postgres(connection(options));
  }

  /** The address without its password. */
  get place(): string {
    return shownAddress(this.#address);
  }

  /** Lets nobody use the tables until `check` finds nothing wrong with them. */
  async inspect(check: () => Promise<void>): Promise<void> {
    this.#refusal = null;
    try {
      await check();
    } catch (cause) {
      // A database that is away may be back at the next use.
      const isWrong = cause instanceof TcError && cause.code !== "store_away";
      if (isWrong) this.#refusal = cause;
      throw cause;
    }
  }

  /**
   * Runs `work` with one connection or several. Throws TcError `store_away` if
   * the database cannot be reached, `store_failed` if it refuses.
   */
  async run<Result>(
    work: (sql: postgres.Sql) => Promise<Result>,
  ): Promise<Result> {
    if (this.#refusal !== null) throw this.#refusal;
    try {
      const result = await work(this.#sql);
      this.#away = null;
      return result;
    } catch (cause) {
      const error = this.#error(cause);
      this.#away = error.code === "store_away" ? error : null;
      throw error;
    }
  }

  /**
   * Throws TcError `store_away` if the last use found nobody there. A server asks
   * every two seconds; whoever must not wait asks this first.
   */
  throwIfAway(): void {
    if (this.#away !== null) throw this.#away;
  }

  /** Does all of `work` or none of it. Throws as {@linkcode run} does. */
  async transaction<Result>(
    work: (sql: postgres.TransactionSql) => Promise<Result>,
  ): Promise<Result> {
    return await this.run(async (sql) => {
      const result = await sql.begin(work);
      return result as Result;
    });
  }

  /**
   * Calls `heard` for each notice on `channel`, and `connected` at the start and
   * after each interruption: notices in the gap are lost. Throws TcError
   * `store_away`.
   */
  async listen(
    channel: string,
    heard: (text: string) => void,
    connected: () => void,
  ): Promise<void> {
    await this.run((sql) => sql.listen(channel, heard, connected));
  }

  /** Ends all connections; statements under way get a second. */
  async close(): Promise<void> {
    await this.#sql.end({ timeout: 1 });
  }

  #error(cause: unknown): TcError {
    if (cause instanceof TcError) return cause;
    const code = codeOf(cause);
    const reason = reasonIn(cause) || code;
    if (isAway(code)) {
      return new TcError(
        `Cannot reach the store ${this.place}: ${reason}`,
        {
          code: "store_away",
          exitCode: EXIT.unavailable,
          hint: "Try again when it is back\n" +
            "tc store leave --force   goes on without it, on this machine",
          cause,
        },
      );
    }
    const told = certificateTrouble(code) ?? { reason, hint: null };
    return new TcError(`Cannot use the store ${this.place}: ${told.reason}`, {
      code: "store_failed",
      exitCode: EXIT.unavailable,
      ...told.hint === null ? {} : { hint: told.hint },
      cause,
    });
  }
}

/** Codes of a certificate that is not trusted, or that nobody vouches for. */
const UNTRUSTED = /^(UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|CERT_|ERR_TLS_CERT)/;

/** Returns what is wrong with the server's certificate, or null. */
function certificateTrouble(
  code: string,
): { readonly reason: string; readonly hint: string } | null {
  if (!UNTRUSTED.test(code)) return null;
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return {
        reason: "its certificate is one for another host",
        hint: "Name the host in the address as the certificate does",
      };
    case "CERT_HAS_EXPIRED":
      return {
        reason: "its certificate has expired",
        hint: "Whoever runs the database must renew it",
      };
    case "CERT_NOT_YET_VALID":
      return {
        reason: "its certificate is not valid yet",
        hint: "Is the clock of this machine right?",
      };
    default:
      return {
        reason: "this machine does not know who signed its certificate",
        hint: "sslrootcert=FILE in the address names the authority's " +
          "certificate, for tc store join\n" +
          "NODE_EXTRA_CA_CERTS=FILE names it to a machine that has joined",
      };
  }
}

function connection(
  { address, authorities, connections }: DatabaseOptions,
): postgres.Options<Record<string, postgres.PostgresType>> {
  const { host, port, database, user, password, tls } = address;
  return {
    // As lists: a text would be cut at the colons of an IPv6 address.
    host: [host],
    port: [port],
    database,
    user,
    // As a function: an empty text would be looked for in PGPASSWORD.
    pass: () => password.reveal(),
    ssl: tls === "off" ? false : {
      rejectUnauthorized: tls === "checked",
      // An address in numbers is checked, and is not sent as a name.
      ...isIP(host) === 0 ? { servername: host } : { host },
      ...authorities === "" ? {} : { ca: authorities },
    },
    // Given, so that it is not looked for in the environment.
    sslnegotiation: null,
    max_pipeline: 100,
    max: connections,
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: CONNECT_SECONDS,
    backoff: (tries: number) =>
      Math.min(BACKOFF_SECONDS_MAX, 0.05 * 2 ** tries),
    keep_alive: 60,
    // A pooler between here and the database may not know prepared statements.
    prepare: false,
    debug: false,
    fetch_types: false,
    publications: "alltables",
    target_session_attrs: "read-write",
    onnotice: () => {},
    connection: {
      application_name: "tc",
      statement_timeout: STATEMENT_MS_MAX,
      idle_in_transaction_session_timeout: IDLE_MS_MAX,
    },
    // Its types lack the lists that it takes.
  } as unknown as postgres.Options<Record<string, postgres.PostgresType>>;
}

/** Codes of a database that is not there, is starting, or is going down. */
const AWAY =
  /^(E[A-Z]+|CONNECT_TIMEOUT|CONNECTION_(CLOSED|ENDED|DESTROYED)|08\w{3}|57P0[123]|53300)$/;

function isAway(code: string): boolean {
  return AWAY.test(code);
}

function codeOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? cause.code : "";
  return typeof code === "string" ? code : "";
}

function reasonIn(cause: unknown): string {
  const reason = firstLine(reasonOf(cause));
  return /before secure TLS/.test(reason)
    ? "it broke off before the connection was encrypted; is TLS on there?"
    : reason;
}

function firstLine(text: string): string {
  return text.split("\n")[0]?.trim() ?? "";
}
