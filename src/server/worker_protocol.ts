/**
 * The messages between the main thread and the server worker. The worker has no
 * environment and may run no program, so it gets all of that by message.
 *
 * @module
 */

import type { Membership } from "../store/shared/membership.ts";
import type { MachineSecret } from "../store/vault/vault_cipher.ts";
import type { ChangeAnswer, ChangeQuestion } from "./links/change_link.ts";
import type { LogLoss } from "../records/log/log_sink.ts";
import type { Config } from "../config/config.ts";
import type { FenceAttempt, FenceTargets } from "./fence.ts";
import type {
  KeychainAnswer,
  KeychainQuestion,
} from "./links/keychain_link.ts";
import type { LogForm, LogLines } from "../records/log/journal.ts";
import type { NoticeEvent } from "./notices/conditions.ts";
import type { DrawQuestion, ReportAnswer } from "./links/report_link.ts";
import type { SimulationCall } from "./links/simulation_link.ts";
import type { SimulationView } from "../control/history/simulation_view.ts";
import type { OwnerAnswer, OwnerQuestion } from "./links/owner_link.ts";
import type { Paths } from "../system/paths.ts";
import type { PersonShell } from "../shell_words.ts";
import type { System } from "../variables.ts";

/**
 * Everything that the worker needs to start. Secrets are passed in memory only.
 */
export interface StartOrder {
  readonly config: Config;
  readonly paths: Paths;
  readonly version: string;
  readonly pid: number;
  readonly system: System;
  /** The shell of who started the server, for the commands it suggests. */
  readonly person: PersonShell;
  /** The local key, revealed: a Secret does not survive a message. */
  readonly key: string;
  /** The shared pool that this machine is part of, or null. */
  readonly store: Membership | null;
  /** Machine id and user name, which bind the vault to this machine. */
  readonly machine: MachineSecret;
  /** HTTPS_PROXY and NO_PROXY as the environment has them. */
  readonly proxy: { readonly url: string; readonly except: string };
  /** Certificate authorities of this machine, in PEM; empty where none. */
  readonly authorities: string;
  /** A newer release that is out, if the user lets tc look; else null. */
  readonly newer: string | null;
  /** Whether to share the port with a server that is about to stop. */
  readonly takesOver: boolean;
  /** How the lines of the log look. */
  readonly logForm: LogForm;
  /** File descriptors that this process may have open; null if unknown. */
  readonly openFiles: number | null;
}

/** What a client of the control plane may ask of the process. */
export type Asked = "stop" | "stop_now" | "restart" | "reload";

export type ToWorker =
  | { readonly kind: "start"; readonly order: StartOrder }
  | { readonly kind: "reload"; readonly config: Config }
  /** The config could not be read; the server goes on with the old one. */
  | {
    readonly kind: "reload_failed";
    readonly message: string;
    readonly hint: string | null;
  }
  /** Null if the next server was started; else why it could not be. */
  | { readonly kind: "restart_answer"; readonly trouble: string | null }
  | { readonly kind: "drain"; readonly deadlineMs: number }
  | { readonly kind: "log_lost"; readonly loss: LogLoss | null }
  | {
    readonly kind: "call";
    readonly id: number;
    readonly method: string;
    readonly path: string;
    readonly body: string | null;
  }
  | { readonly kind: "subscribe"; readonly isOn: boolean }
  /** Asks a worker that serves nothing to try the fence. */
  | { readonly kind: "prove"; readonly targets: FenceTargets }
  | {
    readonly kind: "keychain_answer";
    readonly id: number;
    readonly answer: KeychainAnswer;
  }
  | {
    readonly kind: "change_answer";
    readonly id: number;
    readonly answer: ChangeAnswer;
  }
  | {
    readonly kind: "report_answer";
    readonly id: number;
    readonly answer: ReportAnswer;
  }
  | {
    readonly kind: "simulation_answer";
    readonly id: number;
    readonly view: SimulationView;
  }
  | {
    readonly kind: "project_answer";
    readonly id: number;
    readonly project: string | null;
  }
  | {
    readonly kind: "owner_answer";
    readonly id: number;
    readonly answer: OwnerAnswer;
  };

export type FromWorker =
  | { readonly kind: "ready"; readonly host: string; readonly port: number }
  | {
    readonly kind: "failed";
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
    readonly exitCode: number;
  }
  | { readonly kind: "log"; readonly lines: LogLines }
  | {
    readonly kind: "answer";
    readonly id: number;
    readonly status: number;
    readonly body: string;
  }
  | { readonly kind: "event"; readonly data: string }
  | {
    readonly kind: "keychain_asked";
    readonly id: number;
    readonly question: KeychainQuestion;
  }
  | {
    readonly kind: "change_asked";
    readonly id: number;
    readonly question: ChangeQuestion;
  }
  | {
    readonly kind: "report_asked";
    readonly id: number;
    readonly question: DrawQuestion;
  }
  | {
    readonly kind: "simulation_asked";
    readonly id: number;
    readonly call: SimulationCall;
  }
  | {
    readonly kind: "project_asked";
    readonly id: number;
    readonly session: string;
  }
  | {
    readonly kind: "owner_asked";
    readonly id: number;
    readonly question: OwnerQuestion;
  }
  /** Asks the main thread to tell the desktop and the user's program. */
  | { readonly kind: "notice"; readonly event: NoticeEvent }
  /** The server has drained; its main thread may end the process. */
  | { readonly kind: "drained"; readonly cut: number }
  /** A client of the control plane asks for an end, a restart or a reload. */
  | { readonly kind: "asked"; readonly what: Asked }
  | { readonly kind: "proved"; readonly attempts: readonly FenceAttempt[] };
