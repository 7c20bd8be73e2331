import { killedCatchUp } from "./catch-up.fixture.ts";

killedCatchUp("sqlite");
