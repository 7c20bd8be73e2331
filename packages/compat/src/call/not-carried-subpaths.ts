import { unsupported } from "./unsupported.ts";

const documents =
  "Turn the document into text or file parts before the turn, and pass them in the trigger; `expandEvents` may still replace parts.";

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` when it is constructed */
export class InstantStore {
  constructor(..._: readonly unknown[]) {
    throw unsupported("InstantStore", instant);
  }
}
const instant =
  "Return a store of `@hebra/thread/store/*` from the function that you give to `configureRuntime`; `legacyStore` reads the old rows.";

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function createInstantStoreRuntime(..._: readonly unknown[]): never {
  throw unsupported("createInstantStoreRuntime", instant);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function parseAndStoreDocument(..._: readonly unknown[]): never {
  throw unsupported("parseAndStoreDocument", documents);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function expandEventsWithInstantDocuments(..._: readonly unknown[]): never {
  throw unsupported("expandEventsWithInstantDocuments", documents);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function coerceDocumentTextPages(..._: readonly unknown[]): never {
  throw unsupported("coerceDocumentTextPages", documents);
}

const mcp =
  "Import it from the MCP adapter that the old package re-exported, and add that package to your dependencies.";

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function createMcpHandler(..._: readonly unknown[]): never {
  throw unsupported("createMcpHandler", mcp);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function withMcpAuth(..._: readonly unknown[]): never {
  throw unsupported("withMcpAuth", mcp);
}

/** @deprecated Not carried over. @throws HebraError `UNSUPPORTED` */
export function verifyOidcToken(..._: readonly unknown[]): never {
  throw unsupported(
    "verifyOidcToken",
    "Verify the token with your OIDC library, and pass what it proves in the environment.",
  );
}
