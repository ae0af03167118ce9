/**
 * What every command works with: output, config, the key and the way to the
 * server, each made when it is first asked for.
 *
 * @module
 */

import { dirname } from "node:path";
import {
  type Authorities,
  AUTHORITY_VARIABLES,
  readAuthorities,
} from "../system/authorities.ts";
import { systemEntropy } from "../system/clock.ts";
import { type Config, configFrom } from "../config/config.ts";
import { localKey } from "../config/local_key.ts";
import { withHome } from "../system/home.ts";
import {
  type Environment,
  PATH_VARIABLES,
  type Paths,
  pathsFrom,
} from "../system/paths.ts";
import { settingRows } from "../config/settings.ts";
import { priceFile, readPriceTable } from "../store/ledger/price_file.ts";
import { CONFIG_BYTES_MAX } from "../store/config_file.ts";
import {
  ControlClient,
  type ControlTransport,
  httpTransport,
} from "../control/client.ts";
import type { ServerAddress } from "../control/server_connection.ts";
import { ConfigError, EXIT, reasonOf, TcError, UsageError } from "../errors.ts";
import type { Secret } from "../ports.ts";
import { refuseForeign, tightenSecret } from "../store/files/own_files.ts";
import { Output } from "./output.ts";

/** Options that every command takes. */
export interface CommonOptions {
  readonly json?: boolean | undefined;
  readonly color?: string | undefined;
  readonly input?: boolean | undefined;
}

const CONTROL_TIMEOUT_MS = 10_000;

/** Variables beside the settings' own that a command may look at. */
const OTHER_VARIABLES = [
  "NO_COLOR",
  "FORCE_COLOR",
  "CLICOLOR_FORCE",
  "TERM",
  "CI",
  "PATH",
  "PATHEXT",
  "USER",
  "USERNAME",
  "LOGNAME",
  "COLUMNS",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "COLORTERM",
  "TC_ASCII",
  "SHELL",
  "HTTPS_PROXY",
  "https_proxy",
  "HTTP_PROXY",
  "http_proxy",
  "ALL_PROXY",
  "all_proxy",
  "NO_PROXY",
  ...AUTHORITY_VARIABLES,
  "no_proxy",
  "CLAUDE_CONFIG_DIR",
  "CLAUDE_CODE_OAUTH_TOKEN",
  "CLAUDE_SECURESTORAGE_CONFIG_DIR",
  "ANTHROPIC_BASE_URL",
  "JOURNAL_STREAM",
  "NOTIFY_SOCKET",
  "TC_DEBUG",
  "TC_LAUNCHED",
  "BROWSER",
  "DISPLAY",
  "WAYLAND_DISPLAY",
] as const;

/** Every variable that tc reads, for the build's permission list. */
export function readVariables(): readonly string[] {
  const ofSettings = settingRows().map((row) => row.variable);
  return [...new Set([...PATH_VARIABLES, ...OTHER_VARIABLES, ...ofSettings])];
}

/** The values of {@linkcode readVariables}, taken once. */
export function readEnvironment(): Environment {
  return withHome(Object.fromEntries(
    readVariables().map((name) => [name, Deno.env.get(name)]),
  ));
}

export class Shell {
  readonly environment: Environment;
  readonly output: Output;
  readonly paths: Paths;
  /** Whether questions may be asked. */
  readonly mayAsk: boolean;
  readonly #flags: Readonly<Record<string, unknown>>;
  #config: Config | null = null;
  #key: Secret | null = null;
  #authorities: Authorities | null = null;

  constructor(
    environment: Environment,
    common: CommonOptions,
    flags: Readonly<Record<string, unknown>> = {},
  ) {
    this.environment = environment;
    this.output = new Output({
      environment,
      color: colorOf(common.color),
      isJson: common.json ?? false,
      isTerminal: Deno.stdout.isTerminal(),
    });
    this.paths = pathsFrom(environment, Deno.build.os);
    this.mayAsk = common.input !== false && Deno.stdin.isTerminal() &&
      !environment["CI"];
    this.#flags = flags;
  }

  /** Whether a person sits before a screen that can be drawn on. */
  get hasScreen(): boolean {
    return Deno.stdin.isTerminal() && Deno.stdout.isTerminal() &&
      this.environment["TERM"] !== "dumb";
  }

  /** The settings; a broken file is a ConfigError, and stays as it is. */
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
    // It holds a key now: nobody else is to read it.
    if (config.settings.proxy.apiKey !== "" && !tightenSecret(configFile)) {
      this.output.say(
        `${configFile} holds proxy.apiKey, and others can read it`,
      );
    }
    return config;
  }

  get key(): Secret {
    this.#key ??= localKey(this.config, this.paths, systemEntropy);
    return this.#key;
  }

  /** The certificate authorities of this machine besides the built-in ones. */
  get authorities(): Authorities {
    this.#authorities ??= readAuthorities(this.environment, Deno.build.os);
    return this.#authorities;
  }

  /** `http://127.0.0.1:3456`, as a client on this machine writes it. */
  get origin(): string {
    const { host, port } = this.config.settings.proxy;
    return `http://${reachable(host)}:${port}`;
  }

  /** The address of the server for a connection from this machine. */
  get address(): ServerAddress {
    const { host, port } = this.config.settings.proxy;
    return { host: reachable(host).replace(/^\[|\]$/g, ""), port };
  }

  client(timeoutMs = CONTROL_TIMEOUT_MS): ControlClient {
    return new ControlClient(this.transport(timeoutMs));
  }

  /** The way to the server of this pool. */
  transport(timeoutMs = CONTROL_TIMEOUT_MS): ControlTransport {
    const { address, key } = this;
    return httpTransport({
      address,
      key,
      timeoutMs,
      describe: async (stranger) => {
        const { describeStranger } = await import("./server/strangers.ts");
        return await describeStranger(stranger, this.paths.stateFolder);
      },
    });
  }

  /**
   * Whether a server of this pool runs. Throws TcError `stranger` where another
   * program is in its place, and `no_answer` where it is too busy to say.
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

function colorOf(text: string | undefined): "always" | "never" | "auto" | null {
  if (text === undefined) return null;
  if (text === "always" || text === "never" || text === "auto") return text;
  throw new UsageError(
    `Cannot use --color ${text}: it must be always, never or auto`,
  );
}

/** A wide or IPv6 listen address as the address to call. */
export function reachable(host: string): string {
  if (host === "0.0.0.0" || host === "") return "127.0.0.1";
  if (host === "::") return "[::1]";
  return host.includes(":") ? `[${host}]` : host;
}

function readIfThere(file: string): string | null {
  try {
    const { isFile, size } = Deno.statSync(file);
    // A pipe would be waited for, and a device has no end.
    if (!isFile) throw unreadable(file, "it is no file");
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
