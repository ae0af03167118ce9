/**
 * The server's side of the admin API: what it shows and what it lets change.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type {
  ApiCall,
  ApiCallView,
  ChangedAccount,
  ControlHost,
  HookCall,
  PageFile,
} from "../../control/routes.ts";
import type { ExplainView } from "../../control/explain_view.ts";
import type {
  AccountsView,
  CapacityView,
  GlanceView,
  HealthView,
  LinkView,
  NoticeView,
  StatusView,
} from "../../control/protocol.ts";
import type { ReportQuestion } from "../../control/report_query.ts";
import { payingView, statusView, timeView } from "../../control/status_view.ts";
import { poolGlance } from "../../core/quota/glance.ts";
import { POLICY_NAMES, type PolicyName } from "../../core/policy/policy.ts";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import type { Journal } from "../../ports.ts";
import type { UpstreamPool } from "../../http/upstream.ts";
import { pageFile } from "../../page/files.ts";
import type { PageSessions } from "../page_sessions.ts";
import type { Proxy } from "../../proxy/proxy.ts";
import type { Listener } from "../../proxy/routes.ts";
import { findAccount } from "../../store/account_desk.ts";
import { planAccounts } from "../../store/accounts.ts";
import { accountsView } from "../account_facts.ts";
import type { AccountKeeper } from "./account_keeper.ts";
import { requestView, ViewBook } from "./activity.ts";
import { callApi } from "./api_call.ts";
import { systemClock } from "../../system/clock.ts";
import { type Config, priceBook } from "../../config/config.ts";
import { explainFor } from "./explaining.ts";
import { type EventFeed, StatusFeed } from "./event_feed.ts";
import type { HabitWatch } from "../links/habit_watch.ts";
import type { AccountChanges } from "../links/change_link.ts";
import {
  logNotices,
  routeNotices,
  vaultNotices,
} from "../notices/standing_notices.ts";
import type { ReportAsker } from "../links/report_link.ts";
import type { SimulationAsker } from "../links/simulation_link.ts";
import type {
  SimulationQuestion,
  SimulationView,
} from "../../control/history/simulation_view.ts";
import type { TurnsView } from "../../control/history/turns_view.ts";
import type { QuotaView } from "../../control/history/quota_view.ts";
import type { ReportView } from "../../control/history/report_view.ts";
import type { PoolExchange } from "../shared/pool_exchange.ts";
import type { PoolKeeper } from "./pool_keeper.ts";
import type { RequestMetrics } from "../../records/metrics.ts";
import type { ProjectBook } from "../../records/projects.ts";
import type { Records } from "../../records/records.ts";
import { needsRestart, paidMax, routeSettings } from "../../config/settings.ts";
import type { Curves } from "../../records/curves.ts";
import type { CurvesView } from "../../control/protocol.ts";
import type { Tally } from "../../records/tally.ts";
import type { LogLoss } from "../../records/log/log_sink.ts";
import type { Asked, StartOrder } from "../worker_protocol.ts";
import type { OtlpExporter } from "../../records/otlp/exporter.ts";
import { scrapeFamilies, scrapeText } from "./scrape.ts";
import { commandWord, type PersonShell } from "../../shell_words.ts";

interface DaemonControlParts {
  readonly order: StartOrder;
  readonly keeper: PoolKeeper;
  readonly accounts: AccountKeeper;
  readonly proxy: Proxy;
  readonly feed: EventFeed;
  readonly pages: PageSessions;
  readonly tally: Tally;
  readonly curves: Curves;
  readonly metrics: RequestMetrics;
  readonly upstream: UpstreamPool;
  readonly records: Records;
  readonly projectBook: ProjectBook;
  readonly exporter: OtlpExporter | null;
  readonly journal: Journal;
  readonly ask: (what: Asked) => void;
  /**
   * Changes the account list in the main thread: the config is out of reach
   * here.
   */
  readonly changes: AccountChanges;
  /** The server's part in a shared pool, or null. */
  readonly exchange: PoolExchange | null;
  readonly reports: ReportAsker;
  readonly habits: HabitWatch;
  readonly simulations: SimulationAsker;
}

export class DaemonControl implements ControlHost {
  readonly #parts: DaemonControlParts;
  readonly #startedAt = systemClock.now();
  readonly #views = new ViewBook();
  readonly #watched = new StatusFeed({
    status: () => this.status(),
    mark: () => this.#mark(),
  });
  #listener: Listener | null = null;
  #isDraining = false;
  #logLoss: LogLoss | null = null;
  readonly #reloads: PromiseWithResolvers<readonly string[]>[] = [];
  readonly #restarts: PromiseWithResolvers<void>[] = [];

  constructor(parts: DaemonControlParts) {
    this.#parts = parts;
  }

  /** Sets the listener, once the port is known. */
  listensAt(listener: Listener): void {
    this.#listener = listener;
    const measured = () => scrapeFamilies(this.status(), this.#parts);
    this.#parts.exporter?.measures(measured);
  }

  get person(): PersonShell {
    return this.#parts.order.person;
  }

  health(): HealthView {
    const { order } = this.#parts;
    return {
      schema: "tc.health/v1",
      name: "tc",
      version: order.version,
      pid: order.pid,
      state: this.#isDraining ? "draining" : "serving",
      startedAt: timeView(this.#startedAt),
    };
  }

  status(): StatusView {
    const { keeper, proxy, tally } = this.#parts;
    const snapshot = keeper.snapshot();
    const open = proxy.book.open();
    return statusView(snapshot, {
      server: this.#serverView(),
      usage: tally.pool,
      paying: tally.paying(snapshot.at),
      accountUsage: (id) => tally.account(id, snapshot.at),
      sessions: this.#views.sessions(tally.sessions(), open, snapshot),
      requests: open.map((request) => requestView(request, snapshot)),
      activity: this.#views.ended(proxy.book.ended(), snapshot),
      machines: this.#parts.exchange?.machines() ?? [],
      notices: this.#notices(),
      recent: (accountId) => this.#parts.records.recent(accountId),
      habit: this.#parts.habits.habit,
    });
  }

  curves(): CurvesView {
    return this.#parts.curves.view();
  }

  async accounts(): Promise<AccountsView> {
    const live = new Map(this.status().accounts.map((view) => [view.id, view]));
    const listing = await this.#parts.accounts.desk.list();
    return accountsView(listing, live, systemClock.now());
  }

  async changeAccount(wanted: string, change: ChangedAccount): Promise<void> {
    const { accounts } = this.#parts;
    const { id } = findAccount(await accounts.desk.list(), wanted);
    await this.#parts.changes.change(id, change);
    await accounts.reload();
  }

  async removeAccount(
    wanted: string,
    { isForced }: { readonly isForced: boolean },
  ): Promise<void> {
    const { accounts, keeper, changes } = this.#parts;
    const { id, label } = findAccount(await accounts.desk.list(), wanted);
    const leases = keeper.state.accounts.get(id)?.leases ?? 0;
    if (leases > 0 && !isForced) throw inUse(label, leases);
    await changes.remove(id);
    await accounts.reload();
  }

  glance(session: string | null): GlanceView {
    const { keeper, tally } = this.#parts;
    const snapshot = keeper.snapshot();
    const paying = payingView(tally.paying(snapshot.at));
    return {
      schema: "tc.glance/v1",
      ...poolGlance(snapshot, session),
      paying: paying === null
        ? null
        : { since: paying.since.ms, cost: paying.cost },
    };
  }

  capacity(): CapacityView {
    return this.status().capacity;
  }

  explain(wanted: string | null): ExplainView {
    const { keeper, proxy } = this.#parts;
    const snapshot = keeper.snapshot();
    return explainFor(wanted, snapshot, {
      open: proxy.book.open(),
      projectOf: (session) => this.#parts.projectBook.of(null, session),
      ended: this.#views.ended(proxy.book.ended(), snapshot),
    });
  }

  /**
   * Has the main thread read the config, because it knows flags and
   * environment.
   */
  reload(): Promise<readonly string[]> {
    const { promise, resolve, reject } = Promise.withResolvers<
      readonly string[]
    >();
    this.#reloads.push({ promise, resolve, reject });
    this.#parts.ask("reload");
    return promise;
  }

  /**
   * Applies the settings that can change while the server runs. Never rejects.
   */
  async apply(config: Config): Promise<void> {
    const reloads = this.#reloads.splice(0);
    try {
      const changes = [...await this.#parts.accounts.load(config)];
      const settings = routeSettings(config.settings);
      this.#parts.keeper.dispatch({ kind: "settings_changed", settings });
      const max = paidMax(config.settings);
      this.#parts.keeper.dispatch({ kind: "paid_max_changed", max });
      const { routes } = config;
      this.#parts.keeper.dispatch({ kind: "routes_changed", routes });
      this.#parts.records.usePrices(priceBook(config));
      this.#parts.records.recallPaid();
      this.#parts.tally.usePrices(priceBook(config));
      // Compared with the settings at the start, however often it was reloaded.
      const started = this.#parts.order.config.settings;
      if (needsRestart(started, config.settings)) {
        changes.push("some settings take effect after tc restart");
      }
      for (const { resolve } of reloads) resolve(changes);
    } catch (cause) {
      for (const { reject } of reloads) reject(cause);
      // A config that cannot be used does not stop the server.
      const reason = reasonOf(cause);
      this.#parts.journal.log("error", "reload", { reason });
    }
  }

  /** Reports that the config cannot be read; the old one stays in use. */
  reloadFailed(message: string, hint: string | null): void {
    this.#parts.journal.log("error", "reload", { reason: message });
    const error = new TcError(message, {
      code: "bad_config",
      source: "user",
      exitCode: EXIT.badConfig,
      ...(hint === null ? {} : { hint }),
    });
    for (const { reject } of this.#reloads.splice(0)) reject(error);
  }

  /** Notes that log lines are being lost; null: none are lost any more. */
  logLost(loss: LogLoss | null): void {
    this.#logLoss = loss;
  }

  /** Ends the streams of watchers; the server takes no new connections. */
  drains(): void {
    this.#isDraining = true;
    this.#parts.feed.end();
    this.#watched.end();
  }

  pin(account: string | null): void {
    const accountId = account === null ? null : this.#accountId(account);
    this.#parts.keeper.dispatch({ kind: "pinned", accountId });
  }

  setPolicy(name: string): void {
    const { keeper } = this.#parts;
    if (!isPolicyName(name)) {
      throw new TcError(
        `Cannot use policy ${name}: it must be one of ${
          POLICY_NAMES.join(", ")
        }`,
        { code: "bad_policy", source: "user" },
      );
    }
    const settings = { ...keeper.state.settings, policy: name };
    keeper.dispatch({ kind: "settings_changed", settings });
  }

  async callApi(call: ApiCall): Promise<ApiCallView> {
    const accountId = call.account === null
      ? null
      : this.#accountId(call.account);
    return await callApi(call, accountId, this.#parts.proxy);
  }

  hook(call: HookCall): void {
    const { journal, feed } = this.#parts;
    // A path says more than a log should.
    const { project, ...rest } = call;
    if (rest.session !== null && project !== null) {
      this.#parts.projectBook.note(rest.session, project);
    }
    journal.log("info", "hook", rest);
    feed.tell("hook", () => call);
  }

  report(question: ReportQuestion): Promise<ReportView> {
    const { reports, accounts } = this.#parts;
    return reports.report(question, planAccounts(accounts.records));
  }

  turns(session: string, days: number): Promise<TurnsView> {
    return this.#parts.reports.turns(session, days);
  }

  quota(days: number): Promise<QuotaView> {
    return this.#parts.reports.quota(days);
  }

  startSimulation(question: SimulationQuestion): Promise<SimulationView> {
    return this.#parts.simulations.ask({ kind: "start", question });
  }

  simulation(): Promise<SimulationView> {
    return this.#parts.simulations.ask({ kind: "look" });
  }

  stopSimulation(): Promise<SimulationView> {
    return this.#parts.simulations.ask({ kind: "stop" });
  }

  link(): LinkView {
    return { schema: "tc.ui/v1", path: this.#parts.pages.link() };
  }

  pageFile(name: string): PageFile | null {
    return pageFile(name);
  }

  metrics(): string {
    return scrapeText(this.status(), this.#parts);
  }

  stop({ isNow }: { readonly isNow: boolean }): void {
    this.#parts.ask(isNow ? "stop_now" : "stop");
  }

  /** Has the main thread start the next server, which then ends this one. */
  restart(): Promise<void> {
    const pending = Promise.withResolvers<void>();
    this.#restarts.push(pending);
    this.#parts.ask("restart");
    return pending.promise;
  }

  restartAnswered(trouble: string | null): void {
    for (const { resolve, reject } of this.#restarts.splice(0)) {
      if (trouble === null) resolve();
      else {
        reject(
          new TcError(`Cannot restart: ${trouble}`, {
            code: "not_restarted",
            source: "user",
            exitCode: EXIT.unavailable,
            hint: "The running server goes on; nothing was lost.",
          }),
        );
      }
    }
  }

  watch(signal: AbortSignal): ReadableStream<Uint8Array> {
    return this.#watched.stream(signal);
  }

  /** Returns another object once anything changed; open requests always do. */
  #mark(): unknown {
    const { keeper, proxy } = this.#parts;
    return proxy.book.open().length > 0 ? {} : keeper.state;
  }

  events(signal: AbortSignal): ReadableStream<Uint8Array> {
    return this.#parts.feed.stream(signal);
  }

  #serverView(): StatusView["server"] {
    const { order, keeper, accounts } = this.#parts;
    const { settings, pin } = keeper.state;
    const { text, fallback } = accounts.describeVault();
    return {
      version: order.version,
      pid: order.pid,
      host: this.#listener?.host ?? "",
      port: this.#listener?.port ?? 0,
      startedAt: timeView(this.#startedAt),
      policy: settings.policy,
      pin: pin === null
        ? null
        : keeper.state.accounts.get(pin)?.account.label ?? null,
      state: this.#isDraining ? "draining" : "serving",
      vault: fallback === null ? text : `${text} (${fallback})`,
      newer: order.newer,
    };
  }

  #notices(): readonly NoticeView[] {
    const { accounts, records, exchange, keeper } = this.#parts;
    return [
      ...vaultNotices(accounts),
      ...exchange?.notices() ?? [],
      ...records.notices(),
      ...logNotices(this.#logLoss),
      ...routeNotices(keeper.state),
    ];
  }

  #accountId(wanted: string): AccountId {
    for (const { account } of this.#parts.keeper.state.accounts.values()) {
      if (account.label === wanted || account.id === wanted) return account.id;
    }
    throw new TcError(`Cannot find the account ${wanted}`, {
      code: "no_such_account",
      source: "user",
      hint: "tc accounts   lists them",
    });
  }
}

function inUse(label: string, leases: number): TcError {
  const requests = leases === 1 ? "1 request runs" : `${leases} requests run`;
  return new TcError(`Cannot remove ${label}: ${requests} on it`, {
    code: "account_in_use",
    source: "user",
    exitCode: EXIT.tryLater,
    hint: `tc disable ${commandWord(label)}   takes it out first\n` +
      `tc remove ${commandWord(label)} --force   does not wait`,
  });
}

function isPolicyName(name: string): name is PolicyName {
  return (POLICY_NAMES as readonly string[]).includes(name);
}
