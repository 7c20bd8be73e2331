import { rolloutsOf } from "./form.fixture.ts";

rolloutsOf("gateway with embedded worker", 2, { healthy: true });
