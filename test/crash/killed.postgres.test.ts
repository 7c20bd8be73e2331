import { killedAtEachPoint } from "./killed-at-each-point.fixture.ts";

killedAtEachPoint("postgres");
