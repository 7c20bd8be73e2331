import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "vitest";
import { flagCommands, incidentCommands, rolloutCommands } from "@hebra/flags/cli";
import { root } from "../scripts/lib/paths.mjs";

const groups: Readonly<Record<string, object>> = {
  flags: flagCommands,
  rollout: rolloutCommands,
  incidents: incidentCommands,
};

test.each(["cutover", "flags-admin", "incidents", "rollout"])(
  "every command of the guide %s exists, with the options that it is given",
  (page) => {
    const text = readFileSync(join(root, "docs/guide", `${page}.md`), "utf8");
    const lines = [...text.matchAll(/hebra (flags|rollout|incidents) ([a-z-]+)([^`\n]*)/g)];
    assert.ok(lines.length > 3);
    for (const [line, group, name, rest] of lines) {
      const commands = groups[group!] as Readonly<Record<string, { readonly options: object }>>;
      assert.ok(Object.hasOwn(commands, name!), `${line}: there is no such command`);
      for (const [, option] of (rest ?? "").matchAll(/ --([a-z-]+)/g))
        assert.ok(Object.hasOwn(commands[name!]!.options, option!), `${line}: there is no --${option}`);
    }
  },
);
