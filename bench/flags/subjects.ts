import { GrowthBookClient } from "@growthbook/growthbook";
import {
  createFlags,
  exportFlagd,
  staticProvider,
  type FlagContext,
  type FlagDocument,
  type RolloutConfig,
} from "@hebra/flags";
import { openFeatureProvider } from "@hebra/flags/openfeature";
import launchDarkly from "@launchdarkly/node-server-sdk";
import { TestData } from "@launchdarkly/node-server-sdk/integrations";
import { FlagdCore } from "@openfeature/flagd-core";
import { InMemoryProvider, OpenFeature } from "@openfeature/server-sdk";
import { InMemStorageProvider, Unleash } from "unleash-client";

export const FLAG = "engine-v2";
const listed = {
  sessions: Array.from({ length: 100 }, (_, index) => `friend-${index}`),
  orgs: Array.from({ length: 20 }, (_, index) => `partner-${index}`),
};
const rollout: RolloutConfig = {
  version: 1,
  allow: { session: listed.sessions, org: listed.orgs },
  canary: { percent: 10 },
};

/** The same flag for everybody: two allow lists, then 10 percent of the sessions. */
export const document: FlagDocument = { flags: {}, rollouts: { [FLAG]: rollout } };
export const killed: FlagDocument = {
  flags: {},
  rollouts: { [FLAG]: { ...rollout, version: 2, kill: { at: "2026-01-01T00:00:00Z", by: "bench", reason: "bench" } } },
};

/** Contexts that are on no list, and contexts whose org is. */
export const misses: FlagContext[] = Array.from({ length: 1024 }, (_, index) => ({
  session: `session-${String(index).padStart(10, "0")}`,
  org: `org-${index % 50}`,
}));
export const hits: FlagContext[] = misses.map(({ session }, index) => ({
  session: session!,
  org: listed.orgs[index % 20]!,
}));

/** One way to ask whether the flag is on for a context. */
export interface Subject {
  /** Prepares a context in the form that the client takes, outside of what is measured. */
  prepare(context: FlagContext): unknown;
  /** Answers at once, or with a promise. */
  readonly isOn: (context: never) => boolean | Promise<boolean>;
  readonly isAsync: boolean;
  close(): Promise<void>;
}

const done = async () => {};
const silent = { error() {}, warn() {}, info() {}, debug() {} };

function hebra(): Subject {
  const flags = createFlags({ provider: staticProvider(document) });
  return {
    prepare: (context) => context,
    isOn: (context: FlagContext) => flags.decide(FLAG, context).mode === "new",
    isAsync: false,
    close: () => flags.close(),
  };
}

function flagd(): Subject {
  const core = new FlagdCore(undefined, silent);
  core.setConfigurations(JSON.stringify(exportFlagd(document)));
  return {
    prepare: ({ session, org }) => ({ targetingKey: session, session, org }),
    isOn: (context: never) => core.resolveStringEvaluation(FLAG, "legacy", context, silent).value === "new",
    isAsync: false,
    close: done,
  };
}

async function growthBook(): Promise<Subject> {
  const client = new GrowthBookClient({});
  const rules = [
    { condition: { session: { $in: listed.sessions } }, force: true },
    { condition: { org: { $in: listed.orgs } }, force: true },
    { force: true, coverage: 0.1, hashAttribute: "session", seed: FLAG, hashVersion: 2 },
  ];
  await client.init({ payload: { features: { [FLAG]: { defaultValue: false, rules } } } as never });
  return {
    prepare: ({ session, org }) => ({ attributes: { session, org } }),
    isOn: (context: never) => client.isOn(FLAG, context),
    isAsync: false,
    close: async () => client.destroy(),
  };
}

async function launchDarklyTestData(): Promise<Subject> {
  const data = new TestData();
  const rule = (id: string, attribute: string, values: string[]) => ({
    id,
    variation: 0,
    clauses: [{ contextKind: "user", attribute, op: "in", values, negate: false }],
    trackEvents: false,
  });
  data.usePreconfiguredFlag({
    key: FLAG,
    version: 1,
    on: true,
    variations: [true, false],
    offVariation: 1,
    salt: FLAG,
    prerequisites: [],
    targets: [],
    rules: [rule("sessions", "key", listed.sessions), rule("orgs", "org", listed.orgs)],
    fallthrough: {
      rollout: {
        variations: [
          { variation: 0, weight: 10_000 },
          { variation: 1, weight: 90_000 },
        ],
      },
    },
  });
  const client = launchDarkly.init("offline", {
    updateProcessor: data.getFactory(),
    sendEvents: false,
    diagnosticOptOut: true,
    logger: silent,
  } as never);
  await client.waitForInitialization({ timeout: 5 });
  return {
    prepare: ({ session, org }) => ({ kind: "user", key: session, org }),
    isOn: (context: never) => client.boolVariation(FLAG, context, false),
    isAsync: true,
    close: async () => client.close(),
  };
}

async function unleash(): Promise<Subject> {
  const strategy = (rollout: string, constraints: object[] = []) => ({
    name: "flexibleRollout",
    parameters: { rollout, stickiness: "sessionId", groupId: FLAG },
    constraints,
  });
  const among = (contextName: string, values: string[]) => ({
    contextName,
    operator: "IN",
    values,
    inverted: false,
    caseInsensitive: false,
  });
  const feature = {
    name: FLAG,
    type: "release",
    enabled: true,
    stale: false,
    impressionData: false,
    variants: [],
    strategies: [
      strategy("100", [among("sessionId", listed.sessions)]),
      strategy("100", [among("org", listed.orgs)]),
      strategy("10"),
    ],
  };
  const client = new Unleash({
    appName: "bench",
    url: "http://127.0.0.1:9/",
    refreshInterval: 0,
    disableMetrics: true,
    storageProvider: new InMemStorageProvider(),
    bootstrap: { data: [feature] as never },
  });
  client.on("error", () => {});
  client.on("warn", () => {});
  await new Promise<void>((resolve) =>
    client.isSynchronized() ? resolve() : client.once("synchronized", () => resolve()),
  );
  return {
    prepare: ({ session, org }) => ({ sessionId: session, properties: { org } }),
    isOn: (context: never) => client.isEnabled(FLAG, context),
    isAsync: false,
    close: async () => client.destroy(),
  };
}

async function throughOpenFeature(
  domain: string,
  provider: Parameters<typeof OpenFeature.setProviderAndWait>[1],
): Promise<Subject> {
  await OpenFeature.setProviderAndWait(domain, provider);
  const client = OpenFeature.getClient(domain);
  return {
    prepare: ({ session, org }) => ({ targetingKey: session, session, org }),
    isOn: (context: never) => client.getBooleanValue(FLAG, false, context),
    isAsync: true,
    close: done,
  };
}

function inMemory(): InMemoryProvider {
  const [sessions, orgs] = [new Set(listed.sessions), new Set(listed.orgs)];
  // The provider has no percentages: the list part alone, and everybody else off.
  return new InMemoryProvider({
    [FLAG]: {
      variants: { on: true, off: false },
      defaultVariant: "off",
      disabled: false,
      contextEvaluator: ({ session, org }) => (sessions.has(String(session)) || orgs.has(String(org)) ? "on" : "off"),
    },
  });
}

/** Everything that is compared, by the name under which it is reported. */
export async function openSubjects(): Promise<Record<string, Subject>> {
  return {
    "@hebra/flags": hebra(),
    "@openfeature/flagd-core": flagd(),
    "@growthbook/growthbook": await growthBook(),
    "@launchdarkly/node-server-sdk": await launchDarklyTestData(),
    "unleash-client": await unleash(),
    "OpenFeature + @hebra/flags": await throughOpenFeature(
      "hebra",
      openFeatureProvider({ flags: createFlags({ provider: staticProvider(document) }) }),
    ),
    "OpenFeature + in-memory": await throughOpenFeature("memory", inMemory()),
  };
}
