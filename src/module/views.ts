/**
 * Views of variables: what a version knows of a variable becomes a typed array or
 * an accessor over its memory.
 */

import { LazyMap } from "../os/lazy_collections.ts";
import type { ViewBuffers } from "../call/view/buffers.ts";
import { shapeOfDescription, type ViewDescription } from "../call/view/description.ts";
import type { Shape } from "../call/view/shape.ts";
import { shapeOfType } from "../call/view/shape_of_type.ts";
import { ViewMaker } from "../call/view/view.ts";
import { LoadError } from "../errors/load_error.ts";
import { isAddress } from "../image/plan.ts";
import { keptHome, type LoadedImage, symbolAddress } from "../load/loader.ts";
import { bytesAt } from "../os/native_memory.ts";
import { SymbolType } from "../smf/enums.ts";

/** The part of a `ModuleVersion` that views need. */
export interface ViewedVersion {
  readonly path: string;
  readonly image: LoadedImage;
}

/** A variable of one version. */
export interface Variable {
  readonly path: string;
  readonly name: string;
  readonly address: bigint;
  /** In bytes; 0 if the file does not say. */
  readonly size: number;
  /** The bytes from the variable to the end of the memory that has its protection. */
  readonly room: number;
  readonly isWritable: boolean;
  /** The shape that the module's types give it; undefined if the module keeps none. */
  readonly shape: () => Shape | undefined;
}

/**
 * Finds a variable of a version; exports come first.
 *
 * @throws {LoadError} `UndefinedSymbol`; `Incompatible` if the name is something else.
 */
export function findVariable(version: ViewedVersion, name: string): Variable {
  const { path, image } = version;
  const { symbols } = image.file;
  const symbol = symbols.findExport(name) ?? symbols.find(name);
  if (symbol === undefined || !symbols.isDefined(symbol.index)) {
    throw new LoadError("UndefinedSymbol", "Cannot view: the module does not define the name", {
      path,
      symbol: name,
      symbols: [name],
      hint: "correct the name: smf nm FILE lists the module's variables",
    });
  }
  const isFunction = symbol.type === SymbolType.Function;
  if (isFunction || !isAddress(symbol.type)) {
    throw new LoadError(
      "Incompatible",
      `Cannot view: the name is ${isFunction ? "a function" : "not a variable"}`,
      {
        path,
        symbol: name,
        hint: isFunction
          ? "call it: bind it with `parameters` and `result`"
          : "smf nm FILE lists the module's variables",
      },
    );
  }
  const address = symbolAddress(image, symbol.index);
  const kept = keptHome(image, symbol.value);
  const offset = image.plan.place(symbol.value, 0);
  const regions = [image.plan.data, image.plan.rodata, image.plan.code];
  const region = regions.find(({ offset: start, length }) => offset >= start && offset < start + length);
  return {
    path,
    name,
    address,
    size: symbol.size,
    room: kept !== undefined ? kept.room : region === undefined ? 0 : region.offset + region.length - offset,
    isWritable: region === image.plan.data,
    shape: () => {
      const types = image.types?.read(path);
      const id = types?.of(symbol);
      return types === undefined || id === undefined ? undefined : shapeOfType(types.types, id, symbol.size);
    },
  };
}

/** Makes a buffer over memory, which is detached before the memory goes. */
export type OpenBuffer = (address: bigint, length: number) => ArrayBuffer;

/**
 * Makes the view of a variable. That of a constant is a copy of its bytes.
 *
 * @param description Describes the variable; absent: the module's types do.
 * @throws {LoadError} `Unsupported` if nothing describes the variable; `Incompatible` if a description does not fit it.
 * @throws {TypeError} for a description that is not one.
 */
export function makeView(
  variable: Variable,
  description: ViewDescription | undefined,
  open: OpenBuffer,
): unknown {
  const { address, isWritable } = variable;
  const shape = description === undefined ? variable.shape() : shapeOfDescription(description, variable.size);
  if (shape === undefined) throw untyped(variable);
  checkSize(variable, shape, description);
  const maker = new ViewMaker((offset, length) => {
    const start = address + BigInt(offset);
    // Writing to a constant's own memory would end the process.
    return isWritable ? open(start, length) : bytesAt(start, length).slice().buffer;
  });
  return maker.whole(shape);
}

function untyped({ path, name }: Variable): LoadError {
  return new LoadError("Unsupported", "Cannot view: the module keeps no type of the variable", {
    path,
    symbol: name,
    hint: "compile with -g and link again, or describe the variable: " +
      `view(${JSON.stringify(name)}, { type: "f32", count: 64 })`,
  });
}

/** @throws {LoadError} `Incompatible` if the view is larger than the variable, or a struct is not as large. */
function checkSize({ path, name, size, room }: Variable, shape: Shape, description?: ViewDescription): void {
  const isTooLarge = shape.size > room || (size > 0 && shape.size > size);
  const isOtherStruct = shape.kind === "struct" && size > 0 && shape.size !== size;
  if (!isTooLarge && !isOtherStruct) return;
  const has = size > 0 ? `the variable has ${size} bytes` : `${room} bytes are left in its memory`;
  throw new LoadError(
    "Incompatible",
    `Cannot view: ${has}, its ${description ? "description" : "type"} ${shape.size}`,
    {
      path,
      symbol: name,
      size: shape.size,
      range: isOtherStruct ? [size, size + 1] : [0, Math.min(room, size || room) + 1],
      hint: description === undefined
        ? "describe the variable as it is in memory: view(name, { type, count })"
        : "correct `type` and `count`: smf nm FILE lists the sizes of variables",
    },
  );
}

/** The views of one version that its handles have made: each once. */
export class VersionViews {
  /** The buffers of these views, and of live ones. */
  readonly buffers: ViewBuffers;
  readonly #version: ViewedVersion;
  /** Keeps the buffers, too, for as long as the version lives: see {@linkcode ViewBuffers}. */
  readonly #views = new LazyMap<
    string,
    { readonly view: unknown; readonly opened: readonly ArrayBuffer[] }
  >();

  constructor(version: ViewedVersion, buffers: ViewBuffers) {
    this.#version = version;
    this.buffers = buffers;
  }

  /**
   * Returns the view of a variable, which reads nothing after the version is revoked.
   *
   * @throws {LoadError} As {@linkcode findVariable} and {@linkcode makeView}.
   */
  of(name: string, description: ViewDescription | undefined): unknown {
    const key = viewKey(name, description);
    let known = this.#views.get(key);
    if (known === undefined) {
      const opened: ArrayBuffer[] = [];
      const view = makeView(findVariable(this.#version, name), description, (address, length) => {
        const { buffer } = this.buffers.open(address, length, this.#version);
        opened.push(buffer);
        return buffer;
      });
      this.#views.set(key, known = { view, opened });
    }
    return known.view;
  }
}

/** A key that is equal for equal names and descriptions. */
export function viewKey(name: string, description: ViewDescription | undefined): string {
  return description === undefined
    ? name
    : `${name}\0${JSON.stringify([description.type, description.count])}`;
}
