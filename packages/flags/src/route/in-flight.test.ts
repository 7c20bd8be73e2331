import { createManualClock } from "@hebra/core";
import { expect, it } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import { staticProvider } from "../provider/static.ts";
import { createCollector } from "../rollout/collector.ts";
import type { CounterRow } from "../rollout/counter-row.ts";
import { createRouter } from "./create-router.ts";
import type { EngineHandlers } from "./router.ts";

const kill = { at: "2026-03-02T09:00:00Z", by: "ana", reason: "test" };

async function setUp(percent: number) {
  const clock = createManualClock();
  const source = staticProvider({ flags: {}, rollouts: { f: { version: 1, canary: { percent } } } });
  const flags = createFlags({ provider: source, clock });
  await flags.ready();
  const rows: CounterRow[] = [];
  const collector = createCollector({ store: { report: async (some) => void rows.push(...some) }, clock, flushMs: 0 });
  const warned: string[] = [];
  const router = createRouter({
    flags,
    clock,
    logger: { warn: () => undefined },
    observer: { ...collector.observer, warned: ({ error }) => void warned.push(error.message) },
  });
  const turn = (
    handlers: Partial<EngineHandlers<{ result: Promise<{ status: string }>; verified?: Promise<unknown> }>>,
  ) => {
    const answer = (by: string) => () => ({ by, result: Promise.resolve({ status: "completed" }) });
    return router.route(
      "f",
      { session: "s" },
      { legacy: answer("legacy"), next: answer("new"), handover: () => {}, ...handlers },
    );
  };
  const set = (version: number, more: object) => source.set({ flags: {}, rollouts: { f: { version, ...more } } });
  return { turn, set, rows, collector, warned };
}

it("a turn that began on the new engine goes on there after a kill, and the next one does not", async () => {
  const { turn, set } = await setUp(100);
  expect(await turn({})).toMatchObject({ by: "new" });
  set(2, { kill });
  expect(await turn({ inFlight: true })).toMatchObject({ by: "new" });
  expect(await turn({})).toMatchObject({ by: "legacy" });
});

it("a session moves in mid-session once its history was brought along, and stays on legacy when that fails", async () => {
  const { turn, set, warned } = await setUp(0);
  expect(await turn({})).toMatchObject({ by: "legacy" });
  set(2, { canary: { percent: 100 } });
  const ids: string[] = [];
  const away = () => Promise.reject(new Error("the old rows are away"));
  expect(await turn({ catchUp: away })).toMatchObject({ by: "legacy" });
  expect(warned.join()).toContain("the old rows are away");
  const catchUp = ({ id }: { id: string }) => void ids.push(id);
  expect(await turn({ catchUp })).toMatchObject({ by: "new" });
  expect(await turn({ catchUp })).toMatchObject({ by: "new" });
  expect(ids).toHaveLength(1);
});

it("missing rows of a turn reach the persistence guard without a call of the host [FL-1]", async () => {
  const { turn, rows, collector } = await setUp(100);
  const told = (verified: Promise<unknown>) => ({
    next: () => ({ result: Promise.resolve({ status: "completed" }), verified }),
  });
  await turn(told(Promise.resolve(true)));
  await turn(told(Promise.resolve(false)));
  await turn(told(Promise.resolve(undefined)));
  await turn(told(Promise.reject(new Error("the store is away"))));
  await new Promise<void>((resolve) => setImmediate(resolve));
  await collector.flush();
  expect(rows.at(-1)!.persistence).toEqual({ checked: 2, missing: 1 });
});
