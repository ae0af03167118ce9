/**
 * The service of each system as files to write and commands to run. Pure: it
 * decides everything and touches nothing.
 *
 * @module
 */

import { askManager, type ServiceCommand, type ServiceStep } from "./steps.ts";
import type { CommandRunner } from "../ports.ts";

/** Time for the old process to end, beyond its drain. */
const END_MARGIN_SEC = 15;

export type ServiceSystem = "systemd" | "launchd" | "windows";

export interface ServicePlan {
  readonly system: ServiceSystem;
  /** The file that describes the service to its manager. */
  readonly file: string;
  readonly text: string;
  /**
   * Also replaces a running older service: that ends, and the new one starts.
   */
  readonly install: readonly ServiceStep[];
  readonly uninstall: readonly ServiceStep[];
  readonly start: ServiceCommand;
  readonly stop: ServiceCommand;
  readonly status: ServiceCommand;
  /**
   * Whether the manager kills the program without a signal: then tc first stops
   * the server by its control API, so that streams and renewals can finish.
   */
  readonly endsHard: boolean;
  /** What the user may also want to do. */
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

/**
 * Returns the service manager of an operating system, by Deno's name for it.
 */
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
        // It is refused while the old service finishes its streams.
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

/** Time for the process to end, beyond its drain. */
const EXIT_MARGIN_SEC = 10;
const FILES_MAX = 65_536;

/**
 * Returns the property list of the launchd agent. Reference: launchd.plist(5).
 */
function launchdPlist(facts: ServiceFacts, label: string): string {
  const variables = Object.entries(facts.variables).map(([name, value]) =>
    `    <key>${escapeXml(name)}</key><string>${escapeXml(value)}</string>`
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key><string>${escapeXml(label)}</string>
  <key>ProgramArguments</key>
  <array>
    <string>${escapeXml(facts.program)}</string>
    <string>server</string>
    <string>--headless</string>
    <string>--log-file</string>
    <string>${escapeXml(facts.logFile)}</string>
  </array>
  <key>EnvironmentVariables</key>
  <dict>
${variables.join("\n")}
  </dict>
  <key>RunAtLoad</key><true/>
  <key>KeepAlive</key><dict><key>SuccessfulExit</key><false/></dict>
  <key>ThrottleInterval</key><integer>5</integer>
  <key>ExitTimeOut</key><integer>${facts.drainSec + EXIT_MARGIN_SEC}</integer>
  <key>ProcessType</key><string>Interactive</string>
  <key>Umask</key><integer>${0o077}</integer>
  <key>SoftResourceLimits</key>
  <dict>
    <key>NumberOfFiles</key><integer>${FILES_MAX}</integer>
    <key>Core</key><integer>0</integer>
  </dict>
</dict>
</plist>
`;
}

/** Returns where launchd accepts agents of the user `uid` now. */
export async function launchdSession(
  uid: string,
  runner: CommandRunner,
): Promise<"gui" | "user"> {
  const outcome = await askManager(
    ["launchctl", "print", `gui/${uid}`],
    runner,
  );
  return outcome.kind === "exited" && outcome.code !== 0 ? "user" : "gui";
}

/** Time for the process to end, beyond its drain. */
const STOP_MARGIN_SEC = 10;

/**
 * Returns the text of `tc.service`, hardened as far as V8 allows. Its type is
 * notify (see `notify.ts`), so that a start of the unit ends when tc serves,
 * and fails if it cannot. Reference: systemd.exec(5), systemd.service(5).
 */
function systemdUnit(facts: ServiceFacts): string {
  const variables = Object.entries(facts.variables)
    .map(([name, value]) => `Environment=${quoted(`${name}=${value}`)}`);
  return [
    "[Unit]",
    "Description=tc, all your Claude accounts behind one local address",
    "Documentation=man:tc(1)",
    "StartLimitIntervalSec=60",
    "StartLimitBurst=5",
    "",
    "[Service]",
    "# tc notifies systemd when it listens; until then the unit is starting.",
    "Type=notify",
    `ExecStart=${quoted(facts.program)} server --headless`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    ...variables,
    "Restart=on-failure",
    "RestartSec=2",
    "# Another server has the pool, or the config is broken: a restart fixes neither.",
    "RestartPreventExitStatus=5 78",
    "# SIGTERM lets streams finish; this limits it. A restart keeps the child.",
    `TimeoutStopSec=${facts.drainSec + STOP_MARGIN_SEC}`,
    "KillMode=mixed",
    "LimitNOFILE=65536",
    "LimitCORE=0",
    "UMask=0077",
    "",
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallErrorNumber=EPERM",
    "# No mount namespaces: a user manager has them only where the kernel lets",
    "# users make them. The server fences its own files: tc doctor --prove.",
    "# Not MemoryDenyWriteExecute: V8 compiles at run time and would not start.",
    "",
    "[Install]",
    "WantedBy=default.target",
    "",
  ].join("\n");
}

/**
 * Returns one word of a unit file: `%` begins a specifier, quotes and `\`
 * escape.
 */
function quoted(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"');
  return /[\s"'\\]/.test(word) ? `"${escaped}"` : escaped;
}

/** Windows 10 1809 and later. */
const CONSOLE = "%SystemRoot%\\System32\\conhost.exe";

/**
 * Returns the XML of the Windows scheduled task, which runs at log-on as the
 * user, so that it can open the user's vault. A task takes no variables, so a
 * separate pool (TC_CONFIG) is set through the shell. A console program of a
 * task gets a window, and closing that would end the server; conhost gives it a
 * console without a window. Reference: Task Scheduler schema 1.2.
 */
function windowsTask(facts: ServiceFacts): string {
  const server = `server --headless --log-file "${facts.logFile}"`;
  const sets = Object.entries(facts.variables)
    .map(([name, value]) => `set "${name}=${value}"&& `).join("");
  const start = sets === ""
    ? `"${facts.program}" ${server}`
    : `cmd.exe /d /s /c "${sets}"${facts.program}" ${server}"`;
  const [command, words] = [CONSOLE, `--headless ${start}`];
  return `<?xml version="1.0" encoding="UTF-8"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>tc, all your Claude accounts behind one local address</Description>
  </RegistrationInfo>
  <Triggers>
    <LogonTrigger>
      <Enabled>true</Enabled>
      <UserId>${escapeXml(facts.user)}</UserId>
    </LogonTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>${escapeXml(facts.user)}</UserId>
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Hidden>true</Hidden>
    <RestartOnFailure>
      <Interval>PT1M</Interval>
      <Count>5</Count>
    </RestartOnFailure>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${escapeXml(command)}</Command>
      <Arguments>${escapeXml(words)}</Arguments>
    </Exec>
  </Actions>
</Task>
`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Returns `text` as XML content or attribute value. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? "");
}

/** Returns the text that {@linkcode escapeXml} was given. */
export function plainXml(text: string): string {
  return text.replace(/&(?:amp|lt|gt|quot|apos);/g, (entity) => {
    const found = Object.entries(ENTITIES).find(([, name]) => name === entity);
    return found?.[0] ?? entity;
  });
}

/** What a service needs to know about its machine and pool. */
export interface ServiceFacts {
  /** The program, an absolute path. */
  readonly program: string;
  readonly home: string;
  /** `$XDG_CONFIG_HOME`, or `~/.config`. */
  readonly configHome: string;
  /** The variables that select the pool, such as TC_CONFIG. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders that the service writes to. */
  readonly folders: readonly string[];
  /** Where a service without a journal writes its log. */
  readonly logFile: string;
  /** The user: number on Unix, name on Windows. */
  readonly user: string;
  /**
   * The launchd domain of the agent: a Mac that is used over ssh has no `gui`.
   */
  readonly session: "gui" | "user";
  /** How long a stop may take, in seconds. */
  readonly drainSec: number;
}

/** Reverse domain name, as launchd requires. */
const LAUNCHD_LABEL = "dev.tc.server";
/** Name of the Windows task and the systemd unit. */
export const SERVICE_NAME = "tc";
