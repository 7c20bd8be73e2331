import { HebraError } from "@hebra/core";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { createServer } from "node:http";
import { connect, createServer as createSocket, type AddressInfo } from "node:net";
import { createFaultSwitch, FAULT_VARIABLE } from "../incident/fault-switch.ts";

/** What a rehearsal lets go wrong on the new engine. */
export type RehearsalFault = "dns" | "provider-5xx" | "tool-error" | "store-down" | "forced-error";

/** Every fault, for schemas and help. */
export const rehearsalFaults = [
  "dns",
  "provider-5xx",
  "tool-error",
  "store-down",
  "forced-error",
] as const satisfies readonly RehearsalFault[];

/** A fault that is in force. */
export interface Injected {
  /** Throws what the fault makes an engine throw; resolves where the fault shows in action calls alone. */
  strike(): Promise<void>;
  remove(): Promise<void>;
}

const nothing = async (): Promise<void> => undefined;

/** A name that no resolver has (RFC 6761). */
const dns: Injected = { strike: async () => void (await lookup("rehearsal.invalid")), remove: nothing };

/** A provider of this process that answers 503. */
async function provider5xx(): Promise<Injected> {
  const server = createServer((_, response) => void response.writeHead(503).end("overloaded")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    async strike() {
      const response = await fetch(`http://127.0.0.1:${port}/v1/messages`, { method: "POST" });
      await response.arrayBuffer();
      throw Object.assign(new Error("The provider answered with an error."), { status: response.status });
    },
    async remove() {
      server.closeAllConnections();
      await new Promise((settle) => server.close(settle));
    },
  };
}

/** A port on which nothing listens any more. */
async function storeDown(): Promise<Injected> {
  const server = createSocket().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((settle) => server.close(settle));
  return {
    strike: () =>
      new Promise((_, reject) => {
        const socket = connect(port, "127.0.0.1");
        socket.on("error", reject);
        socket.on("connect", () => {
          socket.destroy();
          reject(new HebraError("INTERNAL", "The port of a rehearsal was taken by somebody else. Run it again."));
        });
      }),
    remove: nothing,
  };
}

/**
 * Puts a fault in force. A forced error is refused in production.
 *
 * @throws HebraError `UNSUPPORTED`
 */
export async function inject(fault: RehearsalFault, environment: string): Promise<Injected> {
  switch (fault) {
    case "dns":
      return dns;
    case "provider-5xx":
      return provider5xx();
    case "store-down":
      return storeDown();
    case "tool-error":
      return { strike: nothing, remove: nothing };
    case "forced-error": {
      const strike = createFaultSwitch(environment, { [FAULT_VARIABLE]: "1" });
      return { strike: async () => strike(), remove: nothing };
    }
  }
}
