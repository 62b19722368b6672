/** The scripts of mold 2.37.1 that pass, on Debian 12: `main.ts` says which of them fail later. */
export const PASSING: ReadonlySet<string> = new Set(
  `
    allow-multiple-definition ar-alignment arch-x86_64-address-equality arch-x86_64-exception-mcmodel-large
    arch-x86_64-function-multiversion arch-x86_64-init-array arch-x86_64-init-array-readonly
    arch-x86_64-preinit-array arch-x86_64-reloc-zero arch-x86_64-section-alignment arch-x86_64-tls-gd-to-ie
    arch-x86_64-tls-ld-mcmodel-large arch-x86_64-tls-module-base arch-x86_64-z-ibtplt common-archive
    common-ref ctors-in-init-array defsym dependency-file dependency-file-response-file dt-init
    emit-relocs-dead-sections empty-file gnu-hash gnu-unique gnu-warning hash-style-sysv hello-static
    hidden-archive icf-safe icf-small ifunc-alias ifunc-dynamic ifunc-funcptr ifunc-noplt ifunc-static
    ifunc-static-pie init-array-priorities issue646 large-alignment large-alignment-dso large-max-page-size
    large-text library linker-script2 linker-script3 linker-script5 linker-script6 many-sections
    mcmodel-large mergeable-strings missing-but-ok no-quick-exit pltgot range-extension-thunk
    range-extension-thunk2 range-extension-thunk3 relax-got-load reloc-rodata response-file response-file2
    start-stop-symbol static-archive static-pie symbol-rank symbol-version4 sysroot-linker-script tail-call
    tbss-only textrel2 thin-archive thread-count tls-gd-to-ie tls-ie tls-irregular-start-addr
    tls-large-static-image tls-ld tls-ld-noplt tls-le tls-nopic tls-pic tlsdesc-local-dynamic trace verbose
    weak-undef4 z-now z-separate-code
  `.trim().split(/\s+/),
);
