/* The frames of native code that has called a callback (Linux). */
#ifndef CALLERS_H
#define CALLERS_H
#include "guard.h"

/* callback_code.c */
#pragma GCC visibility push(hidden)
extern const char smf_callback[];
#pragma GCC visibility pop
/*
 * Of the code's frame, in words from its frame pointer: where the record is, where its own
 * address is, and where its caller's frame ends; and the registers behind the frame pointer
 * in the frame, by their DWARF numbers.
 */
#if defined(__x86_64__)
enum { RECORD_WORD = -6, OWN_WORD = -7, END_WORD = 2 };
#else
enum { RECORD_WORD = 12, OWN_WORD = 13, END_WORD = 14 };
#endif

#endif
