/**
 * Runs every check of the doctor, in the order of the report.
 *
 * @module
 */

import {
  checkConfig,
  checkDescriptors,
  checkDisk,
  checkModes,
  checkState,
  checkVaultKey,
} from "./files.ts";
import {
  type Check,
  type DoctorContext,
  failureOf,
  type Finding,
} from "./finding.ts";
import { checkAuthorities, checkProxies, checkUpstream } from "./network.ts";
import { checkAccounts, checkFaults, checkServer } from "./pool.ts";
import { checkClaude, checkClaudeSettings, checkName } from "./programs.ts";
import { checkService } from "./service.ts";
import { checkNotify, checkVariables } from "./settings.ts";
import { checkStores } from "./store.ts";

/** Modes come first, because reading a file tightens its mode. */
const CHECKS: readonly (readonly [topic: string, check: Check])[] = [
  ["files", checkModes],
  ["config", checkConfig],
  ["variables", checkVariables],
  ["notices", checkNotify],
  ["vault", checkVaultKey],
  ["disk", checkDisk],
  ["limits", checkDescriptors],
  ["server", checkServer],
  ["faults", checkFaults],
  ["state", checkState],
  ["account", checkAccounts],
  ["store", checkStores],
  ["service", checkService],
  ["network", checkProxies],
  ["network", checkAuthorities],
  ["network", checkUpstream],
  ["claude code", checkClaude],
  ["claude code", checkClaudeSettings],
  ["name", checkName],
];

/** Checks that are skipped if the config cannot be read. */
const NEED_CONFIG: readonly Check[] = [
  checkNotify,
  checkServer,
  checkAccounts,
  checkStores,
  checkState,
  checkService,
];

/**
 * Runs all checks. A check that throws becomes a finding and does not stop the
 * others.
 */
export async function examine(
  context: DoctorContext,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  let hasConfig = true;
  for (const [topic, check] of CHECKS) {
    if (!hasConfig && NEED_CONFIG.includes(check)) continue;
    const found = await check(context).catch((cause) => [
      failureOf(topic, cause, context),
    ]);
    if (check === checkConfig) {
      hasConfig = found.every(({ level }) => level !== "fail");
    }
    findings.push(...found);
  }
  return findings;
}
