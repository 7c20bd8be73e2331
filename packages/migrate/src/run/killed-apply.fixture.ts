import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { readPlan } from "../plan/plan.ts";
import { jsonlSource } from "../source/jsonl-source.ts";
import { applyPlan } from "./apply.ts";
import { fileJournal } from "./journal.ts";

/**
 * Applies a plan in a process of its own that ends itself by SIGKILL at the nth passage of a point; without one it ends
 * well.
 */
const [folder, point, nth] = process.argv.slice(2) as [string, string, string];
let passages = 0;
const pass = (here: string) => {
  if (here === point && ++passages === Number(nth)) process.kill(process.pid, "SIGKILL");
};

const out = join(folder, "artifacts");
const plan = readPlan(JSON.parse(readFileSync(join(out, "plan.lock.json"), "utf8")) as unknown);
const store = await sqliteStore({ path: join(folder, "desk.sqlite") });
const journal = fileJournal(join(out, "journal.jsonl"));
await applyPlan({
  plan,
  source: jsonlSource(join(folder, "old")),
  target: {
    name: store.name,
    export: (tenant, contextId) => store.export(tenant, contextId),
    async import(tenant, document) {
      pass("before-import");
      const imported = await store.import(tenant, document as never);
      pass("after-import");
      return imported;
    },
  },
  journal: {
    finished: (hash) => journal.finished(hash),
    async finish(...entry) {
      await journal.finish(...entry);
      pass("after-journal");
    },
  },
});
await store.close();
