import { hostname } from "node:os";
import { errorCode, type Clock, type JsonObject, type JsonValue } from "@hebra/core";
import * as z from "zod";
import type { ThreadStore } from "../store/store.ts";
import { ownThread } from "./own-thread.ts";

/** How far a local process has followed the phase. */
export type ProcessState = "open" | "paused" | "stopped";

/** A process with a local bus over a durable store, as it last reported. */
export interface LocalProcess {
  id: string;
  host: string;
  pid: number;
  state: ProcessState;
  /** When it reported, in milliseconds since the epoch. */
  at: number;
}

/** The key of the thread that lists them. A move leaves it behind. */
export const processesKey = "runtime:processes";

/** Entries that are kept: a crash leaves one behind. */
const MAX_PROCESSES = 50;
const ATTEMPTS = 20;
const stored = z.object({
  processes: z.array(
    z.object({
      id: z.string(),
      host: z.string(),
      pid: z.number(),
      state: z.enum(["open", "paused", "stopped"]),
      at: z.number(),
    }),
  ),
});
const read = (state: JsonValue | undefined): LocalProcess[] => stored.safeParse(state).data?.processes ?? [];

/**
 * Local locks end at their process. So local processes report in the store, which they share with a move, as soon as
 * they see that the phase is no longer `open`.
 */
export function localProcesses(store: ThreadStore, clock: Clock) {
  const thread = ownThread(store, processesKey, () => clock.now());

  async function change(edit: (processes: LocalProcess[]) => LocalProcess[]): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const { fence, state } = await thread.open();
      const processes = edit(read(state).filter((one) => !hasEnded(one)));
      try {
        return await thread.write(fence, { processes: processes.slice(-MAX_PROCESSES) } as unknown as JsonObject);
      } catch (error) {
        // Another process has written in between.
        if (errorCode(error) !== "VERSION_CONFLICT" || attempt === ATTEMPTS) throw error;
      }
    }
  }

  return {
    list: async (): Promise<LocalProcess[]> => read((await thread.read())?.state).filter((one) => !hasEnded(one)),
    report: (id: string, state: ProcessState): Promise<void> =>
      change((processes) => [
        ...processes.filter((one) => one.id !== id),
        { id, host: hostname(), pid: process.pid, state, at: clock.now() },
      ]),
    remove: (id: string): Promise<void> => change((processes) => processes.filter((one) => one.id !== id)),
  };
}

/** Whether a process is known to be gone: only for those of this host can that be told. */
function hasEnded({ host, pid }: LocalProcess): boolean {
  if (host !== hostname()) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
