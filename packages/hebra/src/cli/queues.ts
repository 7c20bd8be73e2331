import { exitCodes, wholeNumber, type Report } from "@hebra/cli-kit";
import { errorCode, sleep, systemClock } from "@hebra/core";
import type { BusStats } from "@hebra/bus";
import type { CliOptions } from "./options.ts";
import { withBus } from "./shared-bus.ts";

/** Milliseconds between two looks of `hebra drain`. */
const LOOK_EVERY_MS = 200;

const isEmpty = ({ inbound, outbound }: BusStats) =>
  [inbound, outbound].every(({ depth, inFlight, delayed }) => depth + inFlight + delayed === 0);

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** `hebra stats` */
export function stats(options: CliOptions): Promise<Report> {
  return withBus(options, async (bus) => {
    const found = await bus.stats();
    const line = (name: "inbound" | "outbound") => {
      const { depth, oldestAgeMs, oldestWaitingAgeMs, inFlight, delayed, parked, scheduled } = found[name];
      return `${name.padEnd(10)}depth ${depth}  oldest ${seconds(oldestAgeMs)}  waiting ${seconds(oldestWaitingAgeMs)}  in flight ${inFlight}  delayed ${delayed}  parked ${parked}  scheduled ${scheduled}`;
    };
    return { report: found, text: `${line("inbound")}\n${line("outbound")}\ndead letters ${found.dead}` };
  });
}

/** `hebra drain` */
export async function drain(options: CliOptions, signal: AbortSignal): Promise<Report> {
  const deadlineMs = wholeNumber("deadline", options.deadline, 30_000);
  return withBus(options, async (bus) => {
    const startedAt = performance.now();
    let found: BusStats | undefined;
    for (;;) {
      // A server that goes away meanwhile may come back in time.
      found = await bus.stats().catch((error: unknown) => {
        if (errorCode(error) !== "UNREACHABLE") throw error;
        return found;
      });
      const ms = Math.round(performance.now() - startedAt);
      if (found !== undefined && isEmpty(found)) return { report: { empty: true, ms }, text: `empty after ${ms} ms` };
      if (ms >= deadlineMs || signal.aborted) {
        return {
          report: { empty: false, ms, stats: found },
          text: `not empty after ${ms} ms: ${found?.inbound.depth ?? "?"} inbound, ${found?.outbound.depth ?? "?"} outbound`,
          exitCode: exitCodes.unfinished,
        };
      }
      await sleep(systemClock, LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  });
}
