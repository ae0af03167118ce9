/**
 * Writes a demo fleet in the layout of `~/.claude`: the session registry, the
 * pins, the tool marks and the transcripts.
 *
 * @module
 */

import { after, type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { FleetAgent } from "./fleet.ts";

const STARTED_BEFORE_MS = 25 * MINUTE_MS;
const LAST_TURN_BEFORE_MS = 20 * SECOND_MS;
const PROJECT = "-demo-project";

/**
 * Writes `fleet` under `claudeFolder` as it is at `now`. Doing it again keeps
 * the fleet present; nothing else in the folder is touched.
 */
export async function writeFleetFiles(
  claudeFolder: string,
  fleet: readonly FleetAgent[],
  now: Instant,
): Promise<void> {
  const state = `${claudeFolder}/state`;
  const projects = `${claudeFolder}/projects/${PROJECT}`;
  await Deno.mkdir(`${state}/sessions`, { recursive: true });
  await Deno.mkdir(projects, { recursive: true });
  await writeJson(
    `${state}/sessions.json`,
    { sessions: fleet.map((agent) => registryRow(agent, now)) },
  );
  for (const agent of fleet) {
    const folder = `${state}/sessions/${registryId(agent)}`;
    await Deno.mkdir(folder, { recursive: true });
    if (agent.issue !== null) {
      await writeJson(`${folder}/pin.json`, {
        ...agent.issue,
        lastCommentAt: iso(after(now, -LAST_TURN_BEFORE_MS)),
      });
    }
    if (agent.isToolRunning) {
      const seconds = Math.floor(now / SECOND_MS);
      await Deno.writeTextFile(`${folder}/tool-inflight`, `${seconds} Bash\n`);
    }
    await Deno.writeTextFile(
      `${projects}/${agent.sessionId}.jsonl`,
      transcript(agent, now),
    );
  }
}

function registryId(agent: FleetAgent): string {
  return `cc-${agent.sessionId}`;
}

function registryRow(
  agent: FleetAgent,
  now: Instant,
): Readonly<Record<string, unknown>> {
  return {
    sid: registryId(agent),
    emoji: agent.emoji,
    pid: Deno.pid,
    intent: agent.intent,
    pinned_issue: agent.issue?.identifier ?? null,
    started: iso(after(now, -STARTED_BEFORE_MS)),
    last_heartbeat: iso(now),
  };
}

/** A prompt and an answer: enough to tell when the last real turn was. */
function transcript(agent: FleetAgent, now: Instant): string {
  const at = iso(after(now, -LAST_TURN_BEFORE_MS));
  const common = {
    sessionId: agent.sessionId,
    timestamp: at,
    cwd: "/demo/project",
    version: "2.1.329",
    isSidechain: false,
  };
  const lines = [
    {
      ...common,
      type: "user",
      uuid: `${agent.sessionId}-1`,
      parentUuid: null,
      message: { role: "user", content: agent.intent },
    },
    {
      ...common,
      type: "assistant",
      uuid: `${agent.sessionId}-2`,
      parentUuid: `${agent.sessionId}-1`,
      message: {
        id: `msg_${agent.sessionId}`,
        role: "assistant",
        model: "claude-opus-5-5",
        content: [{ type: "text", text: "On it." }],
        usage: {
          input_tokens: 3,
          output_tokens: 4,
          cache_creation_input_tokens: 0,
          cache_read_input_tokens: 0,
        },
      },
    },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`).join("");
}

function iso(at: Instant): string {
  return new Date(at).toISOString();
}

async function writeJson(path: string, value: unknown): Promise<void> {
  await Deno.writeTextFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
