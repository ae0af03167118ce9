/**
 * What each key does while a panel is open.
 *
 * @module
 */

import type { PressedKey } from "../terminal/keys.ts";
import { scrollEnd } from "../panels/overlay.ts";
import { sceneOf } from "../scene.ts";
import type { Effect, Model, Overlay } from "../model.ts";
import {
  askHandOver,
  askName,
  askPin,
  askPolicy,
  askPriority,
  askQuit,
  askRemove,
  askToggle,
} from "./questions.ts";

type Update = readonly [model: Model, effects: readonly Effect[]];

/** Longest name that can be typed. */
const NAME_MAX = 64;

export function overlayKey(
  model: Model,
  overlay: Overlay,
  key: PressedKey,
): Update {
  switch (overlay.kind) {
    case "help":
      return helpKey(model, overlay, key);
    case "confirm":
      return confirmKey(model, overlay, key);
    case "choose":
      return [chooseKey(model, overlay, key), []];
    case "write":
      return writeKey(model, overlay, key);
    case "read":
      return [readKey(model, overlay, key), []];
  }
}

function closed(model: Model): Model {
  return { ...model, overlay: null };
}

function isBack(key: PressedKey): boolean {
  return key.kind === "named" &&
    (key.name === "escape" || key.name === "interrupt");
}

/**
 * Returns -1 for up, 1 for down, by arrows or letters; 0 for every other key.
 */
function step(key: PressedKey): number {
  if (key.kind === "char") {
    return key.text === "j" ? 1 : key.text === "k" ? -1 : 0;
  }
  return key.name === "down" ? 1 : key.name === "up" ? -1 : 0;
}

function helpKey(
  model: Model,
  overlay: Overlay & { readonly kind: "help" },
  key: PressedKey,
): Update {
  if (key.kind === "char" && key.text === "q") return askQuit(closed(model));
  return [readKey(model, overlay, key), []];
}

function confirmKey(
  model: Model,
  overlay: Overlay & { readonly kind: "confirm" },
  key: PressedKey,
): Update {
  if (key.kind === "char" && (key.text === "y" || key.text === "Y")) {
    return [closed(model), [overlay.effect]];
  }
  const isNo = key.kind === "char" && (key.text === "n" || key.text === "N");
  return [isNo || isBack(key) ? closed(model) : model, []];
}

function chooseKey(
  model: Model,
  overlay: Overlay & { readonly kind: "choose" },
  key: PressedKey,
): Model {
  if (isBack(key)) return closed(model);
  if (key.kind === "char" && key.text === "q") return closed(model);
  // In this menu `k` means "API key", so up works only by its arrow.
  const isLetter = overlay.what === "accounts" && key.kind === "char" &&
    key.text === "k";
  const by = isLetter ? 0 : step(key);
  if (by !== 0) {
    const last = overlay.choices.length - 1;
    const at = Math.max(0, Math.min(last, overlay.at + by));
    return { ...model, overlay: { ...overlay, at } };
  }
  if (overlay.what === "accounts" && key.kind === "char") {
    return accountsKey(
      model,
      overlay.choices[overlay.at]?.id ?? null,
      key.text,
    );
  }
  const isEnter = key.kind === "named" && key.name === "enter";
  const choice = overlay.choices[overlay.at];
  if (!isEnter || choice === undefined) return model;
  switch (overlay.what) {
    case "pin":
    case "accounts":
      return askPin(model, choice.id);
    case "policy":
      return askPolicy(model, choice.id);
    case "remove":
      return askRemove(model, choice.id);
  }
}

/**
 * The seed's letters: l, i, k add an account; n, t, d change the chosen one.
 */
function accountsKey(
  model: Model,
  label: string | null,
  letter: string,
): Model {
  switch (letter) {
    case "l":
      return askHandOver(model, {
        title: "Log in",
        lines: ["tc login takes the terminal and opens the browser."],
      }, ["login"]);
    case "i":
      return askHandOver(model, {
        title: "Import",
        lines: ["tc import shows what it finds and asks before it takes it."],
      }, ["import"]);
    case "k":
      return askHandOver(model, {
        title: "Add an API key",
        lines: ["tc login --api takes the terminal and asks for the key."],
      }, ["login", "--api"]);
  }
  if (label === null) return model;
  switch (letter) {
    case "n":
      return askName(model, label);
    case "t":
      return askToggle(model, label);
    case "+":
    case "-":
      return askPriority(model, label, letter === "+" ? 1 : -1);
    case "d":
    case "r":
      return askRemove(model, label);
    case "s":
      return askPin(model, label);
    default:
      return model;
  }
}

function writeKey(
  model: Model,
  overlay: Overlay & { readonly kind: "write" },
  key: PressedKey,
): Update {
  const { text, account } = overlay;
  const written = (next: string): Update => [
    { ...model, overlay: { ...overlay, text: next } },
    [],
  ];
  if (key.kind === "char") {
    return text.length >= NAME_MAX ? [model, []] : written(text + key.text);
  }
  switch (key.name) {
    case "enter": {
      const label = text.trim();
      if (label === "" || label === account) return [closed(model), []];
      return [closed(model), [{ kind: "rename", account, label }]];
    }
    case "backspace":
      return written([...text].slice(0, -1).join(""));
    case "clear":
      return written("");
    default:
      return [isBack(key) ? closed(model) : model, []];
  }
}

function readKey(
  model: Model,
  overlay: Overlay & { readonly kind: "read" | "help" },
  key: PressedKey,
): Model {
  const by = step(key) || PAGES[key.kind === "named" ? key.name : ""];
  if (by === undefined) return closed(model);
  const end = scrollEnd(sceneOf(model));
  const from = Math.max(0, Math.min(end, overlay.from + by));
  return { ...model, overlay: { ...overlay, from } };
}

/** Lines that a page key scrolls by. */
const PAGES: Readonly<Record<string, number>> = {
  page_up: -10,
  page_down: 10,
  home: -Infinity,
  end: Infinity,
};
