/**
 * The table of settings: name, allowed values, default and help. The config
 * parser, `tc config`, the man page and the README use it.
 *
 * @module
 */

import * as v from "valibot";
import { RETIRED_ROUTE_SETTINGS, ROUTE_CONSTANTS } from "../core/constants.ts";
import { ROUTE_KNOBS, type RouteSettings } from "../core/settings.ts";
import type { SpendLimit } from "../core/account.ts";
import { spendLimit } from "../core/quota/spending.ts";
import { routesSetting } from "./project_routes.ts";
import {
  choice,
  flag,
  headerList,
  key,
  leaf,
  ofKnobs,
  section,
  type SettingText,
  storeUrl,
  text,
  url,
  webhook,
  wholeNumber,
} from "./setting_kinds.ts";

const MIB = 1024 * 1024;

/** The form of quiet hours: `22:00-07:00`. */
export const QUIET_SHAPE =
  /^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$/;

export const SETTINGS = v.looseObject({
  proxy: section({
    port: wholeNumber(0, 65535, 3456, "Local port the proxy listens on"),
    host: text(
      "127.0.0.1",
      "Address the proxy listens on; a wide one needs the key",
    ),
    apiKey: key("Local key that you choose; empty: a random one is created"),
    keylessLoopback: flag(
      false,
      "Let local clients in without the key, as older tools do",
    ),
    hosts: text(
      "",
      "Other names for this machine, separated by commas: host.docker.internal",
    ),
    origins: text(
      "",
      "Origins of pages and desktop apps that may call, separated by commas: app://my.app",
    ),
    socket: flag(
      true,
      "Also listen on a private Unix socket (not on Windows)",
    ),
    bodyBytesMax: wholeNumber(
      1024,
      1024 * MIB,
      32 * MIB,
      "Largest request body accepted",
    ),
    requestsMax: wholeNumber(1, 100_000, 2000, "Maximum concurrent requests"),
  }),
  upstream: url("https://api.anthropic.com", "URL that requests are sent to"),
  insecureHttp: flag(
    false,
    "Allow http without TLS to other machines: others can read your credentials",
  ),
  store: section({
    url: storeUrl(
      "Address of the shared pool's database, where it is not the one that this machine joined",
    ),
  }),
  upstreamProxy: text(
    "",
    "Corporate proxy for outgoing requests; empty: HTTPS_PROXY decides",
  ),
  routing: section(ofKnobs(ROUTE_KNOBS)),
  routes: routesSetting(),
  hold: section({
    maxMs: wholeNumber(
      0,
      3_600_000,
      600_000,
      "Longest wait for an account, for streams",
    ),
    jsonMaxMs: wholeNumber(
      0,
      300_000,
      20_000,
      "Longest wait for other requests",
    ),
    silentMs: wholeNumber(
      0,
      300_000,
      10_000,
      "Time before the first ping to a held stream",
    ),
    pingMs: wholeNumber(
      1000,
      60_000,
      10_000,
      "Time between pings of a held stream",
    ),
    requestsMax: wholeNumber(
      1,
      100_000,
      500,
      "Maximum number of held requests",
    ),
    beyond: choice(
      ["limit", "retry"],
      "limit",
      "Past the longest wait: limit tells clients the reset as the API does; retry asks them to try again",
    ),
  }),
  timeouts: section({
    connectMs: wholeNumber(100, 300_000, 10_000, "Time to reach the upstream"),
    firstByteMs: wholeNumber(
      1000,
      3_600_000,
      600_000,
      "Time until the upstream's first byte",
    ),
    idleMs: wholeNumber(
      1000,
      3_600_000,
      300_000,
      "Longest pause within a response, or while a client does not read",
    ),
    bodyMs: wholeNumber(
      1000,
      600_000,
      60_000,
      "Time for a client to send its head, and then its body",
    ),
    drainMs: wholeNumber(
      0,
      600_000,
      30_000,
      "Time that open streams get when stopping",
    ),
  }),
  oauth: section({
    authorizeUrl: url(
      "https://claude.ai/oauth/authorize",
      "Page that a login opens in the browser",
    ),
    tokenUrl: url(
      "https://platform.claude.com/v1/oauth/token",
      "Endpoint that gives and renews tokens",
    ),
    profileUrl: url(
      "",
      "Endpoint that names an account's owner; empty: the upstream has it",
    ),
    usageUrl: url(
      "",
      "Free endpoint of quota figures; empty: the upstream has it",
    ),
    clientId: text(
      "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
      "The OAuth client that a login names; it is Claude Code's public one",
    ),
    manualRedirectUrl: url(
      "https://platform.claude.com/oauth/code/callback",
      "Page that shows the code to paste after a login",
    ),
  }),
  usage: section({
    poll: flag(true, "Poll the free usage endpoint for quota figures"),
    pollSeconds: wholeNumber(
      60,
      86_400,
      600,
      "Time between two polls of an account",
    ),
  }),
  vault: section({
    backend: choice(
      ["auto", "file", "keychain"],
      "auto",
      "Where secrets are kept",
    ),
  }),
  update: section({
    check: flag(
      false,
      "Check for a newer release at the start, once a day",
    ),
    withPlugin: flag(
      false,
      "Upgrade, verified, when the Claude Code plugin is newer than tc",
    ),
    releases: url("", "URL of releases; empty: where this build came from"),
    prices: url(
      "https://raw.githubusercontent.com/BerriAI/litellm/main/model_prices_and_context_window.json",
      "URL that tc prices update loads prices from",
    ),
  }),
  log: section({
    level: choice(
      ["debug", "info", "warn", "error"],
      "info",
      "Lowest level that is logged",
    ),
    to: text("", "Folder for one file per request; empty: none is written"),
    bodies: flag(false, "Also write prompts and answers to those files"),
    days: wholeNumber(1, 365, 7, "Days to keep those files"),
    megabytesMax: wholeNumber(
      1,
      100_000,
      200,
      "Maximum size of all those files",
    ),
  }),
  notify: section({
    command: text(
      "",
      "Program that gets each notice as JSON on its input; empty: none",
    ),
    webhook: webhook("URL that each notice is posted to; empty: none"),
    secret: key("Key that signs what the webhook gets; empty: not signed"),
    desktop: flag(false, "Show notices on the desktop (Linux, macOS, Windows)"),
    quiet: leaf(
      v.pipe(
        v.string(),
        v.check((text) => text === "" || QUIET_SHAPE.test(text)),
      ),
      "",
      {
        help: "Hours in which nothing is told: 22:00-07:00; empty: none",
        allowed: "two times of day, as in 22:00-07:00",
      },
    ),
  }),
  metrics: section({
    keyless: flag(
      false,
      "Let every user of this machine read /metrics without the key",
    ),
  }),
  otel: section({
    endpoint: url(
      "",
      "URL of an OpenTelemetry collector that gets traces and metrics; empty: none",
    ),
    protocol: choice(
      ["http/protobuf", "http/json"],
      "http/protobuf",
      "How they are written",
    ),
    headers: headerList("Headers that the collector asks for: api-key=…"),
  }),
  ledger: section({
    days: wholeNumber(1, 3650, 180, "Days to keep single requests"),
    megabytesMax: wholeNumber(
      8,
      100_000,
      1024,
      "Largest size of the state database",
    ),
    projects: flag(true, "Note which repository a request belongs to"),
  }),
  history: section({
    transcripts: flag(
      true,
      "Count what Claude Code did before tc and without it, by its transcripts: tokens, models, times, never texts",
    ),
  }),
  paid: section({
    max: leaf(
      v.pipe(
        v.string(),
        v.check((text) => text === "" || spendLimit(text) !== null),
      ),
      "",
      {
        help:
          "Most dollars to pay for API keys and extra usage together: 50/month; empty: no limit",
        allowed: "dollars a day, week or month such as 50/month, or empty",
      },
    ),
  }),
  pricing: leaf(
    v.record(
      v.string(),
      v.strictTuple([
        v.pipe(v.number(), v.minValue(0)),
        v.pipe(v.number(), v.minValue(0)),
      ]),
    ),
    {},
    {
      help: "Dollars per million tokens, input and output, by family or model",
      allowed: 'an object such as {"opus": [4, 20]}',
    },
  ),
});

export type Settings = v.InferOutput<typeof SETTINGS>;

/**
 * Returns the settings of routing; their schema comes from the core's table.
 */
export function routeSettings({ routing }: Settings): RouteSettings {
  return { ...ROUTE_CONSTANTS, ...routing } as unknown as RouteSettings;
}

/**
 * Returns whether `key` was a setting of an earlier version. A config that still
 * has it works, and the user is told that it has no effect.
 */
export function isRetired(key: string): boolean {
  const [section, name = ""] = key.split(".");
  return section === "routing" && RETIRED_ROUTE_SETTINGS.includes(name);
}

/** Returns the sentence about a setting that is none any more. */
export function retiredText(key: string): string {
  return `${key} is no longer a setting: tc takes care of it by itself`;
}

/** Returns the limit in dollars of the whole pool; null means none. */
export function paidMax({ paid }: Settings): SpendLimit | null {
  return spendLimit(paid.max);
}

/** One row of the table. */
export interface SettingRow extends SettingText {
  /** Dotted, as in the file: `proxy.port`. */
  readonly key: string;
  readonly fallback: unknown;
  /** The variable that overrides the file. */
  readonly variable: string;
  readonly schema: v.GenericSchema;
  /** Never printed. */
  readonly isSecret: boolean;
  /** Whether it has the form of a local key. */
  readonly isKey: boolean;
  readonly isUrl: boolean;
  /** The unit of its number, or null. */
  readonly unit: string | null;
  /** Whether people change it; the others are shown with `--all`. */
  readonly isCommon: boolean;
}

/** The settings that people change. The rest is for special cases. */
const COMMON: readonly string[] = [
  "proxy.port",
  "proxy.host",
  "proxy.apiKey",
  "proxy.keylessLoopback",
  "proxy.hosts",
  "proxy.origins",
  "upstream",
  "upstreamProxy",
  "routing.policy",
  "routes",
  "routing.planLimitsOnly",
  "routing.openWindows",
  "routing.keyAfterMs",
  "routing.parking",
  "routing.warmWaitMaxMs",
  "hold.maxMs",
  "hold.beyond",
  "timeouts.drainMs",
  "paid.max",
  "usage.poll",
  "usage.pollSeconds",
  "vault.backend",
  "update.check",
  "log.level",
  "log.to",
  "ledger.days",
  "history.transcripts",
  "pricing",
];

/** Units by the end of a setting's name. */
const UNITS: readonly (readonly [end: RegExp, unit: string])[] = [
  [/Ms$/, "ms"],
  [/Seconds$/, "s"],
  [/bodyBytesMax$/, "bytes"],
  [/megabytesMax$/, "MB"],
  [/\.days$/, "days"],
  [/requestsMax$|concurrencyStart$/, "requests"],
  [/routing\.parking$/, "conversations"],
  [/Weight$/, "tokens per token"],
];

/** Returns the unit of a number; null for a port, which has none. */
function unitOf(key: string): string | null {
  return UNITS.find(([end]) => end.test(key))?.[1] ?? null;
}

/** `proxy.bodyBytesMax` is overridden by `TC_PROXY_BODY_BYTES_MAX`. */
function variableOf(key: string): string {
  const words = key.replaceAll(".", "_").replace(/([a-z])([A-Z])/g, "$1_$2");
  return `TC_${words.toUpperCase()}`;
}

/** Returns every setting, in the order of the file. */
export function settingRows(): readonly SettingRow[] {
  return ROWS;
}

function allRows(): readonly SettingRow[] {
  const rows: SettingRow[] = [];
  for (const [name, entry] of Object.entries(SETTINGS.entries)) {
    const { wrapped } = entry as unknown as { wrapped: v.GenericSchema };
    const { entries } = wrapped as unknown as { entries?: v.ObjectEntries };
    if (entries === undefined) {
      rows.push(row(name, entry));
      continue;
    }
    for (const [inner, leafEntry] of Object.entries(entries)) {
      rows.push(row(`${name}.${inner}`, leafEntry));
    }
  }
  return rows;
}

function row(key: string, entry: unknown): SettingRow {
  const { wrapped, default: fallback } = entry as {
    wrapped: v.GenericSchema;
    default: unknown;
  };
  const text = v.getMetadata(wrapped) as unknown as SettingText;
  return {
    key,
    fallback,
    help: text.help,
    allowed: text.allowed,
    variable: variableOf(key),
    schema: wrapped,
    isSecret: text.kind === "key" || text.kind === "secret",
    isKey: text.kind === "key",
    isUrl: text.kind === "url",
    unit: unitOf(key),
    isCommon: COMMON.includes(key),
  };
}

/** Made once: each start of tc asks for the rows seven times. */
const ROWS = allRows();

/** The longest response that a replaced server waits for, after a hold. */
const ANSWER_MS_MAX = 900_000;

/**
 * Returns how long a replaced server may drain, in milliseconds. Nobody waits
 * for its end, so it waits for its streams and held requests.
 */
export function handoverMs({ timeouts, hold }: Settings): number {
  return Math.max(timeouts.drainMs, hold.maxMs + ANSWER_MS_MAX);
}

/** Sections, and settings at the top, that a running server cannot change. */
const FIXED: readonly (keyof Settings)[] = [
  "proxy",
  "upstream",
  "upstreamProxy",
  "store",
  "insecureHttp",
  "oauth",
  "timeouts",
  "vault",
  "ledger",
  "metrics",
  "otel",
  "notify",
  "log",
  "hold",
];

/** Returns whether a change of the setting `key` takes effect only at a restart. */
export function isFixed(key: string): boolean {
  const [section] = key.split(".");
  return FIXED.some((name) => name === section);
}

/** Returns whether a running server must restart to use `after`. */
export function needsRestart(before: Settings, after: Settings): boolean {
  const fixed = (settings: Settings) =>
    JSON.stringify(FIXED.map((name) => settings[name]));
  return fixed(before) !== fixed(after);
}
