import { wholeNumber, type Output, type Report } from "@hebra/cli-kit";
import { consoleLogger, errorMessage, HebraError, redactText } from "@hebra/core";
import {
  httpChannel,
  openRuntime,
  parseRuntimeConfig,
  type Channel,
  type Gateway,
  type HttpChannel,
  type Runtime,
} from "@hebra/thread/runtime";
import { loadApp, loadConfigFile, partsOf, type App } from "./app.ts";
import { betweenEngines, type BetweenEngines } from "./flags/between-engines.ts";
import type { CliOptions } from "./options.ts";
import { serve, type Serving } from "./serve.ts";

const json = (body: object, ok = true) =>
  new Response(JSON.stringify(body), { status: ok ? 200 : 503, headers: { "content-type": "application/json" } });

/** `hebra gateway` and `hebra worker`: run until the signal aborts, then end within the deadline. */
export async function runProcess(
  kind: "gateway" | "worker",
  options: CliOptions,
  output: Output,
  signal: AbortSignal,
): Promise<Report> {
  const app = await loadApp(options.app);
  const { runtime: config, flags } = await loadConfigFile(options.config);
  const logger = consoleLogger({ write: (line) => output.log(line) });
  const host = options.host ?? "127.0.0.1";
  const deadlineMs = wholeNumber("deadline", options.deadline, 30_000);
  const concurrency = wholeNumber("concurrency", options.concurrency, 10);
  if (kind === "worker" && parseRuntimeConfig(config).bus.backend === "local") {
    throw new HebraError(
      "UNSUPPORTED",
      "A worker of its own needs a bus that it shares with a gateway, and the bus of this configuration is local. Set bus.backend to redis, or run hebra gateway, which works too.",
    );
  }
  const between = await betweenEngines(app, flags, parseRuntimeConfig(config).bus.backend !== "local", logger);
  const runtime = await openWith(between, config, { ...partsOf(app), ...between?.parts, logger });
  const servers: Serving[] = [];
  let probes: Serving | undefined;
  try {
    if (options.probes !== undefined)
      probes = await serveProbes(runtime, wholeNumber("probes", options.probes, 0), host);
    let web: Serving | undefined;
    let gateway: Gateway | undefined;
    if (kind === "gateway") {
      const channels: Channel[] = [
        ...(typeof app.channels === "function" ? await app.channels() : (app.channels ?? [])),
      ];
      if (options.port !== undefined) {
        const channel = ownChannel(app);
        channel.assertAddress(host);
        channels.push(channel);
        web = await serve(byName(channels, channel), { port: wholeNumber("port", options.port, 0), host });
        servers.push(web);
      }
      gateway = await runtime.gateway({
        channels,
        embeddedWorker: options["no-worker"] === true ? false : { concurrency },
        ...(options.id === undefined ? {} : { id: options.id }),
      });
    } else {
      runtime.worker({ concurrency });
    }
    if (app.jobs !== undefined && (kind === "worker" || gateway?.worker !== undefined))
      runtime.scheduler({ jobs: app.jobs });
    const started = {
      started: kind,
      pid: process.pid,
      ...(web === undefined ? {} : { port: web.port }),
      ...(probes === undefined ? {} : { probes: probes.port }),
    };
    if (options.json === true) output.json(started);
    else
      output.print(
        `${kind} started${web === undefined ? "" : `, messages on port ${web.port}`}${probes === undefined ? "" : `, probes on port ${probes.port}`}`,
      );
    await new Promise<void>((resolve) =>
      signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true }),
    );
    const stoppedAt = performance.now();
    await runtime.drain({ deadlineMs });
    await runtime.close();
    await between?.close();
    const ms = Math.round(performance.now() - stoppedAt);
    return { report: { stopped: kind, ms }, text: `${kind} stopped in ${ms} ms` };
  } catch (error) {
    await runtime.close().catch(() => undefined);
    await between?.close().catch(() => undefined);
    throw error;
  } finally {
    await Promise.all([...servers, ...(probes === undefined ? [] : [probes])].map((server) => server.close()));
  }
}

async function openWith(
  between: BetweenEngines | undefined,
  ...parts: Parameters<typeof openRuntime>
): Promise<Runtime> {
  try {
    return await openRuntime(...parts);
  } catch (error) {
    await between?.close().catch(() => undefined);
    throw error;
  }
}

/** @throws HebraError `INVALID_OPTIONS` when the app does not say who may post */
function ownChannel({ authorize }: App): HttpChannel {
  if (authorize !== undefined) return httpChannel({ authorize });
  throw new HebraError(
    "INVALID_OPTIONS",
    'With --port the app must export `authorize`: a function that says who is behind a request, or "everybody" for a server on loopback.',
  );
}

/**
 * A channel with a handler of its own, as a webhook has, answers below `/<its name>`; everything else is the HTTP
 * channel's.
 */
function byName(channels: readonly Channel[], fallback: HttpChannel): (request: Request) => Promise<Response> {
  const handlers = new Map(
    channels.flatMap((channel) =>
      "handler" in channel && typeof channel.handler === "function"
        ? [[channel.name, channel as HttpChannel] as const]
        : [],
    ),
  );
  return (request) => {
    const [, first = ""] = new URL(request.url).pathname.split("/");
    // Names of channels need no escapes.
    return (handlers.get(first) ?? fallback).handler(request);
  };
}

function serveProbes(runtime: Runtime, port: number, host: string): Promise<Serving> {
  const handler = async (request: Request): Promise<Response> => {
    switch (new URL(request.url).pathname) {
      case "/healthz": {
        const health = await runtime.health();
        return json(health, health.live);
      }
      case "/readyz": {
        const health = await runtime.health();
        return json(health, health.ready);
      }
      case "/stats":
        return runtime.bus.stats().then(
          (stats) => json(stats),
          (error: unknown) => json({ message: redactText(errorMessage(error)) }, false),
        );
      default:
        return new Response(null, { status: 404 });
    }
  };
  return serve(handler, { port, host });
}
