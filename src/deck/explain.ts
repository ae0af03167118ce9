/**
 * Explains a row in sentences: from the status, and for a session from the
 * server's own record of its last decision.
 *
 * @module
 */

import type { ControlClient } from "../control/client.ts";
import type {
  AccountView,
  ActivityView,
  RequestView,
} from "../control/protocol.ts";
import { stateText } from "../control/state_text.ts";
import { explainLines } from "../control/explain_text.ts";
import {
  countText,
  durationText,
  moneyText,
  percentText,
} from "../control/words.ts";
import { overlayWidth } from "./panels/overlay.ts";
import { padEnd, widthOf } from "./terminal/grapheme.ts";
import type { Agent } from "./agent.ts";
import { modelText, plural, reasonText, timeText } from "./figures.ts";
import type { Message, Model } from "./model.ts";
import { sceneOf } from "./scene.ts";

/** Returns lines about the row named `row`, as a message. Never throws. */
export async function explainRow(
  row: string,
  model: Model,
  client: ControlClient,
): Promise<Message> {
  const colon = row.indexOf(":");
  const kind = row.slice(0, colon);
  const id = row.slice(colon + 1);
  const found = explanation(kind, id, model);
  if (found === null) {
    return { kind: "failed", text: "The row is gone", hint: null };
  }
  const { title, lines, session, instead } = found;
  const decided = session === null ? [] : await decidedLines(session, {
    client,
    timeZone: model.look.timeZone,
    width: overlayWidth(model.size.columns),
  });
  const head = decided.length > 0 ? decided : instead;
  return { kind: "explained", title, lines: [...head, ...lines] };
}

/** Returns the server's own explanation of the session's next request. */
async function decidedLines(
  session: string,
  { client, timeZone, width }: {
    readonly client: ControlClient;
    readonly timeZone: string | null;
    /** The cells of a line. */
    readonly width: number;
  },
): Promise<readonly string[]> {
  try {
    const view = await client.explain(session);
    const layout = (rows: Rows) => fitted(rows, width - TABLE_INDENT);
    return [
      ...explainLines(view, { timeZone: timeZone ?? undefined, layout }),
      "",
    ];
  } catch {
    // The server cannot be reached or is older: the status says what it can.
    return [];
  }
}

type Rows = readonly (readonly string[])[];

/** What explainLines() puts before each row. */
const TABLE_INDENT = 2;
const GAP = "  ";

/**
 * Returns the rows as lines of at most `width` cells: the columns between the
 * second and the last one go, the hindmost first; then the second is cut.
 */
export function fitted(rows: Rows, width: number): readonly string[] {
  const widths = (rows[0] ?? []).map((_, at) =>
    Math.max(...rows.map((row) => widthOf(row[at] ?? "")))
  );
  const shown = widths.map((_, at) => at);
  const sum = () =>
    shown.reduce((total, at) => total + (widths[at] ?? 0), 0) +
    GAP.length * (shown.length - 1);
  while (sum() > width && shown.length > 3) shown.splice(-2, 1);
  widths[1] = Math.max(4, (widths[1] ?? 0) - Math.max(0, sum() - width));
  return rows.map((row) =>
    shown.map((at) => padEnd(row[at] ?? "", widths[at] ?? 0)).join(GAP)
      .trimEnd()
  );
}

interface Explanation {
  readonly title: string;
  readonly lines: readonly string[];
  /** The session that the row is about, or null. */
  readonly session: string | null;
  /** Lines shown while the server says nothing more. */
  readonly instead: readonly string[];
}

/** Returns what the status says about a row; null if the row is gone. */
function explanation(
  kind: string,
  id: string,
  model: Model,
): Explanation | null {
  const { status } = model;
  switch (kind) {
    case "account": {
      const view = status?.accounts.find(({ label }) => label === id);
      return view === undefined ? null : accountText(view, model);
    }
    case "agent": {
      const agent = sceneOf(model).byId.get(id);
      return agent === undefined ? null : agentText(agent, model);
    }
    case "issue": {
      const agent = sceneOf(model).agents.find(({ issue }) => issue === id);
      return agent === undefined ? null : agentText(agent, model);
    }
    case "request": {
      const request = status?.requests.find((one) => one.id === id);
      return request === undefined ? null : requestText(request, model);
    }
    case "ended": {
      const entry = status?.activity.find((one) => one.id === id);
      return entry === undefined ? null : endedText(entry, model);
    }
    default:
      return null;
  }
}

function accountText(view: AccountView, model: Model): Explanation {
  const { now } = model;
  const { recent } = view;
  const timeZone = model.look.timeZone ?? undefined;
  const lines = [
    stateText(view, { now, timeZone }),
    ...view.windows.map((window) => {
      const reset = window.resetsAt === null
        ? "reset unknown"
        : `resets in ${durationText(window.resetsAt.ms - now)}`;
      const age = durationText(now - window.observedAt.ms);
      const source = window.source === "usage_endpoint"
        ? "the usage endpoint"
        : "an answer's headers";
      const pace = window.pace === null
        ? ""
        : `, ${Math.abs(Math.round(window.pace * 100))} points ${
          window.pace > 0 ? "ahead of" : "below"
        } an even spend`;
      return `${window.key}: ${
        percentText(window.utilization)
      } spent${pace}; ${reset}; from ${source} ${age} ago`;
    }),
    `${plural(view.inFlight, "request")} in flight${
      view.inFlightMax === null ? "" : ` of ${view.inFlightMax} allowed`
    }; ${recent.requests15m} in the last 15 minutes, ${recent.requests1h} in the last hour`,
    usageText(view.usage),
    ...(view.lastError === null ? [] : [
      `last error ${durationText(now - view.lastError.at.ms)} ago: ${
        view.lastError.status ?? ""
      } ${view.lastError.text}`,
    ]),
    ...(view.mend === null ? [] : [`What mends it: ${view.mend}`]),
  ];
  return { title: `Account ${view.label}`, lines, session: null, instead: [] };
}

function usageText(usage: AccountView["usage"]): string {
  const hit = usage.hitShare === null
    ? "nothing read from cache yet"
    : `${percentText(usage.hitShare)} of the prompt from cache`;
  const cost = usage.cost === null ? "" : `, ${moneyText(usage.cost)}`;
  return `${plural(usage.requests, "request")} since the start: ${
    countText(usage.input)
  } in, ${countText(usage.cacheRead)} read, ${
    countText(usage.cacheWrite)
  } written, ${countText(usage.output)} out${cost}; ${hit}; ${
    plural(usage.rebuilds, "rebuild")
  }`;
}

function agentText(agent: Agent, model: Model): Explanation {
  const session = model.status?.sessions.find(({ id }) => id === agent.id);
  const recent = (model.status?.activity ?? [])
    .filter((entry) => entry.session === agent.id)
    .slice(0, RECENT_MAX);
  const lines = [
    ...(agent.title === null ? [] : [agent.title]),
    ...(agent.need === null ? [] : [`It waits for you: ${agent.need}`]),
    ...(agent.collides
      ? [`Another agent works on ${agent.issue ?? "the same issue"} too`]
      : []),
    ...(session === undefined ? [] : [usageText(session.usage)]),
    ...agent.requests.map((request) => requestLine(request, model)),
    ...(recent.length === 0 ? [] : ["", "last requests:"]),
    ...recent.map((entry) => endedLine(entry, model)),
  ];
  const served = agent.account === null
    ? "The server has not seen it yet"
    : `served by ${agent.account}, its prompt cache is ${
      agent.isWarm ? "warm" : "probably cold"
    }`;
  const instead = [`session ${agent.id}`, served];
  return { title: agent.label, lines, session: agent.id, instead };
}

const RECENT_MAX = 8;

function requestLine(request: RequestView, model: Model): string {
  const reason = request.reason === null
    ? ""
    : `: ${reasonText(request.reason)}`;
  return `${request.state} for ${
    durationText(model.now - request.since.ms)
  }${reason}`;
}

function requestText(request: RequestView, model: Model): Explanation {
  return {
    title: "Request in hand",
    session: request.session,
    instead: [],
    lines: [
      requestLine(request, model),
      `model ${modelText(request.model) || "unknown"}, account ${
        request.account ?? "none yet"
      }`,
      `session ${request.session ?? "unknown"}${
        request.agent === null ? "" : `, sub-agent ${request.agent}`
      }`,
      `request ${request.id}`,
    ],
  };
}

function endedLine(entry: ActivityView, model: Model): string {
  const { timeZone } = model.look;
  const moved = entry.movedFrom === null ? "" : `, from ${entry.movedFrom}`;
  return `${timeText(entry.at.ms, timeZone)} ${entry.status} ${
    entry.account ?? "nobody"
  }: ${reasonText(entry.reason)}${moved}`;
}

function endedText(entry: ActivityView, model: Model): Explanation {
  const tokens = entry.input === null
    ? "no tokens were counted"
    : `${countText(entry.input)} in, ${
      countText(entry.cacheRead ?? 0)
    } read from cache, ${countText(entry.cacheWrite ?? 0)} written, ${
      countText(entry.output ?? 0)
    } out`;
  return {
    title: "Request",
    session: entry.session,
    instead: [],
    lines: [
      `Why ${entry.account ?? "nobody"}: ${reasonText(entry.reason)}${
        entry.movedFrom === null ? "" : `; it was on ${entry.movedFrom} before`
      }`,
      `status ${entry.status}, ${entry.end.replaceAll("_", " ")}, ${
        plural(entry.attempts, "attempt")
      }, ${durationText(entry.durationMs)}`,
      tokens,
      `model ${modelText(entry.model) || "unknown"}`,
      `session ${entry.session ?? "unknown"}${
        entry.agent === null ? "" : `, sub-agent ${entry.agent}`
      }`,
      `${timeText(entry.at.ms, model.look.timeZone)}, request ${entry.id}`,
    ],
  };
}
