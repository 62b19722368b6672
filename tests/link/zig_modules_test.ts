// Modules made from Zig, with its standard library inside.
import { programTests } from "./program_tests.ts";
import { ZIG } from "./programs.ts";

programTests("Zig: lists, tables, text, errors and thread-local variables", ZIG, [
  new URL("../../fixtures/zig/tour.smf", import.meta.url),
]);
