import { HebraError } from "@hebra/core";
import type { Bus } from "@hebra/bus";
import type { ThreadStore } from "../store/store.ts";

/** Whether other processes see the same bus. One that has to be reached can be waited for; the local one cannot. */
export function isShared(bus: Bus): boolean {
  return typeof (bus as { ready?: unknown }).ready === "function";
}

/**
 * Refuses what would run, and lose or mix up conversations.
 *
 * @throws HebraError `UNSUPPORTED`
 */
export function assertSafe(mix: {
  busIsLocal: boolean;
  locksGiven: boolean;
  store: ThreadStore["scope"];
  workers: number;
  oneHost: boolean;
}): void {
  const { busIsLocal, locksGiven, store, workers, oneHost } = mix;
  const refuse = (message: string) => {
    throw new HebraError("UNSUPPORTED", message, { details: { ...mix } });
  };
  if (busIsLocal && workers > 1)
    refuse(`A local bus serves one process, and ${workers} workers are declared. Use a shared bus, or one worker.`);
  if (busIsLocal) return;
  if (!locksGiven)
    refuse("A shared bus with local locks would elect a leader in every process. Pass shared `locks` too.");
  if (workers <= 1) return;
  if (store === "process")
    refuse(`${workers} workers cannot share a store that lives in one process. Use a shared store, or one worker.`);
  if (store === "host" && !oneHost)
    refuse(
      `${workers} workers cannot share a store of one host unless all run there. Use a shared store, or say \`oneHost: true\`.`,
    );
}
