import { HebraError, sleep, type Clock } from "@hebra/core";
import type { ThreadStore } from "../../store/store.ts";
import { localProcesses, type LocalProcess, type ProcessState } from "../local-processes.ts";
import { phaseControl } from "../phase.ts";
import type { Steps } from "../to-local/steps.ts";

/** Milliseconds in which every live process has seen a phase and answered. */
const ALL_HAVE_ANSWERED_MS = 3_000;
/** Milliseconds that a process may take to finish what it holds. */
const ALL_HAVE_LEFT_MS = 75_000;
const LOOK_EVERY_MS = 200;
/** Unfinished turns that are counted. */
const COUNTED = 1_000;

/** What the local processes are stopped with. */
export interface Quiesced {
  steps: Steps;
  source: ThreadStore;
  clock: Clock;
  drainMs: number;
  signal: AbortSignal | undefined;
}

/** Pauses the intake of the local processes, waits for their turns, and stops them. */
export async function quiesce({ steps, source, clock, drainMs, signal }: Quiesced): Promise<void> {
  const phase = phaseControl(source, clock);
  const before = await phase.read();
  let stopped = before.phase === "stopped";
  let everyoneIsKnown = false;
  try {
    await steps.run("pause", async () => {
      if (stopped) return "it was paused before";
      await phase.write("paused");
      const count = await everyProcess("paused");
      return count === 0 ? "no local process is running" : `${count} local processes take in nothing new`;
    });
    await steps.run("drain", async (say) => (stopped ? "it was drained before" : drain(say)));
    await steps.run("stop", async () => {
      if (!stopped) {
        stopped = true;
        await phase.write("stopped");
      }
      await everyProcess("stopped");
      return "no local process works";
    });
  } catch (error) {
    // Nothing was moved: the local processes continue.
    if (!stopped) await phase.write("open").catch(() => undefined);
    throw error;
  }

  /** Those that have answered since the intake was paused. @returns how many */
  async function everyProcess(state: ProcessState): Promise<number> {
    const { at, since } = await phase.read();
    const startedAt = clock.monotonic();
    for (;;) {
      const live = await answered(since);
      const late = live.filter((one) => !hasReached(one, state));
      // Every live process needs time to look. Those that have answered are known from then on.
      everyoneIsKnown ||= clock.now() - at >= ALL_HAVE_ANSWERED_MS;
      if (late.length === 0 && everyoneIsKnown) return live.length;
      if (clock.monotonic() - startedAt > Math.min(ALL_HAVE_LEFT_MS, steps.left())) throw stillWorks(late[0]!);
      await sleep(clock, LOOK_EVERY_MS, signal);
    }
  }

  async function answered(since: number): Promise<LocalProcess[]> {
    return (await localProcesses(source, clock).list()).filter(({ at }) => at >= since);
  }

  async function drain(say: (text: string) => void): Promise<string> {
    const startedAt = clock.monotonic();
    let seen = "";
    for (;;) {
      const figures = await unfinished(source, clock);
      if (figures === undefined) return "every turn has ended and every reply was sent";
      const live = await answered((await phase.read()).since);
      if (live.length === 0 || clock.monotonic() - startedAt > drainMs) return `${figures}: they are moved`;
      if (figures !== seen) say((seen = figures));
      await sleep(clock, LOOK_EVERY_MS, signal);
    }
  }
}

const order: readonly ProcessState[] = ["open", "paused", "stopped"];
const hasReached = (one: LocalProcess, state: ProcessState) => order.indexOf(one.state) >= order.indexOf(state);

async function unfinished(source: ThreadStore, clock: Clock): Promise<string | undefined> {
  const before = clock.now() + 1;
  const turns = await source.system().sweep({ before, limit: COUNTED });
  const replies = await source.system().outbox({ before, limit: COUNTED });
  if (turns.length === 0 && replies.length === 0) return undefined;
  return `${turns.length} conversations have unfinished turns, ${replies.length} replies are unsent`;
}

function stillWorks({ pid, host, state }: LocalProcess): HebraError {
  return new HebraError(
    "TIMEOUT",
    `The local process ${pid} on ${host} is still ${state} after ${ALL_HAVE_LEFT_MS} ms. End it, and run this again.`,
    { details: { pid, host, state } },
  );
}
