/**
 * Logins under torture: four kinds of tc processes and three clients on three
 * logins of one Claude Code, with slow renewals, kill -9, clocks that jump and
 * files that are mounted by themselves, writable and not.
 */

import "../fixtures/clean_environment.ts";
import { join } from "node:path";
import type { DemoAccount } from "../../src/demo/provider/account.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { Dice } from "../../src/demo/dice.ts";
import { RefreshToken, type VaultEntry } from "../../src/ports.ts";
import { LineChild } from "../fixtures/line_child.ts";
import { canMount, mount, unmount } from "../fixtures/mounts.ts";
import { FaketimeProcess, hasFaketime } from "../fixtures/faketime_process.ts";
import { loginText } from "../fixtures/swap_kit.ts";
import { entryOf, TcPool } from "../fixtures/tc_process.ts";
import { accountData } from "../../src/demo/demo_setup.ts";

const NAMES = ["ada", "bob", "eve"] as const;
const CLIENTS = 3;
/** An answer that came so shortly before a kill may not have been stored. */
const IN_FLIGHT_MS = 500;
/** A token that is refused right after it was made is left alone so long. */
const FLOOR_MS = 10_500;
const OFFSETS = ["+0", "+1h", "-1h", "+9h", "-2d", "+0"];

export interface TortureOptions {
  readonly rounds: number;
  readonly seed: number;
  /** Bounds of how long the provider takes to renew. */
  readonly renewalMs: readonly [number, number];
  readonly onRound?: (line: string) => void;
}

export interface TortureResult {
  readonly rounds: number;
  readonly rotations: number;
  readonly kills: number;
  readonly turns: Readonly<Record<string, number>>;
  readonly served: number;
  readonly refused: number;
  readonly mounts: number;
  readonly clockJumps: number;
  /** Families whose newest token was on its way to a process that was killed. */
  readonly inFlight: number;
  /** Refresh tokens that were spent twice, beside those. */
  readonly spentTwice: number;
  /** Families that died, beside those. */
  readonly familiesLost: number;
  /** Logins that serve no more though their family lives. */
  readonly loginsLost: number;
}

/** Runs the rounds; what it returns is for the caller to judge. */
export async function tortureLogins(
  options: TortureOptions,
): Promise<TortureResult> {
  await using api = await startScriptedApi({ usagePerMinute: null });
  for (const name of NAMES) api.account(name, { tier: "max_5x" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await using clock = new FaketimeProcess();
  const world = new World({ api, pool, clock, options });
  try {
    return await world.run();
  } finally {
    await world.end();
  }
}

interface WorldParts {
  readonly api: ScriptedApi;
  readonly pool: TcPool;
  readonly clock: FaketimeProcess;
  readonly options: TortureOptions;
}

/** One tc process of a round. */
interface Running {
  readonly child: Deno.ChildProcess;
  readonly done: Promise<unknown>;
}

class World {
  readonly #parts: WorldParts;
  readonly #dice: Dice;
  readonly #folder: string;
  readonly #file: string;
  readonly #clients: LineChild[] = [];
  #server: Deno.ChildProcess | null = null;
  readonly #killedAt: number[] = [];
  /** What happened in the round, for the log of one that lost something. */
  #events: string[] = [];
  #roundAt = 0;
  #offset = "+0";
  readonly #turns: Record<string, number> = {};
  #served = 0;
  #refused = 0;
  #kills = 0;
  #mounts = 0;
  #clockJumps = 0;
  #inFlight = 0;
  #spentTwice = 0;
  #familiesLost = 0;
  #loginsLost = 0;

  constructor(parts: WorldParts) {
    this.#parts = parts;
    this.#dice = new Dice(parts.options.seed);
    this.#folder = parts.pool.folder.join(".claude");
    this.#file = join(this.#folder, ".credentials.json");
  }

  async run(): Promise<TortureResult> {
    const { pool, options, api } = this.#parts;
    await Deno.mkdir(this.#folder);
    for (let index = 0; index < CLIENTS; index++) {
      const client = new LineChild(
        "faithful_client.ts",
        [this.#folder, api.url],
        this.#clockVariables,
      );
      await client.read();
      this.#clients.push(client);
    }
    await this.#tcEnds(["swap", "use", NAMES[0]]);
    for (let round = 1; round <= options.rounds; round++) {
      await this.#round(round);
    }
    await this.#judgeLogins();
    await pool.tc(["stop"]);
    return this.#result();
  }

  async end(): Promise<void> {
    for (const client of this.#clients) await client[Symbol.asyncDispose]();
    this.#kill(this.#server);
    await this.#server?.status;
  }

  #result(): TortureResult {
    return {
      rounds: this.#parts.options.rounds,
      rotations: this.#parts.api.families().rotations,
      kills: this.#kills,
      turns: this.#turns,
      served: this.#served,
      refused: this.#refused,
      mounts: this.#mounts,
      clockJumps: this.#clockJumps,
      inFlight: this.#inFlight,
      spentTwice: this.#spentTwice,
      familiesLost: this.#familiesLost,
      loginsLost: this.#loginsLost,
    };
  }

  async #round(round: number): Promise<void> {
    const { api, options, clock } = this.#parts;
    const dice = this.#dice;
    const [low, high] = options.renewalMs;
    api.set({ renewalMs: Math.round(low + dice.random() * (high - low)) });
    if (hasFaketime() && dice.random() < 0.3) {
      this.#clockJumps += 1;
      const offset = OFFSETS[Math.floor(dice.random() * OFFSETS.length)] ??
        "+0";
      clock.set(offset);
      this.#offset = offset;
    }
    await this.#serve();
    const mounted = this.#mounted();
    const before = api.families();
    this.#killedAt.length = 0;
    this.#events = [];
    this.#roundAt = Date.now();
    try {
      for (const name of NAMES) {
        if (dice.random() < 0.8) api.account(name).expire();
      }
      if (dice.random() < 0.4) await this.#endInFile();
      await this.#together(mounted);
    } finally {
      if (mounted !== "no") unmount(this.#file);
    }
    await api.idle();
    // A slow request of a process that was killed is on its way for a moment.
    await new Promise((wake) => setTimeout(wake, 20));
    await this.#judge(before);
    const { reuses, killed } = api.families();
    options.onRound?.(
      `round ${round}: file ${mounted}, clock ${this.#offset}, ` +
        `${reuses} reuses, ${killed} families dead, ${this.#inFlight} in flight`,
    );
  }

  /** Everything at the same time, each after a moment of its own. */
  async #together(mounted: "no" | "writable" | "read-only"): Promise<void> {
    const dice = this.#dice;
    const later = <Result>(work: () => Promise<Result>): Promise<Result> => {
      const ms = dice.random() * 600;
      return new Promise((wake) => setTimeout(wake, ms)).then(work);
    };
    const name = NAMES[Math.floor(dice.random() * NAMES.length)] ?? "ada";
    const commands = [
      ["swap", "auto"],
      ["hook", "stop-failure"],
      dice.random() < 0.5 ? ["swap", "use", name] : ["swap", "list"],
    ];
    await Promise.all([
      // A client that cannot write its file loses its own login by itself.
      ...mounted === "read-only"
        ? []
        : this.#clients.map((client) => later(() => this.#turn(client))),
      ...commands.map((args) => later(() => this.#tcMayDie(args))),
      later(() => this.#ask()),
      later(() => this.#ask()),
      ...dice.random() < 0.2 ? [later(() => this.#killServer())] : [],
    ]);
  }

  async #turn(client: LineChild): Promise<void> {
    this.#note("a client's turn begins");
    await client.write("go");
    const end = await client.read() ?? "ended";
    this.#note(`a client's turn ends: ${end}`);
    this.#turns[end] = (this.#turns[end] ?? 0) + 1;
  }

  async #ask(): Promise<void> {
    const { pool } = this.#parts;
    try {
      const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          "anthropic-version": "2023-06-01",
        },
        body: JSON.stringify({
          model: "claude-sonnet-5-5",
          max_tokens: 10,
          messages: [{ role: "user", content: "demo:say one" }],
        }),
        signal: AbortSignal.timeout(30_000),
      });
      const text = await answer.text();
      this.#note(`the pool answers ${answer.status} ${text.slice(0, 120)}`);
      if (answer.status === 200) this.#served += 1;
      else this.#refused += 1;
    } catch (cause) {
      // The server was killed.
      this.#note(`the pool does not answer: ${cause}`);
      this.#refused += 1;
    }
  }

  #start(args: readonly string[]): Running {
    const { pool } = this.#parts;
    const child = pool.command(args, {
      stdin: "piped",
      stdout: "null",
      stderr: "null",
      env: this.#clockVariables,
    }).spawn();
    const writer = child.stdin.getWriter();
    const input = args[0] === "hook"
      ? `{"hook_event_name":"StopFailure","error":"rate_limit"}`
      : "";
    const fed = writer.write(new TextEncoder().encode(input))
      .then(() => writer.close()).catch(() => {});
    return { child, done: Promise.all([child.status, fed]) };
  }

  /** The clock of the machine: whoever has a process on it goes by it. */
  get #clockVariables(): Record<string, string> {
    return hasFaketime() ? { ...this.#parts.clock.variables } : {};
  }

  async #tcEnds(args: readonly string[]): Promise<void> {
    await this.#start(args).done;
  }

  async #tcMayDie(args: readonly string[]): Promise<void> {
    const { child, done } = this.#start(args);
    this.#note(`tc ${args.join(" ")} is ${child.pid}`);
    done.then(() => this.#note(`${child.pid} has ended`));
    const isDoomed = this.#dice.random() < 0.25;
    const ms = this.#dice.random() * 1_500;
    if (isDoomed) {
      const timer = setTimeout(() => this.#killNow(child), ms);
      await done;
      clearTimeout(timer);
    } else await done;
  }

  async #killServer(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    this.#killNow(server);
    await server.status;
  }

  #note(words: string): void {
    this.#events.push(`${Date.now() - this.#roundAt} ${words}`);
  }

  /** The renewals of the round between what else happened, in order of time. */
  #timeline(): readonly string[] {
    const renewals = this.#parts.api.requests("/v1/oauth/token")
      .filter(({ startedAt }) => startedAt >= this.#roundAt)
      .map(({ startedAt, endedAt, account, status, headers, token }) => {
        const agent = headers.find(([name]) => name === "user-agent")?.[1];
        return `${startedAt - this.#roundAt} renewal of ${account} ` +
          `${endOf(token)} by ${agent}: ` +
          `${status} at ${Number(endedAt ?? 0) - this.#roundAt}`;
      });
    return [...renewals, ...this.#events].toSorted((a, b) =>
      parseInt(a) - parseInt(b)
    );
  }

  #killNow(child: Deno.ChildProcess): void {
    if (!this.#kill(child)) return;
    this.#note(`kill -9 of ${child.pid}`);
    this.#kills += 1;
    this.#killedAt.push(Date.now());
  }

  #kill(child: Deno.ChildProcess | null): boolean {
    try {
      child?.kill("SIGKILL");
      return child !== null;
    } catch {
      // It has ended by itself.
      return false;
    }
  }

  async #serve(): Promise<void> {
    if (this.#server !== null) return;
    const { pool } = this.#parts;
    this.#server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
      env: this.#clockVariables,
    }).spawn();
    for (let tries = 0; tries < 600; tries++) {
      const answer = await fetch(`http://127.0.0.1:${pool.port}/healthz`)
        .catch(() => null);
      await answer?.body?.cancel();
      if (answer !== null) return;
      await new Promise((wake) => setTimeout(wake, 50));
    }
    throw new Error("The server does not start");
  }

  /** Mounts the login's file by itself, for the length of a round. */
  #mounted(): "no" | "writable" | "read-only" {
    const chance = this.#dice.random();
    if (!canMount() || chance > 0.25 || !isThere(this.#file)) return "no";
    this.#mounts += 1;
    mount("--bind", this.#file, this.#file);
    if (chance > 0.1) return "writable";
    mount("-o", "remount,ro,bind", this.#file);
    return "read-only";
  }

  /** The file's own note says that the access token is over. */
  async #endInFile(): Promise<void> {
    const text = await Deno.readTextFile(this.#file).catch(() => "{}");
    const document = JSON.parse(text);
    if (!document.claudeAiOauth?.accessToken) return;
    document.claudeAiOauth.expiresAt = 1;
    await Deno.writeTextFile(this.#file, JSON.stringify(document))
      .catch(() => {});
  }

  /** What each account's newest token came to, after all is quiet. */
  async #judge(before: { readonly reuses: number }): Promise<void> {
    const { api } = this.#parts;
    const reuses = api.families().reuses - before.reuses;
    const held = await this.#heldTokens();
    let excused = 0;
    for (const name of NAMES) {
      const account = api.account(name);
      const isHeld = held.some((token) => api.isCurrentToken(token, name));
      if (isHeld) continue;
      if (this.#diedInFlight(account)) {
        excused += 1;
        this.#inFlight += 1;
      } else this.#familiesLost += 1;
      const tail = `${name} is lost; held ${held.map(endOf)}; ` +
        await this.#vaultText();
      this.#parts.options.onRound?.([...this.#timeline(), tail].join("\n  "));
      await this.#logIn(account);
    }
    this.#spentTwice += Math.max(0, reuses - excused);
  }

  async #heldTokens(): Promise<readonly string[]> {
    const vault = await this.#parts.pool.vault();
    const { entries } = await vault.list();
    const text = await Deno.readTextFile(this.#file).catch(() => "{}");
    const login = JSON.parse(text || "{}").claudeAiOauth;
    return [...entries.flatMap(tokenOf), String(login?.refreshToken ?? "")];
  }

  /** What the vault says of each account, for the log. */
  async #vaultText(): Promise<string> {
    const { entries } = await (await this.#parts.pool.vault()).list();
    return entries.map((entry) =>
      `${entry.label} ${tokenOf(entry).map(endOf)} ` +
      `${entry.sharedWith === null ? "its own" : "shared"} ` +
      `after ${entry.ancestors.length}`
    ).join(", ");
  }

  /** Whether the provider answered a renewal of tc's just before tc was killed. */
  #diedInFlight({ name }: DemoAccount): boolean {
    const answers = this.#parts.api.requests("/v1/oauth/token")
      .filter(({ account, status, headers, startedAt }) =>
        account === name && status === 200 && startedAt >= this.#roundAt &&
        headers.some(([key, value]) =>
          key === "user-agent" && value.startsWith("tc/")
        )
      );
    return answers.some(({ endedAt }) =>
      this.#killedAt.some((at) =>
        Math.abs(at - Number(endedAt ?? 0)) < IN_FLIGHT_MS
      )
    );
  }

  /** As a person does with `tc login` and, for the client's, `/login`. */
  async #logIn(account: DemoAccount): Promise<void> {
    account.revoke();
    account.login();
    const vault = await this.#parts.pool.vault();
    await vault.put(await entryOf(accountData(account)));
    await this.#parts.pool.tc(["reload"]);
    await Deno.writeTextFile(this.#file, loginText(account)).catch(() => {});
    await this.#tcEnds(["swap", "use", account.name]);
  }

  /** In the end every login serves, in the pool and in the client. */
  async #judgeLogins(): Promise<void> {
    const { api, clock } = this.#parts;
    clock.set("+0");
    api.set({ renewalMs: 0 });
    await this.#serve();
    // What was renewed a moment ago is not renewed again so soon.
    await new Promise((wake) => setTimeout(wake, FLOOR_MS));
    for (const name of NAMES) api.account(name).expire();
    for (const name of NAMES) {
      const use = await this.#parts.pool.tc(["swap", "use", name]);
      const [client] = this.#clients;
      await client?.write("go");
      const turn = await client?.read();
      if (use.code !== 0 || turn !== "ok") {
        this.#loginsLost += 1;
        this.#parts.options.onRound?.(`${name}: ${use.stderr} ${turn}`);
      }
    }
  }
}

/** Enough of a token to know it again in a log of fakes. */
function endOf(token: string | null): string {
  return (token ?? "").slice(-6);
}

function tokenOf({ credential }: VaultEntry): readonly string[] {
  return credential.kind === "oauth"
    ? [RefreshToken.toStore(credential.refreshToken)]
    : [];
}

function isThere(file: string): boolean {
  try {
    return Deno.statSync(file).isFile;
  } catch {
    return false;
  }
}

/** Returns the result as one line for a report. */
export function tortureText(result: TortureResult): string {
  const turns = Object.entries(result.turns)
    .map(([end, count]) => `${count} ${end}`).join(", ");
  return `${result.rounds} rounds: ${result.rotations} renewals, ` +
    `${result.kills} kill -9, ${result.mounts} mounts, ` +
    `${result.clockJumps} clock jumps; turns ${turns}; pool ` +
    `${result.served} served, ${result.refused} not; answers lost in flight ` +
    `to a kill ${result.inFlight}; families lost ${result.familiesLost}, ` +
    `logins lost ${result.loginsLost}, tokens spent twice ${result.spentTwice}`;
}
