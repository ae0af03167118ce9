/**
 * The address of a shared store: `postgres://user:password@host:port/database`,
 * checked, and in the form that may be shown.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import { Secret } from "../../ports.ts";

/** How the connection is protected on its way. */
type StoreTls =
  /** Not at all: only on this machine, unless the URL says so. */
  | "off"
  /** Encrypted; the certificate is not checked. */
  | "unchecked"
  /** Encrypted, and the certificate is one for this host. */
  | "checked";

export interface StoreAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** Empty if the database asks for none. */
  readonly password: Secret;
  readonly tls: StoreTls;
  /** A file with the authority of its certificate, in PEM; or null. */
  readonly authorityFile: string | null;
}

/** The variables that postgres.js reads although every option is given. */
export const DATABASE_VARIABLES = ["PGAPPNAME", "PGTARGETSESSIONATTRS"];

const PORT = 5432;
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

/** Parameters of the URL that are understood; others are refused. */
const PARAMETERS = ["sslmode", "sslrootcert", "application_name"];
/** In place of a file: the system's own authorities. */
const SYSTEM_AUTHORITIES = "system";

/**
 * Returns the address in `text`. Without `sslmode` the connection is encrypted
 * and the certificate checked, except on this machine. Throws TcError
 * `bad_store_url`, which never quotes the URL: it holds a password.
 */
export function storeAddress(text: string): StoreAddress {
  const url = URL.parse(text);
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw wrong("it must begin with postgres:// and name a host");
  }
  const host = url.hostname.replace(/^\[|\]$/g, "");
  if (host === "") throw wrong("it names no host");
  const database = decodeURIComponent(url.pathname.slice(1));
  if (database === "") throw wrong("it names no database: …@host/DATABASE");
  const unknown = [...url.searchParams.keys()]
    .find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) {
    throw wrong(`tc does not know its parameter ${unknown}`);
  }
  const authority = url.searchParams.get("sslrootcert") ?? "";
  const authorityFile = ["", SYSTEM_AUTHORITIES].includes(authority)
    ? null
    : authority;
  return {
    host,
    port: url.port === "" ? PORT : Number(url.port),
    database,
    user: decodeURIComponent(url.username) || "postgres",
    password: new Secret(decodeURIComponent(url.password)),
    tls: tlsOf(url.searchParams.get("sslmode"), {
      host,
      hasAuthority: authority !== "",
    }),
    authorityFile,
  };
}

/** Returns the address without the file, which is on one machine alone. */
export function withoutAuthority(text: string): string {
  const url = new URL(text);
  const { tls } = storeAddress(text);
  url.searchParams.delete("sslrootcert");
  if (tls === "checked") url.searchParams.set("sslmode", "verify-full");
  return url.href;
}

/** Returns what somebody on the way to the database could do, or null. */
export function exposure({ tls, host }: StoreAddress): string | null {
  switch (tls) {
    case "checked":
      return null;
    case "unchecked":
      return "The connection is encrypted, and nobody checks who answers: " +
        "sslmode=verify-full does";
    case "off":
      return LOOPBACK.test(host) ? null : "The connection is not encrypted: " +
        "whoever is on the way reads the database's password. Leave " +
        "sslmode=disable out of the address";
  }
}

/** Returns the address without its password: `user@host:port/database`. */
export function shownAddress(
  { user, host, port, database }: StoreAddress,
): string {
  const place = host.includes(":") ? `[${host}]` : host;
  return `${user}@${place}:${port}/${database}`;
}

function tlsOf(
  mode: string | null,
  { host, hasAuthority }: {
    readonly host: string;
    readonly hasAuthority: boolean;
  },
): StoreTls {
  switch (mode) {
    case null:
      return LOOPBACK.test(host) && !hasAuthority ? "off" : "checked";
    case "disable":
      return "off";
    case "require":
      // As PostgreSQL's own programs do: who names an authority wants a check.
      return hasAuthority ? "checked" : "unchecked";
    case "verify-ca":
    case "verify-full":
      return "checked";
    default:
      throw wrong(
        "sslmode must be disable, require or verify-full, or left out",
      );
  }
}

function wrong(reason: string): TcError {
  return new TcError(`Cannot use the address of the store: ${reason}`, {
    code: "bad_store_url",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc store join postgres://USER:PASSWORD@HOST/DATABASE",
  });
}
