import { isLoopback } from "./loopback.ts";

/** The hosts and origins that requests may name. */
export interface Gatekeeper {
  hosts?: readonly string[] | undefined;
  origins?: readonly string[] | undefined;
  /** Nobody is asked who they are: only this machine's names count. */
  loopbackOnly: boolean;
}

/**
 * Why a request may not come in, before anybody is asked who sent it. A browser sends `Origin` with every request that
 * another site makes it send, and `Host` with the name that the site was found under.
 *
 * @returns nothing for a request that may
 */
export function strange(request: Request, url: URL, { hosts, origins, loopbackOnly }: Gatekeeper): string | undefined {
  if (loopbackOnly && !isLoopback(url.hostname))
    return "Without `authorize` this channel answers on a loopback host only.";
  if (hosts !== undefined && !hosts.includes(url.host) && !hosts.includes(url.hostname))
    return "This host is not one of `hosts`.";
  const origin = request.headers.get("origin");
  if (origin === null || origins?.includes(origin) === true) return undefined;
  const sameHost = URL.canParse(origin) && new URL(origin).host === url.host;
  return sameHost ? undefined : "Requests of this origin are refused. Name it in `origins` to accept them.";
}

/** Whether a request says that its body is JSON. A form of another site cannot. */
export function isJson(request: Request): boolean {
  const [type = ""] = (request.headers.get("content-type") ?? "").split(";");
  return /^application\/(?:[\w.!#$&^-]+\+)?json$/i.test(type.trim());
}
