/**
 * Which layers are in use: what the policy asks for, unless the user decided.
 *
 * @module
 */

import type { LayerSwitch, PolicyName, RouteSettings } from "./settings.ts";

export type LayerName =
  | "probeGate"
  | "tailGate"
  | "concurrencyGate"
  | "perMinuteGate"
  | "sessionCap"
  | "throttleLadder"
  | "stormRamp"
  | "parkingGate";

export type Layers = Readonly<Record<LayerName, boolean>>;

const NONE: Layers = {
  probeGate: false,
  tailGate: false,
  concurrencyGate: false,
  perMinuteGate: false,
  sessionCap: false,
  throttleLadder: false,
  stormRamp: false,
  parkingGate: false,
};

/** What each policy uses when the user leaves the layers on `auto`. */
const OWN: Readonly<Record<PolicyName, Layers>> = {
  price: {
    ...NONE,
    probeGate: true,
    tailGate: true,
    concurrencyGate: true,
    perMinuteGate: true,
    stormRamp: true,
    parkingGate: true,
  },
  pace: {
    ...NONE,
    probeGate: true,
    concurrencyGate: true,
    sessionCap: true,
    throttleLadder: true,
  },
  balance: { ...NONE, concurrencyGate: true },
  "cache-first": NONE,
  "least-used": NONE,
  scored: NONE,
};

function decided(wish: LayerSwitch, own: boolean): boolean {
  return wish === "auto" ? own : wish === "on";
}

export function layersOf(settings: RouteSettings): Layers {
  const own = OWN[settings.policy];
  return {
    probeGate: decided(settings.probeGate, own.probeGate),
    tailGate: decided(settings.tailGate, own.tailGate),
    concurrencyGate: decided(settings.concurrencyGate, own.concurrencyGate),
    perMinuteGate: decided(settings.perMinuteGate, own.perMinuteGate),
    sessionCap: decided(settings.sessionCap, own.sessionCap),
    throttleLadder: decided(settings.throttleLadder, own.throttleLadder),
    stormRamp: decided(settings.stormRamp, own.stormRamp),
    parkingGate: decided(settings.parkingGate, own.parkingGate),
  };
}
