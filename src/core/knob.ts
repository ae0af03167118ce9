/**
 * How a setting of the core describes itself: default, range, one sentence.
 * The config file, `tc config`, the man page and the docs take it from here.
 *
 * @module
 */

export interface NumberKnob {
  readonly kind: "number";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly help: string;
}

export interface ChoiceKnob<T extends string = string> {
  readonly kind: "choice";
  readonly default: T;
  readonly values: readonly T[];
  readonly help: string;
}

export interface SwitchKnob {
  readonly kind: "switch";
  readonly default: boolean;
  readonly help: string;
}

export type Knob = NumberKnob | ChoiceKnob | SwitchKnob;

/** A number from `min` to `max`, both allowed. */
export function number(
  value: number,
  [min, max]: readonly [min: number, max: number],
  help: string,
): NumberKnob {
  return { kind: "number", default: value, min, max, help };
}

export function choice<T extends string>(
  value: T,
  values: readonly T[],
  help: string,
): ChoiceKnob<T> {
  return { kind: "choice", default: value, values, help };
}

export function toggle(value: boolean, help: string): SwitchKnob {
  return { kind: "switch", default: value, help };
}

type ValueOf<K> = K extends ChoiceKnob<infer T> ? T
  : K extends NumberKnob ? number
  : boolean;

/** The settings that a table of knobs describes. */
export type ValuesOf<Table> = {
  readonly [Name in keyof Table]: ValueOf<Table[Name]>;
};

/** Why `value` may not be the knob's value, in words, or null when it may. */
export function knobFault(knob: Knob, value: unknown): string | null {
  switch (knob.kind) {
    case "number": {
      const isInside = typeof value === "number" && value >= knob.min &&
        value <= knob.max;
      return isInside
        ? null
        : `it must be a number from ${knob.min} to ${knob.max}`;
    }
    case "choice":
      return typeof value === "string" && knob.values.includes(value)
        ? null
        : `it must be one of ${knob.values.join(", ")}`;
    case "switch":
      return typeof value === "boolean" ? null : "it must be true or false";
  }
}
