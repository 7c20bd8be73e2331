import { wholeNumber, type Report } from "@hebra/cli-kit";
import { consoleLogger, errorMessage, HebraError, redactText } from "@hebra/core";
import { mkdir } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { createAdminHandler } from "../admin/handler.ts";
import { nodeListener } from "../admin/node-listener.ts";
import { createRolloutController } from "../rollout/controller.ts";
import { defaultPolicy } from "../rollout/policy.ts";
import { createRolloutService } from "../rollout/service.ts";
import type { FlagCall } from "./call.ts";
import { openParts, readServeConfig, type ServeModule } from "./serve-config.ts";

/** Milliseconds that answers under way have when the server closes. */
const LAST_WORDS_MS = 1_000;

/** @throws HebraError `INVALID_OPTIONS` */
async function loadModule(path: string | undefined): Promise<ServeModule> {
  if (path === undefined) return {};
  try {
    return (await import(pathToFileURL(resolve(path)).href)) as ServeModule;
  } catch (error) {
    throw new HebraError("INVALID_OPTIONS", `${path} cannot be loaded: ${errorMessage(error)}.`, { cause: error });
  }
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((settle, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const why = cause.code ?? cause.message;
      reject(
        new HebraError("INVALID_OPTIONS", `The port ${port} of ${host} cannot be listened on: ${why}.`, { cause }),
      );
    });
    server.listen(port, host, () => settle((server.address() as AddressInfo).port));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((settle) => {
    const cut = setTimeout(() => server.closeAllConnections(), LAST_WORDS_MS);
    server.close(() => {
      clearTimeout(cut);
      settle();
    });
    server.closeIdleConnections();
  });
}

/** The admin as a process: serves until it is told to end. */
export async function serve(call: FlagCall): Promise<Report> {
  const { given, io, output } = call;
  const [port, host] = [wholeNumber("port", given.port, 4_100), given.host ?? "127.0.0.1"];
  const module = await loadModule(given.app);
  const config = await readServeConfig(given.config, io.env);
  await mkdir(config.directory, { recursive: true });
  const logger = consoleLogger({ write: (line) => output.log(line) });
  const onError = (error: unknown) => logger.error(redactText(errorMessage(error)), {});
  const parts = await openParts(config, io.env, module);
  const { documents, store, incidents, audit, notifiers, tokens, alias } = parts;
  // Connects before the first request waits for it. What is away now may be back then.
  await Promise.all([documents.read(), store.list()]).catch(onError);
  const { basePath, environment, engines } = config;
  const { authenticate, checks, usage } = module;
  const policy = config.policy ?? defaultPolicy;
  const service = createRolloutService({
    store,
    incidents,
    notifiers,
    policy,
    onError,
    ...(engines === undefined ? {} : { engines: engines as { readonly legacy?: string; readonly new?: string } }),
    ...(checks === undefined ? {} : { checks }),
  });
  const handler = createAdminHandler({
    documents,
    service,
    audit,
    incidents,
    notifiers,
    onError,
    ...(tokens === undefined ? {} : { tokens }),
    ...(authenticate === undefined ? {} : { authenticate }),
    ...(usage === undefined ? {} : { usage }),
    ...(alias === undefined ? {} : { alias }),
    ...(basePath === undefined ? {} : { basePath }),
    ...(environment === undefined ? {} : { environment }),
  });
  const controller =
    config.controller === false
      ? undefined
      : createRolloutController({ service, tickMs: config.controller.tickMs, notifiers, onError });
  const server = createServer(nodeListener(handler));
  try {
    const own = await listen(server, port, host);
    controller?.start();
    const url = `http://${host.includes(":") ? `[${host}]` : host}:${own}${basePath ?? ""}`;
    const started = { started: "flags", url, controller: controller !== undefined };
    if (given.json === true) output.json(started);
    else output.print(`The admin serves at ${url}; ${url}/v1/openapi.json describes it.`);
    await new Promise<void>((settle) =>
      io.signal.aborted ? settle() : io.signal.addEventListener("abort", () => settle(), { once: true }),
    );
    return { report: { stopped: "flags" }, text: "The admin stopped." };
  } finally {
    handler.close();
    await Promise.all([controller?.close(), close(server)]);
    await parts.close();
  }
}
