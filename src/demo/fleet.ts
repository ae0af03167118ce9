/**
 * A demo fleet: sessions with issues that form trees, as an orchestrator of
 * agents keeps them, so that the Deck has something to draw.
 *
 * @module
 */

import type { Dice } from "./dice.ts";

export interface FleetIssue {
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
  /** Somebody was asked to look. */
  readonly assignee?: string;
}

/** One tree of three levels, one of two, a collision, and agents on their own. */
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

/** The fleet; its session ids come from the dice. */
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
