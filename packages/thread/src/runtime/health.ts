import { errorMessage, sleep, type Clock } from "@hebra/core";
import type { Gateway } from "./gateway.ts";
import type { Scheduler } from "./scheduler.ts";
import type { RuntimeServices } from "./services.ts";
import type { Worker } from "./worker.ts";

/** One condition of a probe. */
export interface HealthCheck {
  ok: boolean;
  /** Why not, or a figure. */
  detail?: string;
}

/** What the probes of a process answer. */
export interface RuntimeHealth {
  /** False when the process should be killed: its event loop stands still, or its worker does. */
  live: boolean;
  /** False when the process should get no work: something that it needs is away, it drains, or nobody works. */
  ready: boolean;
  checks: Record<"event-loop" | "worker-loop" | "bus" | "store" | "open" | "workers", HealthCheck>;
}

const LAG_EVERY_MS = 500;
const MAX_LAG_MS = 5_000;
const STORE_TIMEOUT_MS = 2_000;
/** A worker looks round at least at every sweep. */
const MAX_IDLE_SWEEPS = 5;

export function createHealth(
  services: RuntimeServices,
  parts: { workers: readonly Worker[]; gateways: readonly Gateway[]; schedulers: readonly Scheduler[] },
  isOpen: () => boolean,
) {
  const { bus, store, clock, sweepMs } = services;
  const lag = watchLag(clock);

  async function storeCheck(): Promise<HealthCheck> {
    const stop = new AbortController();
    try {
      const late = sleep(clock, STORE_TIMEOUT_MS, stop.signal).then(() => {
        throw new Error(`no answer within ${STORE_TIMEOUT_MS} ms`);
      });
      late.catch(() => undefined);
      await Promise.race([store.load("default", { key: "hebra:probe" }), late]);
      return { ok: true };
    } catch (error) {
      return { ok: false, detail: errorMessage(error) };
    } finally {
      stop.abort();
    }
  }

  return {
    stop: () => lag.stop(),
    async read(): Promise<RuntimeHealth> {
      const workers = [...parts.workers, ...parts.gateways.flatMap(({ worker }) => worker ?? [])];
      const idleMs = Math.max(0, ...workers.map((worker) => worker.idleMs()));
      const busHealth = bus.health();
      const checks: RuntimeHealth["checks"] = {
        "event-loop": { ok: lag.worstMs() < MAX_LAG_MS, detail: `${Math.round(lag.worstMs())} ms` },
        "worker-loop": {
          ok: idleMs < sweepMs * MAX_IDLE_SWEEPS + STORE_TIMEOUT_MS,
          detail: `${Math.round(idleMs)} ms`,
        },
        bus: { ok: busHealth.ready, detail: busHealth.state },
        store: await storeCheck(),
        open: { ok: isOpen() },
        workers: { ok: parts.gateways.every((gateway) => gateway.hasWorker()) },
      };
      if (!checks.open.ok) checks.open.detail = "draining";
      if (!checks.workers.ok) checks.workers.detail = "no worker is running";
      const live = checks["event-loop"].ok && checks["worker-loop"].ok;
      return { live, ready: live && checks.bus.ok && checks.store.ok && checks.open.ok && checks.workers.ok, checks };
    },
  };
}

/** How late timers fire: the worst of the last and the present interval. */
function watchLag(clock: Clock): { worstMs(): number; stop(): void } {
  let expected = clock.monotonic() + LAG_EVERY_MS;
  let last = 0;
  let cancel = () => {};
  const tick = () => {
    last = Math.max(0, clock.monotonic() - expected);
    expected = clock.monotonic() + LAG_EVERY_MS;
    cancel = clock.after(LAG_EVERY_MS, tick);
  };
  cancel = clock.after(LAG_EVERY_MS, tick);
  return { worstMs: () => Math.max(last, clock.monotonic() - expected, 0), stop: () => cancel() };
}
