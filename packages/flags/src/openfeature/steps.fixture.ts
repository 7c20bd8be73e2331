import assert from "node:assert/strict";
import { HebraError } from "@hebra/core";
import {
  AsyncLocalStorageTransactionContextPropagator,
  OpenFeature,
  type Client,
  type EvaluationContext,
  type EvaluationDetails,
  type Hook,
  type Provider,
} from "@openfeature/server-sdk";
import { createFlags, type Flags } from "../client/create-flags.ts";
import type { FlagDocument } from "../evaluate/types.ts";
import type { FlagProvider, ProviderEvent } from "../provider/provider.ts";
import { openFeatureProvider } from "./provider.ts";

type Table = readonly (readonly string[])[];
type Details = EvaluationDetails<never>;

/** What one scenario knows. */
export interface World {
  readonly document: FlagDocument;
  readonly domain: string;
  readonly client: () => Client;
  flags?: Flags;
  flag?: { type: string; key: string; fallback: unknown };
  context: EvaluationContext;
  levels: Record<string, EvaluationContext>;
  precedence: string[];
  hooks: Hook[];
  calls: { stage: string; details?: Details }[];
  seen?: EvaluationContext;
  details?: Details;
  value?: unknown;
  before?: string;
}

const quiet = { warn() {} };
const convert: Record<string, (text: string) => unknown> = {
  boolean: (text) => text === "true",
  string: (text) => text,
  integer: Number,
  float: Number,
  object: (text) => JSON.parse(text) as unknown,
};
const parse = (type: string, text: string) => (text === "null" ? null : convert[type.toLowerCase()]!(text));

/** A source whose first load does what the status asks for. */
function source(document: FlagDocument, status: string): FlagProvider & { lose(): void } {
  const listeners = new Set<(event: ProviderEvent) => void>();
  return {
    name: status,
    load() {
      if (status === "not ready") return new Promise(() => {});
      if (status === "error") return Promise.reject(new HebraError("UNREACHABLE", "no route to host"));
      if (status === "fatal") return Promise.reject(new HebraError("UNAUTHENTICATED", "the token is not valid"));
      return { document };
    },
    watch(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    lose() {
      for (const listener of listeners)
        listener({ type: "source-lost", error: new HebraError("UNREACHABLE", "the connection broke") });
    },
    close: () => Promise.resolve(),
  };
}

async function register(world: World, status: string, wrap = (provider: Provider) => provider): Promise<void> {
  const provider = source(world.document, status);
  world.flags = createFlags({ provider, logger: quiet });
  const set = OpenFeature.setProviderAndWait(
    world.domain,
    wrap(openFeatureProvider({ flags: world.flags, cacheSize: 100 })),
  );
  if (status === "not ready") set.catch(() => {});
  else await set.catch((error: unknown) => assert.ok(["error", "fatal"].includes(status), String(error)));
  if (status === "stale") provider.lose();
}

async function evaluate(world: World, hooks: Hook[] = []): Promise<void> {
  const { type, key, fallback } = world.flag!;
  const client = world.client();
  const options = { hooks: [...world.hooks, ...hooks] };
  const call = {
    boolean: () => client.getBooleanDetails(key, fallback as boolean, world.context, options),
    string: () => client.getStringDetails(key, fallback as string, world.context, options),
    integer: () => client.getNumberDetails(key, fallback as number, world.context, options),
    float: () => client.getNumberDetails(key, fallback as number, world.context, options),
    object: () => client.getObjectDetails(key, fallback as never, world.context, options),
  }[type.toLowerCase()]!;
  world.details = (await call()) as Details;
}

const recorder = (world: World, name = ""): Hook => ({
  before: () => void world.calls.push({ stage: `${name}before` }),
  after: (_, details) => void world.calls.push({ stage: `${name}after`, details: details as Details }),
  error: () => void world.calls.push({ stage: `${name}error` }),
  finally: (_, details) => void world.calls.push({ stage: `${name}finally`, details: details as Details }),
});

async function evaluateSome(world: World): Promise<void> {
  const { levels } = world;
  OpenFeature.setContext(levels["API"] ?? {});
  const client = world.client().setContext(levels["Client"] ?? {});
  client.addHooks({ before: () => levels["Before Hooks"] ?? {} });
  OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator());
  await new Promise<void>((resolve, reject) => {
    OpenFeature.setTransactionContext(levels["Transaction"] ?? {}, () => {
      client.getBooleanValue("boolean-flag", false, levels["Invocation"] ?? {}).then(() => resolve(), reject);
    });
  });
  client.clearHooks();
}

function simple(world: World, type: string, key: string, fallback: unknown): Promise<void> {
  world.flag = { type, key, fallback };
  return evaluate(world);
}

function containsFields(world: World, names: string[], values: unknown[]): void {
  const value = world.details!.value as Record<string, unknown>;
  names.forEach((name, index) => assert.deepEqual(value[name], values[index]));
}

const DETAIL: Record<string, (details: Details) => unknown> = {
  flag_key: ({ flagKey }) => flagKey,
  value: ({ value }) => value,
  variant: ({ variant }) => variant ?? null,
  reason: ({ reason }) => reason,
  error_code: ({ errorCode }) => errorCode ?? null,
};

/** Steps by their text. `"…"` stands for a quoted argument, `#` for a bare number. */
export const steps: Readonly<Record<string, (world: World, args: string[], table: Table) => unknown>> = {
  "a stable provider": (world) => register(world, "stable"),
  "a not ready provider": (world) => register(world, "not ready"),
  "a fatal provider": (world) => register(world, "fatal"),
  "a error provider": (world) => register(world, "error"),
  "a stale provider": (world) => register(world, "stale"),
  "a stable provider with retrievable context is registered": (world) =>
    register(world, "stable", (provider) => ({
      ...provider,
      resolveBooleanEvaluation(key, fallback, context, logger) {
        world.seen = context;
        return provider.resolveBooleanEvaluation(key, fallback, context, logger);
      },
    })),
  'the provider status should be "…"': (world, [status]) => assert.equal(world.client().providerStatus, status),

  'a context containing a key "…", with type "…" and with value "…"': (world, [key, type, value]) =>
    void (world.context = { ...world.context, [key!]: parse(type!, value!) as never }),
  'a context containing a key "…" with null value': (world, [key]) =>
    void (world.context = { ...world.context, [key!]: null as never }),
  'context contains keys "…", "…", "…", "…" with values "…", "…", #, "…"': (
    world,
    [a, b, c, d, first, second, third, fourth],
  ) => void (world.context = { [a!]: first!, [b!]: second!, [c!]: Number(third), [d!]: fourth === "true" }),
  "an evaluation context with modifiable data": (world) => {
    world.context = { list: [1, 2], nested: { a: 1 }, targetingKey: "t" };
    world.before = JSON.stringify(world.context);
  },
  "the original evaluation context should remain unmodified": (world) =>
    assert.equal(JSON.stringify(world.context), world.before),
  "the evaluation details should be immutable": (world) => assert.ok(Object.isFrozen(world.details!.flagMetadata)),

  "the flag was evaluated with details": (world) => evaluate(world),
  "the flag was evaluated with details asynchronously": async (world) => {
    let free = false;
    const pending = evaluate(world);
    queueMicrotask(() => void (free = true));
    await pending;
    world.value = free;
  },
  "the evaluation should complete without blocking": (world) => assert.equal(world.value, true),
  "evaluation options containing specific hooks": () => {},
  "the flag was evaluated with details using the evaluation options": (world) =>
    evaluate(world, [recorder(world, "1 "), recorder(world, "2 ")]),
  "the specified hooks should execute during evaluation": (world) => assert.equal(world.calls.length, 6),
  "the hook order should be maintained": (world) =>
    assert.deepEqual(
      world.calls.map(({ stage }) => stage),
      ["1 before", "2 before", "2 after", "1 after", "2 finally", "1 finally"],
    ),
  "a client with added hook": (world) => void world.hooks.push(recorder(world)),
  'the "…" hook should have been executed': (world, [stage]) =>
    assert.ok(world.calls.some((call) => call.stage === stage)),
  'the "…" hooks should be called with evaluation details': (world, [stages], [, ...rows]) => {
    for (const stage of stages!.split(", ")) {
      const call = world.calls.find((each) => each.stage === stage);
      for (const [type, key, value] of rows)
        assert.deepEqual(DETAIL[key!]!(call!.details!), parse(type!, value!), `${stage} ${key}`);
    }
  },

  'the resolved details value should be "…"': (world, [value]) =>
    assert.deepEqual(world.details!.value, parse(world.flag!.type, value!)),
  'the reason should be "…"': (world, [reason]) => assert.equal(world.details!.reason, reason),
  'the error-code should be "…"': (world, [code]) => assert.equal(world.details!.errorCode, code),
  'the flag key should be "…"': (world, [key]) => assert.equal(world.details!.flagKey, key),
  'the variant should be "…"': (world, [variant]) => assert.equal(world.details!.variant, variant),
  'the variant should be "…", and the reason should be "…"': ({ details }, args) =>
    assert.deepEqual([details!.variant, details!.reason], args),
  "the resolved metadata should contain": (world, _, [, ...rows]) => {
    for (const [key, type, value] of rows) assert.deepEqual(world.details!.flagMetadata[key!], parse(type!, value!));
  },
  "the resolved metadata is empty": (world) => assert.deepEqual({ ...world.details!.flagMetadata }, {}),

  'A context entry with key "…" and value "…" is added to the "…" level': (world, [key, value, level]) =>
    void (world.levels[level!] = { ...world.levels[level!], [key!]: value! }),
  "A table with levels of increasing precedence": (world, _, table) =>
    void (world.precedence = table.map(([level]) => level!)),
  'Context entries for each level from API level down to the "…" level, with key "…" and value "…"': (
    world,
    [level, key],
  ) => {
    for (const each of world.precedence.slice(0, world.precedence.indexOf(level!) + 1))
      world.levels[each] = { [key!]: each };
  },
  "Some flag was evaluated": (world) => evaluateSome(world),
  'The merged context contains an entry with key "…" and value "…"': (world, [key, value]) =>
    assert.equal(world.seen?.[key!], value),

  'a boolean flag with key "…" is evaluated with default value "…"': (world, [key, value]) =>
    simple(world, "boolean", key!, value === "true"),
  'a string flag with key "…" is evaluated with default value "…"': (world, [key, value]) =>
    simple(world, "string", key!, value),
  'an integer flag with key "…" is evaluated with default value #': (world, [key, value]) =>
    simple(world, "integer", key!, Number(value)),
  'a float flag with key "…" is evaluated with default value #': (world, [key, value]) =>
    simple(world, "float", key!, Number(value)),
  'an object flag with key "…" is evaluated with a null default value': (world, [key]) =>
    simple(world, "object", key!, null),
  'a boolean flag with key "…" is evaluated with details and default value "…"': (world, [key, value]) =>
    simple(world, "boolean", key!, value === "true"),
  'a string flag with key "…" is evaluated with details and default value "…"': (world, [key, value]) =>
    simple(world, "string", key!, value),
  'an integer flag with key "…" is evaluated with details and default value #': (world, [key, value]) =>
    simple(world, "integer", key!, Number(value)),
  'a float flag with key "…" is evaluated with details and default value #': (world, [key, value]) =>
    simple(world, "float", key!, Number(value)),
  'an object flag with key "…" is evaluated with details and a null default value': (world, [key]) =>
    simple(world, "object", key!, null),
  'a flag with key "…" is evaluated with default value "…"': (world, [key, value]) =>
    simple(world, "string", key!, value),
  'a non-existent string flag with key "…" is evaluated with details and a fallback value "…"': (world, [key, value]) =>
    simple(world, "string", key!, value),
  'a string flag with key "…" is evaluated as an integer, with details and a fallback value #': (world, [key, value]) =>
    simple(world, "integer", key!, Number(value)),
  'the resolved boolean value should be "…"': ({ details }, [value]) => assert.equal(details!.value, value === "true"),
  'the resolved string value should be "…"': ({ details }, [value]) => assert.equal(details!.value, value),
  'the resolved string response should be "…"': ({ details }, [value]) => assert.equal(details!.value, value),
  "the resolved integer value should be #": ({ details }, [value]) => assert.equal(details!.value, Number(value)),
  "the resolved float value should be #": ({ details }, [value]) => assert.equal(details!.value, Number(value)),
  'the resolved boolean details value should be "…", the variant should be "…", and the reason should be "…"': (
    { details },
    [value, ...rest],
  ) => assert.deepEqual([details!.value, details!.variant, details!.reason], [value === "true", ...rest]),
  'the resolved string details value should be "…", the variant should be "…", and the reason should be "…"': (
    { details },
    args,
  ) => assert.deepEqual([details!.value, details!.variant, details!.reason], args),
  'the resolved integer details value should be #, the variant should be "…", and the reason should be "…"': (
    { details },
    [value, ...rest],
  ) => assert.deepEqual([details!.value, details!.variant, details!.reason], [Number(value), ...rest]),
  'the resolved float details value should be #, the variant should be "…", and the reason should be "…"': (
    { details },
    [value, ...rest],
  ) => assert.deepEqual([details!.value, details!.variant, details!.reason], [Number(value), ...rest]),
  'the resolved object value should be contain fields "…", "…", and "…", with values "…", "…" and #, respectively': (
    world,
    [a, b, c, first, second, third],
  ) => containsFields(world, [a!, b!, c!], [first === "true", second, Number(third)]),
  'the resolved object details value should be contain fields "…", "…", and "…", with values "…", "…" and #, respectively':
    (world, [a, b, c, first, second, third]) =>
      containsFields(world, [a!, b!, c!], [first === "true", second, Number(third)]),
  'the resolved flag value is "…" when the context is empty': async (world, [value]) => {
    world.context = {};
    await evaluate(world);
    assert.equal(world.details!.value, value);
  },
  "the default string value should be returned": (world) => assert.equal(world.details!.value, world.flag!.fallback),
  "the default integer value should be returned": (world) => assert.equal(world.details!.value, world.flag!.fallback),
  'the reason should indicate an error and the error code should indicate a missing flag with "…"': (
    { details },
    [code],
  ) => assert.deepEqual([details!.reason, details!.errorCode], ["ERROR", code]),
  'the reason should indicate an error and the error code should indicate a type mismatch with "…"': (
    { details },
    [code],
  ) => assert.deepEqual([details!.reason, details!.errorCode], ["ERROR", code]),
};

/** Runs one step. Flags of a type are many; the type is part of their text. */
export async function runStep(world: World, text: string, table: Table): Promise<void> {
  const typed = /^a (\w+)-flag with key "(.*?)" and a fallback value "((?:[^"\\]|\\.)*)"$/.exec(text);
  if (typed !== null) {
    const [, type, key, fallback] = typed as unknown as [string, string, string, string];
    return void (world.flag = { type, key, fallback: parse(type, unescape(fallback)) });
  }
  const args: string[] = [];
  const pattern = text.replace(
    /"((?:[^"\\]|\\.)*)"|(?<=[ ,])(\d+(?:\.\d+)?)(?=[ ,]|$)/g,
    (_, quoted: string | undefined, number: string | undefined) => {
      args.push(quoted === undefined ? number! : unescape(quoted));
      return quoted === undefined ? "#" : '"…"';
    },
  );
  const step = steps[pattern];
  assert.ok(step !== undefined, `no step for: ${pattern}`);
  await step(world, args, table);
}

const unescape = (text: string) => text.replace(/\\(.)/g, "$1");
