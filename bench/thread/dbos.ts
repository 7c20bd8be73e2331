import { DBOS } from "@dbos-inc/dbos-sdk";
import type { Kind } from "./subject.ts";
import { nextMove, RESULT } from "./workload.ts";

const model = async (pairs: number, results: number) => nextMove(pairs, results);
const look = async () => RESULT;

async function turn(pairs: number): Promise<string> {
  for (let results = 0; ; results++) {
    const move = await DBOS.runStep(() => model(pairs, results), { name: "model" });
    if ("text" in move) return move.text;
    await DBOS.runStep(look, { name: "look" });
  }
}

// Registered once a process, whatever is opened afterwards.
let registered: ((pairs: number) => Promise<string>) | undefined;

/** DBOS: each turn a workflow, each model call and each action a step. It has no threads; histories are left out. */
export const dbos: Kind = {
  home: "postgres",
  async open({ at }) {
    DBOS.setConfig({ name: "bench", systemDatabaseUrl: at, runAdminServer: false, logLevel: "error" });
    registered ??= DBOS.registerWorkflow(turn, { name: "turn" });
    await DBOS.launch();
    const run = registered;
    const turns = new Map<string, number>();
    return {
      async turn(thread, trigger, pairs) {
        const handle = await DBOS.startWorkflow(run, { workflowID: `${thread}/${trigger}` })(pairs);
        await handle.getResult();
        turns.set(thread, (turns.get(thread) ?? 0) + 1);
      },
      turns: async (thread) => turns.get(thread) ?? 0,
      close: () => DBOS.shutdown(),
    };
  },
};
