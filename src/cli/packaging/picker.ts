/**
 * The TypeScript module that opens the native modules that are built for the system that it runs on: from files beside
 * it, or from bytes that are TypeScript themselves.
 */

/** A native module for one system. */
export interface PackagedModule {
  /** The module's name. */
  readonly name: string;
  /** The system, as `Deno.build` has it but for macOS: `linux-x86_64`. */
  readonly system: string;
  readonly integrity: string;
}

/** One file of a module. */
export interface PackagedFile extends PackagedModule {
  /** The file, from the folder of the picker. */
  readonly file: string;
}

/** The text of the module for files beside it. */
export function pickerText(files: readonly PackagedFile[]): string {
  return text(
    "smf build --target",
    files.map(({ file, ...module }) => ({
      ...module,
      facts: { file: `./${file}`, integrity: module.integrity },
    })),
    `/** The file of a module for this system, and the integrity string that its bytes have. */
export function locate(name: Name): { url: URL; integrity: string } {
  const { file, integrity } = factsOf(name);
  return { url: new URL(file, import.meta.url), integrity };
}

/** Loads a module. */
export function load(
  name: Name,
  registry: ModuleRegistry = shared ??= new ModuleRegistry(),
): LoadedModule {
  const { url, integrity } = locate(name);
  return registry.load(url, { integrity });
}
`,
    "const { url } = locate(name);",
    "url",
  );
}

/**
 * The text of the module that opens what {@linkcode bytesText} has. Its import is neither a literal, which Deno would
 * fetch for all systems, nor any expression, which `deno compile` would leave out: of a template that begins with
 * a folder, Deno takes all files in it where they are local, and only the one that is asked for where they are not.
 *
 * @param command The command that writes it.
 * @param folder The folder of the files with the bytes, from that of the module.
 */
export function embeddedText(command: string, folder: string, modules: readonly PackagedModule[]): string {
  return text(
    command,
    modules.map((module) => ({ ...module, facts: { integrity: module.integrity } })),
    `const isBuilt = Object.values(FILES).some((systems) =>
  Object.hasOwn(systems, SYSTEM)
);
/** The bytes of each module for this system, in base64; those for others are not even fetched. */
const BYTES: Readonly<Record<string, string>> = isBuilt
  ? (await import(\`./${folder}/\${SYSTEM}.ts\`)).modules
  : {};

/** The name of a module in a registry, and its bytes. */
export function bytesOf(
  name: Name,
): { key: string; bytes: Uint8Array<ArrayBuffer>; integrity: string } {
  const { integrity } = factsOf(name);
  const digits = BYTES[name];
  const key = new URL(\`#\${name}\`, import.meta.url).href;
  // Not in the types of all versions of Deno, nor in the oldest ones.
  const decode: typeof fromBase64 = Reflect.get(Uint8Array, "fromBase64") ??
    fromBase64;
  return { key, bytes: decode(digits), integrity };
}

function fromBase64(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(digits), (letter) => letter.charCodeAt(0));
}

/** Loads a module. */
export function load(
  name: Name,
  registry: ModuleRegistry = shared ??= new ModuleRegistry(),
): LoadedModule {
  const { key, bytes, integrity } = bytesOf(name);
  return registry.loadBytes(key, bytes, { integrity });
}
`,
    "const key = new URL(`#${name}`, import.meta.url).href;",
    "key",
  );
}

/** The length of a line of base64: a multiple of 4, so that each line is some whole bytes. */
const LINE = 108;

/**
 * The text of the TypeScript module with the bytes for one system.
 *
 * @param modules The base64 of each module by its name.
 */
export function bytesText(
  command: string,
  system: string,
  modules: Readonly<Record<string, string>>,
): string {
  const rows = Object.entries(modules).map(([name, digits]) =>
    `  ${JSON.stringify(name)}: \`\n${(digits.match(new RegExp(`.{1,${LINE}}`, "g")) ?? []).join("\n")}\`,\n`
  );
  return `${BYTES_HEADING}
// ${written(command)}
/** Native modules for ${system}, in base64. */
export const modules: Readonly<Record<string, string>> = {
${rows.join("")}};
`;
}

/** The beginning of each {@linkcode bytesText}. */
export const BYTES_HEADING = "// deno-fmt-ignore-file\n// deno-lint-ignore-file";

function written(command: string): string {
  return `Written by \`${command}\`: change nothing here, run it again.`;
}

/**
 * The parts that both kinds share: types, the system, and how a module is opened.
 *
 * @param access Defines `load`, and what a program finds out beside it.
 * @param find Declares the variable that names a module to a registry.
 * @param key That variable.
 */
function text(
  command: string,
  modules: readonly (PackagedModule & { readonly facts: Readonly<Record<string, string>> })[],
  access: string,
  find: string,
  key: string,
): string {
  const names = [...new Set(modules.map(({ name }) => name))];
  const table = names.map((name) => {
    const rows = modules.filter((each) => each.name === name).map(({ system, facts }) => {
      const fields = Object.entries(facts).map(([fact, value]) =>
        `      ${fact}: ${JSON.stringify(value)},\n`
      );
      return `    ${JSON.stringify(system)}: {\n${fields.join("")}    },\n`;
    });
    return `  ${JSON.stringify(name)}: {\n${rows.join("")}  },\n`;
  });
  const fields = Object.keys(modules[0].facts).map((fact) => `${fact}: string`).join("; ");
  return `// ${written(command)}
import {
  type Definitions,
  type LiveLibrary,
  type LoadedModule,
  ModuleRegistry,
  type TypedLibrary,
} from "@simple/loader";

/** The facts about each module, by the systems that it is built for. */
const FILES: Readonly<
  Record<string, Readonly<Record<string, { ${fields} }>>>
> = {
${table.join("")}};

/** The native modules. */
export type Name = ${names.map((name) => JSON.stringify(name)).join(" | ")};

/** This system. */
const SYSTEM: string = \`\${
  Deno.build.os === "darwin" ? "macos" : Deno.build.os
}-\${Deno.build.arch}\`;

let shared: ModuleRegistry | undefined;

function factsOf(name: Name): { ${fields} } {
  const found = FILES[name]?.[SYSTEM];
  if (found !== undefined) return found;
  const systems = Object.keys(FILES[name] ?? {}).join(", ");
  throw new Error(
    \`Cannot open '\${name}': it is not built for \${SYSTEM}, only for \${systems}\`,
  );
}

${access}
/** Opens a module by definitions, such as those that \`smf types\` writes. */
export function open<const S extends Definitions>(
  name: Name,
  definitions: S,
  registry?: ModuleRegistry,
): LiveLibrary<S>;
/** Opens all exports of a module, by the types that it keeps. */
export function open(name: Name): TypedLibrary;
export function open(
  name: Name,
  definitions?: Definitions,
  registry: ModuleRegistry = shared ??= new ModuleRegistry(),
): LiveLibrary | TypedLibrary {
  using _handle = load(name, registry);
  ${find}
  return definitions === undefined
    ? registry.open(${key})
    : registry.open(${key}, definitions);
}
`;
}
