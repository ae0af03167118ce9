/**
 * A pool as a process on this machine sees it: its files, its settings and key,
 * and the way to its server, each read when it is first asked for.
 *
 * @module
 */

import { dirname } from "node:path";
import { type Authorities, readAuthorities } from "../system/authorities.ts";
import { systemEntropy } from "../system/clock.ts";
import { type Config, configFrom } from "../config/config.ts";
import { localKey } from "../config/local_key.ts";
import { isThere, type Paths, pathsFrom } from "../system/paths.ts";
import { machineSecret } from "../system/machine.ts";
import {
  type Membership,
  membershipFile,
  readMembership,
} from "../store/shared/membership.ts";
import { type PersonShell, personShell } from "../shell_words.ts";
import type { Environment, Host, System } from "../variables.ts";
import { priceFile, readPriceTable } from "../store/ledger/price_file.ts";
import { CONFIG_BYTES_MAX } from "../store/config_file.ts";
import {
  ControlClient,
  type ControlTransport,
  httpTransport,
} from "../control/client.ts";
import type { ServerAddress } from "../control/server_connection.ts";
import { ConfigError, EXIT, reasonOf, TcError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import { runningHolder } from "./server_claim.ts";
import { refuseForeign, tightenSecret } from "../store/files/own_files.ts";

const CONTROL_TIMEOUT_MS = 10_000;

/** The settings from a command line, and where warnings go. */
interface SiteOptions {
  /** Settings by dotted key; they override the environment and the file. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly say: (warning: string) => void;
}

export class PoolSite {
  readonly environment: Environment;
  readonly system: System;
  /** The shell that tc was started in, for the commands it suggests. */
  readonly person: PersonShell;
  readonly paths: Paths;
  readonly #flags: Readonly<Record<string, unknown>>;
  readonly #say: (warning: string) => void;
  #config: Config | null = null;
  #key: Secret | null = null;
  #authorities: Authorities | null = null;

  constructor({ environment, system }: Host, { flags, say }: SiteOptions) {
    this.environment = environment;
    this.system = system;
    this.person = personShell(environment, system);
    this.paths = pathsFrom(environment, system);
    this.#flags = flags;
    this.#say = say;
  }

  /**
   * The settings. Throws ConfigError for a broken file, which stays as it is.
   */
  get config(): Config {
    this.#config ??= this.#readConfig();
    return this.#config;
  }

  #readConfig(): Config {
    const { configFile, secretsFolder, stateFolder } = this.paths;
    for (const folder of [dirname(configFile), secretsFolder, stateFolder]) {
      refuseForeign(folder);
    }
    refuseForeign(configFile);
    const config = configFrom({
      file: this.paths.configFile,
      text: readIfThere(this.paths.configFile),
      environment: this.environment,
      flags: this.#flags,
      priceTable: readPriceTable(priceFile(secretsFolder)),
    });
    // The file holds a key, so others must not read it.
    if (config.settings.proxy.apiKey !== "" && !tightenSecret(configFile)) {
      this.#say(
        `${configFile} holds proxy.apiKey and can be read by others`,
      );
    }
    return config;
  }

  get key(): Secret {
    this.#key ??= localKey(this.config, this.paths, systemEntropy);
    return this.#key;
  }

  /** The certificate authorities of this machine, besides the built-in ones. */
  get authorities(): Authorities {
    this.#authorities ??= readAuthorities(this.environment, this.system);
    return this.#authorities;
  }

  /**
   * `http://127.0.0.1:3456`, as a client on this machine writes it: where the
   * running server listens, or else where the config says.
   */
  get origin(): string {
    const { host, port } = this.#place();
    return `http://${reachable(host)}:${port}`;
  }

  /** Where a server with this config listens. */
  get configuredOrigin(): string {
    const { host, port } = this.config.settings.proxy;
    return `http://${reachable(host)}:${port}`;
  }

  /** The address of the server for a connection from this machine. */
  get address(): ServerAddress {
    const { host, port } = this.#place();
    return { host: reachable(host).replace(/^\[|\]$/g, ""), port };
  }

  /**
   * The running server is found by its note in the state folder, because the
   * config may have another port since its start. A port from a flag or a
   * variable is meant as it is.
   */
  #place(): ServerAddress {
    const { host, port } = this.config.settings.proxy;
    const source = this.config.origins.get("proxy.port");
    if (source === "flag" || source === "env") return { host, port };
    const { origin = "" } = runningHolder(this.paths.stateFolder) ?? {};
    const [, noted, at] = /^http:\/\/(.*):(\d+)$/.exec(origin) ?? [];
    return noted === undefined
      ? { host, port }
      : { host: noted, port: Number(at) };
  }

  /**
   * Returns the shared pool that this machine is part of, or null. The setting
   * `store.url` overrides the address, for a database that has moved.
   */
  async membership(): Promise<Membership | null> {
    const file = membershipFile(this.paths.secretsFolder);
    // Most machines are part of none; then no key is needed to know it.
    if (!isThere(file)) return null;
    const secret = await machineSecret(this.paths, this.system);
    const membership = await readMembership(file, secret, systemEntropy);
    const { url } = this.config.settings.store;
    return membership === null || url === ""
      ? membership
      : { ...membership, url };
  }

  client(timeoutMs = CONTROL_TIMEOUT_MS): ControlClient {
    return new ControlClient(this.transport(timeoutMs));
  }

  /** Returns the transport to the server of this pool. */
  transport(timeoutMs = CONTROL_TIMEOUT_MS): ControlTransport {
    const { address, key } = this;
    return httpTransport({
      address,
      key,
      timeoutMs,
      describe: async (stranger) => {
        const { describeStranger } = await import("./strangers.ts");
        return await describeStranger(stranger, this);
      },
    });
  }

  /**
   * Returns whether a server of this pool runs. Throws TcError `stranger` if
   * another program is in its place, and `no_answer` if it is too busy.
   */
  async isServing(): Promise<boolean> {
    try {
      await this.client(2_000).health();
      return true;
    } catch (cause) {
      if (cause instanceof TcError && cause.code === "not_running") {
        return false;
      }
      throw cause;
    }
  }
}

/** Returns the address to call for a wildcard or IPv6 listen address. */
function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function readIfThere(file: string): string | null {
  try {
    const { isFile, size } = Deno.statSync(file);
    // Reading a pipe would block, and a device has no end.
    if (!isFile) throw unreadable(file, "it is not a regular file");
    if (size > CONFIG_BYTES_MAX) throw unreadable(file, "it is too large");
    return decodeText(Deno.readFileSync(file), file);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    if (cause instanceof TcError) throw cause;
    throw new TcError(`Cannot read ${file}: ${reasonOf(cause)}`, {
      code: "bad_config",
      source: "user",
      exitCode: EXIT.badConfig,
      cause,
    });
  }
}

function unreadable(file: string, why: string): ConfigError {
  return new ConfigError(`Cannot read ${file}: ${why}`, { file });
}

function decodeText(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TcError(`Cannot read ${file}: it is not UTF-8 text`, {
      code: "bad_config",
      source: "user",
      exitCode: EXIT.badConfig,
      hint: "The file was left as it is.",
      cause,
    });
  }
}
