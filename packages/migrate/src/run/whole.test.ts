import { rmSync } from "node:fs";
import { join } from "node:path";
import { scriptedReactor } from "@hebra/reactor";
import { createEngine, defineThread } from "@hebra/thread";
import { sqliteStore } from "@hebra/thread/store/sqlite";
import { describe, expect, it } from "vitest";
import { dialogueTables, hasDialogues, writeTables } from "../story-to-thread/legacy-rows.fixture.ts";
import { wholeRun } from "./whole-run.fixture.ts";

const { folder, cli } = wholeRun();

describe.skipIf(!hasDialogues)("the shared dialogues (need ../shared/data)", () => {
  it(
    "move into SQLite whole: verify is green and a second apply changes nothing; a new turn works on a moved thread",
    { timeout: 900_000 },
    async () => {
      writeTables(join(folder(), "old"), await dialogueTables());
      expect(await cli("plan")).toMatchObject({
        contexts: { count: 2098 },
        expected: { items: 38_768, executions: 19_384, calls: 6_027 },
        rejects: { count: 0 },
      });
      expect(await cli("apply")).toMatchObject({ changed: 2098 });
      rmSync(join(folder(), "artifacts/journal.jsonl"));
      expect(await cli("apply")).toMatchObject({ changed: 0, unchanged: 2098 });
      expect(await cli("verify")).toMatchObject({
        ok: true,
        found: { items: 38_768, executions: 19_384, calls: 6_027 },
      });

      const store = await sqliteStore({ path: join(folder(), "desk.sqlite") });
      const seen: number[] = [];
      const desk = defineThread({
        name: "desk",
        reactor: scriptedReactor({
          steps: [
            (input) => {
              seen.push(input.transcript.length);
              return { text: "Welcome back." };
            },
          ],
          repeatLast: true,
        }),
      });
      const engine = createEngine({ store, threads: [desk] });
      const result = await (
        await engine.react(desk, { id: "again", text: "Me again" }, { address: { key: "1_00000" } })
      ).result;
      expect(result).toMatchObject({ status: "completed", text: "Welcome back." });
      expect(seen).toEqual([13]);
      await engine.close();
      await store.close();
      expect(await cli("verify")).toMatchObject({ ok: true });
    },
  );
});
