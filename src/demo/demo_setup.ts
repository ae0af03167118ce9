/**
 * What `tc demo` needs besides the fake API: three accounts with credentials, a
 * scenario, and its traffic.
 *
 * @module
 */

import type { AccountKind, Tier } from "../core/account.ts";
import type { Instant } from "../core/time.ts";
import {
  type Entropy,
  type HeaderList,
  RefreshToken,
  Secret,
} from "../ports.ts";
import type { DemoAccount } from "./provider/account.ts";
import type { DemoApi } from "./provider/api.ts";
import { Dice } from "./dice.ts";
import { demoFleet, type FleetAgent } from "./fleet.ts";
import type { DemoIdentity } from "./identity.ts";
import type { Scenario } from "./scenario.ts";
import type { TrafficOptions } from "./traffic/traffic.ts";
import { bodyText, prefixOf } from "./traffic/traffic_body.ts";
import { type ClientAnswer, TrafficClient } from "./traffic/traffic_client.ts";

export type DemoCredential =
  | {
    readonly kind: "oauth";
    readonly accessToken: Secret;
    readonly refreshToken: RefreshToken;
    readonly expiresAt: Instant;
    readonly scopes: readonly string[];
    readonly signInEndsAt: Instant;
  }
  | { readonly kind: "setup_token"; readonly accessToken: Secret }
  | { readonly kind: "api_key"; readonly key: Secret };

/** An account as a login or an import would have stored it. */
export interface DemoAccountData {
  readonly label: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  readonly identity: DemoIdentity;
  readonly credential: DemoCredential;
}

export interface DemoSetup {
  readonly scenario: Scenario;
  readonly accounts: readonly DemoAccountData[];
  /** Empty if the scenario has no tree; for `writeFleetFiles()`. */
  readonly fleet: readonly FleetAgent[];
  /** For `simulateSessions()`, which also needs a base URL and a clock. */
  readonly traffic: Omit<TrafficOptions, "baseUrl" | "clock">;
}

const TOKENS_PER_SECOND = 60;

/**
 * Puts the three accounts of `scenario` into `api`, and returns what to run.
 */
export function demoSetup(
  api: DemoApi,
  scenario: Scenario,
  seed: string | number,
): DemoSetup {
  api.account("work", { tier: "max_20x", email: "ada@work.example" });
  api.account("home", { tier: "max_5x", email: "ada@home.example" });
  api.account("spare", { tier: "pro", email: "ada@spare.example" });
  api.set({ tokensPerSecond: TOKENS_PER_SECOND });
  scenario.prepare(api);
  const dice = new Dice(`${seed}/setup`);
  const fleet = scenario.hasFleet ? demoFleet(dice) : [];
  return {
    scenario,
    accounts: api.accounts().map(accountData),
    fleet,
    traffic: {
      seed,
      pace: scenario.pace,
      sessions: scenario.sessions,
      sessionIds: fleet.map((agent) => agent.sessionId),
    },
  };
}

/** Returns `account` as tc would keep it after a login. */
export function accountData(account: DemoAccount): DemoAccountData {
  return {
    label: account.name,
    kind: account.kind,
    tier: account.tier,
    identity: account.identity,
    credential: credentialOf(account),
  };
}

function credentialOf(account: DemoAccount): DemoCredential {
  switch (account.kind) {
    case "api_key":
      return { kind: "api_key", key: new Secret(account.apiKey) };
    case "setup_token":
      return { kind: "setup_token", accessToken: new Secret(account.token()) };
    case "subscription": {
      const tokens = account.tokens();
      return {
        kind: "oauth",
        accessToken: new Secret(tokens.accessToken),
        refreshToken: new RefreshToken(tokens.refreshToken),
        expiresAt: tokens.expiresAt,
        scopes: tokens.scopes,
        signInEndsAt: tokens.signInEndsAt,
      };
    }
  }
}

interface Question {
  /** Where tc listens, with its path if there is one. */
  readonly baseUrl: string;
  readonly headers: HeaderList;
  readonly text: string;
  readonly entropy: Entropy;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

const MODEL = "claude-sonnet-5-5";
const PREFIX_TOKENS = 1_500;

/** Sends one streamed question without retries; the session id is a new one. */
export async function askOnce(question: Question): Promise<ClientAnswer> {
  const { baseUrl, entropy, onText, signal, text } = question;
  const session = entropy.uuid();
  using client = new TrafficClient(baseUrl);
  return await client.send({
    body: bodyText({
      model: MODEL,
      prefix: prefixOf("subagent", PREFIX_TOKENS, "5m"),
      messages: [{ role: "user", content: [{ type: "text", text }] }],
      ttl: "5m",
      session,
      device: "",
    }),
    headers: [
      ["accept", "application/json"],
      ["content-type", "application/json"],
      ["user-agent", "tc-demo/1"],
      ["x-claude-code-session-id", session],
      ["anthropic-version", "2023-06-01"],
      ...question.headers,
    ],
    signal,
    leaveAfter: null,
    onText,
  });
}
