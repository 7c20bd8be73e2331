import { createManualClock } from "@hebra/core";
import { everyWrite, startRedis, withoutRedisServer, type TestRedis } from "@hebra/test-servers/redis";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createFlags } from "../client/create-flags.ts";
import type { FlagOverride, RolloutConfig } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent } from "../provider/provider.ts";
import { staticProvider } from "../provider/static.ts";
import { createRouter } from "./create-router.ts";
import { redisAssignments } from "./redis-assignments.ts";
import type { RouteTurn } from "./router.ts";

if (withoutRedisServer !== undefined) console.warn(`skipped: ${withoutRedisServer}`);

/** The controller's layer: what a rollback sets. */
function controllerLayer(): FlagProvider & { set(override: FlagOverride): void } {
  let listener: ((event: ProviderEvent) => void) | undefined;
  const snapshot = (override: FlagOverride) => ({ document: { flags: {} }, overrides: { f: override } });
  return {
    name: "controller",
    load: () => snapshot({}),
    watch: (it) => ((listener = it), () => void (listener = undefined)),
    set: (override) => listener?.({ type: "snapshot-loaded", snapshot: snapshot(override) }),
    close: () => Promise.resolve(),
  };
}

/**
 * Two engines with a history each, as the products that Hebra moves between have. Nothing is lost while every turn is
 * in the history that answers next.
 */
function engines() {
  const [legacyRows, newRows] = [new Map<string, string[]>(), new Map<string, string[]>()];
  const rows = (table: Map<string, string[]>, session: string) =>
    table.get(session) ?? table.set(session, []).get(session)!;
  const handedOver = new Set<string>();
  return {
    legacyRows,
    newRows,
    handedOver,
    handlers: (text: string) => ({
      outcome: () => "ok" as const,
      legacy: ({ context }: RouteTurn) => {
        rows(legacyRows, context.session!).push(text);
        return `legacy after ${rows(legacyRows, context.session!).length - 1}`;
      },
      next: ({ context }: RouteTurn) => {
        rows(newRows, context.session!).push(text);
        return `new after ${rows(newRows, context.session!).length - 1}`;
      },
      handover: ({ session, id }: { session: string; id: string }) => {
        if (handedOver.has(id)) return;
        handedOver.add(id);
        rows(legacyRows, session).push(...rows(newRows, session));
        newRows.set(session, []);
      },
    }),
  };
}

describe.skipIf(withoutRedisServer !== undefined)(
  "sessions through kill, rollback and a restart, with assignments in Redis",
  () => {
    let server: TestRedis;
    beforeAll(async () => void (server = await startRedis(everyWrite)));
    afterAll(() => server.stop());

    test("are assigned until the cut, then legacy from the next turn with the new engine's turns in its history; nothing is lost", async () => {
      const clock = createManualClock();
      const world = engines();
      const source = staticProvider({ flags: {}, rollouts: { f: { version: 1, canary: { percent: 50 } } } });
      let version = 1;
      const publish = (rollout: Omit<RolloutConfig, "version">) =>
        source.set({ flags: {}, rollouts: { f: { version: ++version, ...rollout } } });
      const controller = controllerLayer();
      const layers = { flags: createFlags({ providers: [controller, source], clock }) };
      const start = () => {
        const assignments = redisAssignments({ url: server.url, namespace: "lifecycle", commandTimeoutMs: 10_000 });
        const router = createRouter({ flags: layers.flags, assignments, clock, breaker: false });
        return { router, stop: async () => (router.close(), assignments.close()) };
      };
      let process = start();
      const sessions = Array.from({ length: 40 }, (_, index) => `s${index}`);
      let turns = 0;
      const round = async () => {
        turns++;
        const answers = await Promise.all(
          sessions.map(
            async (session) =>
              [
                session,
                await process.router.route("f", { session }, world.handlers(`${session} turn ${turns}`)),
              ] as const,
          ),
        );
        return new Map(answers);
      };
      const onNew = (answers: Map<string, string>) =>
        sessions.filter((session) => answers.get(session)!.startsWith("new"));

      const first = onNew(await round());
      expect(first.length).toBeGreaterThan(8);
      expect(first.length).toBeLessThan(32);

      // The ramp goes down and the process restarts: nobody moves.
      publish({ canary: { percent: 1 } });
      await process.stop();
      process = start();
      expect(onNew(await round())).toEqual(first);

      // A rollback by the controller cuts all of them, once; their history is whole in legacy.
      controller.set({ maxMode: "legacy", version: 100 });
      const afterRollback = await round();
      expect(onNew(afterRollback)).toEqual([]);
      for (const session of sessions) expect(afterRollback.get(session)).toBe("legacy after 2");
      expect(world.handedOver.size).toBe(first.length);

      // Another restart hands nothing over twice, and the rollback's end brings nobody back in mid-session.
      await process.stop();
      process = start();
      controller.set({ version: 101 });
      publish({ canary: { percent: 100 } });
      expect(onNew(await round())).toEqual([]);
      expect(world.handedOver.size).toBe(first.length);

      // New sessions, a day later, and a kill: the same again.
      await clock.advance(86_400_000);
      expect(onNew(await round())).toEqual(sessions);
      publish({ canary: { percent: 100 }, kill: { at: "2026-01-01T00:00:00Z", by: "ops", reason: "drill" } });
      const afterKill = await round();
      for (const session of sessions) {
        expect(afterKill.get(session)).toBe("legacy after 5");
        expect(world.legacyRows.get(session)).toEqual(
          Array.from({ length: turns }, (_, index) => `${session} turn ${index + 1}`),
        );
        expect(world.newRows.get(session) ?? []).toEqual([]);
      }
      expect(world.handedOver.size).toBe(first.length + sessions.length);
      await process.stop();
      await layers.flags.close();
    });
  },
);
