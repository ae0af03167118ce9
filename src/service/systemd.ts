/**
 * The systemd user unit: hardened as far as V8 runs.
 *
 * @module
 */

import type { ServiceFacts } from "./facts.ts";

/** Beyond the drain, for the process to end. */
const STOP_MARGIN_SEC = 10;

/**
 * The text of `tc.service`: of type notify, by `notify.ts`, so that a start of
 * the unit ends when tc serves, and fails when it cannot. Reference:
 * systemd.exec(5), systemd.service(5).
 */
export function systemdUnit(facts: ServiceFacts): string {
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
    "# tc says so when it listens; until then the unit is starting.",
    "Type=notify",
    `ExecStart=${quoted(facts.program)} server --headless`,
    "ExecReload=/bin/kill -HUP $MAINPID",
    ...variables,
    "Restart=on-failure",
    "RestartSec=2",
    "# Another server has the pool, a broken config: starting again mends neither.",
    "RestartPreventExitStatus=5 78",
    "# SIGTERM lets the streams end; this bounds it. A restart keeps its child.",
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

/** One word of a unit file: `%` begins a specifier, quotes and `\` escape. */
function quoted(word: string): string {
  const escaped = word.replaceAll("%", "%%").replaceAll("\\", "\\\\")
    .replaceAll('"', '\\"');
  return /[\s"'\\]/.test(word) ? `"${escaped}"` : escaped;
}
