import { copyFileSync, existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { crashFixture, PATIENCE } from "./crash.fixture.ts";
import { createHarness, miss, type Harness, type Killed } from "./harness.ts";
import { mutants } from "./mutants.ts";
import type { StoreConfig } from "./stores.ts";

const { directory, program } = crashFixture("mutants");

describe("the harness", () => {
  const path = join(directory, "mutants.db");
  let harness: Harness;
  let killed: Killed[];
  let copies = 0;
  beforeAll(async () => {
    harness = await createHarness(program(), { kind: "sqlite", path });
    // Two results are in the store, three actions run, one trigger waits in line.
    killed = await harness.kill(["action send after"]);
  }, PATIENCE);
  afterAll(() => harness.close());
  /** The state of the database right after the kill, as often as it is needed. */
  const copy = (): StoreConfig => {
    const to = join(directory, `copy-${++copies}.db`);
    for (const suffix of ["", "-wal"]) if (existsSync(path + suffix)) copyFileSync(path + suffix, to + suffix);
    return { kind: "sqlite", path: to };
  };

  it(
    "finds nothing where nothing is planted",
    async () => {
      expect(killed.map(miss)).toEqual([undefined]);
      expect(await harness.recover(killed, { store: copy() })).toEqual([]);
    },
    PATIENCE,
  );

  it.each(Object.entries(mutants))(
    "finds an engine that %s",
    async (mutant, { finds }) => {
      const violations = await harness.recover(killed, { mutant, store: copy() });
      expect(violations.map(({ rule }) => rule)).toEqual(expect.arrayContaining(finds));
    },
    PATIENCE,
  );

  it(
    "finds a result of an action that never ran",
    async () => {
      const unseen = killed.map((one) => ({
        ...one,
        lines: one.lines.filter((line) => line.event !== "effect" || line.name !== "look"),
      }));
      expect((await harness.recover(unseen, { store: copy() })).map(({ rule }) => rule)).toEqual(["result-invented"]);
    },
    PATIENCE,
  );

  it(
    "sees that a point was never hit",
    async () => {
      const [missed] = await harness.kill(["commit 99 before"]);
      expect(miss(missed!)).toMatch(/commit 99 before/);
    },
    PATIENCE,
  );
});
