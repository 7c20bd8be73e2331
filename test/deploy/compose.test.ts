import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@hebra/test-servers/free-port";
import { withoutRedisServer } from "@hebra/test-servers/redis";
import { Redis } from "ioredis";
import { describe, test } from "vitest";
import { composeFile, type Compose, type ComposeService } from "./support/compose.ts";
import { composeProblems } from "./support/compose-problems.ts";
import { deployPath, readDeploy, spoiled } from "./support/files.ts";

const file = composeFile();

test("the services of the Compose file fit the command line, the runtime and one another", () => {
  assert.deepEqual(composeProblems(file), []);
});

const inCommand =
  (service: string, from: string, to: string) =>
  ({ services }: Compose) => {
    const { command } = services[service]!;
    services[service]!.command = command!.map((word) => (word === from ? to : word));
  };

describe("a check finds", () => {
  test.each<[string, (copy: Compose) => void, RegExp]>([
    ["a command that hebra has not", inCommand("worker", "worker", "work"), /no command `hebra work`/],
    [
      "an option that it has not",
      inCommand("gateway", "--no-worker", "--without-worker"),
      /Unknown option '--without-worker'/,
    ],
    ["an option of another command", inCommand("worker", "--concurrency", "--id"), /Unknown option '--id'/],
    ["a deadline that is no number", inCommand("worker", "120000", "2m"), /whole number/],
    ["a healthcheck on another port", inCommand("worker", "9090", "9099"), /is probed on 9090, and answers on 9099/],
    [
      "a healthcheck of what answers nothing",
      ({ services }) =>
        void (services["worker"]!.healthcheck!.test[3] = services["worker"]!.healthcheck!.test[3]!.replace(
          "readyz",
          "ready",
        )),
      /\/ready, which answers nothing/,
    ],
    ["a process that nobody can reach", inCommand("gateway", "0.0.0.0", "127.0.0.1"), /reach/],
    [
      "a grace period that is too short",
      ({ services }) => void (services["worker"]!.stop_grace_period = "10s"),
      /killed after 10000 ms/,
    ],
    ["a deadline that grew", inCommand("gateway", "120000", "150000"), /drains for 150000/],
    ["an app that the image has not", inCommand("worker", "/app/app.js", "/app/main.js"), /no \/app\/main\.js/],
    [
      "metrics on another port",
      ({ services }) => void (services["worker"]!.environment!["OTEL_EXPORTER_PROMETHEUS_PORT"] = "9465"),
      /scraped on 9464/,
    ],
    [
      "a password in plain sight",
      ({ services }) => void (services["worker"]!.environment!["REDIS_URL"] = "redis://:secret@redis:6379"),
      /REDIS_URL holds a secret/,
    ],
    [
      "a variable that is not set",
      ({ services }) => void delete services["worker"]!.environment!["DATABASE_URL_FILE"],
      /names DATABASE_URL, which is not set/,
    ],
    [
      "a secret that is not mounted",
      ({ services }) => void (services["worker"]!.secrets = ["redis_url"]),
      /database_url, which is not mounted/,
    ],
    ["a secret that there is not", ({ secrets }) => void delete secrets["database_url"], /no secret database_url/],
    [
      "a configuration that is not mounted",
      ({ services }) => void (services["gateway"]!.configs = []),
      /hebra\.json, which is not mounted/,
    ],
    ["two owners of a channel", ({ services }) => void (services["gateway"]!.deploy!.replicas = 2), /one gateway/],
    [
      "more workers than the configuration says",
      ({ services }) => void (services["worker"]!.deploy!.replicas = 50),
      /50 workers/,
    ],
    [
      "a start before the migrations",
      ({ services }) => void delete services["worker"]!.depends_on!["migrations"],
      /does not wait for the migrations/,
    ],
    [
      "a dependency that there is not",
      ({ services }) => void (services["worker"]!.depends_on!["cache"] = { condition: "service_healthy" }),
      /depends on cache/,
    ],
    ["a writable container", ({ services }) => void (services["worker"]!.read_only = false), /can write/],
    ["an image of no version", ({ services }) => void (services["redis"]!.image = "redis:latest"), /redis:latest/],
  ])("%s", (_title, spoil, expected) => {
    assert.match(composeProblems(spoiled(file, spoil)).join("\n"), expected);
  });

  test.each(["--maxmemory-policy noeviction", "--appendonly yes", "--appendfsync everysec"])(
    "a Redis without %s",
    (setting) => {
      const copy = spoiled(file, ({ services }) => {
        const words = services["redis"]!.command!;
        words.splice(words.indexOf(setting.split(" ")[0]!), 2);
      });
      assert.match(composeProblems(copy).join("\n"), new RegExp(`without ${setting}`));
    },
  );

  const everyService = Object.keys(file.services);
  test.each<[string, (service: ComposeService) => void, RegExp]>([
    ["no dropped capabilities", (service) => void delete service.cap_drop, /can write, or may become more than it is/],
    ["no limits", (service) => void delete service.deploy, /has no limits/],
    [
      "a password in its arguments",
      (service) => void (service.command = [...(service.command ?? []), "--requirepass", "secret"]),
      /has a password among its arguments/,
    ],
    [
      "an address with a password in its arguments",
      (service) => void (service.command = ["redis-cli", "-u", "redis://:secret@redis:6379"]),
      /has a password among its arguments/,
    ],
  ])("%s, in whichever service", (_title, spoil, expected) => {
    for (const name of everyService)
      assert.match(
        composeProblems(spoiled(file, ({ services }) => spoil(services[name]!))).join("\n"),
        new RegExp(`${name} ${expected.source}`),
      );
  });

  test("root, in whichever service that has another image than ours", () => {
    for (const name of ["redis", "postgres", "prometheus"])
      for (const user of [undefined, "0:0", "root"])
        assert.match(
          composeProblems(
            spoiled(file, ({ services }) => {
              if (user === undefined) delete services[name]!.user;
              else services[name]!.user = user;
            }),
          ).join("\n"),
          new RegExp(`${name} may run as root`),
        );
  });
});

test("each image is named by digest, or a comment above it says why it is not", () => {
  const unexplained: string[] = [];
  for (const path of [
    "compose/compose.yaml",
    "app/Dockerfile",
    "kubernetes/gateway.yaml",
    "kubernetes/worker.yaml",
    "kubernetes/migrations.yaml",
  ]) {
    const lines = readDeploy(path).split("\n");
    const built = new Set(lines.flatMap((line) => /^FROM \S+ AS (\S+)/.exec(line)?.[1] ?? []));
    const explained = new Set<string>();
    lines.forEach((line, at) => {
      const image = /^(?:FROM|\s+image:) (\S+)/.exec(line)?.[1];
      if (image === undefined || image.includes("@sha256:") || built.has(image)) return;
      if (/^\s*#.*(?:digest|By tag)/.test(lines[at - 1] ?? "")) explained.add(image);
      if (!explained.has(image)) unexplained.push(`${path}: ${image}`);
    });
  }
  assert.deepEqual(unexplained, []);
});

test.skipIf(withoutRedisServer !== undefined)(
  "Redis takes its password from the file that make-secrets.sh writes, and shows it to nobody",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "hebra-redis-config-"));
    const secrets = join(directory, "secrets");
    execFileSync("sh", [deployPath("compose/make-secrets.sh"), secrets]);
    const port = await freePort();
    const words = file.services["redis"]!.command!.map((word) =>
      word === "/data" ? directory : word.replace("/run/secrets", secrets),
    );
    const server = spawn(words[0]!, [...words.slice(1), "--port", String(port)], { stdio: "ignore" });
    const password = readFileSync(join(secrets, "redis_password"), "utf8");
    const [client, stranger] = [
      new Redis({ port, password, retryStrategy: () => 50, maxRetriesPerRequest: null }),
      new Redis({ port, retryStrategy: () => 50, maxRetriesPerRequest: null, enableReadyCheck: false }),
    ];
    for (const one of [client, stranger]) one.on("error", () => {});
    try {
      assert.equal(await client.ping(), "PONG");
      assert.deepEqual(await client.config("GET", "maxmemory-policy"), ["maxmemory-policy", "noeviction"]);
      await assert.rejects(stranger.ping(), /NOAUTH/);
      assert.ok(!words.join(" ").includes(password));
    } finally {
      client.disconnect();
      stranger.disconnect();
      server.kill("SIGKILL");
      await once(server, "exit");
      rmSync(directory, { recursive: true, force: true });
    }
  },
);

test("make-secrets.sh writes every secret that is mounted, keeps what is there, and lets nobody else in", () => {
  const directory = mkdtempSync(join(tmpdir(), "hebra-secrets-"));
  try {
    const secrets = join(directory, "secrets");
    const make = () => void execFileSync("sh", [deployPath("compose/make-secrets.sh"), secrets]);
    const read = (name: string) => readFileSync(join(secrets, name), "utf8");
    make();
    assert.deepEqual(readdirSync(secrets).sort(), Object.keys(file.secrets).sort());
    assert.equal(statSync(secrets).mode & 0o077, 0);
    assert.match(read("redis_password"), /^[0-9a-f]{48}$/);
    assert.notEqual(read("redis_password"), read("postgres_password"));
    assert.deepEqual(
      [new URL(read("redis_url")).password, new URL(read("redis_url")).hostname],
      [read("redis_password"), "redis"],
    );
    assert.deepEqual(
      [new URL(read("database_url")).password, new URL(read("database_url")).hostname],
      [read("postgres_password"), "postgres"],
    );
    const before = read("redis_url");
    make();
    assert.equal(read("redis_url"), before);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
