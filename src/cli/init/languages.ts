/**
 * The native part of a new project, in each language.
 */
import type { ToolKind } from "../../build/compilers.ts";

/** The parts of a project that depend on its language. */
export interface Starter {
  /** The title of the language. */
  readonly title: string;
  /** The module's source, as the configuration names it. */
  readonly source: string;
  /** The compiler that it needs. */
  readonly compiler: ToolKind;
  /** The native files, by path. */
  readonly files: Readonly<Record<string, string>>;
}

const NOTE = "Change this while `deno task dev` runs: the next call runs the new code, and the total stays.";

/** The projects by the names of their languages, as `--language` takes them. */
export const STARTERS: Readonly<Record<string, Starter>> = {
  c: {
    title: "C",
    source: "native/counter.c",
    compiler: "c",
    files: {
      "native/counter.c": `#include <stdint.h>

static int32_t total;

// ${NOTE}
int32_t count(int32_t by) {
  return total += by;
}
`,
    },
  },
  cpp: {
    title: "C++",
    source: "native/counter.cpp",
    compiler: "c++",
    files: {
      "native/counter.cpp": `#include <algorithm>
#include <cstdint>

static int32_t total, most;

// ${NOTE}
extern "C" int32_t count(int32_t by) {
  most = std::max(most, by);
  return total += by;
}
`,
    },
  },
  rust: {
    title: "Rust",
    source: "native/Cargo.toml",
    compiler: "cargo",
    files: {
      "native/Cargo.toml": `[package]
name = "counter"
version = "0.1.0"
edition = "2021"
`,
      "native/src/lib.rs": `use std::sync::atomic::{AtomicI32, Ordering};

static TOTAL: AtomicI32 = AtomicI32::new(0);

// ${NOTE}
#[no_mangle]
pub extern "C" fn count(by: i32) -> i32 {
    TOTAL.fetch_add(by, Ordering::SeqCst) + by
}
`,
    },
  },
  zig: {
    title: "Zig",
    source: "native/counter.zig",
    compiler: "zig",
    files: {
      "native/counter.zig": `var total: i32 = 0;

// ${NOTE}
export fn count(by: i32) i32 {
    total += by;
    return total;
}
`,
    },
  },
};
