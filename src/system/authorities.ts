/**
 * The certificate authorities that this machine trusts besides the built-in
 * ones: those of the system's store, where companies put their own, and those
 * that NODE_EXTRA_CA_CERTS and SSL_CERT_FILE name, as other programs read them.
 *
 * @module
 */

import type { Environment } from "./paths.ts";
import { reasonOf } from "../errors.ts";

/** The variables that name a file of authorities, in PEM. */
export const AUTHORITY_VARIABLES = [
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
] as const;

/**
 * Where Linux distributions and BSDs keep the store; the first existing file is
 * used.
 */
const SYSTEM_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];

const FILE_BYTES_MAX = 8 * 1024 * 1024;
const CERTIFICATE =
  /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;

/** The authorities that were found, and where. */
export interface Authorities {
  /** One PEM text, with every certificate once; empty where there is none. */
  readonly pem: string;
  readonly sources: readonly AuthoritySource[];
}

interface AuthoritySource {
  readonly file: string;
  /** The variable that names the file; null for the system's store. */
  readonly variable: string | null;
  readonly certificates: number;
  /** Why the file cannot be used, or null. */
  readonly trouble: string | null;
}

/**
 * Reads the authorities. A file that is missing or damaged is reported and left
 * out, since one bad certificate would make every connection fail. On macOS and
 * Windows the executable asks the system's store itself.
 */
export function readAuthorities(
  environment: Environment,
  system: string,
  storeFiles: readonly string[] = SYSTEM_FILES,
): Authorities {
  const known = new Set<string>();
  const sources: AuthoritySource[] = [];
  const add = (file: string, variable: string | null) => {
    const found = certificatesIn(file);
    sources.push({
      file,
      variable,
      certificates: found.certificates.length,
      trouble: found.trouble,
    });
    for (const certificate of found.certificates) known.add(certificate);
  };
  for (const variable of AUTHORITY_VARIABLES) {
    const file = environment[variable];
    if (file) add(file, variable);
  }
  const store = system === "windows" || system === "darwin"
    ? undefined
    : storeFiles.find(isFile);
  if (store !== undefined) add(store, null);
  return { pem: [...known].join("\n"), sources };
}

/** Returns the certificates as options for Deno's TLS. */
export function caCertsOf({ pem }: Authorities): readonly string[] {
  return pem === "" ? [] : [pem];
}

/** Returns a client for `fetch` that trusts the authorities as well. */
export function trustingClient(authorities: Authorities): Deno.HttpClient {
  return Deno.createHttpClient({ caCerts: [...caCertsOf(authorities)] });
}

/** Returns the usable certificates of a file, and what is wrong with it. */
export function certificatesIn(
  file: string,
): {
  readonly certificates: readonly string[];
  readonly trouble: string | null;
} {
  try {
    if (!isFile(file)) {
      return { certificates: [], trouble: "it is not a regular file" };
    }
    if (Deno.statSync(file).size > FILE_BYTES_MAX) {
      return { certificates: [], trouble: "it is too large" };
    }
    const found = Deno.readTextFileSync(file).match(CERTIFICATE) ?? [];
    if (found.length === 0) {
      return { certificates: [], trouble: "it holds no certificate in PEM" };
    }
    // Checking all at once is fast; check one by one only if one is damaged.
    const certificates = isUsable(found.join("\n"))
      ? found
      : found.filter(isUsable);
    const damaged = found.length - certificates.length;
    return {
      certificates,
      trouble: damaged === 0
        ? null
        : `${damaged} of its certificates are damaged`,
    };
  } catch (cause) {
    const reason = reasonOf(cause);
    return { certificates: [], trouble: reason };
  }
}

/** Returns whether Deno's TLS accepts the certificates. */
function isUsable(pem: string): boolean {
  try {
    Deno.createHttpClient({ caCerts: [pem] }).close();
    return true;
  } catch {
    return false;
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
