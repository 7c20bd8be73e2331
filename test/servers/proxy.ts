import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

/** A TCP proxy that fails as networks and load balancers do. */
export interface TestProxy {
  readonly port: number;
  readonly url: string;
  /** From now on, open connections carry nothing in either direction and stay open. New ones work. */
  silence(): void;
  /** Silenced connections carry again, what was sent meanwhile included. */
  resume(): void;
  /** Ends every open connection. New ones work. */
  cut(): void;
  /** New connections go to this port. Open ones stay where they are. */
  pointAt(port: number): void;
  /** New connections carry nothing for so many milliseconds, as over a slow network. */
  openAfter(ms: number): void;
  /** Connections accepted so far. */
  readonly accepted: number;
  stop(): Promise<void>;
}

/** A proxy on a free loopback port, in front of a port. */
export async function startProxy(target: number): Promise<TestProxy> {
  const pairs = new Set<[Socket, Socket]>();
  let to = target;
  let accepted = 0;
  let openAfterMs = 0;
  const server = createServer((inner) => {
    accepted++;
    const outer = connect(to, "127.0.0.1");
    const pair: [Socket, Socket] = [inner, outer];
    pairs.add(pair);
    for (const [from, into] of [pair, [outer, inner] as const]) {
      from.on("error", () => {});
      from.on("close", () => {
        pairs.delete(pair);
        into.destroy();
      });
    }
    const carry = () => {
      inner.pipe(outer);
      outer.pipe(inner);
    };
    if (openAfterMs === 0) carry();
    else {
      const timer = setTimeout(carry, openAfterMs);
      inner.on("close", () => clearTimeout(timer));
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const cut = () => {
    for (const pair of pairs) for (const socket of pair) socket.destroy();
  };
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    silence() {
      for (const [inner, outer] of pairs) {
        inner.unpipe(outer);
        outer.unpipe(inner);
        inner.pause();
        outer.pause();
      }
    },
    resume() {
      for (const [inner, outer] of pairs) {
        inner.pipe(outer);
        outer.pipe(inner);
      }
    },
    cut,
    pointAt: (next) => void (to = next),
    openAfter: (ms) => void (openAfterMs = ms),
    get accepted() {
      return accepted;
    },
    async stop() {
      cut();
      server.close();
      await once(server, "close");
    },
  };
}
