/**
 * Entry of the demo's worker: the fake API and the simulated sessions. It uses
 * loopback and no files, because the main thread has no network.
 *
 * @module
 */

import { RefreshToken } from "../../ports.ts";
import { type DemoApi, startDemoApi } from "../provider/api.ts";
import {
  askOnce,
  type DemoAccountData,
  type DemoSetup,
  demoSetup,
} from "../demo_setup.ts";
import { DEFAULT_SCENARIO, scenarioNamed } from "../scenario.ts";
import { simulateSessions, type Traffic } from "../traffic/traffic.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import type { DemoAccountOrder, FromDemo, ToDemo } from "./demo_protocol.ts";
import { reasonOf } from "../../errors.ts";
import { catchUncaught } from "../../system/uncaught_errors.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent<ToDemo>) => void) | null;
  postMessage(message: FromDemo): void;
}

class DemoWorker {
  readonly #scope: WorkerScope;
  readonly #stop = new AbortController();
  #api: DemoApi | null = null;
  #setup: DemoSetup | null = null;
  #traffic: Traffic | null = null;

  constructor(scope: WorkerScope) {
    this.#scope = scope;
  }

  async receive(message: ToDemo): Promise<void> {
    switch (message.kind) {
      case "start":
        return await this.#start(message);
      case "spend":
        this.#api?.account(message.account).windows({ "5h": 1 });
        return;
      case "traffic":
        return this.#drive(message.baseUrl);
      case "ask":
        return await this.#ask(message.baseUrl, message.text);
      case "stop":
        return await this.#end();
    }
  }

  async #start(order: ToDemo & { readonly kind: "start" }): Promise<void> {
    const scenario = scenarioNamed(order.scenario) ??
      scenarioNamed(DEFAULT_SCENARIO);
    if (scenario === null) throw new RangeError("Cannot find the scenario");
    const api = await startDemoApi({ seed: order.seed });
    this.#api = api;
    this.#setup = demoSetup(api, scenario, order.seed);
    this.#scope.postMessage({
      kind: "ready",
      endpoints: api.endpoints,
      accounts: this.#setup.accounts.map(accountOrder),
      fleet: this.#setup.fleet,
    });
  }

  #drive(baseUrl: string): void {
    if (this.#setup === null) return;
    this.#traffic = simulateSessions({
      ...this.#setup.traffic,
      baseUrl,
      clock: systemClock,
    });
  }

  async #ask(baseUrl: string, text: string): Promise<void> {
    const answer = await askOnce({
      baseUrl,
      headers: [],
      text,
      entropy: systemEntropy,
      signal: this.#stop.signal,
      onText: (piece) => this.#scope.postMessage({ kind: "text", text: piece }),
    });
    this.#scope.postMessage({
      kind: "answered",
      status: answer.status,
      ending: answer.ending,
      message: answer.errorMessage,
    });
  }

  async #end(): Promise<void> {
    this.#stop.abort();
    await this.#traffic?.stop();
    await this.#api?.[Symbol.asyncDispose]();
    this.#scope.postMessage({ kind: "stopped" });
  }
}

function accountOrder(account: DemoAccountData): DemoAccountOrder {
  const { label, kind, tier, identity } = account;
  return {
    label,
    kind,
    tier,
    identity: {
      accountUuid: identity.accountUuid,
      organizationUuid: identity.organizationUuid,
    },
    email: identity.email,
    credential: revealed(account.credential),
  };
}

function revealed(
  credential: DemoAccountData["credential"],
): DemoAccountOrder["credential"] {
  switch (credential.kind) {
    case "api_key":
      return { kind: "api_key", token: credential.key.reveal() };
    case "setup_token":
      return { kind: "setup_token", token: credential.accessToken.reveal() };
    case "oauth":
      return {
        ...credential,
        accessToken: credential.accessToken.reveal(),
        refreshToken: RefreshToken.toStore(credential.refreshToken),
      };
  }
}

/** What the runtime says when a connection is cut in the middle of a body. */
const CUT =
  /reading a body from connection|connection (closed|reset|was closed)/;

const scope = self as unknown as WorkerScope;
// The runtime's HTTP client rejects a promise of its own, which nobody can
// await, when the server ends while an answer streams to a simulated session.
catchUncaught(self, (fault) => {
  if (!CUT.test(fault)) scope.postMessage({ kind: "failed", message: fault });
});
const worker = new DemoWorker(scope);
scope.onmessage = (event): void => {
  worker.receive(event.data).catch((cause) => {
    const message = reasonOf(cause);
    scope.postMessage({ kind: "failed", message });
  });
};
