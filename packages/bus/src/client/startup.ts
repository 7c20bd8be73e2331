import { errorCode, HebraError } from "@hebra/core";
import { setHealth } from "./bus-health.ts";
import { assertOpen, type BusState } from "./bus-state.ts";

/** Starts the backend; its news go to the consumers and watchers of this bus. */
export function startBackend(state: BusState): void {
  const { core, consumers } = state;
  state.started = state.parts.backend.start(
    {
      ready(space, partition) {
        let hasRoom = false;
        for (const consumer of consumers) if (consumer.space === space && consumer.wake(partition)) hasRoom = true;
        return hasRoom;
      },
      willClaim(space, partition) {
        for (const consumer of consumers) if (consumer.space === space && consumer.willClaim(partition)) return true;
        return false;
      },
      notice(space, conversation, interrupt) {
        for (const listener of core.watchers.get(`${space}\n${conversation}`) ?? []) listener(interrupt);
      },
      health: (next, error) => setHealth(state, next, error),
    },
    core.holder,
  );
  state.started.then(
    () => (state.hasStarted = true),
    // What keeps a bus from starting does not pass by itself.
    (error: unknown) =>
      setHealth(state, errorCode(error) === "UPGRADE_REQUIRED" ? "upgrade-required" : "unreachable", error as Error),
  );
}

/** Resolves when the backend has answered once. @throws HebraError `CLOSED`, `UNREACHABLE` */
export async function whenOpen(state: BusState): Promise<void> {
  assertOpen(state);
  if (!state.hasStarted) await startedInTime(state);
  assertOpen(state);
}

async function startedInTime({ started, parts: { startTimeoutMs } }: BusState): Promise<void> {
  if (startTimeoutMs === undefined) return started;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new HebraError("UNREACHABLE", `The backend has not answered within ${startTimeoutMs} ms.`)),
      startTimeoutMs,
    );
  });
  await Promise.race([started, late]).finally(() => clearTimeout(timer));
}
