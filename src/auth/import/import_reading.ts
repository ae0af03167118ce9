/**
 * What was found in another tool's store: accounts to take over, and what was
 * left alone and why.
 *
 * @module
 */

import type { Tier } from "../../core/account.ts";
import type { AccountIdentity, Credential, SharedFamily } from "../../ports.ts";

/** What a tool's own row says besides the credential. */
export interface ImportedSettings {
  readonly priority: number | null;
  readonly enabled: boolean;
  readonly capUtilization: number | null;
  /** Origin of a backend, or null. */
  readonly upstream: string | null;
  readonly modelMap: Readonly<Record<string, string>> | null;
}

/** One account that can be taken over. */
export interface ImportCandidate {
  /** What the tool calls it, or null. */
  readonly name: string | null;
  readonly email: string | null;
  /** As the tool noted it: a hint, never believed over the provider. */
  readonly identity: AccountIdentity | null;
  readonly tier: Tier;
  readonly credential: Credential;
  /** Null for keys: they are not spent by their use. */
  readonly sharedWith: SharedFamily | null;
  readonly settings: ImportedSettings;
}

export interface ImportReading {
  readonly tool: SharedFamily["tool"];
  readonly location: string;
  readonly candidates: readonly ImportCandidate[];
  readonly skipped: readonly {
    readonly name: string;
    readonly reason: string;
  }[];
  /** Rows whose login stands in another file. */
  readonly elsewhere: readonly {
    readonly name: string | null;
    readonly path: string;
    readonly settings: ImportedSettings;
  }[];
}
