// Versions of a module that differ in how they declare a function and a variable.
import { HeaderFlag } from "../../src/smf/mod.ts";
import { ROUTINES, word } from "./modules.ts";
import { typedModule, Types } from "./typed_modules.ts";

/** The declarations of a version. */
export interface Declared {
  /** The result of `add32`; the version lacks the function if it is undefined. */
  readonly add32?: "int" | "long" | "float" | undefined;
  /** The type of the 16 bytes of `state`; the version lacks the variable if it is undefined. */
  readonly state?: "ab" | "xy" | undefined;
}

/** The definition of `add32`. */
export const ADD32 = { parameters: ["i32", "i32"], result: "i32" } as const;

let hash = 1n;

/** A version that also has `nothing` and `counter`, which always stay as they are. */
export function declaredVersion({ add32, state }: Declared): Uint8Array<ArrayBuffer> {
  const types = new Types();
  const int = types.base("int", 4, "signed");
  const long = types.base("long", 8, "signed");
  const float = types.base("float", 4, "float");
  const double = types.base("double", 8, "float");
  const ab = types.struct("state", 16, { a: [long, 0], b: [long, 8] });
  const xy = types.struct("state", 16, { x: [double, 0], y: [double, 8] });
  const { nothing } = ROUTINES;
  return typedModule(
    {
      routines: { nothing, ...(add32 !== undefined && { add32: ROUTINES.add32 }) },
      data: {
        counter: word(7n),
        ...(state !== undefined && { state: new Uint8Array([...word(1n), ...word(2n)]) }),
      },
      flags: HeaderFlag.Reloadable,
      // Sets the files apart.
      sourceHash: hash++,
    },
    types.list,
    {
      nothing: types.function(0),
      counter: long,
      ...(add32 !== undefined && { add32: types.function({ int, long, float }[add32], [int, int]) }),
      ...(state !== undefined && { state: { ab, xy }[state] }),
    },
  );
}
