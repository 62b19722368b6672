/** Debian's packages whose static archives {@link file://./main.ts} links, in the order of the table. */

/** Small packages; a seeded share of them runs in CI. */
export const SMALL: readonly string[] = `
  zlib1g-dev libbz2-dev liblzma-dev liblz4-dev libbrotli-dev libdeflate-dev libsnappy-dev liblzo2-dev
  libxxhash-dev liblua5.4-dev libluajit-5.1-dev libmpfr-dev libmpc-dev libpng-dev libjpeg62-turbo-dev
  libtiff-dev libwebp-dev libgif-dev libexpat1-dev libyaml-dev libjson-c-dev libjansson-dev libcjson-dev
  libre2-dev libonig-dev libleveldb-dev liblmdb-dev libgdbm-dev libnghttp2-dev libc-ares-dev libevent-dev
  libuv1-dev libev-dev libgpg-error-dev libidn2-dev libffi-dev libedit-dev libatomic-ops-dev libunwind-dev
  libopus-dev libogg-dev libspeex-dev libmp3lame-dev libfmt-dev libgtest-dev libgmock-dev libbenchmark-dev
  libgflags-dev libdouble-conversion-dev uuid-dev libcap-dev libseccomp-dev libcbor-dev libhiredis-dev
  libmicrohttpd-dev libminizip-dev liblcms2-dev libmetis-dev libargon2-dev libb2-dev libtommath-dev
  libpopt-dev libtirpc-dev libpcap-dev libxext-dev
`.trim().split(/\s+/);

/** Packages that take longer. */
export const LARGE: readonly string[] = `
  libzstd-dev libsqlite3-dev libgmp-dev libfreetype-dev libxml2-dev libxslt1-dev libicu-dev libpcre2-dev
  libprotobuf-dev librocksdb-dev libfftw3-dev libgsl-dev libcurl4-openssl-dev libssh2-1-dev libsodium-dev
  nettle-dev libgcrypt20-dev libunistring-dev libreadline-dev libncurses-dev libgc-dev libjemalloc-dev
  libgoogle-perftools-dev libelf-dev libdw-dev libvorbis-dev libflac-dev libtheora-dev libvpx-dev libx264-dev
  libdav1d-dev libabsl-dev libgoogle-glog-dev libx11-dev libxcb1-dev libblkid-dev libzmq3-dev libmsgpack-dev
  libmagic-dev libarchive-dev libpixman-1-dev libopenjp2-7-dev libglpk-dev libmbedtls-dev
  libboost-filesystem1.74-dev libboost-regex1.74-dev libboost-thread1.74-dev libboost-serialization1.74-dev
  libboost-program-options1.74-dev libboost-context1.74-dev libssl-dev libopenblas-pthread-dev
  libpython3.11-dev tcl8.6-dev libz3-dev
`.trim().split(/\s+/);

/** Compilers for programs; what they call archives is for themselves alone. */
export const TOOLS: readonly string[] = ["golang-1.19-go", "golang-1.19-src"];

/** Archives that cannot be loaded, with the reason. Every other archive must link and load. */
export const REFUSED: Readonly<Record<string, RegExp>> = {};

/**
 * Other archives, or shared libraries, that an archive needs to be loaded: its code addresses their variables directly, or its
 * initialisers call them. Each stands with its package.
 */
export const NEEDS: Readonly<Record<string, readonly [name: string, archive: string][]>> = {
  "libmpfr.a": [["libgmp-dev", "libgmp.a"]],
  "libmpc.a": [["libmpfr-dev", "libmpfr.a"], ["libgmp-dev", "libgmp.a"]],
  "libidn2.a": [["libunistring-dev", "libunistring.a"]],
  "libXext.a": [["libx11-dev", "libX11.a"], ["libxcb1-dev", "libxcb.a"]],
  "libreadline.a": [["libncurses-dev", "libtinfo.a"]],
  "libglog.a": [["libgflags-dev", "libgflags.a"]],
  "librocksdb.a": [
    ["libsnappy-dev", "libsnappy.a"],
    ["zlib1g-dev", "libz.a"],
    ["libbz2-dev", "libbz2.a"],
    ["liblz4-dev", "liblz4.a"],
    ["libzstd-dev", "libzstd.a"],
    ["libgflags-dev", "libgflags.a"],
  ],
  "libmicrohttpd.a": [["libgnutls30", "libgnutls.so"]],
  "libtirpc.a": [["libgssapi-krb5-2", "libgssapi_krb5.so"]],
  "libzmq.a": [
    ["libgssapi-krb5-2", "libgssapi_krb5.so"],
    ["libnorm1", "libnorm.so"],
    ["libsodium-dev", "libsodium.a"],
    ["libpgm-dev", "libpgm.a"],
  ],
  "libopenjpip_server.a": [["libfcgi-dev", "libfcgi.a"]],
  "libbenchmark_main.a": [["libbenchmark1debian", "libbenchmark.so"]],
  "libprofiler.a": [["libunwind8", "libunwind.so"]],
  "libtcmalloc.a": [["libunwind8", "libunwind.so"]],
  "libtcmalloc_and_profiler.a": [["libunwind8", "libunwind.so"]],
  // An allocator that ends the process when it gets memory of another one, as libstdc++.so.6 would pass it.
  "libtcmalloc_debug.a": [
    ["libunwind8", "libunwind.so"],
    ["libstdc++-12-dev", "libstdc++.a"],
    ["libgcc-12-dev", "libgcc_eh.a"],
    ["libgcc-12-dev", "libgcc.a"],
  ],
  ...fftw(),
  ...ncurses(""),
  ...ncurses("w"),
};

/** What the archives of FFTW for threads need, for each precision. */
function fftw(): Record<string, [string, string][]> {
  const needs: Record<string, [string, string][]> = {};
  for (const precision of ["", "f", "l", "q"]) {
    for (const kind of ["omp", "threads"]) {
      needs[`libfftw3${precision}_${kind}.a`] = [["libfftw3-dev", `libfftw3${precision}.a`]];
    }
  }
  return needs;
}

/** What the archives of ncurses need of each other, for narrow or wide characters. */
function ncurses(width: string): Record<string, [string, string][]> {
  const of = (...names: string[]): [string, string][] =>
    names.map((name) => ["libncurses-dev", `lib${name}.a`]);
  const base = [`ncurses${width}`, "tinfo"];
  return {
    [`libncurses${width}.a`]: of("tinfo"),
    [`libform${width}.a`]: of(...base),
    [`libmenu${width}.a`]: of(...base),
    [`libpanel${width}.a`]: of(...base),
    [`libncurses++${width}.a`]: of(`form${width}`, `menu${width}`, `panel${width}`, ...base),
    "libtic.a": of("ncursesw", "tinfo"),
  };
}
