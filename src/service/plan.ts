/**
 * The service of each system as files to write and commands to run. Pure: it
 * decides everything and touches nothing.
 *
 * @module
 */

import { LAUNCHD_LABEL, SERVICE_NAME, type ServiceFacts } from "./facts.ts";
import { launchdPlist } from "./launchd.ts";
import type { ServiceCommand, ServiceStep } from "./steps.ts";
import { systemdUnit } from "./systemd.ts";
import { windowsTask } from "./windows.ts";

/** Beyond the drain, for the old process to end. */
const END_MARGIN_SEC = 15;

export type ServiceSystem = "systemd" | "launchd" | "windows";

export interface ServicePlan {
  readonly system: ServiceSystem;
  /** The file that describes the service to its manager. */
  readonly file: string;
  readonly text: string;
  /** Also over an older one that runs: it ends, and the new one starts. */
  readonly install: readonly ServiceStep[];
  readonly uninstall: readonly ServiceStep[];
  readonly start: ServiceCommand;
  readonly stop: ServiceCommand;
  readonly status: ServiceCommand;
  /**
   * The manager ends a program without a word to it: the server is told by its
   * own control API first, so that its streams and renewals may end.
   */
  readonly endsHard: boolean;
  /** What a person may want to do besides. */
  readonly hint: string | null;
}

export function servicePlan(
  system: ServiceSystem,
  facts: ServiceFacts,
): ServicePlan {
  switch (system) {
    case "systemd":
      return systemdPlan(facts);
    case "launchd":
      return launchdPlan(facts);
    case "windows":
      return windowsPlan(facts);
  }
}

/** The service manager of an operating system, by Deno's word for it. */
export function systemOf(os: string): ServiceSystem {
  return os === "darwin" ? "launchd" : os === "windows" ? "windows" : "systemd";
}

function systemdPlan(facts: ServiceFacts): ServicePlan {
  const unit = `${SERVICE_NAME}.service`;
  const user = (...words: readonly string[]): ServiceCommand => [
    "systemctl",
    "--user",
    ...words,
  ];
  return {
    system: "systemd",
    file: `${facts.configHome}/systemd/user/${unit}`,
    text: systemdUnit(facts),
    install: [
      { command: user("daemon-reload") },
      { command: user("enable", unit) },
      { command: user("restart", unit) },
    ],
    uninstall: [{ command: user("disable", "--now", unit) }],
    start: user("start", unit),
    stop: user("stop", unit),
    status: user("--no-pager", "status", unit),
    endsHard: false,
    hint: "loginctl enable-linger   lets it run while nobody is logged in",
  };
}

function launchdPlan(facts: ServiceFacts): ServicePlan {
  const domain = `${facts.session}/${facts.user}`;
  const target = `${domain}/${LAUNCHD_LABEL}`;
  const file = `${facts.home}/Library/LaunchAgents/${LAUNCHD_LABEL}.plist`;
  return {
    system: "launchd",
    file,
    text: launchdPlist(facts, LAUNCHD_LABEL),
    install: [
      { command: ["launchctl", "bootout", target], mayFail: true },
      {
        command: ["launchctl", "bootstrap", domain, file],
        // It refuses while the old one still ends its streams.
        retrySec: facts.drainSec + END_MARGIN_SEC,
      },
    ],
    uninstall: [{ command: ["launchctl", "bootout", target] }],
    start: ["launchctl", "kickstart", target],
    stop: ["launchctl", "kill", "SIGTERM", target],
    status: ["launchctl", "print", target],
    endsHard: false,
    hint: null,
  };
}

function windowsPlan(facts: ServiceFacts): ServicePlan {
  const file = `${facts.folders[0] ?? facts.home}\\tc-task.xml`;
  const task = (...words: readonly string[]): ServiceCommand => [
    "schtasks",
    ...words,
    "/TN",
    SERVICE_NAME,
  ];
  return {
    system: "windows",
    file,
    text: windowsTask(facts),
    install: [
      { command: task("/End"), mayFail: true },
      { command: [...task("/Create"), "/XML", file, "/F"] },
      { command: task("/Run") },
    ],
    uninstall: [
      { command: task("/End"), mayFail: true },
      { command: [...task("/Delete"), "/F"] },
    ],
    start: task("/Run"),
    stop: task("/End"),
    status: task("/Query", "/V", "/FO", "LIST"),
    endsHard: true,
    hint: "The task runs while you are logged in",
  };
}
