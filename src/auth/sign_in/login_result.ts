/**
 * The ways in which a sign-in can end.
 *
 * @module
 */

import { EXIT } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";

export type LoginResult =
  | {
    readonly kind: "added" | "updated";
    readonly entry: VaultEntry;
  }
  | { readonly kind: "cancelled" }
  | { readonly kind: "timeout" }
  | { readonly kind: "denied"; readonly reason: string }
  | {
    readonly kind: "exchange_failed";
    readonly reason: string;
    /**
     * Whether the provider does not know the code, so that another one may
     * work.
     */
    readonly isCodeUnknown: boolean;
  }
  | {
    readonly kind: "other_identity";
    readonly expected: string;
    readonly found: string;
  }
  | { readonly kind: "not_saved"; readonly reason: string };

/** Returns the exit code; every end of a sign-in has its own. */
export function loginExitCode(result: LoginResult): number {
  switch (result.kind) {
    case "added":
    case "updated":
      return EXIT.ok;
    case "cancelled":
      return EXIT.interrupted;
    case "timeout":
      return EXIT.tryLater;
    case "denied":
      return EXIT.noPermission;
    case "exchange_failed":
      return EXIT.unavailable;
    case "other_identity":
      return EXIT.needsLogin;
    case "not_saved":
      return EXIT.cannotWrite;
  }
}
