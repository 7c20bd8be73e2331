// A turn on a SQLite file that is cut off by SIGKILL in the middle of an action, and resumed by another process. It
// runs in a project that has the packed packages:
//   node crash.mjs cut-off|resume FILE
import { appendFileSync, readFileSync } from "node:fs";
import { createEngine, defineAction, defineThread } from "@hebra/thread";
import { scriptedReactor } from "@hebra/thread/reactor";
import { sqliteStore } from "@hebra/thread/store/sqlite";

const [what, path] = process.argv.slice(2);
const events = `${path}.events`;
const note = (/** @type {string} */ event) => appendFileSync(events, `${event}\n`);

/** Any Standard Schema will do; a validator is no dependency of this project. */
const order = {
  "~standard": {
    version: /** @type {const} */ (1),
    vendor: "none",
    validate: (/** @type {unknown} */ value) => ({ value: /** @type {{ number: string }} */ (value) }),
    jsonSchema: {
      input: () => ({ type: "object", properties: { number: { type: "string" } }, required: ["number"] }),
      output: () => ({ type: "object", properties: { number: { type: "string" } }, required: ["number"] }),
    },
  },
};

const desk = defineThread({
  name: "desk",
  actions: {
    find_order: defineAction({
      description: "Finds an order by its number.",
      input: order,
      effect: "read",
      execute({ number }) {
        note("look");
        if (what === "cut-off") process.kill(process.pid, "SIGKILL");
        return { number, status: "shipped" };
      },
    }),
  },
  reactor: scriptedReactor({
    steps: [
      () => {
        note("model 1");
        return { actions: [{ name: "find_order", input: { number: "A-7" } }] };
      },
      () => {
        note("model 2");
        return { text: "It has shipped." };
      },
    ],
  }),
});

const store = await sqliteStore({ path });
const engine = createEngine({ store, threads: [desk] });
if (what === "cut-off") {
  const turn = await engine.react(desk, { id: "m1", text: "Where is A-7?" }, { address: { key: "customer-42" } });
  await turn.result;
} else {
  const recovered = await engine.recover({ olderThanMs: -1 });
  await engine.idle();
  // The same message again is the same turn.
  const turn = await engine.react(desk, { id: "m1", text: "Where is A-7?" }, { address: { key: "customer-42" } });
  const { status, text } = await turn.result;
  const seen = readFileSync(events, "utf8").trim().split("\n");
  process.stdout.write(JSON.stringify({ node: process.versions.node, recovered, status, text, seen }));
}
await engine.close();
await store.close();
