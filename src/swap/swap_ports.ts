/**
 * What swapping needs of the outside.
 *
 * @module
 */

import type { LivePlace } from "../auth/shared/live_place.ts";
import type { RefreshPorts } from "../auth/provider.ts";
import type { ClaudeFolder } from "../claude/claude_folder.ts";
import type { RouteSettings } from "../core/settings.ts";
import type { AccountRecord } from "../store/accounts.ts";
import type { ForeignTexts } from "../store/files/foreign_text.ts";
import type { SwapMemory } from "./swap_state.ts";

export interface SwapPorts extends RefreshPorts {
  /** Claude Code's own login. */
  readonly place: LivePlace;
  readonly folder: ClaudeFolder;
  readonly texts: ForeignTexts;
  readonly memory: SwapMemory;
  /** The pool as vault and config have it now. */
  readonly accounts: () => Promise<readonly AccountRecord[]>;
  readonly settings: RouteSettings;
  /** The command line that prints a key, for `apiKeyHelper`. */
  readonly helper: string;
}

/** Lock of a whole swap; the state has a shorter one of its own. */
export const SWAP_LOCK = "swap";
export const SWAP_LOCK_WAIT_MS = 30_000;
