import assert from "node:assert/strict";
import { test } from "vitest";
import { findServers, type Machine } from "./find.mjs";

/** A machine that holds these files, and that gains others when packages are installed. */
function machine(options: {
  files: string[];
  isRoot?: boolean;
  installs?: Record<string, string[]>;
}): Machine & { commands: string[][] } {
  const files = new Set(options.files);
  const commands: string[][] = [];
  return {
    commands,
    isRoot: options.isRoot ?? false,
    which: (name, further = []) =>
      ["/usr/bin", ...further].map((directory) => `${directory}/${name}`).find((file) => files.has(file)),
    list: (directory) => [
      ...new Set(
        [...files]
          .filter((file) => file.startsWith(`${directory}/`))
          .map((file) => file.slice(directory.length + 1).split("/")[0]!),
      ),
    ],
    run: async (command, args) => {
      commands.push([command, ...args]);
      if (args[0] === "install")
        for (const name of args) for (const file of options.installs?.[name] ?? []) files.add(file);
      return true;
    },
  };
}

const postgres = (version: number) =>
  ["initdb", "postgres"].map((name) => `/usr/lib/postgresql/${version}/bin/${name}`);

test("the newest PostgreSQL of Debian's places is taken, and nothing is installed", async () => {
  const here = machine({ files: ["/usr/bin/redis-server", ...postgres(9), ...postgres(15)] });
  assert.deepEqual(await findServers(["redis", "postgres"], here), {
    redis: "/usr/bin/redis-server",
    postgres: "/usr/lib/postgresql/15/bin/postgres",
  });
  assert.deepEqual(here.commands, []);
});

test("root gets Debian's packages, after an update, and only those that are missing", async () => {
  const here = machine({
    files: ["/usr/bin/apt-get", "/usr/bin/redis-server"],
    isRoot: true,
    installs: { postgresql: postgres(15) },
  });
  const found = await findServers(["redis", "postgres"], here);
  assert.equal(found.postgres, "/usr/lib/postgresql/15/bin/postgres");
  assert.deepEqual(here.commands, [
    ["/usr/bin/apt-get", "update"],
    ["/usr/bin/apt-get", "install", "-y", "--no-install-recommends", "postgresql"],
  ]);
});

test("anybody else gets one message with the commands", async () => {
  const here = machine({ files: ["/usr/bin/apt-get"] });
  await assert.rejects(findServers(["redis", "postgres"], here), (error: Error) => {
    assert.match(error.message, /apt-get install -y redis-server postgresql\b/);
    assert.match(error.message, /REDIS_URL=.*DATABASE_URL=.* npm test/);
    return true;
  });
  assert.deepEqual(here.commands, []);
});

test("packages that do not bring the server end in the same message", async () => {
  const here = machine({ files: ["/usr/bin/apt-get"], isRoot: true });
  await assert.rejects(findServers(["redis"], here), /The tests need Redis, which is not installed/);
});

test("servers that the environment names are not looked for", async () => {
  assert.deepEqual(await findServers([], machine({ files: [] })), {});
});
