import { HebraError } from "@hebra/core";
import type { Engine, EngineOptions } from "./api.ts";
import { createEngineCore, find, handleOf, tenantOf, whatIsOpen } from "./engine-core.ts";
import type { TurnHandle } from "./handle.ts";
import { outcomeQuestionId } from "./turn/outcome-question.ts";
import { approve, deny } from "./verbs/approvals.ts";
import { cancel } from "./verbs/cancel.ts";
import { conversation } from "./verbs/conversation.ts";
import { compare, fork } from "./verbs/lines.ts";
import { enqueue, react } from "./verbs/react.ts";
import { health } from "./verbs/health.ts";
import { history } from "./verbs/history.ts";
import { recover, resume } from "./verbs/recover.ts";

/**
 * Puts an engine together.
 *
 * @throws HebraError `INVALID_OPTIONS`
 *
 * @example
 * ```ts
 * import { createEngine, defineThread } from "@hebra/thread";
 * import { scriptedReactor } from "@hebra/thread/reactor";
 * import { memoryStore } from "@hebra/thread/store/memory";
 *
 * const hello = defineThread({ name: "hello", reactor: scriptedReactor({ steps: [{ text: "Hello." }], repeatLast: true
 * }) });
 * const engine = createEngine({ store: memoryStore(), threads: [hello] });
 * const turn = await engine.react(hello, { id: "message-1", text: "Hi" }, { address: { key: "customer-7" } });
 * console.log((await turn.result).text); // Hello.
 * ```
 */
export function createEngine(options: EngineOptions): Engine {
  const core = createEngineCore(options, recover);
  const { driver, closing, locks } = core;
  const engine: Engine = {
    react: async (definition, trigger, at) => typed(await react(core, definition, trigger, at)),
    thread: (definition, address) => conversation(engine, definition, address, () => whatIsOpen(core, address)),
    resume: (address, { lease } = {}) => resume(core, address, lease),
    enqueue: async (definition, trigger, at) => typed(await enqueue(core, definition, trigger, at)),
    follow: (executionId, at) => handleOf(core, tenantOf(at), executionId, false),
    cancel: (executionId, at = {}) => cancel(core, executionId, at),
    approve: (approvalId, at = {}) => approve(core, approvalId, at),
    async provideResult(callRowId, output, at = {}) {
      await approve(core, outcomeQuestionId(callRowId), { ...at, output });
    },
    deny: (approvalId, at = {}) => deny(core, approvalId, at),
    history: (address, which) => history(core, address, which),
    context: async (address) => (await find(core, address)).context,
    fork: (address, at) => fork(core, address, at),
    compare: (left, right) => compare(core, left, right),
    recover: (which) => recover(core, which),
    health: () => health(core),
    async idle() {
      await core.sweeper.idle();
      await driver.idle();
    },
    async close() {
      closing.abort(new HebraError("CLOSED", "The engine was closed."));
      await core.sweeper.idle();
      await driver.idle();
      if (options.locks === undefined) await locks.close();
    },
  };
  return engine;
}

/** The output was checked by the schema that its type is of. */
const typed = <Output>(handle: TurnHandle): TurnHandle<Output> => handle as TurnHandle<Output>;
