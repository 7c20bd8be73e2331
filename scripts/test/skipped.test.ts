import assert from "node:assert/strict";
import { test } from "vitest";
import { describeSkipped, skippedOfVitest } from "./skipped.mjs";

test("a run says how many tests were skipped, and which for want of ../shared", () => {
  const json = JSON.stringify({
    testResults: [
      {
        assertionResults: [
          { status: "passed", fullName: "adds" },
          { status: "skipped", fullName: "the published vectors (needs ../shared/suites/vectors)" },
        ],
      },
      {
        assertionResults: [
          { status: "pending", fullName: "over Redis (needs REDIS_URL)" },
          { status: "failed", fullName: "subtracts" },
        ],
      },
    ],
  });
  const names = skippedOfVitest(json);
  assert.deepEqual(names, ["the published vectors (needs ../shared/suites/vectors)", "over Redis (needs REDIS_URL)"]);
  const [why, first, others, second] = describeSkipped(names);
  assert.match(why!, /^1 skipped because \.\.\/shared.*HEBRA_REQUIRE_SHARED=1/);
  assert.equal(first, "  the published vectors (needs ../shared/suites/vectors)");
  assert.equal(others, "1 skipped for other reasons:");
  assert.equal(second, "  over Redis (needs REDIS_URL)");
  assert.deepEqual(describeSkipped([]), []);
});
