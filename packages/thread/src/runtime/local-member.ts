import { errorMessage, type Clock, type Logger } from "@hebra/core";
import type { ThreadStore } from "../store/store.ts";
import { localProcesses, type ProcessState } from "./local-processes.ts";
import type { Phase } from "./phase.ts";

/** Tells a move of its store how far this process has followed the phase. Without a move it writes nothing. */
export interface LocalMember {
  /** An intake is open: the process counts as paused only after all of them have closed. */
  showIntake(): { close(): Promise<void> };
  /** The phase has changed. */
  follow(phase: Phase): Promise<void>;
  /** Nothing runs any more, and all that waited is in the store. */
  stopped(): Promise<void>;
  close(): Promise<void>;
}

export function localMember(options: { store: ThreadStore; clock: Clock; logger: Logger; id: string }): LocalMember {
  const { store, clock, logger, id } = options;
  const processes = localProcesses(store, clock);
  let writing: Promise<void> = Promise.resolve();
  let phase: Phase = "open";
  let reported: ProcessState | undefined;
  let intakes = 0;

  const write = (work: () => Promise<void>): Promise<void> =>
    (writing = writing.then(work).catch((error: unknown) =>
      logger.warn("This process could not be reported to its store; a move waits for it.", {
        error: errorMessage(error),
      }),
    ));
  function report(state: ProcessState): Promise<void> {
    if (reported === state || reported === "stopped") return writing;
    reported = state;
    return write(() => processes.report(id, state));
  }
  const reportIntakes = () => report(intakes === 0 ? "paused" : "open");

  return {
    showIntake() {
      intakes++;
      let open = true;
      return {
        async close() {
          if (!open) return;
          open = false;
          intakes--;
          if (phase !== "open") await reportIntakes();
        },
      };
    },
    async follow(next) {
      phase = next;
      if (next !== "open") return reportIntakes();
      reported = undefined;
    },
    stopped: () => report("stopped"),
    async close() {
      if (reported !== undefined) await write(() => processes.remove(id));
    },
  };
}
