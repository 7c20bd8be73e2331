import assert from "node:assert/strict";
import fc from "fast-check";
import { test } from "vitest";
import { parseChangeset, type Changeset } from "./changesets.ts";
import { planRelease, publishOrder, stepsOf, tarballName, type ReleasePlan, type Verb } from "./plan.ts";
import { beta, levels, newest, release, type Level } from "./version.ts";

const packages = [
  { name: "@hebra/core", version: "0.4.1" },
  { name: "@hebra/bus", version: "0.4.1" },
];
const change = (level: Level, name = "@hebra/core"): Changeset => ({
  id: `${level}-change`,
  releases: [{ name, level }],
  summary: "Something.",
});

function planned(verb: Verb, changesets: Changeset[], from = packages): ReleasePlan {
  const result = planRelease(verb, from, changesets);
  assert.ok(result.ok, result.ok ? "" : result.reason);
  return result.plan;
}

function refusal(verb: Verb, changesets: Changeset[]): string {
  const result = planRelease(verb, packages, changesets);
  assert.ok(!result.ok);
  return result.reason;
}

test("every package gets the one next version", () => {
  assert.deepEqual(planned("minor", [change("patch"), change("minor", "@hebra/bus")]).packages, [
    { name: "@hebra/core", from: "0.4.1", to: "0.5.0" },
    { name: "@hebra/bus", from: "0.4.1", to: "0.5.0" },
  ]);
});

test("a level below what the changesets ask for is refused, with the changeset that asks", () => {
  assert.match(
    refusal("patch", [change("patch"), change("minor")]),
    /ask for a minor release \(\.changeset\/minor-change\.md\).*ship:minor/,
  );
  assert.match(refusal("minor", [change("major")]), /ship:major/);
});

test("a level above it is allowed, and says that it raises it", () => {
  const plan = planned("major", [change("patch")]);
  assert.equal(plan.version, "1.0.0");
  assert.ok(stepsOf(plan).some(({ title }) => title === "Raise the level from patch to major"));
});

test("nothing to release is refused, and so is a changeset of an unknown package", () => {
  assert.match(refusal("patch", []), /nothing to release/);
  assert.match(refusal("patch", [{ id: "empty", releases: [], summary: "" }]), /nothing to release/);
  assert.match(refusal("patch", [change("patch", "@hebra/typo")]), /patch-change\.md names @hebra\/typo/);
});

test("betas count up, and end in the release", () => {
  assert.equal(planned("beta", [change("minor")]).version, "0.5.0-beta.0");
  assert.equal(beta("0.5.0-beta.0", "patch"), "0.5.0-beta.1");
  assert.equal(beta("0.5.0-beta.1", "major"), "1.0.0-beta.0");
  assert.equal(release("0.5.0-beta.1", "minor"), "0.5.0");
  assert.equal(release("0.5.0-beta.1", "major"), "1.0.0");
  assert.equal(release("0.5.1-beta.0", "minor"), "0.6.0");
  assert.ok(
    stepsOf(planned("beta", [change("minor")]))
      .filter(({ command }) => command.startsWith("npm publish"))
      .every(({ command }) => command.includes("--tag beta")),
  );
});

const versions = fc
  .tuple(fc.nat(30), fc.nat(30), fc.nat(30), fc.option(fc.nat(9), { nil: undefined }))
  .map(([a, b, c, d]) => `${a}.${b}.${c}${d === undefined ? "" : `-beta.${d}`}`);

test("whatever is shipped is newer than what was there", () => {
  fc.assert(
    fc.property(versions, fc.constantFrom(...levels), (version, level) => {
      for (const next of [release(version, level), beta(version, level)]) {
        assert.notEqual(next, version);
        assert.equal(newest(version, next), next, `${version} -> ${next}`);
      }
    }),
    { seed: 20, numRuns: 2_000 },
  );
});

test("steps publish each package once, after what it depends on, and before the push", () => {
  const ordered = publishOrder([
    { name: "bus", dependencies: ["lock", "core"] },
    { name: "core", dependencies: ["zod"] },
    { name: "lock", dependencies: ["core"] },
  ]).map(({ name }) => name);
  assert.deepEqual(ordered, ["core", "lock", "bus"]);
  const commands = stepsOf(planned("minor", [change("minor")])).map(({ command }) => command);
  const published = commands.filter((command) => command.startsWith("npm publish"));
  assert.deepEqual(
    published.map((command) => command.split(" ")[2]),
    [tarballName("@hebra/core", "0.5.0"), "hebra-bus-0.5.0.tgz"],
  );
  assert.ok(commands.indexOf("pnpm preflight") < commands.indexOf(published[0]!));
  assert.match(commands.at(-1)!, /^git push/);
});

test("a changeset is read as it is written", () => {
  assert.deepEqual(
    parseChangeset("calm-birds-sing", `---\n"@hebra/core": minor\n'@hebra/bus': patch\n---\n\nTwo things.\n`),
    {
      id: "calm-birds-sing",
      releases: [
        { name: "@hebra/core", level: "minor" },
        { name: "@hebra/bus", level: "patch" },
      ],
      summary: "Two things.",
    },
  );
  assert.deepEqual(parseChangeset("empty", "---\n---\n").releases, []);
  assert.throws(() => parseChangeset("bad", `---\n"@hebra/core": huge\n---\n`), /bad\.md: .*huge/);
  assert.throws(() => parseChangeset("bare", "Words."), /no front matter/);
});
