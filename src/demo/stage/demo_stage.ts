/**
 * The demo as the main thread sees it: a fake provider in a worker, and a pool
 * of its accounts in a temporary folder.
 *
 * @module
 */

import { join } from "node:path";
import { idOfIdentity, idOfSecret } from "../../auth/sign_in/account_id.ts";
import { instantFromMs } from "../../core/time.ts";
import type { DemoEndpoints } from "../provider/api.ts";
import { type FleetAgent, writeFleetFiles } from "../fleet.ts";
import type { ScenarioName } from "../scenario.ts";
import { TcError } from "../../errors.ts";
import {
  type Credential,
  RefreshToken,
  Secret,
  type Vault,
  type VaultEntry,
} from "../../ports.ts";
import { systemClock } from "../../system/clock.ts";
import { DemoFolder } from "./demo_folder.ts";
import type { DemoAccountOrder, FromDemo, ToDemo } from "./demo_protocol.ts";

/** How long the provider may take to stop before it is ended. */
const STOP_MS = 2_000;

/**
 * How often the fleet's files are renewed: tool marks count for two minutes.
 */
const FLEET_MS = 60_000;

interface DemoStageOptions {
  readonly scenario: ScenarioName;
  readonly seed: string;
}

interface DemoAnswer {
  readonly status: number | null;
  readonly ending: string;
  readonly message: string | null;
}

/** A running fake provider with its temporary folder. */
export class DemoStage implements AsyncDisposable {
  readonly #folder: DemoFolder;
  readonly endpoints: DemoEndpoints;
  readonly #accounts: readonly DemoAccountOrder[];
  readonly #fleet: readonly FleetAgent[];
  readonly #link: DemoLink;

  private constructor(
    folder: DemoFolder,
    link: DemoLink,
    ready: FromDemo & { readonly kind: "ready" },
  ) {
    this.#folder = folder;
    this.#link = link;
    this.endpoints = ready.endpoints;
    this.#accounts = ready.accounts;
    this.#fleet = ready.fleet;
  }

  /**
   * Opens the stage. It must be opened before a server gives up this thread's
   * network.
   */
  static async open(options: DemoStageOptions): Promise<DemoStage> {
    const link = new DemoLink();
    const answer = link.next("ready");
    link.post({ kind: "start", ...options });
    const ready = await answer;
    return new DemoStage(DemoFolder.make(), link, ready);
  }

  get folder(): string {
    return this.#folder.path;
  }

  /** Settings of a pool whose provider is this stage, by dotted key. */
  get settings(): Readonly<Record<string, unknown>> {
    const { api, authorize, token, manualRedirect } = this.endpoints;
    return {
      upstream: api,
      "oauth.authorizeUrl": authorize,
      "oauth.tokenUrl": token,
      "oauth.manualRedirectUrl": manualRedirect,
      "vault.backend": "file",
    };
  }

  /** Variables that place tc's files in the stage's folder. */
  get variables(): Readonly<Record<string, string>> {
    return {
      TC_CONFIG: join(this.folder, "config.json"),
      XDG_STATE_HOME: join(this.folder, "state"),
      LOCALAPPDATA: join(this.folder, "state"),
    };
  }

  /** The folder of the simulated agents' files, laid out like `~/.claude`. */
  get claudeFolder(): string {
    return join(this.folder, "claude");
  }

  /** Keeps the agents' files as fresh as real ones until `signal` aborts. */
  async keepFleet(signal: AbortSignal): Promise<void> {
    if (this.#fleet.length === 0) return;
    while (!signal.aborted) {
      await writeFleetFiles(this.claudeFolder, this.#fleet, systemClock.now());
      await systemClock.sleep(FLEET_MS, signal).catch(() => {});
    }
  }

  /** Puts the accounts into `vault`, as a login would. */
  async fill(vault: Vault): Promise<void> {
    for (const account of this.#accounts) {
      await vault.put(await vaultEntry(account));
    }
  }

  /** Leaves `account` nothing in its 5-hour window, without telling tc. */
  spend(account: string): void {
    this.#link.post({ kind: "spend", account });
  }

  /** Starts the simulated sessions. */
  drive(baseUrl: string): void {
    this.#link.post({ kind: "traffic", baseUrl });
  }

  /** Sends one question and passes its text to `onText` as it arrives. */
  async ask(
    baseUrl: string,
    text: string,
    onText: (piece: string) => void,
  ): Promise<DemoAnswer> {
    const answer = this.#link.next("answered");
    this.#link.onText = onText;
    this.#link.post({ kind: "ask", baseUrl, text });
    return await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _folder = this.#folder;
    await this.#link.stop();
  }
}

class DemoLink {
  readonly #worker: Worker;
  readonly #waiting = new Map<
    FromDemo["kind"],
    PromiseWithResolvers<FromDemo>
  >();
  onText: (piece: string) => void = () => {};

  constructor() {
    this.#worker = new Worker(new URL("./demo_worker.ts", import.meta.url), {
      type: "module",
      name: "tc-demo",
      deno: {
        permissions: {
          net: ["127.0.0.1"],
          read: false,
          write: false,
          env: false,
          run: false,
          sys: false,
          ffi: false,
          import: false,
        },
      },
    });
    this.#worker.onmessage = (event: MessageEvent<FromDemo>) =>
      this.#receive(event.data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(event.message);
    };
  }

  post(message: ToDemo): void {
    this.#worker.postMessage(message);
  }

  /** Returns the next message of `kind`; rejects if the worker fails first. */
  next<Kind extends FromDemo["kind"]>(
    kind: Kind,
  ): Promise<FromDemo & { readonly kind: Kind }> {
    const waiting = Promise.withResolvers<FromDemo>();
    this.#waiting.set(kind, waiting);
    return waiting.promise as Promise<FromDemo & { readonly kind: Kind }>;
  }

  async stop(): Promise<void> {
    // The worker ends in any case, so a failure here changes nothing.
    const stopped = this.next("stopped").catch(() => {});
    this.post({ kind: "stop" });
    await Promise.race([stopped, systemClock.sleep(STOP_MS)]);
    this.#worker.terminate();
  }

  #receive(message: FromDemo): void {
    if (message.kind === "text") return this.onText(message.text);
    if (message.kind === "failed") return this.#fail(message.message);
    this.#waiting.get(message.kind)?.resolve(message);
    this.#waiting.delete(message.kind);
  }

  #fail(reason: string): void {
    const error = new TcError(`Cannot run the demo: ${reason}`, {
      code: "demo_failed",
    });
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

async function vaultEntry(account: DemoAccountOrder): Promise<VaultEntry> {
  const { label, kind, tier, email } = account;
  const credential = credentialOf(account.credential);
  const isKnown = credential.kind === "oauth";
  return {
    id: credential.kind === "oauth"
      ? await idOfIdentity(account.identity)
      : await idOfSecret(credential.token),
    label,
    kind,
    tier,
    identity: isKnown ? account.identity : null,
    email: isKnown ? email : null,
    organization: null,
    credential,
    savedAt: systemClock.now(),
    sharedWith: null,
    ancestors: [],
    refusedTokenHash: null,
  };
}

function credentialOf(order: DemoAccountOrder["credential"]): Credential {
  switch (order.kind) {
    case "oauth":
      return {
        kind: "oauth",
        accessToken: new Secret(order.accessToken),
        refreshToken: new RefreshToken(order.refreshToken),
        expiresAt: instantFromMs(order.expiresAt),
        scopes: order.scopes,
        signInEndsAt: instantFromMs(order.signInEndsAt),
      };
    case "setup_token":
      return {
        kind: "setup_token",
        token: new Secret(order.token),
        expiresAt: null,
      };
    case "api_key":
      return { kind: "api_key", token: new Secret(order.token) };
  }
}
