import { expandEnvironment } from "@hebra/cli-kit";
import { HebraError, parseOptions } from "@hebra/core";
import { join } from "node:path";
import * as z from "zod";
import { fileAudit } from "../admin/audit.ts";
import { fileFlagDocuments } from "../admin/documents.ts";
import type { AdminHandlerOptions } from "../admin/handler.ts";
import type { AdminToken } from "../admin/tokens.ts";
import type { IncidentStore } from "../incident/incident.ts";
import { fileIncidents } from "../incident/stores.ts";
import { webhookNotifier } from "../rollout/notifier.ts";
import { rolloutPlan, type RolloutPlanInput } from "../rollout/plan.ts";
import type { RolloutPolicy } from "../rollout/policy.ts";
import type { RolloutServiceOptions } from "../rollout/service.ts";
import { fileRolloutStore } from "../rollout/store/file.ts";
import type { RolloutStore } from "../rollout/store/store.ts";
import { readJsonFile } from "./call.ts";

const text = z.string().min(1);
const file = z.strictObject({ backend: z.literal("file"), path: text });
const redis = z.strictObject({ backend: z.literal("redis"), url: text, namespace: text.optional() });
const postgres = z.strictObject({ backend: z.literal("postgres"), url: text, schema: text.optional() });
const sqlite = z.strictObject({ backend: z.literal("sqlite"), path: text });

const schema = z.strictObject({
  /** Where everything is that is given no place of its own. */
  directory: text.default(".hebra/flags"),
  documents: z.discriminatedUnion("backend", [file, redis, postgres]).optional(),
  rollouts: z.discriminatedUnion("backend", [file, redis, postgres]).optional(),
  incidents: z.discriminatedUnion("backend", [file, sqlite, postgres]).optional(),
  audit: file.optional(),
  tokens: z
    .array(
      z.strictObject({
        token: text,
        name: text,
        roles: z.array(z.enum(["read", "operate", "approve"])),
        approves: z.array(z.enum(["technical", "operational"])).optional(),
      }),
    )
    .optional(),
  policy: z
    .custom<RolloutPolicy>((value) => typeof value === "object" && value !== null, "must be a policy")
    .optional(),
  alias: z.strictObject({ flag: text, plan: z.record(z.string(), z.unknown()), basePath: text }).optional(),
  environment: text.optional(),
  basePath: text.optional(),
  engines: z.strictObject({ legacy: text.optional(), new: text.optional() }).optional(),
  webhooks: z.array(text).default([]),
  controller: z.union([z.literal(false), z.strictObject({ tickMs: z.number().positive().default(30_000) })]).default({
    tickMs: 30_000,
  }),
});

/** How long a command to Redis may take, ms: people wait for an answer, and a kill is better late than refused. */
const PATIENCE_MS = 5_000;

/** What `hebra flags serve` reads. */
export type ServeConfig = z.output<typeof schema>;

/** What a module of the host adds to the configuration: the parts that are code. */
export interface ServeModule {
  readonly authenticate?: AdminHandlerOptions["authenticate"];
  readonly checks?: RolloutServiceOptions["checks"];
  readonly usage?: AdminHandlerOptions["usage"];
}

/** @throws HebraError `PARSE_ERROR`, `INVALID_OPTIONS` */
export async function readServeConfig(
  path: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<ServeConfig> {
  const given = path === undefined ? {} : await readJsonFile(path);
  return parseOptions("hebra flags serve", schema, expandEnvironment(given, environment));
}

/** Everything that the admin works with. */
export interface ServeParts {
  readonly documents: AdminHandlerOptions["documents"];
  readonly store: RolloutStore;
  readonly incidents: IncidentStore;
  readonly audit: NonNullable<AdminHandlerOptions["audit"]>;
  readonly notifiers: NonNullable<AdminHandlerOptions["notifiers"]>;
  readonly tokens: readonly AdminToken[] | undefined;
  readonly alias: AdminHandlerOptions["alias"];
  close(): Promise<void>;
}

/** Without a list, `HEBRA_FLAGS_TOKEN` is the one token: it reads and operates. */
function tokensOf(
  { tokens }: ServeConfig,
  environment: Readonly<Record<string, string | undefined>>,
  module: ServeModule,
): readonly AdminToken[] | undefined {
  if (tokens !== undefined) return tokens as readonly AdminToken[];
  const token = environment["HEBRA_FLAGS_TOKEN"];
  if (token !== undefined && token !== "") return [{ token, name: "operator", roles: ["operate"] }];
  if (module.authenticate !== undefined) return undefined;
  throw new HebraError(
    "INVALID_OPTIONS",
    "Nobody could call: set HEBRA_FLAGS_TOKEN, list `tokens` in the configuration, or export `authenticate` from --app. There are no default credentials.",
  );
}

/** Opens what the configuration names. Clients of Redis and PostgreSQL are loaded only where they are needed. */
export async function openParts(
  config: ServeConfig,
  environment: Readonly<Record<string, string | undefined>>,
  module: ServeModule,
): Promise<ServeParts> {
  const tokens = tokensOf(config, environment, module);
  const closing: (() => Promise<void>)[] = [];
  const opened = <T>(it: T, close: () => Promise<void>): T => {
    closing.push(close);
    return it;
  };
  const at = (name: string) => join(config.directory, name);

  async function documents(): Promise<ServeParts["documents"]> {
    const place = config.documents ?? { backend: "file", path: at("flags.json") };
    if (place.backend === "file") return fileFlagDocuments(place.path);
    if (place.backend === "redis") {
      const { redisFlagWriter } = await import("../provider/redis/redis-provider.ts");
      const { url, namespace } = place;
      const writer = redisFlagWriter({
        url,
        commandTimeoutMs: PATIENCE_MS,
        ...(namespace === undefined ? {} : { namespace }),
      });
      return opened(writer, () => writer.close());
    }
    const { postgresFlagWriter } = await import("../provider/postgres/postgres-writer.ts");
    const { url: connectionString, schema: name } = place;
    const writer = postgresFlagWriter({ connectionString, ...(name === undefined ? {} : { schema: name }) });
    return opened(writer, () => writer.close());
  }

  async function rollouts(): Promise<RolloutStore> {
    const place = config.rollouts ?? { backend: "file", path: at("rollouts") };
    if (place.backend === "file") return fileRolloutStore(place.path);
    if (place.backend === "redis") {
      const { redisRolloutStore } = await import("../rollout/store/redis.ts");
      const { url, namespace } = place;
      return redisRolloutStore({
        url,
        commandTimeoutMs: PATIENCE_MS,
        ...(namespace === undefined ? {} : { namespace }),
      });
    }
    const { postgresRolloutStore } = await import("../rollout/store/postgres.ts");
    const { url: connectionString, schema: name } = place;
    return postgresRolloutStore({ connectionString, ...(name === undefined ? {} : { schema: name }) });
  }

  async function incidents(): Promise<IncidentStore> {
    const place = config.incidents ?? { backend: "file", path: at("incidents.jsonl") };
    if (place.backend === "file") return fileIncidents(place.path);
    if (place.backend === "sqlite") {
      const { sqliteIncidents } = await import("../incident/sqlite-incidents.ts");
      const store = sqliteIncidents({ path: place.path });
      return opened(store, () => store.end());
    }
    const { postgresIncidents } = await import("../incident/postgres-incidents.ts");
    const { url: connectionString, schema: name } = place;
    const store = postgresIncidents({ connectionString, ...(name === undefined ? {} : { schema: name }) });
    return opened(store, () => store.end());
  }

  const close = async () => {
    for (const one of closing) await one().catch(() => undefined);
  };
  try {
    const store = await rollouts();
    closing.push(() => store.close());
    const { alias } = config;
    return {
      store,
      documents: await documents(),
      incidents: await incidents(),
      audit: fileAudit(config.audit?.path ?? at("audit.jsonl")),
      notifiers: config.webhooks.map((url) => webhookNotifier(url)),
      tokens,
      alias:
        alias === undefined ? undefined : { ...alias, plan: rolloutPlan(alias.plan as unknown as RolloutPlanInput) },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
