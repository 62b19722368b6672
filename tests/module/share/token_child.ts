/** Prints a token without its shared memory. */
import { ModuleLoader } from "../../../mod.ts";
import { version } from "../../support/versions.ts";

const module = new ModuleLoader().loadBytes(version({ functions: { answer: 4 } }));
const { control: _, ...token } = module.share();
console.log(
  JSON.stringify(token, (_, value) => {
    if (typeof value === "bigint") return `${value}n`;
    return value instanceof Uint8Array ? { bytes: [...value] } : value;
  }),
);
