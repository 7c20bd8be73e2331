import { HebraError, type Clock } from "@hebra/core";
import type { MoveProgress, MoveStep } from "./types.ts";

/** Runs the steps of a move, tells how far they are, and keeps to its time. */
export interface Steps {
  /** @param work - told what to say while it goes on; what it returns is said at its end */
  run(step: MoveStep, work: (say: (text: string) => void) => Promise<string>): Promise<void>;
  /** Milliseconds that are left. @throws HebraError `TIMEOUT`, `ABORTED` */
  left(): number;
  readonly done: { step: MoveStep; ms: number }[];
  ms(): number;
}

export function createSteps(options: {
  clock: Clock;
  deadlineMs: number;
  signal: AbortSignal | undefined;
  onProgress: (progress: MoveProgress) => void;
}): Steps {
  const { clock, deadlineMs, signal, onProgress } = options;
  const startedAt = clock.monotonic();
  const done: Steps["done"] = [];
  const passed = (since: number) => Math.round(clock.monotonic() - since);
  const steps: Steps = {
    done,
    ms: () => passed(startedAt),
    left() {
      if (signal?.aborted === true)
        throw new HebraError("ABORTED", "The move was broken off.", { cause: signal.reason });
      const ms = deadlineMs - (clock.monotonic() - startedAt);
      if (ms <= 0)
        throw new HebraError(
          "TIMEOUT",
          `The move has not come to its end within ${deadlineMs} ms. Run it again: it goes on where it stopped.`,
          { details: { deadlineMs } },
        );
      return ms;
    },
    async run(step, work) {
      const since = clock.monotonic();
      steps.left();
      onProgress({ step, state: "begun", ms: 0, text: "" });
      const text = await work((going) => {
        steps.left();
        onProgress({ step, state: "going", ms: passed(since), text: going });
      });
      done.push({ step, ms: passed(since) });
      onProgress({ step, state: "done", ms: passed(since), text });
    },
  };
  return steps;
}
