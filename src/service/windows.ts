/**
 * The Windows scheduled task: at log-on, as the user, so that it sees the
 * user's own vault.
 *
 * @module
 */

import type { ServiceFacts } from "./facts.ts";
import { escapeXml } from "./xml.ts";

/** Windows 10 1809 and later. */
const CONSOLE = "%SystemRoot%\\System32\\conhost.exe";

/**
 * The task's XML. A task takes no variables, so a pool of its own (TC_CONFIG)
 * is led there by the shell. A console program of a task gets a window whose
 * closing would end the server: conhost gives it a console without one.
 * Reference: Task Scheduler schema 1.2.
 */
export function windowsTask(facts: ServiceFacts): string {
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
