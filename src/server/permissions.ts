/**
 * What the server's worker may touch, computed from the config: its listen
 * address, the hosts that the config names, and its own folders. It may not
 * read the environment, run programs or load native code.
 *
 * @module
 */

import { parseProxy } from "../http/proxy_rules.ts";
import type { StoreAddress } from "../store/shared/address.ts";
import { DATABASE_VARIABLES } from "../store/shared/address.ts";
import { accountRows } from "../store/account_rows.ts";
import type { Config } from "../config/config.ts";
import {
  type Environment,
  type Paths,
  workerFolders,
} from "../system/paths.ts";
import { socketPath } from "../config/socket_path.ts";
import type { Host } from "../variables.ts";

/** The grants of one thread, as `Worker` takes them. */
export interface Grants {
  readonly net: readonly string[];
  readonly read: readonly string[];
  readonly write: readonly string[];
  /** Names of variables that it may read; false is none. */
  readonly env: false | readonly string[];
  readonly run: false;
  readonly sys: false;
  readonly ffi: false;
  readonly import: false;
}

interface GrantSources {
  readonly config: Config;
  readonly paths: Paths;
  /** Deno's word for the operating system. */
  readonly system: string;
  /** Corporate proxies that the environment names. */
  readonly proxies: readonly string[];
  /** Origins of third-party backends and of demo endpoints. */
  readonly origins: readonly string[];
  /** The address of the shared pool's store, or null. */
  readonly store: StoreAddress | null;
}

/** Returns what the grants of a pool's server follow from. */
export function grantSources(
  { config, paths, environment, system }: Pick<Host, "system"> & {
    readonly config: Config;
    readonly paths: Paths;
    readonly environment: Environment;
  },
  store: StoreAddress | null,
): GrantSources {
  const proxies = [proxyUrl(environment)].filter((url) => url !== "");
  return {
    config,
    paths,
    system,
    proxies,
    origins: backendOrigins(config),
    store,
  };
}

/** Returns the corporate proxy of the environment. Throws TcError if it is not a URL. */
export function proxyUrl(environment: Environment): string {
  const named = environment["HTTPS_PROXY"] || environment["https_proxy"] || "";
  return parseProxy(named)?.href ?? "";
}

/** Returns the addresses of backends in the config; the worker may reach no others. */
function backendOrigins(config: Config): readonly string[] {
  return (accountRows(config.document, config.file) ?? [])
    .flatMap(({ upstream }) => upstream === null ? [] : [upstream]);
}

/** Returns the grants of the server worker. */
export function workerGrants(sources: GrantSources): Grants {
  const { settings } = sources.config;
  const { store } = sources;
  const { proxy, oauth } = settings;
  const urls = [
    settings.upstream,
    oauth.tokenUrl,
    oauth.profileUrl,
    oauth.usageUrl,
    settings.upstreamProxy,
    settings.notify.webhook,
    settings.otel.endpoint,
    ...sources.proxies,
    ...sources.origins,
  ];
  const hosts = urls.filter((url) => url !== "").map(hostAndPort);
  const socket = socketPath(sources.config, sources.paths, sources.system);
  const own = [
    `${bracketed(proxy.host)}:${proxy.port}`,
    // The socket is created under this name and then renamed.
    ...socket !== null && namesSockets() ? [`unix:${socket}.new`] : [],
  ];
  const folders = [
    ...workerFolders(sources.paths),
    ...(settings.log.to === "" ? [] : [settings.log.to]),
  ];
  return {
    net: [
      ...new Set([...own, ...hosts]),
      ...store === null ? [] : [`${bracketed(store.host)}:${store.port}`],
    ],
    // It reads the config to list the accounts, and never writes it.
    read: [...folders, sources.paths.configFile],
    write: folders,
    // The database's client asks for them although it is told everything.
    env: store === null ? false : DATABASE_VARIABLES,
    run: false,
    sys: false,
    ffi: false,
    import: false,
  };
}

/** Deno before 2.9 treats a socket as a file and does not know this grant. */
function namesSockets(): boolean {
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  return major > 2 || (major === 2 && minor >= 9);
}

/**
 * Returns `host:port` of a URL, with the default port of its scheme if it names
 * none.
 */
function hostAndPort(url: string): string {
  const { hostname, port, protocol } = new URL(url);
  const implied = protocol === "https:" ? "443" : "80";
  return `${hostname}:${port === "" ? implied : port}`;
}

function bracketed(host: string): string {
  return host.includes(":") && !host.startsWith("[") ? `[${host}]` : host;
}
