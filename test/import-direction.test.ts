import assert from "node:assert/strict";
import { join } from "node:path";
import { ESLint } from "eslint";
import { test } from "vitest";
import { disableTypeChecked } from "./support/disable-type-checked.ts";
import { importProblem } from "../scripts/eslint/import-direction.mjs";
import { mayImport } from "../scripts/eslint/import-table.mjs";
import { publishedPackages } from "../scripts/lib/packages.mjs";
import { root } from "../scripts/lib/paths.mjs";

const RULE = "hebra/import-direction";

/** Lints a text as if it were that file, with the repository's own configuration. */
async function lint(file: string, text: string): Promise<{ rule: string | null; message: string }[]> {
  const eslint = new ESLint({ cwd: root, overrideConfig: disableTypeChecked });
  const results = await eslint.lintText(text, { filePath: join(root, file) });
  return results.flatMap((result) => result.messages.map(({ ruleId, message }) => ({ rule: ruleId, message })));
}

test("the rule fires on a planted import, in every form that an import can take", async () => {
  const forms = [
    `import { x } from "@hebra/thread";\nconsole.warn(x);\n`,
    `import type { X } from "@hebra/thread";\nexport type Y = X;\n`,
    `export { x } from "@hebra/thread/store/memory";\n`,
    `export const load = () => import("@hebra/thread");\n`,
    `export type Y = import("@hebra/thread").X;\n`,
  ];
  for (const text of forms) {
    const found = (await lint("packages/lock/src/planted.ts", text)).filter(({ rule }) => rule === RULE);
    assert.equal(found.length, 1, text);
    assert.match(found[0]!.message, /@hebra\/lock may import only @hebra\/core, not @hebra\/thread/);
  }
});

test("an allowed import raises nothing", async () => {
  assert.deepEqual(
    await lint(
      "packages/lock/src/planted.ts",
      `import { HebraError } from "@hebra/core";\nexport const x = HebraError;\n`,
    ),
    [],
  );
});

test("the other house rules fire as well", async () => {
  const found = await lint(
    "packages/lock/src/planted.test.ts",
    [
      `import { test } from "vitest";`,
      `import { local } from "./local.js";`,
      `test.only("x", () => {`,
      `  const y: any = local;`,
      `  return y;`,
      `});`,
      `export default test;`,
      ``,
    ].join("\n"),
  );
  const rules = found.map(({ rule }) => rule).sort();
  assert.deepEqual(rules, [
    "@typescript-eslint/no-explicit-any",
    "hebra/source-specifiers",
    "no-restricted-syntax",
    "no-restricted-syntax",
  ]);
});

const wrong: [file: string, specifier: string, message: RegExp][] = [
  ["packages/core/src/id.ts", "@hebra/lock", /may import no other Hebra package/],
  ["packages/flags/src/route/router.ts", "@hebra/thread", /may import only @hebra\/core/],
  ["packages/migrate/src/run/apply.ts", "@hebra/thread/store/sqlite", /may import only @hebra\/core/],
  ["packages/bus/src/local.ts", "@hebra/reactor", /may import only @hebra\/core, @hebra\/lock/],
  ["packages/bus/src/local.ts", "@hebra/bus", /must not import itself/],
  ["packages/bus/src/local.ts", "../../lock/src/lock.ts", /leaves the package/],
  ["packages/bus/src/local.ts", "ioredis", /optional peer/],
  ["packages/bus/src/local.ts", "./redis/commands.ts", /local adapter must not import the redis adapter/],
  ["packages/thread/src/store/sqlite.ts", "./postgres.ts", /sqlite adapter must not import the postgres adapter/],
  ["packages/thread/src/store/sqlite/rows.ts", "../../engine/decide.ts", /out of its reach/],
  ["packages/thread/src/engine/decide.ts", "../store/sqlite.ts", /out of its reach/],
  ["packages/thread/src/engine/decide.ts", "ai", /optional peer/],
  ["packages/thread/src/react/use-thread.ts", "node:crypto", /no `node:` module/],
  ["packages/thread/src/react/use-thread.ts", "../store/memory.ts", /no store/],
  ["packages/thread/src/legacy/handover.ts", "@hebra/compat", /may import only/],
  ["packages/thread/src/engine/turn/turn.ts", "../drive/driver.ts", /direction is verbs → drive → turn/],
  ["packages/thread/src/engine/rows/recorder.ts", "../drive/driver.ts", /out of its reach/],
  ["packages/thread/src/engine/prompt/transcript.ts", "../turn/turn-state.ts", /out of its reach/],
  ["packages/thread/src/engine/turn/ask.ts", "../../telemetry/attributes.ts", /Telemetry is a port/],
  ["packages/thread/src/runtime/runtime.ts", "../legacy/handover.ts", /out of its reach/],
  ["packages/thread/src/gonogo/checks.ts", "../testing/faulty-store.ts", /out of its reach/],
  ["packages/flags/src/evaluate/compile-all.ts", "../provider/provider.ts", /out of its reach/],
  ["packages/bus/src/mailbox/mailbox.ts", "../client/create-bus.ts", /out of its reach/],
  ["packages/bus/src/client/create-bus.ts", "../redis/backend.ts", /out of its reach/],
  ["packages/unheard-of/src/index.ts", "@hebra/core", /is not in scripts\/eslint\/import-table/],
];

test("what the table forbids", () => {
  for (const [file, specifier, message] of wrong)
    assert.match(importProblem(file, specifier) ?? "no problem", message, `${file} -> ${specifier}`);
});

const right: [file: string, specifier: string][] = [
  ["packages/thread/src/runtime/worker.ts", "@hebra/bus"],
  ["packages/thread/src/store/sqlite.ts", "./store.ts"],
  ["packages/thread/src/engine/engine-core.ts", "../telemetry/open-telemetry.ts"],
  ["packages/thread/src/engine/drive/driver.ts", "../turn/turn.ts"],
  ["packages/thread/src/store/sqlite/open.ts", "libsql"],
  ["packages/thread/src/store/sqlite/open.ts", "../sqlite.ts"],
  ["packages/thread/src/react/use-thread.ts", "react"],
  ["packages/migrate/src/run/apply.test.ts", "@hebra/thread/store/sqlite"],
  ["packages/migrate/src/cli/main.ts", "@hebra/thread/store/sqlite"],
  ["packages/hebra/src/main.ts", "@hebra/migrate"],
  ["examples/support-desk/src/main.ts", "@hebra/thread"],
];

test("what the table allows", () => {
  for (const [file, specifier] of right)
    assert.equal(importProblem(file, specifier), undefined, `${file} -> ${specifier}`);
});

test("the manifests agree with the table", () => {
  for (const { manifest } of publishedPackages()) {
    const allowed = mayImport[manifest.name.replace("@hebra/", "")];
    if (allowed === undefined) continue;
    const declared = Object.keys(manifest.dependencies ?? {}).filter((name) => name.startsWith("@hebra/"));
    for (const name of declared)
      assert.ok(
        allowed.includes(name.replace("@hebra/", "")),
        `${manifest.name} depends on ${name}, which scripts/eslint/import-table.mjs does not allow`,
      );
  }
});
