/**
 * Thread-local variables in a file: each thread has a TLS block of its own, which
 * begins as a copy of one section.
 */

/** The section with the initial contents of each thread's TLS block; symbols in it are thread-local variables. */
export const TLS_SECTION = ".tdata";
