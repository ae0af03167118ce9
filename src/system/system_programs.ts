/**
 * Where the programs are that come with a system. A service manager or cron
 * starts tc with a short PATH, and Windows without PATHEXT finds `reg` nowhere:
 * what the vault hangs on is named by its full path.
 *
 * @module
 */

import { type Environment, variablesOf } from "../variables.ts";

/** Folders of macOS that hold its programs; they are the same on every Mac. */
const MAC_PROGRAMS: Readonly<Record<string, string>> = {
  ioreg: "/usr/sbin/ioreg",
  launchctl: "/bin/launchctl",
  lsof: "/usr/sbin/lsof",
  open: "/usr/bin/open",
  osascript: "/usr/bin/osascript",
  ps: "/bin/ps",
  security: "/usr/bin/security",
};

/** Programs of Windows, below its own folder. */
const WINDOWS_PROGRAMS: Readonly<Record<string, string>> = {
  "cmd.exe": "System32\\cmd.exe",
  conhost: "System32\\conhost.exe",
  netstat: "System32\\netstat.exe",
  "powershell.exe": "System32\\WindowsPowerShell\\v1.0\\powershell.exe",
  reg: "System32\\reg.exe",
  rundll32: "System32\\rundll32.exe",
  schtasks: "System32\\schtasks.exe",
  tasklist: "System32\\tasklist.exe",
};

/**
 * Returns the full path of `name` where it is a program that every `system` of
 * its kind has at one place; else the name, which the PATH leads to.
 */
export function systemProgram(
  name: string,
  system: string,
  environment: Environment,
): string {
  switch (system) {
    case "darwin":
      return MAC_PROGRAMS[name] ?? name;
    case "windows": {
      const path = WINDOWS_PROGRAMS[name];
      if (path === undefined) return name;
      const { SYSTEMROOT } = variablesOf(environment, system);
      const root = SYSTEMROOT || "C:\\Windows";
      return `${root}\\${path}`;
    }
    default:
      return name;
  }
}

/**
 * Returns the variables to start `name` with. PowerShell 7 leaves its own
 * PSModulePath to what it starts, and with that Windows PowerShell cannot load
 * what protects data.
 */
export function programVariables(
  name: string,
  system: string,
  environment: Environment,
): Readonly<Record<string, string>> {
  const isPowershell = system === "windows" && name === "powershell.exe";
  return Object.fromEntries(
    Object.entries(environment).filter((entry): entry is [string, string] =>
      entry[1] !== undefined &&
      !(isPowershell && entry[0].toUpperCase() === "PSMODULEPATH")
    ),
  );
}
