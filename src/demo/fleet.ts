/**
 * A demo fleet: sessions with issues that form trees, as an orchestrator of
 * agents keeps them, so that the Deck has something to draw. Its files have the
 * layout of `~/.claude`: the session registry, pins, tool marks and
 * transcripts.
 *
 * @module
 */

import type { Dice } from "./dice.ts";
import { after, type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";

interface FleetIssue {
  readonly identifier: string;
  readonly issueId: string;
  readonly parentId: string | null;
  readonly title: string;
  readonly status: string;
  readonly assigneeUserId: string | null;
  readonly labels: readonly string[];
}

export interface FleetAgent {
  /** The id that its Claude Code session sends. */
  readonly sessionId: string;
  readonly emoji: string;
  readonly intent: string;
  /** Null for an agent without a pinned issue. */
  readonly issue: FleetIssue | null;
  readonly isToolRunning: boolean;
}

interface Row {
  readonly emoji: string;
  readonly intent: string;
  readonly tool?: true;
  readonly issue?: readonly [
    identifier: string,
    parent: string | null,
    title: string,
    status: string,
  ];
  /** Whoever was asked to look at it. */
  readonly assignee?: string;
}

/**
 * One tree of three levels, one of two, a collision, and agents on their own.
 */
const ROWS: readonly Row[] = [
  {
    emoji: "🧭",
    intent: "lead the release",
    issue: ["D-100", null, "Release 2.0", "in_progress"],
  },
  {
    emoji: "🦊",
    intent: "import from the old store",
    tool: true,
    issue: ["D-110", "D-100", "Importer", "in_progress"],
  },
  {
    emoji: "🐙",
    intent: "read half-written files",
    issue: ["D-111", "D-110", "Damaged files", "in_progress"],
  },
  {
    emoji: "🐢",
    intent: "dry run and its report",
    issue: ["D-112", "D-110", "Dry run", "in_review"],
  },
  {
    emoji: "🦉",
    intent: "write the handbook",
    issue: ["D-120", "D-100", "Handbook", "in_progress"],
  },
  {
    emoji: "🐝",
    intent: "check every example",
    tool: true,
    issue: ["D-121", "D-120", "Examples", "blocked"],
    assignee: "user-1",
  },
  {
    emoji: "🛠️",
    intent: "keep the builds green",
    issue: ["D-200", null, "Builds", "in_progress"],
  },
  {
    emoji: "🐞",
    intent: "find the flaky test",
    issue: ["D-210", "D-200", "Flaky test", "in_progress"],
  },
  {
    emoji: "🐛",
    intent: "find the flaky test too",
    issue: ["D-210", "D-200", "Flaky test", "in_progress"],
  },
  { emoji: "🦀", intent: "solo: tidy the changelog" },
];

/** Returns the fleet; its session ids come from `dice`. */
export function demoFleet(dice: Dice): readonly FleetAgent[] {
  return ROWS.map((row) => ({
    sessionId: dice.uuid(),
    emoji: row.emoji,
    intent: row.intent,
    issue: issueOf(row, dice),
    isToolRunning: row.tool === true,
  }));
}

function issueOf(row: Row, dice: Dice): FleetIssue | null {
  if (row.issue === undefined) return null;
  const [identifier, parent, title, status] = row.issue;
  return {
    identifier,
    issueId: issueId(identifier, dice),
    parentId: parent === null ? null : issueId(parent, dice),
    title,
    status,
    assigneeUserId: row.assignee ?? null,
    labels: ["demo"],
  };
}

function issueId(identifier: string, dice: Dice): string {
  return dice.fork(`issue ${identifier}`).uuid();
}

const STARTED_BEFORE_MS = 25 * MINUTE_MS;
const LAST_TURN_BEFORE_MS = 20 * SECOND_MS;
const PROJECT = "-demo-project";

/**
 * Writes the files of `fleet` under `claudeFolder` as of `now`. Repeated calls
 * keep the fleet present; nothing else in the folder is touched.
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

/**
 * Returns a prompt and an answer, enough to tell when the last real turn was.
 */
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
