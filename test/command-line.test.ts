import assert from "node:assert/strict";
import { join } from "node:path";
import { everyCommand, runCaptured } from "@hebra/cli-kit/testing";
import type { Program } from "@hebra/cli-kit";
import { describe, test } from "vitest";
import { commandLinePage } from "../scripts/command-line-doc.ts";
import { root } from "../scripts/lib/paths.mjs";

test("docs/reference/command-line.md is what the command table says", async () => {
  const { expected, actual } = await commandLinePage();
  assert.equal(actual, expected, "docs/reference/command-line.md is stale: run pnpm docs:sync");
});

test("every command has a section in the reference", async () => {
  const { actual } = await commandLinePage();
  const { hebra } = await programs();
  const sections = [...actual.matchAll(/^## hebra (.+)$/gm)].map((match) => match[1]!);
  assert.deepEqual(
    sections,
    everyCommand(hebra.commands).map(([path]) => path.join(" ")),
  );
});

async function programs() {
  const load = async (name: string) =>
    ((await import(join(root, `packages/${name}/src/cli/program.ts`))) as { program: Program }).program;
  return { hebra: await load("hebra"), flags: await load("flags"), migrate: await load("migrate") };
}

describe("hebra-flags and hebra-migrate run the commands of hebra", () => {
  /** A line of the alias, and the same one of `hebra`. */
  const alike: readonly (readonly [alias: "flags" | "migrate", line: string, group: string])[] = [
    ["flags", "list", "flags "],
    ["flags", "kill --reason x", "flags "],
    ["flags", "kill x", "flags "],
    ["flags", "list --url http://127.0.0.1:2", "flags "],
    ["flags", "list --url http://127.0.0.1:2 --json", "flags "],
    ["flags", "simulate --errors many", "flags "],
    ["flags", "wach x", "flags "],
    ["flags", "rollout advnace x", ""],
    ["flags", "rollout start x --reason y", ""],
    ["migrate", "plan", "migrate "],
    ["migrate", "apply --source no --target no --out no", "migrate "],
    ["migrate", "verify --source no --target no", "migrate "],
    ["migrate", "plan --source no --target no --json", "migrate "],
    ["migrate", "aply", "migrate "],
  ];

  test.each(alike)("hebra-%s %s", async (alias, line, group) => {
    const { hebra, ...aliases } = await programs();
    const own = await runCaptured(aliases[alias], line.split(" "));
    const mounted = await runCaptured(hebra, `${group}${line}`.split(" "));
    const plain = (text: string) => text.replaceAll(/\bhebra(-flags|-migrate| flags| migrate)?\b/g, "hebra");
    assert.notEqual(own.code, 0);
    assert.deepEqual(
      { ...own, out: plain(own.out), err: plain(own.err) },
      { ...mounted, out: plain(mounted.out), err: plain(mounted.err) },
    );
  });

  test("they have the same commands with the same options", async () => {
    const { hebra, flags, migrate } = await programs();
    const shape = (program: Program) =>
      Object.fromEntries(
        everyCommand(program.commands).map(([path, { summary, operands, options }]) => [
          path.join(" ").replace(/^(flags|migrate) /, ""),
          { summary, operands, options },
        ]),
      );
    const all = shape(hebra);
    for (const [name, command] of Object.entries({ ...shape(flags), ...shape(migrate) }))
      assert.deepEqual(all[name], command, name);
  });
});
