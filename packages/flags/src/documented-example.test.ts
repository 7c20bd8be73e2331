// #region imports
import { createFlags, createRouter, envProvider, staticProvider } from "@hebra/flags";
// #endregion
import { expect, test } from "vitest";

test("the README's example does what it says", async () => {
  const said: string[] = [];
  const copyBack = async (session: string) => void said.push(`copied ${session}`);
  // #region example
  const source = staticProvider({
    flags: {},
    rollouts: { "engine-v2": { version: 1, allow: { org: ["acme"] }, canary: { percent: 0 } } },
  });
  // The environment is the stronger layer: HEBRA_FLAG_ENGINE_V2=kill wins over everything.
  const flags = createFlags({ providers: [envProvider(), source], environment: "production" });
  const { mode, reason } = flags.decide("engine-v2", { session: "s1", org: "acme" }); // "new", "TARGETING_MATCH"

  const router = createRouter({ flags });
  const turn = () =>
    router.route(
      "engine-v2",
      { session: "s1", org: "acme" },
      {
        legacy: () => "answered by the old engine",
        next: () => "answered by the new engine",
        // What throws has failed. An engine's turn needs no `outcome`: the router reads its result.
        outcome: () => "ok",
        // Once, before the first legacy turn after a cut: what the new engine wrote goes back.
        handover: ({ session }) => copyBack(session),
      },
    );
  const before = await turn(); // the new engine
  source.set({
    flags: {},
    rollouts: { "engine-v2": { version: 2, kill: { at: "2026-11-21T12:00:00Z", by: "ops", reason: "errors" } } },
  });
  const after = await turn(); // the old engine, with every turn in its history
  // #endregion
  expect([mode, reason]).toEqual(["new", "TARGETING_MATCH"]);
  expect([before, after, said]).toEqual(["answered by the new engine", "answered by the old engine", ["copied s1"]]);
  router.close();
  await flags.close();
});
