import { readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "@hebra/test-servers/bundle";

interface Loading {
  onLoad(options: { filter: RegExp }, load: (at: { path: string }) => { contents: string; loader: "ts" }): void;
}

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const folder = join(dirname(here), "node_modules", ".cache", `builds-${process.pid}`);
const storeSource = join(root, "packages", "thread", "src", "store");

/** The version that the sources have, and so the older build. */
const version = Number(/ROW_VERSION = (\d+);/.exec(readFileSync(join(storeSource, "rows.ts"), "utf8"))![1]);
const schema = Number(/SCHEMA_VERSION = (\d+);/.exec(readFileSync(join(storeSource, "sql/ddl.ts"), "utf8"))![1]);
const next = schema + 1;

/**
 * What the next version changes, as its authors would: the number, a nullable column in every table, an index over it,
 * how
 * rows of before are read, and a verb that sets the column by itself. Anything else is the same source.
 */
const changes: Readonly<Record<string, readonly (readonly [string, string])[]>> = {
  "rows.ts": [[`ROW_VERSION = ${version};`, `ROW_VERSION = ${version + 1};`]],
  "table.ts": [["SCHEMAS_OF_ROWS = [1];", `SCHEMAS_OF_ROWS = [1, ${next}];`]],
  "ddl.ts": [[`SCHEMA_VERSION = ${schema};`, `SCHEMA_VERSION = ${next};`]],
  "tables.ts": [
    [
      'import { table, type Table } from "./table.ts";',
      `import { table as declare, type Table } from "./table.ts";
      const table = ((name: string, specs: object, extras: { since?: object; accesses?: object }) => declare(name, { ...specs, mood: "json?" } as never, {
        ...extras,
        since: { ...extras.since, mood: ${version + 1} },
        accesses: { ...extras.accesses, ...(name === "thread_items" && { moody: { by: ["tenant", "contextId"], order: ["updatedAt"], only: [{ field: "mood", set: true }] } }) },
      } as never)) as typeof declare;`,
    ],
  ],
  "inbox.ts": [
    [
      "updatedAt,\n    }),\n  );\n  return decided;",
      'updatedAt,\n      mood: { by: "decider" },\n    } as never),\n  );\n  return decided;',
    ],
  ],
  "upcast.ts": [
    [
      "export const upcasters: Upcasters = {",
      // Careless on purpose: it fills in more than what is missing, and the store must not let it.
      `const fillIn: Upcaster = (row) => ({ ...row, mood: { from: "upcast" } });
      export const upcasters: Upcasters = {
        ...Object.fromEntries(["threads", "contexts", "items", "executions", "steps", "parts", "action_calls", "approvals", "outbox", "journal", "triggers", "leases"].map((name) => ["thread_" + name, { ${version}: fillIn }])),`,
    ],
  ],
};

const nextVersion = {
  name: "next-version",
  setup(build: Loading) {
    build.onLoad(
      { filter: /packages\/thread\/src\/store\/(rows|table|tables|upcast|sql\/ddl|verbs\/inbox)\.ts$/ },
      ({ path }) => {
        let contents = readFileSync(path, "utf8");
        for (const [from, to] of changes[path.slice(path.lastIndexOf("/") + 1)]!) {
          if (!contents.includes(from)) throw new Error(`${path} no longer holds ${from}`);
          contents = contents.replace(from, to);
        }
        return { contents, loader: "ts" };
      },
    );
  },
};

/** Builds the program with the packages as they are, or one schema version later. @returns the file */
export async function bundleBuild(which: "older" | "newer"): Promise<string> {
  const { program } = await bundle(
    join(folder, which),
    { program: join(here, "program.ts") },
    which === "newer" ? [nextVersion] : [],
  );
  return program;
}

export function removeBuilds(): void {
  rmSync(folder, { recursive: true, force: true });
}
