/**
 * Builds the server around the pool (ports, data plane, control plane), and
 * starts and stops them in order. Runs in the server worker.
 *
 * @module
 */

import { join } from "node:path";
import { emptyPool } from "../../core/pool/pool.ts";
import type { FamilyOwners } from "../../auth/shared/family_owners.ts";
import { type ControlHost, controlRoutes } from "../../control/routes.ts";
import { type Journal, type RequestLog, Secret } from "../../ports.ts";
import { HistoryMemory, SummaryMemory } from "../../proxy/conversation.ts";
import { HoldDesk } from "../../proxy/hold.ts";
import { BodyBudget } from "../../proxy/body.ts";
import { Deadline } from "../../http/deadline.ts";
import { basePathOf, type Proxy, RequestBook } from "../../proxy/proxy.ts";
import { FreshRows } from "../../store/ledger/ledger_exchange.ts";
import { RequestExchange } from "../shared/request_exchange.ts";
import { PoolExchange } from "../shared/pool_exchange.ts";
import { PageSessions } from "../page_sessions.ts";
import { proxyRules } from "../../http/proxy_rules.ts";
import type { Listener } from "../../proxy/routes.ts";
import { UpstreamPool } from "../../http/upstream.ts";
import type { KeychainTool } from "../../store/vault/keychain_tools.ts";
import { AccountKeeper } from "./account_keeper.ts";
import type { AccountChanges } from "../links/change_link.ts";
import type { ProjectAsker } from "../links/project_link.ts";
import type { SimulationAsker } from "../links/simulation_link.ts";
import type { ReportAsker } from "../links/report_link.ts";
import { activityView } from "./activity.ts";
import { systemClock, systemEntropy, systemZone } from "../../system/clock.ts";
import { type Config, priceBook } from "../../config/config.ts";
import { DaemonControl } from "./daemon_control.ts";
import { EventFeed } from "./event_feed.ts";
import { booked, drained, listenFor } from "./listening.ts";
import { HabitWatch } from "../links/habit_watch.ts";
import { PoolKeeper } from "./pool_keeper.ts";
import { RequestMetrics } from "../../records/metrics.ts";
import { Records } from "../../records/records.ts";
import { claimPool, type ServerClaim } from "../server_claim.ts";
import { OtlpExporter } from "../../records/otlp/exporter.ts";
import { ProjectBook } from "../../records/projects.ts";
import { PriceDesk } from "../../records/prices.ts";
import { paidMax, retiredText, routeSettings } from "../../config/settings.ts";
import { Tally } from "../../records/tally.ts";
import { Curves } from "../../records/curves.ts";
import type { NoticeEvent } from "../notices/conditions.ts";
import { memoryIn, Notifier } from "../notices/notifier.ts";
import { sendToWebhook } from "../notices/webhook.ts";
import { countedJournal } from "./scrape.ts";
import { UsagePoller } from "./usage_poller.ts";
import { WindowOpener } from "./window_opener.ts";
import type { LogLoss } from "../../records/log/log_sink.ts";
import type { Asked, StartOrder } from "../worker_protocol.ts";

interface DaemonOptions {
  /** The system's keychain; null where there is none. */
  readonly keychain: KeychainTool | null;
  /** The stores of programs whose logins are in the vault as well. */
  readonly owners: FamilyOwners | null;
  readonly order: StartOrder;
  readonly journal: Journal;
  readonly ask: (what: Asked) => void;
  /** Tells the desktop and the user's program of a notice. */
  readonly tell: (event: NoticeEvent) => void;
  /** Changes the account list, in the main thread. */
  readonly changes: AccountChanges;
  /** Draws reports, in the main thread. */
  readonly reports: ReportAsker;
  /** Replays the history, in a process of its own. */
  readonly simulations: SimulationAsker;
  /** Finds the projects of sessions, in the main thread. */
  readonly projects: ProjectAsker;
}

export interface Daemon {
  readonly host: string;
  readonly port: number;
  readonly feed: EventFeed;
  readonly control: (request: Request) => Promise<Response>;
  reload(config: Config): Promise<void>;
  reloadFailed(message: string, hint: string | null): void;
  /**
   * Answers the client that asked for a restart; `trouble` is null if it has
   * begun.
   */
  restartAnswered(trouble: string | null): void;
  logLost(loss: LogLoss | null): void;
  /** Stops listening, drains, and returns how many responses were cut off. */
  drain(deadlineMs: number): Promise<number>;
}

/** Memory for request bodies, as a multiple of the largest one. */
const BODIES_MAX = 16;

/** Connections to the upstream that are opened at the start. */
const WARM_CONNECTIONS = 2;

/** Starts everything. Throws TcError if it cannot listen. */
export async function startDaemon(given: DaemonOptions): Promise<Daemon> {
  const metrics = new RequestMetrics();
  const journal = countedJournal(given.journal, metrics);
  const options = { ...given, journal, metrics };
  const claim = await claimPool(options);
  try {
    warnOfRetired(options);
    return await startClaimed(options, claim);
  } catch (cause) {
    claim.release();
    throw cause;
  }
}

/** Says which settings of the config have no effect any more. */
function warnOfRetired({ order, journal }: DaemonOptions): void {
  for (const setting of order.config.retiredKeys) {
    const why = retiredText(setting);
    journal.log("warn", "setting_retired", { setting, why });
  }
}

async function startClaimed(
  options: DaemonOptions & Pick<Parts, "metrics">,
  claim: ServerClaim,
): Promise<Daemon> {
  const { order, metrics } = options;
  const keeper = keeperOf(order.config);
  const prices = new PriceDesk({
    prices: priceBook(order.config),
    zone: systemZone(),
    clock: systemClock,
  });
  const upstream = upstreamOf(order);
  const accounts = await AccountKeeper.open({ ...options, keeper, upstream });
  const poller = pollerOf(options, { keeper, accounts });
  const records = recordsOf(options, keeper, prices);
  records.restore();
  const tally = new Tally(systemClock.now(), priceBook(order.config));
  const parts: Parts = {
    keeper,
    upstream,
    accounts,
    feed: new EventFeed(),
    pages: new PageSessions(systemClock),
    records,
    tally,
    curves: new Curves({
      clock: systemClock,
      accounts: () => keeper.state.accounts.values(),
      usage: () => tally.pool,
    }),
    prices,
    metrics,
    projectBook: projectBookOf(options),
    habits: new HabitWatch({ ...options, clock: systemClock }),
    exporter: exporterOf(options, keeper),
  };
  const proxy = proxyOf(options, parts);
  const exchange = exchangeOf(options, parts);
  const host = hostOf(options, parts, { proxy, exchange });
  const listener = listenOrClose(options, { ...parts, proxy, host });
  host.listensAt(listener);
  claim.servesAt(listener.host, listener.port);
  records.serves();
  const rounds = [poller, ...roundsOf(options, { ...parts, host, exchange })];
  for (const each of rounds) each.start();
  warmUp(upstream, proxy);
  return {
    host: listener.host,
    port: listener.port,
    feed: parts.feed,
    control: controlRoutes(host),
    reload: (config) => host.apply(config),
    reloadFailed: (message, hint) => host.reloadFailed(message, hint),
    restartAnswered: (trouble) => host.restartAnswered(trouble),
    logLost: (loss) => host.logLost(loss),
    drain: async (deadlineMs) => {
      host.drains();
      const cut = await drained(listener, deadlineMs);
      await Promise.all(rounds.map((each) => each.stop()));
      await closeParts(parts, proxy);
      claim.release();
      return cut;
    },
  };
}

function keeperOf(config: Config): PoolKeeper {
  const pool = emptyPool(routeSettings(config.settings));
  const keeper = new PoolKeeper(pool, systemClock, systemEntropy);
  obey(config, keeper);
  return keeper;
}

/** Tells the pool the user's limit in dollars and rules by project. */
function obey({ settings, routes }: Config, keeper: PoolKeeper): void {
  keeper.dispatch({ kind: "paid_max_changed", max: paidMax(settings) });
  keeper.dispatch({ kind: "routes_changed", routes });
}

/** Returns what sends traces and metrics, over connections of its own. */
function exporterOf(
  { order, journal }: DaemonOptions,
  keeper: PoolKeeper,
): OtlpExporter | null {
  const { endpoint, protocol, headers } = order.config.settings.otel;
  if (endpoint === "") return null;
  return new OtlpExporter({
    endpoint,
    protocol,
    headers,
    journal,
    clock: systemClock,
    upstream: upstreamOf(order),
    version: order.version,
    pid: order.pid,
    labelOf: (id) => keeper.state.accounts.get(id)?.account.label ?? id,
  });
}

function projectBookOf({ order, projects }: DaemonOptions): ProjectBook {
  return new ProjectBook({
    stateFolder: order.paths.stateFolder,
    look: (session) => projects.find(session),
    nowMs: () => systemClock.monotonicMs(),
  });
}

/** Opens connections before the first request. */
function warmUp(upstream: UpstreamPool, { origin }: Proxy): void {
  upstream.warm(origin, WARM_CONNECTIONS).catch(() => {
    // The first request reports what is wrong with the upstream.
  });
}

/** Ends what the server holds, its last records included. */
async function closeParts(
  { accounts, upstream, records, exporter }: Parts,
  proxy: Proxy,
): Promise<void> {
  await accounts.close();
  upstream.close();
  // A response that was cut or is still being read is booked a moment later.
  await booked(proxy.book);
  await exporter?.close();
  await records.close();
}

function recordsOf(
  { order, journal }: DaemonOptions,
  keeper: PoolKeeper,
  prices: PriceDesk,
): Records {
  return new Records({
    config: order.config,
    stateFolder: order.paths.stateFolder,
    localKey: new Secret(order.key),
    run: systemEntropy.uuid(),
    keeper,
    prices,
    clock: systemClock,
    journal,
    person: order.person,
  });
}

function upstreamOf({ config, proxy, authorities }: StartOrder): UpstreamPool {
  const { settings } = config;
  return new UpstreamPool({
    clock: systemClock,
    proxyFor: proxyRules({
      httpsProxy: settings.upstreamProxy || proxy.url || null,
      httpProxy: settings.upstreamProxy || null,
      noProxy: proxy.except || null,
    }),
    caCerts: authorities === "" ? [] : [authorities],
    limits: {
      connectMs: settings.timeouts.connectMs,
      firstByteMs: settings.timeouts.firstByteMs,
      idleBodyMs: settings.timeouts.idleMs,
    },
  });
}

function pollerOf(
  { journal }: DaemonOptions,
  { keeper, accounts }: Pick<Parts, "keeper" | "accounts">,
): UsagePoller {
  return new UsagePoller({
    clock: systemClock,
    entropy: systemEntropy,
    journal,
    client: accounts.client,
    provider: accounts.provider,
    credentials: accounts.credentials,
    accounts: () => accounts.records,
    settings: () => accounts.settings.usage,
    turns: accounts.pollTurns,
    observed: (observation) =>
      keeper.dispatch({ kind: "quota_observed", observation }),
    identified: (id, profile) => {
      accounts.learnProfile(id, profile).then((isOurs) => {
        if (isOurs) return;
        journal.log("error", "account", {
          account: id,
          state: "other_identity",
        });
      }, () => journal.log("warn", "profile_not_saved", { account: id }));
    },
  });
}

/** Returns the periodic work that needs the control plane, or a store. */
function roundsOf(
  options: DaemonOptions,
  parts: Parts & {
    readonly host: ControlHost;
    readonly exchange: PoolExchange | null;
  },
): readonly { start(): void; stop(): Promise<void> }[] {
  const { exchange, host } = parts;
  return [
    openerOf(options, parts),
    notifierOf(options, parts, host),
    parts.curves,
    parts.habits,
    ...exchange === null ? [] : [exchange],
  ];
}

function hostOf(
  options: DaemonOptions,
  parts: Parts,
  own: { readonly proxy: Proxy; readonly exchange: PoolExchange | null },
): DaemonControl {
  const { accounts } = parts;
  // The settings of a shared pool are not in the config.
  const changes = accounts.shared === null ? options.changes : accounts.desk;
  return new DaemonControl({ ...options, ...parts, ...own, changes });
}

/** Returns the server's part in a shared pool, or null without one. */
function exchangeOf(
  { order, journal }: DaemonOptions,
  { keeper, accounts, records }: Pick<Parts, "keeper" | "accounts" | "records">,
): PoolExchange | null {
  const { shared } = accounts;
  if (shared === null) return null;
  const fresh = new FreshRows();
  records.listen((rows) => fresh.note(rows));
  const requests = new RequestExchange({
    shared,
    fresh,
    attempt: (work) => records.attempt(work),
    clock: systemClock,
    days: order.config.settings.ledger.days,
  });
  return new PoolExchange({
    requests,
    shared,
    keeper,
    clock: systemClock,
    journal,
    version: order.version,
    reload: () => accounts.reload(),
  });
}

function openerOf(
  { journal }: DaemonOptions,
  { keeper, host }: {
    readonly keeper: PoolKeeper;
    readonly host: ControlHost;
  },
): WindowOpener {
  return new WindowOpener({
    clock: systemClock,
    journal,
    snapshot: () => keeper.snapshot(),
    utcOffsetMinutes: (at) => -new Date(at).getTimezoneOffset(),
    call: (call) => host.callApi(call),
    observed: (observation) =>
      keeper.dispatch({ kind: "quota_observed", observation }),
  });
}

function notifierOf(
  { order, journal, tell }: DaemonOptions,
  { upstream }: Pick<Parts, "upstream">,
  host: ControlHost,
): Notifier {
  const { command, webhook, secret, desktop, quiet } =
    order.config.settings.notify;
  return new Notifier({
    clock: systemClock,
    entropy: systemEntropy,
    journal,
    status: () => host.status(),
    minuteOfDay: () => {
      const now = new Date(systemClock.now());
      return now.getHours() * 60 + now.getMinutes();
    },
    quiet,
    memory: memoryIn(join(order.paths.stateFolder, "notices.json")),
    tell: command !== "" || desktop ? tell : null,
    send: webhook === ""
      ? null
      : (event, signal) =>
        sendToWebhook(event, signal, { url: webhook, secret, upstream }),
  });
}

interface Parts {
  readonly keeper: PoolKeeper;
  readonly upstream: UpstreamPool;
  readonly accounts: AccountKeeper;
  readonly feed: EventFeed;
  readonly pages: PageSessions;
  readonly tally: Tally;
  readonly curves: Curves;
  readonly metrics: RequestMetrics;
  readonly records: Records;
  readonly prices: PriceDesk;
  readonly projectBook: ProjectBook;
  readonly habits: HabitWatch;
  /** Null if the user named no collector. */
  readonly exporter: OtlpExporter | null;
}

function proxyOf({ order, journal }: DaemonOptions, parts: Parts): Proxy {
  const { settings } = order.config;
  const { keeper, feed, records, tally, metrics, exporter } = parts;
  const upstreamUrl = new URL(settings.upstream);
  const log: RequestLog = {
    finished: (record) => {
      metrics.add(record, tally.add(record));
      records.finished(record);
      exporter?.finished(record);
      feed.tell("request", () => activityView(record, keeper.state));
    },
  };
  return {
    clock: systemClock,
    entropy: systemEntropy,
    pool: keeper,
    credentials: parts.accounts.credentials,
    upstream: parts.upstream,
    journal,
    log,
    exchanges: records.exchanges,
    prices: parts.prices,
    book: new RequestBook(),
    holds: new HoldDesk(settings.hold),
    budget: new BodyBudget({
      bodyBytesMax: settings.proxy.bodyBytesMax,
      totalBytesMax: settings.proxy.bodyBytesMax * BODIES_MAX,
      bodyMs: settings.timeouts.bodyMs,
    }),
    stall: new Deadline(settings.timeouts.idleMs),
    summaries: new SummaryMemory(),
    histories: new HistoryMemory(),
    projects: parts.projectBook,
    origin: upstreamUrl.origin,
    basePath: basePathOf(upstreamUrl),
    localKey: new Secret(order.key),
  };
}

/** Listens, and closes everything else if that fails. */
function listenOrClose(
  options: DaemonOptions,
  { proxy, host, records, pages }: Pick<Parts, "records" | "pages"> & {
    readonly proxy: Proxy;
    readonly host: ControlHost;
  },
): Listener {
  try {
    return listenFor(options.order, { proxy, host, pages });
  } catch (cause) {
    records.close().catch(() => {});
    throw cause;
  }
}
