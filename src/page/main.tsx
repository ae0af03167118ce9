/**
 * The page at `/ui`: which screen is shown, and what stands above it.
 *
 * @module
 */

/** @jsxImportSource preact */
/// <reference lib="dom" />

import { useSignal } from "@preact/signals";
import { render, type VNode } from "preact";
import { durationText } from "../control/words.ts";
import { Decisions, Now, Verdict } from "./screens.tsx";
import { WhatIf } from "./what_if.tsx";
import { QuotaScreen } from "./quota.tsx";
import { PageModel, takeKey } from "./server.ts";
import { SpendScreen } from "./spend/spend.tsx";

const SCREENS = ["Now", "Quota", "Spend", "Decisions", "What if"] as const;

function Page({ model }: { readonly model: PageModel }): VNode {
  const screen = useSignal<typeof SCREENS[number]>("Now");
  const known = model.standing.value;
  if (known.kind === "waiting") {
    return (
      <main>
        <p>Asking the server…</p>
      </main>
    );
  }
  if (known.kind === "unknown_here") {
    return (
      <main>
        <h1>tc</h1>
        <p>
          This browser is not let in any more: the server has restarted, or
          twelve hours have passed without a visit. <code>tc ui</code>{" "}
          in a terminal opens the page again.
        </p>
      </main>
    );
  }
  const { status, at, lost } = known;
  const now = status.at.ms;
  document.title = `tc: ${status.verdict.color}`;
  return (
    <>
      <header>
        <h1>tc</h1>
        <nav aria-label="Screens">
          {SCREENS.map((name) => (
            <button
              key={name}
              type="button"
              aria-current={screen.value === name ? "page" : undefined}
              onClick={() => screen.value = name}
            >
              {name}
            </button>
          ))}
        </nav>
        <p class="about">
          {status.server.version}
          {status.server.newer === null ? "" : (
            <>
              {" "}
              ({status.server.newer} is out: <code>tc upgrade</code>)
            </>
          )} · policy {status.server.policy}
        </p>
      </header>
      <main class={lost === null ? "" : "old"}>
        {lost === null ? null : (
          <p role="alert" class="lost">
            No answer of the server for{" "}
            {durationText(Date.now() - at)}: these figures are old.
          </p>
        )}
        {model.fault.value === null
          ? null
          : <p role="alert" class="lost">{model.fault.value}</p>}
        <Verdict status={status} now={now} />
        {screen.value === "Now"
          ? <Now model={model} status={status} now={now} />
          : screen.value === "Quota"
          ? <QuotaScreen model={model} status={status} />
          : screen.value === "Spend"
          ? <SpendScreen model={model} />
          : screen.value === "What if"
          ? <WhatIf model={model} status={status} />
          : <Decisions status={status} now={now} />}
      </main>
    </>
  );
}

function start(): void {
  takeKey();
  const model = new PageModel();
  model.follow();
  const root = document.getElementById("app");
  if (root !== null) render(<Page model={model} />, root);
}

start();
