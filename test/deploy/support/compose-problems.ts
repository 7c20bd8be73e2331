import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseRuntimeConfig, type RuntimeConfig } from "@hebra/thread/runtime";
import type { Compose, ComposeService } from "./compose.ts";
import { deployPath, readDeploy } from "./files.ts";
import { containerProblems, type HebraContainer } from "./processes.ts";

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const durationMs = (text = "10s") =>
  [...text.matchAll(/(\d+)(ms|s|m|h)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit!]!, 0);

/** The services that run `hebra`. */
const hebraServices = (compose: Compose) =>
  Object.entries(compose.services).filter(([, { image }]) => image === "hebra-app");

function containerOf(compose: Compose, name: string, service: ComposeService): HebraContainer {
  const configs = (service.configs ?? []).map(
    ({ source, target }) => [target, readDeploy(join("compose", compose.configs[source]!.file))] as const,
  );
  const secrets = (service.secrets ?? []).map((secret) => [`/run/secrets/${secret}`, undefined] as const);
  const probe = /http:\/\/127\.0\.0\.1:(\d+)(\/\w+)/.exec(service.healthcheck?.test.join(" ") ?? "");
  const published = (service.ports ?? []).map((port) => Number(port.split(":").at(-1)));
  return {
    name,
    args: service.command ?? [],
    environment: service.environment ?? {},
    graceMs: durationMs(service.stop_grace_period),
    files: Object.fromEntries([...configs, ...secrets]),
    probes: probe === null ? [] : [{ port: Number(probe[1]), path: probe[2]! }],
    ports: { metrics: scrapedPort(name), ...(published[0] === undefined ? {} : { http: published[0] }) },
  };
}

/** Where Prometheus looks for a service's metrics. */
function scrapedPort(service: string): number {
  return Number(
    new RegExp(
      `job_name: hebra-${service}\\s+dns_sd_configs: \\[\\{ names: \\[${service}\\], type: A, port: (\\d+)`,
    ).exec(readDeploy("compose/prometheus.yaml"))?.[1],
  );
}

/** What a container may that it need not, whoever made its image. */
function confinementProblems(name: string, service: ComposeService): string[] {
  const { read_only, cap_drop, security_opt, user, image, command = [], healthcheck, deploy, pids_limit } = service;
  const problems: string[] = [];
  if (
    read_only !== true ||
    cap_drop?.includes("ALL") !== true ||
    security_opt?.includes("no-new-privileges:true") !== true
  )
    problems.push(`${name} can write, or may become more than it is`);
  // The user of hebra-app is its Dockerfile's.
  if (image !== "hebra-app" && !/^[1-9]\d*:[1-9]\d*$/.test(user ?? "")) problems.push(`${name} may run as root`);
  const { cpus, memory } = deploy?.resources?.limits ?? {};
  if (cpus === undefined || memory === undefined || pids_limit === undefined) problems.push(`${name} has no limits`);
  const words = [...command, ...(healthcheck?.test ?? [])].join(" ");
  if (/--?(?:requirepass|password|pass|auth|user)\b|:\/\/[^\s/]*:[^\s/]*@/.test(words.replace("--username", "")))
    problems.push(`${name} has a password among its arguments`);
  return problems;
}

/** What would not work about a Compose file, besides its shape. */
export function composeProblems(compose: Compose): string[] {
  const problems: string[] = [];
  const { services } = compose;
  for (const [name, service] of hebraServices(compose)) {
    problems.push(...containerProblems(containerOf(compose, name, service)));
    if (service.build === undefined || !existsSync(deployPath(join("compose", service.build, "Dockerfile"))))
      problems.push(`${name} is built from nothing`);
  }
  for (const [name, service] of Object.entries(services)) problems.push(...confinementProblems(name, service));
  for (const [name, { depends_on = {}, secrets = [], configs = [], image }] of Object.entries(services)) {
    for (const other of Object.keys(depends_on))
      if (services[other] === undefined) problems.push(`${name} depends on ${other}, which there is not`);
    for (const secret of secrets)
      if (compose.secrets[secret] === undefined) problems.push(`${name}: there is no secret ${secret}`);
    for (const { source } of configs)
      if (compose.configs[source] === undefined) problems.push(`${name}: there is no config ${source}`);
    if (image !== "hebra-app" && !/:v?\d+(?:[.-]\w+)*$/.test(image))
      problems.push(`${name}: the image ${image} has no version`);
  }
  for (const { file } of Object.values(compose.configs))
    if (!existsSync(deployPath(join("compose", file)))) problems.push(`there is no file ${file}`);
  for (const name of ["gateway", "worker"]) {
    const { depends_on = {} } = services[name]!;
    if (depends_on["migrations"]?.condition !== "service_completed_successfully")
      problems.push(`${name} does not wait for the migrations`);
    for (const server of ["redis", "postgres"])
      if (depends_on[server]?.condition !== "service_healthy") problems.push(`${name} does not wait for ${server}`);
  }
  if (services["gateway"]!.deploy?.replicas !== 1) problems.push("there is to be one gateway");
  const { workers } = parseRuntimeConfig(JSON.parse(readDeploy("compose/hebra.json")) as RuntimeConfig);
  const replicas = services["worker"]!.deploy?.replicas ?? 1;
  if (replicas > workers) problems.push(`${replicas} workers run, and the configuration says ${workers}`);
  const redis = services["redis"]!.command?.join(" ") ?? "";
  for (const setting of ["--maxmemory-policy noeviction", "--appendonly yes", "--appendfsync everysec"])
    if (!redis.includes(setting)) problems.push(`Redis runs without ${setting}`);
  const config = /redis-server \/run\/secrets\/(\w+)/.exec(redis)?.[1] ?? "none";
  if (services["redis"]!.secrets?.includes(config) !== true) problems.push("Redis runs without a password");
  return problems;
}
