import type { BusHealth } from "./bus-reports.ts";
import type { BusCore } from "./bus-core.ts";

/** Milliseconds for which a process stays unready after it met what it cannot read. */
const NEWER_MEMORY_MS = 30_000;

/** What the backend last reported about itself. */
export interface BackendHealth {
  readonly state: "ready" | "unreachable" | "upgrade-required";
  readonly error?: Error;
}

/** What a bus keeps about its health. */
export interface HealthState {
  readonly core: Pick<BusCore, "clock" | "emit">;
  readonly closing: AbortController;
  draining: boolean;
  backendHealth: BackendHealth;
  /** Monotonic time at which a message of a newer version was met last. */
  newerSeenAt: number;
}

/** Whether this process can serve, and why not. */
export function healthOf({ closing, backendHealth, draining }: HealthState): BusHealth {
  const state = closing.signal.aborted
    ? "closed"
    : backendHealth.state !== "ready"
      ? backendHealth.state
      : draining
        ? "draining"
        : "ready";
  return {
    ready: state === "ready",
    state,
    ...(backendHealth.error === undefined ? {} : { error: backendHealth.error }),
  };
}

/** Records what the backend reports, and emits the change. */
export function setHealth(state: HealthState, next: BackendHealth["state"], error?: Error): void {
  const { clock } = state.core;
  const { backendHealth } = state;
  if (next === "upgrade-required") state.newerSeenAt = clock.monotonic();
  // A message of a newer version stays in its mailbox and is met again: one good answer does not mean that it is gone.
  else if (backendHealth.state === "upgrade-required" && clock.monotonic() - state.newerSeenAt < NEWER_MEMORY_MS)
    return;
  if (backendHealth.state === next && (next !== "unreachable" || backendHealth.error === error)) return;
  state.backendHealth = { state: next, ...(error === undefined ? {} : { error }) };
  state.core.emit?.({ type: "health-changed", health: healthOf(state) });
}
