import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseRuntimeConfig, type RuntimeConfig } from "@hebra/thread/runtime";
import { root } from "../../../scripts/lib/paths.mjs";
import { parseCommandLine, type CommandLine } from "./command-lines.ts";

/** A container that runs `hebra`, whatever describes it. */
export interface HebraContainer {
  name: string;
  args: readonly string[];
  environment: Readonly<Record<string, string | undefined>>;
  /** Milliseconds between SIGTERM and SIGKILL. */
  graceMs: number;
  /** Where files are mounted, and what they hold if it is no secret. */
  files: Readonly<Record<string, string | undefined>>;
  /** Port and path of each probe. */
  probes: readonly { port: number; path: string }[];
  /** Ports that others are told of. */
  ports: Readonly<Record<string, number>>;
}

const cli = (file: string) => readFileSync(join(root, "packages/hebra/src/cli", file), "utf8");
/** The paths that a process answers on its port of probes. */
const probePaths = new Set([...cli("run-process.ts").matchAll(/case "(\/[a-z]+)":/g)].map(([, path]) => path!));
/** What the image has in /app, by its Dockerfile. */
const imageFiles = [
  ...readFileSync(join(root, "deploy/app/Dockerfile"), "utf8").matchAll(/^COPY (?!--from)(.+) \.\/$/gm),
]
  .at(-1)![1]!
  .split(" ");

/** Milliseconds that a process may need beside its deadline: to close connections, and to say so. */
const CLOSING_MS = 20_000;

/** What would not work about one container. */
export function containerProblems(container: HebraContainer): string[] {
  const problems: string[] = [];
  const complain = (what: string) => void problems.push(`${container.name}: ${what}`);
  let line: CommandLine;
  try {
    line = parseCommandLine(container.args);
  } catch (error) {
    return [`${container.name}: ${error instanceof Error ? error.message : String(error)}`];
  }
  const { command, options } = line;
  const config = runtimeConfigOf(container, complain);
  for (const name of variablesOf(config)) {
    const { [name]: value, [`${name}_FILE`]: file } = container.environment;
    if (value === undefined && file === undefined)
      complain(`the configuration names ${name}, which is not set, nor is ${name}_FILE`);
    if (file !== undefined && !(file in container.files)) complain(`${name}_FILE names ${file}, which is not mounted`);
  }
  for (const [name, value = ""] of Object.entries(container.environment)) {
    if (/:\/\/[^/\s]*:[^/\s]*@/.test(value) || (/password|secret|token|_key/i.test(name) && !name.endsWith("_FILE")))
      complain(`${name} holds a secret in plain sight`);
  }
  if (command !== "gateway" && command !== "worker") return problems;

  for (const file of [
    options["app"],
    ...[...(container.environment["NODE_OPTIONS"] ?? "").matchAll(/--import (\S+)/g)].map(([, path]) => path),
  ]) {
    if (!imageFiles.includes(String(file).replace(/^\/app\//, ""))) complain(`the image has no ${String(file)}`);
  }
  if (options["host"] !== "0.0.0.0") complain("listens where nobody else can reach it");
  const deadlineMs = Number(options["deadline"] ?? 30_000);
  if (container.graceMs < deadlineMs + CLOSING_MS)
    complain(`is killed after ${container.graceMs} ms, and drains for ${deadlineMs}`);
  if (container.probes.length === 0) complain("has no probe");
  for (const { port, path } of container.probes) {
    if (String(port) !== options["probes"])
      complain(`is probed on ${port}, and answers on ${String(options["probes"])}`);
    if (!probePaths.has(path)) complain(`is probed at ${path}, which answers nothing`);
  }
  const { metrics, http } = container.ports;
  if (String(metrics) !== container.environment["OTEL_EXPORTER_PROMETHEUS_PORT"])
    complain(
      `is scraped on ${String(metrics)}, and answers on ${String(container.environment["OTEL_EXPORTER_PROMETHEUS_PORT"])}`,
    );
  if (command === "gateway" && String(http) !== options["port"])
    complain(`is sent messages on ${String(http)}, and listens on ${String(options["port"])}`);
  if (command === "gateway" && options["no-worker"] !== true) complain("works too, beside workers of their own");
  return problems;
}

/** The configuration that a container is started with, parsed by the runtime's own parser. */
function runtimeConfigOf(container: HebraContainer, complain: (what: string) => void): RuntimeConfig | undefined {
  const path = String(parseCommandLine(container.args).options["config"]);
  const text = container.files[path];
  if (text === undefined) {
    complain(`--config names ${path}, which is not mounted`);
    return undefined;
  }
  try {
    const config = JSON.parse(text) as RuntimeConfig;
    const { bus, locks, store } = parseRuntimeConfig(config);
    if (bus.backend !== "redis" || locks.backend !== "redis")
      complain("the configuration's bus or locks are local, and others are to share them");
    if (store.backend !== "postgres" || store.migrations === "automatic")
      complain("the configuration's store is not one that several processes share after a migration of its own step");
    return config;
  } catch (error) {
    complain(`the configuration: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** The environment variables that a configuration names. */
const variablesOf = (config: RuntimeConfig | undefined): string[] => [
  ...new Set([...JSON.stringify(config ?? {}).matchAll(/"\$\{(\w+)\}"/g)].map(([, name]) => name!)),
];
