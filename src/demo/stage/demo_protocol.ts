/**
 * The messages between the main thread and the demo's worker.
 *
 * @module
 */

import type { AccountKind, Tier } from "../../core/account.ts";
import type { DemoEndpoints } from "../provider/api.ts";
import type { FleetAgent } from "../fleet.ts";
import type { ScenarioName } from "../scenario.ts";
import type { AccountIdentity } from "../../ports.ts";

/** An account that does not exist; its tokens work only in the demo. */
export interface DemoAccountOrder {
  readonly label: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  readonly identity: AccountIdentity;
  readonly email: string;
  readonly credential:
    | {
      readonly kind: "oauth";
      readonly accessToken: string;
      readonly refreshToken: string;
      readonly expiresAt: number;
      readonly scopes: readonly string[];
      readonly signInEndsAt: number;
    }
    | { readonly kind: "setup_token"; readonly token: string }
    | { readonly kind: "api_key"; readonly token: string };
}

export type ToDemo =
  | {
    readonly kind: "start";
    readonly scenario: ScenarioName;
    readonly seed: string;
  }
  /** The account has nothing left in its 5-hour window. */
  | { readonly kind: "spend"; readonly account: string }
  | { readonly kind: "traffic"; readonly baseUrl: string }
  | { readonly kind: "ask"; readonly baseUrl: string; readonly text: string }
  | { readonly kind: "stop" };

export type FromDemo =
  | {
    readonly kind: "ready";
    readonly endpoints: DemoEndpoints;
    readonly accounts: readonly DemoAccountOrder[];
    readonly fleet: readonly FleetAgent[];
  }
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "answered";
    readonly status: number | null;
    readonly ending: string;
    readonly message: string | null;
  }
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly message: string };
