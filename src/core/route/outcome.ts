/**
 * A decision before it is explained.
 *
 * @module
 */

import type { RefuseReason, UseReason } from "./decision.ts";
import type { View } from "./scene.ts";
import type { WaitReason } from "../pool/state.ts";
import type { Instant } from "../time.ts";

export type Outcome =
  | { readonly kind: "use"; readonly view: View; readonly reason: UseReason }
  | {
    readonly kind: "wait";
    readonly until: Instant | null;
    readonly backAt: Instant | null;
    readonly reason: WaitReason;
  }
  | { readonly kind: "refuse"; readonly reason: RefuseReason };
