import { HebraError, sleep, systemClock } from "@hebra/core";
import type { Bus, BusStats } from "@hebra/bus";
import { parseRuntimeConfig } from "@hebra/thread/runtime";
import { loadConfig } from "./app.ts";
import { exitCodes } from "./commands.ts";
import type { CliOptions, Report } from "./run-command.ts";
import { number } from "./run-process.ts";

/** Milliseconds between two looks of `hebra drain`. */
const LOOK_EVERY_MS = 200;

/** The shared bus of a configuration. @throws HebraError `INVALID_OPTIONS` for a local one, which no other process can see */
async function withBus<T>(options: CliOptions, use: (bus: Bus) => Promise<T>): Promise<T> {
  const { bus: settings } = parseRuntimeConfig(await loadConfig(options.config));
  if (settings.backend === "local") throw new HebraError("INVALID_OPTIONS", "The bus of this configuration is local: it lives inside its own process, whose /stats answers. Pass the --config of a shared one.");
  const { redisBus } = await import("@hebra/bus/redis");
  const bus = redisBus({ url: settings.url!, ...(settings.namespace === undefined ? {} : { namespace: settings.namespace }) });
  try {
    await bus.ready();
    return await use(bus);
  } finally {
    await bus.close();
  }
}

const isEmpty = ({ inbound, outbound }: BusStats) => [inbound, outbound].every(({ depth, inFlight, delayed }) => depth + inFlight + delayed === 0);

/** `hebra stats` */
export function stats(options: CliOptions): Promise<Report> {
  return withBus(options, async (bus) => {
    const found = await bus.stats();
    const line = (name: "inbound" | "outbound") => {
      const { depth, oldestAgeMs, inFlight, delayed, parked, scheduled } = found[name];
      return `${name.padEnd(10)}depth ${depth}  oldest ${(oldestAgeMs / 1000).toFixed(1)} s  in flight ${inFlight}  delayed ${delayed}  parked ${parked}  scheduled ${scheduled}`;
    };
    return { report: found, text: `${line("inbound")}\n${line("outbound")}\ndead letters ${found.dead}` };
  });
}

/** `hebra drain` */
export function drain(options: CliOptions, signal: AbortSignal): Promise<Report> {
  const deadlineMs = number("deadline", options.deadline, 30_000);
  return withBus(options, async (bus) => {
    const startedAt = performance.now();
    for (;;) {
      const found = await bus.stats();
      const ms = Math.round(performance.now() - startedAt);
      if (isEmpty(found)) return { report: { empty: true, ms }, text: `empty after ${ms} ms` };
      if (ms >= deadlineMs || signal.aborted) {
        return { report: { empty: false, ms, stats: found }, text: `not empty after ${ms} ms: ${found.inbound.depth} inbound, ${found.outbound.depth} outbound`, exitCode: exitCodes.unfinished };
      }
      await sleep(systemClock, LOOK_EVERY_MS, signal).catch(() => undefined);
    }
  });
}

/** `hebra dead-letters` */
export function deadLetters(options: CliOptions): Promise<Report> {
  return withBus(options, async ({ deadLetters: letters }) => {
    const { show, replay, discard } = options;
    const id = replay ?? discard ?? show;
    if (id === undefined) {
      const { letters: found, cursor } = await letters.list({ limit: Math.max(1, number("limit", options.limit, 50)) });
      const lines = found.map((letter) => `${letter.id}  ${new Date(letter.at).toISOString()}  ${letter.direction}  ${letter.tenant}/${letter.session}  ${letter.cause} after ${letter.attempts}  ${letter.signature.code}`);
      return { report: { letters: found, ...(cursor === undefined ? {} : { cursor }) }, text: lines.length === 0 ? "no dead letters" : lines.join("\n") };
    }
    if (show !== undefined && replay === undefined && discard === undefined) {
      const letter = await letters.get(id);
      if (letter !== undefined) return { report: letter, text: JSON.stringify(letter, null, 2) };
    } else if (replay !== undefined ? await letters.replay(id) : await letters.discard(id)) {
      const done = replay !== undefined ? "replayed" : "discarded";
      return { report: { id, done }, text: `${done} ${id}` };
    }
    throw new HebraError("INVALID_OPTIONS", `There is no dead letter ${id}.`);
  });
}
