import { errorCode } from "@hebra/core";
import assert from "node:assert/strict";
import { test } from "vitest";
import { parseScenario } from "./scenario.ts";
import { shippedScenarios } from "./shipped-scenarios.ts";
import { clopperPearsonUpper } from "./upper-limit.ts";

test.each([
  [{}, "`name`"],
  [{ name: "x", trafic: {} }, "unknown option `trafic`; did you mean `traffic`?"],
  [{ name: "x", traffic: { sesionsPerHour: 5 } }, "did you mean `traffic.sessionsPerHour`?"],
  [{ name: "x", traffic: { hourly: [1, 2] } }, "must have 24 weights"],
  [{ name: "x", traffic: { hourly: Array.from({ length: 24 }, () => 0) } }, "an hour with traffic"],
  [{ name: "x", legacy: { failing: 3 } }, "`legacy.failing`"],
  [{ name: "x", measure: "canary" }, 'must be "canary(0)"'],
  [{ name: "x", measure: "canary(7)" }, "The plan has no phase canary(7)"],
  [{ name: "x", new: { from: "canary(9)" } }, "The plan has no phase canary(9)"],
  [{ name: "x", plan: { steps: [{ percent: 10, observMs: 1 }] } }, "did you mean `steps.0.observeMs`?"],
  [{ name: "x", plan: { shadow: { leastMs: 1 } } }, "Shadow takes no time in a simulation"],
])("a scenario with a mistake is refused with what to do: %j", (input, said) => {
  assert.throws(
    () => parseScenario(input),
    (error: Error) => {
      assert.equal(errorCode(error), "INVALID_OPTIONS");
      assert.ok(error.message.includes(said), error.message);
      return true;
    },
  );
});

test("every scenario of the package is valid, and those that differ from the old engine are harmful", () => {
  for (const [name, scenario] of Object.entries(shippedScenarios)) {
    const filled = parseScenario(JSON.parse(JSON.stringify(scenario)));
    assert.equal(filled.name, name);
    assert.equal(filled.harmful, /-\d+x$|-late$/.test(name), name);
  }
});

test("at the upper limit of a share, so few are seen in 5 % of cases", () => {
  for (const [count, runs] of [
    [0, 100],
    [3, 60],
    [20, 2_000],
  ] as const) {
    const share = clopperPearsonUpper(count, runs);
    // The binomial distribution as a product, term by term.
    let sum = 0;
    for (let k = 0; k <= count; k++) {
      let term = (1 - share) ** (runs - k);
      for (let at = 0; at < k; at++) term *= ((runs - at) / (at + 1)) * share;
      sum += term;
    }
    assert.ok(Math.abs(sum - 0.05) < 1e-6, `${count} of ${runs}: ${sum}`);
  }
  assert.equal(clopperPearsonUpper(3, 3), 1);
});
