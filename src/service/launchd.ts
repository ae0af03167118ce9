/**
 * The launchd agent: a property list of the user's own.
 *
 * @module
 */

import type { CommandRunner } from "../ports.ts";
import type { ServiceFacts } from "./facts.ts";
import { askManager } from "./steps.ts";
import { escapeXml } from "./xml.ts";

/** Beyond the drain, for the process to end. */
const EXIT_MARGIN_SEC = 10;
const FILES_MAX = 65_536;

/** The text of the property list. Reference: launchd.plist(5). */
export function launchdPlist(facts: ServiceFacts, label: string): string {
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

/** Returns where launchd takes agents of the user numbered `uid` now. */
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
