import { mkdtemp, rm, stat, appendFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createRandom } from "../workload.ts";
import { noArm, type CounterRow } from "../counter-row.ts";
import { createRolloutController } from "../controller.ts";
import { createRolloutService } from "../service.ts";
import { bare, createWorld, FLAG } from "../rollout-world.fixture.ts";
import { newUnit, type UnitRow } from "../unit-row.ts";
import { fileRolloutStore } from "./file.ts";

let directory: string;
beforeEach(async () => void (directory = await mkdtemp(join(tmpdir(), "file-size-"))));
afterEach(() => rm(directory, { recursive: true }));

const BLOCK = 300_000;
const random = createRandom(7);
const unit = (): UnitRow => {
  const made = [...newUnit(Math.floor(random() * 2 ** 32))] as unknown as number[];
  [made[1], made[3]] = [3, 40];
  return made as unknown as UnitRow;
};
const row = (source: string, start: number, sequence: number, units: number): CounterRow => ({
  flag: FLAG,
  source,
  sequence,
  start,
  end: start + BLOCK,
  new: { ...noArm, units: Array.from({ length: units }, unit) },
  legacy: { ...noArm, units: Array.from({ length: units }, unit) },
});

it(
  "a report writes its own rows, not all of them, and a look reads what is new [FL-16]",
  { timeout: 120_000 },
  async () => {
    const store = fileRolloutStore(directory);
    const world = createWorld({ store });
    await world.start(bare);
    for (const reason of ["to shadow", "to the canary"])
      await world.service.act(FLAG, { event: "advance", by: "ana", reason });
    const from = world.clock.now();
    // Four processes for seven days, twenty sessions a block each.
    const blocks = (7 * 24 * 3_600_000) / BLOCK;
    for (let at = 0; at < blocks; at += 48)
      for (const source of ["a", "b", "c", "d"])
        await store.report(
          Array.from({ length: Math.min(48, blocks - at) }, (_, more) =>
            row(source, from + (at + more) * BLOCK, 1, 10),
          ),
        );
    const file = join(directory, `${FLAG}.counters.jsonl`);
    const before = (await stat(file)).size;
    await store.report([row("a", from + blocks * BLOCK, 1, 10)]);
    const grown = (await stat(file)).size - before;
    expect(grown).toBeGreaterThan(0);
    expect(grown).toBeLessThan(5_000);

    await world.clock.advance(blocks * BLOCK + BLOCK);
    const service = createRolloutService({ store, clock: world.clock });
    const controller = createRolloutController({ service, clock: world.clock });
    await controller.tick();
    const samples: number[] = [];
    for (let look = 0; look < 9; look++) {
      await store.report([row("b", from + blocks * BLOCK, look + 1, 10)]);
      await world.clock.advance(30_000);
      const began = process.cpuUsage();
      await controller.tick();
      const { user, system } = process.cpuUsage(began);
      samples.push((user + system) / 1_000);
    }
    const median = samples.sort((a, b) => a - b)[4]!;
    console.log(
      `a tick over 4 processes × 7 days: ${median.toFixed(1)} ms of processor (median of 9), file ${before} bytes`,
    );
    expect(median).toBeLessThan(50);
  },
);

it("counters survive a torn line, count the larger sequence, and are compacted and pruned", async () => {
  const [store, other] = [fileRolloutStore(directory), fileRolloutStore(directory)];
  const file = join(directory, `${FLAG}.counters.jsonl`);
  await store.report([row("a", 0, 2, 1)]);
  await appendFile(file, '{"flag":"engine-v2","source":"torn');
  await other.report([row("a", 0, 1, 1), row("b", BLOCK, 1, 1)]);
  const sequences = async (of: typeof store) =>
    (await of.counters(FLAG, 0)).map(({ source, sequence }) => [source, sequence]);
  expect(await sequences(store)).toEqual([
    ["a", 2],
    ["b", 1],
  ]);
  for (let sequence = 3; sequence < 60; sequence++) await store.report([row("a", 0, sequence, 500)]);
  expect((await stat(file)).size).toBeLessThan(2_500_000);
  expect(await sequences(other)).toEqual([
    ["a", 59],
    ["b", 1],
  ]);
  await other.prune(FLAG, BLOCK + 1);
  expect(await sequences(store)).toEqual([["b", 1]]);
  await Promise.all([store.close(), other.close()]);
});
