import { readFileSync } from "node:fs";
import { join } from "node:path";
import { shared } from "@hebra/test-servers/shared";
import { OpenFeature } from "@openfeature/server-sdk";
import { afterEach, describe, expect, test } from "vitest";
import { convertTestFlags } from "./convert-test-flags.fixture.ts";
import { readScenarios } from "./gherkin.fixture.ts";
import { runStep, type World } from "./steps.fixture.ts";

const { path: suite, present } = shared("suites/openfeature-gherkin");
const features = ["evaluation", "evaluation_v2", "contextMerging", "hooks", "metadata"];
const scenarios = present
  ? features.flatMap((feature) =>
      readScenarios(readFileSync(join(suite, `${feature}.feature`), "utf8")).map((scenario) => ({
        feature,
        ...scenario,
      })),
    )
  : [];

describe.skipIf(!present)("OpenFeature's own 132 scenarios (need ../shared/suites/openfeature-gherkin)", () => {
  const document = present
    ? convertTestFlags(
        JSON.parse(readFileSync(join(suite, "test-flags.json"), "utf8")) as Parameters<typeof convertTestFlags>[0],
      )
    : { flags: {} };
  let world: World | undefined;
  let count = 0;
  afterEach(async () => {
    await world?.flags?.close();
    await OpenFeature.clearProviders();
    OpenFeature.setContext({});
  });

  test("are 132", () => expect(scenarios.length).toBe(132));

  for (const [index, { feature, name, steps }] of scenarios.entries()) {
    test(`${feature} ${index}: ${name}`, async () => {
      const domain = `scenario-${++count}`;
      world = {
        document,
        domain,
        client: () => OpenFeature.getClient(domain),
        context: {},
        levels: {},
        precedence: [],
        hooks: [],
        calls: [],
      };
      for (const { text, table } of steps) await runStep(world, text, table);
    });
  }
});
