/**
 * The service of each system as files to write and commands to run. Pure: it
 * decides everything and touches nothing.
 *
 * @module
 */

import { LAUNCHD_LABEL, SERVICE_NAME, type ServiceFacts } from "./facts.ts";
import { launchdPlist } from "./launchd.ts";
import { systemdUnit } from "./systemd.ts";
import { windowsTask } from "./windows.ts";

export type ServiceSystem = "systemd" | "launchd" | "windows";

/** A command line of the service manager. */
export type ServiceCommand = readonly [string, ...string[]];

export interface ServicePlan {
  readonly system: ServiceSystem;
  /** The file that describes the service to its manager. */
  readonly file: string;
  readonly text: string;
  readonly install: readonly ServiceCommand[];
  readonly uninstall: readonly ServiceCommand[];
  readonly start: ServiceCommand;
  readonly stop: ServiceCommand;
  readonly status: ServiceCommand;
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
    install: [user("daemon-reload"), user("enable", "--now", unit)],
    uninstall: [user("disable", "--now", unit)],
    start: user("start", unit),
    stop: user("stop", unit),
    status: user("--no-pager", "status", unit),
    hint: "loginctl enable-linger   lets it run while nobody is logged in",
  };
}

function launchdPlan(facts: ServiceFacts): ServicePlan {
  const domain = `gui/${facts.user}`;
  const target = `${domain}/${LAUNCHD_LABEL}`;
  const file = `${facts.home}/Library/LaunchAgents/${LAUNCHD_LABEL}.plist`;
  return {
    system: "launchd",
    file,
    text: launchdPlist(facts, LAUNCHD_LABEL),
    install: [["launchctl", "bootstrap", domain, file]],
    uninstall: [["launchctl", "bootout", target]],
    start: ["launchctl", "kickstart", target],
    stop: ["launchctl", "kill", "SIGTERM", target],
    status: ["launchctl", "print", target],
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
    install: [[...task("/Create"), "/XML", file, "/F"], task("/Run")],
    uninstall: [task("/End"), [...task("/Delete"), "/F"]],
    start: task("/Run"),
    stop: task("/End"),
    status: task("/Query", "/V", "/FO", "LIST"),
    hint: "The task runs while you are logged in",
  };
}
