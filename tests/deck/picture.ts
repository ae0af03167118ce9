/** A frame of the Deck as an SVG picture, for the README. */

import { type Frame, SELECTED } from "../../src/deck/terminal/frame.ts";
import { STYLES } from "../../src/deck/terminal/line.ts";
import { COLORS_RGB } from "../../src/deck/terminal/theme.ts";

const CELL = 8.4;
const LINE = 18;
const EDGE = 14;

/** What GitHub's pages look like in either mode. */
const MODES = {
  light: { back: "#ffffff", front: "#1f2328", dim: "#6e7781", rim: "#d0d7de" },
  dark: { back: "#0d1117", front: "#e6edf3", dim: "#8b949e", rim: "#30363d" },
} as const;

export type PictureMode = keyof typeof MODES;

/** Returns `frame` as SVG. Each run of one style is placed at its column. */
export function picture(frame: Frame, mode: PictureMode): string {
  const { back, front, dim, rim } = MODES[mode];
  const width = Math.ceil(frame.columns * CELL + 2 * EDGE);
  const height = frame.rows * LINE + 2 * EDGE;
  const rows = Array.from({ length: frame.rows }, (_, row) => runs(frame, row));
  const lines = rows.flatMap((found, row) =>
    found.map(({ column, text, style }) => {
      const name = STYLES[style % SELECTED] ?? "plain";
      const rgb = COLORS_RGB[name];
      const fill = rgb !== undefined
        ? `rgb(${lighter(rgb, mode).join(",")})`
        : name === "dim" || name === "title"
        ? dim
        : front;
      const weight = name === "strong" || name === "bad"
        ? ' font-weight="600"'
        : "";
      const x = (EDGE + column * CELL).toFixed(1);
      const y = EDGE + row * LINE + 13;
      return `<text x="${x}" y="${y}" fill="${fill}"${weight}>${
        escaped(text)
      }</text>`;
    })
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" ` +
    `viewBox="0 0 ${width} ${height}" role="img" aria-label="The Deck of tc">`,
    `<rect x="0.5" y="0.5" width="${width - 1}" height="${
      height - 1
    }" rx="8" ` +
    `fill="${back}" stroke="${rim}"/>`,
    `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" ` +
    `font-size="14" xml:space="preserve">`,
    ...lines,
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

interface Run {
  readonly column: number;
  readonly text: string;
  readonly style: number;
}

/** Wide characters and blanks end a run, so that columns stay in line. */
function runs(frame: Frame, row: number): readonly Run[] {
  const found: Run[] = [];
  let isOpen = false;
  for (let column = 0; column < frame.columns; column++) {
    const at = row * frame.columns + column;
    const text = frame.text[at] ?? " ";
    const style = frame.style[at] ?? 0;
    if (text === "") continue;
    const isWide = frame.text[at + 1] === "" && column + 1 < frame.columns;
    const last = found.at(-1);
    if (text === " ") isOpen = false;
    else if (!isOpen || isWide || last === undefined || last.style !== style) {
      found.push({ column, text, style });
      isOpen = !isWide;
    } else found[found.length - 1] = { ...last, text: last.text + text };
  }
  return found;
}

/** The theme's hues read on black and on white; on dark they gain from more light. */
function lighter(
  rgb: readonly [number, number, number],
  mode: PictureMode,
): readonly number[] {
  if (mode === "light") return rgb;
  return rgb.map((part) =>
    Math.min(255, Math.round(part + (255 - part) * 0.35))
  );
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
}
