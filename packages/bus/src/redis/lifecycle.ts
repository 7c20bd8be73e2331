import { HebraError } from "@hebra/core";
import type { BackendListener } from "../backend.ts";
import { pollAgreement, readAgreement } from "./agreement.ts";
import { createDeadLetterReader } from "./dead-letter-reader.ts";
import { assertDurability } from "./publishing.ts";
import { scripts } from "./scripts.generated.ts";
import { noteAnswer, pause, type RedisState } from "./state.ts";
import { createWaker } from "./waker.ts";

/** Milliseconds after which a poke that nobody took ends, as notices do. */
const POKE_MS = "60000";

/** Connects, waits for the first answer, and begins to listen for work and notices. */
export async function startBackend(state: RedisState, listener: BackendListener, holder: string): Promise<void> {
  state.listener = listener;
  state.holder = holder;
  await reachServer(state);
  state.agreed = true;
  listener.health("ready");
  state.deadLetters = createDeadLetterReader(state.commands, state.run, state.roots);
  state.wakers = state.roots.map((root, partition) => partitionWaker(state, root, partition));
  void pollAgreement(state);
}

async function reachServer(state: RedisState): Promise<void> {
  const { options } = state;
  for (;;) {
    try {
      state.connected ??= await options.connect();
      state.serverVersion = await state.run.bound(() => state.commands.version());
      assertDurability(state, options.durability);
      return await readAgreement(state, true);
    } catch (error) {
      if (state.closing.signal.aborted) throw new HebraError("CLOSED", "The bus was closed before Redis answered.");
      if (!HebraError.isInstance(error) || error.code !== "UNREACHABLE") throw error;
      await pause(250);
    }
  }
}

function partitionWaker(state: RedisState, root: string, partition: number) {
  const { commands, run } = state;
  return createWaker({
    root,
    holder: state.holder,
    connect: () => commands.blocking(),
    ready: (space) => state.listener?.ready(space, partition) !== false,
    notice: (space, conversation, interrupt) => state.listener?.notice(space, conversation, interrupt),
    mark: (key) => run.script(scripts.mark, key, ["1", "0"]),
    poke: (key) => run.script(scripts.mark, key, ["!", POKE_MS]),
    heard: (error) => noteAnswer(state, error),
  });
}

/** Stops listening and closes the connections that the backend opened. */
export async function closeBackend(state: RedisState): Promise<void> {
  state.closing.abort();
  for (const waker of state.wakers) waker.close();
  for (const connection of state.waitingConnections.values()) connection.close();
  await state.connected?.close();
}
